//! Queues as gauges.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::readings::{QueueReading, Readings, lock};

/// A queue. The latest reading is sent at each interval until it is replaced or withdrawn.
#[derive(Clone, Debug)]
pub struct Queue {
    name: String,
    readings: Arc<Mutex<Readings>>,
}

impl Queue {
    pub(crate) fn new(name: String, readings: Arc<Mutex<Readings>>) -> Queue {
        Queue { name, readings }
    }

    /// Items that are ready, and how long the oldest of them has waited; no age where it is not known.
    pub fn set(&self, depth: u64, oldest_age: Option<Duration>) {
        lock(&self.readings).queues.insert(self.name.clone(), QueueReading { depth, oldest_age });
    }

    /// Nothing more is said of it.
    pub fn withdraw(&self) {
        lock(&self.readings).queues.remove(&self.name);
    }
}
