//! ExportMetricsServiceRequest from protobuf, and what makes a data point valid in either encoding.

use super::batch::Collector;
use super::traces::{find, resource, scope};
use super::value::key_value;
use super::wire::{Cursor, Field, nanos, zigzag};
use super::{Limits, Malformed};
use crate::signals::stream::StreamKind;
use crate::signals::telemetry::{Attributes, Origin, Point, PointValue, Refusal, Temporality, Value};

/// Most buckets, bounds or quantiles of one point; SDKs send up to 160.
pub const MOST_BUCKETS: usize = 4_096;
/// At scale −10 one bucket reaches over all doubles above 1.
const MIN_SCALE: i32 = -10;
/// Above it neighbouring buckets are closer than doubles can tell in practice; SDKs start at 20.
const MAX_SCALE: i32 = 31;

/// Which kind of data a metric holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    #[default]
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

/// A data point as it stands on the wire, before it is judged.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct RawPoint<'a> {
    pub kind: Kind,
    pub attributes: Attributes<'a>,
    pub start: i64,
    pub time: i64,
    pub flags: u64,
    pub number: Option<f64>,
    pub count: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub counts: Vec<u64>,
    pub bounds: Vec<f64>,
    pub scale: i32,
    pub zero_count: u64,
    pub zero_threshold: f64,
    pub offset: i32,
    pub negative: u64,
    pub quantiles: Vec<(f64, f64)>,
    /// More buckets, bounds or quantiles than are read.
    pub crowded: bool,
    pub temporality: u64,
    pub monotonic: bool,
}

