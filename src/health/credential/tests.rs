//! Credentials lived through: the quiet ones stay well, the failures show within their time.

use std::sync::Arc;

use crate::health::trial::{Said, Trial, outbound, whose};
use crate::rollup::window::Minute;
use crate::signals::call::Class;
use crate::signals::credential::{SlotUpdate, empty};
use crate::signals::fact::{self, Fact, RefreshFailed};
use crate::signals::signal::{Label, Signal};

const REFUSED: Signal = Signal::CredentialRefreshRefused;
const FAILING: Signal = Signal::CredentialRefreshFailing;
const OVERDUE: Signal = Signal::CredentialRefreshOverdue;
const SHARE: Signal = Signal::CredentialAuthShare;

fn slot(now: Minute, say: impl FnOnce(&mut SlotUpdate)) -> SlotUpdate {
    let mut update = empty(whose("crm"), "crm-oauth", now.start());
    update.kind = Some("access_token".into());
    update.renewal = Some("automatic".into());
    say(&mut update);
    update
}

fn refresh_failed(now: Minute, error: &str) -> Fact {
    let said = RefreshFailed {
        credential: Arc::from("crm-oauth"),
        kind: "refresh_token".into(),
        error: error.into(),
    };
    Fact {
        integration: whose("crm"),
        time: now.start() + 5_000_000_000,
        said: fact::Said::RefreshFailed(said),
    }
}

/// Calls with the credential.
fn calls(now: Minute, said: &mut Said, class: Class, count: u64) {
    let name = said.name("crm-oauth");
    for at in said.calls(now, &outbound("crm", "api.crm.example", "GET /contacts"), class, count) {
        said.seen.calls[at].credential = Some(name);
    }
}

/// A token that lives for `life` minutes and is refreshed when `left` minutes of it are left, in use.
fn lives(trial: &mut Trial, minutes: i64, life: i64, left: i64, refreshes: bool) {
    for _ in 0..minutes {
        trial.minute(&[whose("crm")], |now, said| {
            calls(now, said, Class::Ok, 6);
            let every = life - left;
            let started = now.0 - now.0.rem_euclid(every);
            if refreshes {
                said.seen.slots.push(slot(now, |slot| {
                    slot.last_refreshed_at = Some(started * 60);
                    slot.expires_at = Some((started + life) * 60);
                }));
            }
        });
    }
}

#[test]
fn thirty_minute_tokens_refreshed_at_the_last_minute_are_well_throughout() {
    let mut trial = Trial::new();
    for minute in 0..12 * 60 {
        lives(&mut trial, 1, 30, 1, true);
        let (refused, failing) = (trial.only(REFUSED), trial.only(FAILING));
        assert_eq!((refused, failing), (Some(0.0), Some(1.0)), "{minute}");
        assert!(trial.only(OVERDUE).is_none_or(|value| value >= 0.5), "{minute}");
    }
    assert!(trial.only(OVERDUE).is_some(), "its refreshes are known by now");
}

#[test]
fn a_refresh_that_does_not_come_is_overdue_and_one_that_is_not_needed_is_not() {
    let mut trial = Trial::new();
    lives(&mut trial, 600, 60, 20, true);
    // The refresher dies; calls go on.
    let alive = trial.now;
    lives(&mut trial, 60, 60, 20, false);
    assert!(trial.only(OVERDUE).is_some_and(|value| value < 0.5), "{:?}", trial.only(OVERDUE));
    let why = trial.why(OVERDUE);
    assert!(why.contains("came with 20 min left"), "{why}");
    // Nobody uses it any more: it may expire in peace.
    for _ in 0..15 {
        trial.minute(&[whose("crm")], |_, _| {});
    }
    assert!(trial.only(OVERDUE).is_some_and(|value| value >= 1.0));
    assert!(trial.now.0 > alive.0);
}

#[test]
fn a_token_that_is_only_refreshed_after_it_expired_is_never_overdue() {
    let mut trial = Trial::new();
    lives(&mut trial, 900, 60, -5, true);
    assert_eq!(trial.only(OVERDUE), None);
}

