//! Ingest keys: who may send for which integration, and until when.
//!
//! What a key opens never changes and no key is ever deleted: the inbox and the audit log name keys by their number,
//! and what was received under a number is read again as it was then.

use crate::signals::scope::{Pattern, Scope};
use crate::signals::telemetry::Nanos;

use super::secret::Hash;

/// Keys that may be valid for the same patterns at one time: the old one and its successor.
const AT_ONCE: usize = 2;
/// Longest name, in bytes.
const NAME: usize = 120;

/// A key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestKey {
    /// From 1; the inbox keeps it with each request.
    pub id: u64,
    /// What people call it; one that is valid shares it with no other that is.
    pub name: String,
    /// Of the secret.
    pub hash: Hash,
    /// The secret's last letters, by which people tell their keys apart.
    pub tail: String,
    /// Which integrations it may send for.
    pub integration: Pattern,
    /// Which environments it may send for.
    pub environment: Pattern,
    /// When it was made.
    pub made_at: Nanos,
    /// Who made it.
    pub made_by: String,
    /// When it ends; none for never.
    pub expires_at: Option<Nanos>,
    /// Since when what it sends is refused, or flagged first.
    pub revoked_at: Option<Nanos>,
    /// Until when what it sends is taken and flagged, after it was revoked.
    pub flagged_until: Option<Nanos>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Nanos>,
    /// Requests a second; none for no limit.
    pub rate: Option<u32>,
    /// Bytes a second, as they arrive; none for no limit.
    pub byte_rate: Option<u32>,
}

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// Which integrations it may send for.
    pub integration: Pattern,
    /// Which environments it may send for.
    pub environment: Pattern,
    /// When it ends; none for never.
    pub expires_at: Option<Nanos>,
    /// Requests a second; none for no limit.
    pub rate: Option<u32>,
    /// Bytes a second; none for no limit.
    pub byte_rate: Option<u32>,
}

/// Whether a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Good,
    /// It was revoked, and what it sends is taken and flagged until then.
    Flagged(Nanos),
    /// It ended at that time.
    Expired(Nanos),
    /// It was revoked at that time.
    Revoked(Nanos),
}

impl Verdict {
    /// Whether what the key sends is taken.
    pub fn is_open(self) -> bool {
        matches!(self, Verdict::Good | Verdict::Flagged(_))
    }
}

impl IngestKey {
    /// Whether it opens at a time. One that was revoked stays so whenever it would have ended.
    pub fn verdict(&self, now: Nanos) -> Verdict {
        match (self.revoked_at, self.flagged_until, self.expires_at) {
            (Some(_), Some(until), expires) if until > now && expires.is_none_or(|at| at > now) => {
                Verdict::Flagged(until)
            }
            (Some(at), ..) => Verdict::Revoked(at),
            (None, _, Some(at)) if at <= now => Verdict::Expired(at),
            (None, ..) => Verdict::Good,
        }
    }

    /// For whom its holder may speak.
    pub fn scope(&self) -> Scope {
        Scope {
            key: self.name.clone(),
            integration: self.integration.clone(),
            environment: self.environment.clone(),
        }
    }

    /// How the audit log names it.
    pub fn named(&self) -> String {
        format!("{} (key {})", self.name, self.id)
    }

