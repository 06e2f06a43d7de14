//! More than 500 requests that mean harm, to every port: each gets an answer that says no, or a closed connection.
//! None of them reads a file, breaks a page, ends the server or makes it grow.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::{goes_on, within};
use crate::support::SOON;
use crate::support::home::Home;
use crate::support::server::Server;

/// Places that a path can be put behind.
const BEFORE: [&str; 6] = ["", "/static/0", "/runbooks", "/integrations", "/mail", "/api/v1/traces"];

/// Parameters of pages and of the API.
const PARAMETERS: [&str; 9] = [
    "/?environment=",
    "/integrations/billing?range=",
    "/incidents?state=",
    "/api/v1/integrations?window=",
    "/api/v1/integrations/billing/endpoints?from=",
    "/api/v1/traces?min_ms=",
    "/api/v1/traces?integration=x&limit=",
    "/api/v1/logs?q=",
    "/api/v1/incidents?state=",
];

/// What would stand in an answer that gave away a file.
const STOLEN: [&str; 5] = ["root:x:0", "SQLite format", "SEAMINB1", "PATH=", "[extensions]"];

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with("# "))
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").into_bytes()
}

/// Requests whose form is wrong.
fn malformed() -> Vec<Vec<u8>> {
    let post = |headers: &str, body: &str| {
        format!("POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}").into_bytes()
    };
    let many = |n: usize| (0..n).map(|n| format!("X-{n}: {n}\r\n")).collect::<String>();
    let mut all: Vec<Vec<u8>> = vec![
        b"\r\n\r\n".to_vec(),
        b"\0\0\0\0\0\0\0\0\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET /\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET  /  HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"get / http/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: \r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_vec(),
        b"GET http://169.254.169.254/latest/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(),
        b"GET //evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(),
        b"CONNECT 127.0.0.1:25 HTTP/1.1\r\nHost: 127.0.0.1:25\r\n\r\n".to_vec(),
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(),
        b"TRACE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(),
        b"PROPFIND / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(),
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX : a\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\nHost: localhost\nConnection: close\n\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAAA\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"EHLO evil.example\r\nMAIL FROM:<a@evil.example>\r\n".to_vec(),
        b"*1\r\n$4\r\nPING\r\n".to_vec(),
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(1 << 20)).into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(1 << 20)).into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", many(5_000)).into_bytes(),
        format!("GET /?{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "a&".repeat(4_000)).into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\nConnection: close\r\n\r\n", "a=b; ".repeat(2_000)).into_bytes(),
    ];
    // One request that hides another, and lengths that lie.
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 50\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: 18446744073709551615\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ] {
        all.push(post(headers, "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }
    for chunks in [
        "ffffffffffffffff\r\nx",
        "fffffffffffffffff\r\nx",
        "-1\r\nx\r\n0\r\n\r\n",
        "5;\r\nabcde\r\n0\r\n\r\n",
        "5\nabcde\n0\n\n",
        "0x5\r\nabcde\r\n0\r\n\r\n",
        "5\r\nabcdeXX0\r\n\r\n",
        "zz\r\n",
        "0\r\nEvil: trailer\r\nContent-Length: 9\r\n\r\n",
    ] {
        all.push(post("Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n", chunks));
    }
    // Kinds of body that nobody sends, with a body that is none of them.
    for kind in [
        "application/x-protobuf",
        "application/json",
        "application/xml",
        "text/html",
        "multipart/form-data",
        "image/svg+xml",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-7",
        "\"",
        "a/b/c",
        "",
    ] {
        for encoding in ["", "gzip", "zstd", "br", "gzip, gzip, gzip", "identity, gzip", "\u{1}"] {
            let body = "\u{1f}\u{8b}{\"resourceSpans\":[{]}";
            let length = body.len();
            let headers = format!(
                "Content-Type: {kind}\r\nContent-Encoding: {encoding}\r\nContent-Length: {length}\r\nConnection: close\r\n"
            );
            all.push(post(&headers, body));
        }
    }
    all
}

/// Sends bytes and reads what comes back until the end, for a moment at most.
fn exchange(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("the port takes connections");
    stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    stream.set_write_timeout(Some(SOON)).expect("a timeout can be set");
    // The server may have said no, and closed, before it has read all.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let (mut answer, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return answer,
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return answer,
            Err(error) => panic!("neither an answer nor an end ({error}) to {:?}", shown(bytes)),
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned()
}

/// The status of an answer; none where there is only an end.
fn status(answer: &[u8]) -> Option<u16> {
    let head = answer.strip_prefix(b"HTTP/1.1 ").or_else(|| answer.strip_prefix(b"HTTP/1.0 "))?;
    std::str::from_utf8(head.get(..3)?).ok()?.parse().ok()
}

/// What must hold of any answer.
fn is_harmless(server: &Server, request: &[u8], answer: &[u8]) {
    let text = String::from_utf8_lossy(answer);
    if let Some(status) = status(answer) {
        // A body that is cut off is one that its sender may try again.
        let cut_off = status == 503 && text.contains("The body ended early");
        assert!(status < 500 || cut_off, "{status} for {}\n{text}", shown(request));
    }
    let head = text.split("\r\n\r\n").next().unwrap_or("");
    assert!(
        !head.to_lowercase().contains("\r\nx-injected"),
        "a header of theirs: {}\n{head}",
        shown(request)
    );
    for stolen in STOLEN {
        assert!(!text.contains(stolen), "{stolen} in the answer to {}", shown(request));
    }
    let said = server.said();
    assert!(!said.contains("panicked"), "it panicked at {}\n{said}", shown(request));
}

#[test]
fn five_hundred_requests_that_mean_harm_get_a_no() {
    let home = Home::new();
    let mut server = home.start();
    goes_on(&server);
    let mut sent = 0;
    let ports = [server.web.clone(), server.otlp_http.clone(), server.otlp_grpc.clone()];
    within(&server, 192, "hostile requests", || {
        let paths = BEFORE.iter().flat_map(|before| {
            lines(include_str!("../../data/hostile/paths.txt")).map(move |path| format!("{before}{path}"))
        });
        for request in paths.map(|path| get(&path)) {
            let answer = exchange(&server.web, &request);
            is_harmless(&server, &request, &answer);
            assert!(status(&answer).is_none_or(|status| status >= 300), "taken: {}", shown(&request));
            sent += 1;
        }
        let parameters = PARAMETERS.iter().flat_map(|before| {
            lines(include_str!("../../data/hostile/values.txt")).map(move |value| format!("{before}{value}"))
        });
        for request in parameters.map(|path| get(&path)) {
            is_harmless(&server, &request, &exchange(&server.web, &request));
            sent += 1;
        }
        for request in malformed() {
            for port in &ports {
                is_harmless(&server, &request, &exchange(port, &request));
            }
            sent += 1;
        }
    });
    assert!(sent >= 500, "{sent} requests");
    assert!(server.is_up());
    // It serves as before, and none of it was taken for telemetry.
    goes_on(&server);
    server.counted("steady", "GET /v1/after", 2);
    assert_eq!(server.get("/").status, 200);
    let names = server.json("/api/v1/integrations");
    assert_eq!(names["items"].as_array().map(Vec::len), Some(1), "{names}");
    server.signal("TERM");
    assert!(server.wait(Duration::from_secs(20)).success());
}
