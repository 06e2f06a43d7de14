//! What the server needs of the machine it runs on, handed in from outside: the time, the file system, and points at
//! which a test may end it. Tests pass faulty ones; the server cannot tell.

use std::sync::Arc;

use crate::clock::{self, Clock};
use files::{Disk, Files};
use points::Points;

pub mod files;
pub mod points;
pub mod seal;
pub mod sealed;

/// The machine.
#[derive(Clone)]
pub struct World {
    /// The present.
    pub clock: Clock,
    /// Where inbox, segments and mails are written.
    pub files: Arc<dyn Files>,
    /// Told of each step towards durability.
    pub points: Points,
}

impl World {
    /// The real one.
    pub fn real() -> World {
        World { clock: clock::system(), files: Arc::new(Disk), points: Points::default() }
    }
}
