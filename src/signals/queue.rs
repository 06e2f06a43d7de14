//! Queue depth and age, as gauge series (vocabulary section 4, semantics section 6).

use std::sync::Arc;

use super::lookup::Lookup;
use super::observation::{GaugeKey, IntegrationKey};
use super::telemetry::{Point, PointValue, Refusal, Temporality};
use super::vocabulary::{Attr, Metric};

/// The state that stands when none is given.
pub const READY: &str = "ready";

/// The series of a point of a queue metric, or of another metric that is kept as a gauge series.
pub fn series(
    metric: Metric,
    integration: IntegrationKey,
    look: &Lookup<'_, '_>,
    point: &Point<'_, '_>,
    reporter: u64,
) -> Result<GaugeKey, Refusal> {
    let wanted: &[Attr] = match metric {
        Metric::QueueDepth | Metric::QueueOldestAge => {
            if look.str(Attr::QueueName).is_none() {
                return Err(Refusal::Borrowed("no integration.queue.name"));
            }
            &[Attr::QueueName, Attr::QueueState]
        }
        Metric::ReconciliationNextRunAt => &[Attr::ReconciliationName],
        _ => &[Attr::RateLimitAccount, Attr::RateLimitName, Attr::ServerAddress],
    };
    let said = |attr: &Attr| {
        let value = look.get(*attr)?;
        Some((Arc::from(attr.name()), Arc::from(super::endpoint::cut(&value.text()))))
    };
    let mut attributes: Vec<(Arc<str>, Arc<str>)> = wanted.iter().filter_map(said).collect();
    if metric == Metric::QueueDepth && look.get(Attr::QueueState).is_none() {
        attributes.push((Arc::from(Attr::QueueState.name()), Arc::from(READY)));
    }
    attributes.sort();
    // An updowncounter is a level: reporters are summed.
    let additive = matches!(point.value, PointValue::Sum { .. });
    let (metric, unit) = (Arc::from(metric.name()), Arc::from(""));
    Ok(GaugeKey { integration, metric, unit, attributes, additive, reporter })
}

/// What such a point says: a level, or what it changed by where it is a delta; none when the series ended.
pub fn value(metric: Metric, point: &Point<'_, '_>) -> Result<Option<f64>, Refusal> {
    let (value, least) = match point.value {
        PointValue::Gauge(value) => (value, 0.0),
        PointValue::Sum { value, monotonic: false, temporality: Temporality::Cumulative } => (value, 0.0),
        PointValue::Sum { value, monotonic: false, temporality: Temporality::Delta } => (value, f64::MIN),
        PointValue::NoValue(_) => return Ok(None),
        _ => return Err(format!("{} is not a gauge or an updowncounter", metric.name()).into()),
    };
    if !value.is_finite() || value < least {
        return Err(format!("{} is {value}, not a number of 0 or more", metric.name()).into());
    }
    Ok(Some(value))
}
