//! Pins: what is kept whole of failures, however long the segments live that it came from.
//!
//! An error group keeps the first failing calls of each day of receipt, an incident its evidence. A pin is kept once:
//! its name is made of what it holds, and it is written in the transaction that counts its record.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::catalog::Signal;
use super::hot::{Generation, Rows};
use super::query::newest::{Listing, unreadable_rows};
use super::query::spans::records;
use super::segments::columns;
use super::{Error, LogQuery, LogRecord, SpanRecord};
use crate::rollup::errors::Candidate;
use crate::signals::failure::{Row, digest};
use crate::signals::normal::cut;
use crate::signals::telemetry::Nanos;
use shorten::fit;

mod shorten;

/// Nanoseconds in a day.
pub const DAY: Nanos = 86_400_000_000_000;
/// Bytes of a pin before it is compressed, its payload apart.
const CONTENT: usize = 48 << 10;
/// Bytes of the failing span or log record.
const RECORD: usize = 32 << 10;
/// Bytes of another span of its trace.
const BESIDE: usize = 4 << 10;
/// Other spans of a trace.
const SPANS: usize = 20;
/// Bytes of a payload.
const PAYLOAD: usize = 16 << 10;
/// The name that a payload has among attributes.
const NAME: &str = "integration.payload";

/// What a pin holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A failing call, or an exception.
    Failure,
    /// A log record around failing calls.
    Log,
    /// The rule as it stood.
    Rule,
}

/// A pin to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPin {
    /// The fingerprint of an error group, or the id of an incident.
    pub owner: String,
    /// What of the owner's it is: the same is kept once.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// The error group of a failure; empty where it is not known.
    pub fingerprint: String,
    /// When it happened.
    pub at: Nanos,
    /// When it was received, or pinned: what retention counts from.
    pub received_at: Nanos,
    /// The body that came with it, redacted, with what cannot be seen made visible.
    pub payload: String,
    /// JSON of a [`Content`] in zstd.
    pub content: Vec<u8>,
}

impl NewPin {
    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        (self.payload.len() + self.content.len()) as u64
    }
}

/// A pin as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// What it holds.
    pub kind: Kind,
    /// The error group of a failure; empty where it is not known.
    pub fingerprint: String,
    /// When it happened.
    pub at: Nanos,
    /// When it was received, or pinned.
    pub received_at: Nanos,
    /// The body that came with it, redacted; empty where none did.
    pub payload: String,
    /// The rest.
    pub content: Content,
}

/// What a pin holds besides the payload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// The span, as the API gives spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Value>,
    /// The log record, as the API gives log records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Value>,
    /// Other spans of the same trace that were there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<Value>,
    /// What a report said, or the text of a rule.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Content {
    /// As it is kept.
    pub fn packed(&self) -> Result<Vec<u8>, Error> {
        let unkept =
            |error: &dyn std::error::Error| Error::Damaged(format!("A pin cannot be kept: {error}."));
        let text = serde_json::to_vec(self).map_err(|error| unkept(&error))?;
        zstd::bulk::compress(&text, 3).map_err(|error| unkept(&error))
    }

    /// From what is kept.
    pub fn unpacked(bytes: &[u8]) -> Result<Content, Error> {
        let unread = |error: &dyn std::error::Error| {
            Error::Damaged(format!("A pin cannot be read: {error}. Restore catalog.db from a backup."))
        };
        let text = zstd::bulk::decompress(bytes, 1 << 20).map_err(|error| unread(&error))?;
        serde_json::from_slice(&text).map_err(|error| unread(&error))
    }

    /// The text of a field of the span, else of the log record.
    pub fn field(&self, name: &str) -> Option<&str> {
        [&self.span, &self.log].into_iter().flatten().find_map(|record| record.get(name)?.as_str())
    }
}

