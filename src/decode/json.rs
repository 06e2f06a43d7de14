//! OTLP/JSON, by proto3's mapping and OTLP's exceptions: hex ids, integers as strings or numbers, enums as numbers
//! (names are read too, since senders exist), unknown fields ignored, null = absent.

use std::borrow::Cow;

use base64::Engine;
use serde_json::{Map, Value as Json};

use super::batch::Collector;
use super::metrics::{self, Kind, RawPoint};
use super::traces::{kind, status_code};
use super::value::{number_of, push};
use super::{Limits, Malformed, Signal, redact};
use crate::signals::telemetry::{Attributes, Log, Origin, Span, SpanEvent, SpanLink, Status, Value};

type Object = Map<String, Json>;

/// Gives every record of a request to the collector.
pub fn decode(signal: Signal, body: &[u8], limits: &Limits, into: &mut Collector) -> Result<(), Malformed> {
    let parsed =
        serde_json::from_slice(body).map_err(|error| Malformed(format!("the body is not JSON: {error}")))?;
    let Json::Object(request) = parsed else {
        return Err(Malformed("the body is not a JSON object".into()));
    };
    let (resources, scopes, records) = match signal {
        Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
        Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
    };
    for (index, of_resource) in objects(&request, resources)?.enumerate() {
        let of_resource = of_resource?;
        let resource = attributes_in(of_resource, "resource", limits)?;
        for of_scope in objects(of_resource, scopes)? {
            let of_scope = of_scope?;
            let mut scope = attributes_in(of_scope, "scope", limits)?;
            let named = member(of_scope, "scope").and_then(Json::as_object);
            let scope_name = named.map(|scope| text(scope, "name")).transpose()?.unwrap_or("");
            if let (Signal::Metrics, Some(named)) = (signal, named) {
                metrics::add_version(&mut scope, text(named, "version")?);
            }
            let origin = Origin { resource_index: index, resource: &resource, scope_name, scope: &scope };
            for record in objects(of_scope, records)? {
                let record = record?;
                match signal {
                    Signal::Traces => into.offer_span(&origin, &mut read_span(record, limits)?),
                    Signal::Metrics => read_metric(record, &origin, limits, into)?,
                    Signal::Logs => into.offer_log(&origin, read_log(record, limits)?),
                }
            }
        }
    }
    Ok(())
}

fn read_span<'a>(span: &'a Object, limits: &Limits) -> Result<Span<'a>, Malformed> {
    let status = object(span, "status")?;
    let events = objects(span, "events")?.take(limits.children).map(|event| {
        let event = event?;
        let attributes = attributes(event, limits)?;
        Ok(SpanEvent {
            time: nanos(event, "timeUnixNano")?,
            name: Cow::Borrowed(text(event, "name")?),
            attributes,
        })
    });
    let links = objects(span, "links")?.take(limits.children).map(|link| {
        let link = link?;
        Ok(SpanLink {
            trace_id: id(link, "traceId"),
            span_id: id(link, "spanId"),
            attributes: attributes(link, limits)?,
        })
    });
    const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    const CODES: [&str; 3] = ["UNSET", "OK", "ERROR"];
    Ok(Span {
        trace_id: id(span, "traceId"),
        span_id: id(span, "spanId"),
        parent_span_id: id(span, "parentSpanId"),
        trace_state: Cow::Borrowed(text(span, "traceState")?),
        name: Cow::Borrowed(text(span, "name")?),
        kind: kind(number_or_name(span, "kind", "SPAN_KIND_", &KINDS)?),
        start: nanos(span, "startTimeUnixNano")?,
        end: nanos(span, "endTimeUnixNano")?,
        status: match status {
            Some(status) => status_code(number_or_name(status, "code", "STATUS_CODE_", &CODES)?),
            None => Status::Unset,
        },
        status_message: Cow::Borrowed(
            status.map(|status| text(status, "message")).transpose()?.unwrap_or(""),
        ),
        attributes: attributes(span, limits)?,
        events: events.collect::<Result<_, Malformed>>()?,
        links: links.collect::<Result<_, Malformed>>()?,
    })
}

