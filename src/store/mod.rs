//! What is kept: the only room that knows SQL and Parquet.
//!
//! The promise. What was absorbed is readable at once and, after a flush, durable. A flush is one catalog
//! transaction: the inbox watermark moves by compare-and-swap together with the segment rows, minute rows, states
//! and claims of exactly the sequence numbers it passes, so each number is counted once whatever crashes or is
//! retried. A read takes one catalog snapshot and adds what is in memory above that snapshot's watermark: never a
//! gap, never a double. A flush that fails leaves everything in memory, readable, for the next one.
//!
//! `hot` is the memory, `recent` what many reads want of the catalog, `flush` the way down, `pins` what is kept whole of failures, `catalog` the database, `segments` the Parquet files, `query` the
//! reads over all of them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Serialize, Serializer};

use crate::decode::Batch;
use crate::rollup::measure::Deltas;
use crate::signals::call::Class;
use crate::signals::telemetry::Nanos;
use crate::world::World;
use crate::world::points::Points;
use crate::world::seal::{KeyId, Keyring};

pub mod beside;
pub mod mail;
pub mod hot;
pub mod recent;
pub mod pins;
pub mod flush;
pub mod catalog;
pub mod segments;
pub mod query;

/// Where everything is kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder; made, with mode 0700, where it is missing.
    pub folder: PathBuf,
    /// How long the claim on a body is kept, in nanoseconds: longer than the window in which repeats are known.
    pub claims_kept: Nanos,
    /// What seals the segments.
    pub keyring: Keyring,
}

impl Settings {
    /// A folder whose claims are kept for two hours.
    pub fn new(folder: impl Into<PathBuf>) -> Settings {
        let (folder, keyring) = (folder.into(), Keyring::default());
        Settings { folder, claims_kept: 2 * 3_600_000_000_000, keyring }
    }
}

/// Why the store could not do what it was asked. Each is a sentence for a person.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The disk refused: full, read-only, gone. Worth trying again.
    #[error("{0}")]
    Disk(String),
    /// Something else holds the catalog. Worth trying again.
    #[error("{0}")]
    Busy(String),
    /// What is stored cannot be read, or was changed by something else.
    #[error("{0}")]
    Damaged(String),
    /// Another server works on this folder, or a newer version wrote it.
    #[error("{0}")]
    Refused(String),
    /// What was asked does not go with what is there; whoever asked can mend it.
    #[error("{0}")]
    Unfit(String),
}

/// What there is to let somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Rises with every change to who may do what, whoever makes it.
    pub version: i64,
    /// Whether an ingest key was ever made.
    pub keys: bool,
    /// Whether a user was ever made.
    pub users: bool,
}

/// How much of each minute is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Calls, facets and gauges whole.
    Full,
    /// No histograms: no percentiles, and a fraction of the bytes.
    Counts,
    /// What metric points add: counters, durations, gauges, and the calls that duration metrics count. Pages and rules
    /// of calls read none of it.
    Measures,
    /// The same by half hour, without facets; the minute of a row is its half hour's first.
    HalfHours,
}

/// Which spans; every condition given must hold. Newest end first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanQuery {
    /// Integration by name.
    pub integration: Option<String>,
    /// Environment by name.
    pub environment: Option<String>,
    /// Endpoint exactly as shown.
    pub endpoint: Option<String>,
    /// A call of a bad class, or another span with status error.
    pub failed: Option<bool>,
    /// At least this long, in milliseconds.
    pub min_ms: Option<f64>,
    /// Ended at or after.
    pub from: Nanos,
    /// Ended before.
    pub to: Nanos,
    /// At most so many.
    pub limit: usize,
}

/// Which log records; every condition given must hold. Newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogQuery {
    /// In the body or the event name, whatever the case of ASCII letters.
    pub text: Option<String>,
    /// Integration by name.
    pub integration: Option<String>,
    /// Environment by name.
    pub environment: Option<String>,
    /// At or after.
    pub from: Nanos,
    /// Before.
    pub to: Nanos,
    /// At most so many.
    pub limit: usize,
}

/// A span as kept. Ids are lower-case hex.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpanRecord {
    /// 32 digits.
    pub trace_id: String,
    /// 16 digits.
    pub span_id: String,
    /// 16 digits; none for a root.
    pub parent_span_id: Option<String>,
    /// Name.
    pub name: String,
    /// `internal`, `server`, `client`, `producer`, `consumer` or `unspecified`.
    pub kind: &'static str,
    /// Unix nanoseconds; in JSON RFC 3339.
    #[serde(serialize_with = "rfc3339")]
    pub start: Nanos,
    /// Unix nanoseconds; in JSON RFC 3339.
    #[serde(serialize_with = "rfc3339")]
    pub end: Nanos,
    /// From start to end, in milliseconds.
    pub duration_ms: f64,
    /// `unset`, `ok` or `error`.
    pub status: &'static str,
    /// Status message.
    pub status_message: String,
    /// How it ended as a call; none for a span that is no call.
    pub class: Option<Class>,
    /// Environment.
    pub environment: String,
    /// Integration.
    pub integration: String,
    /// Peer of the call; none where it is not known or the span is no call.
    pub peer: Option<String>,
    /// Endpoint of the call; none for a span that is no call.
    pub endpoint: Option<String>,
    /// Name of the instrumentation scope.
    pub scope: String,
    /// Attributes of the span.
    pub attributes: BTreeMap<String, String>,
    /// Attributes of the resource.
    pub resource: BTreeMap<String, String>,
    /// Array of {time, name, attributes}, time as RFC 3339.
    pub events: serde_json::Value,
    /// Array of {trace_id, span_id, attributes}.
    pub links: serde_json::Value,
}

