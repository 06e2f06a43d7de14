//! How much an integration matters: semantics section 12.

use serde::{Deserialize, Serialize};

/// What it costs when the integration is wrong for a week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Money or trust.
    Critical,
    /// A day's repair. What stands where nobody said.
    #[default]
    Standard,
    /// Hardly noticed.
    Simple,
}

impl Tier {
    /// All, most important first.
    pub const ALL: [Tier; 3] = [Tier::Critical, Tier::Standard, Tier::Simple];

    /// `critical`, `standard` or `simple`.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Critical => "critical",
            Tier::Standard => "standard",
            Tier::Simple => "simple",
        }
    }

    /// The tier of that name.
    pub fn from_name(name: &str) -> Option<Tier> {
        Tier::ALL.into_iter().find(|tier| tier.name() == name)
    }
}
