//! The clock and the days off of an integration.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::Integration;

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
