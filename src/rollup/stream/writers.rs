//! A cumulative stream: what each of its writers said last, told apart by their start times.

use super::total::Total;
use crate::signals::telemetry::Nanos;

/// Writers of one stream that are remembered; beyond it the one that has been silent longest is forgotten.
pub const MOST: usize = 8;
/// A time this far after its receipt came from a clock that was wrong.
const AHEAD: Nanos = 300_000_000_000;

/// When a point says that it is, and what it can be compared with.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// Start of what it covers, as sent; 0 when unknown.
    pub start: Nanos,
    /// Its time, as sent.
    pub time: Nanos,
    /// When it was received.
    pub received_at: Nanos,
    /// What began before this began too long ago: its first point is a baseline only.
    pub oldest: Nanos,
    /// Up to here streams of the integration were forgotten: what began before it may have been counted, and a point
    /// of before it may be older than what was.
    pub floor: Option<Nanos>,
}

/// Why a point was not counted as it stands, or what it told besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Older than what its writer said last.
    OutOfOrder,
    /// Of a start that may have been counted and forgotten.
    OlderStart,
    /// Said before.
    Twice,
    /// The count started again.
    Reset,
    /// Another writer of the same stream is at work at the same time.
    Overlap,
    /// What it held when it was first seen is not counted: nobody knows since when.
    Baseline,
    /// Too old for the memory that tells copies apart.
    Old,
}

/// What a point adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<T> {
    /// The increment and since when it grew; none when nothing is counted.
    pub added: Option<(T, Nanos)>,
    /// What there is to tell.
    pub note: Option<Note>,
}

/// One process' count.
#[derive(Clone, Debug, PartialEq)]
pub struct Writer<T> {
    /// When it began, as sent.
    pub start: Nanos,
    /// The latest point's time, as sent.
    pub time: Nanos,
    /// The total then.
    pub total: T,
}

/// The writers of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Writers<T> {
    /// Those remembered.
    pub known: Vec<Writer<T>>,
    /// The latest start among those forgotten.
    pub forgotten: Option<Nanos>,
}

impl<T> Default for Writers<T> {
    fn default() -> Self {
        Self { known: Vec::new(), forgotten: None }
    }
}

impl<T: Total> Writers<T> {
    /// Takes a point in and says what it adds (metrics data model; the table of rules is in `docs/metrics.md`).
    pub fn advance(&mut self, when: When, total: T) -> Step<T> {
        let When { start, time, received_at, .. } = when;
        let Some(writer) = self.known.iter_mut().find(|writer| writer.start == start) else {
            return self.begin(when, total);
        };
        // One wrong clock must not silence the stream until that time has come.
        let was_wrong = writer.time.saturating_sub(received_at) > AHEAD;
        if time == writer.time {
            return Step { added: None, note: Some(Note::Twice) };
        }
        if time < writer.time && !was_wrong {
            return Step { added: None, note: Some(Note::OutOfOrder) };
        }
        let (added, note) = match total.since(&writer.total) {
            Some(added) => (added, None),
            None => (total.clone(), Some(Note::Reset)),
        };
        let since = writer.time;
        (writer.time, writer.total) = (time, total);
        Step { added: Some((added, since)), note }
    }

    /// A point of a start that is not known: a first one, a restart, or another process beside this one.
    fn begin(&mut self, when: When, total: T) -> Step<T> {
        let When { start, time, received_at, oldest, floor } = when;
        let before = |at: Option<Nanos>, what: Nanos| at.is_some_and(|at| what <= at);
        if before(self.forgotten, start) || before(floor, time) {
            return Step { added: None, note: Some(Note::OlderStart) };
        }
        let first = self.known.is_empty() && self.forgotten.is_none();
        let beside = |writer: &Writer<T>| writer.start < time && start < writer.time;
        let note = match (first, self.known.iter().any(beside)) {
            (true, _) => None,
            (false, true) => Some(Note::Overlap),
            (false, false) => Some(Note::Reset),
        };
        self.remember(Writer { start, time, total: total.clone() }, received_at);
        // `start == time` is how a sender says that it does not know the start.
        if start <= 0 || start >= time || start < oldest || before(floor, start) {
            return Step { added: None, note: note.or(Some(Note::Baseline)) };
        }
        Step { added: Some((total, start)), note }
    }

    fn remember(&mut self, writer: Writer<T>, received_at: Nanos) {
        if self.known.len() >= MOST
            && let Some(at) = (0..self.known.len()).min_by_key(|at| self.known.get(*at).map(|one| one.time))
        {
            let gone = self.known.swap_remove(at);
            // A start in the future would shut out all that are to come.
            self.forgotten = self.forgotten.max(Some(gone.start.min(received_at)));
        }
        self.known.push(writer);
    }

    /// The series ended: a writer that does not say when it began cannot be told from the next one.
    pub fn end(&mut self) {
        self.known.retain(|writer| writer.start > 0);
    }

