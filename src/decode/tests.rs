use std::path::Path;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value,
};
use opentelemetry_proto::tonic::metrics::v1 as metric_proto;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::prelude::*;
use prost::Message;

use super::redact::{Redactor, Secrecy};
use super::*;

mod metrics;
mod scope;

const NOW: Nanos = 1_800_000_000_000_000_000;

fn read(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Decoded, Malformed> {
    request(signal, encoding, body, NOW, &Arc::default(), &Limits::default())
}

fn json(signal: Signal, body: &str) -> Result<Decoded, Malformed> {
    read(signal, Encoding::Json, body.as_bytes())
}

/// Every captured body of a real client: (file, signal, encoding).
fn captured() -> Vec<(String, Signal, Encoding, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/otlp/captured");
    let mut bodies = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let signal = match () {
            () if name.contains("metrics") => Signal::Metrics,
            () if name.contains("logs") => Signal::Logs,
            () => Signal::Traces,
        };
        let encoding = if name.ends_with(".json") { Encoding::Json } else { Encoding::Protobuf };
        bodies.push((name, signal, encoding, std::fs::read(&path).unwrap()));
    }
    assert!(bodies.len() >= 9, "the captured bodies are missing");
    bodies
}

#[test]
fn captured_bodies_of_real_clients_are_read_whole() {
    for (name, signal, encoding, body) in captured() {
        let decoded = read(signal, encoding, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded.rejected, Rejected::default(), "{name}");
        assert!(decoded.batch.records > 0, "{name}");
        if signal == Signal::Traces && encoding == Encoding::Protobuf {
            let reference = ExportTraceServiceRequest::decode(&body[..]).unwrap();
            let spans: usize =
                reference.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|s| s.spans.len()).sum();
            assert_eq!(decoded.batch.spans.len(), spans, "{name}");
        }
    }
}

#[test]
fn vanilla_clients_give_calls_by_endpoint() {
    for (name, ..) in
        captured().iter().filter(|(name, signal, ..)| name.contains("auto") && *signal == Signal::Traces)
    {
        let (_, signal, encoding, body) = captured().into_iter().find(|(other, ..)| other == name).unwrap();
        let seen = read(signal, encoding, &body).unwrap().batch.observations;
        let http = seen.series.iter().filter(|key| key.endpoint.starts_with("GET /")).count();
        assert!(http > 0 && !seen.calls.is_empty(), "{name}: {:?}", seen.series);
    }
}

#[test]
fn a_body_cut_anywhere_or_damaged_never_panics() {
    for (_, signal, encoding, body) in captured() {
        let step = (body.len() / 500).max(1);
        for end in (0..body.len()).step_by(step) {
            let _ = read(signal, encoding, &body[..end]);
            let mut damaged = body.clone();
            damaged[end] ^= 0xa5;
            let _ = read(signal, encoding, &damaged);
        }
    }
}

/// Others' vectors lie beside a working copy, when they lie anywhere.
#[test]
fn the_official_vectors_are_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/otlp");
    let vectors = [
        ("opentelemetry-proto/trace.json", Signal::Traces, 1),
        ("opentelemetry-proto/metrics.json", Signal::Metrics, 4),
        ("opentelemetry-proto/logs.json", Signal::Logs, 1),
        ("opentelemetry-proto/events.json", Signal::Logs, 1),
        ("opentelemetry-rust/traces.json", Signal::Traces, 2),
        ("opentelemetry-rust/logs.json", Signal::Logs, 1),
        ("opentelemetry-rust/metrics.json", Signal::Metrics, 1),
    ];
    for (file, signal, least) in vectors {
        let Ok(body) = std::fs::read(root.join(file)) else { continue };
        let decoded = read(signal, Encoding::Json, &body).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(decoded.rejected, Rejected::default(), "{file}");
        assert!(decoded.batch.records >= least, "{file}: {}", decoded.batch.records);
    }
}