/// Makes pins of those candidates of a generation that are to be kept.
pub fn of_generation(generation: &Generation, candidates: &[Candidate]) -> Result<Vec<NewPin>, Error> {
    let mut spans: Vec<(usize, SpanRecord)> = Vec::new();
    let mut pins = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        match candidate.row {
            Row::Span(row) => spans.extend(span(generation, candidate, row)?.map(|span| (at, span))),
            Row::Log(row) => {
                let Some(log) = log(generation, candidate, row)? else { continue };
                pins.push(of_log(log, candidate.key.fingerprint.to_string(), candidate.received_at)?);
            }
            Row::Told => {
                let text = cut(&candidate.told, PAYLOAD).to_owned();
                let name = format!("told:{}:{:032x}", candidate.time, digest(&[&text]));
                let content = Content { text, ..Content::default() }.packed()?;
                pins.push(NewPin {
                    owner: candidate.key.fingerprint.to_string(),
                    name,
                    kind: Kind::Failure,
                    fingerprint: candidate.key.fingerprint.to_string(),
                    at: candidate.time,
                    received_at: candidate.received_at,
                    payload: String::new(),
                    content,
                });
            }
        }
    }
    let mut beside = traces(generation, &spans)?;
    for (at, span) in spans {
        let Some(candidate) = candidates.get(at) else { continue };
        let others = beside.get_mut(&span.trace_id).map(std::mem::take).unwrap_or_default();
        let owner = candidate.key.fingerprint.to_string();
        // Several failing spans of one trace each name its others; one copy of them is enough.
        let pin = of_span(span, &others, owner.clone(), owner, candidate.received_at)?;
        pins.push(NewPin { at: candidate.time, ..pin });
    }
    Ok(pins)
}

/// A pin of a failing span.
pub fn of_span(
    span: SpanRecord,
    others: &[SpanRecord],
    owner: String,
    fingerprint: String,
    received_at: Nanos,
) -> Result<NewPin, Error> {
    let name = name_of(&span);
    let (own_id, at) = (span.span_id.clone(), span.end);
    let (record, payload) = without_payload(value(&span)?, RECORD);
    let mut left = CONTENT.saturating_sub(shorten::size(&record));
    let mut trace = Vec::new();
    for other in others.iter().filter(|other| other.span_id != own_id).take(SPANS) {
        let (other, _) = without_payload(value(other)?, BESIDE.min(left));
        left = left.saturating_sub(shorten::size(&other));
        if !other.is_null() {
            trace.push(other);
        }
    }
    let content = Content { span: Some(record), trace, ..Content::default() }.packed()?;
    Ok(NewPin { owner, name, kind: Kind::Failure, fingerprint, at, received_at, payload, content })
}

/// The name of a span's pin. Systems that share a span between its two ends give both the same id.
pub fn name_of(span: &SpanRecord) -> String {
    format!("span:{}:{}:{}", span.trace_id, span.span_id, span.kind)
}

/// A pin of a log record that tells of a failure of this group.
fn of_log(log: LogRecord, fingerprint: String, received_at: Nanos) -> Result<NewPin, Error> {
    let pin = around(log, fingerprint.clone(), received_at)?;
    Ok(NewPin { kind: Kind::Failure, fingerprint, ..pin })
}

/// A pin of a log record around failing calls.
pub fn around(log: LogRecord, owner: String, received_at: Nanos) -> Result<NewPin, Error> {
    let at = log.time;
    let id = |id: &Option<String>| id.clone().unwrap_or_default();
    let event = log.event_name.clone().unwrap_or_default();
    let parts = [&*at.to_string(), &id(&log.trace_id), &id(&log.span_id), &event, &log.body];
    let name = format!("log:{:032x}", digest(&parts));
    let (record, payload) = without_payload(value(&log)?, RECORD);
    let content = Content { log: Some(record), ..Content::default() }.packed()?;
    let fingerprint = String::new();
    Ok(NewPin { owner, name, kind: Kind::Log, fingerprint, at, received_at, payload, content })
}

