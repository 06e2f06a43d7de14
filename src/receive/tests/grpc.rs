//! The gRPC port, against what gRPC and OTLP say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use super::*;

pub(super) const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

pub(super) fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

/// The message of a good answer.
fn good(answer: &Answer) -> &[u8] {
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
    assert_eq!(answer.trailers.get("grpc-status").map(HeaderValue::as_bytes), Some(&b"0"[..]), "{answer:?}");
    assert_eq!(answer.body[0], 0);
    assert_eq!(answer.body[1..5], ((answer.body.len() - 5) as u32).to_be_bytes());
    &answer.body[5..]
}

/// The status of an answer that is an error: in the head, with no body.
pub(super) fn bad(answer: &Answer) -> Status {
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
    assert!(answer.body.is_empty());
    let details = STANDARD_NO_PAD.decode(answer.header("grpc-status-details-bin").unwrap()).unwrap();
    let status = <Status as Message>::decode(details.as_slice()).unwrap();
    assert_eq!(answer.header("grpc-status"), Some(status.code.to_string().as_str()));
    let message = answer.header("grpc-message").unwrap();
    assert!(message.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{message}");
    status
}

#[tokio::test]
async fn export_of_each_service_is_taken() {
    let mut server = Server::start().await;
    for (path, kept) in [(TRACES, "/v1/traces"), (METRICS, "/v1/metrics"), (LOGS, "/v1/logs")] {
        assert_eq!(good(&server.call(path, &[], frame(0, b"")).await), b"");
        server.delivered.recv().await.unwrap();
        assert_eq!(server.kept().last().unwrap().path, kept);
    }
}

#[tokio::test]
async fn a_body_is_the_same_record_on_both_ports() {
    let mut server = Server::start().await;
    let plain = one_span();
    server.post("/v1/traces", &[("content-type", PROTOBUF)], plain.clone()).await;
    good(&server.call(TRACES, &[], frame(0, &plain)).await);
    good(&server.call(TRACES, &[("grpc-encoding", "gzip")], frame(1, &gzip(&plain))).await);
    good(&server.call(TRACES, &[("grpc-encoding", "zstd")], frame(1, &zstandard(&plain))).await);
    // A message may stay uncompressed whatever the header says.
    good(&server.call(TRACES, &[("grpc-encoding", "gzip")], frame(0, &plain)).await);
    let mut batches = Vec::new();
    for _ in 0..5 {
        batches.push(server.delivered.recv().await.unwrap().1.batch);
    }
    assert!(batches[0].hash.is_some());
    assert!(batches.iter().all(|batch| batch == &batches[0]));
    let kept = server.kept();
    assert_eq!(kept[1], kept[0]);
    assert_eq!(kept[4], kept[0]);
    assert_eq!((kept[2].content_encoding.as_str(), kept[2].body.as_ref()), ("gzip", gzip(&plain).as_slice()));
}

#[tokio::test]
async fn what_was_rejected_is_in_the_answer() {
    let server = Setup { decoder: picky, ..Setup::default() }.start().await;
    let answer = server.call(TRACES, &[], frame(0, b"")).await;
    let partial = ExportTraceServiceResponse::decode(good(&answer)).unwrap().partial_success.unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (2, "two ids are all zero"));
}

#[tokio::test]
async fn a_message_that_is_not_ascii_is_percent_encoded() {
    let server = Server::start().await;
    let answer = server.call("/Ünknown%", &[], vec![]).await;
    let message = answer.header("grpc-message").unwrap().to_owned();
    // The path arrives as the client encoded it; its percent signs are encoded once more.
    assert!(!message.contains("%c3") && message.contains("%25"), "{message}");
    assert_eq!(bad(&answer).code, 12);
}

#[tokio::test]
async fn http_sent_to_the_grpc_port_is_told_where_to_go() {
    let server = Server::start().await;
    let answer = http2(server.grpc, "/v1/traces", &[("content-type", JSON)], "{}").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(String::from_utf8_lossy(&answer.body).contains("4318"));
    let url = format!("http://{}/v1/traces", server.grpc);
    let status = tokio::task::spawn_blocking(move || {
        reqwest::blocking::Client::new().post(url).body("{}").send().unwrap().status().as_u16()
    });
    assert_eq!(status.await.unwrap(), 415);
    assert_eq!(server.count("refused_content_type"), 2);
}

#[tokio::test]
async fn the_http_port_takes_grpc_too() {
    let mut server = Server::start().await;
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let answer = http2(server.http, TRACES, &headers, frame(0, &one_span())).await;
    good(&answer);
    assert_eq!(server.delivered.recv().await.unwrap().1.batch.records, 1);
    let answer = http2(server.http, "/opentelemetry.Nothing/Export", &headers, frame(0, b"")).await;
    assert_eq!(bad(&answer).code, 12);
    assert_eq!(server.count("requests"), 2);
}
