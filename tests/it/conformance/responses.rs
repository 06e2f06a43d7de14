//! Answers to what was taken, whole or in part (Full Success, Partial Success).

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;

use super::*;
use crate::support::grpc::{self, call, frame, message};

#[test]
fn r1_success_is_200_in_the_encoding_of_the_request() {
    let server = server();
    for path in PATHS {
        for (content_type, body) in [(JSON, &b"{}"[..]), (PROTOBUF, &b""[..])] {
            let answer = server.post(path, &[content_type], body);
            assert_eq!((answer.status, answer.header("content-type")), (200, content_type.1), "{path}");
            assert_eq!(answer.body, body, "{path}");
        }
    }
}

#[test]
fn r2_partial_success_is_not_set_when_all_was_taken() {
    let server = server();
    let answer = server.post("/v1/traces", &[PROTOBUF], calls("r2", 2));
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b""[..]));
    let body = span(&ids("00000000000000000000000000001201"), "");
    assert_eq!(server.post("/v1/traces", &[JSON], body).text(), "{}");
    let answer = call(&server.otlp_grpc, grpc::TRACES, &[], &frame(0, &calls("r2", 1)));
    assert_eq!(message(&answer), b"");
    counted(&server, "r2", 3);
}

/// Two good calls and one without a trace id.
fn mixed(integration: &str) -> Vec<u8> {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    let mut request = ExportTraceServiceRequest::decode(&*calls(integration, 3)).expect("a request");
    request.resource_spans[0].scope_spans[0].spans[1].trace_id.clear();
    request.encode_to_vec()
}

#[test]
fn r3_what_was_rejected_is_counted_and_named_with_its_reason() {
    let server = server();
    let spans = |bytes: &[u8]| {
        let said = ExportTraceServiceResponse::decode(bytes).expect("a response");
        let partial = said.partial_success.expect("a partial success");
        assert_eq!(partial.rejected_spans, 1);
        let said = partial.error_message;
        assert!(said.contains("span \"GET\"") && said.contains("trace id"), "{said}");
    };
    let answer = server.post("/v1/traces", &[PROTOBUF], mixed("r3"));
    assert_eq!(answer.status, 200);
    spans(&answer.body);
    spans(message(&call(&server.otlp_grpc, grpc::TRACES, &[], &frame(0, &mixed("r3")))));
    counted(&server, "r3", 4);

    let time = otlp::now();
    let point = format!(r#"{{"timeUnixNano":"{time}","asInt":"1"}}"#);
    let no_temporality = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m.one","sum":{{"dataPoints":
        [{point},{point}]}}}},{{"name":"m.two","gauge":{{"dataPoints":[{point},{{"asInt":"1"}}]}}}}]}}]}}]}}"#
    );
    let answer = server.post("/v1/metrics", &[JSON], no_temporality);
    let partial = answer.json()["partialSuccess"].clone();
    assert_eq!((answer.status, &partial["rejectedDataPoints"]), (200, &"3".into()));
    let said = partial["errorMessage"].as_str().unwrap_or("");
    assert!(said.contains("2 × point of \"m.one\": no aggregation temporality"), "{said}");
    assert!(said.contains("1 × point of \"m.two\": no time_unix_nano"), "{said}");
    let gauge = otlp::gauge("integration.queue.depth", -1.0, &[("integration.queue.name", "q")]);
    let body = otlp::metrics("r3-depth", vec![gauge]).encode_to_vec();
    let answer = server.post("/v1/metrics", &[PROTOBUF], body);
    let said = ExportMetricsServiceResponse::decode(&*answer.body).expect("a response");
    assert_eq!(said.partial_success.expect("a partial success").rejected_data_points, 1);

    let event = r#"{"timeUnixNano":"1","eventName":"integration.run.completed"}"#;
    let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{event}]}}]}}]}}"#);
    let partial = server.post("/v1/logs", &[JSON], body).json()["partialSuccess"].clone();
    assert_eq!(partial["rejectedLogRecords"], "1");
    let said = partial["errorMessage"].as_str().unwrap_or("");
    assert!(said.contains("no integration.run.name"), "{said}");
}

#[test]
fn r4_a_request_that_seems_a_mistake_is_taken_with_a_warning() {
    let server = server();
    for (path, body, names) in [
        ("/v1/traces", r#"{"resource_spans":[]}"#, "\"resourceSpans\""),
        ("/v1/traces", r#"{"resourceLogs":[]}"#, "\"resourceSpans\""),
        ("/v1/logs", r#"{"message":"hello"}"#, "\"resourceLogs\""),
    ] {
        let answer = server.post(path, &[JSON], body);
        assert_eq!(answer.status, 200);
        let partial = answer.json()["partialSuccess"].clone();
        assert_eq!(partial.as_object().map(|partial| partial.len()), Some(1), "no count: {partial}");
        assert!(partial["errorMessage"].as_str().is_some_and(|said| said.contains(names)), "{partial}");
    }
}

#[test]
fn r5_an_empty_request_is_a_success() {
    let server = server();
    let empty_envelopes =
        |signal: &str| format!(r#"{{"resource{signal}":[{{"scope{signal}":[{{}}]}},{{}}]}}"#);
    for (path, signal) in PATHS.into_iter().zip(["Spans", "Metrics", "Logs"]) {
        for body in ["{}", &format!(r#"{{"resource{signal}":[]}}"#), &empty_envelopes(signal)] {
            let answer = server.post(path, &[JSON], body);
            assert_eq!((answer.status, answer.text().as_str()), (200, "{}"), "{body}");
        }
        for body in [&b""[..], b"\x0a\x00", b"\x0a\x02\x12\x00"] {
            let answer = server.post(path, &[PROTOBUF], body);
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{path} {body:?}");
        }
    }
    for path in [grpc::TRACES, grpc::METRICS, grpc::LOGS] {
        assert_eq!(message(&call(&server.otlp_grpc, path, &[], &frame(0, b""))), b"");
    }
}

#[test]
fn r13_answers_are_not_compressed() {
    let server = server();
    let answer = server.post("/v1/traces", &[JSON, ("accept-encoding", "gzip")], "{}");
    assert_eq!((answer.header("content-encoding"), answer.text().as_str()), ("", "{}"));
    let headers = [("grpc-accept-encoding", "gzip")];
    let answer = call(&server.otlp_grpc, grpc::TRACES, &headers, &frame(0, &mixed("r13")));
    assert_eq!(answer.header("grpc-encoding"), "");
    assert!(!message(&answer).is_empty());
}

#[test]
fn r14_a_request_sent_again_is_acknowledged_and_counts_once() {
    let server = server();
    let body = calls("r14", 3);
    for _ in 0..2 {
        assert_eq!(server.post("/v1/traces", &[PROTOBUF], body.clone()).status, 200);
        // The other transport brings the same request.
        assert_eq!(message(&call(&server.otlp_grpc, grpc::TRACES, &[], &frame(0, &body))), b"");
    }
    assert_eq!(server.post("/v1/traces", &[PROTOBUF], calls("r14", 1)).status, 200);
    counted(&server, "r14", 4);
}

#[test]
fn d1_what_was_acknowledged_is_there_after_a_kill() {
    let home = Home::new();
    let mut server = home.start();
    assert_eq!(server.post("/v1/traces", &[PROTOBUF], calls("d1", 2)).status, 200);
    assert_eq!(message(&call(&server.otlp_grpc, grpc::TRACES, &[], &frame(0, &calls("d1", 3)))), b"");
    server.signal("KILL");
    server.wait(SOON);
    counted(&home.start(), "d1", 5);
}
