//! Answers to what was not taken (Failures): the status, its body, and whether and when to come again.

use super::*;
use crate::support::grpc::{self, Any, BadRequest, RetryInfo, Status, bytes, call, frame, message, status};
use crate::support::server::Answer;

/// The Status in an answer's body, in the encoding that it must have.
fn body(answer: &Answer, content_type: &str) -> Status {
    assert_eq!(answer.header("content-type"), content_type, "{}", answer.text());
    if content_type == PROTOBUF.1 {
        return Status::decode(&*answer.body).expect("a google.rpc.Status");
    }
    let said = answer.json();
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let details = said["details"].as_array().cloned().unwrap_or_default();
    Status {
        code: said["code"].as_i64().expect("a code") as i32,
        message: text(&said["message"]),
        details: details.iter().map(|any| Any { type_url: text(&any["@type"]), value: vec![] }).collect(),
    }
}

#[test]
fn r6_every_refusal_is_a_status_in_the_encoding_of_the_request() {
    let server = server();
    for content_type in [JSON, PROTOBUF] {
        for (path, headers, sent, wanted, code) in [
            ("/v1/traces", &[content_type][..], &b"\xff\xff\xff"[..], 400, 3),
            ("/v1/trace", &[content_type], b"", 404, 5),
            ("/v1/traces", &[content_type, ("content-encoding", "br")], b"", 415, 3),
            ("/v1/traces", &[content_type, ("content-encoding", "gzip")], b"garbage", 400, 3),
        ] {
            let answer = server.post(path, headers, sent);
            assert_eq!(answer.status, wanted);
            let status = body(&answer, content_type.1);
            assert_eq!(status.code, code, "{status:?}");
            assert!(status.message.len() > 20 && status.message.len() < 1025, "{status:?}");
        }
    }
}

