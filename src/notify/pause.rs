//! What does not take messages now: e-mail's relay, or another channel. It is asked again after a while, with one
//! message, and nothing is dropped meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::signals::telemetry::Nanos;

/// Who has to change the configuration is not there yet: asking again soon helps nobody.
const OURS: Duration = Duration::from_secs(300);
/// A trouble that lasts this long is worth a banner.
const TOLD_AFTER: Nanos = 60_000_000_000;

/// What is paused, by the channel's name; e-mail's is empty. Cheap to clone: the pages look at it too.
#[derive(Clone, Debug, Default)]
pub struct Pauses(Arc<Mutex<BTreeMap<String, Pause>>>);

/// A channel that takes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Nanos,
    /// Not asked before this.
    pub until: Nanos,
    /// How often it was asked in vain.
    pub tries: u32,
    /// Whether this configuration is the reason.
    pub ours: bool,
    /// A sentence that says why.
    pub why: String,
}

impl Pauses {
    /// A message could not be handed over: the channel is left alone until the instant that comes back.
    pub fn begin(&self, channel: &str, ours: bool, why: &str, seed: u64, now: Nanos) -> Nanos {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(channel);
        let tries = before.map_or(0, |pause| pause.tries) + 1;
        let wait = if ours { OURS } else { backoff(tries, seed) };
        let until = now.saturating_add(Nanos::try_from(wait.as_nanos()).unwrap_or(Nanos::MAX));
        let since = before.map_or(now, |pause| pause.since);
        all.insert(channel.to_owned(), Pause { since, until, tries, ours, why: why.to_owned() });
        until
    }

    /// The channel took a message.
    pub fn end(&self, channel: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(channel);
    }

    /// Channels that are not asked now.
    pub fn paused(&self, now: Nanos) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|(_, pause)| now < pause.until).map(|(name, _)| name.clone()).collect()
    }

    /// What stands on every page: (since, sentence).
    pub fn troubles(&self, now: Nanos) -> Vec<(Nanos, String)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = all.iter().filter(|(_, pause)| pause.ours || now - pause.since >= TOLD_AFTER);
        told.map(|(name, pause)| (pause.since, sentence(name, pause))).collect()
    }
}

fn sentence(name: &str, pause: &Pause) -> String {
    let what = if name.is_empty() { "No mail leaves".to_owned() } else { format!("Nothing goes to {name}") };
    let again = if pause.ours {
        "It is tried every five minutes, and nothing is dropped meanwhile."
    } else {
        "It is tried again and again, and nothing is dropped meanwhile."
    };
    format!("{what}: {} {again}", pause.why)
}

/// 5 s, 15 s, 45 s, 2 min, 5 min, then 10 min, each a quarter more or less.
pub fn backoff(attempts: u32, seed: u64) -> Duration {
    let steps = [5_000u64, 15_000, 45_000, 120_000, 300_000, 600_000];
    let step = steps.get(attempts.saturating_sub(1) as usize).copied().unwrap_or(600_000);
    Duration::from_millis(step * 3 / 4 + seed.wrapping_add(u64::from(attempts)) % (step / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    #[test]
    fn backoff_grows_to_ten_minutes_within_a_quarter() {
        for (attempts, step) in [(1, 5), (2, 15), (3, 45), (4, 120), (5, 300), (6, 600), (60, 600)] {
            for seed in 0..50 {
                let wait = backoff(attempts, seed * 1013).as_millis() as u64;
                assert!(wait >= step * 750 && wait <= step * 1250, "{attempts}: {wait}");
            }
        }
    }

    #[test]
    fn a_pause_grows_until_something_is_taken_and_each_channel_has_its_own() {
        let pauses = Pauses::default();
        let first = pauses.begin("", false, "it is down.", 0, 0);
        assert!((3 * SECOND..=7 * SECOND).contains(&first), "{first}");
        assert_eq!(pauses.paused(first - 1), [""]);
        assert_eq!(pauses.paused(first), [""; 0]);
        let second = pauses.begin("", false, "it is down.", 0, first);
        assert!(second - first >= 11 * SECOND);
        pauses.begin("chat", true, "401.", 0, 0);
        assert_eq!(pauses.paused(299 * SECOND), ["chat"]);
        pauses.end("");
        assert!(pauses.begin("", false, "again.", 0, second) - second <= 7 * SECOND, "it begins anew");
    }

    #[test]
    fn our_own_mistake_is_told_at_once_and_a_hiccup_is_not() {
        let pauses = Pauses::default();
        pauses.begin("", false, "relay:25 cannot be reached.", 0, 0);
        assert_eq!(pauses.troubles(SECOND), []);
        let told = pauses.troubles(60 * SECOND);
        assert!(told[0].1.starts_with("No mail leaves: relay:25 cannot be reached. It is tried"), "{told:?}");
        pauses.begin("chat", true, "401.", 0, 0);
        assert!(pauses.troubles(SECOND)[0].1.starts_with("Nothing goes to chat: 401."));
    }
}
