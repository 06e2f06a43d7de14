//! OTLP/JSON, by proto3's mapping and OTLP's exceptions: hex ids, integers as strings or numbers, enums as numbers
//! (names are read too, since senders exist), unknown fields ignored, null = absent.
//!
//! No tree of the body is built. What holds records (a resource, a scope, a metric) is passed over once to find what
//! stands beside them, which JSON lets come last; a record is read in one pass, so that one that cannot be read is
//! rejected alone.

use std::borrow::Cow;

use super::batch::Collector;
use super::metrics;
use super::point::{Kind, RawPoint};
use super::scan::Scanner;
use super::traces::{kind, status_code};
use super::{Limits, Malformed, Signal};
use crate::signals::telemetry::{Attributes, Log, Origin, Span, SpanEvent, SpanLink};
use mapping::{
    boolean, counts, double, each, fields, id, integer, items, member, nanos, number_or_name, small, text,
    unsigned,
};
use value::{any_value, attributes, holder};

mod mapping;
mod value;

/// Gives every record of a request to the collector.
pub fn decode(signal: Signal, body: &[u8], limits: &Limits, into: &mut Collector) -> Result<(), Malformed> {
    // Some systems write a byte order mark before every text.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // Bytes that are no UTF-8 become U+FFFD, as in protobuf.
    let text = String::from_utf8_lossy(body);
    let mut request = Scanner::new(&text);
    let found = request.peek();
    if found != Some(b'{') {
        request.skip()?;
        return Err(Malformed("the body is not a JSON object".into()));
    }
    let (resources, scopes, records) = match signal {
        Signal::Traces => ("resourceSpans", "scopeSpans", "spans"),
        Signal::Metrics => ("resourceMetrics", "scopeMetrics", "metrics"),
        Signal::Logs => ("resourceLogs", "scopeLogs", "logRecords"),
    };
    let (mut members, mut is_there) = (0, false);
    fields(&mut Scanner::new(&text), "the body", |s, key| {
        members += 1;
        is_there |= key == resources;
        s.skip().map(drop)
    })?;
    if members > 0 && !is_there {
        into.warn(format!(
            "The request has no \"{resources}\", so nothing was read. Names are in lowerCamelCase."
        ));
    }
    let mut index = 0;
    each(&mut request, resources, |of_resource| {
        let resource = match member(of_resource, "resource")? {
            Some(resource) => holder(resource, "resource", limits)?.1,
            None => Attributes::default(),
        };
        each(&mut Scanner::new(of_resource), scopes, |of_scope| {
            let (scope_name, mut scope) = match member(of_scope, "scope")? {
                Some(scope) => holder(scope, "scope", limits)?,
                None => Default::default(),
            };
            if let (Signal::Metrics, Some(of)) = (signal, member(of_scope, "scope")?) {
                fields(&mut Scanner::new(of), "scope", |s, key| {
                    match key {
                        "version" => {
                            metrics::add_version(&mut scope, limits.redactor.text(mapping::text(s, key)?))
                        }
                        _ => drop(s.skip()?),
                    }
                    Ok(())
                })?;
            }
            let origin =
                Origin { resource_index: index, resource: &resource, scope_name: &scope_name, scope: &scope };
            each(&mut Scanner::new(of_scope), records, |record| take(signal, record, &origin, limits, into))
        })?;
        index += 1;
        Ok(())
    })?;
    request.end()
}

fn take(
    signal: Signal,
    record: &str,
    origin: &Origin<'_, '_>,
    limits: &Limits,
    into: &mut Collector,
) -> Result<(), Malformed> {
    match signal {
        Signal::Traces => match read_span(record, limits) {
            Ok(mut span) => into.offer_span(origin, &mut span),
            Err(problem) => into.refuse("span", "", problem),
        },
        Signal::Metrics => read_metric(record, origin, limits, into)?,
        Signal::Logs => match read_log(record, limits) {
            Ok(log) => into.offer_log(origin, log),
            Err(problem) => into.refuse("log", "", problem),
        },
    }
    Ok(())
}

