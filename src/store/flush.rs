//! The way down: one generation at a time becomes segment files, then one catalog transaction.

use std::sync::Arc;

use super::catalog::{Failed, Flush, Segment, Signal};
use super::hot::Generation;
use super::{Error, Store};
use crate::rollup::series::Merge;
use crate::rollup::window::Part;
use crate::signals::telemetry::Nanos;

/// How long the claim on a body is kept; a little longer than the hour for which repeats are known.
const CLAIMS_KEPT: Nanos = 2 * 3_600_000_000_000;

impl Store {
    /// Makes durable all that was absorbed before the call, with the claims on its bodies, and gives what this
    /// made durable; none when there was nothing.
    ///
    /// On an error nothing is lost: the generation stays in memory, readable, and the next flush writes it first.
    /// Give the same claims again then; a claim that is there already is left as it is. Safe to cancel.
    pub async fn flush(&self, claims: &[(u128, u64, Nanos)], now: Nanos) -> Result<Option<Arc<Part>>, Error> {
        let mut untold = self.inner.flushing.lock().await;
        // At most twice: what an earlier flush left, then what is current.
        for _ in 0..2 {
            let Some(generation) = self.inner.hot.cut() else { break };
            self.write_down(&generation, claims, now).await?;
            self.inner.hot.committed();
            match untold.as_mut() {
                None => *untold = Some(generation.part.clone()),
                Some(part) => Arc::make_mut(part).merge(&generation.part),
            }
        }
        Ok(untold.take())
    }

    async fn write_down(
        &self,
        generation: &Generation,
        claims: &[(u128, u64, Nanos)],
        now: Nanos,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        // An earlier flush of it may have been cut off after its commit.
        if inner.catalog.watermark().await? >= generation.upto {
            return Ok(());
        }
        let mut segments: Vec<Segment> = Vec::new();
        for signal in [Signal::Spans, Signal::Logs] {
            match inner.segments.write(generation.rows(signal), now).await {
                Ok(segment) => segments.extend(segment),
                Err(error) => {
                    self.discard(&segments).await;
                    return Err(error);
                }
            }
        }
        let flush = Flush {
            from: generation.from,
            to: generation.upto,
            part: &generation.part,
            changes: &generation.changes,
            segments: &segments,
            claims,
            forget_claims_before: now.saturating_sub(CLAIMS_KEPT),
        };
        match inner.catalog.commit(&flush).await {
            Ok(()) => Ok(()),
            Err(Failed::RolledBack(error)) => {
                self.discard(&segments).await;
                Err(error)
            }
            // Files that the catalog may name are not touched; if it does not, the next start removes them.
            Err(Failed::Unknown(error)) => match inner.catalog.watermark().await {
                Ok(watermark) if watermark >= generation.upto => Ok(()),
                _ => Err(error),
            },
        }
    }

    async fn discard(&self, segments: &[Segment]) {
        for segment in segments {
            self.inner.segments.discard(segment).await;
        }
    }
}
