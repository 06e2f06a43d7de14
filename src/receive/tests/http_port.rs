//! What is taken on the HTTP port.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::body::{BodyError, Encoding, decompress};
use super::super::intake;
use super::*;

#[tokio::test]
async fn a_taken_body_is_kept_as_received_and_replays_to_the_same_batch() {
    let mut server = Server::start().await;
    let plain = one_span();
    let bodies =
        [("", plain.clone()), ("gzip", gzip(&plain)), ("deflate", zlib(&plain)), ("zstd", zstandard(&plain))];
    let mut batches = Vec::new();
    for (encoding, body) in &bodies {
        let headers = [("content-type", PROTOBUF), ("content-encoding", *encoding)];
        let headers = if encoding.is_empty() { &headers[..1] } else { &headers[..] };
        let answer = server.post("/v1/traces", headers, body.clone()).await;
        assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, &b""[..]), "{encoding}");
        assert_eq!(answer.header("content-type"), Some(PROTOBUF));
        batches.push(server.delivered.recv().await.unwrap().1.batch);
    }
    let kept = server.kept();
    assert_eq!(kept.len(), bodies.len());
    for ((record, (encoding, body)), batch) in kept.iter().zip(&bodies).zip(&batches) {
        assert_eq!((record.path.as_str(), record.content_type.as_str()), ("/v1/traces", PROTOBUF));
        assert_eq!((record.content_encoding.as_str(), record.body.as_ref()), (*encoding, body.as_slice()));
        let replayed = intake::replay(record, &Arc::default(), &decode::Limits::default()).unwrap();
        assert_eq!(&replayed.batch, batch);
        assert!(
            batch.hash.is_some() && batch.hash == batches[0].hash,
            "the hash is of the decompressed body"
        );
    }
    assert_eq!(server.count("requests"), 4);
    assert_eq!(server.count("bytes"), 4 * plain.len() as u64);
}

#[tokio::test]
async fn all_taken_is_an_empty_answer_in_the_encoding_of_the_request() {
    let server = Server::start().await;
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs", "/v1/logs/"] {
        let answer = server.post(path, &[("content-type", "Application/JSON; charset=utf-8")], "{}").await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, serde_json::json!({})), "{path}");
        let answer = server.post(path, &[("content-type", PROTOBUF)], "").await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::OK, Some(PROTOBUF)),
            "{path}"
        );
        assert_eq!(answer.body.as_ref(), b"");
    }
}

#[tokio::test]
async fn what_was_rejected_is_said_in_the_encoding_of_the_request() {
    let server = Setup { decoder: picky, ..Setup::default() }.start().await;
    for (path, field) in [
        ("/v1/traces", "rejectedSpans"),
        ("/v1/metrics", "rejectedDataPoints"),
        ("/v1/logs", "rejectedLogRecords"),
    ] {
        let answer = server.post(path, &[("content-type", JSON)], "{}").await;
        assert_eq!(answer.status, StatusCode::OK);
        let partial = serde_json::json!({field: "2", "errorMessage": "two ids are all zero"});
        assert_eq!(answer.json(), serde_json::json!({ "partialSuccess": partial }));
    }
    let answer = server.post("/v1/metrics", &[("content-type", PROTOBUF)], "").await;
    let partial = ExportMetricsServiceResponse::decode(answer.body).unwrap().partial_success.unwrap();
    assert_eq!((partial.rejected_data_points, partial.error_message.as_str()), (2, "two ids are all zero"));
    let counts = ["accepted_spans", "accepted_points", "rejected_points", "rejected_logs"];
    assert_eq!(counts.map(|name| server.count(name)), [1, 2, 4, 2]);
}

#[tokio::test]
async fn chunked_bodies_and_many_requests_on_one_connection() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    for _ in 0..3 {
        let request = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                       transfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"{}") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn http2_without_tls_on_the_http_port() {
    let server = Server::start().await;
    let answer = http2(server.http, "/v1/logs", &[("content-type", JSON)], "{}").await;
    assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, &b"{}"[..]));
}

#[tokio::test]
async fn pages_of_allowed_origins_may_send() {
    let origins = vec!["https://app.example".to_owned()];
    let settings = Settings { cors_origins: origins, ..Settings::default() };
    let server = Setup { settings, ..Setup::default() }.start().await;
    let preflight = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    let answer = server.request(Method::OPTIONS, "/v1/traces", &preflight, "").await;
    assert!(answer.status.is_success());
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("content-encoding"));
    // Errors carry the header too, or the page sees only that something failed.
    let answer = server.post("/v1/traces", &[("origin", "https://app.example")], "{}").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    let other = [("origin", "https://other.example"), ("access-control-request-method", "POST")];
    let answer = server.request(Method::OPTIONS, "/v1/traces", &other, "").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn decompression_stops_at_the_limit_in_every_encoding() {
    let plain = vec![7; 100_000];
    for (encoding, body) in [
        (Encoding::Identity, plain.clone()),
        (Encoding::Gzip, gzip(&plain)),
        (Encoding::Deflate, zlib(&plain)),
        (Encoding::Zstd, zstandard(&plain)),
    ] {
        assert_eq!(decompress(encoding, &body, 100_000).unwrap(), plain, "{encoding:?}");
        assert!(
            matches!(decompress(encoding, &body, 99_999), Err(BodyError::TooLarge(99_999))),
            "{encoding:?}"
        );
        assert_eq!(decompress(encoding, b"", 10).unwrap(), &b""[..]);
        assert_eq!(Encoding::parse(encoding.name()), Some(encoding));
        if encoding != Encoding::Identity {
            let cut = &body[..body.len() - 5];
            assert!(
                matches!(decompress(encoding, cut, 100_000), Err(BodyError::Corrupt(..))),
                "{encoding:?}"
            );
            assert!(
                matches!(decompress(encoding, b"garbage", 99), Err(BodyError::Corrupt(..))),
                "{encoding:?}"
            );
        }
    }
    assert_eq!(Encoding::parse("br"), None);
    assert_eq!(Encoding::parse("gzip, zstd"), None);
}

#[test]
fn a_zstandard_window_that_the_sender_chose_too_large_is_refused() {
    use std::io::Write;
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.include_contentsize(false).unwrap();
    for _ in 0..200 {
        encoder.write_all(&[7; 65_536]).unwrap();
    }
    let body = encoder.finish().unwrap();
    assert!(matches!(decompress(Encoding::Zstd, &body, 64 << 20), Err(BodyError::Corrupt(..))));
}
