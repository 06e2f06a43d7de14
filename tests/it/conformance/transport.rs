//! Transports, paths and ports (OTLP/gRPC, OTLP/HTTP Request).

use super::*;
use crate::support::grpc::{self, call, frame, message};
use crate::support::h2::{Connection, run};
use crate::support::pack;

fn log_of(server: &Server, integration: &str) {
    wait_until("the log record", SOON, || {
        let found = server.json(&format!("/api/v1/logs?integration={integration}"));
        (found["items"].as_array()?.len() == 1).then_some(())
    });
}

fn queue_of(server: &Server, integration: &str) {
    wait_until("the queue's depth", SOON, || {
        let all = server.json("/api/v1/integrations");
        let row = all["items"].as_array()?.iter().find(|row| row["name"] == integration)?.clone();
        (row["queue_depth"].as_f64()? == 7.0).then_some(())
    });
}

fn queue(integration: &str) -> Vec<u8> {
    let depth = otlp::gauge("integration.queue.depth", 7.0, &[("integration.queue.name", "q")]);
    otlp::metrics(integration, vec![depth]).encode_to_vec()
}

fn log(integration: &str) -> Vec<u8> {
    otlp::event(integration, "something.happened", &[]).encode_to_vec()
}

#[test]
fn t1_export_of_the_three_services_is_taken_on_the_grpc_port() {
    let server = server();
    for (path, body) in
        [(grpc::TRACES, calls("t1", 3)), (grpc::METRICS, queue("t1")), (grpc::LOGS, log("t1"))]
    {
        let answer = call(&server.otlp_grpc, path, &[], &frame(0, &body));
        assert_eq!(message(&answer), b"", "{path}");
    }
    counted(&server, "t1", 3);
    queue_of(&server, "t1");
    log_of(&server, "t1");
}

#[test]
fn t2_the_three_paths_are_there_and_profiles_are_not() {
    let server = server();
    for (path, body) in PATHS.into_iter().zip([calls("t2", 4), queue("t2"), log("t2")]) {
        assert_eq!(server.post(path, &[PROTOBUF], body).status, 200, "{path}");
    }
    counted(&server, "t2", 4);
    queue_of(&server, "t2");
    log_of(&server, "t2");
    assert_eq!(server.post("/v1development/profiles", &[PROTOBUF], "").status, 404);
}

#[test]
fn t3_both_versions_of_http_and_both_encodings_share_the_port() {
    let server = server();
    for (content_type, body) in [(JSON, &b"{}"[..]), (PROTOBUF, &b""[..])] {
        let old = Raw::connect(&server.otlp_http).send(post("/v1/traces", &[content_type], body)).answer();
        let new = run(async {
            let connection = Connection::open(&server.otlp_http).await;
            connection.post("/v1/traces", &[content_type], &[body]).await
        });
        for answer in [old, new] {
            assert_eq!((answer.status, answer.header("content-type")), (200, content_type.1));
            assert_eq!(answer.body, body);
        }
    }
}

#[test]
fn t4_each_transport_has_its_port_and_the_other_says_so() {
    let server = server();
    let answer = call(&server.otlp_http, "/v1/traces", &[], &frame(0, b""));
    assert_eq!(answer.status, 415);
    let answer = Raw::connect(&server.otlp_grpc).send(post("/v1/traces", &[JSON], "{}")).answer();
    assert_eq!(answer.status, 415);
    assert!(answer.text().contains("4318"), "{}", answer.text());
}

/// Sends a body of two calls in these encodings by both transports: four are counted for each.
fn compressed(server: &Server, clause: &str, encodings: &[&str]) {
    for (encoding, _) in pack::all(b"").iter().filter(|(name, _)| encodings.contains(name)) {
        let integration = format!("{clause}-{encoding}");
        let packed = |body: &[u8]| {
            pack::all(body).into_iter().find(|(name, _)| name == encoding).expect("the encoding").1
        };
        let body = packed(&calls(&integration, 2));
        let answer = server.post("/v1/traces", &[PROTOBUF, ("content-encoding", encoding)], body);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{encoding}: {}", answer.text());
        let body = frame(u8::from(*encoding != "identity"), &packed(&calls(&integration, 2)));
        let answer = call(&server.otlp_grpc, grpc::TRACES, &[("grpc-encoding", encoding)], &body);
        assert_eq!(message(&answer), b"", "{encoding}");
        counted(server, &integration, 4);
    }
}

