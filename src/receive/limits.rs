//! The memory of all requests together, from the first byte of a body until its batch is counted.
//!
//! Three quarters are for all. Of these a sender may hold twice as much as is left, so the more senders hold much the
//! less each of them may: the rule by which switches share their buffer (dynamic thresholds, Choudhury and Hahne
//! 1998), which needs no list of who is active. The last quarter is for senders that have one request only: when it
//! gets tight, who floods is refused first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::decode::Batch;

use super::connections::Sender;
use super::refusal::Refusal;

/// What each request takes besides its bytes. It also bounds how many there are.
const REQUEST: usize = 2 << 10;
/// A sender may hold this many times what is left for all.
const SHARE: usize = 2;

/// Bytes that requests may hold at one time.
#[derive(Clone, Debug)]
pub struct Budget {
    /// A std lock: held for a sum.
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    bytes: usize,
    used: usize,
    by_sender: HashMap<u64, Theirs>,
}

/// What one sender has in work. A request that is read counts twice: as it came, and what it came to.
#[derive(Clone, Copy, Debug, Default)]
struct Theirs {
    bytes: usize,
    requests: usize,
}

impl State {
    /// Whether a sender may hold so much more.
    fn allows(&self, sender: &Sender, more: usize) -> bool {
        let theirs = self.by_sender.get(&sender.number).copied().unwrap_or_default();
        let left = self.bytes.saturating_sub(self.used);
        let left_for_all = left.saturating_sub(self.bytes / 4);
        let shares = more <= left_for_all && theirs.bytes + more <= left_for_all.saturating_mul(SHARE);
        shares || (theirs.requests <= 1 && more <= left && self.used <= self.bytes)
    }

    fn add(&mut self, sender: &Sender, bytes: usize, requests: usize) {
        self.used += bytes;
        let theirs = self.by_sender.entry(sender.number).or_default();
        theirs.bytes += bytes;
        theirs.requests += requests;
    }
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Budget {
        let state = State { bytes, used: 0, by_sender: HashMap::new() };
        Budget { state: Arc::new(Mutex::new(state)) }
    }

    /// The most requests that can be in it at one time.
    pub fn most_requests(bytes: usize) -> usize {
        bytes / REQUEST + 1
    }

    /// Begins a request, or says [`Refusal::Busy`].
    pub fn begin(&self, sender: Sender) -> Result<Held, Refusal> {
        let mut state = self.lock();
        // Counted before it is asked for, so that a second request is one.
        state.add(&sender, 0, 1);
        drop(state);
        let mut held = Held { budget: self.clone(), sender, bytes: 0 };
        held.hold(REQUEST)?;
        Ok(held)
    }

    /// Bytes held now.
    pub fn used(&self) -> usize {
        self.lock().used
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that one request holds; dropping it gives them back.
#[derive(Debug)]
pub struct Held {
    budget: Budget,
    sender: Sender,
    bytes: usize,
}

impl Held {
    /// Adds to what the request holds, or says [`Refusal::Busy`]. It does not wait: a request that waited would hold
    /// what it has, and two of them could wait for each other. What needs more memory than there is is too large: told
    /// to come again, it would do so for ever.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Refusal> {
        let mut state = self.budget.lock();
        if self.bytes.saturating_add(bytes) > state.bytes {
            return Err(Refusal::TooLarge(state.bytes));
        }
        if !state.allows(&self.sender, bytes) {
            return Err(Refusal::Busy);
        }
        state.add(&self.sender, bytes, 0);
        self.bytes += bytes;
        Ok(())
    }

    /// Whether there is room to make something of the body: it grows when it is decompressed and read.
    pub fn has_room(&self) -> bool {
        self.budget.lock().allows(&self.sender, 0)
    }

    /// What the batch of this request holds. It is not refused any more: the work is done, and those that come after
    /// it are refused instead. So the bound can be passed by the requests that are read at one time.
    pub fn of_batch(&self, batch: &Batch) -> Held {
        let bytes = REQUEST + batch.footprint();
        self.budget.lock().add(&self.sender, bytes, 1);
        Held { budget: self.budget.clone(), sender: self.sender.clone(), bytes }
    }

    /// Whose it is.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.budget.lock();
        state.used = state.used.saturating_sub(self.bytes);
        if let Some(theirs) = state.by_sender.get_mut(&self.sender.number) {
            theirs.bytes = theirs.bytes.saturating_sub(self.bytes);
            theirs.requests = theirs.requests.saturating_sub(1);
            if theirs.requests == 0 {
                state.by_sender.remove(&self.sender.number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    /// Takes requests of `bytes` until one is refused.
    fn flood(budget: &Budget, sender: Sender, bytes: usize) -> Vec<Held> {
        let one = || {
            let mut held = budget.begin(sender.clone()).ok()?;
            held.hold(bytes).ok().map(|()| held)
        };
        std::iter::from_fn(one).collect()
    }

    #[test]
    fn the_bound_holds_however_many_flood_and_something_is_left_for_who_holds_nothing() {
        let budget = Budget::new(128 * MIB);
        let mut all = Vec::new();
        for sender in 0..50 {
            all.push(flood(&budget, Sender::numbered(sender), 100_000));
            assert!(budget.used() <= 128 * MIB);
        }
        let mut quiet: Vec<_> =
            (1000..1050).map(|sender| budget.begin(Sender::numbered(sender)).unwrap()).collect();
        quiet.iter_mut().for_each(|one| one.hold(300_000).unwrap());
        assert_eq!(budget.begin(Sender::numbered(3)).unwrap_err(), Refusal::Busy);
        drop((all, quiet));
        assert_eq!(budget.used(), 0);
        assert!(budget.lock().by_sender.is_empty());
    }

    #[test]
    fn one_that_floods_leaves_room_for_others_that_flood() {
        let budget = Budget::new(128 * MIB);
        let first = flood(&budget, Sender::numbered(1), 100_000);
        assert!(budget.used() < 65 * MIB, "two thirds of three quarters: {}", budget.used());
        let second = flood(&budget, Sender::numbered(2), 100_000);
        assert!(second.len() > first.len() / 4);
    }

    #[test]
    fn a_sender_with_one_request_may_send_a_large_body() {
        let budget = Budget::new(128 * MIB);
        let _flood = flood(&budget, Sender::numbered(2), 1000);
        let mut held = budget.begin(Sender::numbered(1)).unwrap();
        for _ in 0..60 * MIB / 16_384 {
            held.hold(16_384).unwrap();
        }
        assert_eq!(budget.begin(Sender::numbered(1)).unwrap_err(), Refusal::Busy, "a second one");
    }

    #[test]
    fn batches_keep_what_they_take_and_close_the_door_behind_them() {
        let budget = Budget::new(MIB);
        let held = budget.begin(Sender::numbered(1)).unwrap();
        assert!(held.has_room());
        let mut batch = Batch::default();
        batch.spans.texts.add(&"x".repeat(2 * MIB));
        let kept = held.of_batch(&batch);
        drop(held);
        assert!(budget.used() > 2 * MIB);
        assert_eq!(budget.begin(Sender::numbered(2)).unwrap_err(), Refusal::Busy);
        drop(kept);
        assert!(budget.begin(Sender::numbered(2)).is_ok());
    }
}