#[test]
fn json_as_lenient_as_the_mapping_says() {
    let span = |more: &str| {
        let ids = r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174""#;
        let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids}{more}}}]}}]}}]}}"#);
        json(Signal::Traces, &body)
    };
    let fine = [
        "",
        r#","attributes":null,"parentSpanId":null,"links":null,"events":[],"unknown":{"a":[1]}"#,
        r#","kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_ERROR"}"#,
        r#","startTimeUnixNano":1.5e18,"endTimeUnixNano":"1500000000000000001""#,
        r#","attributes":[{"key":"a","value":{"arrayValue":{}}},{"key":"b","value":{}},{"key":"c"}]"#,
        r#","attributes":[{"key":"a","value":{"doubleValue":"NaN"}},{"key":"b","value":{"intValue":"7"}}]"#,
        r#","attributes":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"x","value":{"boolValue":true}}]}}}]"#,
        r#","attributes":[{"key":"a","value":{"bytesValue":"aGk="}}]"#,
        r#","start_time_unix_nano":"no field of ours""#,
    ];
    for more in fine {
        let decoded = span(more).unwrap_or_else(|error| panic!("{more}: {error}"));
        assert_eq!((decoded.batch.records, decoded.rejected.count), (1, 0), "{more}");
    }
    let decoded = span(fine[6]).unwrap();
    assert_eq!(decoded.batch.spans.attributes(0).collect::<Vec<_>>(), [("a", r#"{"x":true}"#)]);
    let decoded = span(fine[2]).unwrap();
    assert_eq!((decoded.batch.spans.kind[0], decoded.batch.spans.status[0]), (3, 2));
    assert!(span(r#","startTimeUnixNano":"soon""#).is_err());
    assert!(json(Signal::Traces, "[]").is_err());
    assert_eq!(json(Signal::Traces, "{}").unwrap().batch.records, 0);
    assert!(json(Signal::Traces, &"[".repeat(10_000)).is_err());
}

#[test]
fn one_bad_id_rejects_one_span_and_says_so() {
    let good = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"a"}"#;
    let bad = r#"{"traceId":"5b8efff7","spanId":"eee19b7ec3c1b174","name":"b"}"#;
    let zero = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"0000000000000000","name":"c"}"#;
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{good},{bad},{zero}]}}]}}]}}"#);
    let decoded = json(Signal::Traces, &body).unwrap();
    assert_eq!((decoded.batch.records, decoded.rejected.count), (1, 2));
    let message = &decoded.rejected.message;
    assert!(
        message.contains("span \"b\": its trace id") && message.contains("span \"c\": its span id"),
        "{message}"
    );
}

#[test]
fn points_that_cannot_be_are_refused_with_the_reason() {
    let point = |kind: &str, data: &str, point: &str| {
        let body = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m","{kind}":{{{data}"dataPoints":[{{{point}}}]}}}}]}}]}}]}}"#
        );
        json(Signal::Metrics, &body).unwrap().rejected
    };
    let time = r#""timeUnixNano":"1500000000000000000","#;
    let delta = r#""aggregationTemporality":1,"#;
    assert_eq!(point("gauge", "", &format!(r#"{time}"asInt":"4""#)).count, 0);
    assert_eq!(point("gauge", "", &format!(r#"{time}"asDouble":"Infinity""#)).count, 0);
    assert_eq!(point("gauge", "", &format!(r#"{time}"flags":1"#)).count, 0);
    assert!(point("gauge", "", r#""asInt":4"#).message.contains("no time_unix_nano"));
    assert!(point("sum", "", &format!(r#"{time}"asInt":4"#)).message.contains("temporality"));
    assert!(point("gauge", "", time.trim_end_matches(',')).message.contains("no value"));
    let buckets = format!(r#"{time}"count":"3","bucketCounts":["1","2"],"explicitBounds":[1,2]"#);
    assert!(point("histogram", delta, &buckets).message.contains("2 bucket counts for 2 bounds"));
    let unsorted = format!(r#"{time}"count":3,"bucketCounts":[1,1,1],"explicitBounds":[2,"1"]"#);
    assert!(point("histogram", delta, &unsorted).message.contains("ascend"));
    let lost = format!(r#"{time}"count":4,"bucketCounts":[1,1,1],"explicitBounds":[1,2]"#);
    assert!(point("histogram", delta, &lost).message.contains("hold 3 of a count of 4"));
}

#[test]
fn the_claim_is_path_and_body_and_untimed_logs_have_none() {
    let (_, signal, encoding, body) =
        captured().into_iter().find(|(_, signal, ..)| *signal == Signal::Traces).unwrap();
    let hash = |body: &[u8]| read(signal, encoding, body).unwrap().batch.hash;
    assert!(hash(&body).is_some());
    assert_eq!(hash(&body), hash(&body));
    let log = |time: &str| {
        let body = format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{time}"body":{{"stringValue":"x"}}}}]}}]}}]}}"#
        );
        json(Signal::Logs, &body).unwrap().batch.hash
    };
    assert_eq!(log(""), None);
    assert!(log(r#""observedTimeUnixNano":"1500000000000000000","#).is_some());
}

#[test]
fn secrets_are_gone_before_anything_is_kept() {
    let attribute =
        r#"{"key":"http.request.header.authorization","value":{"stringValue":"Bearer abcdefgh12345678"}}"#;
    let url = r#"{"key":"url.full","value":{"stringValue":"https://api.example/x?access_token=tobekept"}}"#;
    let ids = r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#;
    let body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids},"attributes":[{attribute},{url}]}}]}}]}}]}}"#
    );
    let kept =
        format!("{:?}", json(Signal::Traces, &body).unwrap().batch.spans.attributes(0).collect::<Vec<_>>());
    assert!(
        !kept.contains("abcdefgh") && !kept.contains("tobekept") && kept.contains("https://api.example/x"),
        "{kept}"
    );
}

