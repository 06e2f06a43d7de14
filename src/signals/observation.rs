//! What one request says, after the signals have read it: plain values, ready for the windows.
//!
//! Names that repeat (series, connections) are interned per request: the tables are short, the lists long.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::call::Class;
use super::change::Change;
use super::credential::SlotUpdate;
use super::fact::{Count, Delivery, Fact};
use super::failure::ErrorGroup;
use super::mark::Mark;
use super::measure::Measured;
use super::telemetry::Nanos;

/// (environment, integration): the identity that everything else hangs on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IntegrationKey {
    /// `deployment.environment.name`, `default` when not given.
    pub environment: Arc<str>,
    /// `integration.name`, else an operator's rule, else the service.
    pub name: Arc<str>,
}

/// What an integration's telemetry says of itself. Fields are empty when not given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationInfo {
    /// Whose.
    pub key: IntegrationKey,
    /// `integration.source.name`.
    pub source: String,
    /// `integration.destination.name`.
    pub destination: String,
    /// `integration.owner.name`: a label, never a recipient.
    pub owner: String,
    /// `integration.tier` as sent; the configuration wins over it.
    pub tier: String,
    /// `service.version`.
    pub version: String,
}

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To a peer: the headline.
    Outbound,
    /// From a peer: rows and a rate of their own.
    Inbound,
    /// Databases, caches, producers: a table of their own, never in a rate.
    Dependency,
}

/// Where a count comes from; part of a series' key because parts are insert-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Spans.
    Span,
    /// Duration histograms.
    Metric,
    /// `POST /report`.
    Report,
}

/// A series of calls.
#[derive(Clone, Debug, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallKey {
    /// Whose.
    pub integration: IntegrationKey,
    /// Which way.
    pub direction: Direction,
    /// Host name of the other side, empty when unknown.
    pub peer: Arc<str>,
    /// `GET /v1/charges/{id}`.
    pub endpoint: Arc<str>,
    /// Where the count comes from.
    pub source: Source,
}

// Keys of known series share their texts, and then nothing of them is read.
impl PartialEq for CallKey {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Arc<str>, b: &Arc<str>| Arc::ptr_eq(a, b) || a == b;
        self.direction == other.direction
            && self.source == other.source
            && same(&self.endpoint, &other.endpoint)
            && same(&self.peer, &other.peer)
            && same(&self.integration.name, &other.integration.name)
            && same(&self.integration.environment, &other.integration.environment)
    }
}

/// Keys are looked up for every series of every request, so few pieces are hashed, and what tells keys apart: the
/// same series in a few environments share a place.
impl Hash for CallKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.endpoint.as_bytes());
        state.write(self.peer.as_bytes());
        state.write(self.integration.name.as_bytes());
        let lengths = (self.endpoint.len() as u64) << 32 | self.peer.len() as u64;
        state.write_u64(lengths << 8 | (self.direction as u64) << 4 | self.source as u64);
    }
}

/// What else a call is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facet {
    /// `integration.connection.id`: a customer's account.
    Connection,
    /// `integration.credential.id`.
    Credential,
}

/// A series of calls by connection or by credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FacetKey {
    /// Whose.
    pub integration: IntegrationKey,
    /// Which way.
    pub direction: Direction,
    /// Host name of the other side.
    pub peer: Arc<str>,
    /// By what.
    pub facet: Facet,
    /// The connection's or credential's id.
    pub id: Arc<str>,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Index into [`Observations::series`].
    pub series: u32,
    /// End of the span.
    pub end: Nanos,
    /// Duration in microseconds.
    pub duration_us: u64,
    /// How it ended.
    pub class: Class,
    /// Adjusted count: 1 unless the trace was sampled.
    pub weight: f64,
    /// This attempt is a retry that replaces an attempt of this class.
    pub supersedes: Option<Class>,
    /// A retry whose replaced attempt is not known.
    pub unlinked_retry: bool,
    /// Gave up: no retry follows.
    pub exhausted: bool,
    /// POST, PUT, PATCH or DELETE.
    pub write: bool,
    /// A write that carried an idempotency key.
    pub keyed: bool,
    /// The peer answered from its own record.
    pub replayed: bool,
    /// Records carried.
    pub records: u64,
    /// Of these, failed inside a 2xx.
    pub records_failed: u64,
    /// Records in this page of a listing.
    pub page_size: Option<u64>,
    /// Index into [`Observations::names`].
    pub connection: Option<u32>,
    /// Index into [`Observations::names`].
    pub credential: Option<u32>,
    /// Same for all attempts of one operation, so that an outcome counts once (semantics 16).
    pub operation: u64,
}

