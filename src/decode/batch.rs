//! Takes the records of one request from either decoder: observed, kept as columns, or rejected and counted.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use rapidhash::fast::RandomState;
use serde_json::json;
use xxhash_rust::xxh3::Xxh3;

use super::columns::{LogColumns, Maps, NO_CLASS, SpanColumns};
use super::reading::Reading;
use super::redact::{Redactor, Secrecy};
use super::texts::{NONE, Texts};
use super::value::cut_text;
use super::{Batch, Decoded, Limits, Malformed, Rejected, name};
use crate::signals::observe::{OUTSIDE, Observer, Rules};
use crate::signals::scope::Scope;
use crate::signals::telemetry::{
    Attributes, Log, Nanos, Origin, Point, Refusal, Span, SpanEvent, SpanLink, Value,
};

/// Longest message of a partial success, in bytes.
const MESSAGE: usize = 1024;
/// Bytes that the texts of one request may take, and as many for all else: each row repeats its resource, and a span
/// of thirty bytes is a row of ten times as many.
const ROWS: usize = 128 << 20;
/// Bytes of a row besides its texts.
const ROW: usize = 160;
/// Bytes of a usual span on the wire.
const USUAL: usize = 512;
/// Longest name of a span, an event or a scope, in bytes.
const NAME: usize = 1024;
/// Longest body or status message, in bytes.
const TEXT: usize = 64 << 10;
/// Different reasons that are told apart in one request.
const REASONS: usize = 16;
/// Bytes of a record's name that a reason shows.
const SHOWN: usize = 100;

/// Collects one request.
#[derive(Debug)]
pub struct Collector {
    /// What reading the request remembers.
    pub reading: Reading,
    observer: Observer,
    received_at: Nanos,
    spans: SpanColumns,
    logs: LogColumns,
    /// (resource of the request, its place in the columns' resources) of the record before.
    resource: (usize, u32),
    /// By series: the numbers of (peer, endpoint).
    series: Vec<(u32, u32)>,
    last: Last,
    records: u64,
    rejected: u64,
    /// Of these, records that the sender may not speak for, and what it may.
    outside: u64,
    scope: Option<Arc<Scope>>,
    reasons: Vec<Reason>,
    /// Records among the rejected whose own bytes cannot be read, and what is wrong with the first of them.
    malformed: u64,
    problem: Option<Malformed>,
    warning: Option<String>,
    /// Keyed hashes of the spans that have come: of 64 bits, with a key that senders do not know, two are alike by
    /// chance once in 10^14 requests of 500.
    ids: HashSet<u64, RandomState>,
    timed: bool,
}

/// Numbers of the texts of the record before: the next one's are mostly the same.
#[derive(Debug, Default)]
struct Last {
    name: u32,
    message: u32,
    environment: u32,
    integration: u32,
    scope: u32,
}

/// Why records were rejected.
#[derive(Debug)]
struct Reason {
    kind: &'static str,
    name: String,
    why: Refusal,
    count: u64,
}

impl Collector {
    /// A collector for one request that arrived at `received_at`.
    pub fn new(rules: Arc<Rules>, received_at: Nanos, limits: Limits) -> Collector {
        Collector {
            reading: Reading::new(limits),
            resource: (usize::MAX, 0),
            series: Vec::new(),
            last: Last::default(),
            scope: rules.scope.clone(),
            observer: Observer::new(rules, received_at),
            received_at,
            spans: SpanColumns::default(),
            logs: LogColumns::default(),
            records: 0,
            rejected: 0,
            outside: 0,
            reasons: Vec::new(),
            malformed: 0,
            problem: None,
            warning: None,
            ids: HashSet::default(),
            timed: false,
        }
    }

    /// Makes room for the spans of a body of so many bytes: one that is short of it grows, as ever.
    pub fn expect_spans(&mut self, body: usize) {
        let spans = (body / USUAL).min(4096);
        self.spans.reserve(spans);
        self.ids.reserve(spans);
        self.reading.texts.expect(body.min(4096 * USUAL));
    }

