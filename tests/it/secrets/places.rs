//! Every place of OTLP that holds text, and of a report.

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::{Status, span};
use prost::Message;
use serde_json::json;

use super::corpus::Case;
use crate::support::otlp::{self, Attempt};
use crate::support::pack::gzip;
use crate::support::server::Server;

/// The integration that all of it is of.
pub const NAME: &str = "secrets";

const ATTEMPT: Attempt<'static> =
    Attempt { peer: "api.example", method: "GET", template: "/x", status: 200, end: 0, duration: 1_000_000 };

fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text.to_owned())) }
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// As a text, in an array, in a map within a map, as bytes, and as a key.
fn attributes(said: &str) -> Vec<KeyValue> {
    let array = Value::ArrayValue(ArrayValue { values: vec![text(said)] });
    let map = |value| AnyValue {
        value: Some(Value::KvlistValue(KeyValueList { values: vec![pair("inner", value)] })),
    };
    vec![
        pair("note", text(said)),
        pair("list", AnyValue { value: Some(array) }),
        pair("map", map(map(text(said)))),
        pair("bytes", AnyValue { value: Some(Value::BytesValue(said.as_bytes().to_vec())) }),
        pair("url.query", text(said)),
        pair("integration.payload", text(said)),
        pair(said, text("value")),
    ]
}

fn export(server: &Server, path: &str, message: &impl Message) {
    let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "gzip")];
    let answer = server.post(path, &headers, gzip(&message.encode_to_vec()));
    assert_eq!(answer.status, 200, "POST {path}: {}", answer.text());
}

/// Each case in every place of spans, logs and metrics, compressed.
pub fn send_protobuf(server: &Server, cases: &[Case]) {
    for cases in cases.chunks(60) {
        let spans = cases.iter().map(|case| {
            let said = &case.text;
            let mut span = Attempt { end: otlp::now(), ..ATTEMPT }.span();
            span.name.clone_from(said);
            span.attributes.extend(attributes(said));
            span.status = Some(Status { code: 2, message: said.clone() });
            let attributes = attributes(said);
            let event =
                span::Event { name: said.clone(), attributes: attributes.clone(), ..Default::default() };
            let link =
                span::Link { trace_id: vec![1; 16], span_id: vec![1; 8], attributes, ..Default::default() };
            (span.events, span.links) = (vec![event], vec![link]);
            span
        });
        let mut request = otlp::traces(NAME, &[], spans.collect());
        for of_resource in &mut request.resource_spans {
            // One resource and one scope hold the first case of each request.
            let said = &cases[0].text;
            of_resource.resource.get_or_insert_default().attributes.extend(attributes(said));
            for of_scope in &mut of_resource.scope_spans {
                of_scope.scope = Some(InstrumentationScope {
                    name: said.clone(),
                    version: said.clone(),
                    attributes: attributes(said),
                    ..Default::default()
                });
            }
        }
        export(server, "/v1/traces", &request);

        let mut request = otlp::event(NAME, "placeholder", &[]);
        let records = cases.iter().flat_map(|case| {
            let said = &case.text;
            let map = KeyValueList { values: attributes(said) };
            let bodies = [text(said), AnyValue { value: Some(Value::KvlistValue(map)) }];
            bodies.map(|body| LogRecord {
                time_unix_nano: otlp::now(),
                event_name: said.clone(),
                severity_text: said.clone(),
                body: Some(body),
                attributes: attributes(said),
                ..LogRecord::default()
            })
        });
        request.resource_logs[0].scope_logs[0].log_records = records.collect();
        export(server, "/v1/logs", &request);

        let metrics = cases.iter().map(|case| {
            let mut gauge = otlp::gauge(&case.text, 1.0, &[("note", &case.text)]);
            gauge.unit.clone_from(&case.text);
            gauge
        });
        export(server, "/v1/metrics", &otlp::metrics(NAME, metrics.collect()));
    }
}

