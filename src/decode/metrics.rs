//! ExportMetricsServiceRequest from protobuf.

use std::borrow::Cow;

use super::batch::Collector;
use super::point::{Kind, RawPoint};
use super::traces::{resource, scope};
use super::value::key_value;
use super::wire::{Cursor, Field, nanos, zigzag};
use super::{Limits, Malformed};
use crate::signals::telemetry::{Attributes, Origin, Point, Value};

/// Buckets of one histogram point. SDKs send 160 at most.
const BUCKETS: usize = 16_384;

/// Gives one point to the collector, judged.
pub fn offer(into: &mut Collector, origin: &Origin<'_, '_>, name: &str, unit: &str, raw: &RawPoint<'_>) {
    let value = raw.value();
    let point = value.map(|value| Point {
        metric: name,
        unit,
        start: raw.start,
        time: raw.time,
        attributes: &raw.attributes,
        value,
    });
    into.offer_point(origin, name, point);
}

/// Gives every data point of a request to the collector.
pub fn decode(body: &[u8], limits: &Limits, into: &mut Collector) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(body);
    let mut index = 0;
    while let Some((number, field)) = cursor.field()? {
        if number == 1 {
            resource_metrics(field.bytes()?, index, limits, into)?;
            index += 1;
        }
    }
    Ok(())
}

fn resource_metrics(
    message: &[u8],
    index: usize,
    limits: &Limits,
    into: &mut Collector,
) -> Result<(), Malformed> {
    let resource = resource(message, &mut into.reading)?;
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        if number != 2 {
            continue;
        }
        let scope_metrics = field.bytes()?;
        let (scope_name, scope) = versioned_scope(scope_metrics, limits)?;
        let origin =
            Origin { resource_index: index, resource: &resource, scope_name: &scope_name, scope: &scope };
        let mut metrics = Cursor::new(scope_metrics);
        while let Some((number, field)) = metrics.field()? {
            if number == 2 {
                metric(field.bytes()?, &origin, limits, into)?;
            }
        }
    }
    Ok(())
}

/// A scope whose version stands among its attributes, since it is part of a stream's identity.
fn versioned_scope<'a>(of: &'a [u8], limits: &Limits) -> Result<(Cow<'a, str>, Attributes<'a>), Malformed> {
    let (name, mut attributes) = scope(of, limits)?;
    // Of a field that comes twice the last stands.
    let mut version = Cow::Borrowed("");
    let mut pieces = Cursor::new(of);
    while let Some(piece) = next_piece(&mut pieces, 1)? {
        let mut cursor = Cursor::new(piece);
        while let Some((number, field)) = cursor.field()? {
            if number == 2 {
                version = field.text()?;
            }
        }
    }
    add_version(&mut attributes, limits.redactor.text(version));
    Ok((name, attributes))
}

/// Puts a scope's version among its attributes, under the name that OpenTelemetry gives it where it has no field.
pub fn add_version<'a>(scope: &mut Attributes<'a>, version: Cow<'a, str>) {
    if !version.is_empty() {
        scope.push("otel.scope.version".into(), Value::Str(version));
    }
}

fn metric(
    message: &[u8],
    origin: &Origin<'_, '_>,
    limits: &Limits,
    into: &mut Collector,
) -> Result<(), Malformed> {
    let (mut name, mut unit) = (Cow::Borrowed(""), Cow::Borrowed(""));
    // The kind that stands last, and where it began: from there on it may come in pieces.
    let mut data: Option<(Kind, u32, Cursor<'_>)> = None;
    let mut cursor = Cursor::new(message);
    loop {
        let here = cursor;
        let Some((number, field)) = cursor.field()? else { break };
        let kind = match number {
            1 => {
                name = field.text()?;
                continue;
            }
            3 => {
                unit = field.text()?;
                continue;
            }
            5 => Kind::Gauge,
            7 => Kind::Sum,
            9 => Kind::Histogram,
            10 => Kind::ExponentialHistogram,
            11 => Kind::Summary,
            _ => continue,
        };
        field.bytes()?;
        if data.is_none_or(|(known, ..)| known != kind) {
            data = Some((kind, number, here));
        }
    }
    let Some((kind, wanted, from)) = data else { return Ok(()) };
    let (name, unit) = (limits.redactor.text(name), limits.redactor.text(unit));
    let (mut temporality, mut monotonic) = (0, false);
    let mut pieces = from;
    while let Some(piece) = next_piece(&mut pieces, wanted)? {
        let mut cursor = Cursor::new(piece);
        while let Some((number, field)) = cursor.field()? {
            match (kind, number) {
                (Kind::Gauge | Kind::Summary, _) => break,
                (_, 2) => temporality = u64::from(field.integer32()?),
                (Kind::Sum, 3) => monotonic = field.integer()? != 0,
                _ => {}
            }
        }
    }
    let mut pieces = from;
    while let Some(piece) = next_piece(&mut pieces, wanted)? {
        let mut points = Cursor::new(piece);
        while let Some((number, field)) = points.field()? {
            if number != 1 {
                continue;
            }
            let mut raw = RawPoint { kind, temporality, monotonic, ..RawPoint::default() };
            match read_point(field.bytes()?, limits, &mut raw) {
                Ok(()) => offer(into, origin, &name, &unit, &raw),
                Err(problem) => into.refuse("point of", &name, problem),
            }
        }
    }
    Ok(())
}

/// The next sub-message under a field number.
fn next_piece<'a>(cursor: &mut Cursor<'a>, wanted: u32) -> Result<Option<&'a [u8]>, Malformed> {
    while let Some((number, field)) = cursor.field()? {
        if number == wanted {
            return Ok(Some(field.bytes()?));
        }
    }
    Ok(None)
}

