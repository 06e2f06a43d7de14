//! Requests that are odd in one place: the good in them is kept, and what is not is counted to the record.

use std::sync::Arc;

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use seamwatch::decode::columns::SpanColumns;
use seamwatch::decode::{self, Decoded, Encoding, Limits, Malformed, Signal};

use super::{field, ids, request_of};
use crate::support::otlp;

const NOW: i64 = 1_800_000_000_000_000_000;

fn read(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Decoded, Malformed> {
    decode::request(signal, encoding, body, NOW, &Arc::default(), &Limits::default())
}

fn protobuf(body: &[u8]) -> Result<Decoded, Malformed> {
    read(Signal::Traces, Encoding::Protobuf, body)
}

fn json(body: &str) -> Result<Decoded, Malformed> {
    read(Signal::Traces, Encoding::Json, body.as_bytes())
}

/// (accepted, rejected) of spans given as bytes.
fn counted(spans: &[Vec<u8>]) -> (u64, u64) {
    let spans: Vec<u8> = spans.iter().flat_map(|span| field(2, span)).collect();
    let decoded = protobuf(&request_of(&spans)).expect("its frame is whole");
    assert_eq!(decoded.batch.spans.len() as u64, decoded.batch.records);
    (decoded.batch.records, decoded.rejected.count)
}

fn time(number: u8, nanos: u64) -> Vec<u8> {
    [&[number << 3 | 1][..], &nanos.to_le_bytes()].concat()
}

#[test]
fn a_span_that_cannot_be_read_costs_no_other() {
    let good = |n| [ids(n), field(5, b"good")].concat();
    let bad: [(&str, Vec<u8>); 7] = [
        ("cut in an attribute", [ids(100), vec![9 << 3 | 2, 40, 1, 2]].concat()),
        ("a name that is a number", [ids(101), vec![5 << 3, 7]].concat()),
        ("a time that is a text", [ids(102), field(7, b"noon")].concat()),
        (
            "a length of 2^63",
            [ids(103), vec![5 << 3 | 2, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1]].concat(),
        ),
        ("a length of 2^64 - 1", [ids(104), vec![5 << 3 | 2], vec![255; 9], vec![1]].concat()),
        ("an integer without an end", [ids(105), vec![6 << 3], vec![255; 12]].concat()),
        ("field 0", [ids(106), vec![0, 0]].concat()),
    ];
    for (what, span) in &bad {
        assert_eq!(counted(&[good(1), span.clone(), good(2)]), (2, 1), "{what}");
    }
    let spans: Vec<Vec<u8>> = bad.iter().map(|(_, span)| span.clone()).chain([good(1)]).collect();
    assert_eq!(counted(&spans), (1, 7));
    let alone = protobuf(&request_of(&field(2, &bad[0].1)));
    assert!(alone.is_err_and(|problem| problem.0.contains("cut short")), "nothing of it can be read: 400");
}

#[test]
fn a_record_in_json_that_cannot_be_read_costs_no_other() {
    let ids = |n: u32| format!(r#""traceId":"{n:032x}","spanId":"{n:016x}""#);
    let bad =
        [r#""startTimeUnixNano":"soon""#, r#""name":7"#, r#""attributes":{}"#, r#""kind":"SPAN_KIND_ODD""#];
    let spans: Vec<String> = bad.iter().zip(1..).map(|(bad, n)| format!("{{{},{bad}}}", ids(n))).collect();
    let body = |spans: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
    let decoded = json(&body(&format!("{{{}}},{}", ids(9), spans.join(",")))).expect("it is JSON");
    assert_eq!((decoded.batch.records, decoded.rejected.count), (1, 4), "{}", decoded.rejected.message);
    assert!(decoded.rejected.message.contains("startTimeUnixNano is soon"), "{}", decoded.rejected.message);
    assert!(json(&body(&spans.join(","))).is_err(), "nothing of it can be read");
    assert!(json(&body("{\"name\":\"x\"")).is_err(), "it is no JSON");
}

fn shown(spans: &SpanColumns, number: impl Fn(&SpanColumns) -> u32) -> &str {
    spans.texts.get(number(spans))
}

#[test]
fn text_that_is_no_text_is_repaired_and_its_span_counts() {
    let cut_character = b"caf\xc3";
    let latin = b"na\xefve";
    let attribute = field(9, &[field(1, b"note"), field(2, &field(1, latin))].concat());
    let span = [ids(1), field(5, cut_character), attribute].concat();
    let resource =
        field(1, &field(1, &[field(1, b"service.name"), field(2, &field(1, b"shop\xff"))].concat()));
    let body = field(1, &[resource, field(2, &field(2, &span))].concat());
    let decoded = protobuf(&body).expect("it can be read");
    assert_eq!((decoded.batch.records, decoded.rejected.count), (1, 0));
    assert_eq!(shown(&decoded.batch.spans, |spans| spans.name[0]), "caf\u{fffd}");
    assert_eq!(decoded.batch.spans.attributes(0).next(), Some(("note", "na\u{fffd}ve")));
    assert_eq!(shown(&decoded.batch.spans, |spans| spans.integration[0]), "shop\u{fffd}");

    let mut text = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"caf#"}]}]}]}"#.to_vec();
    *text.iter_mut().find(|byte| **byte == b'#').expect("a mark") = 0xc3;
    let decoded = read(Signal::Traces, Encoding::Json, &text).expect("it can be read");
    assert_eq!(shown(&decoded.batch.spans, |spans| spans.name[0]), "caf\u{fffd}");
}

