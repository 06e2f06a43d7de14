//! ExportTraceServiceRequest from protobuf.

use std::borrow::Cow;

use super::batch::Collector;
use super::reading::Reading;
use super::value::{kept_key_value, key_value};
use super::wire::{Cursor, Field, nanos};
use super::{Limits, Malformed};
use crate::signals::telemetry::{Attributes, Origin, Span, SpanEvent, SpanKind, SpanLink, Status};

/// Gives every span of a request to the collector.
pub fn decode(body: &[u8], into: &mut Collector) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(body);
    let mut index = 0;
    let mut span = Span::default();
    while let Some((number, field)) = cursor.field()? {
        if number == 1 {
            resource_spans(field.bytes()?, index, &mut span, into)?;
            index += 1;
        }
    }
    Ok(())
}

/// Reads the attributes of a Resource.
pub fn resource<'a>(message: &'a [u8], reading: &mut Reading) -> Result<Attributes<'a>, Malformed> {
    let mut attributes = Attributes::default();
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        if number == 1 {
            kept_key_value(field.bytes()?, &mut attributes, reading)?;
        }
    }
    Ok(attributes)
}

/// Reads the name and the attributes of an InstrumentationScope.
pub fn scope<'a>(message: &'a [u8], limits: &Limits) -> Result<(&'a str, Attributes<'a>), Malformed> {
    let (mut name, mut attributes) = ("", Attributes::default());
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => name = field.text()?,
            3 => key_value(field.bytes()?, &mut attributes, limits)?,
            _ => {}
        }
    }
    Ok((name, attributes))
}

/// The single sub-message under a field number: protobuf lets it stand anywhere, also behind what it belongs to.
pub fn find(message: &[u8], wanted: u32) -> Result<&[u8], Malformed> {
    let mut cursor = Cursor::new(message);
    let mut found: &[u8] = &[];
    while let Some((number, field)) = cursor.field()? {
        if number == wanted {
            found = field.bytes()?;
        }
    }
    Ok(found)
}

fn resource_spans<'a>(
    message: &'a [u8],
    index: usize,
    span: &mut Span<'a>,
    into: &mut Collector,
) -> Result<(), Malformed> {
    let resource = resource(find(message, 1)?, &mut into.reading)?;
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        if number != 2 {
            continue;
        }
        let scope_spans = field.bytes()?;
        let (scope_name, scope) = scope(find(scope_spans, 1)?, &into.reading.limits)?;
        let origin = Origin { resource_index: index, resource: &resource, scope_name, scope: &scope };
        let mut spans = Cursor::new(scope_spans);
        while let Some((number, field)) = spans.field()? {
            if number == 2 {
                read_span(field.bytes()?, &mut into.reading, span)?;
                into.offer_span(&origin, span);
            }
        }
    }
    Ok(())
}

fn read_span<'a>(message: &'a [u8], reading: &mut Reading, span: &mut Span<'a>) -> Result<(), Malformed> {
    clear(span);
    let limits = reading.limits;
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => span.trace_id = id(field.bytes()?),
            2 => span.span_id = id(field.bytes()?),
            3 => span.trace_state = Cow::Borrowed(field.text()?),
            4 => span.parent_span_id = id(field.bytes()?),
            5 => span.name = Cow::Borrowed(field.text()?),
            6 => span.kind = kind(field.integer()?),
            7 => span.start = nanos(field.fixed()?),
            8 => span.end = nanos(field.fixed()?),
            9 => kept_key_value(field.bytes()?, &mut span.attributes, reading)?,
            11 if span.events.len() < limits.children => span.events.push(event(field.bytes()?, &limits)?),
            13 if span.links.len() < limits.children => span.links.push(link(field.bytes()?, &limits)?),
            15 => (span.status, span.status_message) = status(field)?,
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

fn status<'a>(field: Field<'a>) -> Result<(Status, Cow<'a, str>), Malformed> {
    let (mut code, mut message) = (Status::Unset, "");
    let mut cursor = Cursor::new(field.bytes()?);
    while let Some((number, field)) = cursor.field()? {
        match number {
            2 => message = field.text()?,
            3 => code = status_code(field.integer()?),
            _ => {}
        }
    }
    Ok((code, Cow::Borrowed(message)))
}

fn event<'a>(message: &'a [u8], limits: &Limits) -> Result<SpanEvent<'a>, Malformed> {
    let mut event = SpanEvent::default();
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => event.time = nanos(field.fixed()?),
            2 => event.name = Cow::Borrowed(field.text()?),
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
pub fn kind(number: u64) -> SpanKind {
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
pub fn status_code(number: u64) -> Status {
    match number {
        1 => Status::Ok,
        2 => Status::Error,
        _ => Status::Unset,
    }
}
