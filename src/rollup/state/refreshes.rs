//! How refreshes of a credential went: the latest success, and the latest failures.

use serde::{Deserialize, Serialize};

use super::super::series::Merge;
use super::Slot;
use crate::signals::telemetry::Nanos;

/// So many failures are kept, the latest.
const KEPT: usize = 32;

/// Who told of a failure. One that is told of by several is one all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Teller {
    /// `integration.credential.refresh_failed`.
    Event,
    /// `integration.credential.refreshes`, to the minute.
    Counter,
    /// The call to the token endpoint, to the minute.
    Span,
}

/// Failures of one kind at one time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub time: Nanos,
    /// Who says so.
    pub teller: Teller,
    /// `error.type`.
    pub error: String,
    /// How many.
    pub count: u64,
}

/// How refreshes of a credential went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Refreshes {
    /// The latest success.
    pub succeeded_at: Option<Nanos>,
    /// The latest failures, ascending, one of each (time, teller, error).
    pub failures: Vec<Failure>,
}

impl Refreshes {
    /// One success.
    pub fn success(time: Nanos) -> Refreshes {
        Refreshes { succeeded_at: Some(time), failures: Vec::new() }
    }

    /// Some failures.
    pub fn failure(failure: Failure) -> Refreshes {
        Refreshes { succeeded_at: None, failures: vec![failure] }
    }

    /// Failures that no success, no later generation and no later expiry has healed, ascending.
    pub fn open(&self, slot: Option<&Slot>) -> &[Failure] {
        let healed = self.succeeded_at.into_iter().chain(slot.and_then(Slot::renewed_at)).max();
        let first = healed.map_or(0, |at| self.failures.partition_point(|failure| failure.time <= at));
        self.failures.get(first..).unwrap_or_default()
    }
}

impl Merge for Refreshes {
    fn merge(&mut self, other: &Self) {
        self.succeeded_at = self.succeeded_at.max(other.succeeded_at);
        for theirs in &other.failures {
            let order = |ours: &Failure| {
                (ours.time, ours.teller, &*ours.error).cmp(&(theirs.time, theirs.teller, &*theirs.error))
            };
            match self.failures.binary_search_by(order) {
                Ok(at) => {
                    if let Some(ours) = self.failures.get_mut(at) {
                        ours.count = ours.count.saturating_add(theirs.count);
                    }
                }
                Err(at) => self.failures.insert(at, theirs.clone()),
            }
        }
        let past = self.failures.len().saturating_sub(KEPT);
        self.failures.drain(..past);
    }
}

/// How many there are: of several tellers of the same failures the one that tells of most.
pub fn count<'f>(failures: impl Iterator<Item = &'f Failure> + Clone) -> u64 {
    let of = |teller| {
        let told = failures.clone().filter(|failure| failure.teller == teller);
        told.map(|failure| failure.count).fold(0, u64::saturating_add)
    };
    [Teller::Event, Teller::Counter, Teller::Span].into_iter().map(of).max().unwrap_or(0)
}

/// Whether trying again cannot help: the grant or the client is not accepted any more.
pub fn is_final(error: &str) -> bool {
    const FINAL: [&str; 9] = [
        "invalid_grant",
        "invalid_client",
        "unauthorized_client",
        "access_denied",
        "invalid_token",
        "interaction_required",
        "consent_required",
        "revoked",
        "expired_token",
    ];
    let error = error.to_ascii_lowercase();
    FINAL.iter().any(|word| error.contains(word)) || matches!(&*error, "400" | "401" | "403")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(time: Nanos, teller: Teller, error: &str) -> Refreshes {
        Refreshes::failure(Failure { time, teller, error: error.into(), count: 1 })
    }

    fn all(parts: &[Refreshes]) -> Refreshes {
        parts.iter().fold(Refreshes::default(), |mut sum, part| {
            sum.merge(part);
            sum
        })
    }

    #[test]
    fn any_order_and_any_partition_give_the_same() {
        let parts: Vec<Refreshes> = (0..90)
            .map(|n| match n % 7 {
                0 => Refreshes::success(n * 11 % 50),
                _ => failed(n * 13 % 61, Teller::Counter, ["invalid_grant", "503"][n as usize % 2]),
            })
            .collect();
        let whole = all(&parts);
        assert_eq!(whole.failures.len(), KEPT);
        let mut turned = parts.clone();
        turned.reverse();
        assert_eq!(all(&turned), whole);
        for cut in [1, 20, 45, 89] {
            let (head, tail) = parts.split_at(cut);
            assert_eq!(all(&[all(tail), all(head)]), whole, "{cut}");
        }
        assert_eq!(all(&[whole.clone(), Refreshes::default()]), whole);
    }

    #[test]
    fn a_success_heals_what_was_before_it() {
        let parts = [failed(1, Teller::Event, "503"), Refreshes::success(5), failed(7, Teller::Event, "503")];
        assert_eq!(all(&parts).open(None).iter().map(|failure| failure.time).collect::<Vec<_>>(), [7]);
        assert_eq!(all(&parts[..2]).open(None), []);
    }

    #[test]
    fn what_two_tell_of_is_counted_once() {
        let both = all(&[failed(1, Teller::Event, "503"), failed(0, Teller::Counter, "503")]);
        assert_eq!(count(both.failures.iter()), 1);
    }

    #[test]
    fn what_trying_again_cannot_mend() {
        for error in ["invalid_grant", "oauth2.InvalidGrant: invalid_grant", "401", "token_revoked"] {
            assert!(is_final(error), "{error}");
        }
        for error in ["503", "429", "ReadTimeout", "network", "server_error", ""] {
            assert!(!is_final(error), "{error}");
        }
    }
}
