//! What is told of keys on every page: those that end soon, those that somebody sends with though they have ended, and
//! those with which somebody sends what they are not for.

use crate::access::key::{IngestKey, Verdict};
use crate::receive::keys::{Ended, Keys};
use crate::signals::telemetry::Nanos;
use crate::web::Trouble;

const HOUR: Nanos = 3_600_000_000_000;
const DAY: Nanos = 24 * HOUR;
/// A key that ends within this time is told of on every page. Mails begin earlier, by the rule on credentials.
const SOON: Nanos = 7 * DAY;
/// What ended is told of for so long after it was last used.
const STILL: Nanos = HOUR;
/// A request may be under way when its key is revoked.
const ON_ITS_WAY: Nanos = HOUR / 360;

/// The sentences of this moment.
pub fn troubles(keys: &Keys, now: Nanos) -> Vec<Trouble> {
    let all = keys.all();
    let kept: Vec<&IngestKey> = all.iter().map(|known| &known.key).collect();
    let of = |known: &std::sync::Arc<crate::receive::keys::Known>| {
        let ends = of_key(&known.key, &kept, known.used.last(), &known.used.ended(), now);
        ends.into_iter().chain(outside(&known.key, known.used.outside(), now))
    };
    all.iter().flat_map(of).collect()
}

/// Whether a key was shown lately though it had been revoked. What was on its way then says nothing.
pub fn is_used_after_revocation(key: &IngestKey, last_used: Nanos, now: Nanos) -> bool {
    let after = |at: Nanos| last_used.saturating_sub(at) > ON_ITS_WAY;
    key.revoked_at.is_some_and(after) && now.saturating_sub(last_used) < STILL
}

/// Records of requests with a key that may not send them: the rest was taken, so nobody else notices.
fn outside(key: &IngestKey, (records, last): (u64, Nanos), now: Nanos) -> Option<Trouble> {
    let lately = last > 0 && now.saturating_sub(last) < STILL;
    let sentence = || {
        let noun = if records == 1 { "record was" } else { "records were" };
        format!(
            "The ingest key \"{}\" (key {}) is for integration {} in environment {}, and somebody sends others with it: \
             {records} {noun} not taken since the start. The answers to the sender name them. Let the sender use a key \
             that is for them (`seamwatch keys add`), or correct the name that it gives.",
            key.name, key.id, key.integration, key.environment
        )
    };
    lately.then(|| Trouble { since: last, refuses: false, sentence: sentence() })
}

/// A key that nobody uses any more and that has a successor needs nobody's care.
pub fn is_outlived(key: &IngestKey, all: &[&IngestKey], last_used: Nanos, now: Nanos) -> bool {
    now.saturating_sub(last_used) > DAY && all.iter().any(|other| key.is_succeeded_by(other, now))
}

/// Who sends with a key that has ended, as the end of a sentence.
pub fn senders(ended: &Ended) -> String {
    let listed = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    let mut said = String::new();
    if !ended.integrations.is_empty() {
        said.push_str(&format!(", for {}", listed(&ended.integrations)));
    }
    if !ended.agents.is_empty() {
        said.push_str(&format!(", by {}", listed(&ended.agents)));
    }
    said
}

fn of_key(
    key: &IngestKey,
    all: &[&IngestKey],
    last_used: Nanos,
    ended: &Ended,
    now: Nanos,
) -> Option<Trouble> {
    let named = format!("The ingest key \"{}\" (key {})", key.name, key.id);
    let lately = |at: Nanos| at > 0 && now.saturating_sub(at) < STILL;
    let (since, sentence) = match key.verdict(now) {
        Verdict::Flagged(until) if lately(ended.flagged_at) => (
            key.revoked_at.unwrap_or(now),
            format!(
                "{named} is revoked and still sends{}. It is taken and flagged until {}, then refused: give the sender \
                 another key before.",
                senders(ended),
                minute(until)
            ),
        ),
        Verdict::Expired(at) if lately(ended.refused_at) => (
            at,
            format!(
                "{named} has expired and still sends{}. It is refused, and what it sends is lost: make its successor \
                 with `seamwatch keys add` and give it to the sender.",
                senders(ended)
            ),
        ),
        Verdict::Revoked(at) if lately(ended.refused_at) => (
            at,
            format!(
                "{named} is revoked and still sends{}. It is refused, and what it sends is lost. Revoked by mistake? \
                 `seamwatch keys revoke {} --flag-for 24h` takes it for a day.",
                senders(ended),
                key.id
            ),
        ),
        Verdict::Good => {
            let at = key.expires_at.filter(|at| at - now <= SOON)?;
            if is_outlived(key, all, last_used, now) {
                return None;
            }
            let sentence = format!(
                "{named} expires at {}. Make its successor with `seamwatch keys add`, for integration {} in \
                 environment {}, give it to the sender, and revoke this one.",
                minute(at),
                key.integration,
                key.environment
            );
            (at - SOON, sentence)
        }
        _ => return None,
    };
    Some(Trouble { since, refuses: false, sentence })
}

