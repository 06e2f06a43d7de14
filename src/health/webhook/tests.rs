//! Webhooks turned away, sent twice, answered slowly, not sent, given up.

use std::sync::Arc;

use crate::health::trial::{Said, Trial, outbound, whose};
use crate::rollup::window::Minute;
use crate::signals::call::Class;
use crate::signals::observation::{CallKey, Direction};
use crate::signals::provider::{Citation, Delivery, Length, Provider, Providers};
use crate::signals::signal::{Label, Signal};

const DELIVERIES: &str = "integration.webhook.deliveries";

fn delivered(now: Minute, said: &mut Said, result: &str, reason: &str, count: f64) {
    let mut labels = vec![
        ("integration.webhook.provider", "stripe"),
        ("integration.webhook.event_type", "invoice.paid"),
        ("integration.webhook.result", result),
    ];
    if !reason.is_empty() {
        labels.push(("integration.webhook.reason", reason));
    }
    said.count(now, &whose("shop"), DELIVERIES, &labels, count);
}

fn minutes(trial: &mut Trial, minutes: usize, kinds: &[(&str, &str, f64)]) {
    for _ in 0..minutes {
        trial.minute(&[whose("shop")], |now, said| {
            for (result, reason, count) in kinds {
                delivered(now, said, result, reason, *count);
            }
        });
    }
}

fn rate(trial: &Trial, reason: &str) -> Option<f64> {
    let all = trial.of(Signal::WebhookRejectRate, Label::Reason);
    all.iter().find(|(known, _)| known == reason).map(|(_, share)| *share)
}

#[test]
fn a_secret_that_the_vendor_rotated_shows_within_minutes_and_is_seen_to_be_well_again() {
    let mut trial = Trial::new();
    minutes(&mut trial, 30, &[("accepted", "", 4.0)]);
    assert_eq!(rate(&trial, "bad_signature"), Some(0.0));
    minutes(&mut trial, 5, &[("rejected", "bad_signature", 4.0)]);
    assert_eq!(rate(&trial, "bad_signature"), Some(0.5));
    assert_eq!(rate(&trial, "malformed"), Some(0.0));
    minutes(&mut trial, 200, &[("accepted", "", 4.0)]);
    assert_eq!(rate(&trial, "bad_signature"), Some(0.0), "long after the last one");
}

#[test]
fn one_rejection_is_no_rate_and_five_of_five_are() {
    let mut trial = Trial::new();
    minutes(&mut trial, 40, &[("accepted", "", 1.0)]);
    minutes(&mut trial, 1, &[("rejected", "malformed", 1.0)]);
    assert_eq!(rate(&trial, "malformed"), None, "under three there is nothing to say");
    let mut quiet = Trial::new();
    for _ in 0..5 {
        minutes(&mut quiet, 1, &[("rejected", "bad_signature", 1.0)]);
        minutes(&mut quiet, 20, &[]);
    }
    assert_eq!(rate(&quiet, "bad_signature"), Some(1.0));
}

#[test]
fn a_storm_of_duplicates_jumps_and_the_usual_share_does_not() {
    let jump = Signal::WebhookDuplicateJump;
    let mut trial = Trial::new();
    minutes(&mut trial, 60 * 5, &[("accepted", "", 9.0), ("duplicate", "", 1.0)]);
    let usual = trial.only(jump).unwrap();
    assert!(usual == 0.0 || (0.9..1.1).contains(&usual), "{usual}");
    minutes(&mut trial, 10, &[("accepted", "", 4.0), ("duplicate", "", 6.0)]);
    assert!(trial.only(jump).is_some_and(|times| times > 5.0), "{:?}", trial.only(jump));
}

#[test]
fn a_handler_slower_than_the_vendor_waits_is_held_against_its_timeout() {
    let mut trial = Trial::new();
    let wait = Length { said: "20 s".into(), seconds: 20 };
    let delivery = Delivery { answer_within: wait, cited: Citation::default() };
    let vendor = Provider { id: "stripe".into(), delivery: Some(delivery), ..Provider::default() };
    trial.context.providers = Arc::new(Providers::new(vec![vendor]));
    let key = CallKey { direction: Direction::Inbound, ..outbound("shop", "", "POST /webhooks/stripe") };
    let mut answer = |seconds: u64| {
        for _ in 0..10 {
            trial.minute(&[whose("shop")], |now, said| {
                delivered(now, said, "accepted", "", 8.0);
                for at in said.calls(now, &key, Class::Ok, 8) {
                    said.seen.calls[at].duration_us = seconds * 1_000_000;
                }
                // Another route of ours is none of the vendor's.
                let other = CallKey { endpoint: Arc::from("GET /status"), ..key.clone() };
                for at in said.calls(now, &other, Class::Ok, 8) {
                    said.seen.calls[at].duration_us = 60_000_000;
                }
            });
        }
        trial.only(Signal::WebhookP95OfTimeout).unwrap()
    };
    let (fast, slow) = (answer(1), answer(18));
    assert!((0.04..0.06).contains(&fast), "{fast}");
    assert!((0.85..0.95).contains(&slow), "{slow}");
}

#[test]
fn what_is_derived_from_spans_counts_only_where_nobody_counts() {
    let mut trial = Trial::new();
    let derived = |now: Minute, said: &mut Said| {
        let labels = [
            ("integration.webhook.provider", "stripe"),
            ("integration.webhook.event_type", "/webhooks/stripe"),
            ("integration.webhook.result", "rejected"),
            ("integration.webhook.reason", "bad_signature"),
        ];
        said.count(now, &whose("shop"), "integration.webhook.span_deliveries", &labels, 5.0);
    };
    for _ in 0..10 {
        trial.minute(&[whose("shop")], derived);
    }
    assert_eq!(rate(&trial, "bad_signature"), Some(1.0));
    minutes(&mut trial, 5, &[("accepted", "", 5.0)]);
    assert_eq!(rate(&trial, "bad_signature"), Some(0.0));
}

#[test]
fn what_was_given_up_is_told_for_a_day() {
    let dead = Signal::WebhookDeadLettered;
    let mut trial = Trial::new();
    minutes(&mut trial, 10, &[("accepted", "", 4.0)]);
    assert_eq!(trial.only(dead), Some(0.0));
    minutes(&mut trial, 1, &[("dead_lettered", "", 2.0)]);
    assert_eq!(trial.only(dead), Some(2.0));
    minutes(&mut trial, 60 * 20, &[("accepted", "", 1.0)]);
    assert_eq!(trial.only(dead), Some(2.0));
    minutes(&mut trial, 60 * 6, &[("accepted", "", 1.0)]);
    assert_eq!(trial.only(dead), Some(0.0));
}

#[test]
fn an_event_type_that_stops_coming_is_missed() {
    let missed = Signal::WebhookMissed;
    let mut trial = Trial::new();
    for minute in 0..29 * 24 * 60 {
        let comes = if minute % 15 == 0 { 15.0 } else { 0.0 };
        trial.minute(&[whose("shop")], |now, said| {
            if comes > 0.0 {
                delivered(now, said, "accepted", "", comes);
            }
        });
    }
    assert_eq!(trial.of(missed, Label::EventType), [("invoice.paid".to_owned(), 0.0)]);
    // The last came a quarter of an hour ago.
    minutes(&mut trial, 5, &[]);
    assert_eq!(trial.only(missed), Some(0.0), "it waited little longer than it often does");
    minutes(&mut trial, 10, &[]);
    assert!(trial.only(missed).is_some_and(|missed| missed >= 14.0), "{:?}", trial.only(missed));
}
