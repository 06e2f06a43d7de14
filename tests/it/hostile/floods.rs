//! Connections that misuse HTTP: resets, headers without end, frames that carry nothing. The others are served.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{goes_on, within};
use crate::support::SOON;
use crate::support::home::Home;
use crate::support::server::Server;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn data(stream: u32, payload: &[u8]) -> Vec<u8> {
    frame(0, 0, stream, payload)
}

/// POST /v1/traces, in HPACK without its table.
fn head() -> Vec<u8> {
    let literal =
        |name: &[u8], value: &[u8]| [&[0, name.len() as u8][..], name, &[value.len() as u8], value].concat();
    [
        // :method POST and :scheme http of the static table.
        vec![0x83, 0x86],
        literal(b":path", b"/v1/traces"),
        literal(b":authority", b"x"),
        literal(b"content-type", b"application/json"),
    ]
    .concat()
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the port is open");
    stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    stream.set_write_timeout(Some(SOON)).expect("a timeout can be set");
    stream
}

fn http2(address: &str) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(PREFACE).and_then(|()| stream.write_all(&frame(4, 0, 0, &[]))).expect("a preface");
    let mut reader = stream.try_clone().expect("a handle");
    // What the server says must be read, or it would wait for us.
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while reader.read(&mut chunk).is_ok_and(|read| read > 0) {}
    });
    stream
}

/// Sends until the server closes the connection or all is sent. True when it was closed.
fn flood(stream: &mut TcpStream, frames: impl Iterator<Item = Vec<u8>>) -> bool {
    for frame in frames {
        if stream.write_all(&frame).is_err() {
            return true;
        }
    }
    false
}

/// Floods both ports and looks at memory and at the others.
fn against_both(what: &str, must_close: bool, frames: impl Fn() -> Box<dyn Iterator<Item = Vec<u8>>> + Sync) {
    let home = Home::new();
    let server = home.start();
    goes_on(&server);
    for address in [&server.otlp_http, &server.otlp_grpc] {
        within(&server, 32, what, || {
            std::thread::scope(|scope| {
                let flooded = scope.spawn(|| flood(&mut http2(address), frames()));
                goes_on(&server);
                let closed = flooded.join().expect("a flood ends");
                assert!(closed || !must_close, "{what}: the connection to {address} stays open");
            });
        });
        goes_on(&server);
    }
}

fn odd(n: u32) -> u32 {
    2 * n + 1
}

#[test]
fn streams_that_are_reset_at_once_end_the_connection() {
    against_both("rapid reset", true, || {
        Box::new((0..200_000).map(|n| {
            let open = frame(1, END_HEADERS, odd(n), &head());
            [open, frame(3, 0, odd(n), &8u32.to_be_bytes())].concat()
        }))
    });
}

#[test]
fn headers_without_end_end_the_connection() {
    against_both("CONTINUATION", true, || {
        let open = frame(1, 0, 1, &head());
        let field = [&[0, 1, b'a', 100][..], &[b'b'; 100]].concat();
        let more = frame(9, 0, 1, &field.repeat(150));
        let empty = frame(9, 0, 1, &[]);
        Box::new(
            std::iter::once(open)
                .chain((0..100_000).map(move |n| if n % 2 == 0 { more.clone() } else { empty.clone() })),
        )
    });
}

#[test]
fn frames_without_data_are_not_kept() {
    against_both("empty DATA", false, || {
        let open = frame(1, END_HEADERS, 1, &head());
        let empty = data(1, &[]).repeat(100);
        Box::new(std::iter::once(open).chain((0..20_000).map(move |_| empty.clone())))
    });
}

#[test]
fn settings_and_pings_without_end_are_not_kept() {
    against_both("SETTINGS and PING", false, || {
        let both = [frame(4, 0, 0, &[]), frame(6, 0, 0, &[0; 8])].concat().repeat(50);
        Box::new((0..4_000).map(move |_| both.clone()))
    });
}

fn http1(server: &Server, head: &str) -> String {
    let mut stream = connect(&server.otlp_http);
    // The server may answer and close before all is sent.
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let home = Home::new();
    let server = home.start();
    goes_on(&server);
    let start =
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 0\r\n";
    let heads = [
        format!("{start}x-large: {}\r\n\r\n", "x".repeat(1 << 20)),
        format!("{start}{}\r\n", "a: b\r\n".repeat(10_000)),
        format!("POST /{} HTTP/1.1\r\nhost: x\r\n\r\n", "p".repeat(1 << 20)),
        format!("{start}{}", "a: b\r\n".repeat(1_000_000)),
    ];
    for head in heads {
        within(&server, 16, "a large head", || {
            let answer = http1(&server, &head);
            let refused =
                answer.is_empty() || ["400", "414", "431"].iter().any(|status| answer.contains(status));
            assert!(refused, "{answer}");
        });
    }
    // The same in HTTP/2: a thousand fields are more than a head may hold.
    let field = [&[0, 1, b'a', 60][..], &[b'b'; 60]].concat();
    let head = [head(), field.repeat(1_000)].concat();
    let mut frames: Vec<Vec<u8>> = head.chunks(16_000).map(|part| frame(9, 0, 1, part)).collect();
    frames[0][3] = 1;
    frames[0][4] = END_STREAM;
    if let Some(last) = frames.last_mut() {
        last[4] |= END_HEADERS;
    }
    let mut stream = http2(&server.otlp_grpc);
    within(&server, 16, "a large head", || flood(&mut stream, frames.into_iter()));
    goes_on(&server);
}
