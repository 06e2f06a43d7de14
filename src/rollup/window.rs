//! Minutes and parts: what a stretch of the corridor said, by minute and series.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash};
use std::sync::Arc;

use rapidhash::fast::RapidHasher;
use serde::{Deserialize, Serialize};

use super::measure::{CounterRow, DurationRow};
use super::sequence;
use super::series::{CallsRow, GaugeRow, Merge, Outcomes, Tally};
use super::state::row::{State, StateKey, StateKind};
use super::state::runs::Runs;
use super::state::{Registration, Slot};
use crate::signals::call::Class;
use crate::signals::measure::{Aspect, CounterKey, DurationKey, SeriesKey};
use crate::signals::observation::{
    Call, CallKey, Facet, FacetKey, GaugeKey, IntegrationKey, JobRun, Observations, ReconciliationRun,
};
use crate::signals::telemetry::Nanos;

/// Nanoseconds in a minute.
pub const MINUTE: Nanos = 60_000_000_000;

/// A counter of ours beside those that are sent: requests that an integration's telemetry came in, by the minute of
/// receipt. Whoever is heard in no minute is unobserved.
pub const RECEIVED: &str = "seamwatch.received";

/// A minute since the epoch, UTC. `Minute(n)` covers [n, n + 1) minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Minute(pub i64);

impl Minute {
    /// The minute an instant falls in.
    pub fn of(time: Nanos) -> Minute {
        Minute(time.div_euclid(MINUTE))
    }

    /// Its first instant.
    pub fn start(self) -> Nanos {
        self.0.saturating_mul(MINUTE)
    }
}

/// A map with a fast hasher; keys are ours, so floods of chosen keys are bounded by the series limits.
pub type Map<K, V> = HashMap<K, V, BuildHasherDefault<RapidHasher<'static>>>;

/// A credential slot's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotKey {
    /// Whose.
    pub integration: IntegrationKey,
    /// `integration.credential.id`.
    pub credential: Arc<str>,
}

/// A reconciliation run's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunKey {
    /// Whose.
    pub integration: IntegrationKey,
    /// `integration.reconciliation.name`.
    pub name: Arc<str>,
    /// `integration.entity`.
    pub entity: Arc<str>,
    /// `integration.reconciliation.run_id`.
    pub run_id: Arc<str>,
}

/// What a stretch of the corridor said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Calls by endpoint.
    pub calls: Map<(Minute, Arc<CallKey>), CallsRow>,
    /// Calls by connection and by credential.
    pub facets: Map<(Minute, Arc<FacetKey>), Tally>,
    /// Latest outcomes by endpoint.
    pub outcomes: Map<Arc<CallKey>, Outcomes>,
    /// Gauges.
    pub gauges: Map<(Minute, Arc<GaugeKey>), GaugeRow>,
    /// Counters.
    pub counters: Map<(Minute, Arc<CounterKey>), CounterRow>,
    /// Durations.
    pub durations: Map<(Minute, Arc<DurationKey>), DurationRow>,
    /// Calls as duration metrics count them: beside the calls, never added to them.
    pub measured: Map<(Minute, Arc<CallKey>), CallsRow>,
    /// Credential slots.
    pub slots: Map<SlotKey, Slot>,
    /// Reconciliation runs; the later report of a run wins.
    pub reconciliations: Map<RunKey, ReconciliationRun>,
    /// Job runs, in order of arrival.
    pub runs: Vec<JobRun>,
    /// Integrations.
    pub integrations: Map<IntegrationKey, Registration>,
    /// Other things that have one row each.
    pub states: Map<StateKey, State>,
}

impl Part {
    /// Takes one request's observations in. `received_at` is when the request arrived.
    pub fn absorb(&mut self, seen: &Observations, received_at: Nanos) {
        for info in &seen.integrations {
            self.integrations
                .entry(info.key.clone())
                .or_default()
                .merge(&Registration::of(info, received_at));
        }
        self.absorb_calls(seen);
        self.absorb_failures(seen);
        for gauge in &seen.gauges {
            let key = (Minute::of(gauge.time), Arc::new(gauge.key.clone()));
            self.gauges.entry(key).or_default().merge(&GaugeRow::of(gauge.time, gauge.value));
            self.absorb_schedule(gauge);
        }
        for update in &seen.slots {
            let key =
                SlotKey { integration: update.integration.clone(), credential: update.credential.clone() };
            self.slots.entry(key).or_default().merge(&Slot::of(update));
        }
        for run in &seen.reconciliations {
            self.absorb_reconciliation(run);
        }
        for run in &seen.runs {
            let (integration, name) = (run.integration.clone(), run.name.clone());
            let key = StateKey { integration, kind: StateKind::Runs, name };
            self.states.entry(key).or_default().merge(&State::Runs(Runs::of(run)));
        }
        self.runs.extend(seen.runs.iter().cloned());
        for batch in &seen.batches {
            sequence::absorb(self, batch, received_at);
        }
        self.absorb_facts(seen, received_at);
    }

