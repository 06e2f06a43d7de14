//! ExportLogsServiceRequest from protobuf.

use std::borrow::Cow;

use super::Malformed;
use super::batch::Collector;
use super::reading::Reading;
use super::traces::{find, id, resource, scope};
use super::value::{any_value, kept_key_value};
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
    let resource = resource(find(message, 1)?, &mut into.reading)?;
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        if number != 2 {
            continue;
        }
        let scope_logs = field.bytes()?;
        let (scope_name, scope) = scope(find(scope_logs, 1)?, &into.reading.limits)?;
        let origin = Origin { resource_index: index, resource: &resource, scope_name, scope: &scope };
        let mut records = Cursor::new(scope_logs);
        while let Some((number, field)) = records.field()? {
            if number == 2 {
                let log = read_log(field.bytes()?, &mut into.reading)?;
                into.offer_log(&origin, log);
            }
        }
    }
    Ok(())
}

fn read_log<'a>(message: &'a [u8], reading: &mut Reading) -> Result<Log<'a>, Malformed> {
    let mut log = Log::default();
    let mut observed = 0;
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => log.time = nanos(field.fixed()?),
            2 => log.severity = u8::try_from(field.integer()?).unwrap_or(0),
            3 => log.severity_text = Cow::Borrowed(field.text()?),
            5 => log.body = any_value(field.bytes()?, &reading.limits)?,
            6 => kept_key_value(field.bytes()?, &mut log.attributes, reading)?,
            9 => log.trace_id = id(field.bytes()?),
            10 => log.span_id = id(field.bytes()?),
            11 => observed = nanos(field.fixed()?),
            12 => log.event_name = Cow::Borrowed(field.text()?),
            _ => {}
        }
    }
    if log.time == 0 {
        log.time = observed;
    }
    Ok(log)
}
