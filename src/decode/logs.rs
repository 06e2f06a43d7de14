//! ExportLogsServiceRequest from protobuf.

use super::Malformed;
use super::batch::Collector;
use super::reading::Reading;
use super::traces::{id, resource, scope};
use super::value::{AnyValue, kept_key_value};
use super::wire::{Cursor, nanos};
use crate::signals::telemetry::{Log, Origin};

/// Gives every log record of a request to the collector.
pub fn decode(body: &[u8], into: &mut Collector) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(body);
    let mut index = 0;
    while let Some((number, field)) = cursor.field()? {
        if number == 1 {
            resource_logs(field.bytes()?, index, into)?;
            index += 1;
        }
    }
    Ok(())
}

fn resource_logs(message: &[u8], index: usize, into: &mut Collector) -> Result<(), Malformed> {
    let resource = resource(message, &mut into.reading)?;
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        if number != 2 {
            continue;
        }
        let scope_logs = field.bytes()?;
        let (scope_name, scope) = scope(scope_logs, &into.reading.limits)?;
        let origin =
            Origin { resource_index: index, resource: &resource, scope_name: &scope_name, scope: &scope };
        let mut records = Cursor::new(scope_logs);
        while let Some((number, field)) = records.field()? {
            if number == 2 {
                match read_log(field.bytes()?, &mut into.reading) {
                    Ok(log) => into.offer_log(&origin, log),
                    Err(problem) => into.refuse("log", "", problem),
                }
            }
        }
    }
    Ok(())
}

fn read_log<'a>(message: &'a [u8], reading: &mut Reading) -> Result<Log<'a>, Malformed> {
    let mut log = Log::default();
    let (mut observed, mut body) = (0, AnyValue::default());
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => log.time = nanos(field.fixed()?),
            2 => log.severity = u8::try_from(field.integer32()?).unwrap_or(0),
            3 => log.severity_text = field.text()?,
            5 => body.merge(field.bytes()?, &reading.limits)?,
            6 => drop(kept_key_value(field.bytes()?, &mut log.attributes, reading)?),
            9 => log.trace_id = id(field.bytes()?),
            10 => log.span_id = id(field.bytes()?),
            11 => observed = nanos(field.fixed()?),
            12 => log.event_name = field.text()?,
            _ => {}
        }
    }
    log.body = body.finish(&reading.limits);
    if log.time == 0 {
        log.time = observed;
    }
    Ok(log)
}
