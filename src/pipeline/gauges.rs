//! Figures on the corridor for the System page and `/metrics`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

/// What the corridor says of itself; it alone writes them.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Requests acknowledged and not counted because they were counted before.
    pub duplicates: AtomicU64,
    /// Claims remembered.
    pub claims: AtomicU64,
    /// Claims forgotten before their time because there were too many.
    pub claims_forgotten: AtomicU64,
    /// Calls that came after their minute was judged.
    pub late: AtomicU64,
    /// Milliseconds from the receipt of the latest request to its being counted.
    pub lag_ms: AtomicU64,
    /// Series folded into `(other)`.
    pub folded: AtomicU64,
    /// Calls and gauge points kept by the hour or the day, because their sender wrote to too many minutes.
    pub coarsened: AtomicU64,
    /// Bytes in memory that no flush has committed.
    pub hot_bytes: AtomicU64,
    /// Flushes that failed; what they held stays in memory and in the inbox.
    pub flush_failures: AtomicU64,
    /// Requests that could not be counted and lie in the inbox's folder `aside`, those of earlier runs too.
    pub set_aside: AtomicU64,
    /// Times that judging a minute or writing a mail failed by a defect of ours.
    pub defects: AtomicU64,
    /// Unix seconds up to which rules have been judged.
    pub judged_until: AtomicU64,
    /// What the signals corrected or did not understand, by name.
    pub notices: Mutex<BTreeMap<&'static str, u64>>,
}
