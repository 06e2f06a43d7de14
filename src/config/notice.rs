//! `[[notice]]`: what a vendor announced to end, typed in by an operator.

use chrono::NaiveDate;
use serde::Deserialize;

/// One announcement.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Host that it is of, like `api.stripe.com`.
    pub peer: String,
    /// Endpoint that it is of, like `GET /v1/charges`; all of the host otherwise.
    #[serde(default)]
    pub endpoint: String,
    /// When it ends, like `2027-01-31`.
    pub effective_at: String,
    /// What ends.
    pub text: String,
}

impl Notice {
    /// The day, where it is one.
    pub fn day(&self) -> Option<NaiveDate> {
        self.effective_at.parse().ok()
    }

    pub(super) fn check(&self) -> Result<(), (String, String)> {
        if self.day().is_none() {
            let day = &self.effective_at;
            let problem = format!("effective_at \"{day}\" is no date; write it like \"2027-01-31\".");
            return Err((format!("\"{day}\""), problem));
        }
        if self.peer.trim().is_empty() || self.text.trim().is_empty() {
            let problem = "[[notice]]: peer or text is empty; say whose what ends.";
            return Err(("[[notice]]".into(), problem.into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_notice_has_a_day_a_peer_and_a_text() {
        let read = |day: &str, text: &str| {
            let file = format!(
                "[[notice]]\npeer = \"api.example.com\"\neffective_at = \"{day}\"\ntext = \"{text}\"\n"
            );
            Config::parse("c.toml", &file)
        };
        assert!(read("2027-01-31", "v1 ends").unwrap().notice.first().unwrap().day().is_some());
        let problem = read("soon", "v1 ends").unwrap_err();
        assert!(problem.starts_with("c.toml:3: effective_at \"soon\" is no date"), "{problem}");
        assert!(
            read("2027-01-31", " ").unwrap_err().starts_with("c.toml:1: [[notice]]: peer or text is empty")
        );
    }
}
