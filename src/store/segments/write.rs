//! The order of columns in a file, row group by row group.

use std::io::Write;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::columns::{LOGS, SPANS};
use super::encode::{Chunk, Workbench, compression, times};
use crate::decode::columns::{LogColumns, Maps, SpanColumns};
use crate::decode::texts::Texts;

/// Rows of a row group; one more request than reaches it may be in it.
const ROW_GROUP: usize = 100_000;

/// The columns of unix nanoseconds.
const TIMES: [&str; 4] = ["start_unix_nano", "end_unix_nano", "received_unix_nano", "time_unix_nano"];

/// A file of spans.
pub fn spans(all: &[Arc<SpanColumns>]) -> Result<Vec<u8>> {
    file(
        &SPANS,
        all,
        |columns| columns.len(),
        |group, of| {
            group.ids(&of.iter().map(|of| &of.trace_id[..]).collect::<Vec<_>>(), true)?;
            group.ids(&of.iter().map(|of| &of.span_id[..]).collect::<Vec<_>>(), false)?;
            group.ids(&of.iter().map(|of| &of.parent_span_id[..]).collect::<Vec<_>>(), false)?;
            group.times(of.iter().map(|of| &of.start[..]))?;
            group.times(of.iter().map(|of| &of.end[..]))?;
            group.times(of.iter().map(|of| &of.received[..]))?;
            group.smalls(of.iter().map(|of| &of.kind[..]))?;
            group.smalls(of.iter().map(|of| &of.status[..]))?;
            group.smalls(of.iter().map(|of| &of.class[..]))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.status_message[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.name[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.environment[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.integration[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.peer[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.endpoint[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.scope[..])))?;
            group.maps(&of.iter().map(|of| (&of.texts, &of.attributes, None)).collect::<Vec<_>>())?;
            group.maps(
                &of.iter().map(|of| (&of.texts, &of.resources, Some(&of.resource[..]))).collect::<Vec<_>>(),
            )?;
            group.texts(of.iter().map(|of| (&of.texts, &of.events[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.links[..])))
        },
    )
}

/// A file of log records.
pub fn logs(all: &[Arc<LogColumns>]) -> Result<Vec<u8>> {
    file(
        &LOGS,
        all,
        |columns| columns.len(),
        |group, of| {
            group.times(of.iter().map(|of| &of.time[..]))?;
            group.times(of.iter().map(|of| &of.received[..]))?;
            group.ids(&of.iter().map(|of| &of.trace_id[..]).collect::<Vec<_>>(), true)?;
            group.ids(&of.iter().map(|of| &of.span_id[..]).collect::<Vec<_>>(), false)?;
            group.smalls(of.iter().map(|of| &of.severity[..]))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.severity_text[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.event_name[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.body[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.environment[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.integration[..])))?;
            group.texts(of.iter().map(|of| (&of.texts, &of.scope[..])))?;
            group.maps(&of.iter().map(|of| (&of.texts, &of.attributes, None)).collect::<Vec<_>>())?;
            group.maps(
                &of.iter().map(|of| (&of.texts, &of.resources, Some(&of.resource[..]))).collect::<Vec<_>>(),
            )
        },
    )
}

fn file<T>(
    schema: &SchemaRef,
    all: &[Arc<T>],
    rows: impl Fn(&T) -> usize,
    fill: impl Fn(&mut Group<'_, '_, Vec<u8>>, &[Arc<T>]) -> Result<()>,
) -> Result<Vec<u8>> {
    let described = ArrowSchemaConverter::new().convert(schema)?;
    let mut properties = WriterProperties::builder().set_compression(compression()?);
    for time in TIMES {
        // No two are alike: a dictionary of them would be thrown away each time.
        let time = ColumnPath::from(time);
        properties = properties
            .set_column_dictionary_enabled(time.clone(), false)
            .set_column_encoding(time, Encoding::DELTA_BINARY_PACKED);
    }
    let mut properties = properties.build();
    add_encoded_arrow_schema_to_metadata(schema, &mut properties);
    let mut writer =
        SerializedFileWriter::new(Vec::new(), described.root_schema_ptr(), Arc::new(properties))?;
    let mut bench = Workbench::new()?;
    let mut left = all;
    while !left.is_empty() {
        let mut count = 0;
        let full = |columns: &Arc<T>| {
            count += rows(columns);
            count >= ROW_GROUP
        };
        let end = left.iter().position(full).map_or(left.len(), |at| at + 1);
        let (now, later) = left.split_at(end);
        left = later;
        let mut group =
            Group { writer: writer.next_row_group()?, described: &described, column: 0, bench: &mut bench };
        fill(&mut group, now)?;
        group.writer.close()?;
    }
    writer.into_inner()
}

/// A row group in the making: columns are written in the order of the schema.
struct Group<'g, 'w, W: Write + Send> {
    writer: SerializedRowGroupWriter<'w, W>,
    described: &'g SchemaDescriptor,
    column: usize,
    bench: &'g mut Workbench,
}

impl<W: Write + Send> Group<'_, '_, W> {
    /// The next column's chunk, filled by `fill`.
    fn chunk(&mut self, fill: impl FnOnce(Chunk<'_>) -> Result<Chunk<'_>>) -> Result<()> {
        let column = self.described.columns().get(self.column).cloned();
        self.column += 1;
        let column = column.ok_or_else(|| ParquetError::General("there is no further column".into()))?;
        fill(Chunk::new(column, self.bench))?.append_to(&mut self.writer)
    }

    fn ids<const N: usize>(&mut self, ids: &[&[[u8; N]]], bloom: bool) -> Result<()> {
        self.chunk(|chunk| chunk.ids(ids, bloom))
    }

    fn smalls<'c>(&mut self, columns: impl Iterator<Item = &'c [u8]>) -> Result<()> {
        self.chunk(|chunk| chunk.smalls(&columns.collect::<Vec<_>>()))
    }

    fn texts<'c>(&mut self, columns: impl Iterator<Item = (&'c Texts, &'c [u32])> + Clone) -> Result<()> {
        self.chunk(|chunk| chunk.texts(columns))
    }

    fn maps(&mut self, columns: &[(&Texts, &Maps, Option<&[u32]>)]) -> Result<()> {
        self.chunk(|chunk| chunk.maps(columns, |(key, _)| *key))?;
        self.chunk(|chunk| chunk.maps(columns, |(_, value)| *value))
    }

    fn times<'c>(&mut self, columns: impl Iterator<Item = &'c [i64]>) -> Result<()> {
        self.column += 1;
        times(&mut self.writer, columns)
    }
}