fn read_log<'a>(log: &'a Object, limits: &Limits) -> Result<Log<'a>, Malformed> {
    let time = nanos(log, "timeUnixNano")?;
    let body = member(log, "body").map(|body| any_value(body, limits)).transpose()?;
    Ok(Log {
        time: if time == 0 { nanos(log, "observedTimeUnixNano")? } else { time },
        severity: u8::try_from(number_or_name(log, "severityNumber", "", &[]).unwrap_or(0)).unwrap_or(0),
        severity_text: Cow::Borrowed(text(log, "severityText")?),
        event_name: Cow::Borrowed(text(log, "eventName")?),
        body: body.unwrap_or_default(),
        attributes: attributes(log, limits)?,
        trace_id: id(log, "traceId"),
        span_id: id(log, "spanId"),
    })
}

fn read_metric(
    metric: &Object,
    origin: &Origin<'_, '_>,
    limits: &Limits,
    into: &mut Collector,
) -> Result<(), Malformed> {
    const KINDS: [(&str, Kind); 5] = [
        ("gauge", Kind::Gauge),
        ("sum", Kind::Sum),
        ("histogram", Kind::Histogram),
        ("exponentialHistogram", Kind::ExponentialHistogram),
        ("summary", Kind::Summary),
    ];
    const TEMPORALITIES: [&str; 3] = ["UNSPECIFIED", "DELTA", "CUMULATIVE"];
    let (name, unit) = (text(metric, "name")?, text(metric, "unit")?);
    for (key, kind) in KINDS {
        let Some(data) = object(metric, key)? else { continue };
        let temporality =
            number_or_name(data, "aggregationTemporality", "AGGREGATION_TEMPORALITY_", &TEMPORALITIES)?;
        let monotonic = member(data, "isMonotonic").and_then(Json::as_bool).unwrap_or(false);
        for point in objects(data, "dataPoints")? {
            let raw = RawPoint { kind, temporality, monotonic, ..RawPoint::default() };
            metrics::offer(into, origin, name, unit, &read_point(point?, limits, raw)?);
        }
    }
    Ok(())
}

fn read_point<'a>(
    point: &'a Object,
    limits: &Limits,
    mut raw: RawPoint<'a>,
) -> Result<RawPoint<'a>, Malformed> {
    raw.attributes = attributes(point, limits)?;
    raw.start = nanos(point, "startTimeUnixNano")?;
    raw.time = nanos(point, "timeUnixNano")?;
    raw.flags = integer(point, "flags")?.unwrap_or(0) as u64;
    raw.number = match double(point, "asDouble")? {
        Some(value) => Some(value),
        None => integer(point, "asInt")?.map(|value| value as f64),
    };
    raw.count = integer(point, "count")?.map_or(0, unsigned);
    raw.sum = double(point, "sum")?;
    raw.min = double(point, "min")?;
    raw.max = double(point, "max")?;
    raw.counts = integers(point, "bucketCounts")?;
    for bound in items(point, "explicitBounds")? {
        let bound = as_double(bound).ok_or_else(|| wrong("explicitBounds", bound, "a number"))?;
        raw.crowded |= metrics::keep(&mut raw.bounds, bound);
    }
    for quantile in objects(point, "quantileValues")? {
        let quantile = quantile?;
        let pair = (double(quantile, "quantile")?.unwrap_or(0.0), double(quantile, "value")?.unwrap_or(0.0));
        raw.crowded |= metrics::keep(&mut raw.quantiles, pair);
    }
    raw.scale = integer(point, "scale")?.map_or(0, |scale| i32::try_from(scale).unwrap_or(0));
    raw.zero_count = integer(point, "zeroCount")?.map_or(0, unsigned);
    if let Some(positive) = object(point, "positive")? {
        raw.offset = integer(positive, "offset")?.map_or(0, |offset| i32::try_from(offset).unwrap_or(0));
        raw.counts = integers(positive, "bucketCounts")?;
    }
    if let Some(negative) = object(point, "negative")? {
        raw.negative = integers(negative, "bucketCounts")?.into_iter().fold(0, u64::saturating_add);
    }
    raw.zero_threshold = double(point, "zeroThreshold")?.unwrap_or(0.0);
    raw.crowded |= raw.counts.len() > metrics::MOST_BUCKETS;
    Ok(raw)
}

