//! Lists of spans.

use std::cmp::Reverse;
use std::collections::HashSet;

use arrow_array::RecordBatch;

use super::newest::{Listing, Matcher, unreadable_rows};
use crate::decode::columns::NO_CLASS;
use crate::signals::call::Class;
use crate::signals::telemetry::Nanos;
use crate::store::catalog::Signal;
use crate::store::hot::Rows;
use crate::store::segments::columns;
use crate::store::segments::values::{given, hex, id, ids, ints, map, maps, smalls, strings};
use crate::store::{Error, SpanQuery, SpanRecord, Store, time_text};

/// OTLP's number of the status `error`.
const STATUS_ERROR: u8 = 2;

impl Store {
    /// The newest spans that match, the one that ended last first. A span that was sent twice is shown once.
    pub async fn spans(&self, query: SpanQuery) -> Result<Vec<SpanRecord>, Error> {
        let mut spans = self.newest(query).await?;
        let mut seen = HashSet::new();
        spans.retain(|span| seen.insert((span.trace_id.clone(), span.span_id.clone())));
        Ok(spans)
    }
}

impl Listing for SpanQuery {
    const SIGNAL: Signal = Signal::Spans;
    const COLUMNS: &'static [&'static str] =
        &["start_unix_nano", "end_unix_nano", "status", "class", "environment", "integration", "endpoint"];
    type Record = SpanRecord;

    fn in_memory(&self, rows: &Rows) -> Result<Vec<RecordBatch>, Error> {
        let Rows::Spans(all) = rows else { return Ok(Vec::new()) };
        let mut batches = Vec::new();
        for spans in all {
            // A text that the request does not have is of none of its rows.
            let number = |wanted: &Option<String>| wanted.as_ref().map(|text| spans.texts.find(text));
            let texts = [
                (number(&self.integration), &spans.integration),
                (number(&self.environment), &spans.environment),
                (number(&self.endpoint), &spans.endpoint),
            ];
            if texts.iter().any(|(wanted, _)| *wanted == Some(None)) {
                continue;
            }
            let is_wanted = |row: &usize| {
                let at = |column: &[u8]| column.get(*row).copied().unwrap_or(NO_CLASS);
                let times = spans.start.get(*row).zip(spans.end.get(*row));
                times.is_some_and(|(start, end)| {
                    (self.from..self.to).contains(end)
                        && self.min_ms.is_none_or(|least| milliseconds(*start, *end) >= least)
                }) && self.failed.is_none_or(|wanted| wanted == failed(at(&spans.class), at(&spans.status)))
                    && texts.iter().all(|(wanted, column)| {
                        wanted.is_none_or(|wanted| wanted == column.get(*row).copied())
                    })
            };
            let mut picked: Vec<usize> = (0..spans.len()).filter(is_wanted).collect();
            // More of one request than the whole list has would be made for nothing.
            picked.sort_unstable_by_key(|row| Reverse(spans.end.get(*row).copied()));
            picked.truncate(self.limit);
            picked.sort_unstable();
            if !picked.is_empty() {
                batches.push(columns::spans(spans, &picked).map_err(unreadable_rows)?);
            }
        }
        Ok(batches)
    }

    fn matcher<'a>(&'a self, batch: &'a RecordBatch) -> Result<Matcher<'a>, Error> {
        let (starts, ends) = (ints(batch, "start_unix_nano")?, ints(batch, "end_unix_nano")?);
        let (statuses, classes) = (smalls(batch, "status")?, smalls(batch, "class")?);
        let environments = strings(batch, "environment")?;
        let integrations = strings(batch, "integration")?;
        let endpoints = strings(batch, "endpoint")?;
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        Ok(Box::new(move |row| {
            let (start, end) = (starts.value(row), ends.value(row));
            let ms = milliseconds(start, end);
            let matches = (self.from..self.to).contains(&end)
                && self.min_ms.is_none_or(|least| ms >= least)
                && self.failed.is_none_or(|wanted| wanted == failed(classes.value(row), statuses.value(row)))
                && is(&self.integration, integrations.value(row))
                && is(&self.environment, environments.value(row))
                && is(&self.endpoint, endpoints.value(row));
            matches.then_some(end)
        }))
    }

    fn records(batch: &RecordBatch) -> Result<Vec<SpanRecord>, Error> {
        records(batch)
    }

    fn span(&self) -> (Nanos, Nanos) {
        (self.from, self.to)
    }

    fn scope(&self) -> (Option<&str>, Option<&str>) {
        (self.environment.as_deref(), self.integration.as_deref())
    }

    fn limit(&self) -> usize {
        self.limit
    }
}

