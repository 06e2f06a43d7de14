//! Spans and logs as Arrow record batches: buffers are moved, rows are not copied. The same columns, in the same
//! order, are those of the Parquet files, so memory and files are read by the same code.

use std::sync::{Arc, LazyLock};

use arrow_array::{
    ArrayRef, FixedSizeBinaryArray, Int64Array, MapArray, RecordBatch, StringArray, StructArray, UInt8Array,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef};

use crate::decode::columns::{LogColumns, Maps, SpanColumns, Strings};

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

/// Spans in the order of [`SPANS`].
pub fn spans(spans: SpanColumns) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        id_array(spans.trace_id)?,
        id_array(spans.span_id)?,
        id_array(spans.parent_span_id)?,
        Arc::new(Int64Array::from(spans.start)),
        Arc::new(Int64Array::from(spans.end)),
        Arc::new(Int64Array::from(spans.received)),
        Arc::new(UInt8Array::from(spans.kind)),
        Arc::new(UInt8Array::from(spans.status)),
        Arc::new(UInt8Array::from(spans.class)),
        Arc::new(strings(spans.status_message)?),
        Arc::new(strings(spans.name)?),
        Arc::new(strings(spans.environment)?),
        Arc::new(strings(spans.integration)?),
        Arc::new(strings(spans.peer)?),
        Arc::new(strings(spans.endpoint)?),
        Arc::new(strings(spans.scope)?),
        map_array(spans.attributes)?,
        map_array(spans.resource)?,
        Arc::new(strings(spans.events)?),
        Arc::new(strings(spans.links)?),
    ];
    RecordBatch::try_new(SPANS.clone(), columns)
}

/// Logs in the order of [`LOGS`].
pub fn logs(logs: LogColumns) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(logs.time)),
        Arc::new(Int64Array::from(logs.received)),
        id_array(logs.trace_id)?,
        id_array(logs.span_id)?,
        Arc::new(UInt8Array::from(logs.severity)),
        Arc::new(strings(logs.severity_text)?),
        Arc::new(strings(logs.event_name)?),
        Arc::new(strings(logs.body)?),
        Arc::new(strings(logs.environment)?),
        Arc::new(strings(logs.integration)?),
        Arc::new(strings(logs.scope)?),
        map_array(logs.attributes)?,
        map_array(logs.resource)?,
    ];
    RecordBatch::try_new(LOGS.clone(), columns)
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

fn id_array<const N: usize>(ids: Vec<[u8; N]>) -> Result<ArrayRef, ArrowError> {
    let bytes = Buffer::from_vec(ids.into_flattened());
    Ok(Arc::new(FixedSizeBinaryArray::try_new(N as i32, bytes, None)?))
}

fn strings(strings: Strings) -> Result<StringArray, ArrowError> {
    StringArray::try_new(offsets(strings.offsets)?, Buffer::from_vec(strings.bytes), None)
}

fn map_array(maps: Maps) -> Result<ArrayRef, ArrowError> {
    let keys: ArrayRef = Arc::new(strings(maps.keys)?);
    let values: ArrayRef = Arc::new(strings(maps.values)?);
    let pairs = StructArray::try_new(entries(), vec![keys, values], None)?;
    let field = Arc::new(Field::new("key_value", DataType::Struct(entries()), false));
    Ok(Arc::new(MapArray::try_new(field, offsets(maps.offsets)?, pairs, None, false)?))
}

// `OffsetBuffer::new` panics on what this refuses: an offset that wrapped round past 2 GiB.
fn offsets(offsets: Vec<i32>) -> Result<OffsetBuffer<i32>, ArrowError> {
    if offsets.first().is_some_and(|first| *first >= 0) && offsets.is_sorted() {
        Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
    } else {
        Err(ArrowError::InvalidArgumentError("the offsets do not rise from 0".into()))
    }
}
