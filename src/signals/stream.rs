//! Which stream a data point belongs to: everything that the metrics data model makes part of its identity.

use xxhash_rust::xxh3::Xxh3;

use super::telemetry::{Attributes, Origin, Point, PointValue, Temporality, Value};
use super::vocabulary::Attr;

/// Kind of data, temporality and monotonicity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKind(pub u8);

impl StreamKind {
    /// A gauge's.
    pub const GAUGE: StreamKind = StreamKind(0);
    /// A summary's.
    pub const SUMMARY: StreamKind = StreamKind(4 << 3);

    /// A sum's.
    pub const fn sum(temporality: Option<Temporality>, monotonic: bool) -> StreamKind {
        StreamKind(1 << 3 | of_time(temporality) | monotonic as u8)
    }

    /// A histogram's with explicit bounds.
    pub const fn histogram(temporality: Option<Temporality>) -> StreamKind {
        StreamKind(2 << 3 | of_time(temporality))
    }

    /// An exponential histogram's.
    pub const fn exponential(temporality: Option<Temporality>) -> StreamKind {
        StreamKind(3 << 3 | of_time(temporality))
    }

    /// The kind that a point's value shows.
    pub const fn of(value: &PointValue<'_>) -> StreamKind {
        match value {
            PointValue::Gauge(_) => StreamKind::GAUGE,
            PointValue::Sum { monotonic, temporality, .. } => StreamKind::sum(Some(*temporality), *monotonic),
            PointValue::Histogram { temporality, .. } => StreamKind::histogram(Some(*temporality)),
            PointValue::ExponentialHistogram { temporality, .. } => {
                StreamKind::exponential(Some(*temporality))
            }
            PointValue::Summary { .. } => StreamKind::SUMMARY,
            PointValue::NoValue(kind) => *kind,
        }
    }
}

const fn of_time(temporality: Option<Temporality>) -> u8 {
    match temporality {
        None => 0,
        Some(Temporality::Delta) => 1 << 1,
        Some(Temporality::Cumulative) => 2 << 1,
    }
}

/// The hash of a resource. Kept across restarts and versions: the order of attributes does not matter, their types do.
pub fn resource_hash(resource: &Attributes<'_>) -> u128 {
    let mut hasher = Xxh3::new();
    // A batch's number is no part of who sent it.
    let who = |(name, _): &(&str, &Value<'_>)| *name != Attr::Sequence.name();
    sorted(&mut hasher, resource.iter().filter(who).collect());
    hasher.digest128()
}

/// A hash of a text that is kept across restarts and versions.
pub fn text_hash(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// The identity of a point's stream; `resource` is the hash of its resource.
pub fn identity(resource: u128, origin: &Origin<'_, '_>, point: &Point<'_, '_>) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(&resource.to_le_bytes());
    text(&mut hasher, origin.scope_name);
    attributes(&mut hasher, origin.scope);
    text(&mut hasher, point.metric);
    text(&mut hasher, point.unit);
    hasher.update(&[StreamKind::of(&point.value).0]);
    attributes(&mut hasher, point.attributes);
    hasher.digest128()
}

/// A stream made of another: one of the figures that a point holds several of.
pub fn derived(stream: u128, of: &str) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(&stream.to_le_bytes());
    text(&mut hasher, of);
    hasher.digest128()
}

fn attributes(hasher: &mut Xxh3, list: &Attributes<'_>) {
    sorted(hasher, list.iter().collect());
}

fn sorted(hasher: &mut Xxh3, mut sorted: Vec<(&str, &Value<'_>)>) {
    // Stable: of a name that is there twice, the order counts.
    sorted.sort_by_key(|(name, _)| *name);
    hasher.update(&(sorted.len() as u64).to_le_bytes());
    for (name, value) in sorted {
        text(hasher, name);
        let tag = match value {
            Value::Empty => 0u8,
            Value::Str(_) => 1,
            Value::Bool(_) => 2,
            Value::Int(_) => 3,
            Value::Double(_) => 4,
            Value::Bytes(_) => 5,
            Value::Json(_) => 6,
        };
        hasher.update(&[tag]);
        text(hasher, &value.text());
    }
}

/// With its length before it, so that two texts are never taken for one.
fn text(hasher: &mut Xxh3, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn list(pairs: &[(&'static str, Value<'static>)]) -> Attributes<'static> {
        let mut list = Attributes::default();
        for (key, value) in pairs {
            list.push(Cow::Borrowed(*key), value.clone());
        }
        list
    }

    fn id(
        resource: &Attributes<'_>,
        scope: &str,
        metric: &str,
        unit: &str,
        own: &Attributes<'_>,
        value: PointValue<'_>,
    ) -> u128 {
        let none = Attributes::default();
        let origin = Origin { resource_index: 0, resource, scope_name: scope, scope: &none };
        let point = Point { metric, unit, start: 0, time: 1, attributes: own, value };
        identity(resource_hash(resource), &origin, &point)
    }

    #[test]
    fn the_order_of_attributes_does_not_matter_and_everything_else_does() {
        let (a, b) = (("a", Value::Int(1)), ("b", Value::Str(Cow::Borrowed("1"))));
        let (ab, ba) = (list(&[a.clone(), b.clone()]), list(&[b.clone(), a.clone()]));
        let none = list(&[]);
        let sum = |monotonic, temporality| PointValue::Sum { value: 1.0, monotonic, temporality };
        let plain = || sum(true, Temporality::Delta);
        assert_eq!(id(&ab, "s", "m", "1", &ab, plain()), id(&ba, "s", "m", "1", &ba, plain()));
        let all = [
            id(&ab, "s", "m", "1", &none, plain()),
            id(&none, "s", "m", "1", &ab, plain()),
            id(&none, "s", "m", "1", &none, plain()),
            id(&none, "t", "m", "1", &none, plain()),
            id(&none, "s", "n", "1", &none, plain()),
            id(&none, "s", "m", "s", &none, plain()),
            id(&none, "s", "m", "1", &none, sum(false, Temporality::Delta)),
            id(&none, "s", "m", "1", &none, sum(true, Temporality::Cumulative)),
            id(&none, "s", "m", "1", &none, PointValue::Gauge(1.0)),
            id(&none, "s", "m", "1", &list(&[("a", Value::Str(Cow::Borrowed("1")))]), plain()),
            id(&none, "s", "m", "1", &list(&[a]), plain()),
            id(&none, "sm", "", "1", &none, plain()),
        ];
        let distinct: std::collections::HashSet<u128> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn the_end_of_a_series_is_of_the_same_stream() {
        let none = list(&[]);
        let value = PointValue::Sum { value: 1.0, monotonic: true, temporality: Temporality::Cumulative };
        let end = PointValue::NoValue(StreamKind::sum(Some(Temporality::Cumulative), true));
        assert_eq!(id(&none, "s", "m", "1", &none, value), id(&none, "s", "m", "1", &none, end));
    }
}
