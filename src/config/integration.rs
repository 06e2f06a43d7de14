//! What the operator says of an integration: checked, and read where it is a zone or a date.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::{Config, Integration};

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
