//! Metrics of others that mean the same as one of ours: whose name and attributes are read as which of the vocabulary
//! (vocabulary section 4, foreign metrics).

use std::borrow::Cow;
use std::collections::HashMap;

use super::lookup::Lookup;
use super::telemetry::{Attributes, PointValue, Temporality, Value};
use super::vocabulary::{Attr, Metric};

/// One entry: all that is given must be there for it to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// The metric's name as sent.
    pub from: String,
    /// Attributes that must have these values.
    pub matching: Vec<(String, String)>,
    /// What it is here.
    pub to: Metric,
    /// Attributes whose values name the queue, with a slash between them; empty ones are left out.
    pub queue: Vec<String>,
    /// The queue's name where no attribute says it; empty for none.
    pub queue_name: String,
    /// The state of what is counted.
    pub state: State,
    /// Our attributes from theirs.
    pub attributes: Vec<(Attr, String)>,
    /// Makes our unit of theirs.
    pub scale: f64,
    /// Attributes whose values are added up: partitions of a topic.
    pub sum_over: Vec<String>,
}

/// The state of the items that a queue's level counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum State {
    /// Not said: ready.
    #[default]
    Unsaid,
    /// Always this one.
    Fixed(String),
    /// By an attribute's value; a value that is not here is none of ours.
    Of {
        /// Whose value.
        attribute: String,
        /// (theirs, ours).
        values: Vec<(String, String)>,
    },
}

/// All entries, found by the metric's name; of several for one name the first that holds counts.
#[derive(Clone, Debug, Default)]
pub struct Mappings {
    by_name: HashMap<String, Vec<Mapping>>,
}

/// A point as one of ours.
#[derive(Debug)]
pub struct Mapped<'a> {
    /// Which metric it is.
    pub metric: Metric,
    /// Its own attributes, and ours over them.
    pub attributes: Attributes<'a>,
    /// Makes our unit of its values.
    pub scale: f64,
    /// Hash of what is added up over; none where the latest of any reporter stands.
    pub share: Option<u64>,
}

impl Mappings {
    /// These entries, those of the operator before those that ship.
    pub fn new(all: impl IntoIterator<Item = Mapping>) -> Mappings {
        let mut mappings = Mappings::default();
        for mapping in all {
            mappings.by_name.entry(mapping.from.clone()).or_default().push(mapping);
        }
        mappings
    }

    /// How many names are mapped.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// What a point of that name is here; none for a metric of nobody's.
    pub fn of<'a>(&self, name: &str, look: &Lookup<'_, 'a>) -> Option<Mapped<'a>> {
        self.by_name.get(name)?.iter().find_map(|mapping| mapping.of(look))
    }
}

impl Mapping {
    fn of<'a>(&self, look: &Lookup<'_, 'a>) -> Option<Mapped<'a>> {
        if !self.matching.iter().all(|(name, wanted)| named(look, name).is_some_and(|value| value == *wanted))
        {
            return None;
        }
        let mut ours: Vec<(Attr, String)> = Vec::new();
        if !self.queue.is_empty() || !self.queue_name.is_empty() {
            let parts = self.queue.iter().filter_map(|name| named(look, name));
            let parts: Vec<String> =
                parts.map(|part| part.trim_matches('/').to_owned()).filter(|part| !part.is_empty()).collect();
            let name = if parts.is_empty() { self.queue_name.clone() } else { parts.join("/") };
            if name.is_empty() {
                return None;
            }
            ours.push((Attr::QueueName, name));
        }
        match &self.state {
            State::Unsaid => {}
            State::Fixed(state) => ours.push((Attr::QueueState, state.clone())),
            State::Of { attribute, values } => {
                let said = named(look, attribute)?;
                let (_, state) = values.iter().find(|(theirs, _)| *theirs == said)?;
                ours.push((Attr::QueueState, state.clone()));
            }
        }
        for (attr, name) in &self.attributes {
            ours.push((*attr, named(look, name)?.into_owned()));
        }
        let mut attributes = look.own.clone();
        for (attr, value) in ours {
            attributes.push(Cow::Borrowed(attr.name()), Value::Str(Cow::Owned(value)));
        }
        let shares: Vec<_> = self.sum_over.iter().map(|name| named(look, name)).collect();
        let share = (!shares.is_empty()).then(|| super::observe::hash(&shares));
        Some(Mapped { metric: self.to, attributes, scale: self.scale, share })
    }
}

