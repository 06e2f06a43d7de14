//! Figures on the corridor for the System page and `/metrics`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;

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
    /// Metric streams whose next point is expected.
    pub streams: AtomicU64,
    /// Series folded into `(other)`.
    pub folded: AtomicU64,
    /// Failures counted in their integration's error group `(other)`.
    pub errors_folded: AtomicU64,
    /// Versions and changes left out because an integration had too many in a day.
    pub changes_left_out: AtomicU64,
    /// Calls and gauge points kept by the hour or the day, because their sender wrote to too many minutes.
    pub coarsened: AtomicU64,
    /// Records whose sender's clock is off, and whose time was corrected.
    pub clock_corrected: AtomicU64,
    /// Senders whose clock is off now: whose, and by how much it is behind; ahead is below zero.
    pub clocks: Mutex<Vec<(IntegrationKey, Nanos)>>,
    /// Bytes in memory that no flush has committed.
    pub hot_bytes: AtomicU64,
    /// Flushes that failed; what they held stays in memory and in the inbox.
    pub flush_failures: AtomicU64,
    /// Requests that could not be counted and lie in the inbox's folder `aside`, those of earlier runs too.
    pub set_aside: AtomicU64,
    /// Times that judging a minute or writing a mail failed by a defect of ours.
    pub defects: AtomicU64,
    /// What the catalog or the segments do not take now, since when, and why. None while all is well.
    pub failing: Mutex<Option<(Nanos, String)>>,
    /// Whether memory is full of what the store does not take, so that the corridor waits.
    pub stalled: AtomicBool,
    /// Unix seconds up to which rules have been judged.
    pub judged_until: AtomicU64,
    /// What the signals corrected or did not understand, by name.
    pub notices: Mutex<BTreeMap<&'static str, u64>>,
}

impl Gauges {
    /// Adds notices.
    pub fn note<'n>(&self, new: impl Iterator<Item = &'n (&'static str, u64)>) {
        let Ok(mut notices) = self.notices.lock() else { return };
        for (notice, count) in new {
            *notices.entry(*notice).or_default() += count;
        }
    }

    /// Notes whether the store takes what it is given; a failure is logged when it begins and when it has passed.
    pub fn judge<T>(&self, now: Nanos, what: &str, result: &Result<T, crate::store::Error>) {
        let Ok(mut failing) = self.failing.lock() else { return };
        match (result, failing.as_ref().map(|(since, _)| *since)) {
            (Err(error), since) => {
                if since.is_none() {
                    tracing::error!(%error, "{what} failed; it is tried again, and nothing is lost meanwhile.");
                }
                *failing = Some((since.unwrap_or(now), error.to_string()));
            }
            (Ok(_), Some(since)) => {
                tracing::info!(for_s = (now - since) / 1_000_000_000, "The store takes everything again.");
                *failing = None;
            }
            (Ok(_), None) => {}
        }
    }
}
