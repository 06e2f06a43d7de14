//! Connections, rate limits and webhooks as the page and the API read them.

use crate::health::value::Value;
use crate::rollup::measure::Deltas;
use crate::rollup::window::{Minute, Part};
use crate::signals::call::Class;
use crate::signals::measure::{Aspect, CounterKey, SeriesKey};
use crate::signals::observation::{Call, CallKey, Direction, Gauge, GaugeKey, Source};
use crate::signals::provider::Providers;
use crate::signals::signal::{Label, Signal};
use crate::web::view::{connection, delivery, limit};

use super::sample::{NOW, key, say};

/// So many calls of a class for a connection.
fn calls(part: &mut Part, id: &str, class: Class, count: u64) {
    let series = CallKey {
        integration: key("shop"),
        direction: Direction::Outbound,
        peer: "api.example.com".into(),
        endpoint: "PUT /orders/{id}".into(),
        source: Source::Span,
    };
    say(part, |seen| {
        seen.series.push(series);
        seen.names.push(id.into());
        seen.calls = (0..count)
            .map(|n| Call { connection: Some(0), ..Call::plain(0, NOW - n as i64, 1_000, class, n) })
            .collect();
    });
}

#[test]
fn connections_that_fail_stand_first_and_say_with_what() {
    let mut part = Part::default();
    calls(&mut part, "acme", Class::Ok, 40);
    calls(&mut part, "acme", Class::Server, 4);
    calls(&mut part, "globex", Class::Auth, 3);
    calls(&mut part, "initech", Class::Ok, 9);
    calls(&mut part, "umbrella", Class::Auth, 2);
    let all = connection::connections(&part, &key("shop"));
    let said: Vec<(&str, bool, Option<Class>)> =
        all.iter().map(|one| (&*one.id, one.is_failing(), one.fails)).collect();
    assert_eq!(
        said,
        [
            ("globex", true, Some(Class::Auth)),
            ("umbrella", false, Some(Class::Auth)),
            ("acme", false, Some(Class::Server)),
            ("initech", false, None),
        ],
        "two failures are too few to say that it fails"
    );
    assert_eq!(connection::connections(&part, &key("other")), []);
}

#[test]
fn a_limit_is_what_was_said_last_with_what_the_tick_made_of_it() {
    let mut part = Part::default();
    for (metric, value, back) in [
        ("remaining", 900.0, 60),
        ("remaining", 400.0, 10),
        ("limit", 1_000.0, 10),
        ("resets_at", 1_763_980_000.0, 10),
    ] {
        let gauge = GaugeKey {
            integration: key("shop"),
            metric: format!("integration.rate_limit.{metric}").into(),
            unit: "".into(),
            attributes: vec![
                ("integration.rate_limit.name".into(), "hour".into()),
                ("server.address".into(), "api.example.com".into()),
            ],
            additive: false,
            reporter: 1,
        };
        say(&mut part, |seen| {
            seen.gauges.push(Gauge { key: gauge, time: NOW - back * 1_000_000_000, value })
        });
    }
    let said = |signal, value| {
        let shared = Value::shared(signal, value, NOW).with(Label::Provider, "api.example.com");
        shared.with(Label::Account, "api.example.com").with(Label::Limit, "hour")
    };
    let values = [
        said(Signal::RateLimitHeadroom, 0.4),
        said(Signal::RateLimitExhaustsIn, 600.0),
        said(Signal::RateLimitForeignShare, 0.7),
    ];
    let all = limit::limits(&part, &values, &Providers::default(), &key("shop"));
    let [one] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(one.remaining.map(|(_, left)| left), Some(400.0));
    assert_eq!(one.of.map(|(_, of)| of), Some(1_000.0));
    assert_eq!((one.headroom, one.exhausts_in, one.foreign), (Some(0.4), Some(600.0), Some(0.7)));
    let lasting = [said(Signal::RateLimitExhaustsIn, crate::health::rate_limit::NEVER)];
    let lasting = limit::limits(&part, &lasting, &Providers::default(), &key("shop"));
    assert_eq!(lasting[0].exhausts_in, None, "the reset comes first");
}

#[test]
fn deliveries_are_counted_by_event_and_one_that_does_not_come_is_there_too() {
    let mut part = Part::default();
    let count = |result: &str, reason: &str, sum: f64| {
        let mut attributes = vec![
            ("integration.webhook.event_type".into(), "invoice.paid".into()),
            ("integration.webhook.provider".into(), "stripe".into()),
            ("integration.webhook.result".into(), result.into()),
        ];
        if !reason.is_empty() {
            attributes.insert(1, ("integration.webhook.reason".into(), reason.into()));
        }
        attributes.sort();
        let series = SeriesKey {
            integration: key("shop"),
            metric: "integration.webhook.deliveries".into(),
            unit: "".into(),
            attributes,
        };
        (Minute::of(NOW), CounterKey { series, aspect: Aspect::Value }, sum)
    };
    let counters = vec![count("accepted", "", 40.0), count("rejected", "bad_signature", 3.0)];
    part.absorb_deltas(&Deltas { counters, ..Deltas::default() });
    let missed = Value::of(Signal::WebhookMissed, &key("shop"), 31.0, NOW);
    let missed = missed.with(Label::WebhookProvider, "stripe").with(Label::EventType, "charge.refunded");
    let all = delivery::deliveries(&part, &[missed], &key("shop"));
    let said: Vec<(&str, f64, Option<f64>)> =
        all.iter().map(|one| (&*one.event_type, one.received(), one.missed)).collect();
    assert_eq!(said, [("charge.refunded", 0.0, Some(31.0)), ("invoice.paid", 43.0, None)]);
    assert_eq!(all[1].reasons.get("bad_signature"), Some(&3.0));
}
