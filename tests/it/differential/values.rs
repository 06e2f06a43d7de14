//! What prost reads of a message is what stands in the columns, field by field.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;
use seamwatch::decode::Signal;
use serde_json::{Value, json};

use super::{NOW, generate, protobuf};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tree(value: &AnyValue) -> Value {
    use any_value::Value::*;
    match &value.value {
        None | Some(StringValueStrindex(_)) => Value::Null,
        Some(StringValue(text)) => text.clone().into(),
        Some(BoolValue(value)) => (*value).into(),
        Some(IntValue(value)) => (*value).into(),
        Some(DoubleValue(value)) if value.is_finite() => (*value).into(),
        Some(DoubleValue(value)) => value.to_string().into(),
        Some(BytesValue(bytes)) => hex(bytes).into(),
        Some(ArrayValue(array)) => array.values.iter().map(tree).collect(),
        Some(KvlistValue(list)) => {
            let member = |pair: &KeyValue| (pair.key.clone(), pair.value.as_ref().map_or(Value::Null, tree));
            Value::Object(list.values.iter().map(member).collect())
        }
    }
}

/// An attribute's text as it is kept.
fn text(value: Option<&AnyValue>) -> String {
    use any_value::Value::*;
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(StringValueStrindex(_)) => String::new(),
        Some(StringValue(text)) => text.clone(),
        Some(DoubleValue(value)) => value.to_string(),
        Some(BytesValue(bytes)) => hex(bytes),
        Some(_) => tree(value.expect("it is there")).to_string(),
    }
}

fn pairs(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let named = attributes.iter().filter(|pair| !pair.key.is_empty());
    named.map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect()
}

fn object(attributes: &[KeyValue]) -> Value {
    Value::Object(pairs(attributes).into_iter().map(|(key, value)| (key, value.into())).collect())
}

fn owned<'a>(kept: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    kept.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn id<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

fn nanos(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn array(values: Vec<Value>) -> Cow<'static, str> {
    if values.is_empty() { Cow::Borrowed("") } else { Value::Array(values).to_string().into() }
}

fn events(span: &Span) -> Cow<'static, str> {
    let one = |event: &opentelemetry_proto::tonic::trace::v1::span::Event| json!({"time": nanos(event.time_unix_nano), "name": event.name, "attributes": object(&event.attributes)});
    array(span.events.iter().map(one).collect())
}

fn links(span: &Span) -> Cow<'static, str> {
    let one = |link: &opentelemetry_proto::tonic::trace::v1::span::Link| json!({"trace_id": hex(&id::<16>(&link.trace_id)), "span_id": hex(&id::<8>(&link.span_id)), "attributes": object(&link.attributes)});
    array(span.links.iter().map(one).collect())
}

fn known(number: i32, last: i32) -> u8 {
    if (0..=last).contains(&number) { number as u8 } else { 0 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_field_of_a_span_is_what_the_reference_reads(message in generate::traces()) {
        let decoded = protobuf(Signal::Traces, &message.encode_to_vec()).unwrap();
        let kept = &decoded.batch.spans;
        let good = |span: &Span| id::<16>(&span.trace_id) != [0; 16] && id::<8>(&span.span_id) != [0; 8];
        let mut at = 0;
        let mut rejected = 0;
        for of_resource in &message.resource_spans {
            for of_scope in &of_resource.scope_spans {
                for span in &of_scope.spans {
                    if !good(span) {
                        rejected += 1;
                        continue;
                    }
                    prop_assert_eq!(kept.trace_id[at], id(&span.trace_id));
                    prop_assert_eq!(kept.span_id[at], id(&span.span_id));
                    prop_assert_eq!(kept.parent_span_id[at], id(&span.parent_span_id));
                    prop_assert_eq!(kept.texts.get(kept.name[at]), &span.name);
                    prop_assert_eq!(kept.start[at], nanos(span.start_time_unix_nano));
                    prop_assert_eq!(kept.end[at], nanos(span.end_time_unix_nano));
                    prop_assert_eq!(kept.received[at], NOW as i64);
                    prop_assert_eq!(kept.kind[at], known(span.kind, 5));
                    let status = span.status.clone().unwrap_or_default();
                    prop_assert_eq!(kept.status[at], known(status.code, 2));
                    prop_assert_eq!(kept.texts.get(kept.status_message[at]), &status.message);
                    prop_assert_eq!(owned(kept.attributes(at)), pairs(&span.attributes));
                    let resource = of_resource.resource.clone().unwrap_or_default();
                    prop_assert_eq!(owned(kept.resource(at)), pairs(&resource.attributes));
                    prop_assert_eq!(kept.texts.get(kept.scope[at]), of_scope.scope.clone().unwrap_or_default().name);
                    prop_assert_eq!(kept.texts.get(kept.events[at]), events(span));
                    prop_assert_eq!(kept.texts.get(kept.links[at]), links(span));
                    at += 1;
                }
            }
        }
        prop_assert_eq!((kept.len(), decoded.rejected.count), (at, rejected));
    }

    #[test]
    fn every_field_of_a_log_is_what_the_reference_reads(mut message in generate::logs()) {
        // Without the names of events, which may be refused for what they lack.
        let records = message.resource_logs.iter_mut().flat_map(|r| &mut r.scope_logs).flat_map(|s| &mut s.log_records);
        records.for_each(|log| log.event_name = "plain".into());
        let decoded = protobuf(Signal::Logs, &message.encode_to_vec()).unwrap();
        let kept = &decoded.batch.logs;
        let mut at = 0;
        for of_resource in &message.resource_logs {
            for of_scope in &of_resource.scope_logs {
                for log in &of_scope.log_records {
                    let LogRecord { time_unix_nano, observed_time_unix_nano, .. } = *log;
                    let time = [time_unix_nano, observed_time_unix_nano, NOW].into_iter().find(|time| *time != 0);
                    prop_assert_eq!(Some(kept.time[at]), time.map(nanos));
                    prop_assert_eq!(kept.severity[at], u8::try_from(log.severity_number).unwrap_or(0));
                    prop_assert_eq!(kept.texts.get(kept.severity_text[at]), &log.severity_text);
                    prop_assert_eq!(kept.texts.get(kept.body[at]), text(log.body.as_ref()));
                    prop_assert_eq!(kept.texts.get(kept.event_name[at]), "plain");
                    prop_assert_eq!(owned(kept.attributes(at)), pairs(&log.attributes));
                    let resource = of_resource.resource.clone().unwrap_or_default();
                    prop_assert_eq!(owned(kept.resource(at)), pairs(&resource.attributes));
                    prop_assert_eq!(kept.texts.get(kept.scope[at]), of_scope.scope.clone().unwrap_or_default().name);
                    prop_assert_eq!((kept.trace_id[at], kept.span_id[at]), (id(&log.trace_id), id(&log.span_id)));
                    at += 1;
                }
            }
        }
        prop_assert_eq!((kept.len(), decoded.rejected.count), (at, 0));
    }
}
