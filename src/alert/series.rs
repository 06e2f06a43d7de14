//! The calls of a part by series, ready to be summed over a window.

use std::collections::BTreeMap;

use crate::rollup::latency::Latency;
use crate::rollup::series::{Outcomes, Tally};
use crate::rollup::sources::Sources;
use crate::rollup::window::{Map, Minute, Part};
use crate::signals::call::Class;
use crate::signals::observation::{CallKey, Direction, Facet, FacetKey, IntegrationKey};

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
    /// Whether it was seldom answered "not found" in the 7 days before; none where that is not known.
    pub seldom: Option<bool>,
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

/// Calls by endpoint, as they are judged at a tick.
pub fn by_endpoint<'a>(
    part: &'a Part,
    sources: &Sources<'_>,
    seldom: &dyn Fn(&CallKey) -> Option<bool>,
    tick: Minute,
) -> Vec<Series<'a>> {
    // Whether a key counts is asked once a key, not once a minute of it.
    let mut series: Map<&'a CallKey, Option<Series<'a>>> = Map::default();
    let new = |key: &'a CallKey| {
        sources.counts(key).then(|| Series {
            integration: &key.integration,
            direction: key.direction,
            peer: &key.peer,
            endpoint: &key.endpoint,
            facet: None,
            seldom: None,
            rows: Vec::new(),
            outcomes: None,
        })
    };
    let rows = part.calls.iter().chain(&part.measured);
    for ((minute, key), row) in rows.filter(|((minute, _), _)| *minute < tick) {
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
    for (key, series) in &mut counted {
        // Asked only where it matters.
        let gone = Class::AmbiguousRead as usize;
        if series.rows.iter().any(|row| row.tally.attempts[gone] > 0.0) {
            series.seldom = seldom(key);
        }
    }
    sorted(counted.into_iter().map(|(_, series)| series))
}

/// Calls by connection or by credential.
pub fn by_facet<'a>(part: &'a Part, sources: &Sources<'_>, tick: Minute, facet: Facet) -> Vec<Series<'a>> {
    let mut series = BTreeMap::new();
    // Of a peer whose spans are samples, failures are likelier to be kept than successes.
    let judged = |key: &FacetKey| {
        key.direction != Direction::Dependency
            && !sources.is_sampled(&key.integration, key.direction, &key.peer)
    };
    for ((minute, key), tally) in &part.facets {
        if *minute >= tick || key.facet != facet || !judged(key) {
            continue;
        }
        let entry = series.entry(&**key).or_insert_with(|| Series {
            integration: &key.integration,
            direction: key.direction,
            peer: &key.peer,
            endpoint: "",
            facet: Some((facet, &*key.id)),
            seldom: None,
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
