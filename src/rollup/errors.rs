//! Error groups and changes as a stretch of the corridor saw them, to be merged into what the catalog has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::series::Merge;
use super::window::Map;
use crate::signals::change::What;
use crate::signals::failure::{ErrorKey, Failing, Fingerprint, Row};
use crate::signals::observation::{IntegrationKey, Observations};
use crate::signals::telemetry::Nanos;

/// Failing calls of an error group that are kept whole, a day of receipt.
pub const EXEMPLARS: usize = 20;
/// Nanoseconds in an hour, and in a day.
pub const HOUR: Nanos = 3_600_000_000_000;
const DAY: Nanos = 24 * HOUR;
/// Bytes of a candidate or a change, and a quarter of a group's.
const THING: usize = 512;

/// What is said of an error group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// The earliest failure's time and `service.version`.
    pub first: Option<(Nanos, String)>,
    /// The latest failure's time and words.
    pub latest: Option<(Nanos, String)>,
    /// When a failure was last received: what retention counts from.
    pub received_at: Nanos,
    /// Failures by hour since the epoch, by their own time.
    pub hours: BTreeMap<i64, u64>,
}

impl Merge for Group {
    fn merge(&mut self, other: &Self) {
        if let Some(theirs) = &other.first
            && self.first.as_ref().is_none_or(|ours| theirs < ours)
        {
            self.first = Some(theirs.clone());
        }
        if let Some(theirs) = &other.latest
            && self.latest.as_ref().is_none_or(|ours| theirs > ours)
        {
            self.latest = Some(theirs.clone());
        }
        self.received_at = self.received_at.max(other.received_at);
        for (hour, count) in &other.hours {
            *self.hours.entry(*hour).or_default() += count;
        }
    }
}

/// A failure that may be kept whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its group.
    pub key: Arc<ErrorKey>,
    /// When it happened.
    pub time: Nanos,
    /// When it was received.
    pub received_at: Nanos,
    /// Which of the stretch's requests that have rows holds it.
    pub request: usize,
    /// Where in it.
    pub row: Row,
    /// What it said, where its record does not say it again.
    pub told: String,
}

impl Candidate {
    /// The day it was received: what the limit of exemplars counts by.
    pub fn day(&self) -> i64 {
        self.received_at.div_euclid(DAY)
    }
}

/// Error groups and changes of a stretch.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    /// By key; the fingerprint says which.
    pub groups: Map<Fingerprint, (Arc<ErrorKey>, Group)>,
    /// Candidates in order of arrival, so many of a group and day as are kept at most.
    pub candidates: Vec<Candidate>,
    counted: HashMap<(Fingerprint, i64), usize>,
    /// What changed, with the earliest that it was seen.
    pub changes: BTreeMap<(IntegrationKey, What), Nanos>,
    /// When a change was last received.
    pub received_at: Nanos,
}

impl Errors {
    /// Takes one request's failures and changes in; `spans` and `logs` are the places that its rows have. Gives the
    /// bytes of memory that this took, about.
    pub fn absorb(&mut self, seen: &Observations, received_at: Nanos, spans: usize, logs: usize) -> usize {
        let before = self.things();
        for group in &seen.errors {
            let mut hours = BTreeMap::new();
            for failing in &group.failures {
                *hours.entry(failing.time.div_euclid(HOUR)).or_default() += 1;
                self.consider(&group.key, failing, &group.latest.1, received_at, (spans, logs));
            }
            let new = Group {
                first: Some(group.first.clone()),
                latest: Some(group.latest.clone()),
                received_at,
                hours,
            };
            let kept = self.groups.entry(group.key.fingerprint);
            kept.or_insert_with(|| (group.key.clone(), Group::default())).1.merge(&new);
        }
        for change in &seen.changes {
            let Some(info) = seen.integrations.get(change.integration as usize) else { continue };
            let key = (info.key.clone(), change.what.clone());
            let at = self.changes.entry(key).or_insert(change.at);
            *at = change.at.min(*at);
            self.received_at = self.received_at.max(received_at);
        }
        self.things().saturating_sub(before) * THING
    }

