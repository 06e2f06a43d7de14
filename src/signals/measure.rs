//! Data points that mean something only beside what their stream said before: sums, histograms, levels.
//!
//! Here a point is read into plain values. What it adds to its series is for `rollup::stream` to say, which keeps
//! what each stream said last.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::call::Class;
use super::observation::{CallKey, GaugeKey, IntegrationKey};
use super::telemetry::{Nanos, Temporality};

/// A series of a metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// Whose.
    pub integration: IntegrationKey,
    /// The metric's name on the wire, the current one where it has an old one.
    pub metric: Arc<str>,
    /// Its UCUM unit.
    pub unit: Arc<str>,
    /// (name on the wire, value), ascending by name.
    pub attributes: Vec<(Arc<str>, Arc<str>)>,
}

/// Which figure of a metric a counter adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// A sum's value.
    Value,
    /// How many values a histogram or summary holds.
    Count,
    /// What they add up to.
    Sum,
}

/// A series of increments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CounterKey {
    /// Of which series.
    pub series: SeriesKey,
    /// Which figure of it.
    pub aspect: Aspect,
}

/// A series of durations: a histogram whose unit is a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DurationKey {
    /// Of which series.
    pub series: SeriesKey,
}

/// What a stream's points are counted as.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Increments. A histogram counts as two: how many values, and their sum.
    Counter(CounterKey),
    /// Durations; the factor makes microseconds of the metric's unit.
    Durations(DurationKey, f64),
    /// A level.
    Level(GaugeKey),
}

impl Target {
    /// Whose it is.
    pub fn integration(&self) -> &IntegrationKey {
        match self {
            Target::Counter(key) => &key.series.integration,
            Target::Durations(key, _) => &key.series.integration,
            Target::Level(key) => &key.integration,
        }
    }

    /// A number that all streams of one series share, whichever figure of it they feed.
    pub fn series_hash(&self) -> u64 {
        match self {
            Target::Counter(CounterKey { series, .. }) | Target::Durations(DurationKey { series }, _) => {
                series_hash(&series.integration, &series.metric, &series.attributes)
            }
            Target::Level(key) => series_hash(&key.integration, &key.metric, &key.attributes),
        }
    }
}

/// The number of a series; kept, so it is the same in every version.
pub fn series_hash(integration: &IntegrationKey, metric: &str, attributes: &[(Arc<str>, Arc<str>)]) -> u64 {
    let mut hasher = Xxh3::new();
    let named = [&*integration.environment, &*integration.name, metric];
    for text in named.into_iter().chain(attributes.iter().flat_map(|(name, value)| [&**name, &**value])) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.digest()
}

/// The buckets of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub enum Buckets {
    /// Upper bounds, ascending, and one count more; both empty where only the count is known.
    Explicit {
        /// Upper bounds.
        bounds: Vec<f64>,
        /// Counts.
        counts: Vec<u64>,
    },
    /// Base-2 exponential.
    Exponential {
        /// Base = 2^(2^-scale).
        scale: i32,
        /// Width of the zero bucket.
        zero_threshold: f64,
        /// Values in the zero bucket.
        zero: u64,
        /// (index, count), ascending by index, no count 0.
        buckets: Vec<(i32, u64)>,
    },
}

impl Default for Buckets {
    fn default() -> Self {
        Buckets::Explicit { bounds: Vec::new(), counts: Vec::new() }
    }
}

/// A histogram as one point holds it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Number of values.
    pub count: u64,
    /// Their sum; 0 where it is not given.
    pub sum: f64,
    /// Least value of just what this point covers.
    pub min: Option<f64>,
    /// Greatest value of just what this point covers.
    pub max: Option<f64>,
    /// Where they lie.
    pub buckets: Buckets,
}

/// What a point says.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A level that was read and stands among the gauges already.
    Level,
    /// What a level rose or fell by.
    Change(f64),
    /// A sum that only grows.
    Sum(f64, Temporality),
    /// A histogram.
    Histogram(Histogram, Temporality),
    /// The series ended.
    End,
}

/// Which calls a duration metric counts.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredCalls {
    /// Their series, of source `metric`.
    pub key: CallKey,
    /// How they ended.
    pub class: Class,
    /// POST, PUT, PATCH or DELETE.
    pub write: bool,
}

/// One point of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The stream's identity.
    pub stream: u128,
    /// What it counts as.
    pub target: Target,
    /// Start of what it covers, as sent; 0 when unknown.
    pub start: Nanos,
    /// Its time, as sent.
    pub time: Nanos,
    /// The time that counts: as sent, or that of receipt where it lies in the future.
    pub at: Nanos,
    /// What it says.
    pub reading: Reading,
    /// The calls that it counts as well.
    pub calls: Option<MeasuredCalls>,
}

/// Microseconds in one unit of time by its UCUM code, or by the words that some senders use; none for other units.
pub fn micros(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" | "nanoseconds" => 1e-3,
        "us" | "µs" | "μs" | "microseconds" => 1.0,
        "ms" | "milliseconds" => 1e3,
        "s" | "seconds" => 1e6,
        "min" | "minutes" => 60e6,
        "h" | "hours" => 3.6e9,
        "d" | "days" => 86.4e9,
        _ => return None,
    })
}
