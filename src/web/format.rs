//! Figures, instants and names as pages show them. Numbers are worded by `alert::figure`; units stand after a
//! narrow space here.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::alert::figure;
use crate::alert::instant::{self, Piece};
use crate::signals::telemetry::Nanos;

/// What stands where there is no figure.
pub const NONE: &str = "–";

/// A count: every digit below a million, then `5.1 M`.
pub fn count(value: f64) -> String {
    if value.is_finite() && (0.0..999_999.5).contains(&value) {
        figure::exact(value.round() as u64)
    } else {
        figure::typeset(&figure::count(value))
    }
}

/// A fraction of 1 in per cent: `68.9 %`.
pub fn percent(fraction: Option<f64>) -> String {
    fraction.map_or(NONE.into(), |fraction| figure::typeset(&figure::percent(fraction)))
}

/// A duration in microseconds: `412 ms`.
pub fn micros(us: Option<u64>) -> String {
    us.map_or(NONE.into(), |us| figure::typeset(&figure::duration(us as f64 / 1e6)))
}

/// A duration in seconds: `2 h 10 min`.
pub fn seconds(seconds: f64) -> String {
    figure::typeset(&figure::duration(seconds))
}

/// How long from one instant to another, never less than nothing: `18 min`.
pub fn between(from: Nanos, to: Nanos) -> String {
    seconds(to.saturating_sub(from).max(0) as f64 / 1e9)
}

/// A share of attempts to operations: `2.9`, `1.0`.
pub fn ratio(value: Option<f64>) -> String {
    value.map_or(NONE.into(), |value| format!("{value:.1}"))
}

/// `one` to `twelve` in letters, larger numbers in digits, as running text has them.
pub fn spelled(n: usize) -> String {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    WORDS.get(n).map_or_else(|| figure::exact(n as u64), |word| (*word).to_owned())
}

/// The same text with a capital at its start.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `access_token` as people write it: `access token`.
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// RFC 3339 in UTC, to the millisecond where there is one.
pub fn rfc3339(time: Nanos) -> String {
    let seconds = time.div_euclid(1_000_000_000);
    let time = DateTime::<Utc>::from_timestamp(seconds, time.rem_euclid(1_000_000_000) as u32);
    let format = chrono::SecondsFormat::AutoSi;
    time.map_or_else(String::new, |time| time.to_rfc3339_opts(format, true))
}

/// An instant as an HTML `time` element: `09:12` on the day of `now`, else `23 Nov 09:12`. UTC on the wire; the page's script
/// turns it into the viewer's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// The instant.
    pub at: Nanos,
    /// What counts as today.
    pub now: Nanos,
}

impl When {
    /// An instant seen from `now`.
    pub const fn new(at: Nanos, now: Nanos) -> When {
        When { at, now }
    }

    /// The text inside the element.
    pub fn text(self) -> String {
        let day = |time: Nanos| time.div_euclid(86_400_000_000_000);
        stamp(self.at, if day(self.at) == day(self.now) { "%H:%M" } else { "%-d %b %H:%M" })
    }
}

impl fmt::Display for When {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digits and month names only: nothing in it needs escaping.
        write!(out, "<time datetime=\"{}\">{}</time>", rfc3339(self.at), self.text())
    }
}

impl askama::filters::HtmlSafe for When {}

/// A sentence for a page: escaped, its units typeset, its instants as `time` elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prose {
    text: String,
    now: Nanos,
}

impl Prose {
    /// A sentence seen from `now`.
    pub fn new(text: &str, now: Nanos) -> Prose {
        Prose { text: text.to_owned(), now }
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl fmt::Display for Prose {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in instant::pieces(&self.text) {
            match piece {
                Piece::Instant(at) => write!(out, "{}", When::new(at, self.now))?,
                Piece::Text(text) => {
                    let text = figure::typeset(text);
                    let Ok(escaped) = askama::filters::escape(&text, askama::filters::Html);
                    write!(out, "{escaped}")?;
                }
            }
        }
        Ok(())
    }
}

// Its text is escaped above, the rest is ours.
impl askama::filters::HtmlSafe for Prose {}

/// An instant in UTC by a pattern of strftime.
pub fn stamp(time: Nanos, pattern: &str) -> String {
    DateTime::<Utc>::from_timestamp(time.div_euclid(1_000_000_000), 0)
        .map_or_else(String::new, |time| time.format(pattern).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Nanos = 86_400_000_000_000;

    #[test]
    fn figures_read_as_a_person_says_them() {
        assert_eq!(count(1204.0), "1,204");
        assert_eq!(count(48_210.0), "48,210");
        assert_eq!(count(5_100_000.0), "5.1\u{202f}M");
        assert_eq!(percent(Some(0.689)), "68.9\u{202f}%");
        assert_eq!(percent(None), "–");
        assert_eq!(micros(Some(412_000)), "412\u{202f}ms");
        assert_eq!(seconds(7_800.0), "2\u{202f}h 10\u{202f}min");
        assert_eq!(ratio(Some(2.94)), "2.9");
        assert_eq!((spelled(4), spelled(40)), ("four".into(), "40".into()));
        assert_eq!(capital("four of seven"), "Four of seven");
    }

    #[test]
    fn an_instant_names_its_day_only_when_it_is_not_today() {
        let at = 1_763_975_520_000_000_000;
        assert_eq!(When::new(at, at + 1).text(), "09:12");
        assert_eq!(When::new(at, at + DAY).text(), "24 Nov 09:12");
        let html = When::new(at, at).to_string();
        assert_eq!(html, "<time datetime=\"2025-11-24T09:12:00Z\">09:12</time>");
    }

    #[test]
    fn a_sentence_is_escaped_and_its_instants_are_for_the_viewers_zone() {
        let at = 1_763_975_520_000_000_000;
        assert_eq!(
            Prose::new("<b> expires in 7 min, at 2025-11-24T09:12:00Z.", at).to_string(),
            "&#60;b&#62; expires in 7\u{202f}min, at <time datetime=\"2025-11-24T09:12:00Z\">09:12</time>."
        );
    }

    #[test]
    fn instants_outside_the_calendar_do_not_panic() {
        for time in [Nanos::MIN, -1, 0, Nanos::MAX] {
            let _ = When::new(time, Nanos::MAX).to_string();
        }
        assert_eq!(between(Nanos::MAX, Nanos::MIN), "0\u{202f}s");
    }
}
