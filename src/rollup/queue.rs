//! Queues by minute, as gauges and counters say (semantics section 6).

use std::collections::BTreeMap;

use super::window::{Minute, Part};
use crate::signals::measure::SeriesKey;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::signals::vocabulary::{Attr, Metric};

/// A level stands for so many minutes, its own among them.
const STANDS: i64 = 5;

/// A level by minute, of all that report it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Levels(BTreeMap<Minute, Vec<Point>>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    reporter: u64,
    additive: bool,
    value: f64,
    at: Nanos,
}

impl Levels {
    /// The level at the end of a minute: the latest of any reporter, or the sum of the latest of each where they are
    /// added up. None where nobody has said it for five minutes.
    pub fn at(&self, minute: Minute) -> Option<f64> {
        let mut latest: BTreeMap<u64, Point> = BTreeMap::new();
        for point in self.0.range(Minute(minute.0 - STANDS + 1)..=minute).flat_map(|(_, points)| points) {
            let kept = latest.entry(point.reporter).or_insert(*point);
            if (point.at, point.value) >= (kept.at, kept.value) {
                *kept = *point;
            }
        }
        let newest = latest.values().max_by(|a, b| a.at.cmp(&b.at).then(a.value.total_cmp(&b.value)))?;
        if !newest.additive {
            return Some(newest.value);
        }
        Some(latest.values().filter(|point| point.additive).map(|point| point.value).sum())
    }

    /// The levels of the `minutes` up to a minute, oldest first; none where any is not known.
    pub fn last(&self, minute: Minute, minutes: i64) -> Option<Vec<f64>> {
        (minute.0 - minutes + 1..=minute.0).map(|at| self.at(Minute(at))).collect()
    }
}

/// Increments by minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts(BTreeMap<Minute, f64>);

impl Counts {
    /// What a minute added; none where nothing was said of it.
    pub fn at(&self, minute: Minute) -> Option<f64> {
        self.0.get(&minute).copied()
    }

    /// What the `minutes` up to a minute added; none where nothing was ever said.
    pub fn sum(&self, minute: Minute, minutes: i64) -> Option<f64> {
        let range = self.0.range(Minute(minute.0 - minutes + 1)..=minute);
        (!self.0.is_empty()).then(|| range.map(|(_, count)| count).sum())
    }
}

/// What is known of a queue. States are never added up, and age is of ready items only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// Items that wait to be worked on.
    pub ready: Levels,
    /// Items given up.
    pub dead: Levels,
    /// Seconds that the oldest ready item has waited.
    pub age: Levels,
    /// Items put in.
    pub enqueued: Counts,
    /// Items taken out.
    pub dequeued: Counts,
    /// Items given up.
    pub dead_lettered: Counts,
}

/// Whether and when a queue will be empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drain {
    /// In so many seconds, if it goes on as it does.
    In(f64),
    /// Never, as it goes.
    Never,
}

/// Minutes over which arrivals and departures are compared.
const DRAIN: i64 = 15;

impl Queue {
    /// When it will be empty, by what came and went in a quarter of an hour, or by how its depth changed where that is
    /// not counted.
    pub fn drain(&self, minute: Minute) -> Option<Drain> {
        let ready = self.ready.at(minute)?;
        let counted = self.dequeued.sum(minute, DRAIN).zip(self.enqueued.sum(minute, DRAIN));
        let less = match counted {
            Some((left, came)) => left - came,
            None => self.ready.at(Minute(minute.0 - DRAIN))? - ready,
        };
        Some(match (ready > 0.0, less > 0.0) {
            (false, _) => Drain::In(0.0),
            (true, true) => Drain::In(ready / less * DRAIN as f64 * 60.0),
            (true, false) => Drain::Never,
        })
    }
}

/// Queues by whose they are and their name.
pub type Queues<'a> = BTreeMap<(&'a IntegrationKey, &'a str), Queue>;

