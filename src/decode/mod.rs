//! Wire bytes become borrowed records, and what was rejected.
//!
//! Protobuf is walked by a checked cursor (`wire`), JSON by our own mapping (`json`); both fill the records of
//! `signals::telemetry`, so that a request means the same in either encoding. Every string passes `redact` before
//! anything sees it. Rejecting is deterministic: replaying the inbox rejects the same records.

pub mod batch;
pub mod columns;
pub mod json;
pub mod logs;
pub mod metrics;
pub mod point;
pub mod name;
pub mod reading;
pub mod repeats;
pub mod redact;
pub mod report;
pub mod scan;
pub mod texts;
pub mod traces;
pub mod value;
pub mod wire;

use std::fmt;
use std::sync::Arc;

use crate::signals::observation::{Call, Observations};
use crate::signals::observe::Rules;
use crate::signals::telemetry::Nanos;
use batch::Collector;
use columns::{LogColumns, SpanColumns};
use redact::Redactor;

/// The three signals of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    /// The signal of an OTLP/HTTP path.
    pub fn from_path(path: &str) -> Option<Signal> {
        Some(match path {
            "/v1/traces" => Signal::Traces,
            "/v1/metrics" => Signal::Metrics,
            "/v1/logs" => Signal::Logs,
            _ => return None,
        })
    }

    /// Its path.
    pub const fn path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Metrics => "/v1/metrics",
            Signal::Logs => "/v1/logs",
        }
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// The encoding of a content type; parameters such as `charset` do not matter.
    pub fn from_content_type(content_type: &str) -> Option<Encoding> {
        match content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
            "application/json" => Some(Encoding::Json),
            _ => None,
        }
    }
}

/// Limits on single records.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Depth of arrays and maps in a value.
    pub nesting: usize,
    /// Attributes a record, scope or resource; the rest is left out.
    pub attributes: usize,
    /// Bytes of a string; the rest is cut.
    pub value_bytes: usize,
    /// Events or links a span; the rest is left out.
    pub children: usize,
    /// What takes the secrets out. It is made once a process and needed at every value, so it is lent for good.
    pub redactor: &'static Redactor,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nesting: 32,
            attributes: 1_000,
            value_bytes: 64 << 10,
            children: 1_000,
            redactor: Redactor::usual(),
        }
    }
}

/// The whole body cannot be read; a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// What was rejected of a request whose rest was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Records rejected.
    pub count: u64,
    /// Of these, records that the sender's key may not send.
    pub outside: u64,
    /// What and why, at most 1 KiB. With a count of 0, a warning.
    pub message: String,
}

/// All that a request came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// When it arrived.
    pub received_at: Nanos,
    /// The body's claim; none where a copy may rightly count again.
    pub hash: Option<u128>,
    /// What it means.
    pub observations: Observations,
    /// Its spans, as they are kept.
    pub spans: SpanColumns,
    /// Its log records, as they are kept.
    pub logs: LogColumns,
    /// Spans, points and log records accepted.
    pub records: u64,
    /// Bytes of the decompressed body.
    pub bytes: u64,
}

impl Batch {
    /// Bytes in memory, about: texts of series and gauges are taken to be short.
    pub fn footprint(&self) -> usize {
        let seen = &self.observations;
        let small = seen.gauges.len() + seen.slots.len() + seen.reconciliations.len() + seen.runs.len();
        self.spans.bytes()
            + self.logs.bytes()
            + seen.calls.capacity() * size_of::<Call>()
            + (seen.series.len() + seen.names.len() + small) * 512
    }
}

/// A request that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// What was taken.
    pub batch: Batch,
    /// What was not.
    pub rejected: Rejected,
}

/// Reads one OTLP request.
pub fn request(
    signal: Signal,
    encoding: Encoding,
    body: &[u8],
    received_at: Nanos,
    rules: &Arc<Rules>,
    limits: &Limits,
) -> Result<Decoded, Malformed> {
    let mut collector = Collector::new(rules.clone(), received_at, *limits);
    match (encoding, signal) {
        (Encoding::Protobuf, Signal::Traces) => traces::decode(body, &mut collector)?,
        (Encoding::Protobuf, Signal::Metrics) => metrics::decode(body, limits, &mut collector)?,
        (Encoding::Protobuf, Signal::Logs) => logs::decode(body, &mut collector)?,
        (Encoding::Json, signal) => json::decode(signal, body, limits, &mut collector)?,
    }
    collector.finish(signal.path(), body)
}

/// Reads a decompressed body by its path, live or from the inbox.
pub fn record(
    path: &str,
    content_type: &str,
    body: &[u8],
    received_at: Nanos,
    rules: &Arc<Rules>,
    limits: &Limits,
) -> Result<Decoded, Malformed> {
    if let Some(integration) = path.strip_prefix("/report/") {
        return report::decode(integration, content_type, body, received_at, rules, limits.redactor);
    }
    let signal =
        Signal::from_path(path).ok_or_else(|| Malformed(format!("nothing is received at {path}")))?;
    let encoding = Encoding::from_content_type(content_type)
        .ok_or_else(|| Malformed(format!("the content type \"{content_type}\" is not protobuf or JSON")))?;
    request(signal, encoding, body, received_at, rules, limits)
}

#[cfg(test)]
mod tests;
