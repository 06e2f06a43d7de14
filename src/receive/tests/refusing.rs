//! What is not taken on the HTTP port, and how that is said.

use std::convert::Infallible;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::connections::Sender;
use super::super::refusal::REASONS;
use super::grpc::{TRACES, bad, frame};
use super::*;

/// Final: a client that is told so drops the data, and must not be told when to come again.
async fn refused(server: &Server, answer: Answer, status: u16, reason: &str, says: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(answer.header("retry-after"), None);
    let body = answer.json();
    assert!(body["message"].as_str().unwrap().contains(says), "{body}");
    assert!(body["code"].as_u64().unwrap() > 0);
    assert_eq!(server.count(&format!("refused_{reason}")), 1, "{reason}");
}

#[tokio::test]
async fn final_refusals_say_what_was_wrong() {
    let settings = Settings { max_body: 1000, ..Settings::default() };
    let server = Setup { settings, ..Setup::default() }.start().await;
    let json = ("content-type", JSON);
    let answer = server.post("/v1/trace", &[json], "{}").await;
    refused(&server, answer, 404, "no_such_path", "/v1/traces, /v1/metrics or /v1/logs").await;
    let answer = server.request(Method::GET, "/v1/traces", &[], "").await;
    assert_eq!(answer.header("allow"), Some("POST"));
    refused(&server, answer, 405, "not_post", "POST, not GET").await;
    let answer = server.post("/v1/traces", &[("content-type", "text/plain")], "{}").await;
    refused(&server, answer, 415, "content_type", "\"text/plain\"").await;
    let answer = server.post("/v1/traces", &[json, ("content-encoding", "br")], "{}").await;
    refused(&server, answer, 415, "content_encoding", "\"br\"").await;
    let answer = server.post("/v1/traces", &[json], "{\"resourceSpans\":[").await;
    let details = answer.json()["details"][0].clone();
    assert_eq!(details["@type"], "type.googleapis.com/google.rpc.BadRequest");
    assert!(!details["fieldViolations"][0]["description"].as_str().unwrap().is_empty());
    refused(&server, answer, 400, "malformed", "").await;
    let answer = server.post("/v1/traces", &[json], vec![b' '; 1001]).await;
    refused(&server, answer, 413, "too_large", "1000 bytes").await;
    assert_eq!(server.count("requests"), 6);
    assert_eq!(server.kept(), []);
}

#[tokio::test]
async fn a_truncated_gzip_is_malformed_and_a_bomb_too_large() {
    let settings = Settings { max_body: 100_000, ..Settings::default() };
    let server = Setup { settings, ..Setup::default() }.start().await;
    let headers = [("content-type", JSON), ("content-encoding", "gzip")];
    let whole = gzip(b"{}");
    let answer = server.post("/v1/logs", &headers, whole[..whole.len() - 4].to_vec()).await;
    refused(&server, answer, 400, "malformed", "decompress as gzip").await;
    let answer = server.post("/v1/logs", &headers, gzip(&vec![b' '; 10_000_000])).await;
    refused(&server, answer, 413, "too_large", "100000 bytes").await;
    assert_eq!(server.post("/v1/logs", &headers, whole).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_protobuf_request_is_refused_in_protobuf() {
    let server = Server::start().await;
    let answer = server.post("/v1/traces", &[("content-type", PROTOBUF)], vec![0xff; 20]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (400, Some(PROTOBUF)));
    let status = <Status as Message>::decode(answer.body).unwrap();
    assert_eq!(status.code, 3);
    assert!(!status.message.is_empty());
    assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.BadRequest");
    let answer = server.post("/nowhere", &[("content-type", PROTOBUF)], "").await;
    assert_eq!(answer.status.as_u16(), 404);
    assert!(<Status as Message>::decode(answer.body).unwrap().message.contains("/v1/traces"));
}

/// Retryable: 503, with a time to wait in the header and in both bodies.
async fn come_again(server: &Server, reason: &str) {
    let answer = server.post("/v1/traces", &[("content-type", JSON)], "{}").await;
    assert_eq!(answer.status.as_u16(), 503, "{reason}: {answer:?}");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3).contains(&seconds));
    assert_eq!(answer.json()["code"], 14);
    assert_eq!(answer.json()["details"][0]["retryDelay"], format!("{seconds}s"));
    let answer = server.post("/v1/traces", &[("content-type", PROTOBUF)], one_span()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (503, Some(PROTOBUF)));
    let status = <Status as Message>::decode(answer.body.clone()).unwrap();
    assert_eq!(status.code, 14);
    let seconds: i64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    let delay = RetryInfo::decode(status.details[0].value.as_slice()).unwrap().delay.unwrap();
    assert_eq!(delay.seconds, seconds);
    assert_eq!(server.count(&format!("refused_{reason}")), 2, "{reason}");
    assert_eq!(server.count("accepted_spans"), 0);
}

