//! The way down: one generation at a time becomes segment files, then one catalog transaction.

use std::sync::Arc;

use super::catalog::{Flush, Segment, Signal};
use super::hot::Generation;
use super::{Error, Store};
use crate::rollup::series::Merge;
use crate::rollup::window::Part;
use crate::signals::telemetry::Nanos;
use crate::world::points::Point;

/// What a flush leaves to the next one.
#[derive(Debug, Default)]
pub struct Flushing {
    /// What was committed but not yet told of.
    untold: Option<Arc<Part>>,
    /// Segments of the generation that could not be committed, durable. They are not written again, and not removed
    /// either: a commit whose sync failed may come back to life after a crash, and it names them.
    written: Vec<Segment>,
}

impl Store {
    /// Makes durable all that was absorbed before the call, with the claims on its bodies, and gives what this
    /// made durable; none when there was nothing.
    ///
    /// On an error nothing is lost: the generation stays in memory, readable, and the next flush writes it first.
    /// Give the same claims again then, in order of sequence; one that is there already is left as it is. Safe to
    /// cancel.
    pub async fn flush(&self, claims: &[(u128, u64, Nanos)], now: Nanos) -> Result<Option<Arc<Part>>, Error> {
        let mut flushing = self.inner.flushing.lock().await;
        // At most twice: what an earlier flush left, then what is current.
        for _ in 0..2 {
            let Some(generation) = self.inner.hot.cut() else { break };
            self.write_down(&generation, &mut flushing.written, claims, now).await?;
            flushing.written.clear();
            self.inner.hot.committed();
            self.inner.recent.committed(&generation);
            self.inner.points.pass(Point::AfterCommit);
            match flushing.untold.as_mut() {
                None => flushing.untold = Some(generation.part.clone()),
                Some(part) => Arc::make_mut(part).merge(&generation.part),
            }
            drop(generation);
            self.inner.hot.trim();
        }
        Ok(flushing.untold.take())
    }

    async fn write_down(
        &self,
        generation: &Generation,
        written: &mut Vec<Segment>,
        claims: &[(u128, u64, Nanos)],
        now: Nanos,
    ) -> Result<(), Error> {
        let inner = &self.inner;
        // An earlier flush of it may have been cut off after its commit, or have failed after writing it.
        if inner.catalog.watermark().await? >= generation.upto {
            return Ok(());
        }
        for signal in [Signal::Spans, Signal::Logs] {
            if written.iter().all(|segment| segment.signal != signal) {
                written.extend(inner.segments.write(generation.rows(signal), now).await?);
            }
        }
        inner.points.pass(Point::AfterSegment);
        // A claim is never in the catalog before its record is: a crash between two commits would have the replay
        // meet claims of records that it has not counted yet.
        let passed = claims.partition_point(|(_, seq, _)| *seq <= generation.upto);
        let flush = Flush {
            from: generation.from,
            to: generation.upto,
            part: &generation.part,
            changes: &generation.changes,
            segments: written,
            claims: claims.get(..passed).unwrap_or_default(),
            forget_claims_before: now.saturating_sub(inner.claims_kept),
        };
        inner.catalog.commit(&flush, &inner.points).await
    }
}
