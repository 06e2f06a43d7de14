//! `[[integration]]` and `[environments]`: what the operator says of integrations.

use serde::Deserialize;

/// `[environments]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Environments {
    /// Names that are shown and never notify.
    pub non_production: Vec<String>,
}

impl Default for Environments {
    fn default() -> Self {
        let names = ["dev", "development", "test", "testing", "staging", "sandbox", "qa", "preview", "local"];
        Self { non_production: names.map(String::from).into() }
    }
}

/// `[[integration]]`: names what telemetry does not name itself, and overrides what it says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Integration {
    /// The integration's name.
    pub name: String,
    /// Only telemetry of this `service.name`.
    pub service: Option<String>,
    /// Only calls to this peer host.
    pub peer: Option<String>,
    /// Only server spans whose route starts like this.
    pub route_prefix: Option<String>,
    /// Only this queue.
    pub queue: Option<String>,
    /// Overrides `integration.tier`: critical, standard or simple.
    pub tier: Option<String>,
    /// Overrides `integration.owner.name`; looked up in `[owners]`.
    pub owner: Option<String>,
    /// Names that it had before: what is still sent under them counts under this one.
    #[serde(default)]
    pub was: Vec<String>,
    /// Shown in no list and judged by no rule; what it sends is kept.
    #[serde(default)]
    pub retired: bool,
}