#[test]
fn r7_what_cannot_be_decoded_is_400_with_a_bad_request() {
    let server = server();
    let kind = "type.googleapis.com/google.rpc.BadRequest";
    for path in PATHS {
        let answer = server.post(path, &[PROTOBUF], b"\x0a\x05cut");
        let status = body(&answer, PROTOBUF.1);
        assert_eq!((answer.status, status.details[0].type_url.as_str()), (400, kind));
        let detail = BadRequest::decode(&*status.details[0].value).expect("a BadRequest");
        assert!(detail.violations[0].description.contains("cut short"), "{detail:?}");
        for sent in
            ["", "{", "[]", "{} {}", "null", r#"{"resourceSpans":{},"resourceMetrics":1,"resourceLogs":""}"#]
        {
            let answer = server.post(path, &[JSON], sent);
            assert_eq!((answer.status, answer.header("retry-after")), (400, ""), "{sent}");
            let detail = &answer.json()["details"][0];
            assert_eq!(detail["@type"], kind);
            assert!(detail["fieldViolations"][0]["description"].is_string(), "{detail}");
        }
    }
}

/// Servers that refuse for now, each for a reason of its own: (the counter, the server).
fn unable() -> [(&'static str, Shared); 2] {
    [("busy", busy("")), ("inbox_full", full())]
}

/// One whose inbox has no room for another request of one call.
fn full() -> Shared {
    let server = start("max_body_bytes = 1024\ninbox_bytes = 1024");
    for (headers, body) in [(PROTOBUF, calls("full", 1)), (JSON, b"{}".to_vec())] {
        wait_until("the inbox is full", SOON, || {
            (server.post("/v1/traces", &[headers], body.clone()).status == 503).then_some(())
        });
    }
    server
}

#[test]
fn r8_what_passes_is_503_and_what_does_not_is_no_retryable_status() {
    for (reason, server) in unable() {
        let refused = || server.json("/api/v1/system")["refused"][reason].as_u64().expect("a counter");
        let before = refused();
        for content_type in [JSON, PROTOBUF] {
            let sent = if content_type == JSON { b"{}".to_vec() } else { calls("r8", 1) };
            let answer = server.post("/v1/traces", &[content_type], sent);
            assert_eq!(answer.status, 503, "{reason}");
            let status = body(&answer, content_type.1);
            assert_eq!(status.code, 14);
            assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
        }
        assert_eq!(refused() - before, 2, "{reason}");
    }
    let server = server();
    for (path, headers, sent) in [
        ("/v1/traces", &[JSON][..], "{"),
        ("/v1/nothing", &[JSON], "{}"),
        ("/v1/traces", &[], "{}"),
        ("/v1/traces", &[JSON, ("content-encoding", "snappy")], "{}"),
    ] {
        let answer = server.post(path, headers, sent);
        assert!(![429, 500, 502, 503, 504].contains(&answer.status), "{}", answer.status);
        assert_eq!(answer.header("retry-after"), "");
    }
}

#[test]
fn r9_throttling_says_when_to_come_again_in_seconds() {
    for (reason, server) in unable() {
        let answer = server.post("/v1/traces", &[JSON], "{}");
        let seconds: u64 = answer.header("retry-after").parse().expect("whole seconds, and no date");
        // Exporters give up after ten seconds in all.
        assert!((1..=3).contains(&seconds), "{reason}: {seconds}");
        assert_eq!(answer.json()["details"][0]["retryDelay"], format!("{seconds}s"));
        let answer = server.post("/v1/traces", &[PROTOBUF], calls("r9", 1));
        let seconds: i64 = answer.header("retry-after").parse().expect("whole seconds");
        let info = RetryInfo::decode(&*body(&answer, PROTOBUF.1).details[0].value).expect("a RetryInfo");
        assert_eq!(info.delay.map(|delay| delay.seconds), Some(seconds));
    }
}

#[test]
fn r10_refusals_for_good_have_codes_that_no_client_retries() {
    let server = server();
    let retryable = [1, 4, 10, 11, 14, 15];
    for (path, headers, sent, wanted) in [
        ("/no.such.Service/Export", &[][..], frame(0, b""), 12),
        (grpc::TRACES, &[("grpc-encoding", "snappy")], frame(1, b"x"), 12),
        (grpc::TRACES, &[], frame(0, b"\xff"), 3),
        (grpc::TRACES, &[], vec![], 3),
    ] {
        let answer = call(&server.otlp_grpc, path, headers, &sent);
        let status = status(&answer);
        assert_eq!(status.code, wanted, "{status:?}");
        assert!(!retryable.contains(&status.code));
        assert!(status.details.iter().all(|detail| !detail.type_url.ends_with("RetryInfo")));
        assert_eq!(answer.header("google.rpc.retryinfo-bin"), "");
    }
}

#[test]
fn r11_backpressure_is_unavailable_with_retry_info_in_both_trailers() {
    for (reason, server) in unable() {
        let answer = call(&server.otlp_grpc, grpc::TRACES, &[], &frame(0, &calls("r11", 1)));
        let status = status(&answer);
        assert_eq!(status.code, 14, "{reason}");
        assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
        assert_eq!(bytes(&answer, "google.rpc.retryinfo-bin"), status.details[0].value);
        let info = RetryInfo::decode(&*status.details[0].value).expect("a RetryInfo");
        assert!((1..=3).contains(&info.delay.expect("a delay").seconds), "{reason}");
    }
}

#[test]
fn r12_bad_data_is_invalid_argument_with_a_bad_request() {
    let server = server();
    for (path, sent) in [(grpc::TRACES, &b"\x0a\x05cut"[..]), (grpc::METRICS, b"\xff"), (grpc::LOGS, b"\x0b")]
    {
        let status = status(&call(&server.otlp_grpc, path, &[], &frame(0, sent)));
        assert_eq!(status.code, 3);
        assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.BadRequest");
        let detail = BadRequest::decode(&*status.details[0].value).expect("a BadRequest");
        assert_eq!(detail.violations[0].description, status.message);
    }
    assert_eq!(message(&call(&server.otlp_grpc, grpc::LOGS, &[], &frame(0, b""))), b"");
}
