//! The cost of a request grows with its size, not with the square of it: decoding, observing, absorbing.

use std::sync::Arc;

use seamwatch::decode::{self, Decoded, Encoding, Limits, Signal};
use seamwatch::pipeline::bounds::{self, Bounds};
use seamwatch::pipeline::errors::Errors as ErrorBounds;
use seamwatch::pipeline::past::Past;
use seamwatch::rollup::errors::Errors;
use seamwatch::rollup::window::Part;

use super::{field, ids, request_of, soon};

const NOW: i64 = 1_800_000_000_000_000_000;
/// Enough that its square is hours.
const MANY: u64 = 150_000;

fn string(key: &str, value: &str) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, &field(1, value.as_bytes()))].concat()
}

fn integer(key: &str, value: u8) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, &[3 << 3, value])].concat()
}

/// A client call, its end in the minute of `end`.
fn call(n: u64, end: i64, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut span = [ids(n), vec![6 << 3, 3, 8 << 3 | 1], end.to_le_bytes().into()].concat();
    attributes.iter().for_each(|attribute| span.extend(field(9, attribute)));
    field(2, &span)
}

/// All the way of a request into a minute's rows.
fn through(what: &str, signal: Signal, encoding: Encoding, body: &[u8]) -> (Decoded, Part) {
    soon(what, || {
        let rules = Arc::default();
        let decoded = decode::request(signal, encoding, body, NOW, &rules, &Limits::default());
        let mut decoded = decoded.unwrap_or_else(|problem| panic!("{what}: {problem}"));
        let (mut bounds, mut part) =
            (Bounds::new(bounds::Limits::default(), &Part::default()), Part::default());
        bounds.apply(&mut decoded.batch.observations, NOW);
        Past::default().apply(&mut decoded.batch.observations, NOW);
        part.absorb(&decoded.batch.observations, NOW);
        ErrorBounds::default().apply(&mut decoded.batch.observations, NOW, &Default::default());
        Errors::default().absorb(&decoded.batch.observations, NOW, 0, 0);
        (decoded, part)
    })
}

fn spans(what: &str, one: impl Fn(u64) -> Vec<u8>) -> (Decoded, Part) {
    let body: Vec<u8> = (0..MANY).flat_map(one).collect();
    through(what, Signal::Traces, Encoding::Protobuf, &request_of(&body))
}

#[test]
fn many_attempts_of_one_operation() {
    let siblings = |attributes: fn(u64) -> Vec<Vec<u8>>| {
        move |n: u64| {
            // All children of one parent in one trace.
            let span =
                [field(1, &[7; 16]), field(2, &(n + 1).to_be_bytes()), field(4, &[9; 8]), vec![6 << 3, 3]];
            let mut span = span.concat();
            attributes(n).iter().for_each(|attribute| span.extend(field(9, attribute)));
            field(2, &span)
        }
    };
    let method = || string("http.request.method", "GET");
    let (decoded, _) = spans(
        "retries without end",
        siblings(|n| {
            vec![string("http.request.method", "GET"), integer("http.request.resend_count", (n % 100) as u8)]
        }),
    );
    assert_eq!(decoded.batch.observations.calls.len() as u64, MANY);
    let _ = spans(
        "one idempotency key",
        siblings(|_| {
            vec![string("http.request.method", "PUT"), string("integration.idempotency.key_hash", "k")]
        }),
    );
    let (decoded, part) = spans("one operation", |n| call(n, NOW, &[method()]));
    assert_eq!((decoded.batch.records, part.calls.len()), (MANY, 1));
}

#[test]
fn many_names_of_anything() {
    let url = |n: u64| string("url.template", &format!("/v1/{n}"));
    let method = || string("http.request.method", "GET");
    let (decoded, part) = spans("endpoints", |n| call(n, NOW, &[method(), url(n)]));
    assert_eq!(decoded.batch.records, MANY);
    assert!(part.calls.len() <= 1_010, "{} rows", part.calls.len());
    let _ = spans("connections", |n| {
        call(n, NOW, &[method(), string("integration.connection.id", &n.to_string())])
    });
    let (_, part) =
        spans("integrations", |n| call(n, NOW, &[method(), string("integration.name", &n.to_string())]));
    assert!(part.integrations.len() <= 2_001, "{} integrations", part.integrations.len());
    let (decoded, part) = spans("minutes", |n| call(n, NOW - n as i64 * 60_000_000_000, &[method()]));
    assert_eq!(decoded.batch.records, MANY);
    assert!(part.calls.len() < 7_000, "{} rows", part.calls.len());
}

#[test]
fn many_failures_that_each_say_something_else() {
    let status = |text: &str| field(15, &[field(2, text.as_bytes()), vec![3 << 3, 2]].concat());
    let failing = |said: &dyn Fn(u64) -> String, n: u64| {
        let span = [ids(n), vec![6 << 3, 3, 8 << 3 | 1], NOW.to_le_bytes().into(), status(&said(n))].concat();
        field(2, &[span, field(9, &string("http.request.method", "GET"))].concat())
    };
    let word = |n: u64| n.to_string().bytes().map(|digit| char::from(digit + 49)).collect::<String>();
    let (decoded, _) = spans("failures", |n| failing(&word, n));
    let errors = &decoded.batch.observations.errors;
    // A request tells a thousand apart and their integration two hundred; the others are its (other).
    let others = errors.iter().filter(|group| &*group.key.kind == "(other)").count();
    assert_eq!((errors.len(), others), (1_001, 801));
    assert_eq!(errors.iter().map(|group| group.failures.len() as u64).sum::<u64>(), MANY);
    let version = |n: u64| field(1, &field(1, &string("service.version", &n.to_string())));
    let one = |n: u64| field(1, &[version(n), field(2, &call(n, NOW, &[]))].concat());
    let body: Vec<u8> = (0..MANY / 4).flat_map(one).collect();
    let (decoded, _) = through("versions", Signal::Traces, Encoding::Protobuf, &body);
    assert!(decoded.batch.observations.changes.len() <= 200);
}

