//! Pages, requests, violations and drift as the catalogues have them (semantics section 17).

use super::*;
use crate::health::feed::{Feed, shop};
use crate::rollup::series::CallsRow;
use crate::rollup::state::row::Word;
use crate::signals::fact::{Fact, Message, Said, Shape, Violation};
use crate::signals::observation::{IntegrationInfo, Observations, Source};

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

fn key() -> CallKey {
    CallKey {
        integration: shop(),
        direction: Direction::Outbound,
        peer: "api.example.com".into(),
        endpoint: "GET /orders".into(),
        source: Source::Span,
    }
}

/// A minute of calls: (class, how many), and pages of (size, how many).
fn calls(feed: &mut Feed, classes: &[(Class, u64)], pages: &[(u64, u64)]) {
    let mut row = CallsRow::default();
    for (class, count) in classes {
        row.tally.attempts[*class as usize] += *count as f64;
        row.tally.unweighted[*class as usize] += count;
    }
    for (size, count) in pages {
        use crate::rollup::series::Merge;
        row.tally.merge(&Tally { pages: *count, page_max: (*size, *count), ..Tally::default() });
    }
    feed.part.calls.insert((feed.now, std::sync::Arc::new(key())), row);
}

#[test]
fn a_new_page_cap_is_found_after_twenty_pages() {
    let mut feed = Feed::new();
    for hour in 0..4 * 24 {
        calls(&mut feed, &[(Class::Ok, 3)], &[(250, 2), (180, 1)]);
        (0..if hour == 95 { 30 } else { HOUR }).for_each(|_| feed.close());
    }
    assert_eq!(feed.value(Signal::ContractPageCap), None, "six pages in two hours say nothing");
    for _ in 0..7 {
        calls(&mut feed, &[(Class::Ok, 3)], &[(100, 2), (40, 1)]);
        feed.close();
    }
    let value = feed.value(Signal::ContractPageCap).unwrap();
    assert_eq!(value.value, 100.0);
    assert_eq!(value.why, "14 of 21 pages hold exactly 100 records, and before up to 250 came");
    calls(&mut feed, &[(Class::Ok, 9)], &[(250, 9)]);
    feed.close();
    assert_eq!(feed.value(Signal::ContractPageCap).unwrap().value, 0.0);
}

#[test]
fn pages_that_were_always_full_are_no_cap() {
    let mut feed = Feed::new();
    for _ in 0..4 * 24 {
        calls(&mut feed, &[(Class::Ok, 30)], &[(100, 25), (40, 5)]);
        (0..HOUR).for_each(|_| feed.close());
    }
    assert_eq!(feed.value(Signal::ContractPageCap).unwrap().value, 0.0);
}

/// A good week, then minutes with so many rejected of ten; the share that is found after each.
fn onset(feed: &mut Feed, week: &[(Class, u64)]) -> f64 {
    for _ in 0..7 * 24 {
        calls(feed, week, &[]);
        (0..HOUR).for_each(|_| feed.close());
    }
    for _ in 0..5 {
        calls(feed, &[(Class::Ok, 1), (Class::Validation, 2)], &[]);
        feed.close();
    }
    feed.value(Signal::ContractRequestRejected).map_or(-1.0, |value| value.value)
}

#[test]
fn a_peer_that_rejects_what_it_took_for_a_week_is_found() {
    let mut feed = Feed::new();
    assert!((onset(&mut feed, &[(Class::Ok, 50)]) - 2.0 / 3.0).abs() < 1e-9);
    let why = feed.value(Signal::ContractRequestRejected).unwrap().why;
    assert_eq!(why, "10 of 15 requests rejected, and under 1 % in a week before");
}

#[test]
fn a_peer_that_always_rejects_some_and_our_own_deploy_are_no_onset() {
    let mut feed = Feed::new();
    assert_eq!(onset(&mut feed, &[(Class::Ok, 9), (Class::Validation, 1)]), 0.0);
    let mut feed = Feed::new();
    let version = |feed: &mut Feed, version: &str| {
        let none = String::new;
        let (source, destination, owner, tier) = (none(), none(), none(), none());
        let info = IntegrationInfo { key: shop(), source, destination, owner, tier, version: version.into() };
        feed.take(&Observations { integrations: vec![info], ..Observations::default() });
    };
    version(&mut feed, "1.0");
    onset(&mut feed, &[(Class::Ok, 50)]);
    version(&mut feed, "1.1");
    calls(&mut feed, &[(Class::Validation, 3)], &[]);
    feed.close();
    let value = feed.value(Signal::ContractRequestRejected).unwrap();
    assert_eq!(value.value, 0.0);
    assert!(value.why.starts_with("our own version changed at"), "{}", value.why);
}

fn say(feed: &mut Feed, said: Said) {
    let fact = Fact { integration: shop(), time: feed.now.start() + 1, said };
    feed.take(&Observations { facts: vec![fact], ..Observations::default() });
}

fn shape(print: &str, total: &str, count: u64) -> Said {
    let types =
        [("$.id".to_owned(), vec!["string".to_owned()]), ("$.total".to_owned(), vec![total.to_owned()])];
    Said::Shape(Shape {
        endpoint: "GET /orders".into(),
        message: Message::Response,
        fingerprint: print.into(),
        types: Some(types.into()),
        count,
    })
}

#[test]
fn a_type_that_changes_is_drift_in_its_minute_until_a_person_accepts_it() {
    let mut feed = Feed::new();
    for _ in 0..8 * 24 {
        say(&mut feed, shape("a", "number", 5));
        (0..HOUR).for_each(|_| feed.close());
    }
    assert_eq!(feed.value(Signal::ContractDrift), None);
    say(&mut feed, shape("b", "string", 1));
    feed.close();
    let value = feed.value(Signal::ContractDrift).unwrap();
    assert_eq!((value.label(Label::Path), value.label(Label::Direction)), ("$.total", "response"));
    assert_eq!(value.why, "it was always number, and is string since 00:00");
    (0..2 * DAY).for_each(|_| feed.close());
    assert!(feed.value(Signal::ContractDrift).is_some(), "never by time alone");
    let name = crate::rollup::state::row::for_endpoint("response", "GET /orders");
    let accepted = StateKey { integration: shop(), kind: StateKind::Accepted, name };
    let word = Word { at: feed.now.start(), by: "ada".into(), reason: String::new() };
    feed.part.states.insert(accepted, State::Accepted(word));
    assert_eq!(feed.value(Signal::ContractDrift), None);
}

#[test]
fn violations_are_told_once_and_end() {
    let mut feed = Feed::new();
    let violation = || {
        Said::Violation(Violation {
            endpoint: "GET /orders".into(),
            message: Message::Response,
            path: "$.total".into(),
            kind: "type".into(),
            expected: "number".into(),
            found: "string".into(),
        })
    };
    (0..3).for_each(|_| say(&mut feed, violation()));
    let endpoint = [("integration.contract.path", "$.total"), ("integration.endpoint", "GET /orders")];
    feed.count("integration.contract.violations", &endpoint, 4.0);
    feed.close();
    let value = feed.value(Signal::ContractViolations).unwrap();
    assert_eq!((value.value, value.label(Label::Endpoint)), (4.0, "GET /orders"));
    (0..20).for_each(|_| feed.close());
    assert_eq!(feed.value(Signal::ContractViolations).unwrap().value, 0.0);
}
