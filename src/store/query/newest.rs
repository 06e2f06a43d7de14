//! The newest records that match, over memory and files, without reading more than is shown.
//!
//! Two passes. The first reads only the columns that decide and keeps the places of the newest matches; a file whose
//! latest row is older than the oldest of a full list is not opened. The second reads those rows whole.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::file::metadata::PageIndexPolicy;

use super::{TRIES, outrun};
use crate::signals::telemetry::Nanos;
use crate::store::catalog::{Segment, Signal};
use crate::store::hot::Rows;
use crate::store::segments::blocking;
use crate::store::segments::object::Object;
use crate::store::{Error, Store};

/// A list is never longer.
const MOST: usize = 10_000;

/// Tells of a row by its number whether it matches, and then its time.
pub type Matcher<'a> = Box<dyn Fn(usize) -> Option<Nanos> + 'a>;

/// What a list is of.
pub trait Listing: Send + Sync + 'static {
    /// Where the records are.
    const SIGNAL: Signal;
    /// The columns that the matcher reads.
    const COLUMNS: &'static [&'static str];
    /// What a row becomes.
    type Record: Send + 'static;

    /// Rows in memory that may match, as batches; those that are left out do not.
    fn in_memory(&self, rows: &Rows) -> Result<Vec<RecordBatch>, Error>;
    /// Which rows of a batch match.
    fn matcher<'a>(&'a self, batch: &'a RecordBatch) -> Result<Matcher<'a>, Error>;
    /// All rows of a batch that has all columns.
    fn records(batch: &RecordBatch) -> Result<Vec<Self::Record>, Error>;
    /// Times asked for, [from, to).
    fn span(&self) -> (Nanos, Nanos);
    /// (environment, integration) asked for.
    fn scope(&self) -> (Option<&str>, Option<&str>);
    /// At most so many.
    fn limit(&self) -> usize;
}

impl Store {
    /// The newest records that match, newest first.
    pub(super) async fn newest<L: Listing>(&self, listing: L) -> Result<Vec<L::Record>, Error> {
        let limit = listing.limit().min(MOST);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let (from, to) = listing.span();
        let (files, hot) = self.evidence(L::SIGNAL, from, to).await?;
        let (environment, integration) = listing.scope();
        let concerned = |(segment, _): &(Segment, Object)| {
            segment.integrations.iter().any(|(of, name)| {
                environment.is_none_or(|wanted| wanted == of)
                    && integration.is_none_or(|wanted| wanted == name)
            })
        };
        let files: Vec<_> = files.into_iter().filter(concerned).collect();
        blocking(move || {
            let batches = listing.in_memory(&hot)?;
            let mut places = Places { limit, heap: BinaryHeap::new() };
            for (source, batch) in batches.iter().enumerate() {
                places.look(&listing, source, 0, batch)?;
            }
            for (at, (segment, object)) in files.iter().enumerate() {
                // Files come with the latest first, so none that follows can matter either.
                if places.is_full_after(segment.tmax) {
                    break;
                }
                places.look_in(&listing, batches.len() + at, segment, object)?;
            }
            let mut found: Vec<(Nanos, L::Record)> = Vec::new();
            for (source, rows) in places.by_source() {
                let records = match (batches.get(source), source.checked_sub(batches.len())) {
                    (Some(batch), _) => rows_of::<L>(batch, rows.keys())?,
                    (None, Some(at)) if at < files.len() => {
                        let (segment, object) = &files[at];
                        read_rows::<L>(segment, object, rows.keys())?
                    }
                    _ => continue,
                };
                found.extend(rows.into_values().zip(records));
            }
            found.sort_by_key(|(time, _)| Reverse(*time));
            Ok(found.into_iter().map(|(_, record)| record).collect())
        })
        .await
    }

    /// The files that touch [from, to), the latest first, and the rows above their snapshot.
    pub(super) async fn evidence(
        &self,
        signal: Signal,
        from: Nanos,
        to: Nanos,
    ) -> Result<(Vec<(Segment, Object)>, Rows), Error> {
        let inner = &self.inner;
        for _ in 0..TRIES {
            let (watermark, segments) = inner.catalog.segments(signal, from, to).await?;
            let Some(hot) = inner.hot.rows_above(watermark, signal) else { continue };
            let files = segments.into_iter().map(|segment| {
                let object = inner.segments.object(&segment);
                (segment, object)
            });
            return Ok((files.collect(), hot));
        }
        Err(outrun())
    }
}

