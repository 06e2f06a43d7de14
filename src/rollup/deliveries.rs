//! Deliveries of webhooks, read from the counters that tell of them.

use super::window::{Minute, Part};
use crate::signals::measure::CounterKey;
use crate::signals::observation::IntegrationKey;
use crate::signals::vocabulary::Attr;

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
    let told = part.deliveries().filter(|(minute, _, row)| *minute < until && row.sum > 0.0);
    told.map(|(minute, key, row)| Delivered {
        minute,
        integration: &key.series.integration,
        provider: label(key, Attr::WebhookProvider),
        event_type: label(key, Attr::WebhookEventType),
        result: label(key, Attr::WebhookResult),
        reason: label(key, Attr::WebhookReason),
        count: row.sum,
    })
    .collect()
}

fn label(key: &CounterKey, attr: Attr) -> &str {
    let found = key.series.attributes.iter().find(|(name, _)| &**name == attr.name());
    found.map_or("", |(_, value)| value)
}
