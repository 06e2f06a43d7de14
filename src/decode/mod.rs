//! Wire bytes become borrowed records, and what was rejected. Pure; it cannot fail on input it did not refuse.

pub mod columns;

use crate::signals::observation::Observations;
use crate::signals::telemetry::Nanos;
use columns::{LogColumns, SpanColumns};

/// What one request came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// When the request arrived.
    pub received_at: Nanos,
    /// What makes a repeat of the request known; none = exempt from the once-claim.
    pub hash: Option<u128>,
    /// What it says.
    pub observations: Observations,
    /// Its spans.
    pub spans: SpanColumns,
    /// Its logs.
    pub logs: LogColumns,
    /// Accepted spans, points and logs.
    pub records: u64,
    /// Size of the decompressed body.
    pub bytes: u64,
}