/// Places of the newest matches: (time, source, row), the oldest on top.
struct Places {
    limit: usize,
    heap: BinaryHeap<Reverse<(Nanos, usize, usize)>>,
}

impl Places {
    fn look<L: Listing>(
        &mut self,
        listing: &L,
        source: usize,
        first: usize,
        batch: &RecordBatch,
    ) -> Result<(), Error> {
        let matches = listing.matcher(batch)?;
        for row in 0..batch.num_rows() {
            let Some(time) = matches(row) else { continue };
            if self.heap.len() < self.limit {
                self.heap.push(Reverse((time, source, first + row)));
            } else if let Some(mut oldest) = self.heap.peek_mut()
                && time > oldest.0.0
            {
                *oldest = Reverse((time, source, first + row));
            }
        }
        Ok(())
    }

    fn look_in<L: Listing>(
        &mut self,
        listing: &L,
        source: usize,
        segment: &Segment,
        object: &Object,
    ) -> Result<(), Error> {
        let file = open(segment, object)?;
        let mask = ProjectionMask::columns(file.parquet_schema(), L::COLUMNS.iter().copied());
        let reader = file.with_projection(mask).build().map_err(|error| unreadable(segment, &error))?;
        let mut first = 0;
        for batch in reader {
            let batch = batch.map_err(|error| unreadable(segment, &error))?;
            self.look(listing, source, first, &batch)?;
            first += batch.num_rows();
        }
        Ok(())
    }

    fn is_full_after(&self, time: Nanos) -> bool {
        self.heap.len() >= self.limit && self.heap.peek().is_some_and(|oldest| oldest.0.0 > time)
    }

    /// Source → row → time, rows ascending.
    fn by_source(self) -> BTreeMap<usize, BTreeMap<usize, Nanos>> {
        let mut sources: BTreeMap<usize, BTreeMap<usize, Nanos>> = BTreeMap::new();
        for Reverse((time, source, row)) in self.heap {
            sources.entry(source).or_default().insert(row, time);
        }
        sources
    }
}

/// A sentence on rows in memory that cannot be read.
pub(in crate::store) fn unreadable_rows(error: ArrowError) -> Error {
    Error::Damaged(format!("Rows in memory cannot be read: {error}."))
}

/// Opens a file for reading, with its page index where it has one.
pub(super) fn open(
    segment: &Segment,
    object: &Object,
) -> Result<ParquetRecordBatchReaderBuilder<Object>, Error> {
    if let Some(closed) = object.closed().map_err(|error| unreadable(segment, &error))? {
        return Err(Error::Damaged(format!("The segment file segments/{} {closed}.", segment.path)));
    }
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    ParquetRecordBatchReaderBuilder::try_new_with_options(object.clone(), options)
        .map(|file| file.with_batch_size(8192))
        .map_err(|error| unreadable(segment, &error))
}

/// A sentence on a file that cannot be read.
pub(super) fn unreadable(segment: &Segment, error: &dyn std::error::Error) -> Error {
    Error::Damaged(format!(
        "The segment file segments/{} cannot be read: {error}. Restore it from a backup of the data folder.",
        segment.path
    ))
}

fn rows_of<'a, L: Listing>(
    batch: &RecordBatch,
    rows: impl Iterator<Item = &'a usize>,
) -> Result<Vec<L::Record>, Error> {
    let mut records = Vec::new();
    for row in rows {
        records.extend(L::records(&batch.slice(*row, 1))?);
    }
    Ok(records)
}

fn read_rows<'a, L: Listing>(
    segment: &Segment,
    object: &Object,
    rows: impl Iterator<Item = &'a usize>,
) -> Result<Vec<L::Record>, Error> {
    let file = open(segment, object)?;
    let total = usize::try_from(file.metadata().file_metadata().num_rows()).unwrap_or(0);
    let selection = RowSelection::from_consecutive_ranges(rows.map(|row| *row..*row + 1), total);
    let reader = file.with_row_selection(selection).build().map_err(|error| unreadable(segment, &error))?;
    let mut records = Vec::new();
    for batch in reader {
        records.extend(L::records(&batch.map_err(|error| unreadable(segment, &error))?)?);
    }
    Ok(records)
}
