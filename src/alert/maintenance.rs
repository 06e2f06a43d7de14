//! Maintenance windows: a schedule in a zone, a length, and a grace for what is caught up after it.
//!
//! The beginning is wall-clock time, the length elapsed time. A beginning that the clock skips in spring is the first
//! instant after the gap; one that comes twice in autumn is the first of the two, once.

use std::str::FromStr;

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;

use super::document::{Document, Section};
use super::overlay::Matchers;
use super::rule::Problem;
use super::threshold::whole_minutes;
use crate::signals::signal::Label;
use crate::signals::telemetry::Nanos;

const MINUTE: Nanos = 60_000_000_000;
/// The longest window, in minutes.
pub const LONGEST: u32 = 3 * 24 * 60;

/// A schedule of windows.
#[derive(Clone, Debug, PartialEq)]
pub struct Maintenance {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Which instances.
    pub matchers: Matchers,
    /// When it begins.
    pub cron: Cron,
    /// In which zone.
    pub zone: Tz,
    /// Its length in minutes.
    pub minutes: u32,
    /// How long after it what is caught up is not told, in minutes.
    pub grace: u32,
}

/// One opening.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The schedule's name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Which instances.
    pub matchers: Matchers,
    /// Its beginning.
    pub from: Nanos,
    /// Its end, grace included.
    pub until: Nanos,
}

impl Window {
    /// Whether an instant lies in it or in its grace.
    pub fn holds(&self, at: Nanos) -> bool {
        self.from <= at && at < self.until
    }
}

impl Maintenance {
    /// Reads a schedule, like `0 2 * * SUN` in `Europe/Berlin`.
    ///
    /// # Errors
    /// A sentence's second half that says what is wrong with the cron expression or the zone.
    pub fn schedule(cron: &str, zone: &str) -> Result<(Cron, Tz), String> {
        let zone = Tz::from_str(zone)
            .map_err(|_| format!("\"{zone}\" is no IANA time zone, like Europe/Berlin or UTC"))?;
        let cron = Cron::from_str(cron).map_err(|error| {
            format!("\"{cron}\" is no cron expression of five fields, like \"0 2 * * SUN\": {error}")
        })?;
        Ok((cron, zone))
    }

    /// Reads a file of alerts/maintenance; its name without `.toml` is the schedule's.
    ///
    /// # Errors
    /// All that is wrong with it, and where.
    pub fn parse(file: &str, text: &str) -> Result<Maintenance, Vec<Problem>> {
        let mut document = Document::new(file, text);
        let Some(table) = document.parse() else { return Err(document.finish()) };
        let found = read(&mut document, &Section::root(&table), file);
        match found {
            Some(found) if document.is_clean() => Ok(found),
            _ => Err(document.finish()),
        }
    }

    /// The window that is open at an instant, or in its grace.
    pub fn open_at(&self, at: Nanos) -> Option<Window> {
        let reach = i64::from(self.minutes + self.grace) * MINUTE;
        let window = self.next(at.saturating_sub(reach)).filter(|window| window.holds(at));
        window.filter(|window| window.from <= at)
    }

    /// The next window that begins after an instant.
    pub fn next(&self, after: Nanos) -> Option<Window> {
        let after: DateTime<Tz> =
            self.zone.from_utc_datetime(&DateTime::from_timestamp_nanos(after).naive_utc());
        let begins = self.cron.find_next_occurrence(&after, false).ok()?.with_timezone(&Utc);
        let from = begins.timestamp_nanos_opt()?;
        Some(Window {
            name: self.name.clone(),
            reason: self.reason.clone(),
            matchers: self.matchers.clone(),
            from,
            until: from + i64::from(self.minutes + self.grace) * MINUTE,
        })
    }
}

impl Maintenance {
    /// The next openings after an instant; the one that is open is among them.
    pub fn openings(&self, after: Nanos, most: usize) -> Vec<Window> {
        let mut found: Vec<Window> = self.open_at(after).into_iter().collect();
        let mut from = after;
        while found.len() < most {
            let Some(window) = self.next(from) else { break };
            from = window.from;
            found.push(window);
        }
        found
    }

    /// `Sunday 29 March 2026, 03:00 Europe/Berlin (01:00 UTC), for 1 h 30 min and 15 min after it`.
    pub fn said(&self, window: &Window) -> String {
        let utc = DateTime::from_timestamp_nanos(window.from);
        let local = utc.with_timezone(&self.zone);
        let day = if local.date_naive() == utc.date_naive() { "%H:%M UTC" } else { "%-d %B, %H:%M UTC" };
        let grace = match self.grace {
            0 => String::new(),
            grace => format!(" and {} after it", long(grace)),
        };
        format!(
            "{} {} ({}), for {}{grace}",
            local.format("%A %-d %B %Y, %H:%M"),
            self.zone,
            utc.format(day),
            long(self.minutes)
        )
    }
}

