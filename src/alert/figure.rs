//! Figures as a person says them: 1,204; 5.1 M; 412 ms; 1.3 s; 41 d; 2 h 10 min; 68.9 %.
//!
//! An ordinary space stands before the unit; [`typeset`] makes it a narrow no-break space for pages and HTML.

use crate::signals::signal::Unit;

/// A value in a signal's base unit.
pub fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => percent(value),
        Unit::Duration => duration(value),
        Unit::Times => format!("{} x", decimal(value)),
        Unit::Count(noun) => format!("{} {}", count(value), plural(noun, value)),
        Unit::PerMinute => format!("{} per min", decimal(value)),
        Unit::Flag => if value > 0.0 { "yes" } else { "no" }.to_owned(),
    }
}

/// A fraction of 1 in per cent: `68.9 %`, `99.95 %`, `100 %`. What is not 0 or 1 never reads as 0 or 100.
pub fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    if percent == 0.0 || percent == 100.0 || !percent.is_finite() {
        return format!("{percent:.0} %");
    }
    // As many digits as it takes to tell the figure from 0 and 100.
    let from_the_end = percent.abs().min((100.0 - percent).abs());
    let digits = match from_the_end {
        d if d >= 0.95 => 1,
        d if d >= 0.0095 => 2,
        _ => return if percent > 50.0 { "> 99.99 %".into() } else { "< 0.01 %".into() },
    };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// A count: `1,204`, from ten thousand on `12.3 k`, `5.1 M`, `2 G`.
pub fn count(value: f64) -> String {
    let whole = value.round();
    if !whole.is_finite() {
        return "many".into();
    }
    if whole.abs() < 10_000.0 {
        return grouped(whole as i64);
    }
    let (scaled, unit) = match whole.abs() {
        size if size < 999_950.0 => (whole / 1e3, "k"),
        size if size < 999_950_000.0 => (whole / 1e6, "M"),
        _ => (whole / 1e9, "G"),
    };
    format!("{} {unit}", decimal(scaled))
}

