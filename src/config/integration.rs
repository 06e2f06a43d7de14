//! `[[integration]]` and `[environments]`: what the operator says of integrations.

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Deserialize;

use super::Config;

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
    /// The clock that its work goes by, like `Europe/Berlin`; UTC otherwise.
    pub zone: Option<String>,
    /// Days on which nobody works, like `2026-12-25`.
    #[serde(default)]
    pub holidays: Vec<String>,
    /// Names that it had before: what is still sent under them counts under this one.
    #[serde(default)]
    pub was: Vec<String>,
    /// Shown in no list and judged by no rule; what it sends is kept.
    #[serde(default)]
    pub retired: bool,
}

impl Integration {
    /// The zone, where a known one is given.
    pub fn tz(&self) -> Option<Tz> {
        self.zone.as_deref()?.parse().ok()
    }

    /// The holidays that are dates.
    pub fn dates(&self) -> impl Iterator<Item = NaiveDate> {
        self.holidays.iter().filter_map(|day| day.parse().ok())
    }

    /// What is wrong with them.
    pub(super) fn check_days(&self) -> Result<(), (String, String)> {
        if let Some(zone) = self.zone.as_deref().filter(|_| self.tz().is_none()) {
            let problem = format!("zone \"{zone}\" is no time zone; write it like \"Europe/Berlin\".");
            return Err((format!("\"{zone}\""), problem));
        }
        if let Some(day) = self.holidays.iter().find(|day| day.parse::<NaiveDate>().is_err()) {
            let problem = format!("holidays: \"{day}\" is no date; write it like \"2026-12-25\".");
            return Err((format!("\"{day}\""), problem));
        }
        Ok(())
    }
}

impl Config {
    /// What is wrong with the `[[integration]]` entries.
    pub(super) fn check_integrations(&self) -> Result<(), (String, String)> {
        for rule in &self.integration {
            let matches = [&rule.service, &rule.peer, &rule.route_prefix, &rule.queue];
            let says = rule.zone.is_some() || !rule.holidays.is_empty();
            let overrides =
                rule.tier.is_some() || rule.owner.is_some() || !rule.was.is_empty() || rule.retired || says;
            rule.check_days()?;
            if matches.iter().all(|pattern| pattern.is_none()) && !overrides {
                let problem = format!(
                    "integration \"{}\" matches nothing and overrides nothing; give it service, peer, \
                     route_prefix or queue to name telemetry, tier or owner to override what it says, zone or holidays, \
                     was to take over another name, or retired = true.",
                    rule.name
                );
                return Err((format!("\"{}\"", rule.name), problem));
            }
            if let Some(tier) = &rule.tier
                && !["critical", "standard", "simple"].contains(&tier.as_str())
            {
                let problem = format!("tier \"{tier}\" is not one of critical, standard, simple.");
                return Err((format!("\"{tier}\""), problem));
            }
            if let Some(owner) = &rule.owner
                && !self.owners.contains_key(owner)
            {
                let problem = format!(
                    "owner \"{owner}\" is not in [owners]; add [owners.{owner}] with to = [\"address\"]."
                );
                return Err((format!("\"{owner}\""), problem));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_zone_and_holidays_are_known_or_refused_with_their_line() {
        let read =
            |line: &str| Config::parse("c.toml", &format!("[[integration]]\nname = \"shop\"\n{line}\n"));
        let config = read("zone = \"Europe/Berlin\"\nholidays = [\"2026-12-25\"]").unwrap();
        let integration = config.integration.first().unwrap();
        assert_eq!((integration.tz(), integration.dates().count()), (Some(chrono_tz::Europe::Berlin), 1));
        let problem = read("zone = \"Berlin\"").unwrap_err();
        assert!(problem.starts_with("c.toml:3: zone \"Berlin\" is no time zone"), "{problem}");
        let problem = read("holidays = [\"25.12.\"]").unwrap_err();
        assert!(problem.starts_with("c.toml:3: holidays: \"25.12.\" is no date"), "{problem}");
    }
}
