//! Clocks of senders that are off (semantics section 13): the least delay between an event and its receipt, steady over
//! several minutes, is how far. What such a sender says is moved to where it belongs before anything counts it.
//!
//! A sender is a resource. What is known of one whose clock is off goes into the flush with what it said, so a replay
//! corrects by the same figure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::gauges::Gauges;
use crate::rollup::state::row::{Skew, State, StateKey, StateKind};
use crate::rollup::window::{Map, Minute, Part};
use crate::signals::fact::Fact;
use crate::signals::mark::Mark;
use crate::signals::observation::{IntegrationKey, JobRun, Observations};
use crate::signals::telemetry::Nanos;

const SECOND: Nanos = 1_000_000_000;
/// A clock that is off by less is left alone.
const LEAST: Nanos = 120 * SECOND;
/// One that is off by more is none: what comes is old.
const MOST: Nanos = 24 * 3600 * SECOND;
/// Delays of different minutes may differ by this: exporters send every few seconds, metrics once a minute.
const SPREAD: Nanos = 60 * SECOND;
/// Minutes that must agree, and how many are remembered.
const AGREEING: usize = 5;
const REMEMBERED: usize = 8;
/// Minutes older than these say nothing of the present.
const STALE: i64 = 6 * 60;
/// Senders that are watched.
const SENDERS: usize = 10_000;

/// What is known of senders' clocks.
#[derive(Debug, Default)]
pub struct Clocks {
    known: Map<u64, Skew>,
    /// Senders whose clock is off now.
    off: Map<u64, (IntegrationKey, Nanos)>,
    /// Records whose time was corrected.
    pub corrected: u64,
}

impl Clocks {
    /// As they were kept.
    pub fn new(kept: &Part) -> Clocks {
        let mut clocks = Clocks::default();
        for (key, state) in &kept.states {
            if let State::Skew(skew) = state
                && let Ok(sender) = u64::from_str_radix(&key.name, 16)
            {
                clocks.off.extend(off_by(skew).map(|by| (sender, (key.integration.clone(), by))));
                clocks.known.insert(sender, skew.clone());
            }
        }
        clocks
    }

    /// Learns from a request and corrects it. Gives what is to be kept of senders whose clock is off.
    pub fn apply(&mut self, seen: &mut Observations, received_at: Nanos) -> Vec<(StateKey, State)> {
        let mut kept = Vec::new();
        let marks = std::mem::take(&mut seen.marks);
        let ends = marks.iter().skip(1).copied().chain([Mark::end_of(seen)]);
        for (from, to) in marks.iter().zip(ends) {
            let Some(delay) = least_delay(seen, from, &to, received_at) else { continue };
            let Some(whose) = whose(seen, from) else { continue };
            if let Some(by) = self.learn(from.sender, &whose, delay, received_at, &mut kept) {
                self.corrected += shift(seen, from, &to, by, received_at);
            }
        }
        kept
    }

    /// How far a sender's clock is behind, once it is steady; what was learned of one that is off is kept.
    fn learn(
        &mut self,
        sender: u64,
        whose: &IntegrationKey,
        delay: Nanos,
        received_at: Nanos,
        kept: &mut Vec<(StateKey, State)>,
    ) -> Option<Nanos> {
        if self.known.len() >= SENDERS && !self.known.contains_key(&sender) {
            let oldest = self.known.iter().min_by_key(|(_, skew)| skew.at).map(|(sender, _)| *sender)?;
            self.known.remove(&oldest);
            self.off.remove(&oldest);
        }
        let skew = self.known.entry(sender).or_default();
        let minute = Minute::of(received_at);
        let known = skew.clone();
        skew.at = received_at.max(skew.at);
        skew.least.retain(|(at, _)| minute.0 - at.0 <= STALE);
        match skew.least.iter_mut().find(|(at, _)| *at == minute) {
            Some((_, least)) => *least = delay.min(*least),
            None => skew.least.push((minute, delay)),
        }
        let over = skew.least.len().saturating_sub(REMEMBERED);
        skew.least.drain(..over);
        let by = off_by(skew);
        let was = match by {
            Some(by) => self.off.insert(sender, (whose.clone(), by)).is_some(),
            None => self.off.remove(&sender).is_some(),
        };
        // What may be a clock that is off is kept while it is learned; one that is well again says so once.
        let doubtful = |skew: &Skew| skew.least.iter().any(|(_, delay)| delay.abs() >= LEAST);
        if (doubtful(skew) || was) && known.least != skew.least {
            let name: Arc<str> = format!("{sender:016x}").into();
            let key = StateKey { integration: whose.clone(), kind: StateKind::Skew, name };
            kept.push((key, State::Skew(skew.clone())));
        }
        by
    }

