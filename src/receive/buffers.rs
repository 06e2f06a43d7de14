//! Buffers that bodies are read into, used again: fresh memory of this size has to be cleared by the system each time.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of buffers that wait to be used again.
const KEPT: usize = 16 << 20;
/// A buffer that is larger is given back: most bodies are not.
const LARGEST: usize = 4 << 20;
/// What a fresh buffer has room for at first. Beyond it grows with what arrives: a sender's word costs it nothing, and
/// a thousand that promise a body and send a piece of it would take memory that no budget counts.
const FIRST: usize = 64 << 10;

/// The buffers of the process: like an allocator's they belong to nobody, and what was in them is never seen.
pub static BODIES: Buffers = Buffers::new();

/// Buffers that wait.
#[derive(Debug)]
pub struct Buffers {
    /// A std lock: held for a push or a pop.
    waiting: Mutex<Vec<Vec<u8>>>,
}

/// A buffer in use; dropping it, or the [`Bytes`] made of it, lets it wait again.
#[derive(Debug)]
pub struct Buffer {
    /// What was read.
    pub bytes: Vec<u8>,
    home: &'static Buffers,
}

impl Buffers {
    /// None wait yet.
    pub const fn new() -> Buffers {
        Buffers { waiting: Mutex::new(Vec::new()) }
    }

    /// An empty buffer, with room for `expected` bytes as far as a sender's word is worth it.
    pub fn take(&'static self, expected: usize) -> Buffer {
        let mut bytes = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        bytes.reserve(expected.min(FIRST));
        Buffer { bytes, home: self }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Buffers::new()
    }
}

impl Buffer {
    /// What was read, to be shared.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut waiting = self.home.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = waiting.iter().map(Vec::capacity).sum();
        if bytes.capacity() <= LARGEST && kept + bytes.capacity() <= KEPT {
            waiting.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_never_shows_what_was_in_it() {
        static BUFFERS: Buffers = Buffers::new();
        let buffers = &BUFFERS;
        let mut first = buffers.take(1000);
        first.bytes.extend_from_slice(b"secret");
        let place = first.bytes.as_ptr();
        let shared = first.into_bytes();
        let second = buffers.take(10);
        assert_ne!(second.bytes.as_ptr(), place, "it is still in use");
        assert_eq!(&shared[..], b"secret");
        drop(shared);
        let third = buffers.take(10);
        assert_eq!((third.bytes.as_ptr(), third.bytes.len()), (place, 0));
    }

    #[test]
    fn what_waits_is_bounded() {
        static BUFFERS: Buffers = Buffers::new();
        let buffers = &BUFFERS;
        let mut all: Vec<Buffer> = (0..20).map(|_| buffers.take(3 << 20)).collect();
        assert!(all.iter().all(|buffer| buffer.bytes.capacity() <= 2 * FIRST), "a promise is not a body");
        all.iter_mut().for_each(|buffer| buffer.bytes.reserve(3 << 20));
        drop(all);
        let mut large = buffers.take(0);
        large.bytes.reserve(LARGEST + 1);
        drop(large);
        let kept: usize = buffers.waiting.lock().unwrap().iter().map(Vec::capacity).sum();
        assert!(kept > 0 && kept <= KEPT, "{kept}");
    }
}
