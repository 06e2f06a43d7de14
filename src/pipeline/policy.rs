//! What the operator says that judging needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::tier::Tier;
use crate::rollup::window::Part;
use crate::signals::observation::IntegrationKey;

/// What the operator says that judging needs.
#[derive(Debug, Default)]
pub struct Policy {
    /// The tier of an integration by the configuration.
    pub tiers: BTreeMap<String, Tier>,
    /// Environments that never notify.
    pub non_production: Vec<String>,
    /// Integrations that no rule judges.
    pub retired: BTreeSet<String>,
}

impl Policy {
    /// The tier of an integration: by the configuration, or as it says itself.
    pub(super) fn tier(&self, key: &IntegrationKey, recent: &Part) -> Tier {
        let said = || {
            let registration = recent.integrations.get(key)?;
            Tier::from_name(registration.tier.get()?)
        };
        self.tiers.get(&*key.name).copied().or_else(said).unwrap_or_default()
    }
}