/// All queues that minutes from `from` up to and with `to` say anything of.
pub fn queues(part: &Part, from: Minute, to: Minute) -> Queues<'_> {
    let mut out: Queues<'_> = BTreeMap::new();
    let within = |minute: Minute| (from..=to).contains(&minute);
    for ((minute, key), row) in part.gauges.iter().filter(|((minute, _), _)| within(*minute)) {
        let is_depth = &*key.metric == Metric::QueueDepth.name();
        if !is_depth && &*key.metric != Metric::QueueOldestAge.name() {
            continue;
        }
        let Some(name) = key.attribute(Attr::QueueName.name()) else { continue };
        let state = key.attribute(Attr::QueueState.name()).unwrap_or("ready");
        let queue = out.entry((&key.integration, name)).or_default();
        let levels = match (is_depth, state) {
            (false, _) => &mut queue.age,
            (true, "ready") => &mut queue.ready,
            (true, "dead_letter") => &mut queue.dead,
            _ => continue,
        };
        let (reporter, additive) = (key.reporter, key.additive);
        let point = Point { reporter, additive, value: row.last, at: row.last_at };
        levels.0.entry(*minute).or_default().push(point);
    }
    for ((minute, key), row) in part.counters.iter().filter(|((minute, _), _)| within(*minute)) {
        let series = &key.series;
        let Some(metric) = Metric::from_wire(&series.metric).filter(|metric| is_count(*metric)) else {
            continue;
        };
        let Some(name) = name(series) else { continue };
        let queue = out.entry((&series.integration, name)).or_default();
        let counts = match metric {
            Metric::QueueEnqueued => &mut queue.enqueued,
            Metric::QueueDequeued => &mut queue.dequeued,
            _ => &mut queue.dead_lettered,
        };
        *counts.0.entry(*minute).or_insert(0.0) += row.sum;
    }
    out
}

fn is_count(metric: Metric) -> bool {
    matches!(metric, Metric::QueueEnqueued | Metric::QueueDequeued | Metric::QueueDeadLettered)
}

fn name(series: &SeriesKey) -> Option<&str> {
    let found = series.attributes.iter().find(|(name, _)| &**name == Attr::QueueName.name());
    found.map(|(_, value)| &**value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::window::MINUTE;

    fn levels(points: &[(i64, u64, bool, f64)]) -> Levels {
        let mut levels = Levels::default();
        for (minute, reporter, additive, value) in points.iter().copied() {
            let point = Point { reporter, additive, value, at: minute * MINUTE + reporter as i64 };
            levels.0.entry(Minute(minute)).or_default().push(point);
        }
        levels
    }

    #[test]
    fn the_latest_of_any_reporter_stands_or_the_sum_of_the_latest_of_each() {
        let gauges = levels(&[(1, 1, false, 40.0), (2, 2, false, 41.0), (2, 1, false, 39.0)]);
        assert_eq!(gauges.at(Minute(1)), Some(40.0));
        assert_eq!(gauges.at(Minute(2)), Some(41.0), "four workers that report one queue are one queue");
        assert_eq!(gauges.at(Minute(6)), Some(41.0));
        assert_eq!(gauges.at(Minute(7)), None, "nobody has said it for five minutes");
        let summed = levels(&[(1, 1, true, 40.0), (2, 2, true, 2.0), (2, 1, true, 38.0)]);
        assert_eq!(summed.at(Minute(2)), Some(40.0));
        assert_eq!(summed.last(Minute(2), 2), Some(vec![40.0, 40.0]));
        assert_eq!(summed.last(Minute(2), 3), None);
    }

    #[test]
    fn a_queue_drains_by_what_leaves_beyond_what_comes() {
        let mut queue = Queue { ready: levels(&[(20, 1, false, 300.0)]), ..Queue::default() };
        assert_eq!(queue.drain(Minute(20)), None, "neither departures nor what was there before");
        queue.ready = levels(&[(5, 1, false, 600.0), (20, 1, false, 300.0)]);
        assert_eq!(queue.drain(Minute(20)), Some(Drain::In(900.0)));
        for minute in 6..=20 {
            queue.dequeued.0.insert(Minute(minute), 30.0);
            queue.enqueued.0.insert(Minute(minute), 20.0);
        }
        assert_eq!(queue.drain(Minute(20)), Some(Drain::In(1800.0)));
        queue.enqueued.0.insert(Minute(20), 500.0);
        assert_eq!(queue.drain(Minute(20)), Some(Drain::Never));
        queue.ready = levels(&[(20, 1, false, 0.0)]);
        assert_eq!(queue.drain(Minute(20)), Some(Drain::In(0.0)));
    }
}
