//! The shapes of one endpoint's messages, as their fingerprints are counted (semantics section 10).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::series::Merge;
use super::super::window::Minute;
use crate::signals::fact::{Message, Shape};
use crate::signals::telemetry::Nanos;

/// Shapes that are kept of an endpoint, those seen last.
const SHAPES: usize = 64;
/// Minutes that are told apart; before, days are.
const MINUTES: i64 = 2 * 24 * 60;
/// Days that are kept.
const DAYS: i64 = 35;
const DAY: i64 = 24 * 60;

/// How often something was seen, by minute for two days and by day before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// By minute since the epoch.
    pub minutes: BTreeMap<i64, u64>,
    /// By day since the epoch.
    pub days: BTreeMap<i64, u64>,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.minutes.values().chain(self.days.values()).copied().fold(0, u64::saturating_add)
    }

    /// The last minute in which any was seen, as exactly as it is known.
    pub fn last(&self) -> Option<i64> {
        let by_day = || self.days.keys().next_back().map(|day| day * DAY + DAY - 1);
        self.minutes.keys().next_back().copied().or_else(by_day)
    }

    /// Those after a minute.
    pub fn after(&self, minute: i64) -> u64 {
        let minutes = self.minutes.range(minute + 1..).map(|(_, count)| count);
        let days = self.days.range(minute.div_euclid(DAY) + 1..).map(|(_, count)| count);
        minutes.chain(days).copied().fold(0, u64::saturating_add)
    }
}

// What is folded depends on the latest minute alone, so any order of merging gives the same.
impl Merge for Counts {
    fn merge(&mut self, other: &Self) {
        let add = |ours: &mut BTreeMap<i64, u64>, at: i64, count: u64| {
            let sum = ours.entry(at).or_insert(0);
            *sum = sum.saturating_add(count);
        };
        other.minutes.iter().for_each(|(at, count)| add(&mut self.minutes, *at, *count));
        other.days.iter().for_each(|(at, count)| add(&mut self.days, *at, *count));
        let Some(last) = self.last() else { return };
        let recent = self.minutes.split_off(&(last - MINUTES));
        for (minute, count) in std::mem::replace(&mut self.minutes, recent) {
            add(&mut self.days, minute.div_euclid(DAY), count);
        }
        self.days = self.days.split_off(&(last.div_euclid(DAY) - DAYS));
    }
}

/// One shape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Print {
    /// JSON path → types, once they were told.
    pub types: Option<BTreeMap<String, Vec<String>>>,
    /// The first minute it was seen in.
    pub first: Option<i64>,
    /// How often.
    pub counts: Counts,
}

impl Merge for Print {
    fn merge(&mut self, other: &Self) {
        if other.types > self.types {
            self.types.clone_from(&other.types);
        }
        self.first = match (self.first, other.first) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        self.counts.merge(&other.counts);
    }
}

/// Shapes by fingerprint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shapes(pub BTreeMap<String, Print>);

impl Shapes {
    /// Of one event.
    pub fn of(shape: &Shape, time: Nanos) -> Shapes {
        let minute = Minute::of(time).0;
        let counts = Counts { minutes: [(minute, shape.count)].into(), days: BTreeMap::new() };
        let print = Print { types: shape.types.clone(), first: Some(minute), counts };
        Shapes([(shape.fingerprint.to_string(), print)].into())
    }
}

impl Merge for Shapes {
    fn merge(&mut self, other: &Self) {
        for (fingerprint, print) in &other.0 {
            self.0.entry(fingerprint.clone()).or_default().merge(print);
        }
        if self.0.len() > SHAPES {
            let mut by_age: Vec<_> =
                self.0.iter().map(|(name, print)| (print.counts.last(), name.clone())).collect();
            by_age.sort();
            for (_, name) in by_age.into_iter().take(self.0.len() - SHAPES) {
                self.0.remove(&name);
            }
        }
    }
}

/// The word of the wire for a message.
pub const fn word(message: Message) -> &'static str {
    match message {
        Message::Request => "request",
        Message::Response => "response",
        Message::Event => "event",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shapes() -> impl Strategy<Value = Shapes> {
        let one = (0u8..6, 0i64..6 * DAY, 1u64..50, any::<bool>());
        proptest::collection::vec(one, 0..12).prop_map(|events| {
            let mut out = Shapes::default();
            for (print, minute, count, told) in events {
                let types = told.then(|| [(format!("$.{print}"), vec!["string".to_owned()])].into());
                let shape = Shape {
                    endpoint: "GET /orders".into(),
                    message: Message::Response,
                    fingerprint: format!("f{print}").into(),
                    types,
                    count,
                };
                out.merge(&Shapes::of(&shape, minute * 60_000_000_000));
            }
            out
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn merging_is_the_same_in_any_order(a in shapes(), b in shapes(), c in shapes()) {
            let join = |x: &Shapes, y: &Shapes| { let mut out = x.clone(); out.merge(y); out };
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
            prop_assert_eq!(join(&a, &Shapes::default()), a);
        }
    }
}
