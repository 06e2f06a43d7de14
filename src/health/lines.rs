//! Outbound calls that count, series by series, ready to be judged over any stretch of the minutes at hand.

use std::collections::BTreeMap;

use super::sight::Sight;
use crate::rollup::series::{CallsRow, Merge, Tally};
use crate::rollup::sources::Sources;
use crate::rollup::window::Minute;
use crate::signals::call::{Judged, judge};
use crate::signals::observation::{CallKey, Direction, IntegrationKey};

/// All that is judged at a tick.
pub struct Lines<'p> {
    /// By key, ascending.
    pub all: Vec<Line<'p>>,
    /// Which source of a peer's calls counts.
    pub sources: Sources<'p>,
}

/// A series and its minutes before the tick, ascending.
pub struct Line<'p> {
    /// Which.
    pub key: &'p CallKey,
    rows: Vec<(Minute, &'p CallsRow)>,
}

impl<'p> Lines<'p> {
    /// What counts at the sight's tick.
    pub fn of(sight: &Sight<'p>) -> Lines<'p> {
        let sources = Sources::of(sight.part, sight.tick);
        let mut by_key: BTreeMap<&CallKey, Vec<(Minute, &CallsRow)>> = BTreeMap::new();
        let rows = sight.part.calls.iter().chain(&sight.part.measured);
        for ((minute, key), row) in rows.filter(|((minute, _), _)| *minute < sight.tick) {
            if key.direction == Direction::Outbound {
                by_key.entry(key).or_default().push((*minute, row));
            }
        }
        let counted = by_key.into_iter().filter(|(key, _)| sources.counts(key));
        let all = counted.map(|(key, mut rows)| {
            rows.sort_by_key(|(minute, _)| *minute);
            Line { key, rows }
        });
        Lines { all: all.collect(), sources }
    }

    /// Operations of an integration in `[from, to)`: judged by endpoint, then added up.
    pub fn judged(&self, integration: &IntegrationKey, from: Minute, to: Minute) -> Judged {
        let mut sum = Judged::default();
        let of_it = self.all.iter().filter(|line| line.key.integration == *integration);
        of_it.for_each(|line| sum.add(&judge(&line.tally(from, to).counts(), false)));
        sum
    }

    /// Integrations with lines, each once, ascending.
    pub fn integrations(&self) -> Vec<&'p IntegrationKey> {
        let mut all: Vec<&IntegrationKey> = self.all.iter().map(|line| &line.key.integration).collect();
        all.sort();
        all.dedup();
        all
    }
}

impl<'p> Line<'p> {
    /// Rows of `[from, to)`.
    pub fn rows(&self, from: Minute, to: Minute) -> &[(Minute, &'p CallsRow)] {
        let start = self.rows.partition_point(|(minute, _)| *minute < from);
        let end = self.rows.partition_point(|(minute, _)| *minute < to);
        self.rows.get(start..end).unwrap_or_default()
    }

    /// Counts of `[from, to)`.
    pub fn tally(&self, from: Minute, to: Minute) -> Tally {
        let mut sum = Tally::default();
        self.rows(from, to).iter().for_each(|(_, row)| sum.merge(&row.tally));
        sum
    }
}
