//! gRPC as its own rules have it, beyond what OTLP says.

use super::*;
use crate::support::grpc::{self, LOGS, TRACES, call, code, frame, message, status};
use crate::support::h2::{Connection, run};
use crate::support::pack;

fn refused(server: &Server, headers: &[(&str, &str)], body: &[u8], code: i32, says: &str) {
    let status = status(&call(&server.otlp_grpc, TRACES, headers, body));
    assert_eq!(status.code, code, "{status:?}");
    assert!(status.message.contains(says), "{status:?}");
}

#[test]
fn g1_a_deadline_is_the_clients_to_keep() {
    let server = server();
    for timeout in ["1n", "10S", "99999999H", "soon"] {
        let answer = call(&server.otlp_grpc, TRACES, &[("grpc-timeout", timeout)], &frame(0, b""));
        assert_eq!(message(&answer), b"", "{timeout}");
    }
}

#[test]
fn g2_an_unknown_encoding_is_unimplemented_and_names_those_that_are_read() {
    let server = server();
    let answer = call(&server.otlp_grpc, TRACES, &[("grpc-encoding", "snappy")], &frame(1, b"x"));
    assert_eq!(status(&answer).code, 12);
    assert_eq!(answer.header("grpc-accept-encoding"), "gzip, deflate, zstd, identity");
    // An uncompressed message needs no encoding, whatever the header says.
    let answer = call(&server.otlp_grpc, TRACES, &[("grpc-encoding", "snappy")], &frame(0, b""));
    assert_eq!(message(&answer), b"");
    let headers = [("grpc-encoding", "GZIP")];
    assert_eq!(message(&call(&server.otlp_grpc, TRACES, &headers, &frame(1, &pack::gzip(b"")))), b"");
}

#[test]
fn g3_a_message_may_be_split_over_data_frames_anywhere() {
    let server = server();
    run(async {
        let connection = Connection::open(&server.otlp_grpc).await;
        for size in [1, 3, 5, 7, 100] {
            let body = frame(0, &calls("g3", 1));
            let parts: Vec<&[u8]> = [&b""[..]].into_iter().chain(body.chunks(size)).collect();
            assert_eq!(message(&connection.post(TRACES, &grpc::HEAD, &parts).await), b"", "{size}");
        }
    });
    counted(&server, "g3", 5);
}

#[test]
fn g4_a_unary_call_is_one_message() {
    let server = server();
    let good = frame(0, &calls("g4", 1));
    refused(&server, &[], &[good.clone(), good.clone()].concat(), 3, "more than one");
    refused(&server, &[], b"", 3, "no gRPC message");
    refused(&server, &[], &good[..4], 3, "no gRPC message");
    refused(&server, &[], &good[..good.len() - 1], 3, "shorter");
    refused(&server, &[], &[&[0, 0xff, 0xff, 0xff, 0xff][..], b"x"].concat(), 3, "shorter");
}

#[test]
fn g5_a_compressed_message_needs_an_encoding_and_a_known_flag() {
    let server = server();
    let packed = frame(1, &pack::gzip(&calls("g5", 1)));
    refused(&server, &[], &packed, 3, "grpc-encoding");
    refused(&server, &[("grpc-encoding", "identity")], &packed, 3, "grpc-encoding");
    refused(&server, &[("grpc-encoding", "zstd")], &packed, 3, "zstd");
    refused(&server, &[], &frame(2, b""), 3, "flag");
}

#[test]
fn g6_messages_are_protobuf_and_other_kinds_of_grpc_are_told_so() {
    let server = server();
    let send = |content_type: &str, body: &[u8]| {
        run(async {
            let connection = Connection::open(&server.otlp_grpc).await;
            connection.post(LOGS, &[("content-type", content_type)], &[body]).await
        })
    };
    for content_type in ["application/grpc", "application/grpc+proto", "Application/gRPC;v=1"] {
        assert_eq!(message(&send(content_type, &frame(0, b""))), b"", "{content_type}");
    }
    let status = status(&send("application/grpc+json", &frame(0, b"{}")));
    assert_eq!(status.code, 12);
    assert!(status.message.contains("application/grpc+json"), "{status:?}");
    for content_type in ["application/grpc-web+proto", "application/x-protobuf", "application/json"] {
        let answer = send(content_type, &frame(0, b""));
        assert_eq!(answer.status, 415, "{content_type}");
        assert!(answer.text().contains("4318"));
    }
}

#[test]
fn g7_an_unknown_method_is_unimplemented_and_names_it() {
    let server = server();
    for path in ["/", "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"] {
        let answer = call(&server.otlp_grpc, path, &[], &frame(0, b""));
        assert_eq!(code(&answer), 12);
        assert!(answer.header("grpc-message").contains(path));
    }
}
