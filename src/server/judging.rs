//! From the configuration to what judging needs of it: tiers and environments, zones, days off, announcements.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

use crate::alert::tier::Tier;
use crate::config::Config;
use crate::config::integration::Integration;
use crate::health::sight::Context;
use crate::pipeline;
use crate::rollup::state::row::Announced;
use crate::rollup::window::Minute;
use crate::signals::provider::Providers;
use crate::usual::calendar::Calendar;

/// Years in which changes of the clock are looked for.
const YEARS: std::ops::Range<i32> = 2024..2050;
const DAY: i64 = 24 * 60;

/// Tiers and environments.
pub fn policy(config: &Config) -> pipeline::policy::Policy {
    let tier = |rule: &Integration| Some((rule.name.clone(), Tier::from_name(rule.tier.as_deref()?)?));
    pipeline::policy::Policy {
        tiers: config.integration.iter().filter_map(tier).collect(),
        non_production: config.environments.non_production.clone(),
        retired: config.retired(),
    }
}

/// What values of signals need to know of the operator and the vendors.
pub fn context(config: &Config, providers: &Arc<Providers>) -> Context {
    let tiers = config.integration.iter().filter_map(|one| Some((one.name.clone(), one.tier.clone()?)));
    let non_production = config.environments.non_production.clone();
    let (calendars, notices) = (calendars(config), notices(config));
    let (providers, tiers) = (providers.clone(), tiers.collect());
    Context { providers, tiers, non_production, calendars, notices, down: None }
}

/// The clock and the holidays of integrations by name, where either is given.
fn calendars(config: &Config) -> BTreeMap<String, Calendar> {
    let mut out: BTreeMap<String, Calendar> = BTreeMap::new();
    for one in config.integration.iter().filter(|one| one.zone.is_some() || !one.holidays.is_empty()) {
        let calendar = out.entry(one.name.clone()).or_default();
        calendar.shifts = one.tz().map(shifts).unwrap_or_default();
        let days = one.dates().map(|date| i64::from(date.num_days_from_ce() - epoch().num_days_from_ce()));
        calendar.holidays.extend(days);
    }
    out
}

/// What vendors announced, as typed in; a day ends it at its beginning.
fn notices(config: &Config) -> Vec<Announced> {
    let notices = config.notice.iter().filter_map(|notice| {
        let day = notice.day()?.num_days_from_ce() - epoch().num_days_from_ce();
        Some(Announced {
            at: 0,
            effective_at: i64::from(day) * 86_400,
            peer: notice.peer.clone(),
            endpoint: notice.endpoint.clone(),
            text: notice.text.clone(),
        })
    });
    notices.collect()
}

fn epoch() -> NaiveDate {
    DateTime::UNIX_EPOCH.date_naive()
}

/// Each change of a zone's clock, to the minute.
fn shifts(zone: Tz) -> Vec<(Minute, i64)> {
    let ahead = |minute: i64| {
        let at = DateTime::from_timestamp(minute * 60, 0).unwrap_or_default().naive_utc();
        i64::from(zone.offset_from_utc_datetime(&at).fix().local_minus_utc()) / 60
    };
    let day = |year: i32| {
        let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default();
        i64::from(first.num_days_from_ce() - epoch().num_days_from_ce())
    };
    let mut out = vec![(Minute(day(YEARS.start) * DAY), ahead(day(YEARS.start) * DAY))];
    for at in day(YEARS.start)..day(YEARS.end) {
        let (mut before, mut after) = (at * DAY, (at + 1) * DAY);
        let now = ahead(after);
        if ahead(before) == now {
            continue;
        }
        while after - before > 1 {
            let middle = i64::midpoint(before, after);
            if ahead(middle) == now { after = middle } else { before = middle }
        }
        out.push((Minute(after), now));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_change_when_they_do() {
        let changes = shifts(chrono_tz::Europe::Berlin);
        let autumn = DateTime::parse_from_rfc3339("2026-10-25T01:00:00Z").unwrap().timestamp() / 60;
        assert!(changes.contains(&(Minute(autumn), 60)));
        assert_eq!(changes.len(), 1 + 2 * YEARS.len());
        assert_eq!(shifts(chrono_tz::UTC).len(), 1);
        assert_eq!(shifts(chrono_tz::Asia::Kolkata).first().map(|(_, ahead)| *ahead), Some(330));
    }

    #[test]
    fn an_integration_goes_by_its_zone_and_its_holidays() {
        let text =
            "[[integration]]\nname = \"shop\"\nzone = \"Europe/Berlin\"\nholidays = [\"2026-12-25\"]\n";
        let calendars = calendars(&Config::parse("c.toml", text).unwrap());
        let noon = DateTime::parse_from_rfc3339("2026-12-25T12:00:00Z").unwrap().timestamp() / 60;
        assert!(calendars["shop"].is_holiday(Minute(noon)));
        assert!(!calendars["shop"].is_holiday(Minute(noon + DAY)));
    }
}
