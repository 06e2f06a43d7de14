//! The memory of all requests together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;

/// Bytes that requests may hold at one time.
#[derive(Clone, Debug)]
pub struct Budget {
    all: usize,
    left: Arc<Semaphore>,
}

/// Bytes that one request holds; dropping it gives them back.
#[derive(Debug, Default)]
pub struct Held {
    permits: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Budget {
        let all = bytes.min(Semaphore::MAX_PERMITS);
        Budget { all, left: Arc::new(Semaphore::new(all)) }
    }

    /// Adds `bytes` to what a request holds, or says [`Refusal::Busy`]. It does not wait: a request that waited
    /// would hold what it has, and two of them could wait for each other. What is more than the whole budget is too
    /// large: told to come again, it would do so for ever.
    pub fn hold(&self, held: &mut Held, bytes: usize) -> Result<(), Refusal> {
        let has = held.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if has.saturating_add(bytes) > self.all {
            return Err(Refusal::TooLarge(self.all));
        }
        let bytes = u32::try_from(bytes).map_err(|_| Refusal::Busy)?;
        let more = Arc::clone(&self.left).try_acquire_many_owned(bytes).map_err(|_| Refusal::Busy)?;
        match &mut held.permits {
            Some(permits) => permits.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}
