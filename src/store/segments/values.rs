//! Columns of a record batch by name, as the types that the schemas give them.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt8Type};
use arrow_array::{
    Array, ArrayRef, FixedSizeBinaryArray, Int64Array, MapArray, RecordBatch, StringArray, UInt8Array,
};

use crate::store::Error;

/// A column of text.
pub fn strings<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, Error> {
    column(batch, name, |column| column.as_string_opt())
}

/// A column of 64-bit integers.
pub fn ints<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, Error> {
    column(batch, name, |column| column.as_primitive_opt::<Int64Type>())
}

/// A column of small numbers.
pub fn smalls<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a UInt8Array, Error> {
    column(batch, name, |column| column.as_primitive_opt::<UInt8Type>())
}

/// A column of ids.
pub fn ids<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a FixedSizeBinaryArray, Error> {
    column(batch, name, |column| column.as_fixed_size_binary_opt())
}

/// A column of maps of text to text.
pub fn maps<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a MapArray, Error> {
    column(batch, name, |column| column.as_map_opt())
}

/// One row of a column of maps. Of a key that came twice, the later value stands.
pub fn map(maps: &MapArray, row: usize) -> BTreeMap<String, String> {
    let entries = maps.value(row);
    let text = |at: usize| entries.columns().get(at).and_then(|column| column.as_string_opt::<i32>());
    let Some((keys, values)) = text(0).zip(text(1)) else { return BTreeMap::new() };
    (0..entries.len()).map(|at| (keys.value(at).to_owned(), values.value(at).to_owned())).collect()
}

/// Text; none where it is empty: not given.
pub fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |at: u8| DIGITS[usize::from(at & 15)];
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Lower-case hex, none for an id that is all zero: one that was not given.
pub fn id(bytes: &[u8]) -> Option<String> {
    bytes.iter().any(|byte| *byte != 0).then(|| hex(bytes))
}

fn column<'a, T>(
    batch: &'a RecordBatch,
    name: &str,
    cast: impl FnOnce(&'a ArrayRef) -> Option<&'a T>,
) -> Result<&'a T, Error> {
    batch.column_by_name(name).and_then(cast).ok_or_else(|| {
        Error::Damaged(format!("A segment has no column {name} of the type it should have. It was changed by something else, or the file is damaged."))
    })
}