#[test]
fn many_resources_and_scopes_of_one_span_each() {
    let resource = |n: u64| field(1, &field(1, &string("service.name", &n.to_string())));
    let one = |n: u64| field(1, &[resource(n % 5_000), field(2, &call(n, NOW, &[]))].concat());
    let body: Vec<u8> = (0..MANY).flat_map(one).collect();
    let (decoded, _) = through("resources", Signal::Traces, Encoding::Protobuf, &body);
    assert_eq!(decoded.batch.records, MANY);
    let scopes: Vec<u8> = (0..MANY).flat_map(|n| field(2, &call(n, NOW, &[]))).collect();
    through("scopes", Signal::Traces, Encoding::Protobuf, &field(1, &scopes));
    let environment = |n: u64| field(1, &field(1, &string("deployment.environment.name", &n.to_string())));
    let one = |n: u64| field(1, &[environment(n), field(2, &call(n, NOW, &[]))].concat());
    let body: Vec<u8> = (0..MANY / 4).flat_map(one).collect();
    through("environments", Signal::Traces, Encoding::Protobuf, &body);
}

#[test]
fn many_records_that_are_nothing() {
    let (decoded, _) = through("a million empty spans", Signal::Traces, Encoding::Protobuf, &{
        let empty = field(2, &[]).repeat(1_000_000);
        request_of(&[empty, call(1, NOW, &[])].concat())
    });
    assert_eq!((decoded.batch.records, decoded.rejected.count), (1, 1_000_000));
    let (decoded, _) = spans("a reason each", |n| field(2, &field(5, n.to_string().as_bytes())));
    assert_eq!(decoded.rejected.count, MANY);
    assert!(decoded.rejected.message.len() <= 1024);
    let (decoded, _) = spans("one span again and again", |_| call(1, NOW, &[]));
    assert_eq!((decoded.batch.records, decoded.rejected.count), (1, 0));
}

#[test]
fn a_million_attributes_and_one_of_sixteen_megabytes() {
    let attributes: Vec<u8> = (0..1_000_000u32).flat_map(|n| field(9, &integer(&n.to_string(), 1))).collect();
    let body = request_of(&field(2, &[ids(1), attributes].concat()));
    let (decoded, _) = through("a million attributes", Signal::Traces, Encoding::Protobuf, &body);
    assert_eq!(decoded.batch.spans.attributes(0).count(), Limits::default().attributes);
    for text in [
        "x",
        "_",
        "=",
        "a@",
        "\"",
        "\\\"",
        "://",
        "eyJ",
        "4",
        "4 ",
        "-----BEGIN",
        "Bearer ",
        "pat-na1-",
        "key=",
        "\"token\":\"",
    ] {
        let large = text.repeat((2 << 20) / text.len());
        let attribute = field(9, &string("note", &large));
        let name = field(5, large.as_bytes());
        let body = request_of(&field(2, &[ids(1), attribute, name].concat()));
        let (decoded, _) = through(text, Signal::Traces, Encoding::Protobuf, &body);
        let kept = decoded.batch.spans.attributes(0).next().map_or(0, |(_, value)| value.len());
        assert!(kept <= 80 << 10, "{text:?}: {kept} bytes are kept");
    }
    let attribute = field(9, &string("note", &"x".repeat(16 << 20)));
    let body = request_of(&field(2, &[ids(1), attribute].concat()));
    let (decoded, _) = through("sixteen megabytes", Signal::Traces, Encoding::Protobuf, &body);
    let kept = decoded.batch.spans.attributes(0).next().map_or(0, |(_, value)| value.len());
    assert_eq!(kept, Limits::default().value_bytes);
    assert!(decoded.batch.spans.bytes() < 2 * Limits::default().value_bytes, "and nothing beside it");
}

#[test]
fn json_of_every_shape() {
    let ids = r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#;
    let span =
        |more: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids},{more}}}]}}]}}]}}"#);
    let keys: Vec<String> = (0..MANY).map(|n| format!("\"k{}\":1", n % 3)).collect();
    let resources = "{\"scopeSpans\":[{\"spans\":[{}]}]},".repeat(MANY as usize / 4);
    let bodies = [
        span(&keys.join(",")),
        span(r#""name":"a","#.repeat(MANY as usize).trim_end_matches(',')),
        span(&format!(
            r#""attributes":[{}{{}}]"#,
            r#"{"key":"a","value":{"intValue":"1"}},"#.repeat(MANY as usize)
        )),
        span(&format!(r#""name":"{}""#, r"\u00e9\n\ud83d".repeat(MANY as usize))),
        format!(r#"{{"resourceSpans":[{resources}{{"scopeSpans":[{{"spans":[{{{ids}}}]}}]}}]}}"#),
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}{{{ids}}}]}}]}}]}}"#,
            r#"{"name":7},"#.repeat(MANY as usize)
        ),
    ];
    for (nth, body) in bodies.iter().enumerate() {
        let (decoded, _) = through(&format!("JSON {nth}"), Signal::Traces, Encoding::Json, body.as_bytes());
        assert_eq!(decoded.batch.records, 1, "JSON {nth}");
    }
}