fn read_span<'a>(span: &'a str, limits: &Limits) -> Result<Span<'a>, Malformed> {
    const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    const CODES: [&str; 3] = ["UNSET", "OK", "ERROR"];
    let mut read = Span::default();
    fields(&mut Scanner::new(span), "a span", |s, key| {
        match key {
            "traceId" => read.trace_id = id(s)?,
            "spanId" => read.span_id = id(s)?,
            "parentSpanId" => read.parent_span_id = id(s)?,
            "traceState" => read.trace_state = text(s, key)?,
            "name" => read.name = text(s, key)?,
            "kind" => read.kind = kind(number_or_name(s, key, "SPAN_KIND_", &KINDS)?),
            "startTimeUnixNano" => read.start = nanos(s, key)?,
            "endTimeUnixNano" => read.end = nanos(s, key)?,
            "attributes" => read.attributes = attributes(s, limits)?,
            "status" => fields(s, key, |s, key| {
                match key {
                    "code" => read.status = status_code(number_or_name(s, key, "STATUS_CODE_", &CODES)?),
                    "message" => read.status_message = text(s, key)?,
                    _ => drop(s.skip()?),
                }
                Ok(())
            })?,
            "events" => read.events = children(s, key, limits, event)?,
            "links" => read.links = children(s, key, limits, link)?,
            _ => drop(s.skip()?),
        }
        Ok(())
    })?;
    Ok(read)
}

type Child<'a, T> = fn(&mut Scanner<'a>, &Limits) -> Result<T, Malformed>;

fn children<'a, T>(
    s: &mut Scanner<'a>,
    key: &str,
    limits: &Limits,
    child: Child<'a, T>,
) -> Result<Vec<T>, Malformed> {
    let mut all = Vec::new();
    items(s, key, |s| {
        if !s.null()? {
            if all.len() < limits.children {
                all.push(child(s, limits)?);
            } else {
                s.skip()?;
            }
        }
        Ok(())
    })?;
    Ok(all)
}

fn event<'a>(s: &mut Scanner<'a>, limits: &Limits) -> Result<SpanEvent<'a>, Malformed> {
    let mut read = SpanEvent::default();
    fields(s, "events", |s, key| {
        match key {
            "timeUnixNano" => read.time = nanos(s, key)?,
            "name" => read.name = text(s, key)?,
            "attributes" => read.attributes = attributes(s, limits)?,
            _ => drop(s.skip()?),
        }
        Ok(())
    })?;
    Ok(read)
}

fn link<'a>(s: &mut Scanner<'a>, limits: &Limits) -> Result<SpanLink<'a>, Malformed> {
    let mut read = SpanLink::default();
    fields(s, "links", |s, key| {
        match key {
            "traceId" => read.trace_id = id(s)?,
            "spanId" => read.span_id = id(s)?,
            "attributes" => read.attributes = attributes(s, limits)?,
            _ => drop(s.skip()?),
        }
        Ok(())
    })?;
    Ok(read)
}

fn read_log<'a>(log: &'a str, limits: &Limits) -> Result<Log<'a>, Malformed> {
    let (mut read, mut observed) = (Log::default(), 0);
    fields(&mut Scanner::new(log), "a log record", |s, key| {
        match key {
            "timeUnixNano" => read.time = nanos(s, key)?,
            "observedTimeUnixNano" => observed = nanos(s, key)?,
            "severityNumber" => {
                read.severity = u8::try_from(number_or_name(s, key, "", &[]).unwrap_or(0)).unwrap_or(0)
            }
            "severityText" => read.severity_text = text(s, key)?,
            "eventName" => read.event_name = text(s, key)?,
            "body" => read.body = any_value(s, limits)?,
            "attributes" => read.attributes = attributes(s, limits)?,
            "traceId" => read.trace_id = id(s)?,
            "spanId" => read.span_id = id(s)?,
            _ => drop(s.skip()?),
        }
        Ok(())
    })?;
    if read.time == 0 {
        read.time = observed;
    }
    Ok(read)
}

