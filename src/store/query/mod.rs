//! Reads: one catalog snapshot, then what is in memory above its watermark.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::hot::Generation;
use super::{Error, Store};

pub mod alerts;
pub mod newest;
pub mod rollups;
pub mod spans;
pub mod logs;
pub mod traces;

/// So often a read starts again when flushes outran it.
const TRIES: usize = 5;

impl Store {
    /// Runs a catalog read and adds the generations above the watermark it saw. `look` takes what the read needs
    /// from the current generation, under its lock: keep it short.
    ///
    /// The catalog's future is boxed: the compiler cannot tell that one of an async closure may change threads.
    async fn read<'c, C, T>(
        &self,
        mut catalog: impl FnMut() -> BoxFuture<'c, Result<(u64, C), Error>>,
        look: impl Fn(&Generation) -> T,
    ) -> Result<(C, Vec<Arc<Generation>>, T), Error> {
        for _ in 0..TRIES {
            // In this order: what is committed after the snapshot is still in memory, or the read starts again.
            let (watermark, committed) = catalog().await?;
            if let Some((frozen, current)) = self.inner.hot.above(watermark, &look) {
                return Ok((committed, frozen, current));
            }
        }
        Err(Error::Busy(
            "The store is flushing faster than this can be read. Try again, or ask for less.".into(),
        ))
    }
}