impl Call {
    /// One attempt that stands for itself alone: no retry, no write, no records.
    pub fn plain(series: u32, end: Nanos, duration_us: u64, class: Class, operation: u64) -> Call {
        Call {
            series,
            end,
            duration_us,
            class,
            weight: 1.0,
            supersedes: None,
            unlinked_retry: false,
            exhausted: false,
            write: false,
            keyed: false,
            replayed: false,
            records: 0,
            records_failed: 0,
            page_size: None,
            connection: None,
            credential: None,
            operation,
        }
    }
}

/// A series of gauge points: a metric, its attributes that have a meaning, and who reports it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GaugeKey {
    /// Whose.
    pub integration: IntegrationKey,
    /// The metric's name on the wire.
    pub metric: Arc<str>,
    /// Its UCUM unit; empty for the vocabulary's metrics, whose unit is known.
    #[serde(default = "no_unit", skip_serializing_if = "is_no_unit")]
    pub unit: Arc<str>,
    /// (name on the wire, value), ascending by name.
    pub attributes: Vec<(Arc<str>, Arc<str>)>,
    /// An updowncounter: reporters are summed. Otherwise the latest of any reporter stands.
    pub additive: bool,
    /// Hash of the reporting resource.
    pub reporter: u64,
}

fn no_unit() -> Arc<str> {
    Arc::from("")
}

// Keys that were kept before there was a unit stay as they are.
fn is_no_unit(unit: &Arc<str>) -> bool {
    unit.is_empty()
}

impl GaugeKey {
    /// The value of an attribute by its name on the wire.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }
}

/// One gauge point.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// Which series.
    pub key: GaugeKey,
    /// When.
    pub time: Nanos,
    /// Value in the metric's unit, finite.
    pub value: f64,
}

/// One reconciliation run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReconciliationRun {
    /// Whose.
    pub integration: IntegrationKey,
    /// `integration.reconciliation.name`.
    pub name: Arc<str>,
    /// `integration.entity`, empty when not given.
    pub entity: Arc<str>,
    /// `integration.reconciliation.run_id`.
    pub run_id: Arc<str>,
    /// When it completed.
    pub time: Nanos,
    /// [start, end) in unix seconds; none for the gauge form, where a later run replaces the earlier.
    pub window: Option<(i64, i64)>,
    /// Records expected.
    pub expected: u64,
    /// Records matched.
    pub matched: u64,
    /// Records missing; none = expected − matched − mismatched − pending.
    pub missing: Option<u64>,
    /// Records that should not be there.
    pub unexpected: u64,
    /// Records that differ.
    pub mismatched: u64,
    /// Records younger than the settle time.
    pub pending: u64,
    /// Sum expected, in `currency`.
    pub amount_expected: Option<f64>,
    /// Sum matched, in `currency`.
    pub amount_matched: Option<f64>,
    /// ISO 4217.
    pub currency: String,
    /// Only net figures were reported: duplicates can hide in them.
    pub net_only: bool,
}