    /// Shows which clocks are off: one for each integration, that which is off most.
    pub fn note(&self, gauges: &Gauges) {
        gauges.clock_corrected.store(self.corrected, Ordering::Relaxed);
        let Ok(mut shown) = gauges.clocks.lock() else { return };
        if self.off.is_empty() && shown.is_empty() {
            return;
        }
        let mut worst: BTreeMap<&IntegrationKey, Nanos> = BTreeMap::new();
        for (whose, by) in self.off.values() {
            let known = worst.entry(whose).or_default();
            *known = if by.abs() > known.abs() { *by } else { *known };
        }
        *shown = worst.into_iter().map(|(whose, by)| (whose.clone(), by)).collect();
    }

    /// Forgets senders that were not heard of for a day.
    pub fn forget(&mut self, now: Nanos) {
        let oldest = now.saturating_sub(MOST);
        self.known.retain(|_, skew| skew.at >= oldest);
        let known = &self.known;
        self.off.retain(|sender, _| known.contains_key(sender));
    }
}

/// How far a clock is off, if enough minutes agree.
fn off_by(skew: &Skew) -> Option<Nanos> {
    let least = skew.least.iter().map(|(_, delay)| *delay).min()?;
    let most = skew.least.iter().map(|(_, delay)| *delay).max()?;
    let steady = skew.least.len() >= AGREEING && most - least <= SPREAD;
    (steady && (LEAST..=MOST).contains(&least.abs())).then_some(least)
}

/// The integration of a sender's first record.
fn whose(seen: &Observations, from: &Mark) -> Option<IntegrationKey> {
    let info = seen.integrations.get(from.integration as usize)?;
    Some(info.key.clone())
}

fn least_delay(seen: &Observations, from: &Mark, to: &Mark, received_at: Nanos) -> Option<Nanos> {
    let calls = part(&seen.calls, from.calls, to.calls).iter().map(|call| call.end);
    let points = part(&seen.points, from.points, to.points).iter().map(|point| point.at);
    let facts = part(&seen.facts, from.facts, to.facts).iter().map(|fact| fact.time);
    let runs = part(&seen.runs, from.runs, to.runs).iter().map(|run| run.time);
    let latest = calls.chain(points).chain(facts).chain(runs).max()?;
    Some(received_at.saturating_sub(latest))
}

/// Moves what a sender said by how far its clock is behind. No event is later than its receipt.
fn shift(seen: &mut Observations, from: &Mark, to: &Mark, by: Nanos, received_at: Nanos) -> u64 {
    let right = |time: &mut Nanos| *time = time.saturating_add(by).min(received_at);
    let mut moved = 0;
    for call in part_mut(&mut seen.calls, from.calls, to.calls) {
        right(&mut call.end);
        moved += 1;
    }
    for gauge in part_mut(&mut seen.gauges, from.gauges, to.gauges) {
        right(&mut gauge.time);
    }
    for point in part_mut(&mut seen.points, from.points, to.points) {
        right(&mut point.at);
        moved += 1;
    }
    for Fact { time, .. } in part_mut(&mut seen.facts, from.facts, to.facts) {
        right(time);
        moved += 1;
    }
    for delivery in part_mut(&mut seen.deliveries, from.deliveries, to.deliveries) {
        right(&mut delivery.time);
    }
    for count in part_mut(&mut seen.counts, from.counts, to.counts) {
        right(&mut count.time);
    }
    for slot in part_mut(&mut seen.slots, from.slots, to.slots) {
        right(&mut slot.time);
    }
    for run in part_mut(&mut seen.reconciliations, from.reconciliations, to.reconciliations) {
        right(&mut run.time);
    }
    let beats = part_mut(&mut seen.beats, from.beats, to.beats).iter_mut();
    let runs = part_mut(&mut seen.runs, from.runs, to.runs).iter_mut();
    for JobRun { time, next_at, .. } in beats.chain(runs) {
        right(time);
        // The sender reckoned it by its own clock.
        *next_at = next_at.map(|at| at.saturating_add(by / SECOND));
        moved += 1;
    }
    moved
}

fn part<T>(all: &[T], from: u32, to: u32) -> &[T] {
    all.get(from as usize..to as usize).unwrap_or_default()
}