    /// Adds calls, all of one series and minute together: one look-up a group instead of one a call.
    fn absorb_calls(&mut self, seen: &Observations) {
        let mut outcomes: Vec<(Nanos, u64, bool)> = Vec::new();
        let groups = grouped(seen.series.len(), seen.calls.iter().map(|call| call.series));
        for (series, group) in seen.series.iter().zip(groups.iter()) {
            if group.is_empty() {
                continue;
            }
            let key = Arc::new(series.clone());
            let calls = || group.iter().filter_map(|at| seen.calls.get(*at as usize));
            let mut calls_left = calls().peekable();
            while let Some(minute) = calls_left.peek().map(|call| Minute::of(call.end)) {
                let row = self.calls.entry((minute, key.clone())).or_default();
                while let Some(call) = calls_left.next_if(|call| Minute::of(call.end) == minute) {
                    row.record(call, key.source);
                }
            }
            outcomes.clear();
            outcomes.extend(
                calls()
                    .filter(|call| is_outcome(call))
                    .map(|call| (call.end, call.operation, call.class.is_good())),
            );
            if !outcomes.is_empty() {
                self.outcomes.entry(key).or_default().record_all(&mut outcomes);
            }
        }
        self.absorb_facets(seen);
    }

    fn absorb_facets(&mut self, seen: &Observations) {
        // By peer, not by series: they are one row there.
        let sides = seen.sides();
        for facet in [Facet::Connection, Facet::Credential] {
            let name_of = |call: &Call| match facet {
                Facet::Connection => call.connection,
                Facet::Credential => call.credential,
            };
            let names = seen.calls.iter().map(|call| name_of(call).unwrap_or(u32::MAX));
            let groups = grouped(seen.names.len(), names);
            for (id, group) in seen.names.iter().zip(groups.iter()) {
                let calls = group.iter().filter_map(|at| seen.calls.get(*at as usize));
                let place = |call: &Call| (sides.get(call.series as usize).copied(), Minute::of(call.end));
                let mut calls = calls.peekable();
                while let Some(at @ (side, minute)) = calls.peek().map(|call| place(call)) {
                    let of = side.and_then(|side| seen.series.get(side as usize));
                    let mut row = of.map(|of| {
                        let key = FacetKey {
                            integration: of.integration.clone(),
                            direction: of.direction,
                            peer: of.peer.clone(),
                            facet,
                            id: id.clone(),
                        };
                        self.facets.entry((minute, Arc::new(key))).or_default()
                    });
                    while let Some(call) = calls.next_if(|call| place(call) == at) {
                        if let Some(row) = &mut row {
                            row.record(call);
                        }
                    }
                }
            }
        }
    }

    fn absorb_reconciliation(&mut self, run: &ReconciliationRun) {
        let key = RunKey {
            integration: run.integration.clone(),
            name: run.name.clone(),
            entity: run.entity.clone(),
            run_id: run.run_id.clone(),
        };
        let kept = self.reconciliations.entry(key).or_insert_with(|| run.clone());
        if run.time > kept.time {
            kept.clone_from(run);
        }
    }

    /// An empty part with room for as many series as this one has: the next is mostly of the same.
    pub fn next(&self) -> Part {
        let mut next = Part::default();
        next.calls.reserve(self.calls.len());
        next.outcomes.reserve(self.outcomes.len());
        next.facets.reserve(self.facets.len());
        next
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        *self == Part::default()
    }

    /// How many rows a flush would write.
    pub fn rows(&self) -> usize {
        self.calls.len()
            + self.facets.len()
            + self.gauges.len()
            + self.counters.len()
            + self.durations.len()
            + self.measured.len()
            + self.slots.len()
    }

    /// Drops what metric points added, but for the counters that have a meaning to a signal and the calls that they count:
    /// those are judged where spans are only samples.
    pub fn forget_measures(&mut self) {
        self.counters.retain(|(_, key), _| is_meant(&key.series.metric));
        self.durations.clear();
    }

