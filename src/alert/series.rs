//! The calls of a part by series, ready to be summed over a window.

use std::collections::{BTreeMap, HashSet};

use crate::rollup::latency::Latency;
use crate::rollup::series::{Outcomes, Tally};
use crate::rollup::window::{Map, Minute, Part};
use crate::signals::observation::{CallKey, Direction, Facet, IntegrationKey, Source};

use crate::signals::signal::Label;

/// One series and its minutes.
#[derive(Debug)]
pub struct Series<'a> {
    /// Whose.
    pub integration: &'a IntegrationKey,
    /// Which way.
    pub direction: Direction,
    /// The other side.
    pub peer: &'a str,
    /// Empty where calls are counted by connection or credential.
    pub endpoint: &'a str,
    /// The connection or credential where calls are counted by that.
    pub facet: Option<(Facet, &'a str)>,
    /// Ascending by minute, all before the tick.
    pub rows: Vec<Row<'a>>,
    /// The latest operations, where they are kept.
    pub outcomes: Option<&'a Outcomes>,
}

/// A minute of a series.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Which minute.
    pub minute: Minute,
    /// The counts.
    pub tally: &'a Tally,
    /// Durations of good attempts, where they are kept.
    pub good: Option<&'a Latency>,
}

impl Series<'_> {
    /// The value of a label, empty where it has none. The tier is not the series' to know.
    pub fn label(&self, label: Label) -> &str {
        match (label, self.facet) {
            (Label::Integration, _) => &self.integration.name,
            (Label::Environment, _) => &self.integration.environment,
            (Label::Direction, _) => direction(self.direction),
            (Label::Peer, _) => self.peer,
            (Label::Endpoint, _) => self.endpoint,
            (Label::Connection, Some((Facet::Connection, id)))
            | (Label::Credential, Some((Facet::Credential, id))) => id,
            _ => "",
        }
    }
}

/// `outbound`, `inbound` or `dependency`.
pub const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
        Direction::Dependency => "dependency",
    }
}

/// Calls by endpoint, as they are judged at a tick: without dependencies, from the source that counts, and
/// without calls to the token endpoint of an integration whose credentials say when they expire.
pub fn by_endpoint<'a>(part: &'a Part, tick: Minute) -> Vec<Series<'a>> {
    let metered = metered_peers(part, tick);
    let with_expiry: HashSet<&IntegrationKey> = part
        .slots
        .iter()
        .filter(|(_, slot)| slot.expires_at().is_some() || slot.never_expires())
        .map(|(key, _)| &key.integration)
        .collect();
    let counts = |key: &CallKey| {
        let of_token = is_token_endpoint(&key.endpoint) && with_expiry.contains(&key.integration);
        let by_metrics = metered.contains(&peer_of(key));
        let counted = match key.source {
            Source::Span => !by_metrics,
            Source::Metric => by_metrics,
            Source::Report => true,
        };
        key.direction != Direction::Dependency && !of_token && counted
    };
    // Whether a key counts is asked once a key, not once a minute of it.
    let mut series: Map<&'a CallKey, Option<Series<'a>>> = Map::default();
    let new = |key: &'a CallKey| {
        counts(key).then(|| Series {
            integration: &key.integration,
            direction: key.direction,
            peer: &key.peer,
            endpoint: &key.endpoint,
            facet: None,
            rows: Vec::new(),
            outcomes: None,
        })
    };
    for ((minute, key), row) in part.calls.iter().filter(|((minute, _), _)| *minute < tick) {
        if let Some(series) = series.entry(key).or_insert_with(|| new(key)) {
            series.rows.push(Row { minute: *minute, tally: &row.tally, good: Some(&row.good) });
        }
    }
    for (key, outcomes) in &part.outcomes {
        if let Some(series) = series.entry(key).or_insert_with(|| new(key)) {
            series.outcomes = Some(outcomes);
        }
    }
    let mut counted: Vec<(&CallKey, Series<'a>)> =
        series.into_iter().filter_map(|(key, series)| Some((key, series?))).collect();
    counted.sort_by_key(|(key, _)| *key);
    sorted(counted.into_iter().map(|(_, series)| series))
}

/// Calls by connection or by credential.
pub fn by_facet<'a>(part: &'a Part, tick: Minute, facet: Facet) -> Vec<Series<'a>> {
    let mut series = BTreeMap::new();
    let judged = |direction: Direction| direction != Direction::Dependency;
    for ((minute, key), tally) in &part.facets {
        if *minute >= tick || key.facet != facet || !judged(key.direction) {
            continue;
        }
        let entry = series.entry(&**key).or_insert_with(|| Series {
            integration: &key.integration,
            direction: key.direction,
            peer: &key.peer,
            endpoint: "",
            facet: Some((facet, &*key.id)),
            rows: Vec::new(),
            outcomes: None,
        });
        entry.rows.push(Row { minute: *minute, tally, good: None });
    }
    sorted(series.into_values())
}

fn sorted<'a>(series: impl Iterator<Item = Series<'a>>) -> Vec<Series<'a>> {
    let mut all: Vec<Series<'a>> = series.collect();
    all.iter_mut().for_each(|series| series.rows.sort_by_key(|row| row.minute));
    all
}

type Peer<'a> = (&'a IntegrationKey, Direction, &'a str);

fn peer_of(key: &CallKey) -> Peer<'_> {
    (&key.integration, key.direction, &*key.peer)
}

/// Peers whose calls are counted by their metrics: the hour before the tick has no spans of them, or 100 calls
/// and 1.2 times the spans, so that the spans are samples (semantics section 1).
pub fn metered_peers(part: &Part, tick: Minute) -> HashSet<Peer<'_>> {
    let mut counts: Map<Peer<'_>, (f64, f64)> = Map::default();
    for ((minute, key), row) in &part.calls {
        if *minute >= tick || minute.0 < tick.0 - 60 {
            continue;
        }
        let attempts: f64 = row.tally.attempts.iter().sum();
        let (spans, metrics) = counts.entry(peer_of(key)).or_default();
        match key.source {
            Source::Span => *spans += attempts,
            Source::Metric => *metrics += attempts,
            Source::Report => {}
        }
    }
    let by_metrics = |(spans, metrics): (f64, f64)| {
        metrics > 0.0 && (spans == 0.0 || (metrics >= 100.0 && metrics >= 1.2 * spans))
    };
    counts.into_iter().filter(|(_, counts)| by_metrics(*counts)).map(|(peer, _)| peer).collect()
}

/// `POST /oauth/v1/token` and the like.
fn is_token_endpoint(endpoint: &str) -> bool {
    endpoint.strip_prefix("POST ").is_some_and(|path| path.ends_with("/token") && path.contains("oauth"))
}
