//! The once-claim: a request's body counts once within a window (design section 3, invariant 2).

use std::collections::VecDeque;

use crate::rollup::window::Map;
use crate::signals::telemetry::Nanos;

/// Claims remembered at once; beyond it the oldest are forgotten and counted.
const MOST: usize = 2_000_000;

/// The bodies of the last window, by hash.
#[derive(Debug, Default)]
pub struct Claims {
    by_hash: Map<u128, u64>,
    in_order: VecDeque<(Nanos, u128)>,
    window: Nanos,
    /// Claims forgotten before their time because there were too many.
    pub forgotten: u64,
}

impl Claims {
    /// Claims that stand for `window` nanoseconds, starting with those that were kept.
    pub fn new(window: Nanos, kept: impl IntoIterator<Item = (u128, u64, Nanos)>) -> Claims {
        let mut claims = Claims { window, ..Claims::default() };
        for (hash, seq, at) in kept {
            claims.claim(hash, seq, at);
        }
        claims
    }

    /// Claims a body for `seq`. False when another request has it already: then it is not counted again.
    pub fn claim(&mut self, hash: u128, seq: u64, at: Nanos) -> bool {
        while let Some((oldest, old)) = self.in_order.front().copied() {
            let expired = at.saturating_sub(oldest) > self.window;
            if !expired && self.in_order.len() < MOST {
                break;
            }
            self.forgotten += u64::from(!expired);
            self.by_hash.remove(&old);
            self.in_order.pop_front();
        }
        if let Some(owner) = self.by_hash.get(&hash) {
            return *owner == seq;
        }
        self.by_hash.insert(hash, seq);
        self.in_order.push_back((at, hash));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_body_counts_once_within_the_window() {
        let mut claims = Claims::new(100, []);
        assert!(claims.claim(7, 1, 0));
        assert!(!claims.claim(7, 2, 100), "a copy inside the window");
        assert!(claims.claim(7, 1, 100), "replay owns its own claim");
        assert!(claims.claim(7, 3, 101), "the window has passed");
    }

    #[test]
    fn kept_claims_hold_after_a_restart() {
        let mut claims = Claims::new(100, [(7, 1, 50)]);
        assert!(!claims.claim(7, 9, 60));
    }
}
