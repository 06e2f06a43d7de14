use std::sync::Arc;

use super::*;
use crate::health::blind::blind_spots;
use crate::rollup::measure::CounterRow;
use crate::rollup::window::Minute;
use crate::signals::credential;
use crate::signals::measure::{Aspect, CounterKey, SeriesKey};
use crate::signals::observation::{Call, CallKey, Direction, Observations, Source};
use crate::signals::vocabulary::Attr;

fn key() -> IntegrationKey {
    IntegrationKey { environment: "production".into(), name: "crm".into() }
}

/// A day in which `count` calls of a class are made in a minute of each hour.
fn calls(part: &mut Part, minute: i64, class: Class, count: u64, change: impl Fn(Call) -> Call) {
    for hour in 0..24 {
        let now = Minute(29_000_040 + hour * 60 + minute);
        let mut seen = Observations::default();
        seen.series.push(CallKey {
            integration: key(),
            direction: Direction::Outbound,
            peer: "api.example".into(),
            endpoint: "POST /orders".into(),
            source: Source::Span,
        });
        seen.calls.extend((0..count).map(|n| change(Call::plain(0, now.start(), 1_000, class, n))));
        part.absorb(&seen, now.start());
    }
}

fn count(part: &mut Part, metric: Metric, attributes: &[(Attr, &str)], sum: f64) {
    let attributes =
        attributes.iter().map(|(attr, value)| (Arc::from(attr.name()), Arc::from(*value))).collect();
    let series = SeriesKey { integration: key(), metric: metric.name().into(), unit: "".into(), attributes };
    let key = CounterKey { series, aspect: Aspect::Value };
    part.counters.insert((Minute(29_000_000), Arc::new(key)), CounterRow { sum });
}

fn found(day: &Part, states: &Part, failures: (u64, u64)) -> Vec<Line> {
    checklist(&Evidence { key: &key(), day, states, values: &[], failures, rules: &[] })
}

fn verdict(lines: &[Line], title: &str) -> (Verdict, String) {
    let line = lines.iter().find(|line| line.title.contains(title)).unwrap();
    assert_eq!(line.fix.is_empty(), !matches!(line.verdict, Verdict::Missing | Verdict::Unknown), "{title}");
    (line.verdict, line.evidence.clone())
}

#[test]
fn what_no_telemetry_speaks_of_is_never_met() {
    let lines = found(&Part::default(), &Part::default(), (0, 0));
    assert_eq!(lines.len(), 14);
    assert!(lines.iter().all(|line| line.verdict != Verdict::Met), "{lines:?}");
}

#[test]
fn writes_need_keys() {
    let keyed = |keyed: bool| {
        let mut day = Part::default();
        calls(&mut day, 30, Class::Ok, 5, |call| Call { write: true, keyed, ..call });
        verdict(&found(&day, &Part::default(), (0, 0)), "idempotency")
    };
    assert_eq!(keyed(true), (Verdict::Met, "120 of 120 writes in a day carried a key".into()));
    assert_eq!(keyed(false).0, Verdict::Missing);
}

#[test]
fn who_starts_at_the_full_hour_is_told_by_how_much() {
    let mut day = Part::default();
    calls(&mut day, 1, Class::Ok, 10, |call| call);
    let (found_verdict, evidence) = verdict(&found(&day, &Part::default(), (0, 0)), "full hour");
    assert_eq!((found_verdict, evidence.starts_with("12.0 times")), (Verdict::Missing, true), "{evidence}");
    calls(&mut day, 31, Class::Ok, 50, |call| call);
    assert_eq!(verdict(&found(&day, &Part::default(), (0, 0)), "full hour").0, Verdict::Met);
}

#[test]
fn retries_are_seen_where_something_failed_in_passing() {
    let with = |retries: bool| {
        let mut day = Part::default();
        calls(&mut day, 30, Class::Network, 1, |call| call);
        if retries {
            calls(&mut day, 30, Class::Ok, 1, |call| Call { supersedes: Some(Class::Network), ..call });
        }
        verdict(&found(&day, &Part::default(), (0, 0)), "Retries").0
    };
    assert_eq!((with(true), with(false)), (Verdict::Met, Verdict::Missing));
}

#[test]
fn a_token_of_a_person_is_named() {
    let mut states = Part::default();
    let mut seen = Observations::default();
    for (id, owner) in [("robot", "service_account"), ("of-ana", "person")] {
        let mut slot = credential::empty(key(), id, 5);
        slot.owner_type = Some(owner.into());
        slot.expires_at = Some(9_999_999_999);
        seen.slots.push(slot);
    }
    states.absorb(&seen, 5);
    let lines = found(&Part::default(), &states, (0, 0));
    assert_eq!(verdict(&lines, "service account"), (Verdict::Missing, "of-ana belongs to a person".into()));
    assert_eq!(verdict(&lines, "credentials expire").0, Verdict::Met);
}

#[test]
fn events_without_a_queue_and_signatures_that_were_refused_are_told() {
    let mut day = Part::default();
    count(&mut day, Metric::WebhookDeliveries, &[(Attr::WebhookReason, "bad_signature")], 3.0);
    count(&mut day, Metric::WebhookDeliveries, &[(Attr::WebhookResult, "accepted")], 97.0);
    let lines = found(&day, &Part::default(), (0, 0));
    assert_eq!(verdict(&lines, "queue").0, Verdict::Missing);
    assert_eq!(
        verdict(&lines, "webhooks"),
        (Verdict::Met, "3 of 100 deliveries were rejected for their signature".into())
    );
}

#[test]
fn failures_without_their_answers_are_told() {
    let of =
        |failures| verdict(&found(&Part::default(), &Part::default(), failures), "Logs what came back").0;
    assert_eq!([of((0, 0)), of((9, 0)), of((9, 8))], [Verdict::Unknown, Verdict::Missing, Verdict::Met]);
}

#[test]
fn a_signal_that_arrives_and_that_no_rule_judges_is_a_blind_spot() {
    let mut day = Part::default();
    calls(&mut day, 30, Class::Ok, 5, |call| call);
    let rules = [("success-rate-low".to_owned(), vec![Signal::CallSuccessRate])];
    let states = Part::default();
    let evidence =
        Evidence { key: &key(), day: &day, states: &states, values: &[], failures: (0, 0), rules: &rules };
    let spots = blind_spots(&evidence);
    let spot = |title: &str| spots.iter().find(|spot| spot.title.contains(title)).unwrap();
    assert_eq!((spot("Success rate").arrives, spot("Success rate").rules.len()), (true, 1));
    assert_eq!((spot("Latency").arrives, spot("Latency").rules.len()), (true, 0));
    assert!(!spot("Queue depth").arrives && !spot("Queue depth").fix.is_empty());
}
