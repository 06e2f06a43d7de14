//! Every fifth event dropped, and every status green.

use crate::health::trial::{Trial, outbound, whose};
use crate::signals::call::Class;
use crate::signals::signal::Signal;

const RATIO: Signal = Signal::WebhookWritesRatio;

/// Ten deliveries a minute by day and two by night, each written, but for one in `drop`; 0 drops none.
fn hours(trial: &mut Trial, hours: i64, drop: u64) {
    for _ in 0..hours * 60 {
        let night = trial.now.0.div_euclid(60).rem_euclid(24) < 6;
        let count = if night { 2 } else { 10 };
        trial.minute(&[whose("shop")], |now, said| {
            let labels = [
                ("integration.webhook.event_type", "order.created"),
                ("integration.webhook.result", "accepted"),
            ];
            said.count(now, &whose("shop"), "integration.webhook.deliveries", &labels, count as f64);
            let dropped =
                (0..count).filter(|at| drop > 0 && (now.0 as u64 * count + at).is_multiple_of(drop)).count();
            let written = count - dropped as u64;
            said.calls(now, &outbound("shop", "api.erp.example", "POST /orders"), Class::Ok, written);
            said.calls(now, &outbound("shop", "api.erp.example", "GET /stock"), Class::Ok, 3);
            said.calls(now, &outbound("shop", "login.erp.example", "POST /oauth/token"), Class::Ok, 1);
        });
    }
}

#[test]
fn every_fifth_event_dropped_with_all_answers_well_is_found_within_three_hours() {
    let mut trial = Trial::new();
    hours(&mut trial, 48, 0);
    assert_eq!(trial.only(RATIO), None, "two days are no past");
    hours(&mut trial, 48 + 9, 0);
    let well = trial.only(RATIO).unwrap();
    assert!((0.98..1.02).contains(&well), "{well}");
    trial.excluded = true;
    hours(&mut trial, 3, 5);
    let dropped = trial.only(RATIO).unwrap();
    assert!(dropped < 0.9, "{dropped}: {}", trial.why(RATIO));
    assert!(dropped > 0.7, "{dropped}");
    trial.excluded = false;
    hours(&mut trial, 3, 0);
    assert!(trial.only(RATIO).is_some_and(|ratio| ratio > 0.95), "{:?}", trial.only(RATIO));
}

#[test]
fn a_ratio_that_always_scatters_is_not_judged() {
    let mut trial = Trial::new();
    for hour in 0..100 {
        hours(&mut trial, 1, if hour % 5 < 2 { 3 } else { 0 });
    }
    assert_eq!(trial.only(RATIO), None);
}
