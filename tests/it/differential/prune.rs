//! Where we differ from the reference on purpose, as a transformation: a body without what we do not read, with the
//! repairs that we make, and without the records that cannot be read. Of the result both must say the same.
//!
//! The differences, each with its reason (docs/adr/0025):
//! 1. A field that is not read is not judged: its type and its UTF-8 do not matter.
//! 2. Text that is not UTF-8 is repaired with U+FFFD.
//! 3. A record whose own bytes cannot be read is rejected alone.
//! 4. Of a metric's kinds only the one that stands last is read.

use seamwatch::decode::Signal;

use super::wire::{self, Field};

/// The messages that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request(Signal),
    OfResource(Signal),
    OfScope(Signal),
    Resource,
    Scope(Signal),
    KeyValue,
    AnyValue,
    Array,
    Map,
    Span,
    Event,
    Link,
    Status,
    Log,
    Metric,
    /// Gauge and Summary have no temporality; the flag says that a Sum can be monotonic.
    Data {
        point: Point,
        temporality: bool,
        monotonic: bool,
    },
    Point(Point),
    Buckets,
    Quantile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    Number,
    Histogram,
    Exponential,
    Summary,
}

/// What a field is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Unread,
    Plain,
    Text,
    Message(Kind),
    Record(Kind),
}

impl Kind {
    pub fn field(self, number: u64) -> What {
        use What::{Message, Plain, Record, Text, Unread};
        let data = |point, temporality, monotonic| Message(Kind::Data { point, temporality, monotonic });
        match (self, number) {
            (Kind::Request(signal), 1) => Message(Kind::OfResource(signal)),
            (Kind::OfResource(_), 1) => Message(Kind::Resource),
            (Kind::OfResource(signal), 2) => Message(Kind::OfScope(signal)),
            (Kind::OfScope(signal), 1) => Message(Kind::Scope(signal)),
            (Kind::OfScope(Signal::Traces), 2) => Record(Kind::Span),
            (Kind::OfScope(Signal::Logs), 2) => Record(Kind::Log),
            (Kind::OfScope(Signal::Metrics), 2) => Message(Kind::Metric),
            (Kind::Resource, 1)
            | (Kind::Scope(_), 3)
            | (Kind::Span, 9)
            | (Kind::Event, 3)
            | (Kind::Link, 4) => Message(Kind::KeyValue),
            // A scope's version is part of a metric's stream.
            (Kind::Scope(Signal::Metrics), 2) => Text,
            (Kind::Scope(_), 1) | (Kind::Span, 3 | 5) | (Kind::Event, 2) | (Kind::Status, 2) => Text,
            (Kind::Span, 1 | 2 | 4 | 6 | 7 | 8) | (Kind::Event, 1) | (Kind::Link, 1 | 2) => Plain,
            (Kind::Span, 11) => Message(Kind::Event),
            (Kind::Span, 13) => Message(Kind::Link),
            (Kind::Span, 15) => Message(Kind::Status),
            (Kind::Status, 3) => Plain,
            (Kind::KeyValue, 1) | (Kind::AnyValue, 1) => Text,
            (Kind::KeyValue, 2) | (Kind::Array, 1) | (Kind::Log, 5) => Message(Kind::AnyValue),
            (Kind::AnyValue, 2 | 3 | 4 | 7 | 8) => Plain,
            (Kind::AnyValue, 5) => Message(Kind::Array),
            (Kind::AnyValue, 6) => Message(Kind::Map),
            (Kind::Map, 1) | (Kind::Log, 6) => Message(Kind::KeyValue),
            (Kind::Log, 1 | 2 | 9 | 10 | 11) => Plain,
            (Kind::Log, 3 | 12) | (Kind::Metric, 1 | 3) => Text,
            (Kind::Metric, 5) => data(Point::Number, false, false),
            (Kind::Metric, 7) => data(Point::Number, true, true),
            (Kind::Metric, 9) => data(Point::Histogram, true, false),
            (Kind::Metric, 10) => data(Point::Exponential, true, false),
            (Kind::Metric, 11) => data(Point::Summary, false, false),
            (Kind::Data { point, .. }, 1) => Record(Kind::Point(point)),
            (Kind::Data { temporality: true, .. }, 2) | (Kind::Data { monotonic: true, .. }, 3) => Plain,
            (Kind::Point(Point::Number | Point::Summary), 7) => Message(Kind::KeyValue),
            (Kind::Point(Point::Histogram), 9) | (Kind::Point(Point::Exponential), 1) => {
                Message(Kind::KeyValue)
            }
            (Kind::Point(Point::Exponential), 8 | 9) => Message(Kind::Buckets),
            (Kind::Point(Point::Summary), 6) => Message(Kind::Quantile),
            (Kind::Point(Point::Number), 2 | 3 | 4 | 6 | 8) => Plain,
            (Kind::Point(Point::Histogram), 2..=7 | 10..=12) => Plain,
            (Kind::Point(Point::Exponential), 2..=7 | 10 | 12..=14) => Plain,
            (Kind::Point(Point::Summary), 2..=5 | 8) | (Kind::Buckets | Kind::Quantile, 1 | 2) => Plain,
            _ => Unread,
        }
    }

