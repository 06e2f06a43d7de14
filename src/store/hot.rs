//! What is absorbed but perhaps not yet in a reader's catalog snapshot, by generation.
//!
//! One generation is current and grows; a flush cuts it, and it is read from memory until its commit. Committed
//! generations stay a while for readers whose snapshot is older. A reader that comes later than that is told, and
//! takes a new snapshot: it can lose time, never rows.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::catalog::Signal;
use crate::decode::Batch;
use crate::decode::columns::{LogColumns, SpanColumns};
use crate::rollup::errors::Errors;
use crate::rollup::measure::Deltas;
use crate::rollup::stream::Changes;
use crate::rollup::window::Part;

/// So many committed generations stay whatever their age or size.
const KEEP: usize = 2;
/// Older ones stay this long …
const KEEP_FOR: Duration = Duration::from_secs(30);
/// … unless all of them together are larger than this.
const KEEP_BYTES: usize = 32 << 20;
/// Rows of committed generations go earlier: they are most of their size, and whoever reads them has a snapshot that is
/// some milliseconds old, where a read of minutes may take seconds.
const KEEP_ROWS: usize = 8 << 20;
/// What a series of a minute takes in memory, about, besides its histograms.
const SERIES: usize = 768;
/// What a call adds to its histogram at most.
const SLOT: usize = 16;
/// What any other thing takes, about.
const THING: usize = 256;

/// What the sequence numbers (from, upto] said.
#[derive(Clone, Debug, Default)]
pub struct Generation {
    /// Everything up to here is in older generations.
    pub from: u64,
    /// The last sequence number in it.
    pub upto: u64,
    /// Minutes and states.
    pub part: Arc<Part>,
    /// Where metric streams stand after it, those that changed.
    pub changes: Changes,
    /// Error groups, what of them may be kept whole, and what changed.
    pub errors: Errors,
    /// Spans by request.
    pub spans: Vec<Arc<SpanColumns>>,
    /// Logs by request.
    pub logs: Vec<Arc<LogColumns>>,
    /// Size in memory without its rows, estimated.
    pub bytes: usize,
    /// Size of its rows.
    pub row_bytes: usize,
}

impl Generation {
    /// Its rows of one signal.
    pub fn rows(&self, signal: Signal) -> Rows {
        match signal {
            Signal::Spans => Rows::Spans(self.spans.clone()),
            Signal::Logs => Rows::Logs(self.logs.clone()),
        }
    }
}

/// Rows of one signal, by request.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Rows {
    Spans(Vec<Arc<SpanColumns>>),
    Logs(Vec<Arc<LogColumns>>),
}

impl Rows {
    /// Of what.
    pub fn signal(&self) -> Signal {
        match self {
            Rows::Spans(_) => Signal::Spans,
            Rows::Logs(_) => Signal::Logs,
        }
    }

