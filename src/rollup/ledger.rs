//! The record ledger: which hops of a record were told, and when first (semantics section 8).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::series::Merge;
use super::state::row::{State, StateKey, StateKind};
use super::window::{Map, Minute, Part};
use crate::signals::fact::{Hop, RecordHop};
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// Whose.
    pub integration: IntegrationKey,
    /// `integration.entity`, empty when not given.
    pub entity: Arc<str>,
    /// A hash of its key.
    pub record: Arc<str>,
}

/// What was told of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// When each hop was told first.
    pub hops: [Option<Nanos>; 5],
    /// The trace that told of it last, and when.
    pub told: Option<(Nanos, u128)>,
}

impl Way {
    /// Of one hop.
    pub fn of(hop: Hop, at: Nanos, trace: [u8; 16]) -> Way {
        let trace = Some(u128::from_be_bytes(trace)).filter(|trace| *trace != 0);
        let mut way = Way { told: trace.map(|trace| (at, trace)), ..Way::default() };
        if let Some(place) = way.hops.get_mut(hop as usize) {
            *place = Some(at);
        }
        way
    }

    /// When it was heard of first.
    pub fn first(&self) -> Option<Nanos> {
        self.hops.iter().flatten().min().copied()
    }

    /// When it was heard of last.
    pub fn last(&self) -> Option<Nanos> {
        self.hops.iter().flatten().max().copied()
    }

    /// The furthest hop that it came to.
    pub fn furthest(&self) -> Option<Hop> {
        let places = self.hops.iter().enumerate().rev();
        places.filter(|(_, at)| at.is_some()).find_map(|(place, _)| Hop::ALL.get(place).copied())
    }
}

impl Merge for Way {
    fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.hops.iter_mut().zip(other.hops) {
            *ours = match (*ours, theirs) {
                (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                (ours, theirs) => ours.or(theirs),
            };
        }
        self.told = self.told.max(other.told);
    }
}

/// When records came to each hop first, and last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reached([Option<(Nanos, Nanos)>; 5]);

impl Reached {
    /// One hop.
    pub fn of(hop: Hop, at: Nanos) -> Reached {
        let mut reached = Reached::default();
        if let Some(place) = reached.0.get_mut(hop as usize) {
            *place = Some((at, at));
        }
        reached
    }

    /// The furthest hop that a record which was heard of first at an instant is due to come to: one that others had
    /// come to before, and that any came to since `alive`. So neither a hop that is told anew nor one that is no
    /// longer told makes every record one that stopped.
    pub fn due(&self, first: Nanos, alive: Nanos) -> Option<Hop> {
        let due = |at: &Option<(Nanos, Nanos)>| at.is_some_and(|(from, to)| from <= first && to >= alive);
        let mut places = self.0.iter().zip(Hop::ALL).rev();
        places.find(|(at, _)| due(at)).map(|(_, hop)| hop)
    }
}

impl Merge for Reached {
    fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            *ours = match (*ours, theirs) {
                (Some(ours), Some(theirs)) => Some((ours.0.min(theirs.0), ours.1.max(theirs.1))),
                (ours, theirs) => ours.or(theirs),
            };
        }
    }
}

/// Of which part the ledger is kept, by day since the epoch: one record in 2^bits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampled(BTreeMap<i64, u8>);

impl Sampled {
    /// Of one day.
    pub fn of(day: i64, bits: u8) -> Sampled {
        Sampled([(day, bits)].into())
    }

    /// One in 2^bits of the records that are looked back on is there with all its hops: what was left out yesterday
    /// is missing today.
    pub fn bits(&self, day: i64) -> u8 {
        self.0.range(day - 1..=day).map(|(_, bits)| *bits).max().unwrap_or(0)
    }
}

impl Merge for Sampled {
    fn merge(&mut self, other: &Self) {
        for (day, bits) in &other.0 {
            let ours = self.0.entry(*day).or_default();
            *ours = (*ours).max(*bits);
        }
        // Today and yesterday.
        while self.0.len() > 2 {
            self.0.pop_first();
        }
    }
}

/// How fine an integration's records are sampled at a minute.
pub fn bits(states: &Map<StateKey, State>, integration: &IntegrationKey, minute: Minute) -> u8 {
    let key = StateKey { integration: integration.clone(), kind: StateKind::Sampled, name: "".into() };
    match states.get(&key) {
        Some(State::Sampled(sampled)) => sampled.bits(minute.0.div_euclid(DAY)),
        _ => 0,
    }
}

/// The hops that records of an entity came to.
pub fn reached<'s>(states: &'s Map<StateKey, State>, key: &RecordKey) -> Option<&'s Reached> {
    let (integration, kind) = (key.integration.clone(), StateKind::Reached);
    match states.get(&StateKey { integration, kind, name: key.entity.clone() }) {
        Some(State::Reached(reached)) => Some(reached),
        _ => None,
    }
}