/// A call of a bad class, or a span that is no call and says error.
fn failed(class: u8, status: u8) -> bool {
    match class_of(class) {
        Some(class) => class.is_bad(),
        None => status == STATUS_ERROR,
    }
}

fn class_of(number: u8) -> Option<Class> {
    if number == NO_CLASS { None } else { Class::ALL.get(usize::from(number)).copied() }
}

/// All rows of a batch of spans.
pub(in crate::store) fn records(batch: &RecordBatch) -> Result<Vec<SpanRecord>, Error> {
    let trace_ids = ids(batch, "trace_id")?;
    let span_ids = ids(batch, "span_id")?;
    let parents = ids(batch, "parent_span_id")?;
    let (starts, ends) = (ints(batch, "start_unix_nano")?, ints(batch, "end_unix_nano")?);
    let (kinds, statuses) = (smalls(batch, "kind")?, smalls(batch, "status")?);
    let classes = smalls(batch, "class")?;
    let (messages, names) = (strings(batch, "status_message")?, strings(batch, "name")?);
    let environments = strings(batch, "environment")?;
    let integrations = strings(batch, "integration")?;
    let (peers, endpoints) = (strings(batch, "peer")?, strings(batch, "endpoint")?);
    let scopes = strings(batch, "scope")?;
    let (attributes, resources) = (maps(batch, "attributes")?, maps(batch, "resource")?);
    let (events, links) = (strings(batch, "events")?, strings(batch, "links")?);
    let record = |row| SpanRecord {
        trace_id: hex(trace_ids.value(row)),
        span_id: hex(span_ids.value(row)),
        parent_span_id: id(parents.value(row)),
        name: names.value(row).to_owned(),
        kind: kind(kinds.value(row)),
        start: starts.value(row),
        end: ends.value(row),
        duration_ms: milliseconds(starts.value(row), ends.value(row)),
        status: status(statuses.value(row)),
        status_message: messages.value(row).to_owned(),
        class: class_of(classes.value(row)),
        environment: environments.value(row).to_owned(),
        integration: integrations.value(row).to_owned(),
        peer: given(peers.value(row)),
        endpoint: given(endpoints.value(row)),
        scope: scopes.value(row).to_owned(),
        attributes: map(attributes, row),
        resource: map(resources, row),
        events: with_times(array(events.value(row))),
        links: array(links.value(row)),
    };
    Ok((0..batch.num_rows()).map(record).collect())
}

fn milliseconds(start: Nanos, end: Nanos) -> f64 {
    end.saturating_sub(start) as f64 / 1e6
}

/// Gives the events' times as the API writes times.
fn with_times(mut events: serde_json::Value) -> serde_json::Value {
    for event in events.as_array_mut().into_iter().flatten() {
        if let Some(time) = event.get_mut("time")
            && let Some(nanos) = time.as_i64()
        {
            *time = time_text(nanos).into();
        }
    }
    events
}

const fn kind(number: u8) -> &'static str {
    match number {
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "unspecified",
    }
}

const fn status(number: u8) -> &'static str {
    match number {
        1 => "ok",
        STATUS_ERROR => "error",
        _ => "unset",
    }
}

/// A JSON array; empty text is an empty one.
fn array(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::Array(Vec::new()))
}
