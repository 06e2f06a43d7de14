//! Queue depth and age, as gauge series (vocabulary section 4, semantics section 6).

use std::sync::Arc;

use super::lookup::Lookup;
use super::observation::{Gauge, GaugeKey, IntegrationKey};
use super::telemetry::{Nanos, Point, PointValue, Refusal};
use super::vocabulary::{Attr, Metric};

/// The state that stands when none is given.
pub const READY: &str = "ready";

/// A point of a queue metric or of another metric that is kept as a gauge series.
pub fn gauge(
    metric: Metric,
    integration: IntegrationKey,
    look: &Lookup<'_, '_>,
    point: &Point<'_, '_>,
    reporter: u64,
    time: Nanos,
) -> Result<Option<Gauge>, Refusal> {
    let (value, additive) = match point.value {
        PointValue::Gauge(value) => (value, false),
        // An updowncounter is a level: reporters are summed.
        PointValue::Sum { value, monotonic: false, .. } => (value, true),
        PointValue::NoValue => return Ok(None),
        _ => return Err(format!("{} is not a gauge or an updowncounter", metric.name()).into()),
    };
    if !value.is_finite() || value < 0.0 {
        return Err(format!("{} is {value}, not a number of 0 or more", metric.name()).into());
    }
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
    let key = GaugeKey { integration, metric: Arc::from(metric.name()), attributes, additive, reporter };
    Ok(Some(Gauge { key, time, value }))
}