/// A member that is there and not null.
fn member<'a>(of: &'a Object, key: &str) -> Option<&'a Json> {
    of.get(key).filter(|value| !value.is_null())
}

fn object<'a>(of: &'a Object, key: &str) -> Result<Option<&'a Object>, Malformed> {
    match member(of, key) {
        None => Ok(None),
        Some(Json::Object(object)) => Ok(Some(object)),
        Some(other) => Err(wrong(key, other, "an object")),
    }
}

fn items<'a>(of: &'a Object, key: &str) -> Result<std::slice::Iter<'a, Json>, Malformed> {
    match member(of, key) {
        None => Ok([].iter()),
        Some(Json::Array(items)) => Ok(items.iter()),
        Some(other) => Err(wrong(key, other, "an array")),
    }
}

/// The objects of an array; a null among them is an empty one that says nothing and is left out.
fn objects<'a>(
    of: &'a Object,
    key: &'a str,
) -> Result<impl Iterator<Item = Result<&'a Object, Malformed>>, Malformed> {
    let one = move |item: &'a Json| item.as_object().ok_or_else(|| wrong(key, item, "an object"));
    Ok(items(of, key)?.filter(|item| !item.is_null()).map(one))
}

fn text<'a>(of: &'a Object, key: &str) -> Result<&'a str, Malformed> {
    match member(of, key) {
        None => Ok(""),
        Some(Json::String(text)) => Ok(text),
        Some(other) => Err(wrong(key, other, "a string")),
    }
}

fn integer(of: &Object, key: &str) -> Result<Option<i128>, Malformed> {
    member(of, key).map(|value| as_integer(value).ok_or_else(|| wrong(key, value, "an integer"))).transpose()
}

/// An integer as a number, as a whole float (1.5e18), or as a decimal string.
fn as_integer(value: &Json) -> Option<i128> {
    match value {
        Json::Number(number) => {
            number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).or_else(|| {
                number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 1.0e19).map(|n| n as i128)
            })
        }
        Json::String(text) => text.trim().parse().ok().or_else(|| {
            text.trim()
                .parse::<f64>()
                .ok()
                .filter(|n| n.fract() == 0.0 && n.abs() < 1.0e19)
                .map(|n| n as i128)
        }),
        _ => None,
    }
}

fn unsigned(value: i128) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn integers(of: &Object, key: &str) -> Result<Vec<u64>, Malformed> {
    items(of, key)?
        .map(|item| as_integer(item).map(unsigned).ok_or_else(|| wrong(key, item, "an integer")))
        .collect()
}

fn double(of: &Object, key: &str) -> Result<Option<f64>, Malformed> {
    member(of, key).map(|value| as_double(value).ok_or_else(|| wrong(key, value, "a number"))).transpose()
}

/// A number, or "NaN", "Infinity", "-Infinity" or a number as a string.
fn as_double(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn nanos(of: &Object, key: &str) -> Result<i64, Malformed> {
    Ok(integer(of, key)?.map_or(0, |value| i64::try_from(value.max(0)).unwrap_or(i64::MAX)))
}

/// An enum as its number, or as its name with or without the common prefix.
fn number_or_name(of: &Object, key: &str, prefix: &str, names: &[&str]) -> Result<u64, Malformed> {
    let Some(value) = member(of, key) else { return Ok(0) };
    if let Some(number) = as_integer(value) {
        return Ok(unsigned(number));
    }
    let named = value.as_str().map(|name| name.strip_prefix(prefix).unwrap_or(name));
    let at = named.and_then(|name| names.iter().position(|known| *known == name));
    at.map(|at| at as u64).ok_or_else(|| wrong(key, value, "a number of the enum"))
}

/// An id in hex, any case; all zero, which is invalid, when it is anything else.
fn id<const N: usize>(of: &Object, key: &str) -> [u8; N] {
    let mut id = [0; N];
    let Some(text) =
        member(of, key).and_then(Json::as_str).filter(|text| text.len() == 2 * N && text.is_ascii())
    else {
        return id;
    };
    for (at, byte) in id.iter_mut().enumerate() {
        match text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) => *byte = value,
            None => return [0; N],
        }
    }
    id
}

