//! The catalog: what the database keeps, whichever database it is.
//!
//! A backend is a folder beside this file with a type `Catalog` of the same methods: `open`, `close`, `watermark`,
//! `commit`, `claims`, `window`, `states`, `streams`, `segments`, and those for alerts and for the outbox. Every backend must
//! pass the store's contract tests. Every read that is merged with memory runs in one read transaction and gives
//! the watermark it saw.

use std::sync::Arc;

use super::pins::NewPin;
use crate::alert::incident::{Incident, Instance, InstanceKey};
use crate::health::value::Value;
use crate::rollup::errors::Errors;
use crate::rollup::stream::Changes;
use crate::rollup::window::{Minute, Part};
use crate::signals::telemetry::Nanos;
use crate::store::mail::NewMail;
use crate::usual::key::UsualKey;
use crate::usual::track::Track;

pub mod sqlite;

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Spans,
    /// Log records.
    Logs,
}

impl Signal {
    /// Its folder's name, and its name in the catalog.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Spans => "spans",
            Signal::Logs => "logs",
        }
    }
}

/// A segment file as the catalog names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// UUIDv7.
    pub id: [u8; 16],
    /// What it holds.
    pub signal: Signal,
    /// UTC date it was written, `2026-11-23`.
    pub day: String,
    /// Earliest time in it.
    pub tmin: Nanos,
    /// Latest time in it.
    pub tmax: Nanos,
    /// Rows.
    pub rows: i64,
    /// Size of the file.
    pub bytes: i64,
    /// Below the segments folder.
    pub path: String,
    /// (environment, integration) of its rows, each once.
    pub integrations: Vec<(String, String)>,
}

/// What was learned up to a minute.
#[derive(Clone, Copy, Debug)]
pub struct Learned<'a> {
    /// The first minute that is not in.
    pub until: Minute,
    /// Tracks that changed.
    pub tracks: &'a [(UsualKey, Track)],
    /// Tracks that are gone.
    pub gone: &'a [UsualKey],
}

/// What one tick commits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tick<'a> {
    /// The tick.
    pub at: Minute,
    /// Instances that changed.
    pub instances: &'a [Instance],
    /// Instances that are gone.
    pub gone: &'a [InstanceKey],
    /// Incidents, written over where they are there.
    pub incidents: &'a [Incident],
    /// Mails that tell of it.
    pub mails: &'a [NewMail],
    /// What was learned.
    pub usual: Option<Learned<'a>>,
    /// What the signals say, all of it.
    pub values: Option<&'a [Value]>,
}

/// What one flush commits.
#[derive(Clone, Copy, Debug)]
pub struct Flush<'a> {
    /// The watermark as it must be found.
    pub from: u64,
    /// The watermark as it is left.
    pub to: u64,
    /// Minutes and states of the sequence numbers between.
    pub part: &'a Arc<Part>,
    /// Where metric streams stand after them, those that changed.
    pub changes: &'a Changes,
    /// Error groups and changes.
    pub errors: &'a Errors,
    /// Failures of these groups that are kept whole.
    pub pins: &'a [NewPin],
    /// Segments of the same sequence numbers, already durable.
    pub segments: &'a [Segment],
    /// Claims to keep: (body hash, sequence number, when).
    pub claims: &'a [(u128, u64, Nanos)],
    /// Claims older than this are forgotten.
    pub forget_claims_before: Nanos,
}
