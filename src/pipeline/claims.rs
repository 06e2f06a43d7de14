//! The once-claim: a request's body counts once within a window (design section 3, invariant 2).
//!
//! There is no moment between durable and claimed in which a copy could slip through: the copy goes through the inbox
//! too and gets a higher sequence number, and the corridor claims in the order of these numbers, live and in a replay.

use std::collections::VecDeque;

use crate::rollup::window::Map;
use crate::signals::telemetry::Nanos;

/// A hash as two words: a `u128` would be padded to 16 bytes in every entry.
type Hash = [u64; 2];

/// The bodies of the last window, by hash. A claim takes at most 106 bytes: 25 in each of up to 16/7 buckets of the
/// map, 24 in each of up to two places of the queue. While the map grows, its old half is there too.
#[derive(Debug, Default)]
pub struct Claims {
    by_hash: Map<Hash, u64>,
    in_order: VecDeque<(Nanos, Hash)>,
    window: Nanos,
    most: usize,
    /// Claims forgotten before their time because there were too many.
    pub forgotten: u64,
}

impl Claims {
    /// Claims that stand for `window` nanoseconds, `most` of them, starting with those that were kept. A window of 0
    /// claims nothing: every copy counts.
    pub fn new(window: Nanos, most: usize, kept: impl IntoIterator<Item = (u128, u64, Nanos)>) -> Claims {
        let mut claims = Claims { window, most: most.max(1), ..Claims::default() };
        for (hash, seq, at) in kept {
            claims.claim(hash, seq, at);
        }
        claims
    }

    /// Whether bodies are claimed at all.
    pub fn are_on(&self) -> bool {
        self.window > 0
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    /// Claims a body for `seq`. False when another request has it already: then it is not counted again.
    pub fn claim(&mut self, hash: u128, seq: u64, at: Nanos) -> bool {
        if !self.are_on() {
            return true;
        }
        while self.in_order.front().is_some_and(|(oldest, _)| at.saturating_sub(*oldest) > self.window) {
            self.forget_oldest();
        }
        let hash: Hash = [(hash >> 64) as u64, hash as u64];
        if let Some(owner) = self.by_hash.get(&hash) {
            return *owner == seq;
        }
        if self.in_order.len() >= self.most {
            self.forget_oldest();
            self.forgotten += 1;
        }
        self.by_hash.insert(hash, seq);
        self.in_order.push_back((at, hash));
        true
    }

    fn forget_oldest(&mut self) {
        if let Some((_, hash)) = self.in_order.pop_front() {
            self.by_hash.remove(&hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_body_counts_once_up_to_the_edge_of_the_window() {
        let mut claims = Claims::new(100, 10, []);
        assert!(claims.claim(7, 1, 0));
        assert!(!claims.claim(7, 2, 100), "a copy at the edge");
        assert!(claims.claim(7, 1, 100), "replay owns its own claim");
        assert!(claims.claim(7, 3, 101), "the window has passed");
        assert!(!claims.claim(7, 4, 102), "and the later owner's has begun");
    }

    #[test]
    fn kept_claims_hold_after_a_restart_and_expire_as_if_there_had_been_none() {
        let mut claims = Claims::new(100, 10, [(7, 1, 50), (8, 2, 90)]);
        assert!(!claims.claim(7, 9, 150));
        assert!(claims.claim(7, 10, 151));
        assert!(!claims.claim(8, 11, 190));
    }

    #[test]
    fn there_are_never_more_than_the_most_and_the_oldest_goes_first() {
        let mut claims = Claims::new(1_000_000, 3, []);
        for body in 0..1000 {
            assert!(claims.claim(body, body as u64, body as i64));
            assert!(claims.len() <= 3);
        }
        assert_eq!((claims.len(), claims.forgotten), (3, 997));
        assert!(!claims.claim(999, 5000, 1000) && !claims.claim(997, 5001, 1000), "the newest are known");
        assert_eq!(claims.forgotten, 997, "a copy needs no place");
        assert!(claims.claim(996, 5002, 1000), "one that was forgotten counts again");
    }

    #[test]
    fn what_expires_is_not_counted_as_forgotten() {
        let mut claims = Claims::new(10, 3, []);
        for body in 0..100 {
            claims.claim(body, body as u64, body as i64 * 20);
        }
        assert_eq!((claims.len(), claims.forgotten), (1, 0));
    }

    #[test]
    fn memory_stays_within_what_is_documented() {
        // The map's buckets are a power of two, at most 8/7 × 2 for each entry; its own capacity says 7/8 of them.
        let mut claims = Claims::new(1_000_000_000, 100_000, []);
        for body in 0..300_000_u128 {
            claims.claim(body << 64 | body.wrapping_mul(0x9e37_79b9), body as u64, 1);
        }
        let buckets = claims.by_hash.capacity() * 8 / 7;
        let entry = size_of::<(Hash, u64)>() + 1;
        let bytes = buckets * entry + claims.in_order.capacity() * size_of::<(Nanos, Hash)>();
        assert!(bytes <= 106 * 100_000, "{bytes} bytes for 100,000 claims");
    }

    #[test]
    fn a_window_of_nothing_claims_nothing() {
        let mut claims = Claims::new(0, 10, [(7, 1, 50)]);
        assert!(claims.claim(7, 2, 50) && claims.claim(7, 3, 50));
        assert!(claims.is_empty() && !claims.are_on());
    }
}
