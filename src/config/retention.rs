//! `[retention]`: how long things are kept.

use serde::Deserialize;

/// `[retention]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days for which error groups, failing calls that are kept whole, evidence of incidents and changes are kept,
    /// from their receipt.
    pub evidence_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { evidence_days: 400 }
    }
}

impl Retention {
    /// Whether every length can be kept.
    ///
    /// # Errors
    /// What to look for in the file, and what is wrong with it.
    pub fn check(&self) -> Result<(), (String, String)> {
        if (1..=3_650).contains(&self.evidence_days) {
            return Ok(());
        }
        let problem = format!("evidence_days is {}; it must be from 1 to 3650.", self.evidence_days);
        Err(("evidence_days".to_owned(), problem))
    }
}
