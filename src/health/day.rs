//! What a day of an integration's telemetry comes to.

use super::readiness::Evidence;
use crate::rollup::series::{Merge, Tally};
use crate::signals::measure::CounterKey;
use crate::signals::observation::Direction;
use crate::signals::vocabulary::{Attr, Metric};

/// What a day of calls comes to.
#[derive(Default)]
pub struct Day {
    /// Calls to peers.
    pub all: Tally,
    /// Calls, and those in the first five minutes of an hour.
    pub calls: (f64, f64),
    /// Webhooks that came in.
    pub deliveries: f64,
    /// Of these, rejected for their signature.
    pub rejected_by_signature: f64,
    metrics: Vec<String>,
    /// Refreshes of tokens by what triggered them.
    pub triggers: Vec<(String, f64)>,
}

impl Day {
    /// Adds up a day.
    pub fn of(evidence: &Evidence<'_>) -> Day {
        let mut day = Day::default();
        for ((minute, key), row) in &evidence.day.calls {
            if key.integration != *evidence.key || key.direction != Direction::Outbound {
                continue;
            }
            day.all.merge(&row.tally);
            let calls: f64 = row.tally.attempts.iter().sum();
            day.calls.0 += calls;
            if minute.0.rem_euclid(60) < 5 {
                day.calls.1 += calls;
            }
        }
        let own = |key: &CounterKey| key.series.integration == *evidence.key;
        let label = |key: &CounterKey, attr: Attr| {
            let found = key.series.attributes.iter().find(|(name, _)| &**name == attr.name());
            found.map_or_else(String::new, |(_, value)| value.to_string())
        };
        for (_, key, row) in evidence.day.deliveries().filter(|(_, key, _)| own(key)) {
            day.deliveries += row.sum;
            if label(key, Attr::WebhookReason) == "bad_signature" {
                day.rejected_by_signature += row.sum;
            }
        }
        for (_, key, row) in evidence.day.refreshes().filter(|(_, key, _)| own(key)) {
            day.triggers.push((label(key, Attr::Trigger), row.sum));
        }
        let counters = evidence.day.counters.keys().filter(|(_, key)| own(key));
        day.metrics.extend(counters.map(|(_, key)| key.series.metric.to_string()));
        for (_, key) in evidence.day.gauges.keys() {
            if key.integration == *evidence.key {
                day.metrics.push(key.metric.to_string());
            }
        }
        day.metrics.sort();
        day.metrics.dedup();
        day
    }

    /// Whether a metric arrives.
    pub fn has(&self, metric: Metric) -> bool {
        self.metrics.iter().any(|name| name == metric.name())
    }
}
