//! What a minute holds, by kind of series, and how two parts of the same minute merge (semantics section 16).

use super::latency::{Latency, read_varint, write_varint};
use crate::signals::call::{Attempts, Class};
use crate::signals::observation::{Call, Source};
use crate::signals::telemetry::Nanos;

/// Joins two parts of the same series. Associative, commutative, with `Default` as identity.
pub trait Merge: Default {
    /// Takes another part in.
    fn merge(&mut self, other: &Self);
}

/// Counts of calls without histograms: by connection, by credential, and the base of [`CallsRow`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Attempts by class, weighted.
    pub attempts: [f64; Class::COUNT],
    /// Attempts by class as they came.
    pub unweighted: [u64; Class::COUNT],
    /// Attempts by class that a retry replaced.
    pub superseded: [f64; Class::COUNT],
    /// Retries whose replaced attempt is not known.
    pub retries_unlinked: f64,
    /// Operations given up because of throttling.
    pub exhausted: f64,
    /// POST, PUT, PATCH, DELETE.
    pub writes: u64,
    /// Writes that carried an idempotency key.
    pub writes_keyed: u64,
    /// Writes that the peer answered from its own record.
    pub replayed: u64,
    /// Records carried.
    pub records: u64,
    /// Records failed inside a 2xx.
    pub records_failed: u64,
    /// Pages read.
    pub pages: u64,
    /// Largest page and how many had that size.
    pub page_max: (u64, u64),
    /// Sum of durations in microseconds.
    pub duration_sum_us: u64,
    /// Greatest duration in microseconds.
    pub duration_max_us: u64,
}

impl Tally {
    /// Counts one attempt.
    pub fn record(&mut self, call: &Call) {
        let at = call.class as usize;
        self.attempts[at] += call.weight;
        self.unweighted[at] += 1;
        if let Some(class) = call.supersedes {
            self.superseded[class as usize] += call.weight;
        } else if call.unlinked_retry {
            self.retries_unlinked += call.weight;
        }
        if call.exhausted && call.class == Class::Throttled {
            self.exhausted += call.weight;
        }
        self.writes += u64::from(call.write);
        self.writes_keyed += u64::from(call.keyed);
        self.replayed += u64::from(call.replayed);
        self.records = self.records.saturating_add(call.records);
        self.records_failed = self.records_failed.saturating_add(call.records_failed);
        if let Some(size) = call.page_size {
            self.merge(&Tally {
                pages: 1,
                page_max: if size > 0 { (size, 1) } else { (0, 0) },
                ..Tally::default()
            });
        }
        self.duration_sum_us = self.duration_sum_us.saturating_add(call.duration_us);
        self.duration_max_us = self.duration_max_us.max(call.duration_us);
    }

    /// The counts that [`crate::signals::call::judge`] reads.
    pub fn counts(&self) -> Attempts {
        Attempts {
            attempts: self.attempts,
            superseded: self.superseded,
            retries_unlinked: self.retries_unlinked,
            exhausted: self.exhausted,
        }
    }
}

impl Merge for Tally {
    fn merge(&mut self, other: &Self) {
        for at in 0..Class::COUNT {
            self.attempts[at] += other.attempts[at];
            self.unweighted[at] = self.unweighted[at].saturating_add(other.unweighted[at]);
            self.superseded[at] += other.superseded[at];
        }
        self.retries_unlinked += other.retries_unlinked;
        self.exhausted += other.exhausted;
        self.writes = self.writes.saturating_add(other.writes);
        self.writes_keyed = self.writes_keyed.saturating_add(other.writes_keyed);
        self.replayed = self.replayed.saturating_add(other.replayed);
        self.records = self.records.saturating_add(other.records);
        self.records_failed = self.records_failed.saturating_add(other.records_failed);
        self.pages = self.pages.saturating_add(other.pages);
        self.page_max = match self.page_max.0.cmp(&other.page_max.0) {
            std::cmp::Ordering::Less => other.page_max,
            std::cmp::Ordering::Equal => (self.page_max.0, self.page_max.1.saturating_add(other.page_max.1)),
            std::cmp::Ordering::Greater => self.page_max,
        };
        self.duration_sum_us = self.duration_sum_us.saturating_add(other.duration_sum_us);
        self.duration_max_us = self.duration_max_us.max(other.duration_max_us);
    }
}

/// A minute of calls of one endpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallsRow {
    /// The counts.
    pub tally: Tally,
    /// Durations of ok and partial attempts.
    pub good: Latency,
    /// Durations of all other attempts.
    pub bad: Latency,
}

impl CallsRow {
    /// Counts one attempt of a series with this source.
    pub fn record(&mut self, call: &Call, source: Source) {
        self.tally.record(call);
        // A report need not say how long its run took; nothing is not a duration.
        if call.duration_us > 0 || source != Source::Report {
            let histogram = if call.class.is_good() { &mut self.good } else { &mut self.bad };
            histogram.record(call.duration_us, call.weight.round().max(1.0) as u64);
        }
    }
}

impl Merge for CallsRow {
    fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        self.good.merge(&other.good);
        self.bad.merge(&other.bad);
    }
}