fn attributes_in<'a>(of: &'a Object, key: &str, limits: &Limits) -> Result<Attributes<'a>, Malformed> {
    object(of, key)?.map_or_else(|| Ok(Attributes::default()), |holder| attributes(holder, limits))
}

fn attributes<'a>(of: &'a Object, limits: &Limits) -> Result<Attributes<'a>, Malformed> {
    let mut list = Attributes::default();
    for pair in objects(of, "attributes")? {
        let pair = pair?;
        let value =
            member(pair, "value").map(|value| any_value(value, limits)).transpose()?.unwrap_or_default();
        push(&mut list, Cow::Borrowed(text(pair, "key")?), value, limits);
    }
    Ok(list)
}

fn any_value<'a>(value: &'a Json, limits: &Limits) -> Result<Value<'a>, Malformed> {
    let Json::Object(one_of) = value else { return Err(wrong("value", value, "an AnyValue object")) };
    if let Some(text) = member(one_of, "stringValue") {
        let text = text.as_str().ok_or_else(|| wrong("stringValue", text, "a string"))?;
        return Ok(Value::Str(Cow::Borrowed(text)));
    }
    if let Some(value) = member(one_of, "boolValue") {
        return value.as_bool().map(Value::Bool).ok_or_else(|| wrong("boolValue", value, "true or false"));
    }
    if let Some(number) = integer(one_of, "intValue")? {
        let number = i64::try_from(number).map_err(|_| Malformed("intValue does not fit 64 bits".into()))?;
        return Ok(Value::Int(number));
    }
    if let Some(number) = double(one_of, "doubleValue")? {
        return Ok(Value::Double(number));
    }
    if let Some(bytes) = member(one_of, "bytesValue") {
        return Ok(Value::Bytes(Cow::Owned(base64(bytes)?)));
    }
    if member(one_of, "arrayValue").is_none() && member(one_of, "kvlistValue").is_none() {
        return Ok(Value::Empty);
    }
    let mut plain = tree(value, limits.nesting + 1)?;
    redact::tree(&mut plain);
    Ok(Value::Json(Cow::Owned(plain.to_string())))
}

/// An AnyValue as plain JSON.
fn tree(value: &Json, depth: usize) -> Result<Json, Malformed> {
    let Json::Object(one_of) = value else {
        return if value.is_null() {
            Ok(Json::Null)
        } else {
            Err(wrong("value", value, "an AnyValue object"))
        };
    };
    let depth = super::value::deeper(depth)?;
    if let Some(array) = object(one_of, "arrayValue")? {
        return Ok(Json::Array(
            items(array, "values")?.map(|item| tree(item, depth)).collect::<Result<_, _>>()?,
        ));
    }
    if let Some(list) = object(one_of, "kvlistValue")? {
        let mut members = Object::new();
        for pair in objects(list, "values")? {
            let pair = pair?;
            let value =
                member(pair, "value").map(|value| tree(value, depth)).transpose()?.unwrap_or(Json::Null);
            members.insert(text(pair, "key")?.to_owned(), value);
        }
        return Ok(Json::Object(members));
    }
    Ok(match any_value(value, &Limits { nesting: 0, ..Limits::default() })? {
        Value::Str(text) | Value::Json(text) => text.into_owned().into(),
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Double(value) => number_of(value),
        bytes @ Value::Bytes(_) => bytes.text().into_owned().into(),
        Value::Empty => Json::Null,
    })
}

fn base64(value: &Json) -> Result<Vec<u8>, Malformed> {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    let text = value.as_str().ok_or_else(|| wrong("bytesValue", value, "base64"))?;
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|alphabet| alphabet.decode(text).ok())
        .ok_or_else(|| wrong("bytesValue", value, "base64"))
}

fn wrong(key: &str, found: &Json, wanted: &str) -> Malformed {
    let mut found = found.to_string();
    if found.chars().count() > 60 {
        found = found.chars().take(60).chain(['…']).collect();
    }
    Malformed(format!("{key} is {found}; it must be {wanted}"))
}
