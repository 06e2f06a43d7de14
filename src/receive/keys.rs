//! The keys that the doors know, in memory: found by the hash of what was sent, replaced whole when they change.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::access::door::Door;
use crate::access::key::IngestKey;
use crate::access::secret::Hash;
use crate::signals::observation::Observations;
use crate::signals::observe::Rules;
use crate::signals::telemetry::Nanos;

use super::rate::Rate;

/// In what the inbox keeps as a request's key: some of its records were refused, for its scope's sake. Only then
/// reading it again asks for the scope, so that what was taken whole stays so, whatever a name means by then.
const PARTLY: u64 = 1 << 63;
/// Names that are remembered of who sends with a key that is no longer good.
const SEEN: usize = 5;

/// All keys.
#[derive(Debug)]
pub struct Keys {
    pub(super) door: Door,
    /// Whether senders need no key though there are some.
    pub(super) without: bool,
    /// The operator's rules, for whom a sender may speak left open.
    rules: Arc<Rules>,
    /// A std lock: held to find a key, and to put another ring in its place.
    ring: RwLock<Arc<Ring>>,
    /// The store cannot be read, so that a key that is not known may be a new one.
    unread: AtomicBool,
    /// Requests without a key, and with one that is none.
    pub(super) strangers: AtomicU64,
}

#[derive(Debug, Default)]
struct Ring {
    by_hash: HashMap<Hash, Arc<Known>>,
    by_id: HashMap<u64, Arc<Known>>,
}

/// A key and what is known of its use.
#[derive(Debug)]
pub struct Known {
    /// As it is kept.
    pub key: IngestKey,
    /// What its requests are read by.
    rules: Arc<Rules>,
    /// The same as before when a key has changed.
    pub used: Arc<Used>,
}

/// The use of a key since the start.
#[derive(Debug, Default)]
pub struct Used {
    last: AtomicI64,
    pub(super) requests: AtomicU64,
    pub(super) records: AtomicU64,
    /// Requests that were taken though the key is revoked.
    pub(super) flagged: AtomicU64,
    /// Requests that were refused because the key has ended.
    pub(super) refused: AtomicU64,
    /// Records that it may not send.
    pub(super) outside: AtomicU64,
    /// When the last of them came; 0 for never.
    outside_at: AtomicI64,
    /// Requests that came too fast.
    pub(super) limited: AtomicU64,
    pub(super) request_rate: Rate,
    pub(super) byte_rate: Rate,
    ended: Mutex<Ended>,
}

/// Who sends with a key that is no longer good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// When one was last taken and flagged; 0 for never.
    pub flagged_at: Nanos,
    /// When one was last refused; 0 for never.
    pub refused_at: Nanos,
    /// Their user agents.
    pub agents: BTreeSet<String>,
    /// Their integrations, as far as requests were read.
    pub integrations: BTreeSet<String>,
}

impl Keys {
    /// No keys yet. `without` lets senders in that show none, though there are some.
    pub fn new(door: Door, rules: Arc<Rules>, without: bool) -> Keys {
        let (ring, unread, strangers) = (RwLock::default(), AtomicBool::new(false), AtomicU64::new(0));
        Keys { door, without, rules, ring, unread, strangers }
    }

    /// What all doors share.
    pub fn door(&self) -> &Door {
        &self.door
    }

    /// From now on these are the keys.
    pub fn replace(&self, keys: Vec<IngestKey>) {
        let before = self.ring();
        let mut ring = Ring::default();
        for key in keys {
            let used = before.by_id.get(&key.id).map(|known| known.used.clone()).unwrap_or_default();
            used.at(key.last_used_at.unwrap_or_default());
            let scope = key.scope();
            let rules = if scope.is_any() {
                self.rules.clone()
            } else {
                Arc::new(Rules { scope: Some(Arc::new(scope)), ..(*self.rules).clone() })
            };
            let known = Arc::new(Known { key, rules, used });
            ring.by_hash.insert(known.key.hash, known.clone());
            ring.by_id.insert(known.key.id, known);
        }
        self.door.note(!ring.by_id.is_empty(), false);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        self.unread.store(false, Ordering::Release);
    }

