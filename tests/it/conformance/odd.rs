//! HTTP as clients in odd languages speak it, and as proxies pass it on.

use super::*;
use crate::support::pack;

fn answered(server: &Server, request: impl AsRef<[u8]>, status: u16) -> crate::support::server::Answer {
    let answer = Raw::connect(&server.otlp_http).send(request).answer();
    assert_eq!(answer.status, status, "{}", answer.text());
    answer
}

#[test]
fn o1_names_of_headers_and_values_that_are_names_have_no_case() {
    let server = server();
    for (content_type, encoding) in [
        ("Application/JSON", "GZIP"),
        ("application/json; charset=utf-8", "x-gzip"),
        ("APPLICATION/json ;a=b", " Gzip "),
    ] {
        let headers = [("cOnTeNt-TyPe", content_type), ("CONTENT-ENCODING", encoding)];
        let answer = answered(&server, post("/v1/traces", &headers, pack::gzip(b"{}")), 200);
        assert_eq!(answer.header("content-type"), JSON.1);
    }
    let headers = [("CONTENT-TYPE", "Application/X-Protobuf")];
    assert_eq!(answered(&server, post("/v1/traces", &headers, ""), 200).header("content-type"), PROTOBUF.1);
}

#[test]
fn o2_gzip_of_several_members_and_zstd_of_several_frames_are_whole() {
    let server = server();
    let body = calls("o2", 2);
    let (first, second) = body.split_at(40);
    let gzip = [pack::gzip(first), pack::gzip(b""), pack::gzip(second)].concat();
    answered(&server, post("/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], gzip), 200);
    let body = calls("o2", 3);
    let (first, second) = body.split_at(40);
    let zstd = [pack::zstd(first), pack::zstd(second)].concat();
    answered(&server, post("/v1/traces", &[PROTOBUF, ("content-encoding", "zstd")], zstd), 200);
    counted(&server, "o2", 5);
}

#[test]
fn o3_a_client_that_expects_100_continue_is_told_so_or_refused_first() {
    let server = server();
    let expect = |path: &str, length: usize, more: &[(&str, &str)]| {
        let headers = [&[JSON, ("expect", "100-continue")], more].concat();
        format!("{}content-length: {length}\r\n\r\n", head(path, &headers))
    };
    let mut connection = Raw::connect(&server.otlp_http);
    for _ in 0..2 {
        assert_eq!(connection.send(expect("/v1/traces", 2, &[])).answer().status, 100);
        assert_eq!(connection.send("{}").answer().status, 200);
    }
    // These are final without a byte of the body.
    for (status, request) in [
        (413, expect("/v1/traces", 99_999_999_999, &[])),
        (404, expect("/v1/nothing", 9, &[])),
        (415, expect("/v1/traces", 9, &[("content-encoding", "br")])),
    ] {
        answered(&server, request, status);
    }
}

#[test]
fn o4_http_1_0_is_answered() {
    let server = server();
    let mut connection = Raw::connect(&server.otlp_http);
    connection
        .send("POST /v1/traces HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}");
    assert_eq!(connection.answer().status, 200);
    assert!(connection.is_closed(), "it did not ask to keep the connection");
    let mut connection = Raw::connect(&server.otlp_http);
    for _ in 0..2 {
        connection.send(
            "POST /v1/traces HTTP/1.0\r\nconnection: keep-alive\r\ncontent-type: application/json\r\n\
             content-length: 2\r\n\r\n{}",
        );
        assert_eq!(connection.answer().status, 200);
    }
}

#[test]
fn o5_a_target_may_be_absolute_have_a_slash_at_its_end_or_a_query() {
    let server = server();
    let absolute = format!("http://{}/v1/traces", server.otlp_http);
    for target in [absolute.as_str(), "/v1/traces/", "/v1/traces?tenant=1", "/v1/traces/?"] {
        answered(&server, post(target, &[JSON], "{}"), 200);
    }
}

#[test]
fn o6_an_offer_to_upgrade_to_http_2_is_passed_over() {
    // Java's own client makes it on every plain request.
    let server = server();
    let headers = [
        JSON,
        ("connection", "Upgrade, HTTP2-Settings"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"),
    ];
    let mut connection = Raw::connect(&server.otlp_http);
    for _ in 0..2 {
        assert_eq!(connection.send(post("/v1/traces", &headers, "{}")).answer().status, 200);
    }
}

#[test]
fn o7_requests_sent_at_once_are_answered_in_their_order() {
    let server = server();
    let mut connection = Raw::connect(&server.otlp_http);
    let bodies = ["{}", "{", "{}", "[", "{}"];
    connection.send(bodies.map(|body| post("/v1/traces", &[JSON], body)).concat());
    let statuses = bodies.map(|_| connection.answer().status);
    assert_eq!(statuses, [200, 400, 200, 400, 200]);
}

#[test]
fn o8_json_may_begin_with_a_byte_order_mark() {
    let server = server();
    let body = span(&ids("00000000000000000000000000000008"), "");
    answered(&server, post("/v1/traces", &[JSON], format!("\u{feff}{body}")), 200);
    kept(&server, "00000000000000000000000000000008");
}

#[test]
fn o9_a_refused_body_is_read_to_its_end_so_that_the_answer_arrives() {
    let server = server();
    // More than the sockets' buffers hold: a connection closed on it is reset, and a client then sends again.
    let large = vec![b' '; 8 << 20];
    for (status, path, headers) in [
        (415, "/v1/traces", &[JSON, ("content-encoding", "br")][..]),
        (415, "/v1/traces", &[("content-type", "text/plain")]),
        (404, "/v1/nothing", &[JSON]),
    ] {
        let mut connection = Raw::connect(&server.otlp_http);
        assert_eq!(connection.send(post(path, headers, &large)).answer().status, status);
        assert_eq!(connection.send(post("/v1/traces", &[JSON], "{}")).answer().status, 200);
    }
    let mut connection = Raw::connect(&server.otlp_grpc);
    assert_eq!(connection.send(post("/v1/traces", &[JSON], &large)).answer().status, 415, "the other port");
    let busy = busy("");
    let mut connection = Raw::connect(&busy.otlp_http);
    for _ in 0..100 {
        let answer = connection.send(post("/v1/traces", &[JSON], &large[..50_000])).answer();
        assert_eq!(answer.status, 503);
    }
}

#[test]
fn o10_bytes_may_come_one_by_one() {
    let server = server();
    let mut connection = Raw::connect(&server.otlp_http);
    post("/v1/traces", &[JSON], "{}").iter().for_each(|byte| {
        connection.send([*byte]);
    });
    assert_eq!(connection.answer().status, 200);
}

#[test]
fn o11_strange_targets_and_heads_are_refused_and_hurt_nobody() {
    let server = server();
    for request in [
        "CONNECT other.example:443 HTTP/1.1\r\nhost: other.example:443\r\n\r\n".to_owned(),
        "POST /v1/%ff%00 HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "GARBAGE\r\n\r\n".to_owned(),
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(),
        format!("{}x: {}\r\n\r\n", head("/v1/traces", &[JSON]), "y".repeat(100_000)),
    ] {
        let answer = Raw::connect(&server.otlp_http).send(&request).answer();
        assert!((400..500).contains(&answer.status), "{} for {request:.60}", answer.status);
    }
    // The server as a whole: no path, but a method that pages may ask with.
    answered(&server, "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", 200);
    answered(&server, post("/v1/traces", &[JSON], "{}"), 200);
}

#[test]
fn o12_chunks_that_are_none_are_final_and_a_body_that_ends_early_is_not() {
    let server = server();
    let chunked = format!("{}transfer-encoding: chunked\r\n\r\n", head("/v1/traces", &[JSON]));
    let answer = answered(&server, format!("{chunked}{{}}\r\n"), 400);
    assert_eq!(answer.header("retry-after"), "");
    assert!(answer.text().contains("chunks"), "{}", answer.text());
    let mut connection = Raw::connect(&server.otlp_http);
    let answer = connection.send(format!("{chunked}2\r\n{{")).end().answer();
    assert_eq!(answer.status, 503);
}
