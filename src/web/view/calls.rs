//! Calls by endpoint over a window, judged as semantics section 1 says.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::rollup::latency::Latency;
use crate::rollup::series::{CallsRow, Merge, Tally};
use crate::rollup::window::{Map, Minute, Part};
use crate::signals::call::{Class, Judged, finals, judge};
use crate::signals::observation::{CallKey, Direction, IntegrationKey, Source};

/// One operation of a peer's API, whatever source its calls were counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointKey {
    /// Whose.
    pub integration: IntegrationKey,
    /// Which way.
    pub direction: Direction,
    /// Host name of the other side.
    pub peer: Arc<str>,
    /// `GET /v1/charges/{id}`.
    pub endpoint: Arc<str>,
}

impl EndpointKey {
    fn of(key: &CallKey) -> EndpointKey {
        EndpointKey {
            integration: key.integration.clone(),
            direction: key.direction,
            peer: key.peer.clone(),
            endpoint: key.endpoint.clone(),
        }
    }
}

/// Rows of a window by endpoint.
pub type Endpoints = BTreeMap<EndpointKey, CallsRow>;

/// Endpoints whose reads seldom answered 404 or 410 in the days before: there, nothing but 404s is a failure.
pub type Seldom = BTreeSet<EndpointKey>;

/// Sums the calls of [from, to) by endpoint, from the source that counts. A row may be in several parts.
pub fn endpoints<P: Borrow<Part>>(parts: &[P], from: Minute, to: Minute) -> Endpoints {
    let mut sums: Map<&CallKey, CallsRow> = Map::default();
    for ((minute, key), row) in rows(parts) {
        if (from..to).contains(minute) {
            sums.entry(key).or_default().merge(row);
        }
    }
    let metered = metered(sums.iter().map(|(key, row)| (*key, &row.tally)));
    let mut all = Endpoints::new();
    for (key, row) in sums.iter().filter(|(key, _)| counts(key, &metered)) {
        all.entry(EndpointKey::of(key)).or_default().merge(row);
    }
    all
}

fn rows<P: Borrow<Part>>(parts: &[P]) -> impl Iterator<Item = (&(Minute, Arc<CallKey>), &CallsRow)> {
    parts.iter().flat_map(|part| {
        let part: &Part = part.borrow();
        part.calls.iter()
    })
}

/// The success rate of every integration's calls to peers for each of `count` columns, in one pass; `at` says which
/// column a minute falls in.
pub fn rates<P: Borrow<Part>>(
    parts: &[P],
    count: usize,
    at: impl Fn(Minute) -> Option<usize>,
    seldom: &Seldom,
) -> BTreeMap<IntegrationKey, Vec<Option<f64>>> {
    let mut columns: Vec<Map<&CallKey, Tally>> = vec![Map::default(); count];
    for ((minute, key), row) in rows(parts) {
        if key.direction != Direction::Outbound {
            continue;
        }
        if let Some(column) = at(*minute).and_then(|at| columns.get_mut(at)) {
            column.entry(key).or_default().merge(&row.tally);
        }
    }
    let metered = metered(columns.iter().flatten().map(|(key, tally)| (*key, tally)));
    let mut judged: BTreeMap<&IntegrationKey, Vec<Judged>> = BTreeMap::new();
    for (at, column) in columns.iter().enumerate() {
        // An endpoint that is counted by reports and by spans is one endpoint.
        let mut whole: Map<(&IntegrationKey, &str, &str), Tally> = Map::default();
        for (key, tally) in column.iter().filter(|(key, _)| counts(key, &metered)) {
            whole.entry((&key.integration, &*key.peer, &*key.endpoint)).or_default().merge(tally);
        }
        for ((integration, peer, endpoint), tally) in whole {
            let is_seldom = !seldom.is_empty()
                && seldom.contains(&EndpointKey {
                    integration: integration.clone(),
                    direction: Direction::Outbound,
                    peer: peer.into(),
                    endpoint: endpoint.into(),
                });
            let sums = judged.entry(integration).or_insert_with(|| vec![Judged::default(); count]);
            if let Some(sum) = sums.get_mut(at) {
                sum.add(&judge(&tally.counts(), is_seldom));
            }
        }
    }
    let rates = |sums: Vec<Judged>| sums.iter().map(Judged::success_rate).collect();
    judged.into_iter().map(|(key, sums)| (key.clone(), rates(sums))).collect()
}

/// The same for each of `count` columns; `at` says which a minute falls in. The source is chosen for the whole window.
pub fn by_column(
    part: &Part,
    (from, to): (Minute, Minute),
    count: usize,
    at: impl Fn(Minute) -> Option<usize>,
    with_durations: bool,
) -> Vec<Endpoints> {
    let within = part.calls.iter().filter(|((minute, _), _)| (from..to).contains(minute));
    let metered = metered(within.map(|((_, key), row)| (&**key, &row.tally)));
    let mut columns = vec![Endpoints::new(); count];
    for ((minute, key), row) in part.calls.iter().filter(|((_, key), _)| counts(key, &metered)) {
        let Some(column) = at(*minute).and_then(|at| columns.get_mut(at)) else { continue };
        let sum = column.entry(EndpointKey::of(key)).or_default();
        if with_durations {
            sum.merge(row);
        } else {
            sum.tally.merge(&row.tally);
        }
    }
    columns
}