/// A pin of the rule as it stood.
pub fn of_rule(text: &str, owner: String, at: Nanos) -> Result<NewPin, Error> {
    let content = Content { text: cut(text, CONTENT).to_owned(), ..Content::default() }.packed()?;
    let (name, fingerprint, payload) = ("rule".to_owned(), String::new(), String::new());
    Ok(NewPin { owner, name, kind: Kind::Rule, fingerprint, at, received_at: at, payload, content })
}

fn span(generation: &Generation, candidate: &Candidate, row: u32) -> Result<Option<SpanRecord>, Error> {
    let Some(spans) = generation.spans.get(candidate.request) else { return Ok(None) };
    let batch = columns::spans(spans, &[row as usize]).map_err(unreadable_rows)?;
    Ok(records(&batch)?.pop())
}

fn log(generation: &Generation, candidate: &Candidate, row: u32) -> Result<Option<LogRecord>, Error> {
    let Some(logs) = generation.logs.get(candidate.request) else { return Ok(None) };
    let batch = columns::logs(logs, &[row as usize]).map_err(unreadable_rows)?;
    Ok(LogQuery::records(&batch)?.pop())
}

/// The spans of these failing spans' traces that are in the same generation, by trace, so many of each.
fn traces(
    generation: &Generation,
    failing: &[(usize, SpanRecord)],
) -> Result<HashMap<String, Vec<SpanRecord>>, Error> {
    let wanted: BTreeSet<u128> =
        failing.iter().filter_map(|(_, span)| u128::from_str_radix(&span.trace_id, 16).ok()).collect();
    let (mut found, mut counted) = (HashMap::<String, Vec<SpanRecord>>::new(), BTreeMap::new());
    let Rows::Spans(requests) = generation.rows(Signal::Spans) else { return Ok(found) };
    if wanted.is_empty() {
        return Ok(found);
    }
    for spans in requests {
        let mut picked = Vec::new();
        for (row, trace) in spans.trace_id.iter().enumerate() {
            let trace = u128::from_be_bytes(*trace);
            if wanted.contains(&trace) {
                let count = counted.entry(trace).or_insert(0usize);
                *count += 1;
                // One more than is kept: one of them is the failing span itself.
                if *count <= SPANS + 1 {
                    picked.push(row);
                }
            }
        }
        if !picked.is_empty() {
            let batch = columns::spans(&spans, &picked).map_err(unreadable_rows)?;
            for span in records(&batch)? {
                found.entry(span.trace_id.clone()).or_default().push(span);
            }
        }
    }
    Ok(found)
}

fn value(record: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(record).map_err(|error| Error::Damaged(format!("A pin cannot be kept: {error}.")))
}

/// A record in at most so many bytes, and the payload that stood in it: its own, else that of its exception.
fn without_payload(mut record: Value, most: usize) -> (Value, String) {
    let mut take = |attributes: &mut Value| attributes.as_object_mut().and_then(|map| map.remove(NAME));
    let own = record.get_mut("attributes").and_then(&mut take);
    let events = record.get_mut("events").and_then(Value::as_array_mut);
    let of_events = events.into_iter().flatten().rev().filter_map(|event| event.get_mut("attributes"));
    let of_events: Vec<Value> = of_events.filter_map(&mut take).collect();
    let payload = own.into_iter().chain(of_events).next();
    fit(&mut record, most);
    (record, payload.as_ref().and_then(Value::as_str).map(shown).unwrap_or_default())
}

/// The start of a payload, with what cannot be seen as the picture of it.
fn shown(payload: &str) -> String {
    let picture = |letter: char| match letter {
        '\n' | '\t' => letter,
        '\0'..='\x1f' => char::from_u32(0x2400 + letter as u32).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        _ if letter.is_control() => '\u{fffd}',
        _ => letter,
    };
    cut(payload, PAYLOAD).chars().map(picture).collect()
}

#[cfg(test)]
mod tests;
