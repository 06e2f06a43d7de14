//! What a probe met: its latest tries.

use serde::{Deserialize, Serialize};

use super::super::series::Merge;
use crate::signals::telemetry::Nanos;

/// So many tries are kept, the latest.
const KEPT: usize = 50;

/// One try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Try {
    /// When it began.
    pub time: Nanos,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether the answer was as expected.
    pub well: bool,
    /// What came: `HTTP 200`, or why nothing did.
    pub met: String,
}

/// The latest tries of a probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tries {
    /// Ascending by time, one each.
    pub latest: Vec<Try>,
}

impl Tries {
    /// One try.
    pub fn of(one: Try) -> Tries {
        Tries { latest: vec![one] }
    }

    /// Failures since the last try that was well, ascending.
    pub fn failing(&self) -> &[Try] {
        let first = self.latest.iter().rposition(|one| one.well).map_or(0, |at| at + 1);
        self.latest.get(first..).unwrap_or_default()
    }
}

impl Merge for Tries {
    fn merge(&mut self, other: &Self) {
        for theirs in &other.latest {
            let order = |ours: &Try| {
                (ours.time, ours.well, &*ours.met).cmp(&(theirs.time, theirs.well, &*theirs.met))
            };
            if let Err(at) = self.latest.binary_search_by(order) {
                self.latest.insert(at, theirs.clone());
            }
        }
        let past = self.latest.len().saturating_sub(KEPT);
        self.latest.drain(..past);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(time: Nanos, well: bool) -> Tries {
        let met = if well { "HTTP 200" } else { "HTTP 502" };
        Tries::of(Try { time, took_ms: 1, well, met: met.into() })
    }

    #[test]
    fn failures_in_a_row_are_counted_in_any_order_of_arrival() {
        let mut tries = Tries::default();
        for one in [tried(3, false), tried(1, false), tried(2, true), tried(4, false), tried(4, false)] {
            tries.merge(&one);
        }
        assert_eq!(tries.failing().iter().map(|one| one.time).collect::<Vec<_>>(), [3, 4]);
        tries.merge(&tried(5, true));
        assert_eq!(tries.failing(), []);
        (10..200).for_each(|time| tries.merge(&tried(time, false)));
        assert_eq!((tries.latest.len(), tries.failing().len()), (KEPT, KEPT));
    }
}