    /// Numbers it is kept as.
    pub fn size(&self) -> usize {
        self.known.iter().map(|writer| 2 + writer.total.size()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = 1_000_000;

    fn at(start: Nanos, time: Nanos) -> When {
        When { start, time, received_at: NOW, oldest: 10, floor: None }
    }

    /// What it shows, (start, time, total) points, and what each adds or why it adds nothing.
    type Case = (&'static str, &'static [(Nanos, Nanos, f64)], &'static [(Option<f64>, Option<Note>)]);

    /// Takes (start, time, total) points in and gives what each added, or why not.
    fn walk(points: &[(Nanos, Nanos, f64)]) -> Vec<(Option<f64>, Option<Note>)> {
        let mut writers = Writers::default();
        let step = |&(start, time, total): &(Nanos, Nanos, f64)| {
            let step = writers.advance(at(start, time), total);
            (step.added.map(|(added, _)| added), step.note)
        };
        points.iter().map(step).collect()
    }

    #[test]
    fn the_table_of_cumulative_points() {
        use Note::*;
        let cases: &[Case] = &[
            ("a first point that knows its start", &[(100, 110, 5.0)], &[(Some(5.0), None)]),
            ("a start that is its time", &[(110, 110, 5.0)], &[(None, Some(Baseline))]),
            ("no start", &[(0, 110, 5.0), (0, 120, 7.0)], &[(None, Some(Baseline)), (Some(2.0), None)]),
            (
                "a start before our time",
                &[(9, 110, 5.0), (9, 120, 6.0)],
                &[(None, Some(Baseline)), (Some(1.0), None)],
            ),
            (
                "growth, and a gap",
                &[(100, 110, 5.0), (100, 120, 8.0), (100, 990, 9.0)],
                &[(Some(5.0), None), (Some(3.0), None), (Some(1.0), None)],
            ),
            (
                "reset by value",
                &[(100, 110, 5.0), (100, 120, 2.0)],
                &[(Some(5.0), None), (Some(2.0), Some(Reset))],
            ),
            (
                "reset by a new start",
                &[(100, 110, 5.0), (115, 120, 8.0)],
                &[(Some(5.0), None), (Some(8.0), Some(Reset))],
            ),
            (
                "a new start that is its time",
                &[(100, 110, 5.0), (120, 120, 8.0), (120, 130, 9.0)],
                &[(Some(5.0), None), (None, Some(Reset)), (Some(1.0), None)],
            ),
            (
                "out of order",
                &[(100, 120, 5.0), (100, 110, 4.0), (100, 130, 6.0)],
                &[(Some(5.0), None), (None, Some(OutOfOrder)), (Some(1.0), None)],
            ),
            ("twice", &[(100, 110, 5.0), (100, 110, 5.0)], &[(Some(5.0), None), (None, Some(Twice))]),
            (
                "two processes",
                &[(100, 110, 5.0), (102, 111, 3.0), (100, 120, 6.0), (102, 121, 7.0)],
                &[(Some(5.0), None), (Some(3.0), Some(Overlap)), (Some(1.0), None), (Some(4.0), None)],
            ),
            (
                "the last words of a process after its successor's first",
                &[(100, 110, 5.0), (121, 130, 1.0), (100, 120, 7.0)],
                &[(Some(5.0), None), (Some(1.0), Some(Reset)), (Some(2.0), None)],
            ),
        ];
        for (name, points, wanted) in cases {
            assert_eq!(walk(points), *wanted, "{name}");
        }
    }

    #[test]
    fn a_start_that_may_have_been_counted_and_forgotten_is_dropped() {
        let mut writers = Writers::default();
        for process in 0..=MOST as i64 {
            let start = 100 + 10 * process;
            assert!(writers.advance(at(start, start + 5), 1.0).added.is_some());
        }
        assert_eq!(writers.known.len(), MOST);
        assert_eq!(writers.advance(at(100, 107), 3.0).note, Some(Note::OlderStart));
        assert_eq!(writers.advance(at(50, 60), 3.0).note, Some(Note::OlderStart));
        assert_eq!(writers.advance(at(110, 119), 3.0).added, Some((2.0, 115)), "still remembered");
    }

    #[test]
    fn one_wrong_clock_does_not_silence_a_stream() {
        let mut writers = Writers::default();
        writers.advance(at(100, 110), 5.0);
        let ahead = NOW + 2 * AHEAD;
        assert_eq!(writers.advance(at(100, ahead), 6.0).added, Some((1.0, 110)));
        assert_eq!(writers.advance(at(100, 120), 8.0).added, Some((2.0, ahead)));
        assert_eq!(writers.advance(at(100, 115), 7.0).note, Some(Note::OutOfOrder));
    }

    #[test]
    fn after_its_end_a_series_without_a_start_is_a_new_one() {
        let mut writers = Writers::default();
        writers.advance(at(0, 110), 5.0);
        writers.advance(at(100, 110), 5.0);
        writers.end();
        assert_eq!(writers.advance(at(0, 120), 9.0).added, None);
        assert_eq!(writers.advance(at(100, 120), 9.0).added, Some((4.0, 110)), "never counted twice");
    }
}