fn long(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn read(document: &mut Document<'_>, root: &Section<'_>, file: &str) -> Option<Maintenance> {
    document.keys(root, &["schema", "reason", "cron", "zone", "duration", "grace", "where"], &[]);
    document.integer(root, "schema", 1, 1);
    let reason = document.required(root, "reason", "a sentence that says what is done then");
    let cron = document.required(root, "cron", "when it begins, like \"0 2 * * SUN\"");
    let zone = document.required(root, "zone", "the time zone of that, like \"Europe/Berlin\"");
    document.required(root, "duration", "how long it takes, like \"90m\"");
    let minutes = document.read(root, "duration", |text| match whole_minutes(text)? {
        minutes if (1..=LONGEST).contains(&minutes) => Ok(minutes),
        _ => Err("it lasts from a minute to three days".to_owned()),
    });
    let grace = document.read(root, "grace", |text| match whole_minutes(text)? {
        minutes if minutes <= LONGEST => Ok(minutes),
        _ => Err("it is three days at most".to_owned()),
    });
    let matchers = matchers(document, root);
    let ((cron, place), (zone, _)) = (cron?, zone?);
    let (cron, zone) = match Maintenance::schedule(cron, zone) {
        Ok(schedule) => schedule,
        Err(why) => {
            document.problem(&place, format!("cron: {why}"));
            return None;
        }
    };
    Some(Maintenance {
        name: file.rsplit('/').next().unwrap_or(file).trim_end_matches(".toml").to_owned(),
        reason: reason?.0.to_owned(),
        matchers,
        cron,
        zone,
        minutes: minutes?.0,
        grace: grace.map_or(0, |(grace, _)| grace),
    })
}

fn matchers(document: &mut Document<'_>, root: &Section<'_>) -> Matchers {
    let mut out = Matchers::new();
    let Some(table) = document.section(root, "where") else {
        let place = root.place_of("where");
        document.problem(
            &place,
            "where is missing: which alerts, like where = { integration = \"stripe-xero\" }",
        );
        return out;
    };
    for (name, place) in table.names() {
        if name != "rule" && Label::from_name(name).is_none() {
            document.problem(&place, format!("where: {name} is neither rule nor a label"));
        } else if let Some((value, _)) = document.string(&table, name) {
            out.insert(name.to_owned(), value.to_owned());
        }
    }
    if out.is_empty() {
        document.problem(
            &root.place_of("where"),
            "where: it names nothing, and a window for everything is a mistake",
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(cron: &str, zone: &str, minutes: u32) -> Maintenance {
        let (cron, zone) = Maintenance::schedule(cron, zone).unwrap();
        let matchers = Matchers::from([("integration".to_owned(), "crm".to_owned())]);
        Maintenance {
            name: "nightly".into(),
            reason: "restore".into(),
            matchers,
            cron,
            zone,
            minutes,
            grace: 15,
        }
    }

    fn at(text: &str) -> Nanos {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_nanos_opt().unwrap()
    }

    #[test]
    fn a_window_begins_by_the_wall_clock_and_lasts_elapsed_time() {
        let nightly = every("0 2 * * *", "Europe/Berlin", 60);
        let open = |text| nightly.open_at(at(text)).is_some();
        assert!(
            !open("2026-01-15T00:59:59Z") && open("2026-01-15T01:00:00Z"),
            "02:00 in winter is 01:00 UTC"
        );
        assert!(open("2026-01-15T02:14:59Z") && !open("2026-01-15T02:15:00Z"), "an hour and the grace");
        assert!(
            open("2026-07-15T00:00:00Z") && !open("2026-07-15T01:15:00Z"),
            "02:00 in summer is 00:00 UTC"
        );
    }

    #[test]
    fn a_beginning_that_the_clock_skips_is_the_first_instant_after_the_gap() {
        let half_past = every("30 2 * * *", "Europe/Berlin", 60);
        let window = half_past.next(at("2026-03-29T00:00:00Z")).unwrap();
        assert_eq!(window.from, at("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn a_beginning_that_comes_twice_is_the_first_once() {
        let half_past = every("30 2 * * *", "Europe/Berlin", 60);
        let first = half_past.next(at("2026-10-24T22:00:00Z")).unwrap();
        assert_eq!(first.from, at("2026-10-25T00:30:00Z"));
        assert_eq!(half_past.next(first.from).unwrap().from, at("2026-10-26T01:30:00Z"));
    }

    #[test]
    fn in_every_zone_a_day_of_ten_years_has_one_window() {
        for zone in [
            "Europe/Amsterdam",
            "America/New_York",
            "Australia/Lord_Howe",
            "Africa/Cairo",
            "Africa/Casablanca",
        ] {
            let nightly = every("30 0 * * *", zone, 30);
            let (mut now, end) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
            let mut days = std::collections::BTreeSet::new();
            let mut count = 0;
            while let Some(window) = nightly.next(now).filter(|window| window.from < end) {
                let local =
                    nightly.zone.from_utc_datetime(&DateTime::from_timestamp_nanos(window.from).naive_utc());
                days.insert(local.date_naive());
                count += 1;
                now = window.from;
            }
            assert_eq!(days.len(), count, "{zone}: twice in a day");
            assert!((3651..=3653).contains(&count), "{zone}: {count} windows in ten years");
        }
    }

    #[test]
    fn openings_are_said_in_local_time_and_utc() {
        let nightly = every("30 0 * * *", "Europe/Berlin", 90);
        let said: Vec<String> =
            nightly.openings(at("2026-03-28T22:00:00Z"), 2).iter().map(|one| nightly.said(one)).collect();
        let expected = [
            "Sunday 29 March 2026, 00:30 Europe/Berlin (28 March, 23:30 UTC), for 1 h 30 min and 15 min after it",
            "Monday 30 March 2026, 00:30 Europe/Berlin (29 March, 22:30 UTC), for 1 h 30 min and 15 min after it",
        ];
        assert_eq!(said, expected);
        let open = nightly.openings(at("2026-03-28T23:45:00Z"), 2);
        assert_eq!(open[0].from, at("2026-03-28T23:30:00Z"), "the one that is open comes first");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(Maintenance::schedule("0 2 * * *", "Mars/Base").unwrap_err().contains("Mars/Base"));
        assert!(Maintenance::schedule("often", "UTC").unwrap_err().contains("often"));
    }
}
