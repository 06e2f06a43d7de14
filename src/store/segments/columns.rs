//! The columns of segments, and rows in memory as record batches that have them: so memory and files are read by the
//! same code.

use std::sync::{Arc, LazyLock};

use arrow_array::{
    ArrayRef, FixedSizeBinaryArray, Int64Array, MapArray, RecordBatch, StringArray, StructArray, UInt8Array,
};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef};

use crate::decode::columns::{LogColumns, Maps, SpanColumns};
use crate::decode::texts::Texts;

/// Which columns a segment has; a new column raises it, and nothing else ever changes.
pub const SCHEMA_VERSION: i64 = 1;

/// The columns of spans. Times are unix nanoseconds.
pub static SPANS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        ids("trace_id", 16),
        ids("span_id", 8),
        ids("parent_span_id", 8),
        int("start_unix_nano"),
        int("end_unix_nano"),
        int("received_unix_nano"),
        small("kind"),
        small("status"),
        small("class"),
        text("status_message"),
        text("name"),
        text("environment"),
        text("integration"),
        text("peer"),
        text("endpoint"),
        text("scope"),
        map("attributes"),
        map("resource"),
        text("events"),
        text("links"),
    ]))
});

/// The columns of logs. Times are unix nanoseconds.
pub static LOGS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        int("time_unix_nano"),
        int("received_unix_nano"),
        ids("trace_id", 16),
        ids("span_id", 8),
        small("severity"),
        text("severity_text"),
        text("event_name"),
        text("body"),
        text("environment"),
        text("integration"),
        text("scope"),
        map("attributes"),
        map("resource"),
    ]))
});

/// Rows of spans in the order of [`SPANS`].
pub fn spans(from: &SpanColumns, rows: &[usize]) -> Result<RecordBatch, ArrowError> {
    let pick = Pick { texts: &from.texts, rows };
    let columns: Vec<ArrayRef> = vec![
        pick.ids(&from.trace_id)?,
        pick.ids(&from.span_id)?,
        pick.ids(&from.parent_span_id)?,
        pick.ints(&from.start),
        pick.ints(&from.end),
        pick.ints(&from.received),
        pick.smalls(&from.kind),
        pick.smalls(&from.status),
        pick.smalls(&from.class),
        pick.texts(&from.status_message),
        pick.texts(&from.name),
        pick.texts(&from.environment),
        pick.texts(&from.integration),
        pick.texts(&from.peer),
        pick.texts(&from.endpoint),
        pick.texts(&from.scope),
        pick.maps(&from.attributes, |row| row)?,
        pick.maps(&from.resources, |row| from.resource.get(row).map_or(usize::MAX, |at| *at as usize))?,
        pick.texts(&from.events),
        pick.texts(&from.links),
    ];
    RecordBatch::try_new(SPANS.clone(), columns)
}

/// Rows of logs in the order of [`LOGS`].
pub fn logs(from: &LogColumns, rows: &[usize]) -> Result<RecordBatch, ArrowError> {
    let pick = Pick { texts: &from.texts, rows };
    let columns: Vec<ArrayRef> = vec![
        pick.ints(&from.time),
        pick.ints(&from.received),
        pick.ids(&from.trace_id)?,
        pick.ids(&from.span_id)?,
        pick.smalls(&from.severity),
        pick.texts(&from.severity_text),
        pick.texts(&from.event_name),
        pick.texts(&from.body),
        pick.texts(&from.environment),
        pick.texts(&from.integration),
        pick.texts(&from.scope),
        pick.maps(&from.attributes, |row| row)?,
        pick.maps(&from.resources, |row| from.resource.get(row).map_or(usize::MAX, |at| *at as usize))?,
    ];
    RecordBatch::try_new(LOGS.clone(), columns)
}

/// Takes rows out of columns. What a column does not have is empty or 0: the writer of columns fills all alike.
struct Pick<'a> {
    texts: &'a Texts,
    rows: &'a [usize],
}

impl Pick<'_> {
    fn values<T: Copy + Default>(&self, column: &[T]) -> impl Iterator<Item = T> {
        self.rows.iter().map(|row| column.get(*row).copied().unwrap_or_default())
    }

    fn ids<const N: usize>(&self, column: &[[u8; N]]) -> Result<ArrayRef, ArrowError> {
        let ids: Vec<u8> =
            self.rows.iter().flat_map(|row| column.get(*row).copied().unwrap_or([0; N])).collect();
        Ok(Arc::new(FixedSizeBinaryArray::try_new(N as i32, Buffer::from_vec(ids), None)?))
    }

    fn ints(&self, column: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(self.values(column)))
    }

    fn smalls(&self, column: &[u8]) -> ArrayRef {
        Arc::new(UInt8Array::from_iter_values(self.values(column)))
    }

    fn texts(&self, column: &[u32]) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(self.values(column).map(|number| self.texts.get(number))))
    }

    fn maps(&self, column: &Maps, place: impl Fn(usize) -> usize) -> Result<ArrayRef, ArrowError> {
        let maps: Vec<&[(u32, u32)]> = self.rows.iter().map(|row| column.get(place(*row))).collect();
        let text = |number: u32| self.texts.get(number);
        let all = || maps.iter().flat_map(|map| map.iter());
        let keys: ArrayRef = Arc::new(StringArray::from_iter_values(all().map(|(key, _)| text(*key))));
        let values: ArrayRef = Arc::new(StringArray::from_iter_values(all().map(|(_, value)| text(*value))));
        let pairs = StructArray::try_new(entries(), vec![keys, values], None)?;
        let field = Arc::new(Field::new("key_value", DataType::Struct(entries()), false));
        let offsets = OffsetBuffer::from_lengths(maps.iter().map(|map| map.len()));
        Ok(Arc::new(MapArray::try_new(field, offsets, pairs, None, false)?))
    }
}

fn ids(name: &str, width: i32) -> Field {
    Field::new(name, DataType::FixedSizeBinary(width), false)
}

fn int(name: &str) -> Field {
    Field::new(name, DataType::Int64, false)
}

fn small(name: &str) -> Field {
    Field::new(name, DataType::UInt8, false)
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

// Named as the Parquet specification has them, so that other engines see a plain map.
fn entries() -> Fields {
    Fields::from(vec![text("key"), text("value")])
}

fn map(name: &str) -> Field {
    let entries = Field::new("key_value", DataType::Struct(entries()), false);
    Field::new(name, DataType::Map(Arc::new(entries), false), false)
}
