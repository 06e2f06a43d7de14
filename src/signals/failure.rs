//! Error groups: failures that are alike, whatever ids and times stand in their messages (semantics section 14).

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use super::normal::{cut, normalised};
use super::observation::{Direction, IntegrationKey};
use super::telemetry::Nanos;

/// What stands for all groups past a limit.
pub const OTHER: &str = "(other)";
/// Groups of one request; what is past them is [`OTHER`].
pub const GROUPS: usize = 1_000;
/// Longest type of an error, in bytes.
const KIND: usize = 120;
/// Longest message that is shown as it was said, in bytes.
const SAID: usize = 1024;

/// Names an error group: the same for the same failure in every version, on every server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What failures of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorKey {
    /// Of all that follows.
    pub fingerprint: Fingerprint,
    /// Whose.
    pub integration: IntegrationKey,
    /// Which way the call went; none for what is no call.
    pub direction: Option<Direction>,
    /// Host name of the other side, empty when unknown.
    pub peer: Arc<str>,
    /// The call's endpoint, else what failed: a span's name, an event's subject.
    pub endpoint: Arc<str>,
    /// `error.type`, else the exception's type, else the status.
    pub kind: Arc<str>,
    /// The message with placeholders.
    pub message: Arc<str>,
}

impl ErrorKey {
    /// The key of a failure, from its message as it was said.
    pub fn new(
        integration: IntegrationKey,
        direction: Option<Direction>,
        (peer, endpoint): (&str, &str),
        kind: &str,
        message: &str,
    ) -> ErrorKey {
        let kind = visible(kind, KIND).into();
        let message = normalised(message).into();
        ErrorKey::of(integration, direction, (peer.into(), endpoint.into()), kind, message)
    }

    /// What stands for an integration's groups past a limit.
    pub fn other(integration: IntegrationKey) -> ErrorKey {
        ErrorKey::of(integration, None, ("".into(), OTHER.into()), OTHER.into(), "".into())
    }

    /// The same failure of another integration.
    pub fn of_other(&self, integration: IntegrationKey) -> ErrorKey {
        let place = (self.peer.clone(), self.endpoint.clone());
        ErrorKey::of(integration, self.direction, place, self.kind.clone(), self.message.clone())
    }

    fn of(
        integration: IntegrationKey,
        direction: Option<Direction>,
        (peer, endpoint): (Arc<str>, Arc<str>),
        kind: Arc<str>,
        message: Arc<str>,
    ) -> ErrorKey {
        let way = match direction {
            None => "",
            Some(Direction::Outbound) => "outbound",
            Some(Direction::Inbound) => "inbound",
            Some(Direction::Dependency) => "dependency",
        };
        let parts = [&*integration.environment, &integration.name, way, &peer, &endpoint, &kind, &message];
        let fingerprint = Fingerprint(digest(&parts));
        ErrorKey { fingerprint, integration, direction, peer, endpoint, kind, message }
    }
}

/// A hash of texts that is kept: XXH3 of each with its length before it.
pub fn digest(parts: &[&str]) -> u128 {
    let mut hasher = Xxh3::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.digest128()
}

/// The start of a text on one line, without what cannot be seen.
pub fn visible(text: &str, longest: usize) -> String {
    let text: String =
        cut(text, longest).chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    text.trim().to_owned()
}

/// Where a failure's record lies in its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A row of the request's spans.
    Span(u32),
    /// A row of its log records.
    Log(u32),
    /// Nowhere: a report says no more than its message.
    Told,
}

/// One failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failing {
    /// When it happened.
    pub time: Nanos,
    /// Its record.
    pub row: Row,
}

/// The failures of one request that are alike, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorGroup {
    /// Index into [`super::observation::Observations::integrations`].
    pub integration: u32,
    /// What they have in common.
    pub key: Arc<ErrorKey>,
    /// `service.version` of the earliest, with its time.
    pub first: (Nanos, String),
    /// What the latest said, with its time.
    pub latest: (Nanos, String),
    /// All of them.
    pub failures: Vec<Failing>,
}

impl ErrorGroup {
    /// A group without a failure yet.
    pub fn new(integration: u32, key: ErrorKey) -> ErrorGroup {
        ErrorGroup {
            integration,
            key: Arc::new(key),
            first: (Nanos::MAX, String::new()),
            latest: (Nanos::MIN, String::new()),
            failures: Vec::new(),
        }
    }

    /// Adds a failure: what it said, and the version that said it.
    pub fn add(&mut self, failing: Failing, message: &str, version: &str) {
        if failing.time < self.first.0 {
            self.first = (failing.time, version.to_owned());
        }
        if failing.time >= self.latest.0 {
            self.latest.0 = failing.time;
            let said = cut(message, SAID);
            if self.latest.1 != said {
                self.latest.1 = visible(said, SAID);
            }
        }
        self.failures.push(failing);
    }

    /// Takes in another group of the same request that has become the same.
    pub fn join(&mut self, other: ErrorGroup) {
        if other.first.0 < self.first.0 {
            self.first = other.first;
        }
        if other.latest.0 >= self.latest.0 {
            self.latest = other.latest;
        }
        self.failures.extend(other.failures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, message: &str) -> ErrorKey {
        let whose = IntegrationKey { environment: "production".into(), name: "shop".into() };
        ErrorKey::new(whose, Some(Direction::Outbound), ("api.example", "GET /x/{id}"), kind, message)
    }

    #[test]
    fn a_fingerprint_is_kept_for_good() {
        let key = key("503", "no row 17");
        // Groups that were written by earlier versions are found by it: if this fails, they are not.
        assert_eq!(key.fingerprint.to_string(), "32e4a37952fc44c51a878c3a57cbb41a");
        assert_eq!(&*key.message, "no row {n}");
    }

    #[test]
    fn every_part_tells_groups_apart_and_values_do_not() {
        let one = key("503", "no row 17").fingerprint;
        assert_eq!(key("503", "no row 18").fingerprint, one);
        assert_ne!(key("500", "no row 17").fingerprint, one);
        assert_ne!(key("503", "no column 17").fingerprint, one);
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        let whose = IntegrationKey { environment: "test".into(), name: "shop".into() };
        assert_ne!(key("503", "no row 17").of_other(whose).fingerprint, one);
    }

    #[test]
    fn a_group_keeps_the_earliest_version_and_the_latest_word() {
        let mut group = ErrorGroup::new(0, key("503", "x"));
        let at = |time| Failing { time, row: Row::Told };
        group.add(at(5), "five", "v2");
        group.add(at(3), "three", "v1");
        group.add(at(7), "seven\0\n", "v3");
        assert_eq!((group.first.clone(), group.latest.clone()), ((3, "v1".into()), (7, "seven".into())));
        assert_eq!(group.failures.len(), 3);
    }
}
