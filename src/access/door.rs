//! Whether anybody at all may come in: so it is until the first key or the first user is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const KEYS: u8 = 1;
const USERS: u8 = 2;

/// The state that all doors share. It only ever closes: what was made may be revoked and does not open it again.
#[derive(Clone, Debug, Default)]
pub struct Door(Arc<AtomicU8>);

impl Door {
    /// Nothing was ever made, so everybody may do everything.
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    /// Whether an ingest key was ever made.
    pub fn has_keys(&self) -> bool {
        self.0.load(Ordering::Acquire) & KEYS != 0
    }

    /// Whether a user was ever made.
    pub fn has_users(&self) -> bool {
        self.0.load(Ordering::Acquire) & USERS != 0
    }

    /// Notes what there is. True where that closed the door.
    pub fn note(&self, keys: bool, users: bool) -> bool {
        let seen = (u8::from(keys) * KEYS) | (u8::from(users) * USERS);
        seen != 0 && self.0.fetch_or(seen, Ordering::AcqRel) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_or_user_closes_it_for_good() {
        let door = Door::default();
        let shared = door.clone();
        assert!(!door.note(false, false) && shared.is_open());
        assert!(door.note(true, false) && !shared.is_open());
        assert!(!door.note(false, false) && !shared.is_open() && !shared.has_users());
        assert!(!door.note(false, true) && shared.has_users() && shared.has_keys());
    }
}