fn read_metric(
    metric: &str,
    origin: &Origin<'_, '_>,
    limits: &Limits,
    into: &mut Collector,
) -> Result<(), Malformed> {
    const TEMPORALITIES: [&str; 3] = ["UNSPECIFIED", "DELTA", "CUMULATIVE"];
    let (mut name, mut unit, mut data) = (Cow::Borrowed(""), Cow::Borrowed(""), None);
    fields(&mut Scanner::new(metric), "a metric", |s, key| {
        let kind = match key {
            "name" => return text(s, key).map(|text| name = text),
            "unit" => return text(s, key).map(|text| unit = text),
            "gauge" => Kind::Gauge,
            "sum" => Kind::Sum,
            "histogram" => Kind::Histogram,
            "exponentialHistogram" => Kind::ExponentialHistogram,
            "summary" => Kind::Summary,
            _ => return s.skip().map(drop),
        };
        data = Some((kind, s.skip()?));
        Ok(())
    })?;
    let Some((kind, data)) = data else { return Ok(()) };
    let (name, unit) = (limits.redactor.text(name), limits.redactor.text(unit));
    let (mut temporality, mut monotonic) = (0, false);
    fields(&mut Scanner::new(data), "a metric's data", |s, key| {
        match key {
            "aggregationTemporality" => {
                let number = number_or_name(s, key, "AGGREGATION_TEMPORALITY_", &TEMPORALITIES)?;
                temporality = u64::from(number);
            }
            "isMonotonic" => monotonic = boolean(s, key)?,
            _ => drop(s.skip()?),
        }
        Ok(())
    })?;
    each(&mut Scanner::new(data), "dataPoints", |point| {
        let raw = RawPoint { kind, temporality, monotonic, ..RawPoint::default() };
        match read_point(point, limits, raw) {
            Ok(raw) => metrics::offer(into, origin, &name, &unit, &raw),
            Err(problem) => into.refuse("point of", &name, problem),
        }
        Ok(())
    })
}

fn read_point<'a>(point: &'a str, limits: &Limits, mut raw: RawPoint<'a>) -> Result<RawPoint<'a>, Malformed> {
    let kind = raw.kind;
    fields(&mut Scanner::new(point), "a data point", |s, key| {
        match (kind, key) {
            (_, "attributes") => raw.attributes = attributes(s, limits)?,
            (_, "startTimeUnixNano") => raw.start = nanos(s, key)?,
            (_, "timeUnixNano") => raw.time = nanos(s, key)?,
            (_, "flags") => raw.flags = integer(s, key)? as u64,
            (Kind::Gauge | Kind::Sum, "asDouble") => raw.number = Some(double(s, key)?),
            (Kind::Gauge | Kind::Sum, "asInt") => raw.number = Some(integer(s, key)? as f64),
            (_, "count") => raw.count = unsigned(integer(s, key)?),
            (_, "sum") => raw.sum = Some(double(s, key)?),
            (_, "min") => raw.min = Some(double(s, key)?),
            (_, "max") => raw.max = Some(double(s, key)?),
            (Kind::Histogram, "bucketCounts") => raw.counts = counts(s, key)?,
            (Kind::Histogram, "explicitBounds") => {
                raw.bounds.clear();
                items(s, key, |s| metrics::push(&mut raw.bounds, double(s, key)?))?;
            }
            (Kind::ExponentialHistogram, "scale") => raw.scale = small(integer(s, key)?),
            (Kind::ExponentialHistogram, "zeroCount") => raw.zero_count = unsigned(integer(s, key)?),
            (Kind::ExponentialHistogram, "positive") => fields(s, key, |s, key| {
                match key {
                    "offset" => raw.offset = small(integer(s, key)?),
                    "bucketCounts" => raw.counts = counts(s, key)?,
                    _ => drop(s.skip()?),
                }
                Ok(())
            })?,
            (Kind::ExponentialHistogram, "negative") => fields(s, key, |s, key| {
                match key {
                    "bucketCounts" => raw.negative = counts(s, key)?.into_iter().fold(0, u64::saturating_add),
                    _ => drop(s.skip()?),
                }
                Ok(())
            })?,
            (Kind::ExponentialHistogram, "zeroThreshold") => raw.zero_threshold = double(s, key)?,
            (Kind::Summary, "quantileValues") => {
                raw.quantiles.clear();
                items(s, key, |s| metrics::push(&mut raw.quantiles, quantile(s)?))?;
            }
            _ => drop(s.skip()?),
        }
        Ok(())
    })?;
    Ok(raw)
}

fn quantile(s: &mut Scanner<'_>) -> Result<(f64, f64), Malformed> {
    let mut read = (0.0, 0.0);
    fields(s, "quantileValues", |s, key| {
        match key {
            "quantile" => read.0 = double(s, key)?,
            "value" => read.1 = double(s, key)?,
            _ => drop(s.skip()?),
        }
        Ok(())
    })?;
    Ok(read)
}
