use std::borrow::Cow;

use super::*;
use crate::signals::heartbeat::Report;
use crate::signals::telemetry::{Attributes, Point, PointValue, SpanKind, Status, Value};

mod derived;

const NOW: Nanos = 1_800_000_000_000_000_000;

fn attributes(pairs: &[(&'static str, &str)]) -> Attributes<'static> {
    let mut list = Attributes::default();
    for (key, value) in pairs {
        let value = value.parse().map_or_else(|_| Value::Str(Cow::Owned((*value).to_owned())), Value::Int);
        list.push(Cow::Borrowed(*key), value);
    }
    list
}

fn span(id: u8, pairs: &[(&'static str, &str)]) -> Span<'static> {
    let failed =
        pairs.iter().any(|(key, value)| key.ends_with("status_code") && value.starts_with(['4', '5']));
    Span {
        trace_id: [1; 16],
        span_id: [id; 8],
        parent_span_id: [9; 8],
        name: Cow::Borrowed("GET"),
        kind: SpanKind::Client,
        start: NOW + i64::from(id) * 1_000_000,
        end: NOW + i64::from(id) * 1_000_000 + 250_000_000,
        status: if failed { Status::Error } else { Status::Unset },
        attributes: attributes(pairs),
        ..Span::default()
    }
}

fn observe(spans: &[Span<'static>]) -> Observations {
    let resource = attributes(&[("integration.name", "shop"), ("integration.tier", "critical")]);
    let scope = Attributes::default();
    let origin = Origin { resource_index: 0, resource: &resource, scope_name: "", scope: &scope };
    let own = vec![("127.0.0.1".to_owned(), 4318)];
    let mut observer = Observer::new(Arc::new(Rules { own_addresses: own, ..Rules::default() }), NOW);
    for span in spans {
        observer.span(&origin, span).unwrap();
    }
    observer.finish()
}

const POST: (&str, &str) = ("http.request.method", "POST");
const URL: (&str, &str) = ("url.full", "https://api.example/v1/orders/42");
fn status(code: &str) -> (&'static str, &str) {
    ("http.response.status_code", code)
}

#[test]
fn old_python_names_and_stable_node_names_give_the_same_series() {
    let old = span(
        1,
        &[
            ("http.method", "GET"),
            ("http.url", "https://api.example/v1/orders/42?x=1"),
            ("http.status_code", "200"),
        ],
    );
    let new =
        span(2, &[("http.request.method", "GET"), URL, status("200"), ("server.address", "api.example")]);
    let seen = observe(&[old, new]);
    assert_eq!(seen.series.len(), 1);
    let key = &seen.series[0];
    assert_eq!(
        (&*key.peer, &*key.endpoint, key.direction),
        ("api.example", "GET /v1/orders/{id}", Direction::Outbound)
    );
    assert_eq!(seen.calls[0].duration_us, 250_000);
    assert_eq!(seen.integrations.len(), 1);
    assert_eq!(seen.integrations[0].tier, "critical");
}

#[test]
fn a_retry_replaces_the_sibling_before_it() {
    let first = span(1, &[POST, URL, status("503")]);
    let second = span(2, &[POST, URL, status("200"), ("http.request.resend_count", "1")]);
    let seen = observe(&[first, second]);
    assert_eq!(seen.calls[1].supersedes, Some(Class::Server));
    assert_eq!(seen.calls[0].operation, seen.calls[1].operation, "one operation");
}

#[test]
fn a_retry_whose_attempt_is_elsewhere_is_unlinked_unless_it_says() {
    let lone = span(1, &[POST, URL, status("200"), ("http.request.resend_count", "2")]);
    assert!(observe(&[lone]).calls[0].unlinked_retry);
    let says = span(
        1,
        &[
            POST,
            URL,
            status("200"),
            ("integration.retry.attempt", "1"),
            ("integration.retry.of", "throttled"),
        ],
    );
    let seen = observe(&[says]);
    assert_eq!((seen.calls[0].supersedes, seen.calls[0].unlinked_retry), (Some(Class::Throttled), false));
}

#[test]
fn a_loop_of_500_posts_is_not_one_call() {
    let spans: Vec<_> = (0..=255).map(|id| span(id, &[POST, URL, status("500")])).collect();
    let seen = observe(&spans);
    assert!(seen.calls.iter().all(|call| call.supersedes.is_none() && !call.unlinked_retry));
    let operations: std::collections::HashSet<u64> = seen.calls.iter().map(|call| call.operation).collect();
    assert_eq!(operations.len(), spans.len());
}

#[test]
fn siblings_with_one_idempotency_key_are_one_operation() {
    let key = ("integration.idempotency.key_hash", "abc");
    let seen =
        observe(&[span(1, &[POST, URL, status("503"), key]), span(2, &[POST, URL, status("201"), key])]);
    assert_eq!(seen.calls[1].supersedes, Some(Class::Server));
    assert!(seen.calls[0].keyed && seen.calls[0].operation == seen.calls[1].operation);
}

#[test]
fn calls_to_ourselves_and_internal_spans_are_no_calls() {
    let own = span(1, &[POST, ("url.full", "http://localhost:4318/v1/traces"), status("200")]);
    let internal = Span { kind: SpanKind::Internal, ..span(2, &[("http.route", "/x")]) };
    let named = Span { kind: SpanKind::Internal, ..span(3, &[("integration.endpoint", "import")]) };
    let seen = observe(&[own, internal, named]);
    assert_eq!(seen.calls.len(), 1);
    assert_eq!(&*seen.series[0].endpoint, "import");
}

#[test]
fn a_time_in_the_future_is_that_of_receipt_and_is_counted() {
    let mut late = span(1, &[POST, URL, status("200")]);
    (late.start, late.end) = (NOW + 2 * AHEAD, NOW + 2 * AHEAD - 1);
    let seen = observe(&[late]);
    assert_eq!((seen.calls[0].end, seen.calls[0].duration_us), (NOW, 0));
    assert_eq!(seen.notices.len(), 2);
}

#[test]
fn points_become_queues_slots_and_runs_or_are_refused_with_a_reason() {
    let resource = attributes(&[("service.name", "worker")]);
    let scope = Attributes::default();
    let origin = Origin { resource_index: 0, resource: &resource, scope_name: "", scope: &scope };
    let mut observer = Observer::new(Arc::default(), NOW);
    let mut point = |metric, pairs: &[(&'static str, &str)], value: f64| {
        let attributes = attributes(pairs);
        let value = PointValue::Gauge(value);
        observer
            .point(&origin, &Point { metric, unit: "", start: 0, time: NOW, attributes: &attributes, value })
    };
    let queue = ("integration.queue.name", "orders");
    point("integration.queue.depth", &[queue], 7.0).unwrap();
    assert_eq!(point("integration.queue.depth", &[], 7.0).unwrap_err(), "no integration.queue.name");
    assert!(point("integration.queue.depth", &[queue], -1.0).is_err());
    assert!(point("integration.queue.depth", &[queue], f64::NAN).is_err());
    let id = ("integration.credential.id", "oauth");
    point("integration.credential.info", &[id, ("integration.credential.renewal", "manual")], 1.0).unwrap();
    point("integration.credential.expires_at", &[id], 1_900_000_000.0).unwrap();
    assert!(point("integration.credential.expires_at", &[id], 1e18).is_err());
    let run = [("integration.reconciliation.name", "orders"), ("integration.reconciliation.run_id", "r1")];
    point("integration.reconciliation.expected", &run, 10.0).unwrap();
    point("integration.reconciliation.matched", &run, 9.0).unwrap();
    point("some.other.metric", &[], 1.0).unwrap();
    let seen = observer.finish();
    assert_eq!(seen.gauges[0].key.attribute("integration.queue.state"), Some("ready"));
    assert_eq!(seen.slots.len(), 1, "one slot of one request");
    assert_eq!(seen.slots[0].expires_at, Some(1_900_000_000));
    assert_eq!((seen.reconciliations[0].expected, seen.reconciliations[0].matched), (10, 9));
}

#[test]
fn a_report_is_a_run_a_call_a_depth_a_slot_and_a_reconciliation() {
    let mut observer = Observer::new(Arc::default(), NOW);
    let report = Report {
        status: Some("failure".into()),
        queue_depth: Some(3.0),
        token_expires_at: Some(1_900_000_000),
        expected: Some(10),
        reconciled: Some(9),
        connection: Some("acme".into()),
        next_at: Some(1_800_003_600),
        records: Some(4),
        ..Report::default()
    };
    observer.report("zap", &report).unwrap();
    let seen = observer.finish();
    assert_eq!(seen.calls[0].class, Class::Failed);
    assert_eq!(seen.series[0].source, Source::Report);
    assert_eq!((seen.gauges.len(), seen.slots.len(), seen.runs.len()), (1, 1, 1));
    assert!(seen.reconciliations[0].net_only);
    assert_eq!(seen.calls[0].connection.map(|at| &*seen.names[at as usize]), Some("acme"));
    assert_eq!((seen.runs[0].next_at, seen.runs[0].written), (Some(1_800_003_600), Some(4)));
    let mut observer = Observer::new(Arc::default(), NOW);
    observer.report("zap", &Report::default()).unwrap();
    let seen = observer.finish();
    assert_eq!((seen.runs[0].outcome.as_str(), seen.calls.len()), ("beat", 0));
}
