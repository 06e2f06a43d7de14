//! Instants and spans of time as clauses hold them.

use chrono::DateTime;

use crate::signals::telemetry::Nanos;

/// An instant as sentences hold it, RFC 3339 in UTC: whoever shows it says it as its reader would.
pub fn when(time: Nanos) -> String {
    DateTime::from_timestamp(time.div_euclid(1_000_000_000), 0)
        .map_or_else(String::new, |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A length of time in seconds: `42 s`, `18 min`, `2 h 10 min`, `6 d 4 h`. The sign is dropped.
pub fn span(seconds: i64) -> String {
    let two = |large: u64, unit: &str, small: u64, of: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {of}"),
    };
    match seconds.unsigned_abs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        seconds @ 86_400..864_000 => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A count and its noun: `1 call`, `31 calls`.
pub fn counted(count: f64, noun: &str) -> String {
    let count = count.round();
    if count == 1.0 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_counts() {
        let said = [42, 1_080, 7_800, 7_200, 100 * 3_600, 41 * 86_400, -90].map(span);
        assert_eq!(said, ["42 s", "18 min", "2 h 10 min", "2 h", "4 d 4 h", "41 d", "1 min"]);
        assert_eq!((counted(1.0, "call"), counted(31.2, "call")), ("1 call".into(), "31 calls".into()));
        assert_eq!(when(1_764_122_640_999_999_999), "2025-11-26T02:04:00Z");
    }
}