    /// Whether another key takes its place: one of the same patterns that ends later or never.
    pub fn is_succeeded_by(&self, other: &IngestKey, now: Nanos) -> bool {
        let same = (&self.integration, &self.environment) == (&other.integration, &other.environment);
        let later = match (self.expires_at, other.expires_at) {
            (Some(ours), Some(theirs)) => theirs > ours,
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.id != other.id && same && later && other.verdict(now) == Verdict::Good
    }
}

impl NewKey {
    /// Whether it can be made beside those that are there; why not, as a sentence.
    pub fn check(&self, others: &[IngestKey], now: Nanos) -> Result<(), String> {
        let NewKey { name, integration, environment, .. } = self;
        if name.is_empty()
            || name.len() > NAME
            || name.trim() != name
            || name.chars().any(char::is_control)
            || name.parse::<u64>().is_ok()
        {
            return Err(format!(
                "A key's name has 1 to {NAME} bytes on one line and is not a number: name it after who sends with it."
            ));
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err("The key would have expired already; name a later end.".to_owned());
        }
        if self.rate == Some(0) || self.byte_rate == Some(0) {
            return Err("A limit of 0 would let nothing through; leave it out for no limit.".to_owned());
        }
        let open = || others.iter().filter(|other| other.verdict(now).is_open());
        if let Some(other) = open().find(|other| other.name == *name) {
            return Err(format!(
                "There is a key \"{name}\" already (key {}). Give this one another name, such as \"{name}-2\", or revoke that one first.",
                other.id
            ));
        }
        let same =
            |other: &&IngestKey| other.integration == *integration && other.environment == *environment;
        let valid: Vec<&IngestKey> =
            open().filter(same).filter(|other| other.verdict(now) == Verdict::Good).collect();
        if let (Some(first), true) = (valid.first(), valid.len() >= AT_ONCE) {
            return Err(format!(
                "{AT_ONCE} keys are valid for integration {integration} in environment {environment} already, the old one and its successor. Revoke the one that nobody uses any more, such as \"{}\", and make this one then.",
                first.name
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u64, name: &str) -> IngestKey {
        IngestKey {
            id,
            name: name.into(),
            hash: [id as u8; 32],
            tail: "abcd".into(),
            integration: "shop".parse().unwrap(),
            environment: Pattern::any(),
            made_at: 10,
            made_by: "ada".into(),
            expires_at: None,
            revoked_at: None,
            flagged_until: None,
            last_used_at: None,
            rate: None,
            byte_rate: None,
        }
    }

    fn new(name: &str) -> NewKey {
        NewKey {
            name: name.into(),
            integration: "shop".parse().unwrap(),
            environment: Pattern::any(),
            expires_at: None,
            rate: None,
            byte_rate: None,
        }
    }

    #[test]
    fn a_key_is_good_until_it_ends_or_is_revoked() {
        let plain = key(1, "a");
        assert_eq!(plain.verdict(i64::MAX), Verdict::Good);
        let ends = IngestKey { expires_at: Some(100), ..plain.clone() };
        assert_eq!((ends.verdict(99), ends.verdict(100)), (Verdict::Good, Verdict::Expired(100)));
        let revoked = IngestKey { revoked_at: Some(50), ..ends };
        assert_eq!((revoked.verdict(50), revoked.verdict(200)), (Verdict::Revoked(50), Verdict::Revoked(50)));
        let flagged = IngestKey { flagged_until: Some(90), ..revoked };
        assert_eq!((flagged.verdict(89), flagged.verdict(90)), (Verdict::Flagged(90), Verdict::Revoked(50)));
        let ended = IngestKey { expires_at: Some(60), ..flagged };
        assert_eq!(ended.verdict(70), Verdict::Revoked(50), "a grace does not outlive the key's own end");
    }

    #[test]
    fn two_of_the_same_patterns_are_valid_at_one_time_and_no_third() {
        let mut keys = vec![key(1, "a"), key(2, "b")];
        let said = new("c").check(&keys, 100).unwrap_err();
        assert!(said.contains("Revoke the one that nobody uses any more, such as \"a\""), "{said}");
        assert_eq!(NewKey { environment: "staging".parse().unwrap(), ..new("c") }.check(&keys, 100), Ok(()));
        keys[0].expires_at = Some(100);
        assert_eq!(new("c").check(&keys, 100), Ok(()), "one has ended");
        keys[0] = IngestKey { revoked_at: Some(1), flagged_until: Some(200), ..key(1, "a") };
        assert_eq!(new("c").check(&keys, 100), Ok(()), "one is on its way out");
    }

    #[test]
    fn a_name_is_held_while_its_key_opens() {
        let mut keys = vec![key(1, "a")];
        assert!(new("a").check(&keys, 100).unwrap_err().contains("\"a-2\""));
        keys[0].revoked_at = Some(50);
        assert_eq!(new("a").check(&keys, 100), Ok(()));
        keys[0].flagged_until = Some(200);
        assert!(new("a").check(&keys, 100).is_err());
        for bad in ["", " a", "a\nb", "17", &"a".repeat(121)] {
            assert!(new(bad).check(&[], 100).is_err_and(|said| said.contains("1 to 120 bytes")), "{bad:?}");
        }
        assert!(NewKey { expires_at: Some(100), ..new("x") }.check(&[], 100).is_err());
        assert!(NewKey { rate: Some(0), ..new("x") }.check(&[], 100).is_err());
    }

    #[test]
    fn a_successor_has_the_same_patterns_and_ends_later() {
        let old = IngestKey { expires_at: Some(100), ..key(1, "a") };
        assert!(old.is_succeeded_by(&key(2, "b"), 50));
        assert!(!key(2, "b").is_succeeded_by(&old, 50) && !old.is_succeeded_by(&old, 50));
        let elsewhere = IngestKey { environment: "staging".parse().unwrap(), ..key(2, "b") };
        assert!(!old.is_succeeded_by(&elsewhere, 50));
        let revoked = IngestKey { revoked_at: Some(1), ..key(2, "b") };
        assert!(!old.is_succeeded_by(&revoked, 50));
    }
}