    /// Takes a span, or counts it as rejected. One that came before in this request counts once.
    pub fn offer_span(&mut self, origin: &Origin<'_, '_>, span: &mut Span<'_>) {
        if self.is_repeated(span) {
            return self.observer.notice("spans that came twice in one request");
        }
        let redactor = self.reading.limits.redactor;
        span.name = name::clean(redactor.text(cut_text(std::mem::take(&mut span.name), NAME)));
        span.status_message = redactor.text(cut_text(std::mem::take(&mut span.status_message), TEXT));
        span.trace_state = cut_text(std::mem::take(&mut span.trace_state), NAME);
        let taken = self.span(origin, span);
        self.count("span", &span.name, taken);
    }

    /// Takes a data point that was judged, or counts it as rejected.
    pub fn offer_point(
        &mut self,
        origin: &Origin<'_, '_>,
        name: &str,
        point: Result<Point<'_, '_>, Refusal>,
    ) {
        let taken = point.and_then(|point| self.point(origin, &point));
        self.count("point of", name, taken);
    }

    /// Takes a log record, or counts it as rejected.
    pub fn offer_log(&mut self, origin: &Origin<'_, '_>, mut log: Log<'_>) {
        let redactor = self.reading.limits.redactor;
        let body = match log.body {
            Value::Str(text) => Value::Str(cut_text(text, TEXT)),
            other => other,
        };
        log.body = redactor.under(Secrecy::Open, body);
        log.event_name = redactor.text(cut_text(log.event_name, NAME));
        log.severity_text = redactor.text(cut_text(log.severity_text, NAME));
        let taken = self.log(origin, &log);
        self.count("log", &log.event_name, taken);
    }

    /// Counts a record whose own bytes cannot be read. Those around it can: its frame is whole.
    pub fn refuse(&mut self, kind: &'static str, name: &str, problem: Malformed) {
        self.malformed += 1;
        self.count(kind, name, Err(Cow::Owned(problem.0.clone())));
        self.problem.get_or_insert(problem);
    }

    /// Systems that share a span between its two ends give both the same id, so the kind is part of what repeats.
    fn is_repeated(&mut self, span: &Span<'_>) -> bool {
        let (trace, own) = (u128::from_le_bytes(span.trace_id), u64::from_le_bytes(span.span_id));
        trace != 0 && own != 0 && !self.ids.insert(self.ids.hasher().hash_one((trace, own, span.kind as u8)))
    }

    /// Tells the sender of something that is no record and seems to be a mistake.
    pub fn warn(&mut self, sentence: String) {
        self.warning = Some(sentence);
    }

    fn check_room(&self) -> Result<(), Refusal> {
        let (spans, logs) = (&self.spans, &self.logs);
        let entries = spans.attributes.entries.len() + logs.attributes.entries.len();
        let rows = ROW * (spans.len() + logs.len()) + 8 * entries + self.reading.texts.bytes();
        if rows + self.observer.bytes() > ROWS {
            return Err(Refusal::Borrowed("the request's records take more than 128 MiB"));
        }
        Ok(())
    }

    fn count(&mut self, kind: &'static str, name: &str, taken: Result<(), Refusal>) {
        let Err(why) = taken else {
            self.records += 1;
            return;
        };
        self.rejected += 1;
        if why == OUTSIDE {
            self.outside += 1;
            return;
        }
        // A million records of one fault cost a comparison each, not a sentence each.
        let name = cut_text(Cow::Borrowed(name), SHOWN);
        let same = |known: &&mut Reason| known.why == why && known.kind == kind && known.name == name;
        if let Some(known) = self.reasons.iter_mut().find(same) {
            known.count += 1;
        } else if self.reasons.len() < REASONS {
            self.reasons.push(Reason { kind, name: name.into_owned(), why, count: 1 });
        }
    }

