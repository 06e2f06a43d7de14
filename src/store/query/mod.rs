//! Reads: one catalog snapshot, then what is in memory above its watermark.
//!
//! In this order, because what is committed after the snapshot is still in memory then. Where it is not, because
//! flushes outran the read, the read starts again.

use super::Error;

pub mod overlays;
pub mod signals;
pub mod alerts;
pub mod outbox;
pub mod audit;
pub mod newest;
pub mod rollups;
pub mod metrics;
pub mod keys;
pub mod lately;
pub mod spans;
pub mod logs;
pub mod traces;
pub mod around;
pub mod errors;
pub mod pinned;

/// So often a read starts again.
const TRIES: usize = 5;

fn outrun() -> Error {
    Error::Busy("The store is flushing faster than this can be read. Try again, or ask for less.".into())
}