/// (integration, direction, peer): what is counted by one source only.
type Peer<'p> = (&'p IntegrationKey, Direction, &'p str);

fn peer(key: &CallKey) -> Peer<'_> {
    (&key.integration, key.direction, &key.peer)
}

fn counts(key: &CallKey, metered: &BTreeSet<Peer<'_>>) -> bool {
    match key.source {
        Source::Span => !metered.contains(&peer(key)),
        Source::Metric => metered.contains(&peer(key)),
        Source::Report => true,
    }
}

/// Peers counted by their metrics: there are no spans of them, or so few that they are samples.
fn metered<'p>(rows: impl Iterator<Item = (&'p CallKey, &'p Tally)>) -> BTreeSet<Peer<'p>> {
    let mut attempts: Map<Peer<'_>, (f64, f64)> = Map::default();
    for (key, tally) in rows {
        let (spans, metrics) = attempts.entry(peer(key)).or_default();
        let sum: f64 = tally.attempts.iter().sum();
        match key.source {
            Source::Span => *spans += sum,
            Source::Metric => *metrics += sum,
            Source::Report => {}
        }
    }
    let is_metered = |(spans, metrics): (f64, f64)| {
        (spans == 0.0 && metrics > 0.0) || (metrics >= 100.0 && metrics >= 1.2 * spans)
    };
    attempts.into_iter().filter(|(_, sums)| is_metered(*sums)).map(|(peer, _)| peer).collect()
}

/// Endpoints of which it depends on the days before how they are judged: nearly all answers were 404 or 410.
pub fn suspects(endpoints: &Endpoints) -> Seldom {
    let differs = |row: &CallsRow| {
        let counts = row.tally.counts();
        judge(&counts, true) != judge(&counts, false)
    };
    endpoints.iter().filter(|(_, row)| differs(row)).map(|(key, _)| key.clone()).collect()
}

/// Those of the suspects that answered 404 or 410 to under half of their calls in the window before.
pub fn seldom(suspects: &Seldom, before: &Endpoints) -> Seldom {
    let was_well = |row: &CallsRow| {
        let counts = row.tally.counts();
        let gone = finals(&counts)[Class::AmbiguousRead as usize];
        let operations = judge(&counts, false).operations;
        operations > 0.0 && gone < 0.5 * operations
    };
    suspects.iter().filter(|key| before.get(key).is_some_and(was_well)).cloned().collect()
}

/// Calls of one endpoint, or of several, judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Good, bad and all operations, attempts.
    pub judged: Judged,
    /// Final attempts by class: what failed, as what.
    pub finals: [f64; Class::COUNT],
    /// Durations of ok and partial attempts.
    pub good: Latency,
    /// Whether other attempts were timed too.
    timed_bad: bool,
    /// The longest attempt of any class, in microseconds.
    longest_us: u64,
}

impl Summary {
    /// The calls of one endpoint.
    pub fn of(row: &CallsRow, seldom: bool) -> Summary {
        Summary {
            judged: judge(&row.tally.counts(), seldom),
            finals: finals(&row.tally.counts()),
            good: row.good.clone(),
            timed_bad: row.bad.count() > 0,
            longest_us: row.tally.duration_max_us,
        }
    }

    /// The calls of all endpoints that pass.
    pub fn over(endpoints: &Endpoints, seldom: &Seldom, pass: impl Fn(&EndpointKey) -> bool) -> Summary {
        let mut sum = Summary::default();
        for (key, row) in endpoints.iter().filter(|(key, _)| pass(key)) {
            sum.add(row, seldom.contains(key));
        }
        sum
    }

    /// Adds the calls of one more endpoint.
    pub fn add(&mut self, row: &CallsRow, seldom: bool) {
        let counts = row.tally.counts();
        self.judged.add(&judge(&counts, seldom));
        self.finals.iter_mut().zip(finals(&counts)).for_each(|(ours, more)| *ours += more);
        self.good.merge(&row.good);
        self.timed_bad |= row.bad.count() > 0;
        self.longest_us = self.longest_us.max(row.tally.duration_max_us);
    }

    /// A percentile of ok and partial attempts in microseconds; none where there was none.
    pub fn quantile_us(&self, quantile: f64) -> Option<u64> {
        self.good.quantile_us(quantile).map(|us| us.min(self.longest_us.max(1)))
    }

    /// The longest ok or partial attempt: exact where all were, else to the histogram's 1 %.
    pub fn max_us(&self) -> Option<u64> {
        if self.timed_bad { self.quantile_us(1.0) } else { self.quantile_us(1.0).map(|_| self.longest_us) }
    }

    /// Whether so few were judged that a share says little.
    pub fn is_thin(&self) -> bool {
        self.judged.good + self.judged.bad < 20.0
    }

    /// Whether a percentile rests on too few samples: 3 / (1 − q).
    pub fn is_thin_at(&self, quantile: f64) -> bool {
        (self.good.count() as f64) < (3.0 / (1.0 - quantile)).round()
    }

    /// Attempts to operations.
    pub fn attempts_per_call(&self) -> Option<f64> {
        (self.judged.operations > 0.0).then(|| self.judged.attempts / self.judged.operations)
    }
}