    /// How many rows in all.
    pub fn len(&self) -> usize {
        match self {
            Rows::Spans(all) => all.iter().map(|spans| spans.len()).sum(),
            Rows::Logs(all) => all.iter().map(|logs| logs.len()).sum(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds others of the same signal.
    pub fn extend(&mut self, more: Rows) {
        match (self, more) {
            (Rows::Spans(all), Rows::Spans(more)) => all.extend(more),
            (Rows::Logs(all), Rows::Logs(more)) => all.extend(more),
            _ => {}
        }
    }
}

/// The generations. The lock is a std one: it is held for a merge at most, and never across an await.
#[derive(Debug)]
pub struct Hot {
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    current: Generation,
    flushing: Option<Arc<Generation>>,
    committed: VecDeque<(Instant, Arc<Generation>)>,
    /// Generations up to here are no longer in memory.
    dropped: u64,
    /// Rows of generations up to here are no longer in memory.
    rows_dropped: u64,
}

impl Hot {
    /// Nothing yet, above the catalog's watermark.
    pub fn new(watermark: u64) -> Hot {
        let current = Generation { from: watermark, upto: watermark, ..Generation::default() };
        let state = State {
            current,
            flushing: None,
            committed: VecDeque::new(),
            dropped: watermark,
            rows_dropped: watermark,
        };
        Hot { state: RwLock::new(state) }
    }

    /// Takes a batch in, with what its metric points add; one at or below the last sequence number is left out.
    pub fn absorb(&self, seq: u64, batch: Batch, deltas: Deltas) {
        let Batch { received_at, observations, spans, logs, .. } = batch;
        // One for the request itself: its claim waits for the flush too.
        let things =
            1 + observations.runs.len() + observations.reconciliations.len() + deltas.durations.len();
        let mut state = self.write();
        if seq <= state.current.upto {
            tracing::warn!(
                seq,
                upto = state.current.upto,
                "a sequence number came twice; it is counted once"
            );
            return;
        }
        let current = &mut state.current;
        current.upto = seq;
        let part = Arc::make_mut(&mut current.part);
        let before = part.rows() + part.outcomes.len();
        part.absorb(&observations, received_at);
        part.absorb_deltas(&deltas);
        let series = part.rows() + part.outcomes.len() - before;
        current.bytes += series * SERIES + observations.calls.len() * SLOT + things * THING;
        current.bytes += deltas.changes.bytes();
        current.changes.extend(deltas.changes);
        let places = (current.spans.len(), current.logs.len());
        current.bytes += current.errors.absorb(&observations, received_at, places.0, places.1);
        if !spans.is_empty() {
            current.row_bytes += spans.bytes();
            current.spans.push(Arc::new(spans));
        }
        if !logs.is_empty() {
            current.row_bytes += logs.bytes();
            current.logs.push(Arc::new(logs));
        }
    }

    /// Passes a sequence number that has nothing to add.
    pub fn skip(&self, seq: u64) {
        let mut state = self.write();
        state.current.upto = state.current.upto.max(seq);
    }

    /// Bytes that are not committed.
    pub fn bytes(&self) -> usize {
        let state = self.read();
        let all = |one: &Generation| one.bytes + one.row_bytes;
        all(&state.current) + state.flushing.as_ref().map_or(0, |generation| all(generation))
    }

    /// What a flush has to write next: the generation whose flush did not finish, else the current one, which is
    /// cut. None when nothing has come since the last cut.
    pub fn cut(&self) -> Option<Arc<Generation>> {
        let mut state = self.write();
        if state.flushing.is_none() && state.current.upto > state.current.from {
            let upto = state.current.upto;
            let part = Arc::new(state.current.part.next());
            let next = Generation { from: upto, upto, part, ..Generation::default() };
            state.flushing = Some(Arc::new(std::mem::replace(&mut state.current, next)));
        }
        state.flushing.clone()
    }

    /// The generation that was being flushed is in the catalog now.
    pub fn committed(&self) {
        let mut state = self.write();
        let Some(generation) = state.flushing.take() else { return };
        state.committed.push_back((Instant::now(), generation));
        let mut bytes: usize = state.committed.iter().map(|(_, generation)| generation.bytes).sum();
        while state.committed.len() > KEEP {
            let Some((at, generation)) = state.committed.front() else { break };
            if at.elapsed() < KEEP_FOR && bytes <= KEEP_BYTES {
                break;
            }
            bytes -= generation.bytes;
            state.dropped = generation.upto;
            state.committed.pop_front();
        }
    }

    /// Lets go of the rows of committed generations, the oldest first, until no more is left than is kept. One that
    /// somebody reads just now keeps them until the next time.
    pub fn trim(&self) {
        // Dropped after the lock is: it is a thousand pieces.
        let mut gone = Vec::new();
        let mut state = self.write();
        let State { committed, dropped, rows_dropped, .. } = &mut *state;
        *rows_dropped = (*rows_dropped).max(*dropped);
        let mut bytes: usize = committed.iter().map(|(_, generation)| generation.row_bytes).sum();
        for (_, generation) in committed {
            if bytes <= KEEP_ROWS {
                break;
            }
            let Some(only) = Arc::get_mut(generation) else { continue };
            bytes -= only.row_bytes;
            only.row_bytes = 0;
            gone.push((std::mem::take(&mut only.spans), std::mem::take(&mut only.logs)));
            *rows_dropped = (*rows_dropped).max(only.upto);
        }
    }

    /// The rows of one signal above a snapshot's watermark, oldest first. None when some are gone from memory: the
    /// snapshot is too old, take a new one.
    pub fn rows_above(&self, watermark: u64, signal: Signal) -> Option<Rows> {
        let state = self.read();
        if watermark < state.dropped.max(state.rows_dropped) {
            return None;
        }
        let frozen = state.committed.iter().map(|(_, generation)| generation).chain(&state.flushing);
        let mut rows = state.current.rows(signal);
        frozen
            .filter(|generation| generation.upto > watermark)
            .for_each(|generation| rows.extend(generation.rows(signal)));
        Some(rows)
    }

    /// The generations above a snapshot's watermark, oldest first: those that no longer change, and what `look`
    /// takes from the current one. None when some are gone from memory: the snapshot is too old, take a new one.
    pub fn above<T>(
        &self,
        watermark: u64,
        look: impl FnOnce(&Generation) -> T,
    ) -> Option<(Vec<Arc<Generation>>, T)> {
        let state = self.read();
        if watermark < state.dropped {
            return None;
        }
        let frozen = state.committed.iter().map(|(_, generation)| generation).chain(&state.flushing);
        let frozen = frozen.filter(|generation| generation.upto > watermark).cloned().collect();
        Some((frozen, look(&state.current)))
    }

    /// The generations above a watermark that no longer change, oldest first, and whether each is committed. None
    /// when some are gone from memory.
    pub fn frozen_above(&self, watermark: u64) -> Option<Vec<(Arc<Generation>, bool)>> {
        let state = self.read();
        if watermark < state.dropped {
            return None;
        }
        let committed = state.committed.iter().map(|(_, generation)| (generation.clone(), true));
        let flushing = state.flushing.iter().map(|generation| (generation.clone(), false));
        Some(committed.chain(flushing).filter(|(generation, _)| generation.upto > watermark).collect())
    }

    // A panic under the lock leaves the state as whole as any other moment: take it.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans_above(hot: &Hot, watermark: u64) -> Option<usize> {
        hot.rows_above(watermark, Signal::Spans).map(|rows| rows.len())
    }

    #[test]
    fn rows_leave_memory_before_their_minutes_and_never_while_they_are_read() {
        let hot = Hot::new(0);
        let batch = || {
            let mut batch = Batch::default();
            batch.spans.trace_id.resize(100, [7; 16]);
            batch
        };
        let flush = |seq, bytes| {
            hot.absorb(seq, batch(), Deltas::default());
            hot.write().current.row_bytes = bytes;
            hot.cut();
            hot.committed();
            hot.trim();
        };
        flush(1, KEEP_ROWS / 2);
        flush(2, KEEP_ROWS / 2);
        assert_eq!((spans_above(&hot, 0), spans_above(&hot, 1)), (Some(200), Some(100)));
        let reading = hot.frozen_above(0).unwrap();
        flush(3, KEEP_ROWS / 2);
        assert_eq!((spans_above(&hot, 2), spans_above(&hot, 3)), (None, Some(0)), "the first two are read");
        assert_eq!(reading.iter().map(|(one, _)| one.spans.len()).sum::<usize>(), 2);
        drop(reading);
        flush(4, KEEP_ROWS / 2);
        assert_eq!((spans_above(&hot, 2), spans_above(&hot, 3)), (None, Some(100)));
        flush(5, 2 * KEEP_ROWS);
        assert_eq!((spans_above(&hot, 4), spans_above(&hot, 5)), (None, Some(0)));
        assert_eq!(frozen(&hot, 3), Some(vec![(3, 4), (4, 5), (5, 5)]), "the minutes stay");
    }

    fn frozen(hot: &Hot, watermark: u64) -> Option<Vec<(u64, u64)>> {
        let (frozen, current) = hot.above(watermark, |current| (current.from, current.upto))?;
        Some(frozen.iter().map(|each| (each.from, each.upto)).chain([current]).collect())
    }

    #[test]
    fn a_reader_finds_every_number_above_its_snapshot_once_or_is_told() {
        let hot = Hot::new(7);
        assert_eq!(hot.cut().map(|each| each.upto), None);
        for seq in 8..20 {
            hot.skip(seq);
            assert_eq!(hot.cut().map(|each| (each.from, each.upto)), Some((seq - 1, seq)));
            assert_eq!(frozen(&hot, seq - 1), Some(vec![(seq - 1, seq), (seq, seq)]), "before the commit");
            hot.committed();
            assert_eq!(frozen(&hot, seq - 1), Some(vec![(seq - 1, seq), (seq, seq)]), "an older snapshot");
            assert_eq!(frozen(&hot, seq), Some(vec![(seq, seq)]), "a newer snapshot");
        }
        assert_eq!(frozen(&hot, 6), None, "below what was ever in memory");
    }

    #[test]
    fn a_cut_that_was_not_committed_is_what_the_next_flush_gets() {
        let hot = Hot::new(0);
        hot.skip(3);
        let first = hot.cut().map(|each| each.upto);
        hot.skip(5);
        assert_eq!((first, hot.cut().map(|each| each.upto)), (Some(3), Some(3)));
        hot.committed();
        assert_eq!(hot.cut().map(|each| (each.from, each.upto)), Some((3, 5)));
    }

    #[test]
    fn large_generations_leave_memory_early_and_old_snapshots_are_refused() {
        let hot = Hot::new(0);
        for seq in 1..=4 {
            hot.skip(seq);
            hot.write().current.bytes = KEEP_BYTES;
            hot.cut();
            hot.committed();
        }
        assert_eq!(frozen(&hot, 1), None);
        assert_eq!(frozen(&hot, 2), Some(vec![(2, 3), (3, 4), (4, 4)]));
    }
}