/// A value by an attribute's name as sent, on the point, its scope or its resource; `a.b` also finds the member `b` of
/// a map `a`.
fn named<'l>(look: &Lookup<'l, '_>, name: &str) -> Option<Cow<'l, str>> {
    let all = [look.own, look.scope, look.resource];
    if let Some(value) = all.into_iter().find_map(|list| list.named(name)) {
        return Some(value.text()).filter(|text| !text.is_empty());
    }
    let (map, member) = name.split_once('.')?;
    let Value::Json(text) = all.into_iter().find_map(|list| list.named(map))? else { return None };
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    Some(Cow::Owned(members.get(member)?.as_str()?.to_owned()))
}

impl Mapped<'_> {
    /// The point's value in our unit, and in the shape that the metric has here. A summary of a short time (CloudWatch
    /// sends those) is its greatest value where a level is wanted, and its sum where a count is.
    pub fn value<'p>(&self, value: &PointValue<'p>) -> PointValue<'p> {
        let scale = self.scale;
        let is_count = matches!(
            self.metric,
            Metric::QueueEnqueued | Metric::QueueDequeued | Metric::QueueDeadLettered | Metric::Heartbeat
        );
        match value {
            PointValue::Gauge(value) => PointValue::Gauge(value * scale),
            PointValue::Sum { value, monotonic: true, temporality } if is_count => {
                PointValue::Sum { value: value * scale, monotonic: true, temporality: *temporality }
            }
            // The state of something beside the sender, not a share of it: two who look see the same.
            PointValue::Sum { value, temporality: Temporality::Cumulative, .. } => {
                PointValue::Gauge(value * scale)
            }
            PointValue::Sum { value, monotonic, temporality } => {
                PointValue::Sum { value: value * scale, monotonic: *monotonic, temporality: *temporality }
            }
            PointValue::Summary { sum, .. } if is_count => {
                let value = sum * scale;
                PointValue::Sum { value, monotonic: true, temporality: Temporality::Delta }
            }
            PointValue::Summary { count, sum, quantiles } => {
                let mean = if *count == 0 { f64::NAN } else { sum / *count as f64 };
                let greatest = quantiles.iter().map(|(_, value)| *value).fold(mean, f64::max);
                PointValue::Gauge(greatest * scale)
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pairs: &[(&'static str, &'static str)]) -> Attributes<'static> {
        let mut list = Attributes::default();
        for (key, value) in pairs {
            let value = match value.starts_with('{') {
                true => Value::Json((*value).into()),
                false => Value::Str((*value).into()),
            };
            list.push((*key).into(), value);
        }
        list
    }

    fn depth() -> Mapping {
        Mapping {
            from: "jobs".into(),
            matching: Vec::new(),
            to: Metric::QueueDepth,
            queue: vec!["vhost".into(), "queue".into()],
            queue_name: String::new(),
            state: State::Unsaid,
            attributes: Vec::new(),
            scale: 1.0,
            sum_over: Vec::new(),
        }
    }

    /// (queue, state) of what a point comes to.
    fn read(mapping: Mapping, own: &[(&'static str, &'static str)]) -> Option<(String, String)> {
        let (own, none, resource) = (list(own), Attributes::default(), list(&[("vhost", "/")]));
        let mapped =
            Mappings::new([mapping]).of("jobs", &Lookup { own: &own, scope: &none, resource: &resource })?;
        let text =
            |attr| mapped.attributes.get(attr).map(|value| value.text().into_owned()).unwrap_or_default();
        Some((text(Attr::QueueName), text(Attr::QueueState)))
    }

    #[test]
    fn the_queue_is_named_by_its_attributes_and_the_state_by_its_own() {
        let of = |queue: &str, state: &str| Some((queue.to_owned(), state.to_owned()));
        assert_eq!(read(depth(), &[("queue", "orders")]), of("orders", ""), "the default vhost says nothing");
        assert_eq!(read(depth(), &[("queue", "orders"), ("vhost", "prod")]), of("prod/orders", ""));
        assert_eq!(read(depth(), &[]), None, "no queue, no mapping");
        let fixed = Mapping { queue_name: "retry".into(), state: State::Fixed("delayed".into()), ..depth() };
        assert_eq!(read(fixed, &[]), of("retry", "delayed"));
        let values = vec![("unacknowledged".to_owned(), "in_flight".to_owned())];
        let by = Mapping { state: State::Of { attribute: "state".into(), values }, ..depth() };
        let state = |said| [("queue", "orders"), ("state", said)];
        assert_eq!(read(by.clone(), &state("unacknowledged")), of("orders", "in_flight"));
        assert_eq!(read(by, &state("total")), None, "a state that is none of ours");
        let inside = Mapping { queue: vec!["Dimensions.QueueName".into()], ..depth() };
        assert_eq!(read(inside, &[("Dimensions", "{\"QueueName\":\"mail\"}")]), of("mail", ""));
    }

    #[test]
    fn an_entry_holds_only_where_its_attributes_match_and_the_first_that_holds_counts() {
        let matching = vec![("kind".to_owned(), "dead".to_owned())];
        let dead = Mapping { matching, state: State::Fixed("dead_letter".into()), ..depth() };
        let both = Mappings::new([dead, depth()]);
        let state = |own: &[(&'static str, &'static str)]| {
            let (own, none) = (list(own), Attributes::default());
            let mapped = both.of("jobs", &Lookup { own: &own, scope: &none, resource: &none })?;
            Some(mapped.attributes.get(Attr::QueueState).map(|value| value.text().into_owned()))
        };
        assert_eq!(state(&[("queue", "q"), ("kind", "dead")]), Some(Some("dead_letter".into())));
        assert_eq!(state(&[("queue", "q"), ("kind", "live")]), Some(None));
    }

    #[test]
    fn what_is_summed_over_is_told_apart_and_two_who_look_see_the_same() {
        let mapping = Mapping { sum_over: vec!["partition".into()], ..depth() };
        let share = |own: &[(&'static str, &'static str)]| {
            let (own, none) = (list(own), Attributes::default());
            let look = Lookup { own: &own, scope: &none, resource: &none };
            Mappings::new([mapping.clone()]).of("jobs", &look).and_then(|mapped| mapped.share)
        };
        let (one, two) =
            (share(&[("queue", "q"), ("partition", "1")]), share(&[("queue", "q"), ("partition", "2")]));
        assert!(one.is_some() && one != two);
        assert_eq!(one, share(&[("queue", "q"), ("partition", "1"), ("collector", "b")]));
    }

    #[test]
    fn values_come_in_our_unit_and_shape() {
        let (own, none) = (list(&[("queue", "q")]), Attributes::default());
        let look = Lookup { own: &own, scope: &none, resource: &none };
        let to = |to, scale, value: PointValue<'_>| {
            let mapped = Mappings::new([Mapping { to, scale, ..depth() }]).of("jobs", &look).unwrap();
            match mapped.value(&value) {
                PointValue::Gauge(value) => ("gauge", value),
                PointValue::Sum { value, monotonic, temporality } => {
                    assert_eq!((monotonic, temporality), (true, Temporality::Delta));
                    ("count", value)
                }
                other => panic!("{other:?}"),
            }
        };
        let level = PointValue::Sum { value: 7.0, monotonic: false, temporality: Temporality::Cumulative };
        assert_eq!(to(Metric::QueueDepth, 1.0, level), ("gauge", 7.0));
        assert_eq!(to(Metric::QueueOldestAge, 0.001, PointValue::Gauge(1500.0)), ("gauge", 1.5));
        let quantiles = [(0.0, 2.0), (1.0, 9.0)];
        let summary = || PointValue::Summary { count: 2, sum: 11.0, quantiles: &quantiles };
        assert_eq!(to(Metric::QueueDepth, 1.0, summary()), ("gauge", 9.0));
        assert_eq!(to(Metric::QueueEnqueued, 1.0, summary()), ("count", 11.0));
    }
}