    /// Keeps only what is of integrations that are wanted.
    pub fn retain(&mut self, wanted: impl Fn(&IntegrationKey) -> bool) {
        self.calls.retain(|(_, key), _| wanted(&key.integration));
        self.facets.retain(|(_, key), _| wanted(&key.integration));
        self.outcomes.retain(|key, _| wanted(&key.integration));
        self.gauges.retain(|(_, key), _| wanted(&key.integration));
        self.counters.retain(|(_, key), _| wanted(&key.series.integration));
        self.durations.retain(|(_, key), _| wanted(&key.series.integration));
        self.measured.retain(|(_, key), _| wanted(&key.integration));
        self.slots.retain(|key, _| wanted(&key.integration));
        self.reconciliations.retain(|key, _| wanted(&key.integration));
        self.runs.retain(|run| wanted(&run.integration));
        self.integrations.retain(|key, _| wanted(key));
        self.states.retain(|key, _| wanted(&key.integration));
    }

    /// Drops the minutes before `oldest`; states stay.
    pub fn forget_before(&mut self, oldest: Minute) {
        self.calls.retain(|(minute, _), _| *minute >= oldest);
        self.facets.retain(|(minute, _), _| *minute >= oldest);
        self.gauges.retain(|(minute, _), _| *minute >= oldest);
        self.counters.retain(|(minute, _), _| *minute >= oldest);
        self.durations.retain(|(minute, _), _| *minute >= oldest);
        self.measured.retain(|(minute, _), _| *minute >= oldest);
        self.runs.retain(|run| Minute::of(run.time) >= oldest);
    }
}

impl Merge for Part {
    fn merge(&mut self, other: &Self) {
        join(&mut self.calls, &other.calls);
        join(&mut self.facets, &other.facets);
        join(&mut self.outcomes, &other.outcomes);
        join(&mut self.gauges, &other.gauges);
        join(&mut self.counters, &other.counters);
        join(&mut self.durations, &other.durations);
        join(&mut self.measured, &other.measured);
        join(&mut self.slots, &other.slots);
        join(&mut self.integrations, &other.integrations);
        join(&mut self.states, &other.states);
        other.reconciliations.values().for_each(|run| self.absorb_reconciliation(run));
        self.runs.extend(other.runs.iter().cloned());
    }
}

/// Whether a counter of that name is one of the vocabulary or of ours.
pub fn is_meant(metric: &str) -> bool {
    metric.starts_with("integration.") || metric == RECEIVED
}

/// The counter of requests that an integration's telemetry came in.
pub fn received(integration: &IntegrationKey) -> CounterKey {
    let (metric, unit) = (Arc::from(RECEIVED), Arc::from("{request}"));
    let series = SeriesKey { integration: integration.clone(), metric, unit, attributes: Vec::new() };
    CounterKey { series, aspect: Aspect::Value }
}

fn join<K: Clone + Eq + Hash, V: Merge>(ours: &mut Map<K, V>, theirs: &Map<K, V>) {
    for (key, value) in theirs {
        ours.entry(key.clone()).or_default().merge(value);
    }
}

/// The places of things by the group of each, in order of arrival. Those of no group below `groups` are left out.
fn grouped(groups: usize, of: impl Iterator<Item = u32> + Clone) -> Grouped {
    let mut ends = vec![0u32; groups];
    for group in of.clone() {
        if let Some(count) = ends.get_mut(group as usize) {
            *count += 1;
        }
    }
    let mut before = 0;
    for end in &mut ends {
        // For now where the group begins.
        before += std::mem::replace(end, before);
    }
    let mut places = vec![0; before as usize];
    for (at, group) in (0u32..).zip(of) {
        let Some(end) = ends.get_mut(group as usize) else { continue };
        if let Some(place) = places.get_mut(*end as usize) {
            *place = at;
            *end += 1;
        }
    }
    Grouped { ends, places }
}

/// Places, one group after another.
struct Grouped {
    ends: Vec<u32>,
    places: Vec<u32>,
}

impl Grouped {
    fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let begins = std::iter::once(&0).chain(&self.ends);
        let ranges = begins.zip(&self.ends).map(|(from, to)| *from as usize..*to as usize);
        ranges.map(|range| self.places.get(range).unwrap_or_default())
    }
}

/// Whether a call is one of the outcomes that are kept beside the minutes (semantics section 2).
fn is_outcome(call: &Call) -> bool {
    call.class.is_good() || call.class.is_bad() || (call.class == Class::Throttled && call.exhausted)
}
