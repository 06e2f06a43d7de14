//! What metric points add to minutes: counters, durations, and the calls that duration metrics count.

use std::sync::Arc;

use super::latency::{Latency, floor_of};
use super::series::{CallsRow, GaugeRow, Merge};
use super::state::row::{State, StateKey};
use super::stream::Changes;
use super::stream::writers::Note;
use super::window::{Minute, Part};
use crate::signals::measure::{CounterKey, DurationKey};
use crate::signals::observation::{CallKey, Gauge};

/// A minute of a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CounterRow {
    /// Sum of what was added.
    pub sum: f64,
}

impl Merge for CounterRow {
    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
    }
}

/// A minute of durations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DurationRow {
    /// Those whose length is known, as well as their histogram tells.
    pub histogram: Latency,
    /// Those of which only the least is known, by that: beyond the last bound of their histogram.
    pub beyond: Latency,
    /// Sum in microseconds.
    pub sum_us: f64,
    /// Whether any came from explicit bounds: then a percentile is as wide as a bucket.
    pub estimated: bool,
}

impl Merge for DurationRow {
    fn merge(&mut self, other: &Self) {
        self.histogram.merge(&other.histogram);
        self.beyond.merge(&other.beyond);
        self.sum_us += other.sum_us;
        self.estimated |= other.estimated;
    }
}

/// A percentile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// About so many microseconds.
    About(u64),
    /// At least so many.
    AtLeast(u64),
}

impl DurationRow {
    /// How many durations it holds.
    pub fn count(&self) -> u64 {
        self.histogram.count().saturating_add(self.beyond.count())
    }

    /// The duration under which a share `quantile` (0 to 1) lies; none when it is empty.
    pub fn quantile(&self, quantile: f64) -> Option<Quantile> {
        let mut all = self.histogram.clone();
        all.merge(&self.beyond);
        let value = all.quantile_us(quantile)?;
        // Any of those might be longer, so whatever stands at or above the first of them might be.
        match self.beyond.iter().next() {
            Some((bound, _)) if bound <= value => Some(Quantile::AtLeast(bound.max(floor_of(value)))),
            _ => Some(Quantile::About(value)),
        }
    }
}

/// What the points of a request add, and where their streams stand after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deltas {
    /// Increments.
    pub counters: Vec<(Minute, CounterKey, f64)>,
    /// Durations.
    pub durations: Vec<(Minute, DurationKey, DurationRow)>,
    /// Calls that duration metrics count.
    pub calls: Vec<(Minute, CallKey, CallsRow)>,
    /// Levels that deltas add up to.
    pub gauges: Vec<Gauge>,
    /// Streams that changed.
    pub changes: Changes,
    /// Things that have one row each, and changed.
    pub states: Vec<(StateKey, State)>,
    /// What there is to tell, each with its count.
    pub notices: Vec<(&'static str, u64)>,
}

impl Deltas {
    /// Counts something to tell.
    pub fn notice(&mut self, what: &'static str) {
        match self.notices.iter_mut().find(|(name, _)| *name == what) {
            Some((_, count)) => *count += 1,
            None => self.notices.push((what, 1)),
        }
    }

    /// Counts what a stream told of a point.
    pub fn note(&mut self, note: Option<Note>) {
        let Some(note) = note else { return };
        self.notice(match note {
            Note::OutOfOrder => "metric points out of order",
            Note::OlderStart => "metric points of an older start",
            Note::Twice => "metric points that came twice",
            Note::Reset => "metric streams that started again",
            Note::Overlap => "metric streams with more than one writer",
            Note::Baseline => "metric streams of unknown start",
            Note::Old => "metric points too old to tell copies",
        });
    }

    /// Counts what was told, and gives whether the point counts.
    pub fn told(&mut self, (counts, note): (bool, Option<Note>)) -> bool {
        self.note(note);
        counts
    }
}

impl Part {
    /// Takes in what a request's metric points add.
    pub fn absorb_deltas(&mut self, deltas: &Deltas) {
        for (minute, key, value) in &deltas.counters {
            self.absorb_refreshes(*minute, key, *value);
            self.counters.entry((*minute, Arc::new(key.clone()))).or_default().sum += value;
        }
        for (minute, key, row) in &deltas.durations {
            self.durations.entry((*minute, Arc::new(key.clone()))).or_default().merge(row);
        }
        for (minute, key, row) in &deltas.calls {
            self.measured.entry((*minute, Arc::new(key.clone()))).or_default().merge(row);
        }
        for (key, state) in &deltas.states {
            self.states.entry(key.clone()).or_default().merge(state);
        }
        for gauge in &deltas.gauges {
            let key = (Minute::of(gauge.time), Arc::new(gauge.key.clone()));
            self.gauges.entry(key).or_default().merge(&GaugeRow::of(gauge.time, gauge.value));
        }
    }
}
