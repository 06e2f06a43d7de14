//! ExportTraceServiceRequest from protobuf.

use std::borrow::Cow;

use super::batch::Collector;
use super::reading::Reading;
use super::repeats::Repeats;
use super::value::{kept_key_value, key_value};
use super::wire::{Cursor, nanos};
use super::{Limits, Malformed};
use crate::signals::telemetry::{Attributes, Origin, Span, SpanEvent, SpanKind, SpanLink, Status};

/// Gives every span of a request to the collector.
pub fn decode(body: &[u8], into: &mut Collector) -> Result<(), Malformed> {
    into.expect_spans(body.len());
    let mut cursor = Cursor::new(body);
    let mut index = 0;
    let (mut span, mut repeats) = (Span::default(), Repeats::default());
    while let Some((number, field)) = cursor.field()? {
        if number == 1 {
            resource_spans(field.bytes()?, index, &mut span, &mut repeats, into)?;
            index += 1;
        }
    }
    Ok(())
}

/// Reads the attributes of the Resource of a ResourceSpans, ResourceMetrics or ResourceLogs. Protobuf lets it stand
/// anywhere, also behind what it belongs to, and in pieces.
pub fn resource<'a>(of: &'a [u8], reading: &mut Reading) -> Result<Attributes<'a>, Malformed> {
    let mut attributes = Attributes::default();
    let mut pieces = Cursor::new(of);
    while let Some((number, field)) = pieces.field()? {
        if number != 1 {
            continue;
        }
        let mut cursor = Cursor::new(field.bytes()?);
        while let Some((number, field)) = cursor.field()? {
            if number == 1 {
                kept_key_value(field.bytes()?, &mut attributes, reading)?;
            }
        }
    }
    Ok(attributes)
}

/// Reads the name and the attributes of the InstrumentationScope of a ScopeSpans, ScopeMetrics or ScopeLogs.
pub fn scope<'a>(of: &'a [u8], limits: &Limits) -> Result<(Cow<'a, str>, Attributes<'a>), Malformed> {
    let (mut name, mut attributes) = (Cow::Borrowed(""), Attributes::default());
    let mut pieces = Cursor::new(of);
    while let Some((number, field)) = pieces.field()? {
        if number != 1 {
            continue;
        }
        let mut cursor = Cursor::new(field.bytes()?);
        while let Some((number, field)) = cursor.field()? {
            match number {
                1 => name = field.text()?,
                3 => key_value(field.bytes()?, &mut attributes, limits)?,
                _ => {}
            }
        }
    }
    Ok((limits.redactor.text(name), attributes))
}

fn resource_spans<'a>(
    message: &'a [u8],
    index: usize,
    span: &mut Span<'a>,
    repeats: &mut Repeats<'a>,
    into: &mut Collector,
) -> Result<(), Malformed> {
    let resource = resource(message, &mut into.reading)?;
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        if number != 2 {
            continue;
        }
        let scope_spans = field.bytes()?;
        let (scope_name, scope) = scope(scope_spans, &into.reading.limits)?;
        let origin =
            Origin { resource_index: index, resource: &resource, scope_name: &scope_name, scope: &scope };
        let mut spans = Cursor::new(scope_spans);
        while let Some((number, field)) = spans.field()? {
            if number == 2 {
                match read_span(field.bytes()?, &mut into.reading, repeats, span) {
                    Ok(()) => into.offer_span(&origin, span),
                    Err(problem) => into.refuse("span", &span.name, problem),
                }
            }
        }
    }
    Ok(())
}

fn read_span<'a>(
    message: &'a [u8],
    reading: &mut Reading,
    repeats: &mut Repeats<'a>,
    span: &mut Span<'a>,
) -> Result<(), Malformed> {
    clear(span);
    let limits = reading.limits;
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => span.trace_id = id(field.bytes()?),
            2 => span.span_id = id(field.bytes()?),
            3 => span.trace_state = field.text()?,
            4 => span.parent_span_id = id(field.bytes()?),
            5 => span.name = field.text()?,
            6 => span.kind = kind(field.integer32()?),
            7 => span.start = nanos(field.fixed()?),
            8 => span.end = nanos(field.fixed()?),
            9 => repeats.key_value(field.bytes()?, &mut span.attributes, reading)?,
            11 if span.events.len() < limits.children => span.events.push(event(field.bytes()?, &limits)?),
            13 if span.links.len() < limits.children => span.links.push(link(field.bytes()?, &limits)?),
            15 => status(field.bytes()?, span)?,
            _ => {}
        }
    }
    Ok(())
}

fn clear(span: &mut Span<'_>) {
    span.trace_id = [0; 16];
    span.span_id = [0; 8];
    span.parent_span_id = [0; 8];
    span.trace_state = Cow::Borrowed("");
    span.name = Cow::Borrowed("");
    span.kind = SpanKind::Unspecified;
    (span.start, span.end) = (0, 0);
    span.status = Status::Unset;
    span.status_message = Cow::Borrowed("");
    span.attributes.clear();
    span.events.clear();
    span.links.clear();
}

fn status<'a>(message: &'a [u8], span: &mut Span<'a>) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            2 => span.status_message = field.text()?,
            3 => span.status = status_code(field.integer32()?),
            _ => {}
        }
    }
    Ok(())
}

fn event<'a>(message: &'a [u8], limits: &Limits) -> Result<SpanEvent<'a>, Malformed> {
    let mut event = SpanEvent::default();
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => event.time = nanos(field.fixed()?),
            2 => event.name = field.text()?,
            3 => key_value(field.bytes()?, &mut event.attributes, limits)?,
            _ => {}
        }
    }
    Ok(event)
}

fn link<'a>(message: &'a [u8], limits: &Limits) -> Result<SpanLink<'a>, Malformed> {
    let mut link = SpanLink::default();
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => link.trace_id = id(field.bytes()?),
            2 => link.span_id = id(field.bytes()?),
            4 => key_value(field.bytes()?, &mut link.attributes, limits)?,
            _ => {}
        }
    }
    Ok(link)
}

/// An id of N bytes; all zero, which is invalid, when it has another length.
pub fn id<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().unwrap_or([0; N])
}

/// A span kind by OTLP's number; unknown numbers are unspecified.
pub fn kind(number: u32) -> SpanKind {
    match number {
        1 => SpanKind::Internal,
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    }
}

/// A status code by OTLP's number; unknown numbers are unset.
pub fn status_code(number: u32) -> Status {
    match number {
        1 => Status::Ok,
        2 => Status::Error,
        _ => Status::Unset,
    }
}