fn part_mut<T>(all: &mut [T], from: u32, to: u32) -> &mut [T] {
    all.get_mut(from as usize..to as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::measure::Deltas;
    use crate::rollup::series::Merge;
    use crate::signals::observe::Observer;
    use crate::signals::telemetry::{Attributes, Origin, Span, SpanKind, Value};

    const MINUTE: Nanos = 60 * SECOND;
    const NOW: Nanos = 1_800_000_000 * SECOND;

    /// A request of calls of one host each: (host, how long before the receipt the call ended).
    fn request(hosts: &[(&str, Nanos)], received_at: Nanos) -> Observations {
        let mut observer = Observer::new(Arc::default(), received_at);
        let none = Attributes::default();
        for (at, (host, before)) in hosts.iter().enumerate() {
            let mut resource = Attributes::default();
            resource.push("service.name".into(), Value::Str("shop".into()));
            resource.push("host.name".into(), Value::Str((*host).to_owned().into()));
            let origin = Origin { resource_index: at, resource: &resource, scope_name: "", scope: &none };
            let end = received_at - before;
            let span = Span { kind: SpanKind::Server, start: end - 1, end, ..Span::default() };
            observer.span(&origin, &span).unwrap();
        }
        observer.finish()
    }

    /// How far each call of a request was moved.
    fn moved(clocks: &mut Clocks, hosts: &[(&str, Nanos)], received_at: Nanos) -> Vec<Nanos> {
        let mut seen = request(hosts, received_at);
        let before: Vec<Nanos> = seen.calls.iter().map(|call| call.end).collect();
        clocks.apply(&mut seen, received_at);
        seen.calls.iter().zip(before).map(|(call, before)| call.end - before).collect()
    }

    #[test]
    fn a_clock_that_is_twenty_minutes_slow_is_corrected_once_it_is_steady_and_only_for_its_host() {
        let mut clocks = Clocks::default();
        let slow = 20 * MINUTE;
        for minute in 0..4 {
            let at = NOW + minute * MINUTE;
            assert_eq!(moved(&mut clocks, &[("a", slow + 3 * SECOND), ("b", SECOND)], at), [0, 0]);
        }
        let at = NOW + 4 * MINUTE;
        assert_eq!(
            moved(&mut clocks, &[("a", slow + 9 * SECOND), ("b", SECOND)], at),
            [slow + 3 * SECOND, 0]
        );
        let shown = |clocks: &Clocks| {
            let gauges = Gauges::default();
            clocks.note(&gauges);
            gauges.clocks.lock().map(|shown| shown.iter().map(|(_, by)| *by).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!((shown(&clocks), clocks.corrected), (vec![slow + 3 * SECOND], 1));
        // It is set right: the next thing it says is timely, and it stays as it is.
        assert_eq!(moved(&mut clocks, &[("a", 2 * SECOND)], NOW + 5 * MINUTE), [0]);
        assert!(shown(&clocks).is_empty());
    }

    #[test]
    fn a_spool_that_is_sent_late_is_no_clock() {
        let mut clocks = Clocks::default();
        // All in one minute, and then ten minutes over which the delay shrinks.
        for second in 0..50 {
            assert_eq!(moved(&mut clocks, &[("a", 20 * MINUTE)], NOW + second * SECOND), [0]);
        }
        for minute in 1..11 {
            assert_eq!(moved(&mut clocks, &[("a", (20 - minute) * MINUTE)], NOW + minute * MINUTE), [0]);
        }
        for minute in 11..20 {
            assert_eq!(
                moved(&mut clocks, &[("b", 25 * 60 * MINUTE)], NOW + minute * MINUTE),
                [0],
                "a day old"
            );
            assert_eq!(
                moved(&mut clocks, &[("c", 90 * SECOND)], NOW + minute * MINUTE),
                [0],
                "under two minutes"
            );
        }
    }

    #[test]
    fn a_clock_that_is_fast_is_corrected_too_and_nothing_is_later_than_its_receipt() {
        let mut clocks = Clocks::default();
        for minute in 0..5 {
            moved(&mut clocks, &[("a", -3 * MINUTE)], NOW + minute * MINUTE);
        }
        assert_eq!(moved(&mut clocks, &[("a", -3 * MINUTE + SECOND)], NOW + 5 * MINUTE), [-3 * MINUTE]);
    }

    #[test]
    fn a_replay_from_what_was_kept_corrects_by_the_same_figure() {
        let (mut clocks, mut kept) = (Clocks::default(), Part::default());
        let send = |clocks: &mut Clocks, minute: i64| {
            let received_at = NOW + minute * MINUTE;
            let mut seen = request(&[("a", 20 * MINUTE + minute % 3 * SECOND)], received_at);
            let states = clocks.apply(&mut seen, received_at);
            let mut part = Part::default();
            part.absorb_deltas(&Deltas { states, ..Deltas::default() });
            (seen.calls[0].end, part)
        };
        for minute in 0..7 {
            kept.merge(&send(&mut clocks, minute).1);
        }
        let live: Vec<Nanos> = (7..12).map(|minute| send(&mut clocks, minute).0).collect();
        let mut again = Clocks::new(&kept);
        let replayed: Vec<Nanos> = (7..12).map(|minute| send(&mut again, minute).0).collect();
        assert_eq!(live, replayed);
        assert_eq!(again.off.values().map(|(_, by)| *by).collect::<Vec<_>>(), [20 * MINUTE]);
    }

    #[test]
    fn senders_are_bounded_and_those_unheard_of_forgotten() {
        let mut clocks = Clocks::default();
        for sender in 0..SENDERS as i64 + 50 {
            let host = sender.to_string();
            moved(&mut clocks, &[(&host, SECOND)], NOW + sender);
        }
        assert_eq!(clocks.known.len(), SENDERS);
        clocks.forget(NOW + 2 * MOST);
        assert!(clocks.known.is_empty());
    }
}
