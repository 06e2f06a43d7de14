//! The way down: one generation at a time becomes segment files, then one catalog transaction.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::catalog::{Flush, Segment, Signal};
use super::hot::Generation;
use super::pins::{self, DAY, NewPin};
use super::segments::blocking;
use super::{Error, Store};
use crate::rollup::errors::{Candidate, EXEMPLARS};
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
    /// Bytes of pins of a day of receipt, once they were asked for.
    pinned: Option<(i64, u64)>,
}

/// Bytes of pins of one day of receipt: what a flood of kinds of failures may take of the disk.
const PINNED_A_DAY: u64 = 64 << 20;

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
            let Flushing { written, pinned, .. } = &mut *flushing;
            self.write_down(&generation, (written, pinned), claims, now).await?;
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
        generation: &Arc<Generation>,
        (written, pinned): (&mut Vec<Segment>, &mut Option<(i64, u64)>),
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
        let pins = self.pins_of(generation, pinned).await?;
        inner.points.pass(Point::AfterSegment);
        // A claim is never in the catalog before its record is: a crash between two commits would have the replay
        // meet claims of records that it has not counted yet.
        let passed = claims.partition_point(|(_, seq, _)| *seq <= generation.upto);
        let flush = Flush {
            from: generation.from,
            to: generation.upto,
            part: &generation.part,
            changes: &generation.changes,
            errors: &generation.errors,
            pins: &pins,
            segments: written,
            claims: claims.get(..passed).unwrap_or_default(),
            forget_claims_before: now.saturating_sub(inner.claims_kept),
        };
        inner.catalog.commit(&flush, &inner.points).await?;
        if let Some((_, bytes)) = pinned {
            *bytes += pins.iter().map(NewPin::bytes).sum::<u64>();
        }
        Ok(())
    }

    /// What of a generation's failures is kept whole: of each group and day of receipt the first that come, until
    /// they are as many as are kept. Which these are hangs on the order of arrival alone, whatever was replayed.
    async fn pins_of(
        &self,
        generation: &Arc<Generation>,
        pinned: &mut Option<(i64, u64)>,
    ) -> Result<Vec<NewPin>, Error> {
        let inner = &self.inner;
        let candidates = &generation.errors.candidates;
        let Some(last) = candidates.last() else { return Ok(Vec::new()) };
        let day = last.day();
        if pinned.is_none_or(|(known, _)| known != day) {
            let bytes = inner.catalog.pinned_bytes(day * DAY, (day + 1) * DAY).await?;
            *pinned = Some((day, bytes));
        }
        if pinned.is_some_and(|(_, bytes)| bytes >= PINNED_A_DAY) {
            inner.pins_left_out.fetch_add(candidates.len() as u64, Ordering::Relaxed);
            return Ok(Vec::new());
        }
        let owner = |one: &Candidate| (one.key.fingerprint.to_string(), one.day());
        let owners: BTreeSet<_> = candidates.iter().map(owner).collect();
        let mut kept = inner.catalog.pinned(&owners.into_iter().collect::<Vec<_>>()).await?;
        let has_room = |one: &&Candidate| {
            let count = kept.entry(owner(one)).or_default();
            *count += 1;
            *count <= EXEMPLARS
        };
        let wanted: Vec<Candidate> = candidates.iter().filter(has_room).cloned().collect();
        let generation = generation.clone();
        // A record that cannot be pinned holds back no other that is to be counted.
        blocking(move || pins::of_generation(&generation, &wanted)).await.or_else(|error| {
            tracing::error!(%error, "Failing calls could not be kept whole; they are counted all the same.");
            Ok(Vec::new())
        })
    }
}
