//! One trace, from memory and from every file whose bloom filter knows its id.

use std::collections::HashSet;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};

use super::newest::{open, unreadable, unreadable_rows};
use super::spans::records;
use crate::signals::telemetry::Nanos;
use crate::store::catalog::{Segment, Signal};
use crate::store::hot::Rows;
use crate::store::segments::blocking;
use crate::store::segments::columns;
use crate::store::segments::object::Object;
use crate::store::segments::values::ids;
use crate::store::{Error, SpanRecord, Store};

/// A trace is never shown longer.
const MOST: usize = 20_000;

impl Store {
    /// The spans of a trace by their start. A span that was sent twice is there once.
    pub async fn trace(&self, trace_id: [u8; 16]) -> Result<Vec<SpanRecord>, Error> {
        let (files, hot) = self.evidence(Signal::Spans, Nanos::MIN, Nanos::MAX).await?;
        blocking(move || {
            let mut found = Vec::new();
            let Rows::Spans(hot) = hot else { return Ok(found) };
            for spans in hot {
                let is_wanted = |(_, id): &(usize, &[u8; 16])| **id == trace_id;
                let picked: Vec<usize> =
                    spans.trace_id.iter().enumerate().filter(is_wanted).map(|(row, _)| row).collect();
                if !picked.is_empty() {
                    found.extend(records(&columns::spans(&spans, &picked).map_err(unreadable_rows)?)?);
                }
            }
            for (segment, object) in &files {
                if found.len() >= MOST {
                    break;
                }
                read(segment, object, trace_id, &mut found)?;
            }
            found.sort_by(|a, b| (a.start, &a.span_id).cmp(&(b.start, &b.span_id)));
            let mut seen = HashSet::new();
            found.retain(|span| seen.insert(span.span_id.clone()));
            found.truncate(MOST);
            Ok(found)
        })
        .await
    }
}

fn read(
    segment: &Segment,
    object: &Object,
    trace_id: [u8; 16],
    found: &mut Vec<SpanRecord>,
) -> Result<(), Error> {
    let file = open(segment, object)?;
    let columns = file.parquet_schema().columns();
    let Some(column) = columns.iter().position(|column| column.name() == "trace_id") else {
        return Err(unreadable(segment, &ArrowError::SchemaError("there is no column trace_id".into())));
    };
    let mut groups = Vec::new();
    for group in 0..file.metadata().num_row_groups() {
        let filter = file.get_row_group_column_bloom_filter(group, column);
        let filter = filter.map_err(|error| unreadable(segment, &error))?;
        if filter.is_none_or(|filter| filter.check(&trace_id[..])) {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        return Ok(());
    }
    let mask = ProjectionMask::columns(file.parquet_schema(), ["trace_id"]);
    let wanted = ArrowPredicateFn::new(mask, move |batch| {
        rows(&batch, &trace_id).map_err(|error| ArrowError::ExternalError(Box::new(error)))
    });
    let file = file.with_row_groups(groups).with_row_filter(RowFilter::new(vec![Box::new(wanted)]));
    for batch in file.build().map_err(|error| unreadable(segment, &error))? {
        found.extend(records(&batch.map_err(|error| unreadable(segment, &error))?)?);
    }
    Ok(())
}

/// Which rows of a batch are of the trace.
fn rows(batch: &RecordBatch, trace_id: &[u8; 16]) -> Result<BooleanArray, Error> {
    let ids = ids(batch, "trace_id")?;
    Ok((0..batch.num_rows()).map(|row| Some(ids.value(row) == trace_id)).collect())
}
