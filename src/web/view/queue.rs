//! Queues: depth by state and the age of the oldest ready item (semantics section 6).

use std::collections::BTreeMap;

use crate::rollup::series::{GaugeRow, Merge};
use crate::rollup::window::{MINUTE, Minute, Part};
use crate::signals::observation::{GaugeKey, IntegrationKey};
use crate::signals::telemetry::Nanos;
use crate::signals::vocabulary::{Attr, Metric};

/// A reporter that was summed is left out once it has said nothing for this long while others spoke.
const REPORTER_GRACE: Nanos = 5 * MINUTE;

/// One queue as last reported. States are never added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// `integration.queue.name`.
    pub name: String,
    /// Ready items.
    pub ready: Option<f64>,
    /// Items that wait for their time.
    pub delayed: Option<f64>,
    /// Items being worked on.
    pub in_flight: Option<f64>,
    /// Items given up.
    pub dead_letter: Option<f64>,
    /// Seconds.
    pub oldest_age: Option<f64>,
    /// When its depth was last reported.
    pub reported_at: Option<Nanos>,
    /// Ready items by minute.
    pub history: BTreeMap<Minute, f64>,
}

/// A gauge by minute and reporter.
type Points<'p> = BTreeMap<Minute, Vec<(u64, &'p GaugeRow, bool)>>;

/// A gauge's row of a minute.
pub type Gauge<'p> = (Minute, &'p GaugeKey, &'p GaugeRow);

/// The gauges of a part by integration.
pub fn gauges(part: &Part) -> BTreeMap<&IntegrationKey, Vec<Gauge<'_>>> {
    let mut by_integration: BTreeMap<&IntegrationKey, Vec<Gauge<'_>>> = BTreeMap::new();
    for ((minute, key), row) in &part.gauges {
        by_integration.entry(&key.integration).or_default().push((*minute, key, row));
    }
    by_integration
}

/// The queues that the gauges of an integration tell of, by name.
pub fn queues(gauges: &[Gauge<'_>]) -> Vec<Queue> {
    let mut series: BTreeMap<(&str, Metric, &str), Points<'_>> = BTreeMap::new();
    for (minute, key, row) in gauges {
        let Some(metric) = Metric::from_wire(&key.metric) else { continue };
        if !matches!(metric, Metric::QueueDepth | Metric::QueueOldestAge) {
            continue;
        }
        let name = key.attribute(Attr::QueueName.name()).unwrap_or_default();
        let state = key.attribute(Attr::QueueState.name()).unwrap_or("ready");
        let points = series.entry((name, metric, state)).or_default();
        points.entry(*minute).or_default().push((key.reporter, row, key.additive));
    }
    let mut queues: BTreeMap<&str, Queue> = BTreeMap::new();
    for ((name, metric, state), points) in &series {
        let queue = queues.entry(name).or_insert_with(|| Queue { name: (*name).into(), ..Queue::default() });
        let value = standing(points);
        match (metric, *state) {
            (Metric::QueueOldestAge, _) => queue.oldest_age = value,
            (_, "delayed") => queue.delayed = value,
            (_, "in_flight") => queue.in_flight = value,
            (_, "dead_letter") => queue.dead_letter = value,
            (_, "ready") => {
                queue.ready = value;
                queue.history = points.keys().filter_map(|at| Some((*at, value_at(points, *at)?))).collect();
            }
            _ => {}
        }
        let latest = points.values().flatten().map(|(_, row, _)| row.last_at).max();
        queue.reported_at = queue.reported_at.max(latest);
    }
    queues.into_values().collect()
}

/// The value that stands at the end: the latest of any reporter, or the sum over reporters.
fn standing(points: &Points<'_>) -> Option<f64> {
    points.keys().next_back().and_then(|last| value_at(points, *last))
}

/// The value that stood at the end of a minute.
fn value_at(points: &Points<'_>, at: Minute) -> Option<f64> {
    let mut latest: BTreeMap<u64, GaugeRow> = BTreeMap::new();
    let mut additive = false;
    let earliest = Minute(at.0.saturating_sub(REPORTER_GRACE / MINUTE));
    for (reporter, row, adds) in points.range(earliest..=at).flat_map(|(_, rows)| rows) {
        additive |= adds;
        latest.entry(*reporter).or_default().merge(row);
    }
    if additive {
        let newest = latest.values().map(|row| row.last_at).max()?;
        let speaks = |row: &&GaugeRow| newest.saturating_sub(row.last_at) <= REPORTER_GRACE;
        return Some(latest.values().filter(speaks).map(|row| row.last).sum::<f64>().max(0.0));
    }
    latest
        .into_values()
        .reduce(|mut a, b| {
            a.merge(&b);
            a
        })
        .map(|row| row.last)
}

/// Ready items over all queues; none where no queue says.
pub fn ready(queues: &[Queue]) -> Option<f64> {
    queues.iter().filter_map(|queue| queue.ready).reduce(|a, b| a + b)
}

/// The greatest age in seconds of an oldest ready item.
pub fn oldest_age(queues: &[Queue]) -> Option<f64> {
    queues.iter().filter_map(|queue| queue.oldest_age).reduce(f64::max)
}
