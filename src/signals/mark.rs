//! Which stretch of a request is whose: a sender is a resource, and what it says stands together.

use super::observation::Observations;

/// Where what a sender said begins, in each list of the observations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Hash of its resource.
    pub sender: u64,
    /// Place of an integration that it speaks for.
    pub integration: u32,
    /// Place of its first call.
    pub calls: u32,
    /// Of its first gauge point.
    pub gauges: u32,
    /// Of its first point of a stream.
    pub points: u32,
    /// Of its first credential slot.
    pub slots: u32,
    /// Of its first reconciliation.
    pub reconciliations: u32,
    /// Of its first run.
    pub runs: u32,
    /// Of its first beat.
    pub beats: u32,
    /// Of its first event.
    pub facts: u32,
    /// Of its first delivery.
    pub deliveries: u32,
    /// Of its first derived count.
    pub counts: u32,
}

impl Mark {
    /// Behind all that was seen.
    pub fn end_of(seen: &Observations) -> Mark {
        Mark {
            sender: 0,
            integration: 0,
            calls: seen.calls.len() as u32,
            gauges: seen.gauges.len() as u32,
            points: seen.points.len() as u32,
            slots: seen.slots.len() as u32,
            reconciliations: seen.reconciliations.len() as u32,
            runs: seen.runs.len() as u32,
            beats: seen.beats.len() as u32,
            facts: seen.facts.len() as u32,
            deliveries: seen.deliveries.len() as u32,
            counts: seen.counts.len() as u32,
        }
    }
}
