//! What is looked at when values are taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::rollup::state::row::Announced;
use crate::rollup::window::{Minute, Part};
use crate::signals::observation::IntegrationKey;
use crate::signals::provider::Providers;
use crate::signals::telemetry::Nanos;
use crate::usual::Usual;
use crate::usual::calendar::Calendar;
use crate::usual::learn::Down;

/// What the operator and the vendors say that values need.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// What vendors say of themselves.
    pub providers: Arc<Providers>,
    /// The tier's name of an integration by name, where the configuration gives one.
    pub tiers: BTreeMap<String, String>,
    /// The clock and the holidays of an integration by name, where the configuration gives any.
    pub calendars: BTreeMap<String, Calendar>,
    /// When we ourselves were down last.
    pub down: Option<Down>,
    /// What vendors announced, as an operator typed it in.
    pub notices: Vec<Announced>,
    /// Environments that are not production.
    pub non_production: Vec<String>,
}

/// Minutes before the tick, states, and what is usual.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'s> {
    /// The minutes of two hours before the tick, and all states and facts.
    pub part: &'s Part,
    /// What the last four weeks were like.
    pub usual: &'s Usual,
    /// The first minute that is not looked at.
    pub tick: Minute,
    /// What the operator and the vendors say.
    pub context: &'s Context,
}

impl Sight<'_> {
    /// The instant that values are true at, at the latest.
    pub fn now(&self) -> Nanos {
        self.tick.start()
    }

    /// Unix seconds of the tick.
    pub fn now_seconds(&self) -> i64 {
        self.tick.0 * 60
    }

    /// Whether a minute is one of the last `minutes` before the tick.
    pub fn within(&self, minute: Minute, minutes: i64) -> bool {
        minute < self.tick && minute.0 >= self.tick.0 - minutes
    }

    /// The tier's name of an integration: by the configuration, or as it says itself.
    pub fn tier(&self, integration: &IntegrationKey) -> &str {
        let said = || self.part.integrations.get(integration).and_then(|known| known.tier.get());
        let named = self.context.tiers.get(&*integration.name).or_else(said);
        named.map_or("standard", String::as_str)
    }

    /// Integrations that have said anything, in order.
    pub fn integrations(&self) -> Vec<&IntegrationKey> {
        let mut all: Vec<&IntegrationKey> = self.part.integrations.keys().collect();
        all.sort();
        all
    }
}