/// A log record as kept. Ids are lower-case hex.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogRecord {
    /// Unix nanoseconds; in JSON RFC 3339.
    #[serde(serialize_with = "rfc3339")]
    pub time: Nanos,
    /// 32 digits; none when not given.
    pub trace_id: Option<String>,
    /// 16 digits; none when not given.
    pub span_id: Option<String>,
    /// 1–24; none when not given.
    pub severity: Option<u8>,
    /// Severity as sent.
    pub severity_text: String,
    /// Event name; none for a plain log.
    pub event_name: Option<String>,
    /// Body as text.
    pub body: String,
    /// Environment.
    pub environment: String,
    /// Integration.
    pub integration: String,
    /// Name of the instrumentation scope.
    pub scope: String,
    /// Attributes of the record.
    pub attributes: BTreeMap<String, String>,
    /// Attributes of the resource.
    pub resource: BTreeMap<String, String>,
}

/// A time as the API writes it: RFC 3339, UTC, to the nanosecond.
fn rfc3339<S: Serializer>(time: &Nanos, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time_text(*time))
}

/// RFC 3339, UTC, to the nanosecond.
fn time_text(time: Nanos) -> String {
    chrono::DateTime::from_timestamp_nanos(time).to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)
}

/// The store: a handle that is cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    claims_kept: Nanos,
    catalog: catalog::sqlite::Catalog,
    segments: segments::Segments,
    closed: BTreeMap<KeyId, usize>,
    hot: hot::Hot,
    recent: recent::Recent,
    /// Held by the one flush that runs.
    flushing: tokio::sync::Mutex<flush::Flushing>,
    points: Points,
    /// Failing calls for which the day had no room.
    pins_left_out: AtomicU64,
    /// Locked for as long as this server works on the folder.
    lock: Mutex<Option<File>>,
}

impl Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store of a folder, making or migrating it, and removes segment files that no flush committed.
    ///
    /// Refused when another server works on the folder or a newer version wrote it.
    pub async fn open(settings: Settings, world: &World) -> Result<Store, Error> {
        let Settings { folder, claims_kept, keyring } = settings;
        let lock = segments::folder::claim(&folder, &*world.files)?;
        let catalog = catalog::sqlite::Catalog::open(&folder).await?.with_keyring(keyring.clone());
        let segments = segments::Segments::open(&folder, world.files.clone(), keyring)?;
        let known = catalog.segment_paths().await?;
        let closed = segments.closed(&known);
        segments.sweep(known).await?;
        let watermark = catalog.watermark().await?;
        Ok(Store {
            inner: Arc::new(Inner {
                claims_kept,
                catalog,
                segments,
                closed,
                hot: hot::Hot::new(watermark),
                recent: recent::Recent::default(),
                flushing: tokio::sync::Mutex::default(),
                points: world.points.clone(),
                pins_left_out: AtomicU64::default(),
                lock: Mutex::new(Some(lock)),
            }),
        })
    }

    /// Closes the catalog and lets the folder go. What was not flushed is in the inbox still.
    pub async fn close(&self) {
        self.inner.catalog.close().await;
        self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Takes a batch in under its sequence number; readable when this returns. Numbers only ever rise: one at or
    /// below the last is already counted and is left out.
    pub fn absorb(&self, seq: u64, batch: Batch) {
        self.absorb_with(seq, batch, Deltas::default());
    }

    /// The same, with what the batch's metric points add. Where their streams stand becomes durable with the flush
    /// that holds the batch, neither sooner nor later.
    pub fn absorb_with(&self, seq: u64, batch: Batch, deltas: Deltas) {
        self.inner.hot.absorb(seq, batch, deltas);
    }

    /// Passes a sequence number that has nothing to add: a repeat, or a record that is no longer readable.
    pub fn skip(&self, seq: u64) {
        self.inner.hot.skip(seq);
    }

    /// Bytes in memory that no flush has committed, estimated.
    pub fn hot_bytes(&self) -> usize {
        self.inner.hot.bytes()
    }

    /// How many segments are encrypted with a key that was not there when the store was opened, by key: nobody can read
    /// what is in them.
    pub fn closed(&self) -> &BTreeMap<KeyId, usize> {
        &self.inner.closed
    }

    /// What is known of people.
    pub fn people(&self) -> catalog::sqlite::people::People {
        self.inner.catalog.people()
    }

    /// The sequence number up to which everything is in the catalog.
    pub async fn watermark(&self) -> Result<u64, Error> {
        self.inner.catalog.watermark().await
    }

    /// The claims made at or after `since`, the newest `most` of them, oldest first: (body hash, the sequence number
    /// that owns it, when).
    pub async fn claims(&self, since: Nanos, most: usize) -> Result<Vec<(u128, u64, Nanos)>, Error> {
        self.inner.catalog.claims(since, most).await
    }
}

#[cfg(test)]
mod tests;
