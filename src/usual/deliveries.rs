//! Deliveries of webhooks as an integration counts them itself, else as they were derived from its spans: never both.

use std::collections::BTreeSet;

use crate::rollup::window::{Minute, Part};
use crate::signals::measure::CounterKey;
use crate::signals::observation::IntegrationKey;
use crate::signals::vocabulary::{Attr, Metric};
use crate::signals::webhook;

/// Deliveries of one kind in one minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivered<'p> {
    /// When.
    pub minute: Minute,
    /// Whose.
    pub integration: &'p IntegrationKey,
    /// Which vendor's; empty when not known.
    pub provider: &'p str,
    /// Which event.
    pub event_type: &'p str,
    /// `accepted`, `rejected`, `duplicate`, `out_of_order` or `dead_lettered`.
    pub result: &'p str,
    /// Why it was not accepted, empty where that is not known.
    pub reason: &'p str,
    /// How many.
    pub count: f64,
}

/// The deliveries before a minute, in no order.
pub fn before(part: &Part, until: Minute) -> Vec<Delivered<'_>> {
    let mut told: BTreeSet<&IntegrationKey> = BTreeSet::new();
    let mut all: Vec<(bool, Delivered<'_>)> = Vec::new();
    for ((minute, key), row) in part.counters.iter().filter(|((minute, _), _)| *minute < until) {
        let is_told = &*key.series.metric == Metric::WebhookDeliveries.name();
        if (!is_told && &*key.series.metric != webhook::DERIVED) || row.sum <= 0.0 {
            continue;
        }
        if is_told {
            told.insert(&key.series.integration);
        }
        let delivered = Delivered {
            minute: *minute,
            integration: &key.series.integration,
            provider: label(key, Attr::WebhookProvider),
            event_type: label(key, Attr::WebhookEventType),
            result: label(key, Attr::WebhookResult),
            reason: label(key, Attr::WebhookReason),
            count: row.sum,
        };
        all.push((is_told, delivered));
    }
    all.retain(|(is_told, delivered)| *is_told || !told.contains(delivered.integration));
    all.into_iter().map(|(_, delivered)| delivered).collect()
}

fn label(key: &CounterKey, attr: Attr) -> &str {
    let found = key.series.attributes.iter().find(|(name, _)| &**name == attr.name());
    found.map_or("", |(_, value)| value)
}