impl Part {
    /// Takes in a hop of a record, and remembers when any came to it.
    pub(super) fn absorb_hop(&mut self, integration: &IntegrationKey, hop: &RecordHop, at: Nanos) {
        let (entity, record) = (hop.entity.clone(), hop.key_hash.clone());
        let (kind, name) = (StateKind::Reached, entity.clone());
        let reached = StateKey { integration: integration.clone(), kind, name };
        self.states.entry(reached).or_default().merge(&State::Reached(Reached::of(hop.hop, at)));
        let key = RecordKey { integration: integration.clone(), entity, record };
        self.ledger.entry(key).or_default().merge(&Way::of(hop.hop, at, hop.trace));
    }

    /// Drops records that were heard of first a day before `minute`, the first that a tick looks back on. Those that came to the end of their way stay
    /// until then: what is told of one a second time must not make it a new one.
    pub(super) fn forget_records(&mut self, minute: Minute) {
        let oldest = Minute(minute.0 - DAY).start();
        self.ledger.retain(|_, way| way.first().is_some_and(|first| first >= oldest));
    }
}

/// A day in minutes.
pub const DAY: i64 = 24 * 60;
/// A record is kept for so many minutes after its first hop, in memory and in the catalog alike: a day, and what a tick
/// looks back on besides.
pub const KEPT: i64 = DAY + 130;
/// Hops a minute of an integration up to which all are kept.
pub const RATE: u64 = 200;
/// Records in memory, of all integrations, past which each is sampled further.
pub const RECORDS: usize = 100_000;

/// Whether a record is one of those that are kept where one in 2^`bits` is: by its key alone, so that all hops of a
/// record are kept, or none.
pub fn is_kept(record: &str, bits: u8) -> bool {
    let hash = xxhash_rust::xxh3::xxh3_64(record.as_bytes());
    hash.trailing_zeros() >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hops_come_in_any_order_and_any_grouping_and_twice(
            told in vec((0usize..5, 0i64..50, 0u8..4), 0..12),
            at in 0usize..12,
        ) {
            let ways: Vec<Way> =
                told.iter().map(|(hop, at, trace)| Way::of(Hop::ALL[*hop], *at, [*trace; 16])).collect();
            let fold = |ways: &[Way]| {
                ways.iter().fold(Way::default(), |mut all, way| {
                    all.merge(way);
                    all
                })
            };
            let whole = fold(&ways);
            let backwards: Vec<Way> = ways.iter().rev().copied().collect();
            prop_assert_eq!(fold(&backwards), whole);
            let (before, after) = ways.split_at(at.min(ways.len()));
            prop_assert_eq!(fold(&[fold(before), fold(after)]), whole);
            prop_assert_eq!(fold(&[whole, whole]), whole);
            for hop in Hop::ALL {
                let first = told.iter().filter(|(of, ..)| *of == hop as usize).map(|(_, at, _)| *at).min();
                prop_assert_eq!(whole.hops[hop as usize], first);
            }
        }

        #[test]
        fn samples_and_hops_come_in_any_order(told in vec((0i64..5, 0u8..9), 0..8)) {
            let of = |told: &(i64, u8)| Sampled::of(told.0, told.1);
            let hop = |told: &(i64, u8)| Reached::of(Hop::ALL[usize::from(told.1) % 5], told.0);
            let (mut one, mut other) = (Sampled::default(), Sampled::default());
            let (mut first, mut second) = (Reached::default(), Reached::default());
            told.iter().for_each(|told| one.merge(&of(told)));
            told.iter().rev().for_each(|told| other.merge(&of(told)));
            told.iter().for_each(|told| first.merge(&hop(told)));
            told.iter().rev().for_each(|told| second.merge(&hop(told)));
            prop_assert_eq!(one, other);
            prop_assert_eq!(first, second);
        }
    }

    #[test]
    fn a_hop_is_due_for_records_since_it_is_told_and_while_it_is() {
        let mut reached = Reached::of(Hop::Received, 10);
        reached.merge(&Reached::of(Hop::Written, 20));
        reached.merge(&Reached::of(Hop::Received, 100));
        assert_eq!(reached.due(15, 0), Some(Hop::Received), "nobody had come to be written");
        assert_eq!(reached.due(20, 0), Some(Hop::Written));
        assert_eq!(reached.due(90, 50), Some(Hop::Received), "nobody is written any longer");
        assert_eq!(reached.due(5, 0), None);
    }

    #[test]
    fn of_many_records_one_in_so_many_is_kept_and_a_finer_sample_is_in_the_coarser() {
        let kept = |bits| (0..4_096).filter(|n: &u32| is_kept(&n.to_string(), bits)).count();
        assert_eq!(kept(0), 4_096);
        assert!((350..700).contains(&kept(3)), "{}", kept(3));
        assert!((0..4_096u32).all(|n| !is_kept(&n.to_string(), 3) || is_kept(&n.to_string(), 2)));
    }
}