impl RawPoint<'_> {
    /// The point's value, or why it is refused (metrics data model; metrics.proto).
    pub fn value(&self) -> Result<PointValue<'_>, Refusal> {
        if self.time == 0 {
            return Err(Refusal::Borrowed("no time_unix_nano"));
        }
        let temporality = match self.temporality {
            1 => Some(Temporality::Delta),
            2 => Some(Temporality::Cumulative),
            _ => None,
        };
        if self.flags & 1 != 0 {
            return Ok(PointValue::NoValue(match self.kind {
                Kind::Gauge => StreamKind::GAUGE,
                Kind::Sum => StreamKind::sum(temporality, self.monotonic),
                Kind::Histogram => StreamKind::histogram(temporality),
                Kind::ExponentialHistogram => StreamKind::exponential(temporality),
                Kind::Summary => StreamKind::SUMMARY,
            }));
        }
        if self.crowded {
            return Err(format!("more than {MOST_BUCKETS} buckets").into());
        }
        let temporality = || temporality.ok_or(Refusal::Borrowed("no aggregation temporality"));
        let number = || self.number.ok_or(Refusal::Borrowed("no value"));
        let (count, sum, min, max) = (self.count, self.sum, self.min, self.max);
        Ok(match self.kind {
            Kind::Gauge => PointValue::Gauge(number()?),
            Kind::Sum => {
                let (value, temporality) = (number()?, temporality()?);
                if !value.is_finite() {
                    return Err(format!("a sum that is {value}").into());
                }
                if self.monotonic && value < 0.0 {
                    return Err(format!("a sum that only grows is {value}").into());
                }
                PointValue::Sum { value, monotonic: self.monotonic, temporality }
            }
            Kind::Histogram => {
                self.check_buckets()?;
                self.check_sum()?;
                let (counts, bounds) = (&*self.counts, &*self.bounds);
                PointValue::Histogram { count, sum, min, max, counts, bounds, temporality: temporality()? }
            }
            Kind::ExponentialHistogram => {
                self.check_exponential()?;
                self.check_sum()?;
                PointValue::ExponentialHistogram {
                    count,
                    sum,
                    min,
                    max,
                    scale: self.scale,
                    zero_count: self.zero_count,
                    zero_threshold: self.zero_threshold,
                    negative: self.negative,
                    offset: self.offset,
                    counts: &self.counts,
                    temporality: temporality()?,
                }
            }
            Kind::Summary => {
                self.check_sum()?;
                PointValue::Summary { count, sum: sum.unwrap_or(0.0), quantiles: &self.quantiles }
            }
        })
    }

    fn check_sum(&self) -> Result<(), Refusal> {
        match self.sum {
            Some(sum) if !sum.is_finite() => Err(format!("its sum is {sum}").into()),
            _ => Ok(()),
        }
    }

    fn check_buckets(&self) -> Result<(), Refusal> {
        let (counts, bounds) = (self.counts.len(), self.bounds.len());
        if counts + bounds > 0 && counts != bounds + 1 {
            return Err(format!("{counts} bucket counts for {bounds} bounds").into());
        }
        if !self.bounds.is_sorted_by(|a, b| a < b) || self.bounds.iter().any(|bound| bound.is_nan()) {
            return Err(Refusal::Borrowed("bucket bounds that do not ascend"));
        }
        if counts > 0 {
            self.check_count(self.counts.iter().copied())?;
        }
        Ok(())
    }

    fn check_count(&self, buckets: impl Iterator<Item = u64>) -> Result<(), Refusal> {
        let held = buckets.fold(0u64, u64::saturating_add);
        if held != self.count {
            return Err(format!("buckets that hold {held} of a count of {}", self.count).into());
        }
        Ok(())
    }

    /// Buckets whose bounds a double cannot hold are refused (data model, consumer recommendations); none of them is
    /// ever looked up by its index.
    fn check_exponential(&self) -> Result<(), Refusal> {
        self.check_count(self.counts.iter().copied().chain([self.zero_count, self.negative]))?;
        if !(MIN_SCALE..=MAX_SCALE).contains(&self.scale) {
            return Err(format!("a scale of {}, not of {MIN_SCALE} to {MAX_SCALE}", self.scale).into());
        }
        if !(self.zero_threshold >= 0.0 && self.zero_threshold.is_finite()) {
            return Err(format!("a zero threshold of {}", self.zero_threshold).into());
        }
        let width = f64::exp2(-f64::from(self.scale));
        let (first, end) = (f64::from(self.offset), f64::from(self.offset) + self.counts.len() as f64);
        // Exponents of two: the least positive double is 2^-1074, the greatest just under 2^1024.
        if !self.counts.is_empty() && (first * width < -1075.0 || (end - 1.0) * width >= 1024.0) {
            return Err(format!(
                "buckets from {} on at scale {} are beyond a double",
                self.offset, self.scale
            )
            .into());
        }
        Ok(())
    }
}

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
    let resource = resource(find(message, 1)?, limits)?;
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        if number != 2 {
            continue;
        }
        let scope_metrics = field.bytes()?;
        let (scope_name, scope) = versioned_scope(find(scope_metrics, 1)?, limits)?;
        let origin = Origin { resource_index: index, resource: &resource, scope_name, scope: &scope };
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
fn versioned_scope<'a>(message: &'a [u8], limits: &Limits) -> Result<(&'a str, Attributes<'a>), Malformed> {
    let (name, mut attributes) = scope(message, limits)?;
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        if number == 2 {
            add_version(&mut attributes, field.text()?);
        }
    }
    Ok((name, attributes))
}

/// Puts a scope's version among its attributes, under the name that OpenTelemetry gives it where it has no field.
pub fn add_version<'a>(scope: &mut Attributes<'a>, version: &'a str) {
    if !version.is_empty() {
        scope.push("otel.scope.version".into(), Value::Str(version.into()));
    }
}

