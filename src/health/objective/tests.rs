//! Allowances that burn slowly and fast.

use crate::health::trial::{Trial, outbound, whose};
use crate::signals::call::Class;
use crate::signals::signal::Signal;

const BURN: Signal = Signal::SloBurnRate;

fn trial() -> Trial {
    let mut trial = Trial::new();
    trial.context.tiers.insert("crm".into(), "critical".into());
    trial
}

/// A hundred calls in ten minutes, of which so many fail.
fn tens(trial: &mut Trial, tens: usize, bad: u64) {
    let key = outbound("crm", "api.crm.example", "POST /contacts");
    for _ in 0..tens {
        for at in 0..10 {
            trial.minute(&[whose("crm")], |now, said| {
                let failed = bad / 10 + u64::from(at < bad % 10);
                said.calls(now, &key, Class::Server, failed);
                said.calls(now, &key, Class::Ok, 10 - failed);
            });
        }
    }
}

#[test]
fn one_failure_in_a_hundred_for_days_is_a_slow_burn_on_the_critical_tier() {
    let mut trial = trial();
    tens(&mut trial, 6 * 24 * 2, 0);
    assert_eq!(trial.only(BURN), Some(0.0));
    tens(&mut trial, 6 * 24 * 2, 1);
    let slow = trial.only(BURN).unwrap();
    assert!(slow > 1.0 && slow <= 6.0, "{slow}: {}", trial.why(BURN));
    assert!(trial.why(BURN).contains("in 3 d"), "{}", trial.why(BURN));
}

#[test]
fn a_tenth_of_an_allowance_is_quiet_and_a_quarter_of_all_calls_is_a_fast_burn() {
    let mut quiet = trial();
    for _ in 0..6 * 6 {
        tens(&mut quiet, 1, 1);
        tens(&mut quiet, 9, 0);
    }
    assert!(quiet.only(BURN).is_some_and(|burn| burn < 1.0), "{:?}", quiet.only(BURN));
    let mut fast = trial();
    tens(&mut fast, 6 * 7, 0);
    tens(&mut fast, 3, 25);
    let burn = fast.only(BURN).unwrap();
    assert!(burn > 6.0, "{burn}: {}", fast.why(BURN));
    // It is over: the short window says so long before the long one does.
    tens(&mut fast, 4, 0);
    assert!(fast.only(BURN).is_some_and(|burn| burn <= 6.0), "{:?}: {}", fast.only(BURN), fast.why(BURN));
}

#[test]
fn nine_failures_are_no_verdict() {
    let mut trial = trial();
    tens(&mut trial, 1, 9);
    assert_eq!(trial.only(BURN), Some(0.0));
    assert_eq!(trial.why(BURN), "fewer than 10 failures in 3 d");
}
