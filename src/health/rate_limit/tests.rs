//! Limits that last, that do not, and that others use.

use crate::health::rate_limit::NEVER;
use crate::health::trial::{MONDAY, Trial, outbound, whose};
use crate::signals::call::Class;
use crate::signals::signal::{Label, Signal};

const HEADROOM: Signal = Signal::RateLimitHeadroom;
const EXHAUSTS: Signal = Signal::RateLimitExhaustsIn;
const FOREIGN: Signal = Signal::RateLimitForeignShare;
const HOST: &str = "api.shop.example";

/// A limit of 1,000 an hour that falls by `fall` a minute while we call `own` times a minute.
fn minutes(trial: &mut Trial, minutes: i64, fall: i64, own: u64) {
    for _ in 0..minutes {
        trial.minute(&[whose("shop")], |now, said| {
            let labels = [
                ("server.address", HOST),
                ("integration.rate_limit.name", "hour"),
                ("integration.rate_limit.account", "acme"),
            ];
            let into = now.0.rem_euclid(60);
            let reset = (now.0 - into + 60) * 60;
            let left = (1_000 - fall * (into + 1)).max(0);
            for (metric, value) in [("limit", 1_000), ("remaining", left), ("resets_at", reset)] {
                let metric = format!("integration.rate_limit.{metric}");
                said.gauge(now, &whose("shop"), &metric, &labels, value as f64);
            }
            said.calls(now, &outbound("shop", HOST, "GET /orders"), Class::Ok, own);
        });
    }
}

#[test]
fn a_limit_that_lasts_until_its_reset_does_not_run_out() {
    let mut trial = Trial::new();
    assert_eq!(MONDAY.0.rem_euclid(60), 0);
    minutes(&mut trial, 100, 10, 10);
    assert_eq!(trial.only(EXHAUSTS), Some(NEVER));
    assert_eq!(trial.only(HEADROOM), Some(0.6));
    assert_eq!(trial.only(FOREIGN), Some(0.0), "all of it is ours");
    let account = trial.of(HEADROOM, Label::Account);
    assert_eq!(account, [("acme".to_owned(), 0.6)]);
}

#[test]
fn one_that_ends_before_its_reset_is_foreseen() {
    let mut trial = Trial::new();
    minutes(&mut trial, 60 + 30, 25, 25);
    let left = trial.only(EXHAUSTS).unwrap();
    assert!((500.0..700.0).contains(&left), "{left}");
    assert!(trial.why(EXHAUSTS).contains("it falls by 25 a minute"), "{}", trial.why(EXHAUSTS));
    minutes(&mut trial, 15, 25, 25);
    assert_eq!(trial.only(EXHAUSTS), Some(0.0));
    // Nobody calls any more; the hour turns.
    for _ in 0..20 {
        trial.minute(&[whose("shop")], |_, _| {});
    }
    assert_eq!((trial.only(HEADROOM), trial.only(EXHAUSTS)), (Some(1.0), Some(NEVER)));
}

#[test]
fn what_others_use_is_told_from_what_we_use() {
    let mut trial = Trial::new();
    minutes(&mut trial, 60 + 30, 25, 3);
    let share = trial.only(FOREIGN).unwrap();
    assert!((0.8..0.95).contains(&share), "{share}");
    assert!(trial.why(FOREIGN).contains("of them ours"), "{}", trial.why(FOREIGN));
}

#[test]
fn a_limit_of_ten_seconds_makes_no_forecast() {
    let mut trial = Trial::new();
    for minute in 0..60 {
        trial.minute(&[whose("shop")], |now, said| {
            let labels = [("server.address", HOST)];
            let left = [40.0, 7.0, 90.0, 3.0, 55.0, 12.0][minute % 6];
            said.gauge(now, &whose("shop"), "integration.rate_limit.limit", &labels, 100.0);
            said.gauge(now, &whose("shop"), "integration.rate_limit.remaining", &labels, left);
        });
        assert!(trial.only(EXHAUSTS).is_none_or(|left| left == NEVER), "{minute}");
        assert_eq!(trial.only(FOREIGN), None, "{minute}");
    }
}

#[test]
fn calls_that_crowd_at_the_full_hour_are_said() {
    let mut trial = Trial::new();
    minutes(&mut trial, 60, 1, 0);
    for minute in 0..60 {
        minutes_with(&mut trial, if minute < 5 { 20 } else { 1 });
    }
    assert!(trial.why(HEADROOM).contains("in the first 5 minutes of an hour"), "{}", trial.why(HEADROOM));
}

fn minutes_with(trial: &mut Trial, own: u64) {
    minutes(trial, 1, 1, own);
}
