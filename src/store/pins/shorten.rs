//! A record made short enough to be kept for a year, the most telling of it first.

use serde_json::Value;

use crate::signals::normal::cut;

/// Longest text, and most entries of a list or a map: the first that makes the record fit.
const STEPS: &[(usize, usize)] =
    &[(16 << 10, 1_000), (8 << 10, 256), (2 << 10, 128), (512, 64), (128, 32), (64, 8)];
/// Longest key, in bytes.
const KEY: usize = 256;

/// Shortens texts and leaves entries out until it fits; null where nothing helps.
pub fn fit(record: &mut Value, most: usize) {
    for (text, entries) in STEPS {
        if size(record) <= most {
            return;
        }
        shorten(record, *text, *entries);
    }
    if size(record) > most {
        *record = Value::Null;
    }
}

/// Bytes of a value as JSON, about: escapes count once.
pub fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 12,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Value::Object(map) => 2 + map.iter().map(|(key, value)| key.len() + 5 + size(value)).sum::<usize>(),
    }
}

fn shorten(value: &mut Value, text: usize, entries: usize) {
    match value {
        Value::String(said) if said.len() > text => {
            said.truncate(cut(said, text).len());
            said.push('…');
        }
        Value::Array(items) => {
            // The last exception is the one that was not caught.
            let extra = items.len().saturating_sub(entries);
            items.drain(..extra);
            items.iter_mut().for_each(|item| shorten(item, text, entries));
        }
        Value::Object(map) => {
            let whole = std::mem::take(map);
            let kept = whole.into_iter().filter(|(key, _)| key.len() <= KEY);
            // A record has twenty fields, whatever is left out of the maps in it.
            map.extend(kept.take(entries.max(24)));
            map.values_mut().for_each(|value| shorten(value, text, entries));
        }
        _ => {}
    }
}
