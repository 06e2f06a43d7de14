//! Who did what when: entries that hang together by their hashes, so that one that was changed or taken out is seen.

use serde::{Deserialize, Serialize};

use super::secret::{Hash, hash};
use crate::signals::telemetry::Nanos;

/// What was done. Its name says where and what: `login.ok`, `key.made`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, unix nanoseconds.
    pub at: Nanos,
    /// Who: a login name, `key:<name>`, `console` for somebody at the machine, `server` for itself, `-` for unknown.
    pub actor: String,
    /// What: `login.ok`, `login.failed`, `key.made`, `key.revoked`, `rules.reloaded` …
    pub action: String,
    /// To what: the name of a key, of a user, of a rule.
    pub object: String,
    /// The rest, as a sentence; never a secret.
    pub detail: String,
    /// From which address; empty for the machine itself.
    pub address: String,
}

/// Who does something, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// As [`Entry::actor`] has it.
    pub name: String,
    /// From which address; empty for the machine itself.
    pub address: String,
}

impl Actor {
    /// The server itself.
    pub fn server() -> Actor {
        Actor { name: "server".to_owned(), address: String::new() }
    }

    /// What this one did.
    pub fn did(&self, at: Nanos, action: &str, object: String, detail: String) -> Entry {
        let (actor, address) = (self.name.clone(), self.address.clone());
        Entry { at, actor, action: action.to_owned(), object, detail, address }
    }
}

/// An entry in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// From 1, without a gap.
    pub number: i64,
    /// What was done.
    pub entry: Entry,
    /// Over the entry, its number and the hash before it.
    pub hash: Hash,
}

/// The hash before the first.
pub const START: Hash = [0; 32];

/// The hash of an entry behind `before`.
pub fn chain(before: &Hash, number: i64, entry: &Entry) -> Hash {
    let mut bytes = before.to_vec();
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&entry.at.to_le_bytes());
    for text in [&entry.actor, &entry.action, &entry.object, &entry.detail, &entry.address] {
        // With its length, so that no letter can move from one text to the next.
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    hash(&bytes)
}

/// Checks links that follow each other, the first behind `before`: the hash of the last, or the number of the first
/// that does not hang together with what is before it.
pub fn verify(mut before: Hash, mut number: i64, links: &[Link]) -> Result<Hash, i64> {
    for link in links {
        number += 1;
        if link.number != number || link.hash != chain(&before, number, &link.entry) {
            return Err(number);
        }
        before = link.hash;
    }
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Vec<Link> {
        let mut before = START;
        let link = |number| {
            let entry = Entry {
                at: number * 1_000,
                actor: "ada".into(),
                action: "key.made".into(),
                object: format!("key {number}"),
                detail: String::new(),
                address: "192.0.2.7".into(),
            };
            before = chain(&before, number, &entry);
            Link { number, entry, hash: before }
        };
        (1..=5).map(link).collect()
    }

    #[test]
    fn a_whole_chain_hangs_together() {
        let links = links();
        assert_eq!(verify(START, 0, &links), Ok(links[4].hash));
        assert_eq!(verify(links[1].hash, 2, &links[2..]), Ok(links[4].hash));
    }

    #[test]
    fn whatever_is_changed_is_seen_where_it_is() {
        type Change = fn(&mut Vec<Link>);
        let changes: [(Change, i64); 6] = [
            (|links| links[2].entry.detail = "nothing".into(), 3),
            (|links| links[2].entry.at += 1, 3),
            (|links| links[2].hash[0] ^= 1, 3),
            (|links| drop(links.remove(2)), 3),
            (|links| links.swap(1, 2), 2),
            // A letter moves from one text to the next.
            (
                |links| {
                    links[0].entry.actor = "ad".into();
                    links[0].entry.action = "akey.made".into();
                },
                1,
            ),
        ];
        for (change, at) in changes {
            let mut links = links();
            change(&mut links);
            assert_eq!(verify(START, 0, &links), Err(at));
        }
    }
}
