//! Logins that have begun and not come back. Each is good for one return, by the browser that began it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use super::provider::Pending;
use crate::access::secret::{Hash, hash};
use crate::access::throttle::network;
use crate::signals::telemetry::Nanos;

/// Logins that wait at once; beyond it the oldest is forgotten, and has to begin anew.
const MOST: usize = 10_000;
/// Of these, those that were begun from one network: whoever begins many pushes out their own, and not everybody's.
const MOST_OF_NETWORK: usize = 500;

/// How long a login may take at the provider.
pub(super) const PATIENCE: Nanos = 600 * 1_000_000_000;

/// Logins that wait, by the hash of what their browser holds, each with the network that it was begun from.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<HashMap<Hash, (IpAddr, Pending)>>);

impl Waiting {
    /// Remembers a login for the browser that holds `ticket`, at an address.
    pub fn keep(&self, ticket: &str, from: IpAddr, pending: Pending) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, from) = (pending.began(), network(from));
        waiting.retain(|_, (_, other)| now.saturating_sub(other.began()) < PATIENCE);
        let is_full = waiting.len() >= MOST;
        let mut neighbours = waiting.iter().filter(|(_, (network, _))| *network == from);
        let began = |(_, (_, other)): &(&Hash, &(IpAddr, Pending))| other.began();
        let oldest = if neighbours.clone().nth(MOST_OF_NETWORK - 1).is_some() {
            neighbours.by_ref().min_by_key(began)
        } else if is_full {
            waiting.iter().min_by_key(began)
        } else {
            None
        };
        if let Some(oldest) = oldest.map(|(key, _)| *key) {
            waiting.remove(&oldest);
        }
        waiting.insert(hash(ticket.as_bytes()), (from, pending));
    }

    /// The login that this browser began; it is forgotten with that, whatever comes of it.
    pub fn take(&self, ticket: &str) -> Option<Pending> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&hash(ticket.as_bytes())).map(|(_, pending)| pending)
    }
}