#[test]
fn names_are_one_visible_line_and_free_texts_keep_theirs() {
    let body = r#"{"resourceSpans":[{"resource":{"attributes":[
        {"key":"note","value":{"stringValue":"a\nb"}},
        {"key":"integration.name","value":{"stringValue":"a\nb"}},
        {"key":"deployment.environment.name","value":{"stringValue":"\u202elive"}}]},
        "scopeSpans":[{"spans":[{"traceId":"01010101010101010101010101010101","spanId":"0202020202020202",
        "name":"x\r\ny","kind":3,"startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#;
    let batch = json(Signal::Traces, body).unwrap().batch;
    let key = &batch.observations.integrations[0].key;
    assert_eq!((&*key.name, &*key.environment), ("a b", "live"));
    assert_eq!(batch.spans.texts.get(batch.spans.name[0]), "x y");
    let resource = format!("{:?}", batch.spans.resource(0).collect::<Vec<_>>());
    assert!(resource.contains(r"a\nb"), "{resource}");
}

fn a_key() -> impl Strategy<Value = String> {
    "[a-z.]{1,12}".prop_filter("a name of secrets", |key| Redactor::usual().secrecy(key) == Secrecy::Open)
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        "[a-z ]{0,12}".prop_map(any_value::Value::StringValue),
        any::<bool>().prop_map(any_value::Value::BoolValue),
        // No number of a card: those are shorter than this and longer than that.
        prop_oneof![i64::MIN..=0, 0i64..1_000_000_000_000].prop_map(any_value::Value::IntValue),
        (-1e9f64..1e9).prop_map(any_value::Value::DoubleValue),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(any_value::Value::BytesValue),
    ]
    .prop_map(|value| AnyValue { value: Some(value) });
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop::collection::vec(inner, 0..4)
            .prop_map(|values| AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values })) })
    })
}

prop_compose! {
    fn a_span()(
        trace in prop::array::uniform16(1u8..), id in prop::array::uniform8(1u8..), name in "[a-zA-Z/ ]{0,20}",
        kind in 0i32..6, start in 1u64..1_700_000_000_000_000_000, length in 0u64..10_000_000_000,
        attributes in prop::collection::vec((a_key(), any_value()), 0..5), code in 0i32..3,
        message in "[a-z ]{0,12}", events in prop::collection::vec("[a-z]{1,8}", 0..3),
    ) -> Span {
        Span {
            trace_id: trace.to_vec(), span_id: id.to_vec(), name, kind, start_time_unix_nano: start,
            end_time_unix_nano: start + length,
            attributes: attributes.into_iter().map(|(key, value)| KeyValue { key, value: Some(value), ..Default::default() }).collect(),
            status: Some(Status { code, message }),
            events: events.into_iter().map(|name| span::Event { name, time_unix_nano: start, ..Default::default() }).collect(),
            ..Default::default()
        }
    }
}

fn request_of(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope = Some(InstrumentationScope { name: "tests".into(), ..Default::default() });
    let scope_spans = vec![ScopeSpans { scope, spans, ..Default::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource::default()),
            scope_spans,
            ..Default::default()
        }],
    }
}

/// An AnyValue's text as it is kept.
fn text(value: &AnyValue) -> String {
    fn tree(value: &AnyValue) -> serde_json::Value {
        match &value.value {
            Some(any_value::Value::ArrayValue(array)) => array.values.iter().map(tree).collect(),
            Some(any_value::Value::StringValue(text)) => text.clone().into(),
            Some(any_value::Value::BoolValue(value)) => (*value).into(),
            Some(any_value::Value::IntValue(value)) => (*value).into(),
            Some(any_value::Value::DoubleValue(value)) => (*value).into(),
            Some(any_value::Value::BytesValue(bytes)) => hex(bytes).into(),
            _ => serde_json::Value::Null,
        }
    }
    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
    match &value.value {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::DoubleValue(value)) => value.to_string(),
        Some(any_value::Value::BytesValue(bytes)) => hex(bytes),
        _ => tree(value).to_string(),
    }
}