    /// All that the request came to. The claim is the hash of path and body, and of those among its integrations that
    /// the sender may not speak for: who may send less of a body does not claim it for who may send more.
    ///
    /// # Errors
    /// Nothing could be read: then the sender is told so by the status, as for a body that is no message at all.
    pub fn finish(mut self, path: &str, body: &[u8]) -> Result<Decoded, Malformed> {
        if let Some(problem) = self.problem.take_if(|_| self.records == 0 && self.rejected == self.malformed)
        {
            return Err(problem);
        }
        let mut hasher = Xxh3::new();
        hasher.update(path.as_bytes());
        hasher.update(body);
        let mut denied = self.observer.denied().to_vec();
        denied.sort();
        for key in &denied {
            for name in [&key.environment, &key.name] {
                hasher.update(&(name.len() as u64).to_le_bytes());
                hasher.update(name.as_bytes());
            }
        }
        self.observer.notices("attributes longer than 64 KiB, cut", self.reading.cut);
        self.observer.notices("attributes past the limit of a record, left out", self.reading.left_out);
        let outside =
            self.scope.filter(|_| self.outside > 0).map(|scope| scope.refusal(self.outside, &denied));
        let (mut spans, mut logs, mut texts) = (self.spans, self.logs, self.reading.texts);
        texts.seal();
        // A request has spans or logs, never both.
        if logs.is_empty() {
            spans.texts = texts;
        } else {
            logs.texts = texts;
        }
        let said = |Reason { kind, name, why, count }: &Reason| format!("{count} × {kind} \"{name}\": {why}");
        let message: Vec<String> =
            outside.into_iter().chain(self.reasons.iter().map(said)).chain(self.warning).collect();
        let batch = Batch {
            received_at: self.received_at,
            hash: self.timed.then(|| hasher.digest128()),
            observations: self.observer.finish(),
            spans,
            logs,
            records: self.records,
            bytes: body.len() as u64,
        };
        let message = cut_text(Cow::Owned(message.join("; ")), MESSAGE).into_owned();
        Ok(Decoded { batch, rejected: Rejected { count: self.rejected, outside: self.outside, message } })
    }
}

impl Collector {
    fn span(&mut self, origin: &Origin<'_, '_>, span: &Span<'_>) -> Result<(), Refusal> {
        self.timed = true;
        if span.trace_id == [0; 16] {
            return Err(Refusal::Borrowed("its trace id is not 16 bytes, or all zero"));
        }
        if span.span_id == [0; 8] {
            return Err(Refusal::Borrowed("its span id is not 8 bytes, or all zero"));
        }
        self.check_room()?;
        let meaning = self.observer.span(origin, span)?;
        let (columns, texts, last) = (&mut self.spans, &mut self.reading.texts, &mut self.last);
        columns.environment.push(texts.again(&mut last.environment, &meaning.integration.environment));
        columns.integration.push(texts.again(&mut last.integration, &meaning.integration.name));
        let (peer, endpoint, class) = match meaning.call {
            Some((series, key, class)) => {
                let at = series as usize;
                if self.series.len() <= at {
                    self.series.resize(at + 1, (NONE, NONE));
                }
                if self.series[at].0 == NONE {
                    self.series[at] = (texts.add(&key.peer), texts.add(&key.endpoint));
                }
                (self.series[at].0, self.series[at].1, class as u8)
            }
            None => (0, 0, NO_CLASS),
        };
        columns.peer.push(peer);
        columns.endpoint.push(endpoint);
        columns.class.push(class);
        columns.trace_id.push(span.trace_id);
        columns.span_id.push(span.span_id);
        columns.parent_span_id.push(span.parent_span_id);
        columns.start.push(span.start);
        columns.end.push(span.end);
        columns.received.push(self.received_at);
        columns.kind.push(span.kind as u8);
        columns.status.push(span.status as u8);
        columns.status_message.push(texts.again(&mut last.message, &span.status_message));
        columns.name.push(texts.again(&mut last.name, &span.name));
        columns.scope.push(texts.again(&mut last.scope, &cut_text(Cow::Borrowed(origin.scope_name), NAME)));
        let redactor = self.reading.limits.redactor;
        columns.events.push(if span.events.is_empty() {
            0
        } else {
            texts.add(&events(&span.events, redactor))
        });
        columns.links.push(if span.links.is_empty() { 0 } else { texts.add(&links(&span.links)) });
        keep(&mut columns.attributes, texts, &span.attributes);
        if self.resource.0 != origin.resource_index {
            self.resource = (origin.resource_index, columns.resources.len() as u32);
            keep(&mut columns.resources, texts, origin.resource);
        }
        columns.resource.push(self.resource.1);
        Ok(())
    }

