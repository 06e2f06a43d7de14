//! What is derived where the vocabulary's own telemetry is absent, and the events beside slots and runs.

use super::*;
use crate::signals::fact::{Hop, Said};
use crate::signals::provider::{Citation, Host, Provider, RateLimit};
use crate::signals::refresh;
use crate::signals::telemetry::Log;

fn with<T>(rules: Rules, take: impl FnOnce(&mut Observer, &Origin<'_, '_>) -> T) -> (Observations, T) {
    let resource = attributes(&[("integration.name", "shop")]);
    let scope = Attributes::default();
    let origin = Origin { resource_index: 0, resource: &resource, scope_name: "", scope: &scope };
    let mut observer = Observer::new(Arc::new(rules), NOW);
    let taken = take(&mut observer, &origin);
    (observer.finish(), taken)
}

fn spans(rules: Rules, spans: &[Span<'static>]) -> Observations {
    let take = |observer: &mut Observer, origin: &Origin<'_, '_>| {
        for span in spans {
            observer.span(origin, span).unwrap();
        }
    };
    with(rules, take).0
}

/// A span with captured headers.
fn headed(id: u8, pairs: &[(&'static str, &str)], headers: &[(&str, &str)]) -> Span<'static> {
    let mut span = span(id, pairs);
    for (name, value) in headers {
        span.attributes.push(Cow::Owned((*name).to_owned()), Value::Json(format!("[\"{value}\"]").into()));
    }
    span
}

#[test]
fn a_server_span_of_a_webhook_is_a_delivery_beside_its_call() {
    let mut one = headed(
        1,
        &[POST, ("http.route", "/webhooks/{source}"), status("200")],
        &[
            ("http.request.header.x-github-delivery", "72d3162e"),
            ("http.request.header.x-github-event", "push"),
        ],
    );
    one.kind = SpanKind::Server;
    let mut plain = span(2, &[POST, ("http.route", "/webhooks/{source}"), status("503")]);
    plain.kind = SpanKind::Server;
    let mut other = span(3, &[POST, ("http.route", "/orders"), status("200")]);
    other.kind = SpanKind::Server;
    let seen = spans(Rules::default(), &[one, plain, other]);
    assert_eq!((seen.calls.len(), seen.deliveries.len()), (3, 2));
    let said: Vec<_> =
        seen.deliveries.iter().map(|one| (&*one.provider, &*one.event_type, one.result)).collect();
    assert_eq!(said, [("github", "push", "accepted"), ("", "/webhooks/{source}", "rejected")]);
    assert!(seen.deliveries[0].id.is_some() && seen.deliveries[1].id.is_none());
    assert_eq!(seen.deliveries[1].reason, "handler_error");
    assert_eq!(seen.deliveries[0].time, seen.calls[0].end);
}

#[test]
fn what_is_left_of_a_limit_is_a_level_of_the_account_and_the_latest_of_a_request_stands() {
    let left = |id, left: &str, more: &[(&'static str, &str)]| {
        let mut pairs = vec![POST, URL, status("200")];
        pairs.extend(more);
        headed(
            id,
            &pairs,
            &[
                ("http.response.header.x-ratelimit-limit", "100"),
                ("http.response.header.x-ratelimit-remaining", left),
                ("http.response.header.x-ratelimit-reset", "60"),
            ],
        )
    };
    let connection = ("integration.connection.id", "acme");
    let account = ("integration.rate_limit.account", "team");
    let seen = spans(
        Rules::default(),
        &[
            left(2, "41", &[]),
            left(1, "42", &[]),
            left(3, "7", &[connection]),
            left(4, "6", &[connection, account]),
        ],
    );
    let of = |metric: &str, account: &str| -> Vec<f64> {
        let found = seen.gauges.iter().filter(|gauge| {
            &*gauge.key.metric == metric
                && gauge.key.attribute("integration.rate_limit.account") == Some(account)
                && gauge.key.attribute("server.address") == Some("api.example")
        });
        found.map(|gauge| gauge.value).collect()
    };
    let remaining = "integration.rate_limit.remaining";
    assert_eq!(of(remaining, "api.example"), [41.0], "the later, though it came first");
    assert_eq!((of(remaining, "acme"), of(remaining, "team")), (vec![7.0], vec![6.0]));
    assert_eq!(of("integration.rate_limit.limit", "team"), [100.0]);
    let resets = of("integration.rate_limit.resets_at", "team");
    assert_eq!(resets, [(NOW / 1_000_000_000 + 60) as f64]);
    assert_eq!(seen.gauges.len(), 9);
    assert!(seen.gauges.iter().all(|gauge| gauge.key.attributes.is_sorted()));
    assert!(spans(Rules::default(), &[span(1, &[POST, URL, status("200")])]).gauges.is_empty());
}

#[test]
fn a_vendors_limits_have_its_names() {
    let limit = |name: &str, header: &str| RateLimit {
        name: name.into(),
        headers: vec![("remaining", header.to_owned())],
        ..RateLimit::default()
    };
    let acme = Provider {
        id: "acme".into(),
        hosts: vec![Host { pattern: "api.example".into(), cited: Citation::default() }],
        rate_limits: vec![limit("day", "x-day"), limit("minute", "x-minute")],
        ..Provider::default()
    };
    let rules = Rules { providers: Arc::new(Providers::new(vec![acme])), ..Rules::default() };
    let headers = [("http.response.header.x-day", "900"), ("http.response.header.x_minute", "3")];
    let seen = spans(rules, &[headed(1, &[POST, URL, status("200")], &headers)]);
    let said: Vec<_> = seen
        .gauges
        .iter()
        .map(|gauge| (gauge.key.attribute("integration.rate_limit.name").unwrap(), gauge.value))
        .collect();
    assert_eq!(said, [("day", 900.0), ("minute", 3.0)]);
}

#[test]
fn a_call_to_a_token_endpoint_is_a_refresh_that_succeeded_or_failed() {
    let url = ("url.full", "https://login.example/oauth2/v1/token");
    let refused = ("error.type", "invalid_grant");
    let seen = spans(
        Rules::default(),
        &[
            span(1, &[POST, url, status("200"), ("integration.credential.id", "crm")]),
            span(2, &[POST, url, status("400"), refused]),
            span(3, &[POST, URL, status("200")]),
            span(4, &[("http.request.method", "GET"), url, status("200")]),
        ],
    );
    let said: Vec<Vec<&str>> = seen
        .counts
        .iter()
        .map(|count| count.key.series.attributes.iter().map(|(_, value)| &**value).collect())
        .collect();
    assert_eq!(said, [vec!["crm", "success"], vec!["invalid_grant", "peer:login.example", "failure"]]);
    assert!(
        seen.counts.iter().all(|count| &*count.key.series.metric == refresh::DERIVED && count.count == 1.0)
    );
    assert!(seen.slots.is_empty(), "an expiry that nobody said stays unknown");
}

fn log(event: &'static str, pairs: &[(&'static str, &str)], body: Value<'static>) -> Log<'static> {
    Log { event_name: event.into(), attributes: attributes(pairs), body, time: NOW, ..Log::default() }
}

#[test]
fn each_event_is_a_fact_or_refused_with_what_it_lacks() {
    const ID: (&str, &str) = ("integration.credential.id", "crm");
    const NAME: (&str, &str) = ("integration.reconciliation.name", "orders");
    const RUN: (&str, &str) = ("integration.reconciliation.run_id", "r1");
    const ENDPOINT: (&str, &str) = ("integration.endpoint", "GET /orders");
    type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);
    let cases: [Case; 7] = [
        ("integration.credential.refresh_failed", &[ID, ("error.type", "invalid_grant")], "error.type"),
        (
            "integration.connection.closed",
            &[("integration.connection.id", "acme")],
            "integration.connection.id",
        ),
        ("integration.reconciliation.missing", &[NAME, RUN], "integration.reconciliation.run_id"),
        (
            "integration.record",
            &[("integration.record.key_hash", "9f"), ("integration.record.hop", "written")],
            "integration.record.hop",
        ),
        (
            "integration.contract.shape",
            &[ENDPOINT, ("integration.contract.fingerprint", "f1")],
            "integration.contract.fingerprint",
        ),
        (
            "integration.contract.violation",
            &[ENDPOINT, ("integration.contract.path", "$.total")],
            "integration.contract.path",
        ),
        ("integration.webhook.rejected", &[("integration.webhook.reason", "bad_signature")], ""),
    ];
    let body = |event: &str| match event {
        "integration.contract.shape" => Value::Json(r#"{"$.total":["number"]}"#.into()),
        _ => Value::Json(r#"["a","b"]"#.into()),
    };
    for (event, pairs, lacks) in cases {
        let take = |observer: &mut Observer, origin: &Origin<'_, '_>| {
            observer.log(origin, &log(event, pairs, body(event))).map(|_| ())
        };
        let (seen, taken) = with(Rules::default(), take);
        taken.unwrap_or_else(|why| panic!("{event}: {why}"));
        assert_eq!((seen.facts.len(), seen.facts[0].time), (1, NOW), "{event}");
        if lacks.is_empty() {
            continue;
        }
        let short: Vec<_> = pairs.iter().filter(|(name, _)| *name != lacks).copied().collect();
        let take = |observer: &mut Observer, origin: &Origin<'_, '_>| {
            observer.log(origin, &log(event, &short, body(event))).map(|_| ())
        };
        let (seen, taken) = with(Rules::default(), take);
        assert_eq!(taken.unwrap_err(), format!("no {lacks}"), "{event}");
        assert!(seen.facts.is_empty());
    }
}

#[test]
fn a_plain_log_is_no_fact_and_a_hop_keeps_its_place() {
    let hop = [("integration.record.key_hash", "9f"), ("integration.record.hop", "confirmed")];
    let take = |observer: &mut Observer, origin: &Origin<'_, '_>| {
        observer.log(origin, &log("", &hop, Value::Empty)).unwrap();
        observer.log(origin, &log("some.other.event", &hop, Value::Empty)).unwrap();
        observer.log(origin, &log("integration.record", &hop, Value::Empty)).unwrap();
    };
    let (seen, ()) = with(Rules::default(), take);
    let [fact] = &seen.facts[..] else { panic!("one fact, not {}", seen.facts.len()) };
    assert!(matches!(&fact.said, Said::Hop(hop) if hop.hop == Hop::Confirmed));
    assert_eq!(&*fact.integration.name, "shop");
}