#[test]
fn a_span_that_comes_twice_in_a_request_counts_once() {
    let span = |n: u64, kind: i32| Span {
        trace_id: vec![7; 16],
        span_id: (n + 1).to_be_bytes().into(),
        kind,
        end_time_unix_nano: NOW as u64 - 1_000,
        ..Span::default()
    };
    let both = vec![span(1, 3), span(2, 3), span(1, 3), span(1, 2), span(2, 3)];
    let decoded = protobuf(&otlp::traces("shop", &[], both).encode_to_vec()).expect("it can be read");
    // Systems that share a span between its ends give client and server one id: those are two.
    assert_eq!((decoded.batch.records, decoded.batch.spans.len(), decoded.rejected.count), (3, 3, 0));
    assert_eq!(decoded.batch.observations.calls.len(), 3);
    assert_eq!(decoded.batch.observations.notices, [("spans that came twice in one request", 2)]);
    let nowhere = vec![Span { trace_id: vec![0; 16], ..span(1, 3) }; 3];
    let decoded = protobuf(
        &otlp::traces("shop", &[], vec![span(5, 3)].into_iter().chain(nowhere).collect()).encode_to_vec(),
    );
    assert_eq!(decoded.expect("it can be read").rejected.count, 3, "without an id nothing is the same");
}

#[test]
fn times_that_cannot_be_are_bounded_and_their_calls_count() {
    const CALL: [u8; 2] = [6 << 3, 2];
    let odd = [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1, NOW as u64 + 400_000_000_000, NOW as u64];
    let mut spans = Vec::new();
    for (nth, start) in odd.into_iter().enumerate() {
        for (mth, end) in odd.into_iter().enumerate() {
            let ids = ids((nth * 10 + mth) as u64);
            spans.extend(field(2, &[ids, CALL.to_vec(), time(7, start), time(8, end)].concat()));
        }
    }
    let decoded = protobuf(&request_of(&spans)).expect("it can be read");
    let calls = &decoded.batch.observations.calls;
    assert_eq!((calls.len(), decoded.rejected.count), (49, 0));
    for call in calls {
        assert!((1..=NOW + 300_000_000_000).contains(&call.end), "a call in the far future: {}", call.end);
        assert!(call.duration_us <= (i64::MAX as u64).div_ceil(1000));
    }
    let notices = &decoded.batch.observations.notices;
    let count = |wanted: &str| notices.iter().find(|(name, _)| name.contains(wanted)).map_or(0, |(_, n)| *n);
    assert!(count("future") > 0 && count("before they start") > 0, "{notices:?}");
}

#[test]
fn ids_of_the_wrong_length_reject_their_span_alone() {
    let with = |trace: usize, span: usize| [field(1, &vec![7; trace]), field(2, &vec![7; span])].concat();
    for (trace, span) in [(0, 8), (15, 8), (17, 8), (16, 0), (16, 7), (16, 9), (32, 16)] {
        assert_eq!(counted(&[ids(1), with(trace, span)]), (1, 1), "{trace} and {span} bytes");
    }
    let parent = |bytes: usize| [ids(2), field(4, &vec![7; bytes])].concat();
    assert_eq!(counted(&[parent(8), ids(3)]), (2, 0));
    assert_eq!(counted(&[parent(3), ids(3)]), (2, 0), "a parent that is no id is no parent");
}

#[test]
fn a_number_that_is_none_is_a_number_all_the_same() {
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, -0.0] {
        let value = [&[4 << 3 | 1][..], &odd.to_le_bytes()].concat();
        let attribute = |key: &[u8]| field(9, &[field(1, key), field(2, &value)].concat());
        let keys: [&[u8]; 4] =
            [b"x", b"http.response.status_code", b"integration.records.count", b"server.port"];
        let span: Vec<u8> = [ids(1)].into_iter().chain(keys.map(attribute)).flatten().collect();
        assert_eq!(counted(&[[span, vec![6 << 3, 3]].concat()]), (1, 0), "{odd}");
        let gauge = otlp::metrics(
            "shop",
            vec![otlp::gauge("integration.queue.depth", odd, &[("integration.queue.name", "q")])],
        );
        let decoded =
            read(Signal::Metrics, Encoding::Protobuf, &gauge.encode_to_vec()).expect("it can be read");
        let wanted = u64::from(!odd.is_finite());
        assert_eq!((decoded.rejected.count, decoded.batch.records), (wanted, 1 - wanted), "{odd}");
    }
}

#[test]
fn every_wire_type_in_every_place_is_read_or_refused() {
    let payloads: [&[u8]; 8] = [&[5], &[1; 8], &[2, 1, 2], &[9], &[], &[1; 4], &[1; 4], &[1; 4]];
    for number in 1..=17u64 {
        for (wire, payload) in (0u64..8).zip(payloads) {
            let tag = number << 3 | wire;
            let tag = if tag < 128 { vec![tag as u8] } else { vec![tag as u8 | 128, (tag >> 7) as u8] };
            let odd = [tag, payload.to_vec()].concat();
            let (taken, rejected) = counted(&[ids(1), [ids(2), odd.clone()].concat()]);
            assert!(taken >= 1 && taken + rejected == 2, "field {number}, wire type {wire}");
            for body in [odd.clone(), field(1, &odd), field(1, &field(2, &odd))] {
                for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
                    let _ = read(signal, Encoding::Protobuf, &body);
                }
            }
        }
    }
}
