//! What log events say beyond slots and runs (vocabulary section 5), and what is derived from spans where the
//! vocabulary's own telemetry is absent (section 6). Plain values with bounded texts; nothing is judged here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::measure::{Aspect, CounterKey, SeriesKey};
use super::observation::IntegrationKey;
use super::telemetry::Nanos;
use super::vocabulary::Attr;

/// A counter of ours: violations that events tell of, beside those that the integration counts itself.
pub const VIOLATIONS: &str = "integration.contract.violation";

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Whose.
    pub integration: IntegrationKey,
    /// When.
    pub time: Nanos,
    /// What it says.
    pub said: Said,
}

impl Fact {
    /// KiB that it takes, about: a shape has many paths, the others are short.
    pub fn weight(&self) -> usize {
        match &self.said {
            Said::Shape(shape) => 1 + shape.types.as_ref().map_or(0, |types| types.len() / 2),
            Said::Missing(missing) => 1 + missing.keys.len() / 5,
            _ => 1,
        }
    }
}

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// `integration.credential.refresh_failed`
    RefreshFailed(RefreshFailed),
    /// `integration.connection.closed`: gone on purpose.
    ConnectionClosed {
        /// `integration.connection.id`.
        connection: Arc<str>,
    },
    /// `integration.reconciliation.missing`
    Missing(Missing),
    /// `integration.record`
    Hop(RecordHop),
    /// `integration.contract.shape`
    Shape(Shape),
    /// `integration.contract.violation`
    Violation(Violation),
    /// `integration.webhook.rejected`
    WebhookRejected(WebhookRejected),
    /// `integration.change` with a date, or a vendor's `Deprecation` or `Sunset` header.
    Announced {
        /// Host, empty when not given.
        peer: Arc<str>,
        /// Endpoint, empty for all of the host.
        endpoint: Arc<str>,
        /// Unix seconds of the end.
        effective_at: i64,
        /// What ends.
        text: String,
    },
}

/// A credential that could not be refreshed.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshFailed {
    /// `integration.credential.id`.
    pub credential: Arc<str>,
    /// `.kind`, empty when not given.
    pub kind: String,
    /// `error.type`: `invalid_grant` and the like are final.
    pub error: String,
}

/// Records that a reconciliation did not find.
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    /// `integration.reconciliation.name`.
    pub name: Arc<str>,
    /// `integration.entity`, empty when not given.
    pub entity: Arc<str>,
    /// `integration.reconciliation.run_id`.
    pub run_id: Arc<str>,
    /// Record keys, at most a hundred.
    pub keys: Vec<String>,
}

/// A step of a record on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Hop {
    Received,
    Queued,
    Processed,
    Written,
    Confirmed,
}

/// One hop of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordHop {
    /// `integration.record.key_hash`.
    pub key_hash: Arc<str>,
    /// `integration.record.hop`.
    pub hop: Hop,
    /// `integration.entity`, empty when not given.
    pub entity: Arc<str>,
}

/// Which message of an exchange a contract is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Message {
    Request,
    #[default]
    Response,
    Event,
}

/// The shape of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// `integration.endpoint`.
    pub endpoint: Arc<str>,
    /// Which message.
    pub message: Message,
    /// `integration.contract.fingerprint`.
    pub fingerprint: Arc<str>,
    /// JSON path → its types, ascending; none where the event only counts a fingerprint that is known.
    pub types: Option<BTreeMap<String, Vec<String>>>,
    /// `integration.records.count`: messages of this shape since the last event, 1 when not given.
    pub count: u64,
}

/// A body that broke its contract.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// `integration.endpoint`.
    pub endpoint: Arc<str>,
    /// Which message.
    pub message: Message,
    /// `integration.contract.path`.
    pub path: Arc<str>,
    /// `.kind`, empty when not given.
    pub kind: String,
    /// `.expected`, empty when not given.
    pub expected: String,
    /// `.found`, empty when not given.
    pub found: String,
}

/// A webhook that was turned away.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookRejected {
    /// `integration.webhook.provider`, empty when not given.
    pub provider: Arc<str>,
    /// `.event_type`, empty when not given.
    pub event_type: Arc<str>,
    /// `.reason`, empty when not given.
    pub reason: Arc<str>,
}

/// One webhook received, as its server span shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Whose.
    pub integration: IntegrationKey,
    /// When it was answered.
    pub time: Nanos,
    /// Whose events, empty when not known.
    pub provider: Arc<str>,
    /// Which event; the route where nothing says it.
    pub event_type: Arc<str>,
    /// `accepted`, `rejected`, `duplicate`, `out_of_order` or `dead_lettered`.
    pub result: &'static str,
    /// Why it was not accepted, empty where that is not known.
    pub reason: &'static str,
    /// Hash of the delivery's id. The corridor makes a duplicate of one that was accepted before.
    pub id: Option<u64>,
    /// Adjusted count.
    pub weight: f64,
}

/// So many more of a series of increments.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// Which series.
    pub key: CounterKey,
    /// When.
    pub time: Nanos,
    /// How many.
    pub count: f64,
}

impl Count {
    /// A count under a metric's name with these attributes; empty ones are left out.
    pub fn of(
        integration: IntegrationKey,
        metric: &str,
        unit: &str,
        attributes: &[(Attr, &str)],
        (time, count): (Nanos, f64),
    ) -> Count {
        let given = attributes.iter().filter(|(_, value)| !value.is_empty());
        let mut attributes: Vec<(Arc<str>, Arc<str>)> =
            given.map(|(attr, value)| (Arc::from(attr.name()), Arc::from(*value))).collect();
        attributes.sort();
        let series = SeriesKey { integration, metric: Arc::from(metric), unit: Arc::from(unit), attributes };
        Count { key: CounterKey { series, aspect: Aspect::Value }, time, count }
    }
}
