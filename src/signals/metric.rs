//! What is known of metrics by their names: shape, unit, and the attributes that tell their series apart.

use std::sync::Arc;

use super::endpoint;
use super::lookup::Lookup;
use super::measure::SeriesKey;
use super::observation::{Direction, IntegrationKey};
use super::telemetry::{Point, PointValue, Refusal, SpanKind};
use super::vocabulary::{Attr, Metric};

/// Attributes of a metric outside the vocabulary that tell its series apart; the rest is left out.
pub const ATTRIBUTES: usize = 32;

/// The unit that stands: as sent, else the one that the name implies. An old name alone says milliseconds.
pub fn unit_of<'p>(metric: Option<Metric>, point: &Point<'p, '_>) -> Option<&'p str> {
    match (point.unit, point.metric, metric) {
        ("", "http.client.duration" | "http.server.duration", _) => Some("ms"),
        ("", _, Some(metric)) if is_duration(metric) => Some("s"),
        (sent, ..) => Some(sent),
    }
}

/// Whether a metric is a histogram of durations.
pub fn is_duration(metric: Metric) -> bool {
    spans_of(metric).is_some()
        || matches!(metric, Metric::OperationDuration | Metric::RateLimitWait | Metric::WebhookDelay)
}

/// The unit of a metric of the vocabulary (section 4).
pub fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::QueueDepth | Metric::QueueEnqueued | Metric::QueueDequeued | Metric::QueueDeadLettered => {
            "{message}"
        }
        Metric::RateLimitLimit | Metric::RateLimitRemaining => "{request}",
        Metric::QueueOldestAge | Metric::RateLimitResetsAt | Metric::ReconciliationNextRunAt => "s",
        _ => "",
    }
}

/// Which way and by what kind of span the calls of a duration metric go.
pub fn spans_of(metric: Metric) -> Option<(Direction, SpanKind)> {
    match metric {
        Metric::ClientDuration | Metric::RpcClientDuration => Some((Direction::Outbound, SpanKind::Client)),
        Metric::ServerDuration | Metric::RpcServerDuration => Some((Direction::Inbound, SpanKind::Server)),
        _ => None,
    }
}

/// A metric of the vocabulary in another shape than it has there is refused.
pub fn expect(metric: Metric, value: &PointValue<'_>) -> Result<(), Refusal> {
    let fits = match value {
        PointValue::NoValue(_) => true,
        PointValue::Histogram { .. } | PointValue::ExponentialHistogram { .. } => is_duration(metric),
        PointValue::Sum { monotonic: true, .. } => !is_duration(metric),
        _ => false,
    };
    let wanted = if is_duration(metric) { "histogram" } else { "counter" };
    if fits { Ok(()) } else { Err(format!("{} is not a {wanted}", metric.name()).into()) }
}

/// The series a point belongs to: of a metric of the vocabulary by its attributes there, of others by all it has.
pub fn series(
    metric: Option<Metric>,
    integration: IntegrationKey,
    look: &Lookup<'_, '_>,
    point: &Point<'_, '_>,
    peer: &str,
) -> Result<SeriesKey, Refusal> {
    let mut attributes: Vec<(Arc<str>, Arc<str>)> = match metric {
        Some(metric) => {
            let (required, more) = attributes_of(metric);
            if let Some(missing) = required.iter().find(|attr| look.str(**attr).is_none()) {
                return Err(format!("no {}", missing.name()).into());
            }
            let all = required.iter().chain(more);
            all.filter_map(|attr| {
                let text = look.get(*attr)?.text();
                (!text.is_empty()).then(|| (Arc::from(attr.name()), Arc::from(endpoint::cut(&text))))
            })
            .collect()
        }
        None => {
            let own = point.attributes.iter().take(ATTRIBUTES);
            own.map(|(name, value)| (Arc::from(endpoint::cut(name)), Arc::from(endpoint::cut(&value.text()))))
                .collect()
        }
    };
    if metric.is_some_and(|metric| spans_of(metric).is_some()) {
        normalise(&mut attributes, look, peer);
    }
    attributes.sort();
    let name = metric.map_or(endpoint::cut(point.metric), |metric| metric.name());
    let unit = if metric.is_some_and(is_duration) { "s" } else { endpoint::cut(point.unit) };
    Ok(SeriesKey { integration, metric: Arc::from(name), unit: Arc::from(unit), attributes })
}

/// What the standard metrics need beyond a new name for an old one (vocabulary section 1).
fn normalise(attributes: &mut Vec<(Arc<str>, Arc<str>)>, look: &Lookup<'_, '_>, peer: &str) {
    let (address, route) = (Attr::ServerAddress.name(), Attr::HttpRoute.name());
    // The host without a port inside it, also where only `http.host` or `url.full` says it.
    attributes.retain(|(name, _)| &**name != address);
    if !peer.is_empty() {
        attributes.push((Arc::from(address), Arc::from(peer)));
    }
    let target = look.str(Attr::HttpTarget).filter(|target| target.contains(['{', ':']));
    if let Some(target) = target.filter(|_| look.get(Attr::HttpRoute).is_none()) {
        attributes.push((Arc::from(route), Arc::from(endpoint::cut(target))));
    }
}

/// The attributes that a point of a metric must have, and those that it may have (vocabulary section 4).
fn attributes_of(metric: Metric) -> (&'static [Attr], &'static [Attr]) {
    const PEER: &[Attr] = &[Attr::ServerAddress, Attr::RateLimitName, Attr::RateLimitAccount];
    match metric {
        Metric::QueueEnqueued | Metric::QueueDequeued | Metric::QueueDeadLettered => {
            (&[Attr::QueueName], &[])
        }
        Metric::CredentialRefreshes => {
            (&[Attr::CredentialId], &[Attr::Outcome, Attr::Trigger, Attr::ErrorType])
        }
        Metric::WebhookDeliveries => {
            (&[Attr::WebhookEventType, Attr::WebhookResult], &[Attr::WebhookProvider, Attr::WebhookReason])
        }
        Metric::WebhookDelay => (&[], &[Attr::WebhookProvider, Attr::WebhookEventType]),
        Metric::ContractViolations => {
            (&[], &[Attr::Endpoint, Attr::ContractPath, Attr::ContractKind, Attr::ContractDirection])
        }
        Metric::Heartbeat => (&[], &[Attr::HeartbeatName]),
        Metric::OperationDuration => (&[Attr::Endpoint], &[Attr::ErrorType]),
        Metric::RateLimitWait => (&[], PEER),
        _ => (
            &[],
            &[
                Attr::HttpMethod,
                Attr::HttpStatus,
                Attr::HttpRoute,
                Attr::UrlTemplate,
                Attr::ServerAddress,
                Attr::ServerPort,
                Attr::RpcSystem,
                Attr::RpcMethod,
                Attr::RpcStatus,
                Attr::ErrorType,
            ],
        ),
    }
}