    /// How many things are remembered.
    fn things(&self) -> usize {
        4 * self.groups.len() + self.candidates.len() + self.changes.len()
    }

    fn consider(
        &mut self,
        key: &Arc<ErrorKey>,
        failing: &Failing,
        said: &str,
        received_at: Nanos,
        (spans, logs): (usize, usize),
    ) {
        let (request, told) = match failing.row {
            Row::Span(_) => (spans, String::new()),
            Row::Log(_) => (logs, String::new()),
            Row::Told => (0, said.to_owned()),
        };
        let candidate =
            Candidate { key: key.clone(), time: failing.time, received_at, request, row: failing.row, told };
        let count = self.counted.entry((key.fingerprint, candidate.day())).or_default();
        if *count < EXEMPLARS {
            *count += 1;
            self.candidates.push(candidate);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signals::failure::ErrorGroup;
    use crate::signals::observation::IntegrationInfo;

    fn group() -> impl Strategy<Value = Group> {
        let said = || prop::option::of((0i64..50, "[ab]{0,2}"));
        let hours = prop::collection::btree_map(0i64..4, 1u64..9, 0..4);
        (said(), said(), 0i64..50, hours).prop_map(|(first, latest, received_at, hours)| Group {
            first,
            latest,
            received_at,
            hours,
        })
    }

    fn merged(a: &Group, b: &Group) -> Group {
        let mut both = a.clone();
        both.merge(b);
        both
    }

    proptest! {
        #[test]
        fn merging_groups_is_associative_commutative_and_has_an_identity(a in group(), b in group(), c in group()) {
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&a, &Group::default()), a);
        }
    }

    fn request(times: &[Nanos]) -> Observations {
        let key = IntegrationKey { environment: "default".into(), name: "shop".into() };
        let text = String::new;
        let info = IntegrationInfo {
            key: key.clone(),
            source: text(),
            destination: text(),
            owner: text(),
            tier: text(),
            version: text(),
        };
        let mut group = ErrorGroup::new(0, ErrorKey::new(key, None, ("", "x"), "500", "m"));
        for (row, time) in (0..).zip(times) {
            group.add(Failing { time: *time, row: Row::Span(row) }, "m", "");
        }
        Observations { integrations: vec![info], errors: vec![group], ..Observations::default() }
    }

    #[test]
    fn all_are_counted_and_the_first_twenty_of_a_day_of_receipt_may_be_kept_whole() {
        let mut errors = Errors::default();
        let times: Vec<Nanos> = (0..15).collect();
        errors.absorb(&request(&times), 5, 0, 0);
        errors.absorb(&request(&times), 6, 1, 0);
        errors.absorb(&request(&[2 * DAY]), DAY, 2, 0);
        let kept: Vec<_> = errors.candidates.iter().map(|one| (one.request, one.row)).collect();
        assert_eq!(kept.len(), EXEMPLARS + 1);
        assert_eq!((kept[19], kept[20]), ((1, Row::Span(4)), (2, Row::Span(0))));
        let (_, group) = errors.groups.values().next().unwrap();
        assert_eq!(group.hours, BTreeMap::from([(0, 30), (48, 1)]));
    }

    #[test]
    fn a_version_is_as_old_as_its_earliest_sight_whatever_the_order() {
        use crate::signals::change::Change;
        let version = |at, version: &str| {
            let what = What::Version(version.into());
            Observations { changes: vec![Change { integration: 0, at, what }], ..request(&[]) }
        };
        let mut errors = Errors::default();
        // Two replicas take turns while a deploy rolls.
        for (at, text) in [(30, "2"), (10, "1"), (31, "1"), (32, "2"), (20, "2")] {
            errors.absorb(&version(at, text), at, 0, 0);
        }
        let seen: Vec<_> = errors.changes.values().copied().collect();
        assert_eq!(seen, [10, 20]);
    }
}
