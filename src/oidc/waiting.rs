//! Logins that have begun and not come back. Each is good for one return, by the browser that began it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::provider::Pending;
use crate::access::secret::{Hash, hash};
use crate::signals::telemetry::Nanos;

/// Logins that wait at once; beyond it the oldest is forgotten, and has to begin anew.
const MOST: usize = 10_000;

/// How long a login may take at the provider.
pub(super) const PATIENCE: Nanos = 600 * 1_000_000_000;

/// Logins that wait, by the hash of what their browser holds.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<HashMap<Hash, Pending>>);

impl Waiting {
    /// Remembers a login for the browser that holds `ticket`.
    pub fn keep(&self, ticket: &str, pending: Pending) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = pending.began();
        waiting.retain(|_, other| now.saturating_sub(other.began()) < PATIENCE);
        if waiting.len() >= MOST
            && let Some(oldest) = waiting.iter().min_by_key(|(_, other)| other.began()).map(|(key, _)| *key)
        {
            waiting.remove(&oldest);
        }
        waiting.insert(hash(ticket.as_bytes()), pending);
    }

    /// The login that this browser began; it is forgotten with that, whatever comes of it.
    pub fn take(&self, ticket: &str) -> Option<Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(ticket.as_bytes()))
    }
}
