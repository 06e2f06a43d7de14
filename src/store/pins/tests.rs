use serde_json::json;

use super::*;

fn span() -> SpanRecord {
    SpanRecord {
        trace_id: "0f".repeat(16),
        span_id: "01".repeat(8),
        parent_span_id: None,
        name: "GET".into(),
        kind: "client",
        start: 1,
        end: 2,
        duration_ms: 0.0,
        status: "error",
        status_message: String::new(),
        class: None,
        environment: "default".into(),
        integration: "shop".into(),
        peer: None,
        endpoint: Some("GET /x".into()),
        scope: String::new(),
        attributes: BTreeMap::new(),
        resource: BTreeMap::new(),
        events: json!([]),
        links: json!([]),
    }
}

fn pinned(span: SpanRecord, others: &[SpanRecord]) -> (NewPin, Content) {
    let pin = of_span(span, others, "owner".into(), "group".into(), 5).unwrap();
    let content = Content::unpacked(&pin.content).unwrap();
    (pin, content)
}

#[test]
fn a_payload_is_kept_as_text_beside_its_span() {
    let mut failing = span();
    failing.attributes.insert(NAME.into(), "{\"error\":\0\x1b[31m\"no\"}\n".into());
    let (pin, content) = pinned(failing, &[]);
    assert_eq!(pin.payload, "{\"error\":␀␛[31m\"no\"}\n");
    assert_eq!(content.span.as_ref().unwrap()["attributes"], json!({}));
    assert_eq!((content.field("endpoint"), content.field("peer")), (Some("GET /x"), None));
}

#[test]
fn the_payload_of_an_exception_is_found_where_the_span_has_none() {
    let mut failing = span();
    failing.events = json!([
        {"name": "exception", "attributes": {"integration.payload": "first"}},
        {"name": "exception", "attributes": {"integration.payload": "last", "exception.type": "E"}},
    ]);
    let (pin, content) = pinned(failing, &[]);
    assert_eq!(pin.payload, "last");
    assert!(!serde_json::to_string(&content).unwrap().contains("integration.payload"));
}

#[test]
fn a_pin_is_bounded_whatever_the_record_holds() {
    let mut failing = span();
    failing.attributes = (0..1_000).map(|n| (format!("key-{n:0500}"), "v".repeat(60_000))).collect();
    failing.attributes.insert("note".into(), "ö".repeat(30_000));
    failing.events =
        (0..1_000).map(|_| json!({"name": "n", "attributes": {"x": "y".repeat(60_000)}})).collect();
    failing.attributes.insert(NAME.into(), "p".repeat(1 << 20));
    let other = SpanRecord { span_id: "02".repeat(8), ..failing.clone() };
    let others: Vec<_> =
        (0..100).map(|n| SpanRecord { span_id: format!("{n:016x}"), ..other.clone() }).collect();
    let (pin, content) = pinned(failing, &others);
    assert_eq!(pin.payload.len(), PAYLOAD);
    let json = serde_json::to_string(&content).unwrap();
    assert!(json.len() <= CONTENT + CONTENT / 8, "{}", json.len());
    assert_eq!(content.span.unwrap()["attributes"]["note"].as_str().unwrap().chars().last(), Some('…'));
    assert!(!content.trace.is_empty() && content.trace.len() <= SPANS);
}

#[test]
fn the_same_record_has_the_same_name_and_another_has_another() {
    let name = |span: SpanRecord| pinned(span, &[]).0.name;
    assert_eq!(name(span()), name(SpanRecord { status_message: "x".into(), ..span() }));
    assert_ne!(name(span()), name(SpanRecord { span_id: "02".repeat(8), ..span() }));
    assert_ne!(name(span()), name(SpanRecord { kind: "server", ..span() }), "both ends of a shared span");
}
