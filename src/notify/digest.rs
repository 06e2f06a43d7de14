//! How everything stands, once a day or a week: what a person reads in the morning, worst first, and "all quiet" where it
//! is.

use askama::Template;
use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Weekday};
use chrono_tz::Tz;

use super::header::{safe, shortened};
use super::prose::wrapped;
use crate::signals::telemetry::Nanos;
use crate::store::mail::{Kind, NewMail, Own};

/// So many rows of a section are shown; the rest is counted.
const ROWS: usize = 25;
/// Longest text of a row.
const TEXT: usize = 240;

/// When a digest is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timetable {
    /// The day of the week; none for every day.
    pub on: Option<Weekday>,
    /// The time of day.
    pub at: NaiveTime,
    /// In which zone.
    pub zone: Tz,
}

/// A part of a digest: a heading, and (what, how it is), worst first.
pub struct Section {
    /// What it lists.
    pub heading: &'static str,
    /// Its rows.
    pub rows: Vec<(String, String)>,
    /// What was left out, a sentence; empty where nothing was.
    pub more: String,
}

/// What a digest says.
pub struct Digest {
    /// The sentence that it begins with.
    pub headline: String,
    /// `Thursday 26 November 2026`.
    pub day: String,
    /// Whether it is of a week.
    pub weekly: bool,
    /// Its parts; those without rows are left out.
    pub sections: Vec<Section>,
    /// Where the dashboard is.
    pub base_url: String,
}

#[derive(Template)]
#[template(path = "email/digest/body.html")]
struct Html<'d> {
    digest: &'d Digest,
    footer: &'d str,
}

impl Timetable {
    /// The day of the latest digest that is due, and since when; none within a week only where there is no such day.
    pub fn due(&self, now: Nanos) -> Option<(NaiveDate, Nanos)> {
        let today = DateTime::from_timestamp_nanos(now).with_timezone(&self.zone).date_naive();
        (0..=7)
            .filter_map(|back| today.checked_sub_days(Days::new(back)))
            .filter(|day| self.on.is_none_or(|on| day.weekday() == on))
            .filter_map(|day| Some((day, self.instant(day)?)))
            .find(|(_, at)| *at <= now)
    }

    /// When it is that time on a day. What the clock skips is the first instant after the gap; what comes twice is the
    /// first of the two.
    fn instant(&self, day: NaiveDate) -> Option<Nanos> {
        let wanted = day.and_time(self.at);
        (0..=180).find_map(|minutes| {
            let local = wanted.checked_add_signed(TimeDelta::minutes(minutes))?;
            match self.zone.from_local_datetime(&local) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.timestamp_nanos_opt(),
                LocalResult::None => None,
            }
        })
    }
}

impl Section {
    /// A part of at most some rows.
    pub fn new(heading: &'static str, rows: Vec<(String, String)>) -> Section {
        let more = match rows.len().saturating_sub(ROWS) {
            0 => String::new(),
            more => format!("And {more} more; the dashboard has all of them."),
        };
        let bounded =
            |(what, text): (String, String)| (shortened(&safe(&what), 120), shortened(&safe(&text), TEXT));
        Section { heading, rows: rows.into_iter().take(ROWS).map(bounded).collect(), more }
    }
}

/// The id of a digest: the same for the same recipient and day, so that it is written once whatever happens.
pub fn id(weekly: bool, day: NaiveDate, recipient: &str) -> String {
    let every = if weekly { "week" } else { "day" };
    let hash = xxhash_rust::xxh3::xxh3_64(recipient.as_bytes());
    format!("digest-{every}-{day}-{hash:016x}")
}

