//! Instants inside a sentence. A sentence is written once and read in many zones: it holds an instant as RFC 3339
//! in UTC, whole seconds, and whoever shows it says it as its reader would.

use chrono::{DateTime, NaiveDateTime};

use crate::signals::telemetry::Nanos;

/// As many bytes as an instant has in a sentence: `2026-11-25T19:52:00Z`.
const LENGTH: usize = 20;
const PATTERN: &str = "%Y-%m-%dT%H:%M:%SZ";
const SECOND: Nanos = 1_000_000_000;

/// A stretch of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// As it stands.
    Text(&'t str),
    /// An instant.
    Instant(Nanos),
}

/// An instant as a sentence holds it; empty where no calendar has it.
pub fn written(time: Nanos) -> String {
    DateTime::from_timestamp(time.div_euclid(SECOND), 0)
        .map_or_else(String::new, |at| at.format(PATTERN).to_string())
}

/// The same of unix seconds, which may lie beyond what nanoseconds reach.
pub fn written_seconds(seconds: i64) -> String {
    written(seconds.saturating_mul(SECOND))
}

/// Cuts a sentence into text and instants.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut begun = 0;
    let mut from = 0;
    // Every instant has its T at the same place; nothing else need be tried.
    while let Some(found) = text.get(from..).and_then(|rest| rest.find('T')) {
        let letter = from + found;
        from = letter + 1;
        let Some(start) = letter.checked_sub(10).filter(|start| *start >= begun) else { continue };
        let Some(time) = text.get(start..start + LENGTH).and_then(read) else { continue };
        if let Some(before) = text.get(begun..start).filter(|before| !before.is_empty()) {
            out.push(Piece::Text(before));
        }
        out.push(Piece::Instant(time));
        begun = start + LENGTH;
        from = begun;
    }
    if let Some(rest) = text.get(begun..).filter(|rest| !rest.is_empty()) {
        out.push(Piece::Text(rest));
    }
    out
}

/// The sentence with its instants as `say` says them.
pub fn spoken(text: &str, say: impl Fn(Nanos) -> String) -> String {
    pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Instant(time) => say(time),
        })
        .collect()
}

fn read(text: &str) -> Option<Nanos> {
    NaiveDateTime::parse_from_str(text, PATTERN).ok()?.and_utc().timestamp_nanos_opt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_found_again_wherever_it_stands() {
        let at = 1_763_975_520 * SECOND;
        let text = format!("{} was Then, T or {}.", written(at), written(at + SECOND));
        assert_eq!(
            pieces(&text),
            [
                Piece::Instant(at),
                Piece::Text(" was Then, T or "),
                Piece::Instant(at + SECOND),
                Piece::Text(".")
            ]
        );
        assert_eq!(spoken(&text, |_| "09:12".into()), "09:12 was Then, T or 09:12.");
    }

    #[test]
    fn what_only_looks_like_an_instant_is_text() {
        for text in ["", "T", "2025-13-24T09:12:00Z", "é2025-11-24T09:12", "2025-11-24T99:12:00Z TTTé"] {
            assert_eq!(spoken(text, |_| "!".into()), text);
        }
    }

    #[test]
    fn an_instant_beyond_the_calendar_is_no_panic() {
        for seconds in [i64::MIN, i64::MAX, 0] {
            let _ = spoken(&written_seconds(seconds), |_| String::new());
        }
    }
}
