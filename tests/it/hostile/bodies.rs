//! Bodies against the real server: bombs, depth, and structure that is larger in memory than on the wire.

use std::io::Write;

use super::{JSON, PROTOBUF, field, goes_on, ids, request_of, within};
use crate::support::home::Home;
use crate::support::server::Server;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory takes bytes");
    packed.finish().expect("memory takes bytes")
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory takes bytes");
    packed.finish().expect("memory takes bytes")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory takes bytes")
}

fn refused(server: &Server, encoding: &str, body: Vec<u8>, status: u16) {
    let answer = server.post("/v1/traces", &[JSON, ("content-encoding", encoding)], body);
    assert_eq!(answer.status, status, "{encoding}: {}", answer.text());
    assert_eq!(answer.header("retry-after"), "", "it comes no smaller the next time");
}

#[test]
fn a_bomb_of_any_kind_costs_no_memory_and_is_refused_for_good() {
    let home = Home::new();
    let server = home.start();
    goes_on(&server);
    let large = vec![b' '; 80 << 20];
    let member = gzip(&large[..17 << 20]);
    let bombs = [
        ("gzip", gzip(&large)),
        ("gzip", member.repeat(5)),
        ("deflate", deflate(&large)),
        ("zstd", zstd(&large)),
        ("zstd", zstd(&large[..17 << 20]).repeat(5)),
    ];
    for (encoding, bomb) in bombs {
        assert!(bomb.len() < 2 << 20, "{encoding}: no bomb, it has {} bytes", bomb.len());
        within(&server, 48, encoding, || refused(&server, encoding, bomb, 413));
    }
    // A bomb within a bomb is opened once: the inner one is no JSON.
    within(&server, 32, "nested", || refused(&server, "gzip", gzip(&gzip(&large)), 400));
    goes_on(&server);
}

#[test]
fn a_hundred_bombs_at_once_cost_no_more_than_the_threads_that_open_them() {
    let home = Home::new();
    home.configure("[ingest]\nmax_body_bytes = 524288\n");
    let server = home.start();
    goes_on(&server);
    let bomb = gzip(&vec![b' '; 1 << 20]);
    within(&server, 48, "a hundred bombs", || {
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    let headers = [JSON, ("content-encoding", "gzip")];
                    let status = server.post("/v1/traces", &headers, bomb.clone()).status;
                    assert!(status == 413 || status == 503, "{status}");
                });
            }
        });
    });
    goes_on(&server);
}

#[test]
fn a_zstd_window_that_a_sender_chose_is_refused() {
    let home = Home::new();
    let server = home.start();
    goes_on(&server);
    // A frame whose header asks for a window of 2 GiB, and one of 16 MiB: RFC 9659 allows 8.
    for descriptor in [21 << 3, 14 << 3] {
        let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, descriptor][..], &[0x01, 0x00, 0x00]].concat();
        within(&server, 16, "a window", || refused(&server, "zstd", frame, 400));
    }
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.window_log(27).and_then(|()| encoder.long_distance_matching(true)).expect("parameters");
    encoder.write_all(&vec![b' '; 20 << 20]).expect("memory takes bytes");
    refused(&server, "zstd", encoder.finish().expect("memory takes bytes"), 400);
    goes_on(&server);
}

#[test]
fn depth_is_refused_whatever_it_is_made_of() {
    let home = Home::new();
    let server = home.start();
    goes_on(&server);
    for depth in [10_000, 200_000] {
        let array = r#"{"arrayValue":{"values":["#.repeat(depth);
        let bodies = [
            "[".repeat(depth),
            "{\"a\":".repeat(depth),
            format!(r#"{{"unknown":{}{}}}"#, "[".repeat(depth), "]".repeat(depth)),
            format!(
                r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"key":"a","value":{array}{}}}]}}]}}]}}]}}"#,
                "]}}".repeat(depth)
            ),
        ];
        for body in bodies {
            within(&server, 32, "deep JSON", || {
                assert_eq!(server.post("/v1/traces", &[JSON], body).status, 400);
            });
        }
    }
    // In protobuf each level repeats the lengths of those within it, so depth costs its square: 10,000 is 600 kB.
    let mut value = Vec::new();
    for _ in 0..10_000 {
        value = field(5, &field(1, &value));
    }
    let attribute = field(9, &[field(1, b"deep"), field(2, &value)].concat());
    let body = request_of(&field(2, &[ids(1), attribute].concat()));
    within(&server, 32, "deep protobuf", || {
        assert_eq!(server.post("/v1/traces", &[PROTOBUF], body).status, 400);
    });
    goes_on(&server);
}

#[test]
fn what_is_small_on_the_wire_is_not_large_in_memory() {
    const SIZE: usize = 2 << 20;
    let home = Home::new();
    let server = home.start();
    goes_on(&server);
    let in_span = |more: &str| {
        let ids = r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#;
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids},{more}}}]}}]}}]}}"#)
    };
    let many = |item: &str| format!("[{}{item}]", format!("{item},").repeat(SIZE / (item.len() + 1)));
    let bodies = [
        in_span(&format!("\"unknown\":{}", many("0"))),
        in_span(&format!("\"unknown\":{}", many("{\"\":0}"))),
        in_span(&format!("\"attributes\":{}", many("{}"))),
        in_span(&format!("\"events\":{}", many("{}"))),
        in_span(&format!(
            r#""attributes":[{{"key":"a","value":{{"arrayValue":{{"values":{}}}}}}}]"#,
            many("{}")
        )),
        in_span(&format!(r#""name":"{}""#, "x".repeat(SIZE))),
    ];
    for body in bodies {
        let what = body[..160].to_owned();
        // The body itself is held twice: as it came, and in the inbox's write.
        within(&server, 24, &what, || {
            let answer = server.post("/v1/traces", &[JSON], body);
            // The same ids each time: bodies differ, so each counts.
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        });
    }
    let empty_items = field(1, &[]).repeat(SIZE / 2);
    let value = field(2, &field(5, &empty_items));
    let attribute = field(9, &[field(1, b"wide"), value].concat());
    let bodies = [
        request_of(&field(2, &[ids(1), attribute].concat())),
        request_of(&field(2, &[ids(2), field(9, &[]).repeat(SIZE / 2)].concat())),
        request_of(&field(2, &[ids(3), field(11, &[]).repeat(SIZE / 2)].concat())),
        field(1, &[]).repeat(SIZE / 2),
    ];
    for (nth, body) in bodies.into_iter().enumerate() {
        within(&server, 24, &format!("protobuf body {nth}"), || {
            let answer = server.post("/v1/traces", &[PROTOBUF], body);
            assert_eq!(answer.status, 200, "{nth}: {}", answer.text());
        });
    }
    // Packed counts are a byte each on the wire and eight in memory.
    let point = [field(8, &field(2, &vec![1; SIZE])), vec![0x19, 1, 0, 0, 0, 0, 0, 0, 0]].concat();
    let metric = [field(1, b"m"), field(10, &[field(1, &point), vec![0x10, 1]].concat())].concat();
    within(&server, 24, "buckets", || {
        let answer = server.post("/v1/metrics", &[PROTOBUF], field(1, &field(2, &field(2, &metric))));
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(String::from_utf8_lossy(&answer.body).contains("buckets"));
    });
    goes_on(&server);
}