    /// The store could not be read: what is known goes on, and what is not may be new.
    pub fn unread(&self) {
        self.unread.store(true, Ordering::Release);
    }

    /// Whether the store could not be read when it was last tried.
    pub fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Acquire)
    }

    pub(super) fn find(&self, hash: &Hash) -> Option<Arc<Known>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).by_hash.get(hash).cloned()
    }

    /// All that are known, by number.
    pub fn all(&self) -> Vec<Arc<Known>> {
        let mut all: Vec<_> = self.ring().by_id.values().cloned().collect();
        all.sort_by_key(|known| known.key.id);
        all
    }

    /// Requests that were refused because they had no key, or one that is none.
    pub fn strangers(&self) -> u64 {
        self.strangers.load(Ordering::Relaxed)
    }

    /// What a request of nobody in particular is read by.
    pub(super) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// What a request in the inbox is read by, from what `mark` made of its key. An error is a sentence; such a
    /// request can only be left out.
    pub fn of_kept(&self, mark: u64) -> Result<Arc<Rules>, String> {
        if mark & PARTLY == 0 {
            return Ok(self.rules.clone());
        }
        let id = mark & !PARTLY;
        let known = self.ring().by_id.get(&id).map(|known| known.rules.clone());
        known.ok_or_else(|| {
            format!("Its key, number {id}, is not in the catalog, so nothing says what of it was taken.")
        })
    }

    /// Counters of the keys that were used, by name: `key_3_requests` …
    pub fn snapshot(&self) -> Vec<(String, u64)> {
        let of = |known: &Arc<Known>| {
            let (id, used) = (known.key.id, &known.used);
            [
                ("requests", &used.requests),
                ("records", &used.records),
                ("flagged", &used.flagged),
                ("refused", &used.refused),
                ("outside", &used.outside),
                ("limited", &used.limited),
            ]
            .map(|(name, count)| (format!("key_{id}_{name}"), count.load(Ordering::Relaxed)))
        };
        self.all().iter().flat_map(of).filter(|(_, count)| *count > 0).collect()
    }

    fn ring(&self) -> Arc<Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Known {
    pub(super) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }
}

impl Used {
    /// When the key was last shown, whether it was good or not; 0 for never.
    pub fn last(&self) -> Nanos {
        self.last.load(Ordering::Relaxed)
    }

    /// Requests that were refused because the key has ended.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Requests that were taken though the key is revoked.
    pub fn flagged(&self) -> u64 {
        self.flagged.load(Ordering::Relaxed)
    }

    /// Records that it may not send, and when the last of them came; zeros for none.
    pub fn outside(&self) -> (u64, Nanos) {
        (self.outside.load(Ordering::Relaxed), self.outside_at.load(Ordering::Relaxed))
    }

    /// So many came that it may not send, with the request that came last.
    pub(super) fn was_outside(&self, records: u64) {
        self.outside.fetch_add(records, Ordering::Relaxed);
        self.outside_at.fetch_max(self.last(), Ordering::Relaxed);
    }

    /// Who sends with it though it is no longer good.
    pub fn ended(&self) -> Ended {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn at(&self, now: Nanos) {
        self.last.fetch_max(now, Ordering::Relaxed);
    }

    /// A request came with a key that has ended.
    pub(super) fn came(&self, agent: &str, now: Nanos, flagged: bool) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *(if flagged { &mut ended.flagged_at } else { &mut ended.refused_at }) = now;
        if !agent.is_empty() && ended.agents.len() < SEEN && !ended.agents.contains(agent) {
            ended.agents.insert(agent.to_owned());
        }
    }

    /// What one of them turned out to bring.
    pub(super) fn brought(&self, seen: &Observations) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        for info in &seen.integrations {
            if ended.integrations.len() < SEEN {
                ended.integrations.insert(info.key.name.to_string());
            }
        }
    }
}

/// What the inbox keeps as the key of a request of which all, or only a part, was within its scope.
pub(super) fn mark(id: u64, partly: bool) -> u64 {
    if partly { id | PARTLY } else { id }
}
