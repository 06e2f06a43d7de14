//! What each metric stream said last, and so what its next point adds. Pure; rules in `docs/metrics.md`.
//!
//! Points are taken in the order of the inbox, so a replay adds the same. What changed goes into the flush that counts
//! what it added: after a crash the streams stand exactly where the rows stand.

pub mod total;
pub mod writers;
pub mod seen;
pub mod memory;
pub mod encode;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::measure::Deltas;
use super::window::Map;
use crate::signals::measure::Measured;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use memory::{Context, Memory};

/// A level or count that is not heard of for three of its intervals, and at least so long, is stale.
const STALE: Nanos = 120_000_000_000;
/// A count that began longer ago than minutes are kept is not counted into the minute of its first point.
pub const RETENTION: Nanos = 35 * 86_400 * 1_000_000_000;

/// Limits on streams.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams in all.
    pub streams: usize,
    /// Streams of one integration.
    pub per_integration: usize,
    /// Numbers that all of them may keep: histograms keep many.
    pub numbers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { streams: 100_000, per_integration: 20_000, numbers: 8_000_000 }
    }
}

/// One stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Whose.
    pub integration: IntegrationKey,
    /// The number of the series it feeds.
    pub series: u64,
    /// Its place in the order of being heard of.
    pub turn: u64,
    /// When it was received last.
    pub received_at: Nanos,
    /// The time of its latest point, as it counts.
    pub last: Nanos,
    /// Between its points; 0 while there is only one.
    pub interval: Nanos,
    /// Whether it said that it ended.
    pub ended: bool,
    /// What it said.
    pub memory: Memory,
}

impl Stream {
    /// Whether it should have been heard of by now, or said that it ended.
    pub fn is_stale(&self, now: Nanos) -> bool {
        self.ended || now.saturating_sub(self.last) > STALE.max(self.interval.saturating_mul(3))
    }

    fn note_time(&mut self, at: Nanos) {
        if at > self.last {
            let step = at - self.last;
            // One gap says little of the interval; a shorter step says it at once.
            self.interval = if self.interval == 0 { step } else { step.min(self.interval.saturating_mul(2)) };
            self.last = at;
        }
    }
}

/// What changed with some requests: streams as they stand now, none for one that was forgotten, and how far back
/// forgotten streams of an integration reach.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// By identity.
    pub streams: Map<u128, Option<Stream>>,
    /// By integration.
    pub floors: Map<IntegrationKey, Nanos>,
}

impl Changes {
    /// Takes in what came after.
    pub fn extend(&mut self, later: Changes) {
        self.streams.extend(later.streams);
        self.floors.extend(later.floors);
    }

    /// Bytes, estimated.
    pub fn bytes(&self) -> usize {
        self.streams.values().map(|stream| 200 + stream.as_ref().map_or(0, |one| 8 * one.memory.size())).sum()
    }
}

#[derive(Debug, Default)]
struct Group {
    /// Turn → stream, so that the first is the one not heard of for longest.
    order: BTreeMap<u64, u128>,
    /// When the latest of those forgotten was heard of.
    floor: Option<Nanos>,
}

/// All streams.
#[derive(Debug)]
pub struct Streams {
    limits: Limits,
    all: Map<u128, Stream>,
    groups: HashMap<IntegrationKey, Group>,
    turn: u64,
    numbers: usize,
}

impl Streams {
    /// Streams as they were kept.
    pub fn new(limits: Limits, kept: Changes) -> Streams {
        let mut streams =
            Streams { limits, all: Map::default(), groups: HashMap::new(), turn: 0, numbers: 0 };
        for (integration, floor) in kept.floors {
            streams.groups.entry(integration).or_default().floor = Some(floor);
        }
        for (id, stream) in kept.streams {
            let Some(stream) = stream else { continue };
            streams.turn = streams.turn.max(stream.turn + 1);
            streams.numbers += stream.memory.size();
            let group = streams.groups.entry(stream.integration.clone()).or_default();
            group.order.insert(stream.turn, id);
            streams.all.insert(id, stream);
        }
        streams
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes a request's points in and says what they add.
    pub fn apply(&mut self, points: Vec<Measured>, received_at: Nanos) -> Deltas {
        let mut deltas = Deltas::default();
        if points.is_empty() {
            return deltas;
        }
        let touched: Vec<u128> = points.iter().map(|point| point.stream).collect();
        for point in points {
            self.step(point, received_at, &mut deltas);
        }
        // After the last point: a stream with several in one request is written once, as it stands then.
        for id in touched {
            if let Some(stream) = self.all.get(&id) {
                let kept = deltas.changes.streams.entry(id);
                kept.or_insert_with(|| Some(stream.clone()));
            }
        }
        self.make_room(&mut deltas);
        deltas
    }

    fn step(&mut self, point: Measured, received_at: Nanos, deltas: &mut Deltas) {
        let integration = point.target.integration();
        let floor = self.groups.get(integration).and_then(|group| group.floor);
        let oldest = received_at.saturating_sub(RETENTION);
        let turn = self.turn;
        self.turn += 1;
        let stream = self.all.entry(point.stream).or_insert_with(|| Stream {
            integration: integration.clone(),
            series: point.target.series_hash(),
            turn,
            received_at,
            last: point.at,
            interval: 0,
            ended: false,
            memory: Memory::of(&point.reading),
        });
        let before = if stream.turn == turn { 0 } else { stream.memory.size() };
        let group = self.groups.entry(stream.integration.clone()).or_default();
        group.order.remove(&stream.turn);
        group.order.insert(turn, point.stream);
        (stream.turn, stream.received_at) = (turn, received_at);
        stream.note_time(point.at);
        let context = Context { received_at, oldest, floor, last: stream.last };
        stream.ended = stream.memory.take(point, context, deltas);
        self.numbers = (self.numbers + stream.memory.size()).saturating_sub(before);
    }

    /// Forgets streams past the limits: of an integration that has too many its own, else of the one that has most.
    fn make_room(&mut self, deltas: &mut Deltas) {
        let heard_of: BTreeSet<IntegrationKey> =
            deltas.changes.streams.values().flatten().map(|stream| stream.integration.clone()).collect();
        for key in heard_of {
            while self.groups.get(&key).is_some_and(|group| group.order.len() > self.limits.per_integration) {
                self.forget_one(&key, deltas);
            }
        }
        while self.all.len() > self.limits.streams || self.numbers > self.limits.numbers {
            let sizes = self.groups.iter().map(|(key, group)| (group.order.len(), key));
            let Some((_, largest)) = sizes.max() else { return };
            let largest = largest.clone();
            // A few at a time: finding the largest looks at all of them.
            for _ in 0..self.all.len().saturating_sub(self.limits.streams).clamp(1, 64) {
                if !self.forget_one(&largest, deltas) {
                    return;
                }
            }
        }
    }

    fn forget_one(&mut self, integration: &IntegrationKey, deltas: &mut Deltas) -> bool {
        let Some(group) = self.groups.get_mut(integration) else { return false };
        let Some((_, id)) = group.order.pop_first() else { return false };
        if let Some(stream) = self.all.remove(&id) {
            self.numbers = self.numbers.saturating_sub(stream.memory.size());
            group.floor = group.floor.max(Some(stream.received_at.max(stream.last)));
        }
        if let Some(floor) = group.floor {
            deltas.changes.floors.insert(integration.clone(), floor);
        }
        deltas.changes.streams.insert(id, None);
        deltas.notice("metric streams forgotten, there were too many");
        true
    }
}

#[cfg(test)]
mod tests;
