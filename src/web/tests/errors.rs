use askama::Template;
use serde_json::json;

use crate::rollup::errors::HOUR;
use crate::rollup::window::MINUTE;
use crate::signals::telemetry::Nanos;
use crate::store::pins::{Content, Kind, Pin};
use crate::store::query::errors::ErrorRecord;
use crate::web::errors::{Which, hours, listed, shown};
use crate::web::page::Frame;
use crate::web::period::Period;

const NOW: Nanos = 1_763_975_550_000_000_000;
const HOSTILE: &str = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>\"'&";

fn frame() -> Frame {
    Frame::of(&[], &Default::default(), &[], "errors", "Title".into(), NOW)
}

fn group() -> ErrorRecord {
    ErrorRecord {
        fingerprint: "0f".repeat(16),
        environment: "production".into(),
        integration: "shop".into(),
        direction: "outbound".into(),
        peer: "api.example".into(),
        endpoint: "GET /x/{id}".into(),
        kind: "ReadTimeout".into(),
        message: "no row {n}".into(),
        first_seen: NOW - 30 * MINUTE,
        first_version: "2.1".into(),
        last_seen: NOW - MINUTE,
        said: "no row 17".into(),
        failures: 1_204,
        exemplars: 1,
    }
}

fn pin(payload: &str) -> Pin {
    let span = json!({
        "endpoint": "GET /x/{id}", "peer": "api.example", "trace_id": "0a".repeat(16), "class": "timeout",
        "status_message": payload, "attributes": {"note": payload}, "events": [],
    });
    let other = json!({"name": payload, "status": "ok", "duration_ms": 12.5});
    Pin {
        kind: Kind::Failure,
        fingerprint: String::new(),
        at: NOW,
        received_at: NOW,
        payload: payload.into(),
        content: Content { span: Some(span), trace: vec![other], ..Content::default() },
    }
}

fn page(group: &ErrorRecord, pins: &[Pin]) -> String {
    let counts = [(NOW / HOUR, 1_000), (NOW / HOUR - 1, 204)];
    let period = Period::last(1_440, NOW);
    shown(frame(), group, &counts, pins, ("24h", period), NOW).render().unwrap()
}

#[test]
fn a_group_says_what_failed_how_often_and_since_which_version() {
    let html = page(&group(), &[pin("{\"code\":\"E42\"}")]);
    for wanted in
        ["ReadTimeout", "no row {n}", "no row 17", "version <b>2.1</b>", "1,204", "Failures by hour"]
    {
        assert!(html.contains(wanted), "no {wanted} in {html}");
    }
    assert!(html.contains("{&#34;code&#34;:&#34;E42&#34;}") && html.contains(&"0a".repeat(16)));
}

#[test]
fn what_a_peer_answered_is_text_whatever_it_holds() {
    let hostile = ErrorRecord {
        kind: HOSTILE.into(),
        message: HOSTILE.into(),
        said: HOSTILE.into(),
        endpoint: HOSTILE.into(),
        peer: HOSTILE.into(),
        integration: HOSTILE.into(),
        first_version: HOSTILE.into(),
        ..group()
    };
    let one = page(&hostile, &[pin(HOSTILE)]);
    let asked = Which::default();
    let list = listed(frame(), &[hostile], &asked, "24h".into(), NOW).render().unwrap();
    for html in [one, list] {
        assert!(!html.contains("<script>alert") && !html.contains("<img src=x"), "{html}");
        assert!(html.contains("&#60;script&#62;alert(1)"));
    }
}

#[test]
fn an_empty_list_says_how_to_fill_it() {
    let html = listed(frame(), &[], &Which::default(), "24h".into(), NOW).render().unwrap();
    assert!(html.contains("No call failed in this stretch") && html.contains("integration.payload"));
    let html = listed(frame(), &[group()], &Which::default(), "24h".into(), NOW).render().unwrap();
    assert!(html.contains("1,204 failures in one way"), "{html}");
}

#[test]
fn a_period_is_widened_to_whole_hours() {
    let query = hours(Period::last(60, NOW));
    assert_eq!((query.from_hour, query.to_hour), (NOW / HOUR - 1, NOW / HOUR + 1));
}
