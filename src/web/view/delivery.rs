//! Deliveries of webhooks by event type (semantics section 7).

use std::collections::BTreeMap;

use crate::health::value::Value;
use crate::rollup::deliveries::before;
use crate::rollup::window::{Minute, Part};
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::{Label, Signal};

/// Deliveries of one event type over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Deliveries {
    /// Which vendor's; empty when not known.
    pub provider: String,
    /// Which event.
    pub event_type: String,
    /// By result.
    pub results: BTreeMap<String, f64>,
    /// Those that were rejected, by reason.
    pub reasons: BTreeMap<String, f64>,
    /// The latest minute with one.
    pub last: Option<Minute>,
    /// Events that should have come since, at the last tick; none where that is not known.
    pub missed: Option<f64>,
}

impl Deliveries {
    /// How many were of a result.
    pub fn of(&self, result: &str) -> f64 {
        self.results.get(result).copied().unwrap_or(0.0)
    }

    /// All of them.
    pub fn received(&self) -> f64 {
        self.results.values().sum()
    }
}

/// The event types of an integration in the counters of a window, and those that are missed though none came.
pub fn deliveries(window: &Part, values: &[Value], integration: &IntegrationKey) -> Vec<Deliveries> {
    let mut all: BTreeMap<(String, String), Deliveries> = BTreeMap::new();
    let new = |provider: &str, event_type: &str| Deliveries {
        provider: provider.to_owned(),
        event_type: event_type.to_owned(),
        results: BTreeMap::new(),
        reasons: BTreeMap::new(),
        last: None,
        missed: None,
    };
    for one in before(window, Minute(i64::MAX)).into_iter().filter(|one| one.integration == integration) {
        let place = (one.provider.to_owned(), one.event_type.to_owned());
        let row = all.entry(place).or_insert_with(|| new(one.provider, one.event_type));
        *row.results.entry(one.result.to_owned()).or_default() += one.count;
        if one.result == "rejected" && !one.reason.is_empty() {
            *row.reasons.entry(one.reason.to_owned()).or_default() += one.count;
        }
        row.last = row.last.max(Some(one.minute));
    }
    let missed = values.iter().filter(|value| {
        value.signal == Signal::WebhookMissed
            && value.label(Label::Integration) == &*integration.name
            && value.label(Label::Environment) == &*integration.environment
    });
    for value in missed {
        let (provider, event_type) = (value.label(Label::WebhookProvider), value.label(Label::EventType));
        let place = (provider.to_owned(), event_type.to_owned());
        all.entry(place).or_insert_with(|| new(provider, event_type)).missed = Some(value.value);
    }
    all.into_values().collect()
}