/// Each case in every place of spans and logs, as JSON. What holds a canary unmixed stays readable in the inbox.
pub fn send_json(server: &Server, cases: &[Case]) {
    let headers = [("content-type", "application/json")];
    let resource = json!({"attributes": [{"key": "integration.name", "value": {"stringValue": NAME}}]});
    let post = |path: &str, body: serde_json::Value| {
        let answer = server.post(path, &headers, body.to_string());
        assert_eq!(answer.status, 200, "POST {path}: {}", answer.text());
    };
    for cases in cases.chunks(60) {
        let attributes = |said: &str| {
            let text = json!({ "stringValue": said });
            json!([
                {"key": "note", "value": text},
                {"key": "list", "value": {"arrayValue": {"values": [text]}}},
                {"key": "map", "value": {"kvlistValue": {"values": [{"key": "inner", "value": text}]}}},
                {"key": said, "value": {"intValue": "1"}},
            ])
        };
        let now = otlp::now();
        let spans = cases.iter().enumerate().map(|(at, case)| {
            let said = &case.text;
            json!({
                "traceId": format!("{now:032x}"), "spanId": format!("{:016x}", at + 1), "name": said, "kind": 3,
                "startTimeUnixNano": now.to_string(), "endTimeUnixNano": now.to_string(),
                "attributes": attributes(said), "status": {"code": 2, "message": said},
                "events": [{"name": said, "attributes": attributes(said)}],
                "links": [{"traceId": format!("{now:032x}"), "spanId": "00000000000000ff", "attributes": attributes(said)}],
            })
        });
        let spans: Vec<_> = spans.collect();
        post(
            "/v1/traces",
            json!({"resourceSpans": [{"resource": resource, "scopeSpans": [
                {"scope": {"name": cases[0].text, "attributes": attributes(&cases[0].text)}, "spans": spans}
            ]}]}),
        );
        let records = cases.iter().map(|case| {
            json!({
                "timeUnixNano": now.to_string(), "severityText": case.text, "eventName": case.text,
                "body": {"stringValue": case.text}, "attributes": attributes(&case.text),
            })
        });
        let records: Vec<_> = records.collect();
        post(
            "/v1/logs",
            json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}),
        );
    }
}

/// Each case as the words of a report, in both of its forms. A field that a case would break is its own.
pub fn send_reports(server: &Server, cases: &[Case]) {
    for (at, case) in cases.iter().enumerate() {
        let path = format!("/report/{NAME}");
        let said = &case.text;
        let report = json!({"status": "failure", "message": said, "endpoint": said, "connection": said});
        let answer = server.post(&path, &[("content-type", "application/json")], report.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let encoded: String = said.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let form = format!("status=failure&duration_ms={at}&message={encoded}");
        let answer = server.post(&path, &[("content-type", "application/x-www-form-urlencoded")], form);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// Forty failures of one endpoint in a minute that a rule judges: its name is the first case that is a secret.
pub fn send_failing_endpoint(server: &Server, cases: &[Case]) {
    let case = cases.iter().find(|case| case.secret).expect("a secret");
    let spans = (0..40).map(|_| {
        let mut span = Attempt { end: otlp::settled_minute(), status: 503, ..ATTEMPT }.span();
        span.attributes.push(pair("integration.endpoint", text(&case.text)));
        span.attributes.push(pair("integration.payload", text(&case.text)));
        let said = ["exception.message", "exception.type", "exception.stacktrace", "integration.payload"];
        let attributes = said.map(|name| pair(name, text(&case.text))).into();
        span.events.push(span::Event { name: "exception".into(), attributes, ..Default::default() });
        span
    });
    server.export("/v1/traces", &otlp::traces(NAME, &[], spans.collect()));
}

/// One log record.
pub fn send_log(server: &Server, said: &str) {
    let mut request = otlp::event(NAME, "", &[]);
    request.resource_logs[0].scope_logs[0].log_records[0].body = Some(text(said));
    export(server, "/v1/logs", &request);
}
