//! The keys that the doors know, kept as the catalog has them, whoever changes it; and what comes of their use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access::audit::{Actor, Entry};
use crate::access::door::Door;
use crate::clock::Clock;
use crate::receive::intake::Intake;
use crate::receive::keys::{Keys, Known};
use crate::signals::telemetry::Nanos;
use crate::store::{Access, Error, Store};

mod own;
pub mod told;

/// How often the catalog is asked whether a key has changed. What is revoked is refused within a second.
const POLL: Duration = Duration::from_millis(200);
/// How often the use of keys is noted.
const ACCOUNT: Duration = Duration::from_secs(60);
/// Refusals make one entry of the audit log in this time at most.
const BURST: Nanos = 3_600_000_000_000;

/// Keeps the keys.
pub struct Keeper {
    pub keys: Arc<Keys>,
    pub door: Door,
    pub store: Store,
    pub intake: Arc<Intake>,
    pub clock: Clock,
    pub live: watch::Sender<u64>,
}

/// What was noted of the use of keys.
#[derive(Debug, Default)]
struct Noted {
    /// By key: when it was last used, as the catalog has it.
    last: HashMap<u64, Nanos>,
    /// By key: requests that were refused, as the log has it.
    refused: HashMap<u64, u64>,
    strangers: u64,
    /// Refusals that no entry tells of yet, and when the last one did.
    untold: u64,
    told_at: Option<Nanos>,
}

impl Keeper {
    /// Runs until `stop`. `access` is what the keys that are known now were read as.
    pub async fn run(self, access: Access, stop: CancellationToken) {
        let (mut version, mut failing) = (access.version, false);
        let mut noted = Noted::default();
        noted.begin(&self.keys.all());
        let mut own = own::Own::default();
        let mut next = Instant::now();
        while !stop.is_cancelled() {
            let read = self.refresh(&mut version).await;
            if let (Err(error), false) = (&read, failing) {
                tracing::error!(%error, "The keys cannot be read; those that are known go on, others are told to come again.");
            }
            failing = read.is_err();
            let is_due = Instant::now() >= next;
            if is_due {
                next = Instant::now() + ACCOUNT;
                self.account(&mut noted, false).await;
            }
            if is_due || read.is_ok_and(|changed| changed) {
                own.tell(&self.intake, &self.store, &self.keys.all(), (self.clock)()).await;
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
        self.account(&mut noted, true).await;
    }

    /// Reads the keys again where something has changed, and says whether it has.
    async fn refresh(&self, version: &mut i64) -> Result<bool, Error> {
        let read = async {
            let access = self.store.access().await?;
            let changed = access.version != *version || self.keys.is_unread();
            let keys = if changed { Some(self.store.keys().await?) } else { None };
            Ok((access, keys))
        };
        match read.await {
            Ok((access, keys)) => {
                let changed = keys.is_some();
                keys.into_iter().for_each(|keys| self.keys.replace(keys));
                self.door.note(access.keys, access.users);
                *version = access.version;
                if changed {
                    self.live.send_modify(|version| *version += 1);
                }
                Ok(changed)
            }
            Err(error) => {
                self.keys.unread();
                Err(error)
            }
        }
    }

    /// Writes down when keys were used, and what of it somebody will want to know later.
    async fn account(&self, noted: &mut Noted, last: bool) {
        let (all, now) = (self.keys.all(), (self.clock)());
        for known in &all {
            let refused = known.used.refused();
            let more =
                refused.saturating_sub(noted.refused.insert(known.key.id, refused).unwrap_or_default());
            if more > 0 {
                noted.untold += more;
                let (key_id, key) = (known.key.id, &*known.key.name);
                tracing::warn!(key_id, key, requests = more, "Requests were refused: their key has ended.");
            }
        }
        let strangers = self.keys.strangers();
        let more = strangers.saturating_sub(std::mem::replace(&mut noted.strangers, strangers));
        if more > 0 {
            noted.untold += more;
            tracing::warn!(
                requests = more,
                "Requests were refused: without a key, or with one that is not known."
            );
        }
        let used: Vec<(u64, Nanos)> = all
            .iter()
            .map(|known| (known.key.id, known.used.last()))
            .filter(|(id, at)| *at > noted.last.get(id).copied().unwrap_or_default())
            .collect();
        let mut entries = noted.used_after_revocation(&all, now);
        entries.extend(noted.burst(now, last));
        match self.store.note_use(&used, &entries).await {
            Ok(()) => {
                noted.last.extend(used);
                if entries.iter().any(|entry| entry.action == "ingest.refused") {
                    (noted.untold, noted.told_at) = (0, Some(now));
                }
            }
            // Tried again in a minute, from the same figures.
            Err(error) => tracing::warn!(%error, "The use of keys could not be noted."),
        }
    }
}

impl Noted {
    fn begin(&mut self, all: &[Arc<Known>]) {
        let kept = |known: &Arc<Known>| (known.key.id, known.key.last_used_at.unwrap_or_default());
        self.last = all.iter().map(kept).collect();
    }

    /// An entry for each key that was used for the first time after it was revoked.
    fn used_after_revocation(&self, all: &[Arc<Known>], now: Nanos) -> Vec<Entry> {
        let is_first = |known: &&Arc<Known>| {
            let before = self.last.get(&known.key.id).copied().unwrap_or_default();
            known.key.revoked_at.is_some_and(|at| known.used.last() > at && before <= at)
        };
        let entry = |known: &Arc<Known>| {
            let by = Actor { name: format!("key:{}", known.key.name), address: String::new() };
            let detail = format!("Somebody still sends with it{}.", told::senders(&known.used.ended()));
            by.did(now, "key.used_after_revocation", known.key.named(), detail)
        };
        all.iter().filter(is_first).map(entry).collect()
    }

    /// One entry for all that was refused, an hour apart.
    fn burst(&self, now: Nanos, last: bool) -> Option<Entry> {
        let due = last || self.told_at.is_none_or(|at| now.saturating_sub(at) >= BURST);
        (self.untold > 0 && due).then(|| {
            let by = Actor { name: "-".to_owned(), address: String::new() };
            let noun = if self.untold == 1 { "request" } else { "requests" };
            let detail = format!("{} {noun} without a key that is good.", self.untold);
            by.did(now, "ingest.refused", "otlp".to_owned(), detail)
        })
    }
}