#[test]
fn t5_uncompressed_and_gzip_are_taken_on_both_transports() {
    compressed(&server(), "t5", &["identity", "gzip"]);
}

#[test]
fn t6_zstd_and_deflate_are_taken_too() {
    compressed(&server(), "t6", &["zstd", "deflate"]);
}

#[test]
fn t7_a_connection_serves_many_requests_also_after_refusals() {
    let server = server();
    let mut connection = Raw::connect(&server.otlp_http);
    for n in 0..30 {
        assert_eq!(connection.send(post("/v1/traces", &[PROTOBUF], calls("t7", 1))).answer().status, 200);
        let (status, body) = match n % 3 {
            0 => (400, post("/v1/logs", &[JSON], "{")),
            1 => (404, post("/v1/nothing", &[JSON], "{}")),
            _ => (415, post("/v1/logs", &[("content-type", "text/plain")], "hello")),
        };
        assert_eq!(connection.send(body).answer().status, status);
    }
    counted(&server, "t7", 30);
}

#[test]
fn t7_many_connections_and_many_streams_of_one_connection_are_served() {
    let server = server();
    let mut connections: Vec<Raw> = (0..100).map(|_| Raw::connect(&server.otlp_http)).collect();
    for connection in &mut connections {
        connection.send(post("/v1/traces", &[PROTOBUF], calls("t7-many", 1)));
    }
    connections.iter_mut().for_each(|connection| assert_eq!(connection.answer().status, 200));
    counted(&server, "t7-many", 100);
    // More calls in flight than one connection may have streams: the rest wait their turn.
    run(async {
        let connection = Connection::open(&server.otlp_grpc).await;
        let mut open = Vec::new();
        for _ in 0..300 {
            let (connection, body) = (connection.clone(), frame(0, &calls("t7-streams", 1)));
            open.push(tokio::spawn(async move {
                message(&connection.post(grpc::TRACES, &grpc::HEAD, &[&body]).await).len()
            }));
        }
        for call in open {
            assert_eq!(call.await.expect("a call"), 0);
        }
    });
    counted(&server, "t7-streams", 300);
}

#[test]
fn t7_a_stream_that_is_slow_does_not_hold_up_the_others() {
    let server = server();
    run(async {
        let connection = Connection::open(&server.otlp_grpc).await;
        let slow = frame(0, &calls("t7-slow", 1));
        let stream = connection.begin(grpc::TRACES, &grpc::HEAD).await;
        stream.send(&slow[..9]);
        for _ in 0..5 {
            let body = frame(0, &calls("t7-slow", 1));
            assert_eq!(message(&connection.post(grpc::TRACES, &grpc::HEAD, &[&body]).await), b"");
        }
        stream.send(&slow[9..]);
        assert_eq!(message(&stream.finish().await), b"");
    });
    counted(&server, "t7-slow", 6);
}

#[test]
fn t8_a_chunked_body_needs_no_content_length() {
    let server = server();
    let body = calls("t8", 2);
    let mut chunked =
        format!("{}transfer-encoding: chunked\r\n\r\n", head("/v1/traces", &[PROTOBUF])).into_bytes();
    for part in body.chunks(50) {
        chunked.extend(format!("{:x};extension=1\r\n", part.len()).bytes().chain(part.iter().copied()));
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\nx-trailer: 1\r\n\r\n");
    let mut connection = Raw::connect(&server.otlp_http);
    assert_eq!(connection.send(chunked).answer().status, 200);
    assert_eq!(connection.send(post("/v1/traces", &[PROTOBUF], calls("t8", 1))).answer().status, 200);
    counted(&server, "t8", 3);
}
