//! A delta stream: the points it said lately, so that a copy counts once.

use super::writers::Note;
use crate::signals::telemetry::Nanos;

/// Points remembered of one stream.
pub const MOST: usize = 16;

/// The latest points of a delta stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// (time, start), ascending.
    pub latest: Vec<(Nanos, Nanos)>,
}

impl Seen {
    /// Whether a point counts, and what there is to tell. Deltas add up in any order, so a late one counts; one that
    /// is older than all that is remembered counts too, unchecked.
    pub fn admit(&mut self, start: Nanos, time: Nanos) -> (bool, Option<Note>) {
        let Err(place) = self.latest.binary_search(&(time, start)) else {
            return (false, Some(Note::Twice));
        };
        if self.latest.len() < MOST {
            self.latest.insert(place, (time, start));
            return (true, None);
        }
        if place == 0 {
            return (true, Some(Note::Old));
        }
        self.latest.insert(place, (time, start));
        self.latest.remove(0);
        (true, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_counts_once_and_a_late_point_counts() {
        let mut seen = Seen::default();
        assert_eq!(seen.admit(10, 20), (true, None));
        assert_eq!(seen.admit(20, 30), (true, None));
        assert_eq!(seen.admit(10, 20), (false, Some(Note::Twice)));
        assert_eq!(seen.admit(11, 20), (true, None), "another writer's");
        assert_eq!(seen.admit(0, 10), (true, None), "late");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_older_is_told() {
        let mut seen = Seen::default();
        for at in 1..=100 {
            assert_eq!(seen.admit(at - 1, at), (true, None));
        }
        assert_eq!(seen.latest.len(), MOST);
        assert_eq!(seen.admit(99, 100), (false, Some(Note::Twice)));
        assert_eq!(seen.admit(1, 2), (true, Some(Note::Old)));
    }
}