#[test]
fn invalid_grant_is_refused_at_once_and_a_later_refresh_ends_it() {
    let mut trial = Trial::new();
    lives(&mut trial, 30, 60, 20, true);
    trial.minute(&[whose("crm")], |now, said| said.seen.facts.push(refresh_failed(now, "invalid_grant")));
    assert_eq!(trial.only(REFUSED), Some(1.0));
    trial.minute(&[whose("crm")], |now, said| said.seen.facts.push(refresh_failed(now, "invalid_grant")));
    let why = trial.why(REFUSED);
    assert!(why.starts_with("invalid_grant since ") && why.ends_with(", 2 times"), "{why}");
    // A token that still works does not heal a refused refresh.
    for _ in 0..30 {
        trial.minute(&[whose("crm")], |now, said| calls(now, said, Class::Ok, 6));
    }
    assert_eq!(trial.only(REFUSED), Some(2.0));
    trial.minute(&[whose("crm")], |now, said| {
        said.seen.slots.push(slot(now, |slot| {
            slot.last_refreshed_at = Some(now.0 * 60 + 10);
            slot.expires_at = Some((now.0 + 60) * 60);
        }));
    });
    assert_eq!(trial.only(REFUSED), Some(0.0));
}

#[test]
fn a_later_expiry_alone_ends_it_too() {
    let mut trial = Trial::new();
    let told = |expires: i64| {
        move |now: Minute, said: &mut Said| {
            said.seen.slots.push(slot(now, |slot| slot.expires_at = Some(expires)))
        }
    };
    let end = (trial.now.0 + 600) * 60;
    trial.minute(&[whose("crm")], told(end));
    trial.minute(&[whose("crm")], |now, said| said.seen.facts.push(refresh_failed(now, "invalid_client")));
    trial.minute(&[whose("crm")], told(end));
    assert_eq!(trial.only(REFUSED), Some(1.0), "the same expiry told again is no renewal");
    trial.minute(&[whose("crm")], told(end + 3_600));
    assert_eq!(trial.only(REFUSED), Some(0.0));
}

#[test]
fn a_refresh_that_meets_503_shows_what_is_left_and_counters_tell_of_it_too() {
    let mut trial = Trial::new();
    let start = trial.now;
    for minute in 0..60 {
        trial.minute(&[whose("crm")], |now, said| {
            said.seen.slots.push(slot(now, |slot| {
                slot.last_refreshed_at = Some(start.0 * 60);
                slot.expires_at = Some((start.0 + 100) * 60);
            }));
            if minute == 40 {
                let labels = [
                    ("integration.credential.id", "crm-oauth"),
                    ("integration.outcome", "failure"),
                    ("error.type", "503"),
                ];
                said.count(now, &whose("crm"), "integration.credential.refreshes", &labels, 3.0);
            }
        });
    }
    assert_eq!(trial.only(FAILING), Some(0.4));
    assert_eq!(trial.only(REFUSED), Some(0.0));
    for _ in 0..16 {
        trial.minute(&[whose("crm")], |_, _| {});
    }
    assert_eq!(trial.only(FAILING), Some(0.24), "two minutes after a quarter at the latest");
    assert!(trial.why(FAILING).contains("3 times"), "{}", trial.why(FAILING));
    trial.minute(&[whose("crm")], |now, said| {
        let labels = [("integration.credential.id", "crm-oauth"), ("integration.outcome", "success")];
        said.count(now, &whose("crm"), "integration.credential.refreshes", &labels, 1.0);
    });
    assert_eq!(trial.only(FAILING), Some(1.0));
}

