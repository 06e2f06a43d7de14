//! Limits of requests and responses (proto 1.11).

use super::*;
use crate::support::grpc::{self, call, code, frame, message, status};
use crate::support::h2::{Connection, run};
use crate::support::pack;

/// `{}` with spaces behind it.
fn padded(length: usize) -> Vec<u8> {
    let mut body = b"{}".to_vec();
    body.resize(length, b' ');
    body
}

#[test]
fn l1_the_limit_holds_before_and_after_decompression() {
    let server = start("max_body_bytes = 100000");
    for (fits, body) in [(true, padded(100_000)), (false, padded(100_001))] {
        for (encoding, packed) in pack::all(&body) {
            let answer = server.post("/v1/logs", &[JSON, ("content-encoding", encoding)], packed);
            assert_eq!(answer.status, if fits { 200 } else { 413 }, "{encoding}: {}", answer.text());
        }
    }
    // The same over gRPC; a message of zero bytes in an unknown field is a message.
    let unknown = |length: usize| {
        let head = [&b"\x9a\x3f"[..], &varint(length - 5)].concat();
        assert_eq!(head.len(), 5);
        [head, vec![0; length - 5]].concat()
    };
    for (fits, body) in [(true, unknown(100_000)), (false, unknown(100_001))] {
        for (encoding, packed) in pack::all(&body) {
            let packed = frame(u8::from(encoding != "identity"), &packed);
            let answer = call(&server.otlp_grpc, grpc::LOGS, &[("grpc-encoding", encoding)], &packed);
            assert_eq!(code(&answer), if fits { 0 } else { 8 }, "{encoding}");
        }
    }
}

/// Of three bytes, as lengths from 16 KiB on have it.
fn varint(value: usize) -> [u8; 3] {
    [value as u8 | 0x80, (value >> 7) as u8 | 0x80, (value >> 14) as u8]
}

#[test]
fn l1_the_limit_is_64_mib_unless_configured() {
    let server = start("");
    let gzip = ("content-encoding", "gzip");
    assert_eq!(server.post("/v1/logs", &[JSON], padded(64 << 20)).status, 200);
    assert_eq!(server.post("/v1/logs", &[JSON, gzip], pack::gzip(&padded(64 << 20))).status, 200);
    let answer = server.post("/v1/logs", &[JSON, gzip], pack::gzip(&padded((64 << 20) + 1)));
    assert_eq!(answer.status, 413);
    assert!(answer.json()["message"].as_str().is_some_and(|said| said.contains("67108864 bytes")));
}

#[test]
fn l2_over_the_limit_is_413() {
    let server = start("max_body_bytes = 100000");
    let too_large = |answer: &crate::support::server::Answer| {
        assert_eq!((answer.status, answer.header("retry-after")), (413, ""), "{}", answer.text());
        assert!(answer.text().contains("100000 bytes"), "{}", answer.text());
    };
    for content_type in [JSON, PROTOBUF] {
        let answer = server.post("/v1/traces", &[content_type], vec![b' '; 100_001]);
        assert_eq!(answer.header("content-type"), content_type.1);
        too_large(&answer);
    }
    // Announced, and answered before it comes.
    let announced = format!("{}content-length: 99999999999\r\n\r\n", head("/v1/traces", &[JSON]));
    too_large(&Raw::connect(&server.otlp_http).send(announced).answer());
    // Not announced: the answer comes while the client still sends, and the client can read it.
    let mut connection = Raw::connect(&server.otlp_http);
    connection.send(format!("{}transfer-encoding: chunked\r\n\r\n", head("/v1/traces", &[JSON])));
    for _ in 0..30 {
        connection.send(format!("2710\r\n{}\r\n", " ".repeat(10_000)));
    }
    connection.send("0\r\n\r\n");
    too_large(&connection.answer());
    assert_eq!(connection.send(post("/v1/traces", &[JSON], "{}")).answer().status, 200, "it is still good");
}

#[test]
fn l3_over_the_limit_is_resource_exhausted_without_retry_info() {
    let server = start("max_body_bytes = 100000");
    let final_answer = |answer: &crate::support::server::Answer| {
        let status = status(answer);
        // Not OUT_OF_RANGE, which clients send again until they time out.
        assert_eq!((status.code, status.details.len()), (8, 0), "{status:?}");
        assert!(status.message.contains("100000 bytes"), "{status:?}");
        assert_eq!(answer.header("google.rpc.retryinfo-bin"), "");
    };
    let large = vec![0; 100_001];
    final_answer(&call(&server.otlp_grpc, grpc::TRACES, &[], &frame(0, &large)));
    for (encoding, packed) in pack::all(&large).into_iter().skip(1) {
        final_answer(&call(
            &server.otlp_grpc,
            grpc::TRACES,
            &[("grpc-encoding", encoding)],
            &frame(1, &packed),
        ));
    }
    // The connection goes on, and the answer does not wait for the rest of the message.
    run(async {
        let connection = Connection::open(&server.otlp_grpc).await;
        let stream = connection.begin(grpc::TRACES, &grpc::HEAD).await;
        stream.send(&frame(0, &large)[..5]);
        stream.send(&large);
        final_answer(&stream.answered().await);
        let next = connection.post(grpc::TRACES, &grpc::HEAD, &[&frame(0, b"")]).await;
        assert_eq!(message(&next), b"");
    });
}

#[test]
fn l4_responses_are_small_whatever_the_request() {
    let server = server();
    // Every span is rejected, each with a name of its own that is long.
    let bad = |n: usize| format!(r#"{{"spanId":"00000000000000a1","name":"{n} {}"}}"#, "x".repeat(500));
    let spans: Vec<String> = (0..2000).map(bad).collect();
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","));
    let answer = server.post("/v1/traces", &[JSON], body);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "2000");
    assert!((100..2048).contains(&answer.body.len()), "{} bytes", answer.body.len());
    // What is quoted is cut.
    let answer = server.post(&format!("/{}", "é".repeat(5_000)), &[JSON], "{}");
    assert_eq!(answer.status, 404);
    assert!(answer.body.len() < 4096, "{} bytes", answer.body.len());
    let answer = call(&server.otlp_grpc, &format!("/{}/Export", "x".repeat(10_000)), &[], b"");
    assert_eq!(code(&answer), 12);
    let size: usize = answer.headers.values().map(|value| value.len()).sum();
    assert!(size < 8192, "{size} bytes of headers, of which clients take 8 KiB");
}