/// A minute of a gauge of one reporter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaugeRow {
    /// The latest value and its time; ties go to the greater value so that order does not matter.
    pub last: f64,
    /// Time of `last`.
    pub last_at: Nanos,
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
}

impl Default for GaugeRow {
    fn default() -> Self {
        Self { last: f64::NEG_INFINITY, last_at: Nanos::MIN, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl GaugeRow {
    /// A row of one point.
    pub fn of(time: Nanos, value: f64) -> Self {
        Self { last: value, last_at: time, min: value, max: value }
    }
}

impl Merge for GaugeRow {
    fn merge(&mut self, other: &Self) {
        if (other.last_at, other.last) > (self.last_at, self.last) {
            (self.last_at, self.last) = (other.last_at, other.last);
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// How many of the latest outcomes of a key are kept.
pub const OUTCOMES: usize = 8;

/// The latest operations of a key: (time, operation hash, good), newest first, one per hash.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// At most [`OUTCOMES`].
    pub latest: Vec<(Nanos, u64, bool)>,
}

impl Outcomes {
    /// Takes outcomes in. The latest attempt of an operation stands for it.
    pub fn record_all(&mut self, outcomes: &mut [(Nanos, u64, bool)]) {
        outcomes.sort_unstable_by(|a, b| b.cmp(a));
        self.merge_sorted(outcomes);
    }

    /// Merges outcomes that come newest first, without an allocation: this happens for each series of each request.
    fn merge_sorted(&mut self, theirs: &[(Nanos, u64, bool)]) {
        let mut kept = [(0, 0, false); OUTCOMES];
        let mut count = 0;
        let (mut ours, mut theirs) = (self.latest.iter().peekable(), theirs.iter().peekable());
        while count < OUTCOMES {
            let next = match (ours.peek(), theirs.peek()) {
                (Some(our), Some(their)) if our >= their => ours.next(),
                (Some(_), None) => ours.next(),
                (_, Some(_)) => theirs.next(),
                (None, None) => break,
            };
            let Some(next) = next else { break };
            // The first of an operation is its latest.
            let (before, after) = kept.split_at_mut(count);
            if !before.iter().any(|(_, operation, _)| *operation == next.1)
                && let Some(place) = after.first_mut()
            {
                *place = *next;
                count += 1;
            }
        }
        self.latest.clear();
        self.latest.extend(kept.iter().take(count));
    }
}

impl Merge for Outcomes {
    fn merge(&mut self, other: &Self) {
        self.merge_sorted(&other.latest);
    }
}

impl Tally {
    /// Compact bytes: a mask of classes, then their counts, then the rest as varints.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let mask = (0..Class::COUNT)
            .filter(|at| {
                self.attempts[*at] != 0.0 || self.unweighted[*at] != 0 || self.superseded[*at] != 0.0
            })
            .fold(0u64, |mask, at| mask | 1 << at);
        write_varint(into, mask);
        for at in (0..Class::COUNT).filter(|at| mask & 1 << at != 0) {
            write_f64(into, self.attempts[at]);
            write_varint(into, self.unweighted[at]);
            write_f64(into, self.superseded[at]);
        }
        write_f64(into, self.retries_unlinked);
        write_f64(into, self.exhausted);
        for value in [
            self.writes,
            self.writes_keyed,
            self.replayed,
            self.records,
            self.records_failed,
            self.pages,
            self.page_max.0,
            self.page_max.1,
            self.duration_sum_us,
            self.duration_max_us,
        ] {
            write_varint(into, value);
        }
    }

    /// Reads what [`Tally::encode`] wrote and moves `from` past it; none when it is damaged.
    pub fn decode(from: &mut &[u8]) -> Option<Tally> {
        let mask = read_varint(from)?;
        let mut tally = Tally::default();
        for at in (0..Class::COUNT).filter(|at| mask & 1 << at != 0) {
            tally.attempts[at] = read_f64(from)?;
            tally.unweighted[at] = read_varint(from)?;
            tally.superseded[at] = read_f64(from)?;
        }
        tally.retries_unlinked = read_f64(from)?;
        tally.exhausted = read_f64(from)?;
        tally.writes = read_varint(from)?;
        tally.writes_keyed = read_varint(from)?;
        tally.replayed = read_varint(from)?;
        tally.records = read_varint(from)?;
        tally.records_failed = read_varint(from)?;
        tally.pages = read_varint(from)?;
        tally.page_max = (read_varint(from)?, read_varint(from)?);
        tally.duration_sum_us = read_varint(from)?;
        tally.duration_max_us = read_varint(from)?;
        Some(tally)
    }
}

/// A whole number as 2n, anything else as 1 and its eight bytes: counts are nearly always whole.
fn write_f64(into: &mut Vec<u8>, value: f64) {
    if value >= 0.0 && value.fract() == 0.0 && value < 9.0e15 {
        write_varint(into, (value as u64) << 1);
    } else {
        write_varint(into, 1);
        into.extend_from_slice(&value.to_le_bytes());
    }
}

fn read_f64(from: &mut &[u8]) -> Option<f64> {
    let head = read_varint(from)?;
    if head & 1 == 0 {
        return Some((head >> 1) as f64);
    }
    let (bytes, rest) = from.split_first_chunk::<8>()?;
    *from = rest;
    Some(f64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