    fn point(&mut self, origin: &Origin<'_, '_>, point: &Point<'_, '_>) -> Result<(), Refusal> {
        self.timed = true;
        self.check_room()?;
        self.observer.point(origin, point)
    }

    fn log(&mut self, origin: &Origin<'_, '_>, log: &Log<'_>) -> Result<(), Refusal> {
        self.timed |= log.time != 0 || log.span_id != [0; 8];
        self.check_room()?;
        let integration = self.observer.log(origin, log)?;
        let (columns, texts, last) = (&mut self.logs, &mut self.reading.texts, &mut self.last);
        columns.environment.push(texts.again(&mut last.environment, &integration.environment));
        columns.integration.push(texts.again(&mut last.integration, &integration.name));
        columns.time.push(if log.time == 0 { self.received_at } else { log.time });
        columns.received.push(self.received_at);
        columns.trace_id.push(log.trace_id);
        columns.span_id.push(log.span_id);
        columns.severity.push(log.severity);
        columns.severity_text.push(texts.again(&mut last.message, &log.severity_text));
        columns.event_name.push(texts.again(&mut last.name, &log.event_name));
        columns.body.push(texts.add(&log.body.text()));
        columns.scope.push(texts.again(&mut last.scope, &cut_text(Cow::Borrowed(origin.scope_name), NAME)));
        keep(&mut columns.attributes, texts, &log.attributes);
        if self.resource.0 != origin.resource_index {
            self.resource = (origin.resource_index, columns.resources.len() as u32);
            keep(&mut columns.resources, texts, origin.resource);
        }
        columns.resource.push(self.resource.1);
        Ok(())
    }
}

/// Adds a map of attributes, by the numbers that the reader gave or by adding their texts.
fn keep(into: &mut Maps, texts: &mut Texts, attributes: &Attributes<'_>) {
    match attributes.numbers() {
        Some(numbers) => into.push(numbers.iter().copied()),
        None => {
            let entry = |(key, value): (&str, &crate::signals::telemetry::Value<'_>)| {
                (texts.add(key), texts.add(&value.text()))
            };
            let entries: Vec<(u32, u32)> = attributes.iter().map(entry).collect();
            into.push(entries.into_iter());
        }
    }
}

fn object(attributes: &Attributes<'_>) -> serde_json::Value {
    attributes
        .iter()
        .map(|(key, value)| (key.to_owned(), value.text().into_owned().into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn events(events: &[SpanEvent<'_>], redactor: &Redactor) -> String {
    if events.is_empty() {
        return String::new();
    }
    let one = |event: &SpanEvent<'_>| json!({"time": event.time, "name": redactor.text(event.name.clone()), "attributes": object(&event.attributes)});
    serde_json::Value::Array(events.iter().map(one).collect()).to_string()
}

fn links(links: &[SpanLink<'_>]) -> String {
    if links.is_empty() {
        return String::new();
    }
    let one = |link: &SpanLink<'_>| json!({"trace_id": hex(&link.trace_id), "span_id": hex(&link.span_id), "attributes": object(&link.attributes)});
    serde_json::Value::Array(links.iter().map(one).collect()).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