/// The mail to one recipient.
pub fn mail(digest: &Digest, day: NaiveDate, recipient: &str, now: Nanos) -> NewMail {
    let id = id(digest.weekly, day, recipient);
    let every = if digest.weekly { "weekly" } else { "daily" };
    let footer = format!(
        "The {every} digest, as [[digest]] in the configuration has it. The dashboard: {}/",
        digest.base_url
    );
    let mut text = format!("{}\n\n{}\n", wrapped(&digest.headline, 72, ""), digest.day);
    for section in digest.sections.iter().filter(|section| !section.rows.is_empty()) {
        text += &format!("\n{}\n", section.heading);
        for (what, how) in &section.rows {
            text += &format!("{}\n", wrapped(&format!("{what}: {how}"), 72, "  "));
        }
        if !section.more.is_empty() {
            text += &format!("{}\n", wrapped(&section.more, 72, ""));
        }
    }
    text += &format!("\n-- \n{}\n", wrapped(&footer, 72, ""));
    let html = Html { digest, footer: &footer };
    NewMail {
        message_id: format!("<{id}@seamwatch>"),
        id,
        incident_id: String::new(),
        kind: Kind::Own(Own::Digest),
        channel: String::new(),
        recipient: recipient.to_owned(),
        from_name: format!("Seamwatch {every} digest"),
        subject: shortened(&format!("{}: {}", digest.day, digest.headline), 70),
        in_reply_to: None,
        headers: vec![
            ("List-Id".into(), "<digest.seamwatch>".into()),
            ("X-Seamwatch-State".into(), "digest".into()),
        ],
        text,
        // Rendering into a string cannot fail; the text part says the same.
        html: html.render().unwrap_or_default(),
        created_at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Nanos {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_nanos_opt().unwrap()
    }

    fn table(at: &str, zone: &str, on: Option<Weekday>) -> Timetable {
        let at = NaiveTime::parse_from_str(at, "%H:%M").unwrap();
        Timetable { on, at, zone: zone.parse().unwrap() }
    }

    #[test]
    fn it_is_due_by_the_readers_clock() {
        let berlin = table("08:00", "Europe/Berlin", None);
        let due = |text| berlin.due(at(text)).map(|(day, since)| (day.to_string(), since));
        assert_eq!(due("2026-01-15T07:00:00Z"), Some(("2026-01-15".into(), at("2026-01-15T07:00:00Z"))));
        assert_eq!(due("2026-01-15T06:59:59Z"), Some(("2026-01-14".into(), at("2026-01-14T07:00:00Z"))));
        assert_eq!(due("2026-07-15T06:00:00Z"), Some(("2026-07-15".into(), at("2026-07-15T06:00:00Z"))));
        let weekly = table("08:00", "Europe/Berlin", Some(Weekday::Mon));
        let (day, _) = weekly.due(at("2026-01-15T12:00:00Z")).unwrap();
        assert_eq!((day.to_string(), day.weekday()), ("2026-01-12".into(), Weekday::Mon));
    }

    #[test]
    fn in_every_zone_a_day_of_ten_years_has_one_digest() {
        for (zone, time) in [
            ("Europe/Amsterdam", "02:30"),
            ("America/New_York", "01:30"),
            ("Australia/Lord_Howe", "02:15"),
            ("Africa/Cairo", "00:30"),
            ("Africa/Casablanca", "02:30"),
            ("Pacific/Apia", "08:00"),
        ] {
            let table = table(time, zone, None);
            let mut day = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
            let mut before = Nanos::MIN;
            for _ in 0..3653 {
                let instant = table.instant(day).unwrap_or_else(|| panic!("{zone} {day}"));
                assert!(instant > before, "{zone} {day}");
                assert_eq!(table.due(instant).unwrap().0, day, "{zone}");
                assert!(table.due(instant - 1).unwrap().0 < day, "{zone} {day}: due once");
                (before, day) = (instant, day.succ_opt().unwrap());
            }
        }
    }

    fn digest(sections: Vec<Section>) -> Digest {
        Digest {
            headline: "Two of seven integrations need somebody.".into(),
            day: "Thursday 26 November 2026".into(),
            weekly: false,
            sections,
            base_url: "https://watch.example.com".into(),
        }
    }

    #[test]
    fn both_parts_say_every_row_and_empty_parts_are_left_out() {
        let rows = (0..40).map(|at| (format!("crm-{at} <b>"), "failing".to_owned())).collect();
        let day = NaiveDate::from_ymd_opt(2026, 11, 26).unwrap();
        let sections = vec![Section::new("Integrations", rows), Section::new("Credentials", Vec::new())];
        let mail = mail(&digest(sections), day, "ana@example.com", 5);
        assert!(
            mail.text.starts_with("Two of seven integrations need somebody.\n\nThursday 26"),
            "{}",
            mail.text
        );
        assert!(mail.text.contains("crm-24 <b>: failing") && !mail.text.contains("crm-25"));
        assert!(
            mail.html.contains("crm-24 &lt;b&gt;") || mail.html.contains("crm-24 &#60;b&#62;"),
            "{}",
            mail.html
        );
        for part in [&mail.text, &mail.html] {
            assert!(part.contains("And 15 more") && !part.contains("Credentials"), "{part}");
            assert!(part.contains("https://watch.example.com/"), "{part}");
        }
        assert!(mail.subject.chars().count() <= 70);
    }

    #[test]
    fn the_same_recipient_and_day_are_the_same_mail() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 26).unwrap();
        let of = |weekly, day, to| id(weekly, day, to);
        assert_eq!(of(false, day, "a@example.com"), of(false, day, "a@example.com"));
        assert_ne!(of(false, day, "a@example.com"), of(true, day, "a@example.com"));
        assert_ne!(of(false, day, "a@example.com"), of(false, day, "b@example.com"));
        assert_ne!(of(false, day, "a@example.com"), of(false, day.succ_opt().unwrap(), "a@example.com"));
    }
}