#[tokio::test]
async fn a_disk_that_fails_is_retryable_and_heals() {
    let server = Server::start().await;
    let folder = server.folder.path().join("inbox");
    std::fs::remove_dir(&folder).unwrap();
    come_again(&server, "disk").await;
    std::fs::create_dir(&folder).unwrap();
    let answer = server.post("/v1/traces", &[("content-type", JSON)], "{}").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(server.kept().len(), 1);
}

#[tokio::test]
async fn a_closed_inbox_is_retryable() {
    let server = Server::start().await;
    server.inbox.close().await;
    come_again(&server, "stopping").await;
}

#[tokio::test]
async fn too_many_bytes_in_flight_are_retryable_and_more_than_all_of_them_is_too_large() {
    let settings = Settings { in_flight_bytes: 20_000, ..Settings::default() };
    let server = Setup { settings, ..Setup::default() }.start().await;
    let mut others = server.intake.budget().begin(Sender::numbered(1)).unwrap();
    others.hold(17_000).unwrap();
    come_again(&server, "busy").await;
    drop(others);
    // It would be told to come again for ever.
    let answer = server.post("/v1/traces", &[("content-type", JSON)], vec![b' '; 20_001]).await;
    refused(&server, answer, 413, "too_large", "20000 bytes").await;
    let answer = server.post("/v1/traces", &[("content-type", JSON)], "{}").await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// Each with its counter: what fails for now, seen by a sender.
fn unable() -> [(&'static str, Setup); 3] {
    let clock: Clock = Arc::new(|| panic!("the clock is broken on purpose"));
    [
        ("inbox_full", Setup { max_inbox: 10, ..Setup::default() }),
        ("panicked", Setup { decoder: broken, ..Setup::default() }),
        // Not in the decoder, but anywhere on the way.
        ("panicked", Setup { clock, ..Setup::default() }),
    ]
}

#[tokio::test]
async fn r8_a_panic_in_a_handler_is_503_and_the_connection_lives() {
    for (reason, setup) in unable() {
        come_again(&setup.start().await, reason).await;
    }
    let server = Setup { decoder: broken, ..Setup::default() }.start().await;
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    for _ in 0..2 {
        stream
            .write_all(b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n")
            .await
            .unwrap();
        stream.write_all(b"content-length: 2\r\n\r\n{}").await.unwrap();
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 503");
        while !answer.ends_with(b"}") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
        }
    }
}

#[tokio::test]
async fn r11_a_panic_in_a_handler_is_unavailable_with_the_delay_in_both_trailers() {
    for (reason, setup) in unable() {
        let server = setup.start().await;
        let answer = server.call(TRACES, &[], frame(0, &one_span())).await;
        let status = bad(&answer);
        assert_eq!(status.code, 14);
        assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
        let trailer = STANDARD_NO_PAD.decode(answer.header("google.rpc.retryinfo-bin").unwrap()).unwrap();
        assert_eq!(trailer, status.details[0].value);
        let delay = RetryInfo::decode(trailer.as_slice()).unwrap().delay.unwrap();
        assert!((1..=3).contains(&delay.seconds));
        assert_eq!(server.count(&format!("refused_{reason}")), 1);
    }
}

/// Outside the decoder, whose panics are caught closer by: what reads the clock.
#[tokio::test]
async fn a_defect_anywhere_in_a_handler_is_retryable_on_every_door() {
    let clock: Clock = Arc::new(|| panic!("the clock is broken on purpose"));
    let server = Setup { clock, ..Setup::default() }.start().await;
    come_again(&server, "panicked").await;
    let answer = server.post("/report/nightly", &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after").is_some()), (503, true), "{answer:?}");
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let answer = server.call(path, &[], [&[0, 0, 0, 0, 0][..]].concat()).await;
    assert_eq!(answer.header("grpc-status"), Some("14"), "{answer:?}");
    assert!(answer.header("google.rpc.retryinfo-bin").is_some());
    assert_eq!(server.count("refused_panicked"), 4);
    assert_eq!(server.intake.budget().used(), 0);
}

#[tokio::test]
async fn what_is_not_counted_yet_closes_the_door_before_memory_is_full() {
    let settings = Settings { in_flight_bytes: 60_000, max_body: 20_000, ..Settings::default() };
    let mut server = Setup { settings, ..Setup::default() }.start().await;
    let json = ("content-type", JSON);
    let mut taken = 0;
    while server.post("/v1/logs", &[json], "{}").await.status == StatusCode::OK {
        taken += 1;
        assert!(taken < 30, "nobody counts, and all is taken");
        assert!(server.intake.budget().used() < 60_000 + 10_000);
    }
    let answer = server.post("/v1/logs", &[json], "{}").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after").is_some()), (503, true));
    for _ in 0..taken {
        drop(server.delivered.recv().await);
    }
    assert_eq!(server.post("/v1/logs", &[json], "{}").await.status, StatusCode::OK);
}

#[tokio::test]
async fn memory_is_given_back_whatever_the_answer() {
    // Room for one request and what is made of it, not for what twenty leave behind.
    let settings = Settings { in_flight_bytes: 12_000, max_body: 250, ..Settings::default() };
    let mut server = Setup { settings, ..Setup::default() }.start().await;
    let json = ("content-type", JSON);
    for _ in 0..20 {
        let spaces = vec![b' '; 200];
        assert_eq!(
            server.post("/v1/logs", &[json], [b"{}".to_vec(), spaces].concat()).await.status.as_u16(),
            200
        );
        assert_eq!(server.post("/v1/logs", &[json], vec![b'{'; 200]).await.status.as_u16(), 400);
        assert_eq!(server.post("/v1/logs", &[json], vec![b' '; 290]).await.status.as_u16(), 413);
        // Counted, and so given back.
        drop(server.delivered.recv().await);
    }
    assert_eq!(server.intake.budget().used(), 0);
}

#[tokio::test]
async fn s1_a_body_that_does_not_come_is_given_up() {
    let settings = Settings { body_timeout: Duration::from_millis(50), ..Settings::default() };
    let server = Setup { settings, ..Setup::default() }.start().await;
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    let head =
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: "), "{answer}");
    assert_eq!(server.count("refused_slow"), 1);
    // One that is too large stays so, however slowly it comes.
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    stream.write_all(head.replace("length: 9", "length: 99999999999").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && !answer.contains("retry-after: "), "{answer}");
}

#[tokio::test]
async fn s1_a_message_that_does_not_come_is_given_up() {
    let settings = Settings { body_timeout: Duration::from_millis(50), ..Settings::default() };
    let server = Setup { settings, ..Setup::default() }.start().await;
    // Half a message, and then nothing: the body never ends.
    let half = Frame::data(Bytes::copy_from_slice(&frame(0, &one_span())[..9]));
    let body = StreamBody::new(stream::iter([Ok::<_, Infallible>(half)]).chain(stream::pending()).boxed());
    let stream = TcpStream::connect(server.grpc).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request =
        Request::post(format!("http://{}{TRACES}", server.grpc)).header("content-type", "application/grpc");
    let answer = Answer::of(sender.send_request(request.body(body).unwrap()).await.unwrap()).await;
    assert_eq!(bad(&answer).code, 14);
    assert_eq!(server.count("refused_slow"), 1);
}

#[test]
fn every_reason_has_its_own_counter() {
    let unique: std::collections::BTreeSet<_> = REASONS.iter().collect();
    assert_eq!(unique.len(), REASONS.len());
}