    /// A sub-message of which there is one, so that it may come in pieces.
    pub fn is_singular(self, number: u64) -> bool {
        match self {
            Kind::OfResource(_) | Kind::OfScope(_) => number == 1,
            Kind::Span => number == 15,
            Kind::KeyValue => number == 2,
            Kind::AnyValue => number == 5 || number == 6,
            Kind::Log => number == 5,
            Kind::Metric => true,
            Kind::Point(Point::Exponential) => number == 8 || number == 9,
            _ => false,
        }
    }

    pub fn is_packed(self, number: u64) -> bool {
        matches!((self, number), (Kind::Point(Point::Histogram), 6 | 7) | (Kind::Buckets, 2))
    }
}

/// The body as the reference may read it, and how many records are not in it. None when its frame is broken.
pub fn prune(kind: Kind, message: &[u8], dropped: &mut u64) -> Option<Vec<u8>> {
    let mut all = wire::fields(message)?;
    if kind == Kind::Metric {
        forget_replaced(&mut all);
    }
    let mut kept = Vec::new();
    for mut field in all {
        match kind.field(field.number) {
            What::Unread => continue,
            What::Text if field.wire == 2 => {
                field.bytes = String::from_utf8_lossy(&field.bytes).into_owned().into_bytes();
            }
            What::Message(inner) if field.wire == 2 => field.bytes = prune(inner, &field.bytes, dropped)?,
            What::Record(inner) if field.wire == 2 => {
                let record = prune(inner, &field.bytes, dropped).filter(|record| can_be_read(inner, record));
                let Some(record) = record else {
                    *dropped += 1;
                    continue;
                };
                field.bytes = record;
            }
            _ => {}
        }
        kept.push(field);
    }
    Some(wire::bytes(&kept))
}

/// Leaves out the kinds of data that another one behind them replaces.
fn forget_replaced(all: &mut Vec<Field>) {
    let is_data = |field: &Field| matches!(field.number, 5 | 7 | 9 | 10 | 11);
    let Some(last) = all.iter().rev().find(|field| is_data(field)).map(|field| field.number) else { return };
    let replaced = all.iter().rposition(|field| is_data(field) && field.number != last);
    let mut at = 0;
    all.retain(|field| {
        at += 1;
        // What has the wrong type is a fault wherever it stands.
        !is_data(field) || field.wire != 2 || replaced.is_none_or(|replaced| at - 1 > replaced)
    });
}

fn can_be_read(kind: Kind, record: &[u8]) -> bool {
    use opentelemetry_proto::tonic::{logs::v1 as logs, metrics::v1 as metrics, trace::v1 as trace};
    use prost::Message;
    match kind {
        Kind::Span => trace::Span::decode(record).is_ok(),
        Kind::Log => logs::LogRecord::decode(record).is_ok(),
        Kind::Point(Point::Number) => metrics::NumberDataPoint::decode(record).is_ok(),
        Kind::Point(Point::Histogram) => metrics::HistogramDataPoint::decode(record).is_ok(),
        Kind::Point(Point::Exponential) => metrics::ExponentialHistogramDataPoint::decode(record).is_ok(),
        Kind::Point(Point::Summary) => metrics::SummaryDataPoint::decode(record).is_ok(),
        _ => true,
    }
}