/// One run of a job (`integration.run.completed`), a heartbeat, or a report's outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRun {
    /// Whose.
    pub integration: IntegrationKey,
    /// `integration.run.name`, or the heartbeat's name.
    pub name: Arc<str>,
    /// When it completed.
    pub time: Nanos,
    /// `integration.outcome`; `beat` for a heartbeat.
    pub outcome: String,
    /// Records read.
    pub read: Option<u64>,
    /// Records written.
    pub written: Option<u64>,
    /// Records failed.
    pub failed: Option<u64>,
    /// Unix seconds: data is complete up to here.
    pub watermark: Option<i64>,
    /// Unix seconds of the next run.
    pub next_at: Option<i64>,
    /// What the sender said, redacted.
    pub message: String,
}

/// A batch that its sender counted (`integration.sequence`).
#[derive(Clone, Debug, PartialEq)]
pub struct Numbered {
    /// Whose.
    pub integration: IntegrationKey,
    /// Hash of the sending process (`service.instance.id`).
    pub sender: u64,
    /// Its number.
    pub number: i64,
}

/// All that one request says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observations {
    /// Integrations seen, each once.
    pub integrations: Vec<IntegrationInfo>,
    /// Series that `calls` point into, each once.
    pub series: Vec<CallKey>,
    /// Connection and credential ids that `calls` point into, each once.
    pub names: Vec<Arc<str>>,
    /// Attempts.
    pub calls: Vec<Call>,
    /// Gauge points.
    pub gauges: Vec<Gauge>,
    /// Points that are read with what their streams said before.
    pub points: Vec<Measured>,
    /// Credential slots.
    pub slots: Vec<SlotUpdate>,
    /// Reconciliation runs.
    pub reconciliations: Vec<ReconciliationRun>,
    /// Job runs and heartbeats.
    pub runs: Vec<JobRun>,
    /// Batches that were counted by their senders.
    pub batches: Vec<Numbered>,
    /// Beats of points that count them: each is a run where its point adds something.
    pub beats: Vec<JobRun>,
    /// Events beside these.
    pub facts: Vec<Fact>,
    /// Webhooks received, as spans show them.
    pub deliveries: Vec<Delivery>,
    /// What else spans add to counters.
    pub counts: Vec<Count>,
    /// Where what each sender said begins, in order.
    pub marks: Vec<Mark>,
    /// Failures by error group.
    pub errors: Vec<ErrorGroup>,
    /// Versions, and changes that events tell of.
    pub changes: Vec<Change>,
    /// Notices on what was corrected or not understood, each a counter's name and its count.
    pub notices: Vec<(&'static str, u64)>,
}

impl Observations {
    /// For each series the first of the same integration, direction and peer: what is counted by peer looks there.
    pub fn sides(&self) -> Vec<u32> {
        let mut firsts: HashMap<(&IntegrationKey, Direction, &str), u32> = HashMap::new();
        let mut sides: Vec<u32> = Vec::with_capacity(self.series.len());
        for (at, key) in (0u32..).zip(&self.series) {
            // Nearly always as the one before.
            let before = sides.last().copied().filter(|first| {
                self.series.get(*first as usize).is_some_and(|first| {
                    first.direction == key.direction
                        && first.peer == key.peer
                        && first.integration == key.integration
                })
            });
            let first = || *firsts.entry((&key.integration, key.direction, &*key.peer)).or_insert(at);
            sides.push(before.unwrap_or_else(first));
        }
        sides
    }

    /// Bytes that it takes in memory, about: names are cut to a length, so each kind has a size.
    pub fn bytes(&self) -> usize {
        let named = self.integrations.len() + self.gauges.len() + self.slots.len();
        let events = self.beats.len() + self.facts.iter().map(Fact::weight).sum::<usize>();
        let facts = self.reconciliations.len()
            + self.runs.len()
            + events
            + 2 * self.errors.len()
            + self.changes.len();
        let derived = self.deliveries.len() * size_of::<Delivery>() + self.counts.len() * 512;
        let calls = self.calls.len() * size_of::<Call>() + self.series.len() * 256 + self.names.len() * 64;
        calls + derived + (named + self.points.len()) * 512 + facts * 1024
    }
}
