//! How long somebody stays signed in.

use super::person::Session;
use crate::signals::telemetry::Nanos;

const HOUR: Nanos = 3_600_000_000_000;

/// A session that nobody uses ends after this.
pub const IDLE: Nanos = 12 * HOUR;
/// Every session ends after this.
pub const ABSOLUTE: Nanos = 7 * 24 * HOUR;
/// Its last use is written down once in this time, so that not every page is a write.
pub const NOTED: Nanos = 60_000_000_000;

/// Whether a session opens anything at a moment.
pub fn is_open(session: &Session, now: Nanos) -> bool {
    now < session.ends_at && now < session.seen_at.saturating_add(IDLE)
}

/// Whether its use is to be written down.
pub fn is_noted(session: &Session, now: Nanos) -> bool {
    now >= session.seen_at.saturating_add(NOTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(made_at: Nanos, seen_at: Nanos) -> Session {
        let ends_at = made_at + ABSOLUTE;
        Session { hash: [0; 32], user: 1, made_at, seen_at, ends_at, address: "".into(), agent: "".into() }
    }

    #[test]
    fn it_ends_when_nobody_uses_it_and_after_a_week_however_busy() {
        assert!(is_open(&session(0, 0), IDLE - 1) && !is_open(&session(0, 0), IDLE));
        let busy = session(0, ABSOLUTE - 1);
        assert!(is_open(&busy, ABSOLUTE - 1) && !is_open(&busy, ABSOLUTE));
    }

    #[test]
    fn its_use_is_written_down_once_a_minute() {
        assert!(!is_noted(&session(0, 0), NOTED - 1) && is_noted(&session(0, 0), NOTED));
    }
}
