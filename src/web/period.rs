//! Stretches of time in a query: `window=60m`, `range=6h`, `from=` and `to=` in RFC 3339 or unix seconds.

use chrono::DateTime;

use crate::rollup::window::{MINUTE, Minute};
use crate::signals::telemetry::Nanos;

/// The longest stretch that can be asked for: what hours are kept.
const LONGEST_MINUTES: i64 = 400 * 1440;

/// Half hours of a day.
pub const HALF_HOURS: i64 = 48;

/// Whole minutes: [from, to).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First minute.
    pub from: Minute,
    /// First minute after.
    pub to: Minute,
}

impl Period {
    /// The last `minutes` to now, widened to whole minutes: the running minute is in it.
    pub fn last(minutes: i64, now: Nanos) -> Period {
        let to = Minute(Minute::of(now).0 + 1);
        Period { from: Minute::of(now.saturating_sub(minutes.saturating_mul(MINUTE))), to }
    }

    /// The half hours of a day, the one that runs included: what a strip shows.
    pub fn day(now: Nanos) -> Period {
        let from = Minute::of(now).0.div_euclid(30) * 30 - 30 * (HALF_HOURS - 1);
        Period { from: Minute(from), to: Minute(Minute::of(now).0 + 1) }
    }

    /// As many minutes just before it.
    pub fn days_before(self, days: i64) -> Period {
        Period { from: Minute(self.from.0 - days * 1440), to: self.from }
    }

    /// [from, to) widened to whole minutes; what is left out is `minutes` long or ends now.
    ///
    /// # Errors
    /// A sentence that names the parameter.
    pub fn between(from: Option<&str>, to: Option<&str>, minutes: i64, now: Nanos) -> Result<Period, String> {
        let to = match to {
            Some(text) => instant("to", text)?,
            None => now,
        };
        let from = match from {
            Some(text) => instant("from", text)?,
            None => to.saturating_sub(minutes.saturating_mul(MINUTE)),
        };
        let end = Minute(to.div_euclid(MINUTE) + i64::from(to.rem_euclid(MINUTE) != 0));
        let period = Period { from: Minute::of(from), to: end };
        if from >= to {
            return Err("`from` must lie before `to`.".into());
        }
        if period.to.0 - period.from.0 > LONGEST_MINUTES {
            return Err("From `from` to `to` are more than 400 days. Ask for less.".into());
        }
        Ok(period)
    }
}

/// An instant: RFC 3339, or unix seconds.
fn instant(name: &str, text: &str) -> Result<Nanos, String> {
    let text = text.trim();
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.abs() < 9.0e9);
    let parsed = match seconds {
        Some(seconds) => Some((seconds * 1e9) as Nanos),
        // A plus that was not percent-encoded arrives as a space.
        None => DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
            .ok()
            .and_then(|time| time.timestamp_nanos_opt()),
    };
    parsed.ok_or_else(|| {
        format!(
            "`{name}` is not a time. Write 2025-11-24T09:00:00Z, or seconds since 1970 such as 1763974800."
        )
    })
}

/// A length such as `60m`, `6h`, `2d`, in minutes.
///
/// # Errors
/// A sentence that names the parameter.
pub fn length(name: &str, text: &str) -> Result<i64, String> {
    let number = |unit: char| text.strip_suffix(unit).and_then(|digits| digits.parse::<i64>().ok());
    let minutes = number('m')
        .or(number('h').and_then(|hours| hours.checked_mul(60)))
        .or(number('d').and_then(|days| days.checked_mul(1440)));
    minutes
        .filter(|minutes| (1..=LONGEST_MINUTES).contains(minutes))
        .ok_or_else(|| format!("`{name}` is not a length of time between 1m and 400d. Write 60m, 6h or 2d."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = 1_763_975_550_000_000_000;

    #[test]
    fn an_hour_to_now_has_the_running_minute() {
        let period = Period::last(60, NOW);
        assert_eq!((period.to.0 - period.from.0, period.to.start() > NOW), (61, true));
    }

    #[test]
    fn both_spellings_of_a_time_are_read_and_widened() {
        let by_name =
            Period::between(Some("2025-11-24T09:00:30Z"), Some("2025-11-24T10:00:00+01:00"), 60, NOW);
        assert!(by_name.is_err(), "ends before it starts");
        let by_name =
            Period::between(Some("2025-11-24T09:00:30Z"), Some("2025-11-24T09:30:01Z"), 60, NOW).unwrap();
        let by_number = Period::between(Some("1763974800"), Some("1763976660"), 60, NOW).unwrap();
        assert_eq!(by_name, by_number);
        assert_eq!(by_name.to.0 - by_name.from.0, 31);
    }

    #[test]
    fn what_is_no_time_is_named() {
        assert!(Period::between(Some("yesterday"), None, 60, NOW).unwrap_err().contains("`from`"));
        assert!(Period::between(Some("1e300"), None, 60, NOW).is_err());
        assert!(Period::between(Some("0"), None, 60, NOW).unwrap_err().contains("400 days"));
        assert_eq!(length("window", "2h"), Ok(120));
        for bad in ["", "60", "-5m", "0m", "9999999999999d", "5µ"] {
            assert!(length("window", bad).is_err(), "{bad}");
        }
    }
}
