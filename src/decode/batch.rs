//! Takes the records of one request from either decoder: observed, kept as columns, or rejected and counted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use xxhash_rust::xxh3::Xxh3;

use super::columns::{LogColumns, Maps, NO_CLASS, SpanColumns, Strings};
use super::value::cut_text;
use super::{Batch, Decoded, Rejected, name, redact};
use crate::signals::observe::{Observer, Rules};
use crate::signals::telemetry::{
    Attributes, Log, Nanos, Origin, Point, Refusal, Sink, Span, SpanEvent, SpanLink, Value,
};

/// Longest message of a partial success, in bytes.
const MESSAGE: usize = 1024;
/// Bytes that the kept rows of one request may take: each repeats its resource, so a small body could grow large.
const ROWS: usize = 128 << 20;
/// Longest name of a span, an event or a scope, in bytes.
const NAME: usize = 1024;
/// Longest body or status message, in bytes.
const TEXT: usize = 64 << 10;
/// Different reasons that are told apart in one request.
const REASONS: usize = 16;

/// Collects one request.
#[derive(Debug)]
pub struct Collector {
    observer: Observer,
    received_at: Nanos,
    spans: SpanColumns,
    logs: LogColumns,
    records: u64,
    rejected: u64,
    reasons: BTreeMap<String, u64>,
    timed: bool,
}

impl Collector {
    /// A collector for one request that arrived at `received_at`.
    pub fn new(rules: Arc<Rules>, received_at: Nanos) -> Collector {
        Collector {
            observer: Observer::new(rules, received_at),
            received_at,
            spans: SpanColumns::default(),
            logs: LogColumns::default(),
            records: 0,
            rejected: 0,
            reasons: BTreeMap::new(),
            timed: false,
        }
    }

    /// Takes a span, or counts it as rejected.
    pub fn offer_span(&mut self, origin: &Origin<'_, '_>, span: &mut Span<'_>) {
        span.name = name::clean(redact::text(cut_text(std::mem::take(&mut span.name), NAME)));
        span.status_message = redact::text(cut_text(std::mem::take(&mut span.status_message), TEXT));
        span.trace_state = cut_text(std::mem::take(&mut span.trace_state), NAME);
        let taken = self.span(origin, span);
        self.count(taken, || format!("span \"{}\"", span.name));
    }

    /// Takes a data point that was judged, or counts it as rejected.
    pub fn offer_point(
        &mut self,
        origin: &Origin<'_, '_>,
        name: &str,
        point: Result<Point<'_, '_>, Refusal>,
    ) {
        let taken = point.and_then(|point| self.point(origin, &point));
        self.count(taken, || format!("point of \"{name}\""));
    }

    /// Takes a log record, or counts it as rejected.
    pub fn offer_log(&mut self, origin: &Origin<'_, '_>, mut log: Log<'_>) {
        log.body = match log.body {
            Value::Str(text) => Value::Str(redact::text(cut_text(text, TEXT))),
            other => other,
        };
        log.event_name = cut_text(log.event_name, NAME);
        log.severity_text = cut_text(log.severity_text, NAME);
        let taken = self.log(origin, &log);
        self.count(taken, || format!("log \"{}\"", log.event_name));
    }

    fn check_room(&self) -> Result<(), Refusal> {
        let of = |maps: &Maps| maps.keys.bytes.len() + maps.values.bytes.len();
        let texts = |texts: &[&Strings]| texts.iter().map(|texts| texts.bytes.len()).sum::<usize>();
        let (s, l) = (&self.spans, &self.logs);
        let spans = of(&s.attributes)
            + of(&s.resource)
            + texts(&[&s.events, &s.links, &s.scope, &s.name, &s.status_message, &s.endpoint]);
        let logs = of(&l.attributes) + of(&l.resource) + texts(&[&l.body, &l.scope, &l.event_name]);
        if spans + logs > ROWS {
            return Err(Refusal::Borrowed(
                "the request's records take more than 128 MiB with their resources",
            ));
        }
        Ok(())
    }

    fn count(&mut self, taken: Result<(), Refusal>, what: impl Fn() -> String) {
        let Err(reason) = taken else {
            self.records += 1;
            return;
        };
        self.rejected += 1;
        let what = cut_text(Cow::Owned(what()), 120);
        let reason = format!("{what}: {reason}");
        if self.reasons.len() < REASONS || self.reasons.contains_key(&reason) {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    /// All that the request came to. The claim is the hash of path and body.
    pub fn finish(self, path: &str, body: &[u8]) -> Decoded {
        let mut hasher = Xxh3::new();
        hasher.update(path.as_bytes());
        hasher.update(body);
        let message: Vec<String> =
            self.reasons.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
        let batch = Batch {
            received_at: self.received_at,
            hash: self.timed.then(|| hasher.digest128()),
            observations: self.observer.finish(),
            spans: self.spans,
            logs: self.logs,
            records: self.records,
            bytes: body.len() as u64,
        };
        let message = cut_text(Cow::Owned(message.join("; ")), MESSAGE).into_owned();
        Decoded { batch, rejected: Rejected { count: self.rejected, message } }
    }
}

impl Sink for Collector {
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
        let columns = &mut self.spans;
        columns.environment.push(&meaning.integration.environment);
        columns.integration.push(&meaning.integration.name);
        let (peer, endpoint, class) = match meaning.call {
            Some((key, class)) => (&*key.peer, &*key.endpoint, class as u8),
            None => ("", "", NO_CLASS),
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
        columns.status_message.push(&span.status_message);
        columns.name.push(&span.name);
        columns.scope.push(&cut_text(Cow::Borrowed(origin.scope_name), NAME));
        columns.attributes.push(texts(&span.attributes));
        columns.resource.push(texts(origin.resource));
        columns.events.push(&events(&span.events));
        columns.links.push(&links(&span.links));
        Ok(())
    }

    fn point(&mut self, origin: &Origin<'_, '_>, point: &Point<'_, '_>) -> Result<(), Refusal> {
        self.timed = true;
        self.observer.point(origin, point)
    }

    fn log(&mut self, origin: &Origin<'_, '_>, log: &Log<'_>) -> Result<(), Refusal> {
        self.timed |= log.time != 0 || log.span_id != [0; 8];
        self.check_room()?;
        let integration = self.observer.log(origin, log)?;
        let columns = &mut self.logs;
        columns.environment.push(&integration.environment);
        columns.integration.push(&integration.name);
        columns.time.push(if log.time == 0 { self.received_at } else { log.time });
        columns.received.push(self.received_at);
        columns.trace_id.push(log.trace_id);
        columns.span_id.push(log.span_id);
        columns.severity.push(log.severity);
        columns.severity_text.push(&log.severity_text);
        columns.event_name.push(&log.event_name);
        columns.body.push(&log.body.text());
        columns.scope.push(&cut_text(Cow::Borrowed(origin.scope_name), NAME));
        columns.attributes.push(texts(&log.attributes));
        columns.resource.push(texts(origin.resource));
        Ok(())
    }
}

fn texts<'a>(attributes: &'a Attributes<'_>) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
    attributes.iter().map(|(key, value)| (key, value.text()))
}

fn object(attributes: &Attributes<'_>) -> serde_json::Value {
    attributes
        .iter()
        .map(|(key, value)| (key.to_owned(), value.text().into_owned().into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn events(events: &[SpanEvent<'_>]) -> String {
    if events.is_empty() {
        return String::new();
    }
    let one = |event: &SpanEvent<'_>| json!({"time": event.time, "name": redact::text(event.name.clone()), "attributes": object(&event.attributes)});
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
