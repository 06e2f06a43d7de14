//! One dead customer among many, and what is none.

use std::sync::Arc;

use crate::health::trial::{Said, Trial, outbound, whose};
use crate::rollup::series::CallsRow;
use crate::rollup::window::Minute;
use crate::signals::call::Class;
use crate::signals::fact::{self, Fact};
use crate::signals::observation::{CallKey, Source};
use crate::signals::signal::{Label, Signal};

/// A call for each of `of` connections; those that `class` names one for end in it.
fn calls(now: Minute, said: &mut Said, of: usize, class: impl Fn(usize) -> Class) {
    let key = outbound("shop", "api.shop.example", "PUT /orders/{id}");
    for at in 0..of {
        let name = said.name(&format!("customer-{at}"));
        for call in said.calls(now, &key, class(at), 1) {
            said.seen.calls[call].connection = Some(name);
            said.seen.calls[call].operation ^= (at as u64) << 48;
        }
    }
}

fn minutes(trial: &mut Trial, minutes: usize, of: usize, class: impl Fn(usize) -> Class) {
    for _ in 0..minutes {
        trial.minute(&[whose("shop")], |now, said| calls(now, said, of, &class));
    }
}

const FAILING: Signal = Signal::ConnectionFailing;

#[test]
fn one_dead_customer_of_many_is_found_within_twenty_minutes_and_named() {
    let dead = |at: usize| if at == 7 { Class::Server } else { Class::Ok };
    let mut trial = Trial::new();
    minutes(&mut trial, 30, 100, |_| Class::Ok);
    assert_eq!(trial.only(FAILING), Some(0.0));
    minutes(&mut trial, 14, 100, dead);
    assert_eq!(trial.only(FAILING), Some(0.0), "not for long enough yet");
    minutes(&mut trial, 2, 100, dead);
    assert_eq!(trial.only(FAILING), Some(1.0));
    let why = trial.why(FAILING);
    assert!(
        why.starts_with("customer-7 since ") && why.ends_with("16 calls (server); of 100 in all"),
        "{why}"
    );
    // Its worker gives up: it is as dead as before.
    minutes(&mut trial, 200, 7, |_| Class::Ok);
    assert_eq!(trial.only(FAILING), Some(1.0));
    minutes(&mut trial, 1, 100, |_| Class::Ok);
    assert_eq!(trial.only(FAILING), Some(0.0), "one success ends it");
}

#[test]
fn when_everything_fails_it_is_no_connections_trouble() {
    let mut trial = Trial::new();
    minutes(&mut trial, 30, 10, |_| Class::Ok);
    minutes(&mut trial, 30, 10, |_| Class::Server);
    assert_eq!(trial.only(FAILING), None);
    minutes(&mut trial, 20, 10, |_| Class::Ok);
    assert_eq!(trial.only(FAILING), Some(0.0));
}

#[test]
fn a_customer_who_disconnects_is_none_that_fails() {
    let left = |at: usize| if at == 3 { Class::Auth } else { Class::Ok };
    let mut trial = Trial::new();
    minutes(&mut trial, 30, 20, |_| Class::Ok);
    minutes(&mut trial, 20, 20, left);
    assert_eq!(trial.only(FAILING), Some(1.0));
    trial.minute(&[whose("shop")], |now, said| {
        let said_so = fact::Said::ConnectionClosed { connection: Arc::from("customer-3") };
        said.seen.facts.push(Fact { integration: whose("shop"), time: now.start(), said: said_so });
    });
    assert_eq!(trial.only(FAILING), Some(0.0));
    minutes(&mut trial, 20, 20, left);
    assert_eq!(trial.only(FAILING), Some(0.0), "it stays closed however often it is tried");
}

#[test]
fn of_a_peer_whose_spans_are_samples_no_connection_is_judged() {
    // A tail sampler keeps the failures, and of the successes one in twenty.
    let mut trial = Trial::new();
    for _ in 0..180 {
        trial.minute(&[whose("shop")], |now, said| {
            calls(now, said, 2, |at| if at == 1 { Class::Server } else { Class::Ok });
            let key = CallKey { source: Source::Metric, ..outbound("shop", "api.shop.example", "PUT *") };
            for (class, count) in [(Class::Ok, 40.0), (Class::Server, 1.0)] {
                let mut row = CallsRow::default();
                row.tally.attempts[class as usize] = count;
                row.tally.unweighted[class as usize] = count as u64;
                said.deltas.calls.push((now, key.clone(), row));
            }
        });
    }
    assert_eq!(trial.only(FAILING).unwrap_or(0.0), 0.0, "{}", trial.why(FAILING));
    assert_eq!(
        trial.of(Signal::CredentialAuthShare, Label::Credential),
        [("peer:api.shop.example".to_owned(), 0.0)]
    );
}