#[test]
fn a_failure_and_a_success_in_one_minute_are_a_success() {
    let mut trial = Trial::new();
    trial.minute(&[whose("crm")], |now, said| {
        for (outcome, error) in [("failure", "503"), ("success", "")] {
            let labels = [
                ("integration.credential.id", "crm-oauth"),
                ("integration.outcome", outcome),
                ("error.type", error),
            ];
            said.count(now, &whose("crm"), "integration.credential.refreshes", &labels, 1.0);
        }
    });
    assert_eq!(trial.only(FAILING), Some(1.0));
}

#[test]
fn revoked_though_unexpired_shows_within_minutes_and_five_good_calls_end_it() {
    let mut trial = Trial::new();
    for _ in 0..60 {
        trial.minute(&[whose("crm")], |now, said| calls(now, said, Class::Ok, 2));
    }
    assert_eq!(trial.of(SHARE, Label::Credential), [("crm-oauth".to_owned(), 0.0)]);
    for _ in 0..5 {
        trial.minute(&[whose("crm")], |now, said| calls(now, said, Class::Auth, 2));
    }
    assert_eq!(trial.of(SHARE, Label::Credential), [("crm-oauth".to_owned(), 1.0)]);
    // The worker gives up: nothing says that it is well.
    for _ in 0..600 {
        trial.minute(&[whose("crm")], |_, _| {});
    }
    assert_eq!(trial.of(SHARE, Label::Credential), []);
    for _ in 0..5 {
        trial.minute(&[whose("crm")], |now, said| calls(now, said, Class::Ok, 1));
    }
    assert_eq!(trial.of(SHARE, Label::Credential), [("crm-oauth".to_owned(), 0.0)]);
}

#[test]
fn what_never_worked_says_nothing_and_a_peer_stands_for_calls_that_name_no_credential() {
    let mut trial = Trial::new();
    let key = outbound("crm", "api.crm.example", "GET /contacts");
    for _ in 0..20 {
        trial.minute(&[whose("crm")], |now, said| {
            let _ = said.calls(now, &key, Class::Auth, 3);
        });
    }
    assert_eq!(trial.of(SHARE, Label::Credential), []);
    for _ in 0..20 {
        trial.minute(&[whose("crm")], |now, said| {
            let _ = said.calls(now, &key, Class::Ok, 3);
        });
    }
    for _ in 0..5 {
        trial.minute(&[whose("crm")], |now, said| {
            let _ = said.calls(now, &key, Class::Auth, 3);
        });
    }
    assert_eq!(trial.of(SHARE, Label::Credential), [("peer:api.crm.example".to_owned(), 1.0)]);
}

#[test]
fn an_idle_token_is_told_at_four_fifths_of_its_limit_and_use_ends_it() {
    let mut trial = Trial::new();
    let start = trial.now;
    trial.minute(&[whose("crm")], |now, said| {
        said.seen.slots.push(slot(now, |slot| {
            slot.last_used_at = Some(start.0 * 60);
            slot.idle_limit = Some(1_000 * 60);
        }));
    });
    for _ in 0..800 {
        trial.minute(&[whose("crm")], |_, _| {});
    }
    assert!(trial.only(Signal::CredentialIdle).is_some_and(|share| share > 0.8));
    trial.minute(&[whose("crm")], |now, said| calls(now, said, Class::Ok, 1));
    assert!(trial.only(Signal::CredentialIdle).is_some_and(|share| share < 0.01));
}

#[test]
fn a_retired_slot_and_one_long_gone_say_nothing() {
    let mut trial = Trial::new();
    trial.minute(&[whose("crm")], |now, said| {
        said.seen.facts.push(refresh_failed(now, "invalid_grant"));
        said.seen.slots.push(slot(now, |slot| slot.rotation_due_at = Some(now.0 * 60 - 90)));
    });
    assert_eq!(trial.only(Signal::CredentialRotationOverdue), Some(150.0));
    assert_eq!(trial.only(REFUSED), Some(1.0));
    trial.minute(&[whose("crm")], |now, said| said.seen.slots.push(slot(now, |slot| slot.retired = true)));
    assert_eq!((trial.only(REFUSED), trial.only(Signal::CredentialRotationOverdue)), (None, None));
}
