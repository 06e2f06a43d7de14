//! What came in, what was taken, what was not and why.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::decode::Decoded;

use super::intake::Door;
use super::refusal::{REASONS, Refusal};

/// Counts since the start. Shared by all doors.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
    accepted: [AtomicU64; 4],
    rejected: [AtomicU64; 4],
    refused: [AtomicU64; REASONS.len()],
    connections: AtomicU64,
    crowded_out: AtomicU64,
    slow_heads: AtomicU64,
    handshakes_failed: AtomicU64,
}

/// Names of the four kinds of records, in the order of [`Door::index`].
const RECORDS: [&str; 4] = ["spans", "points", "logs", "reports"];

impl Counters {
    /// A request reached a door.
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was taken; some of its records may not have been.
    pub(super) fn accepted(&self, door: &Door, accepted: &Accepted) {
        let add = |counters: &[AtomicU64; 4], count| {
            if let Some(counter) = counters.get(door.index()) {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        };
        add(&self.accepted, accepted.records);
        add(&self.rejected, accepted.rejected);
        self.bytes.fetch_add(accepted.bytes, Ordering::Relaxed);
    }

    /// A request was refused as a whole.
    pub(super) fn refused(&self, refusal: &Refusal) {
        if let Some(counter) = self.refused.get(refusal.index()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A connection was made; it ends with what this gives.
    pub(super) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connected(self.clone())
    }

    /// A connection that was waiting made room for another.
    pub(super) fn crowded_out(&self) {
        self.crowded_out.fetch_add(1, Ordering::Relaxed);
    }

    /// So many connections took too long for the head of a request.
    pub(super) fn slow_heads(&self, count: u64) {
        self.slow_heads.fetch_add(count, Ordering::Relaxed);
    }

    /// A TLS handshake failed: no TLS, no version or certificate that both sides take.
    pub(super) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Name and count: `requests`, `bytes` (decompressed), `accepted_spans` …, `rejected_spans` … (records of requests
    /// that were taken), `refused_<reason>` (whole requests), `connections` (open now), `connections_…` (closed, and why).
    pub fn snapshot(&self) -> Vec<(String, u64)> {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut all =
            vec![("requests".to_owned(), get(&self.requests)), ("bytes".to_owned(), get(&self.bytes))];
        for (name, counter) in RECORDS.iter().zip(&self.accepted) {
            all.push((format!("accepted_{name}"), get(counter)));
        }
        for (name, counter) in RECORDS.iter().zip(&self.rejected) {
            all.push((format!("rejected_{name}"), get(counter)));
        }
        for (reason, counter) in REASONS.iter().zip(&self.refused) {
            all.push((format!("refused_{reason}"), get(counter)));
        }
        all.push(("connections".to_owned(), get(&self.connections)));
        all.push(("connections_crowded_out".to_owned(), get(&self.crowded_out)));
        all.push(("connections_slow".to_owned(), get(&self.slow_heads)));
        all.push(("connections_handshake_failed".to_owned(), get(&self.handshakes_failed)));
        all
    }
}

/// An open connection.
pub(super) struct Connected(Arc<Counters>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is counted of a request that was taken.
pub(super) struct Accepted {
    records: u64,
    rejected: u64,
    bytes: u64,
}

impl Accepted {
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    pub(super) fn of(door: &Door, decoded: &Decoded) -> Accepted {
        // A report is one record, whatever it says.
        let records = if matches!(door, Door::Report(_)) { 1 } else { decoded.batch.records };
        Accepted { records, rejected: decoded.rejected.count, bytes: decoded.batch.bytes }
    }
}