/// A count with every digit: `1,204,311`. For evidence, where the exact figure matters.
pub fn exact(value: u64) -> String {
    grouped(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A duration in seconds: `412 ms`, `1.3 s`, `42 s`, `18 min`, `2 h 10 min`, `6 d 4 h`, `41 d`. The sign is dropped.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.abs();
    if !seconds.is_finite() {
        return "for ever".into();
    }
    if seconds < 0.000_5 {
        return if seconds == 0.0 { "0 s".into() } else { format!("{:.0} µs", seconds * 1e6) };
    }
    if seconds < 0.999_5 {
        return format!("{:.0} ms", seconds * 1e3);
    }
    if seconds < 9.95 {
        return format!("{} s", decimal(seconds));
    }
    if seconds < 59.5 {
        return format!("{seconds:.0} s");
    }
    let minutes = (seconds / 60.0).round() as i64;
    if minutes < 60 {
        return format!("{minutes} min");
    }
    if minutes < 24 * 60 {
        return two((minutes / 60, "h"), (minutes % 60, "min"));
    }
    let hours = (seconds / 3600.0).round() as i64;
    if hours < 10 * 24 {
        return two((hours / 24, "d"), (hours % 24, "h"));
    }
    format!("{} d", grouped((seconds / 86_400.0).floor() as i64))
}

/// The noun in the number that fits.
pub fn plural(noun: &str, value: f64) -> String {
    if value == 1.0 {
        return noun.to_owned();
    }
    match noun {
        "delivery" => "deliveries".into(),
        "series" => "series".into(),
        "refresh" => "refreshes".into(),
        _ => format!("{noun}s"),
    }
}

/// `HubSpot → CRM`; `HubSpot ⇄ CRM` where both ends name both systems; empty where neither end is known.
pub fn route(source: &str, destination: &str) -> String {
    let names = |end: &str| -> Vec<String> {
        end.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    };
    let (mut from, mut to) = (names(source), names(destination));
    let both = from.join(" ⇄ ");
    from.sort();
    to.sort();
    match (source.is_empty(), destination.is_empty()) {
        (true, true) => String::new(),
        (false, true) => source.to_owned(),
        (true, false) => format!("→ {destination}"),
        (false, false) if from.len() > 1 && from == to => both,
        (false, false) => format!("{source} → {destination}"),
    }
}

/// Makes the space between a digit and its unit narrow and unbreakable.
pub fn typeset(text: &str) -> String {
    const UNITS: [&str; 16] =
        ["%", "µs", "ms", "s", "min", "h", "d", "x", "k", "M", "G", "per", "B", "KB", "MB", "GB"];
    let mut out = String::with_capacity(text.len() + 8);
    let mut after_digit = false;
    for (at, word) in text.split(' ').enumerate() {
        if at > 0 {
            let bare = word.trim_end_matches(['.', ',', ';', ':', ')']);
            out.push(if after_digit && UNITS.contains(&bare) { '\u{202f}' } else { ' ' });
        }
        out.push_str(word);
        after_digit = word.ends_with(|end: char| end.is_ascii_digit());
    }
    out
}

/// One decimal, none where it would be 0.
fn decimal(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn two((large, large_unit): (i64, &str), (small, small_unit): (i64, &str)) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        out.push('−');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let cases = [
            (0.0, "0"),
            (999.0, "999"),
            (1204.0, "1,204"),
            (9999.0, "9,999"),
            (12_345.0, "12.3 k"),
            (999_960.0, "1 M"),
            (5_100_000.0, "5.1 M"),
            (2e9, "2 G"),
            (-1204.0, "−1,204"),
        ];
        for (raw, text) in cases {
            assert_eq!(count(raw), text);
        }
        assert_eq!(exact(1_204_311), "1,204,311");
    }

    #[test]
    fn percentages_never_round_to_the_whole() {
        let cases = [
            (0.689, "68.9 %"),
            (1.0, "100 %"),
            (0.0, "0 %"),
            (0.95, "95 %"),
            (0.995, "99.5 %"),
            (0.9995, "99.95 %"),
            (0.999_99, "> 99.99 %"),
            (0.000_01, "< 0.01 %"),
            (0.001, "0.1 %"),
            (2.0 / 3.0, "66.7 %"),
        ];
        for (raw, text) in cases {
            assert_eq!(percent(raw), text, "{raw}");
        }
    }

    #[test]
    fn durations() {
        let cases = [
            (0.0, "0 s"),
            (0.000_2, "200 µs"),
            (0.412, "412 ms"),
            (1.3, "1.3 s"),
            (2.0, "2 s"),
            (9.97, "10 s"),
            (42.0, "42 s"),
            (59.7, "1 min"),
            (1080.0, "18 min"),
            (7800.0, "2 h 10 min"),
            (3600.0, "1 h"),
            (86_399.0, "1 d"),
            (534_000.0, "6 d 4 h"),
            (41.0 * 86_400.0 + 5.0, "41 d"),
            (-180.0, "3 min"),
        ];
        for (raw, text) in cases {
            assert_eq!(duration(raw), text, "{raw}");
        }
    }

    #[test]
    fn values_carry_their_unit() {
        assert_eq!(value(Unit::Count("record"), 1.0), "1 record");
        assert_eq!(value(Unit::Count("record"), 4.0), "4 records");
        assert_eq!(value(Unit::PerMinute, 3.25), "3.2 per min");
        assert_eq!(value(Unit::Times, 3.0), "3 x");
    }

    #[test]
    fn a_route_that_names_both_systems_at_both_ends_goes_both_ways() {
        assert_eq!(route("Stripe", "Xero"), "Stripe → Xero");
        assert_eq!(route("HubSpot, CRM", "CRM, HubSpot"), "HubSpot ⇄ CRM");
        assert_eq!(route("A, B", "C"), "A, B → C");
        assert_eq!((route("", ""), route("A", ""), route("", "B")), ("".into(), "A".into(), "→ B".into()));
    }

    #[test]
    fn typesetting_touches_units_only() {
        assert_eq!(
            typeset("68.9 % of 40 calls in 5 min, 2 h 10 min."),
            "68.9\u{202f}% of 40 calls in 5\u{202f}min, 2\u{202f}h 10\u{202f}min."
        );
    }
}