fn metric(
    message: &[u8],
    origin: &Origin<'_, '_>,
    limits: &Limits,
    into: &mut Collector,
) -> Result<(), Malformed> {
    let (mut name, mut unit, mut data) = ("", "", None);
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => name = field.text()?,
            3 => unit = field.text()?,
            5 => data = Some((Kind::Gauge, field.bytes()?)),
            7 => data = Some((Kind::Sum, field.bytes()?)),
            9 => data = Some((Kind::Histogram, field.bytes()?)),
            10 => data = Some((Kind::ExponentialHistogram, field.bytes()?)),
            11 => data = Some((Kind::Summary, field.bytes()?)),
            _ => {}
        }
    }
    let Some((kind, data)) = data else { return Ok(()) };
    let (mut temporality, mut monotonic) = (0, false);
    let mut cursor = Cursor::new(data);
    while let Some((number, field)) = cursor.field()? {
        match number {
            2 => temporality = field.integer()?,
            3 => monotonic = field.integer()? != 0,
            _ => {}
        }
    }
    let mut points = Cursor::new(data);
    while let Some((number, field)) = points.field()? {
        if number == 1 {
            let mut raw = RawPoint { kind, temporality, monotonic, ..RawPoint::default() };
            read_point(field.bytes()?, limits, &mut raw)?;
            offer(into, origin, name, unit, &raw);
        }
    }
    Ok(())
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
            (Kind::Gauge | Kind::Sum | Kind::Summary, 8) => raw.flags = field.integer()?,
            (Kind::Histogram, 9) => key_value(field.bytes()?, &mut raw.attributes, limits)?,
            (Kind::ExponentialHistogram, 1) => key_value(field.bytes()?, &mut raw.attributes, limits)?,
            (Kind::Summary, 7) => key_value(field.bytes()?, &mut raw.attributes, limits)?,
            (Kind::Histogram | Kind::ExponentialHistogram | Kind::Summary, 4) => raw.count = field.fixed()?,
            (Kind::Histogram | Kind::ExponentialHistogram | Kind::Summary, 5) => {
                raw.sum = Some(field.double()?)
            }
            (Kind::Histogram, 6) => raw.crowded |= packed_fixed(field, &mut raw.counts)?,
            (Kind::Histogram, 7) => {
                let mut bits = Vec::new();
                raw.crowded |= packed_fixed(field, &mut bits)?;
                raw.bounds.extend(bits.into_iter().map(f64::from_bits));
            }
            (Kind::Summary, 6) => raw.crowded |= quantile(field.bytes()?, &mut raw.quantiles)?,
            (Kind::Histogram, 10) | (Kind::ExponentialHistogram, 10) => raw.flags = field.integer()?,
            (Kind::Histogram, 11) | (Kind::ExponentialHistogram, 12) => raw.min = Some(field.double()?),
            (Kind::Histogram, 12) | (Kind::ExponentialHistogram, 13) => raw.max = Some(field.double()?),
            (Kind::ExponentialHistogram, 6) => raw.scale = zigzag(field.integer()?) as i32,
            (Kind::ExponentialHistogram, 7) => raw.zero_count = field.fixed()?,
            (Kind::ExponentialHistogram, 8) => {
                (raw.offset, raw.counts, raw.crowded) = buckets(field.bytes()?)?;
            }
            (Kind::ExponentialHistogram, 9) => {
                let (_, counts, crowded) = buckets(field.bytes()?)?;
                raw.negative = counts.into_iter().fold(0, u64::saturating_add);
                raw.crowded |= crowded;
            }
            (Kind::ExponentialHistogram, 14) => raw.zero_threshold = field.double()?,
            _ => {}
        }
    }
    Ok(())
}

/// Offset and counts of exponential buckets, and whether there are more than are read.
fn buckets(message: &[u8]) -> Result<(i32, Vec<u64>, bool), Malformed> {
    let (mut offset, mut counts, mut crowded) = (0, Vec::new(), false);
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match (number, field) {
            (1, field) => offset = zigzag(field.integer()?) as i32,
            (2, Field::Bytes(packed)) => {
                let mut values = Cursor::new(packed);
                while !values.is_done() {
                    crowded |= keep(&mut counts, values.varint()?);
                }
            }
            (2, field) => crowded |= keep(&mut counts, field.integer()?),
            _ => {}
        }
    }
    Ok((offset, counts, crowded))
}

fn quantile(message: &[u8], into: &mut Vec<(f64, f64)>) -> Result<bool, Malformed> {
    let (mut quantile, mut value) = (0.0, 0.0);
    let mut cursor = Cursor::new(message);
    while let Some((number, field)) = cursor.field()? {
        match number {
            1 => quantile = field.double()?,
            2 => value = field.double()?,
            _ => {}
        }
    }
    Ok(keep(into, (quantile, value)))
}

/// A repeated fixed64 or double, packed or one by one; whether there are more than are read.
fn packed_fixed(field: Field<'_>, into: &mut Vec<u64>) -> Result<bool, Malformed> {
    let mut crowded = false;
    match field {
        Field::Bytes(packed) => {
            let mut values = Cursor::new(packed);
            while !values.is_done() {
                crowded |= keep(into, values.fixed64()?);
            }
        }
        single => crowded |= keep(into, single.fixed()?),
    }
    Ok(crowded)
}

/// Keeps a value while there is room; whether there was none.
pub fn keep<T>(values: &mut Vec<T>, value: T) -> bool {
    let room = values.len() < MOST_BUCKETS;
    if room {
        values.push(value);
    }
    !room
}