fn minute(at: Nanos) -> String {
    chrono::DateTime::from_timestamp_nanos(at).format("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = 1_800_000_000_000_000_000;

    fn key() -> IngestKey {
        IngestKey {
            id: 3,
            name: "shop-1".into(),
            hash: [0; 32],
            tail: "abcd".into(),
            integration: "shop".parse().unwrap(),
            environment: "production".parse().unwrap(),
            made_at: NOW - 100 * DAY,
            made_by: "ada".into(),
            expires_at: None,
            revoked_at: None,
            flagged_until: None,
            last_used_at: None,
            rate: None,
            byte_rate: None,
        }
    }

    fn said(key: &IngestKey, ended: &Ended) -> Option<String> {
        of_key(key, &[key], NOW, ended, NOW).map(|trouble| {
            assert!(!trouble.refuses, "the others can send");
            trouble.sentence
        })
    }

    #[test]
    fn what_has_ended_is_told_while_somebody_sends_with_it() {
        let ended = Ended {
            flagged_at: NOW - HOUR / 2,
            refused_at: NOW - HOUR / 2,
            agents: ["otel/1".to_owned()].into(),
            integrations: ["shop".to_owned()].into(),
        };
        let revoked = IngestKey { revoked_at: Some(NOW - DAY), ..key() };
        let flagged = IngestKey { flagged_until: Some(NOW + DAY), ..revoked.clone() };
        let expired = IngestKey { expires_at: Some(NOW - DAY), ..key() };
        for (key, wanted) in [
            (&revoked, "`seamwatch keys revoke 3 --flag-for 24h`"),
            (&flagged, "taken and flagged until"),
            (&expired, "has expired and still sends"),
        ] {
            let sentence = said(key, &ended).unwrap();
            assert!(sentence.contains(wanted) && sentence.contains("for shop, by otel/1."), "{sentence}");
            assert!(sentence.contains("\"shop-1\" (key 3)"));
            let long_ago = Ended { flagged_at: NOW - HOUR, refused_at: NOW - HOUR, ..ended.clone() };
            assert_eq!((said(key, &long_ago), said(key, &Ended::default())), (None, None));
        }
        assert_eq!(said(&key(), &ended), None);
    }

    #[test]
    fn what_a_key_is_not_for_is_told_while_it_comes() {
        let of = |records, last| outside(&key(), (records, last), NOW).map(|trouble| trouble.sentence);
        let sentence = of(12, NOW - HOUR / 2).unwrap();
        for wanted in [
            "\"shop-1\" (key 3) is for integration shop in environment production",
            "12 records were not taken",
        ] {
            assert!(sentence.contains(wanted), "{sentence}");
        }
        assert!(of(1, NOW).unwrap().contains("1 record was not taken"));
        assert_eq!((of(12, NOW - HOUR), of(0, 0)), (None, None));
    }

    #[test]
    fn a_key_is_used_after_its_revocation_by_who_comes_later_and_not_by_what_was_on_its_way() {
        let used =
            |last| is_used_after_revocation(&IngestKey { revoked_at: Some(NOW - DAY), ..key() }, last, NOW);
        assert!(used(NOW) && used(NOW - HOUR / 2));
        assert!(!used(NOW - HOUR) && !used(NOW - DAY));
        let just_now = IngestKey { revoked_at: Some(NOW - 11 * ON_ITS_WAY / 10), ..key() };
        assert!(is_used_after_revocation(&just_now, NOW, NOW));
        assert!(!is_used_after_revocation(&just_now, NOW - ON_ITS_WAY, NOW));
        assert!(!is_used_after_revocation(&key(), NOW, NOW));
    }

    #[test]
    fn what_ends_soon_is_told_until_its_successor_is_used() {
        let none = Ended::default();
        let soon = IngestKey { expires_at: Some(NOW + SOON), ..key() };
        assert!(said(&soon, &none).unwrap().contains("Make its successor"));
        assert_eq!(said(&IngestKey { expires_at: Some(NOW + SOON + 1), ..key() }, &none), None);
        let next = IngestKey { id: 4, name: "shop-2".into(), ..key() };
        let of = |last_used| of_key(&soon, &[&soon, &next], last_used, &none, NOW);
        assert!(of(NOW - DAY).is_some(), "somebody still sends with it");
        assert_eq!(of(NOW - DAY - 1), None);
    }
}
