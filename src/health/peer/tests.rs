//! A vendor's outage, and what is none.

use crate::health::trial::{Trial, outbound, whose};
use crate::signals::call::Class;
use crate::signals::signal::{Label, Signal};

/// What integrations see at one peer in a minute: (integration, class, calls).
fn minutes(trial: &mut Trial, minutes: usize, seen: &[(&str, Class, u64)]) {
    for _ in 0..minutes {
        trial.minute(&[whose("a")], |now, said| {
            for (name, class, count) in seen {
                said.calls(now, &outbound(name, "api.vendor.example", "GET /things"), *class, *count);
            }
        });
    }
}

fn failing(trial: &Trial) -> Vec<(String, f64)> {
    trial.of(Signal::PeerFailingIntegrations, Label::Peer)
}

#[test]
fn three_integrations_that_fail_together_are_an_outage_within_minutes() {
    use Class::{Ok, Server, Timeout};
    let mut trial = Trial::new();
    minutes(&mut trial, 30, &[("a", Ok, 5), ("b", Ok, 5), ("c", Ok, 5), ("d", Ok, 5)]);
    let of = |value| vec![("api.vendor.example".to_owned(), value)];
    assert_eq!(failing(&trial), of(0.0));
    minutes(&mut trial, 3, &[("a", Server, 5), ("b", Ok, 5), ("c", Ok, 5), ("d", Server, 5)]);
    assert_eq!(failing(&trial), of(0.0), "two of four");
    minutes(&mut trial, 3, &[("a", Server, 5), ("b", Timeout, 5), ("c", Ok, 5), ("d", Server, 5)]);
    assert_eq!(failing(&trial), of(3.0));
    assert_eq!(trial.why(Signal::PeerFailingIntegrations), "3 of 4 that call it: a, b, d");
    minutes(&mut trial, 6, &[("a", Ok, 5), ("b", Ok, 5), ("c", Ok, 5), ("d", Ok, 5)]);
    assert_eq!(failing(&trial), of(0.0));
}

#[test]
fn two_that_are_all_are_enough_and_refusals_or_sandboxes_are_none() {
    use Class::{Auth, Ok, Server};
    let mut trial = Trial::new();
    minutes(&mut trial, 10, &[("a", Ok, 5), ("b", Ok, 5)]);
    minutes(&mut trial, 5, &[("a", Auth, 5), ("b", Auth, 5)]);
    assert_eq!(failing(&trial)[0].1, 0.0, "what is refused is no outage");
    minutes(&mut trial, 5, &[("a", Server, 5), ("b", Server, 5)]);
    assert_eq!(failing(&trial)[0].1, 2.0);
    trial.context.non_production.push("production".into());
    assert_eq!(failing(&trial), []);
}