proptest! {
    #[test]
    fn protobuf_reads_the_same_as_the_reference(spans in prop::collection::vec(a_span(), 0..6)) {
        let message = request_of(spans.clone());
        let decoded = read(Signal::Traces, Encoding::Protobuf, &message.encode_to_vec()).unwrap();
        let kept = &decoded.batch.spans;
        prop_assert_eq!(kept.len(), spans.len());
        for (at, span) in spans.iter().enumerate() {
            prop_assert_eq!(&kept.trace_id[at][..], &span.trace_id[..]);
            prop_assert_eq!(&kept.span_id[at][..], &span.span_id[..]);
            prop_assert_eq!(kept.texts.get(kept.name[at]), span.name.trim());
            prop_assert_eq!((kept.start[at] as u64, kept.end[at] as u64), (span.start_time_unix_nano, span.end_time_unix_nano));
            prop_assert_eq!(i32::from(kept.kind[at]), span.kind);
            let status = span.status.as_ref().unwrap();
            prop_assert_eq!((i32::from(kept.status[at]), kept.texts.get(kept.status_message[at])), (status.code, &*status.message));
            prop_assert_eq!(kept.texts.get(kept.scope[at]), "tests");
            let ours: Vec<_> = kept.attributes(at).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            let theirs: Vec<_> = span.attributes.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref().unwrap()))).collect();
            prop_assert_eq!(ours, theirs);
            prop_assert_eq!(kept.texts.get(kept.events[at]).is_empty(), span.events.is_empty());
        }
    }

    #[test]
    fn gauges_read_the_same_as_the_reference(values in prop::collection::vec((1u64..1_700_000_000_000_000_000, -1e6f64..1e6), 0..6)) {
        use metric_proto::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point};
        let attributes = |value: &str| vec![KeyValue {
            key: "integration.queue.name".into(),
            value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) }),
            ..Default::default()
        }];
        let data_points = values.iter().map(|(time, value)| NumberDataPoint {
            time_unix_nano: *time, attributes: attributes("q"),
            value: Some(number_data_point::Value::AsDouble(*value)), ..Default::default()
        }).collect();
        let metric = Metric { name: "integration.queue.depth".into(), data: Some(metric::Data::Gauge(Gauge { data_points })), ..Default::default() };
        let message = ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }], ..Default::default()
        }] };
        let decoded = read(Signal::Metrics, Encoding::Protobuf, &message.encode_to_vec()).unwrap();
        let wanted: Vec<_> = values.iter().filter(|(_, value)| *value >= 0.0).map(|(time, value)| (*time as i64, *value)).collect();
        let kept: Vec<_> = decoded.batch.observations.gauges.iter().map(|gauge| (gauge.time, gauge.value)).collect();
        prop_assert_eq!(decoded.rejected.count as usize, values.len() - wanted.len());
        prop_assert_eq!(kept, wanted);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
            let _ = read(signal, Encoding::Protobuf, &bytes);
            let _ = read(signal, Encoding::Json, &bytes);
        }
    }
}

#[test]
fn values_nested_too_deep_are_refused_in_both_encodings() {
    let mut deep = AnyValue { value: Some(any_value::Value::BoolValue(true)) };
    for _ in 0..40 {
        deep = AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values: vec![deep] })) };
    }
    let attributes = vec![KeyValue { key: "deep".into(), value: Some(deep), ..Default::default() }];
    let span = Span { trace_id: vec![1; 16], span_id: vec![1; 8], attributes, ..Default::default() };
    let body = request_of(vec![span]).encode_to_vec();
    assert!(read(Signal::Traces, Encoding::Protobuf, &body).unwrap_err().0.contains("nested"));
    let value = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(36), "]}}".repeat(36));
    let span = format!(r#"{{"attributes":[{{"key":"deep","value":{value}}}]}}"#);
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    assert!(json(Signal::Traces, &body).is_err());
}

#[test]
fn a_large_resource_is_kept_once_however_many_spans_it_has() {
    let key = |value: String| KeyValue {
        key: "note".into(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value)) }),
        ..Default::default()
    };
    let span = |id: u32| Span {
        trace_id: vec![1; 16],
        span_id: [&[1; 4][..], &id.to_be_bytes()].concat(),
        ..Default::default()
    };
    let mut message = request_of((0..6_000).map(span).collect());
    message.resource_spans[0].resource =
        Some(Resource { attributes: vec![key("x".repeat(60_000))], ..Default::default() });
    let decoded = read(Signal::Traces, Encoding::Protobuf, &message.encode_to_vec()).unwrap();
    assert_eq!((decoded.batch.records, decoded.rejected.count), (6_000, 0));
    assert!(decoded.batch.spans.bytes() < 2 << 20, "{} bytes", decoded.batch.spans.bytes());
    assert_eq!(decoded.batch.spans.resource(5_999).map(|(_, value)| value.len()).sum::<usize>(), 60_000);
}
