//! What one stream said, by its kind, and what its next point adds.

use super::seen::Seen;
use super::writers::{Note, Step, When, Writers};
use crate::rollup::convert::durations;
use crate::rollup::measure::Deltas;
use crate::rollup::series::CallsRow;
use crate::rollup::window::Minute;
use crate::signals::measure::{Aspect, CounterKey, Histogram, Measured, MeasuredCalls, Reading, Target};
use crate::signals::observation::Gauge;
use crate::signals::telemetry::{Nanos, Temporality};

/// Calls of a first point that covers more than this are not calls of its minute.
const HOUR: Nanos = 3_600_000_000_000;

/// What a stream's next point is read with.
#[derive(Clone, Debug, PartialEq)]
pub enum Memory {
    /// Gauges and cumulative updowncounters: each point says all.
    Level,
    /// Delta sums and histograms.
    Delta(Seen),
    /// Delta updowncounters: the level is what they add up to.
    Running(Seen, f64),
    /// Cumulative sums.
    Sums(Writers<f64>),
    /// Cumulative histograms.
    Histograms(Writers<Histogram>),
}

/// What a point is read with besides.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// When it was received.
    pub received_at: Nanos,
    /// What began before this began too long ago to be counted from its beginning.
    pub oldest: Nanos,
    /// Up to here streams of the integration were forgotten.
    pub floor: Option<Nanos>,
    /// The latest time of the stream.
    pub last: Nanos,
}

impl Memory {
    /// Nothing yet, for a stream whose first point says this.
    pub fn of(reading: &Reading) -> Memory {
        match reading {
            Reading::Level | Reading::End => Memory::Level,
            Reading::Change(_) => Memory::Running(Seen::default(), 0.0),
            Reading::Sum(_, Temporality::Delta) | Reading::Histogram(_, Temporality::Delta) => {
                Memory::Delta(Seen::default())
            }
            Reading::Sum(_, Temporality::Cumulative) => Memory::Sums(Writers::default()),
            Reading::Histogram(_, Temporality::Cumulative) => Memory::Histograms(Writers::default()),
        }
    }

    /// Numbers it is kept as.
    pub fn size(&self) -> usize {
        match self {
            Memory::Level => 0,
            Memory::Delta(seen) | Memory::Running(seen, _) => 2 * seen.latest.len() + 1,
            Memory::Sums(writers) => writers.size(),
            Memory::Histograms(writers) => writers.size(),
        }
    }

    /// Takes a point in, adds what it adds, and says whether the series ended with it.
    pub fn take(&mut self, point: Measured, context: Context, deltas: &mut Deltas) -> bool {
        let Context { received_at, oldest, floor, last } = context;
        let when = When { start: point.start, time: point.time, received_at, oldest, floor };
        let Measured { target, at, reading, calls, .. } = point;
        if matches!((&*self, &reading), (Memory::Level, Reading::Level | Reading::End)) {
            return matches!(reading, Reading::End);
        }
        // A stream that began with its end is of no kind yet.
        if *self == Memory::Level {
            *self = Memory::of(&reading);
        }
        match (self, reading) {
            (Memory::Delta(_), Reading::End) => return true,
            (Memory::Running(_, level), Reading::End) => {
                *level = 0.0;
                return true;
            }
            (Memory::Sums(writers), Reading::End) => {
                writers.end();
                return true;
            }
            (Memory::Histograms(writers), Reading::End) => {
                writers.end();
                return true;
            }
            (Memory::Delta(seen), Reading::Sum(value, _)) => {
                if deltas.told(seen.admit(when.start, when.time)) {
                    count(deltas, &target, at, value);
                }
            }
            (Memory::Delta(seen), Reading::Histogram(histogram, _)) => {
                if deltas.told(seen.admit(when.start, when.time)) {
                    let since = if when.start > 0 { when.start } else { when.time };
                    let added = Some((histogram, since));
                    spread(deltas, target, at, Step { added, note: None }, when, calls);
                }
            }
            (Memory::Running(seen, level), Reading::Change(value)) => {
                if deltas.told(seen.admit(when.start, when.time)) {
                    *level += value;
                    if let Target::Level(key) = target {
                        // The level holds all that came so far, so it stands at the latest time.
                        deltas.gauges.push(Gauge { key, time: at.max(last), value: *level });
                    }
                }
            }
            (Memory::Sums(writers), Reading::Sum(value, _)) => {
                let step = writers.advance(when, value);
                deltas.note(step.note);
                let is_told = !matches!(step.note, Some(Note::OutOfOrder | Note::OlderStart | Note::Twice));
                if let Some((added, _)) = step.added {
                    count(deltas, &target, at, added);
                } else if is_told {
                    // A baseline: the series is known, and nothing is known to have been added.
                    count(deltas, &target, at, 0.0);
                }
            }
            (Memory::Histograms(writers), Reading::Histogram(histogram, _)) => {
                let step = writers.advance(when, histogram);
                deltas.note(step.note);
                spread(deltas, target, at, step, when, calls);
            }
            // The reading's kind is part of the identity: one identity never holds two kinds.
            _ => deltas.notice("metric points of another kind than their stream"),
        }
        false
    }
}

fn count(deltas: &mut Deltas, target: &Target, at: Nanos, value: f64) {
    if let Target::Counter(key) = target {
        deltas.counters.push((Minute::of(at), key.clone(), value));
    }
}

/// Adds a histogram to the durations or to the two counters of its series, and to the calls that it counts.
fn spread(
    deltas: &mut Deltas,
    target: Target,
    at: Nanos,
    step: Step<Histogram>,
    when: When,
    calls: Option<MeasuredCalls>,
) {
    let Some((histogram, since)) = step.added else { return };
    let minute = Minute::of(at);
    match target {
        Target::Durations(key, to_micros) => {
            let row = durations(&histogram, to_micros);
            let fresh = when.time.saturating_sub(since) <= HOUR;
            if let Some(MeasuredCalls { key, class, write }) = calls.filter(|_| fresh && histogram.count > 0)
            {
                let mut calls = CallsRow::default();
                let (count, sum_us) = (histogram.count, row.sum_us.max(0.0).round() as u64);
                if let Some(attempts) = calls.tally.attempts.get_mut(class as usize) {
                    *attempts = count as f64;
                }
                if let Some(attempts) = calls.tally.unweighted.get_mut(class as usize) {
                    *attempts = count;
                }
                calls.tally.writes = if write { count } else { 0 };
                calls.tally.duration_sum_us = sum_us;
                let greatest = histogram.max.filter(|max| max.is_finite()).unwrap_or(0.0);
                calls.tally.duration_max_us = (greatest * to_micros).max(0.0).ceil() as u64;
                let into = if class.is_good() { &mut calls.good } else { &mut calls.bad };
                into.merge(&row.histogram);
                // Of these only the least that they took is known.
                into.merge(&row.beyond);
                deltas.calls.push((minute, key, calls));
            }
            deltas.durations.push((minute, key, row));
        }
        Target::Counter(CounterKey { series, .. }) => {
            let (count, sum) = (histogram.count as f64, histogram.sum);
            let key = |aspect| CounterKey { series: series.clone(), aspect };
            deltas.counters.push((minute, key(Aspect::Count), count));
            deltas.counters.push((minute, key(Aspect::Sum), sum));
        }
        Target::Level(_) => {}
    }
}
