//! Levels that are kept as gauge series: queues first, rate limits and schedules beside them.

use std::sync::Arc;

use super::endpoint;
use super::observation::{Gauge, GaugeKey, IntegrationKey};
use super::required;
use super::telemetry::{Nanos, Origin, Point, PointValue, Refusal, Temporality};
use super::vocabulary::{Attr, Metric};

/// The state of items that may be taken at once, and of a depth that does not say.
pub const READY: &str = "ready";

/// The value of a point that tells a level, and whether reporters are summed; none for "the series ended".
pub fn level(point: &Point<'_, '_>) -> Result<Option<(f64, bool)>, Refusal> {
    let (value, additive) = match point.value {
        PointValue::Gauge(value) => (value, false),
        PointValue::Sum { monotonic: true, .. } => {
            return Err(Refusal::Borrowed("a sum that only grows, where a gauge or an updowncounter belongs"));
        }
        PointValue::Sum { temporality: Temporality::Delta, .. } => {
            return Err(Refusal::Borrowed("a sum of changes (delta), where the level itself belongs"));
        }
        PointValue::Sum { value, .. } => (value, true),
        PointValue::Histogram { .. } | PointValue::ExponentialHistogram { .. } | PointValue::Summary => {
            return Err(Refusal::Borrowed("a distribution, where a gauge belongs"));
        }
        PointValue::NoValue => return Ok(None),
    };
    if !value.is_finite() {
        return Err(Refusal::Borrowed("its value is not a number"));
    }
    // One reporter of an updowncounter may stand below zero: it takes out what another put in.
    if value < 0.0 && !additive {
        return Err(Refusal::Borrowed("its value is negative"));
    }
    Ok(Some((value, additive)))
}

/// Reads a point of a gauge series. `reporter` is the hash of its resource, `time` the settled one.
pub fn gauge(
    origin: &Origin<'_, '_>,
    point: &Point<'_, '_>,
    metric: Metric,
    integration: &IntegrationKey,
    reporter: u64,
    time: Nanos,
) -> Result<Option<Gauge>, Refusal> {
    let Some((value, additive)) = level(point)? else { return Ok(None) };
    let mut attributes: Vec<(Arc<str>, Arc<str>)> = dimensions(metric)
        .iter()
        .filter_map(|attr| {
            let sent = required::lookup(origin, point.attributes, *attr).map(|value| value.text());
            let text = match attr {
                Attr::QueueState => sent.filter(|text| !text.is_empty()).unwrap_or(READY.into()),
                Attr::ServerAddress => endpoint::peer(origin, point.attributes),
                _ => sent?,
            };
            Some((attr.name().into(), endpoint::cap(&text).into()))
        })
        .collect();
    attributes.sort_unstable();
    let key = GaugeKey {
        integration: integration.clone(),
        metric: metric.name().into(),
        attributes,
        additive,
        reporter,
    };
    Ok(Some(Gauge { key, time, value }))
}

/// The attributes that tell one series of a metric from another.
fn dimensions(metric: Metric) -> &'static [Attr] {
    match metric {
        Metric::QueueDepth => &[Attr::QueueName, Attr::QueueState],
        Metric::QueueOldestAge => &[Attr::QueueName],
        Metric::RateLimitLimit | Metric::RateLimitRemaining | Metric::RateLimitResetsAt => {
            &[Attr::ServerAddress, Attr::RateLimitName, Attr::RateLimitAccount]
        }
        Metric::ReconciliationNextRunAt => &[Attr::ReconciliationName],
        _ => &[],
    }
}