fn read_point<'a>(message: &'a [u8], limits: &Limits, raw: &mut RawPoint<'a>) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match (raw.kind, number) {
            (_, 2) => raw.start = nanos(field.fixed()?),
            (_, 3) => raw.time = nanos(field.fixed()?),
            (Kind::Gauge | Kind::Sum, 4) => raw.number = Some(field.double()?),
            (Kind::Gauge | Kind::Sum, 6) => raw.number = Some(field.fixed()? as i64 as f64),
            (Kind::Gauge | Kind::Sum, 7) => key_value(field.bytes()?, &mut raw.attributes, limits)?,
            (Kind::Gauge | Kind::Sum | Kind::Summary, 8) => raw.flags = u64::from(field.integer32()?),
            (Kind::Histogram, 9) => key_value(field.bytes()?, &mut raw.attributes, limits)?,
            (Kind::ExponentialHistogram, 1) => key_value(field.bytes()?, &mut raw.attributes, limits)?,
            (Kind::Summary, 7) => key_value(field.bytes()?, &mut raw.attributes, limits)?,
            (Kind::Histogram | Kind::ExponentialHistogram | Kind::Summary, 4) => raw.count = field.fixed()?,
            (Kind::Histogram | Kind::ExponentialHistogram | Kind::Summary, 5) => {
                raw.sum = Some(field.double()?)
            }
            (Kind::Histogram, 6) => packed_fixed(field, &mut raw.counts)?,
            (Kind::Histogram, 7) => packed_fixed(field, &mut raw.bounds)?,
            (Kind::Histogram | Kind::ExponentialHistogram, 10) => raw.flags = u64::from(field.integer32()?),
            (Kind::Summary, 6) => quantile(field.bytes()?, &mut raw.quantiles)?,
            (Kind::Histogram, 11) | (Kind::ExponentialHistogram, 12) => raw.min = Some(field.double()?),
            (Kind::Histogram, 12) | (Kind::ExponentialHistogram, 13) => raw.max = Some(field.double()?),
            (Kind::ExponentialHistogram, 6) => raw.scale = zigzag(field.integer32()?),
            (Kind::ExponentialHistogram, 7) => raw.zero_count = field.fixed()?,
            (Kind::ExponentialHistogram, 8) => buckets(field.bytes()?, &mut raw.offset, &mut raw.counts)?,
            (Kind::ExponentialHistogram, 9) => {
                let mut counts = Vec::new();
                buckets(field.bytes()?, &mut 0, &mut counts)?;
                raw.negative = counts.into_iter().fold(raw.negative, u64::saturating_add);
            }
            (Kind::ExponentialHistogram, 14) => raw.zero_threshold = field.double()?,
            _ => {}
        }
    }
    Ok(())
}

/// Exponential buckets, which may come in pieces.
fn buckets(message: &[u8], offset: &mut i32, into: &mut Vec<u64>) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match (number, field) {
            (1, field) => *offset = zigzag(field.integer32()?),
            (2, Field::Bytes(packed)) => {
                let mut counts = Cursor::new(packed);
                while !counts.is_done() {
                    push(into, counts.varint()?)?;
                }
            }
            (2, field) => push(into, field.integer()?)?,
            _ => {}
        }
    }
    Ok(())
}

fn quantile(message: &[u8], into: &mut Vec<(f64, f64)>) -> Result<(), Malformed> {
    let (mut quantile, mut value) = (0.0, 0.0);
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => quantile = field.double()?,
            2 => value = field.double()?,
            _ => {}
        }
    }
    push(into, (quantile, value))
}

/// A repeated fixed64 or double: packed, or one by one.
fn packed_fixed<T: FromBits>(field: Field<'_>, into: &mut Vec<T>) -> Result<(), Malformed> {
    match field {
        Field::Bytes(packed) => {
            let mut values = Cursor::new(packed);
            while !values.is_done() {
                push(into, T::from_bits(values.fixed64()?))?;
            }
        }
        single => push(into, T::from_bits(single.fixed()?))?,
    }
    Ok(())
}

/// What 64 fixed bits stand for.
trait FromBits {
    fn from_bits(bits: u64) -> Self;
}

impl FromBits for u64 {
    fn from_bits(bits: u64) -> u64 {
        bits
    }
}

impl FromBits for f64 {
    fn from_bits(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
}

/// Adds a bucket's count or bound; a byte on the wire is eight in memory, so they have a limit.
pub fn push<T>(into: &mut Vec<T>, value: T) -> Result<(), Malformed> {
    if into.len() >= BUCKETS {
        return Err(Malformed(format!("a histogram has more than {BUCKETS} buckets")));
    }
    into.push(value);
    Ok(())
}
