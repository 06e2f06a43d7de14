//! `connection.failing`: customers whose calls all fail while the integration as a whole is well (semantics section 3).
//! The dead one of five hundred moves no success rate.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::Lines;
use super::say::{counted, when};
use super::sight::Sight;
use super::value::Value;
use crate::rollup::series::{Merge, Tally};
use crate::rollup::state::row::{State, StateKey, StateKind};
use crate::rollup::window::Minute;
use crate::signals::call::{Class, finals, judge};
use crate::signals::observation::{Direction, Facet, IntegrationKey};
use crate::signals::signal::Signal;
use crate::usual::key::Figure;
use crate::usual::track::Track;

/// So many operations in a row must have failed, over so many minutes.
const LEAST: f64 = 3.0;
const OVER: i64 = 15;
/// The integration is well by what the others did in so many minutes.
const WELL_OVER: i64 = 15;
/// What was not called for a week is no longer called.
const CALLED: i64 = 7 * 24 * 60;
/// So many are named.
const NAMED: usize = 5;

/// A connection whose latest operations all failed.
struct Failing<'s> {
    id: &'s str,
    since: Minute,
    failures: f64,
}

/// One value an integration that has connections.
pub fn values(sight: &Sight<'_>, lines: &Lines<'_>, out: &mut Vec<Value>) {
    // Of a peer whose spans are samples, failures are likelier to be kept than successes.
    let sampled: BTreeSet<(&IntegrationKey, &str)> = sight
        .part
        .facets
        .keys()
        .filter(|(_, key)| key.facet == Facet::Connection)
        .filter(|(_, key)| lines.sources.is_sampled(&key.integration, key.direction, &key.peer))
        .map(|(_, key)| (&key.integration, &*key.id))
        .collect();
    let mut all: BTreeMap<&IntegrationKey, (usize, Vec<Failing<'_>>)> = BTreeMap::new();
    for (key, track) in &sight.usual.tracks {
        let Some(id) = key.name.strip_prefix("connection:").filter(|_| key.figure == Figure::GoodUse) else {
            continue;
        };
        if sight.tick.0 - track.seen.0 > CALLED || sampled.contains(&(&key.integration, id)) {
            continue;
        }
        let (known, failing) = all.entry(&key.integration).or_default();
        *known += 1;
        failing.extend(failing_of(id, track, sight).filter(|one| !is_closed(sight, &key.integration, one)));
    }
    for (integration, (known, mut failing)) in all {
        let Some(rest) = rest_of(sight, lines, integration, &failing) else { continue };
        if !failing.is_empty() && rest < well(sight, integration) {
            continue;
        }
        failing.sort_by_key(|one| one.since);
        let value = Value::of(Signal::ConnectionFailing, integration, failing.len() as f64, sight.now());
        out.push(value.because(why(sight, integration, known, &failing)));
    }
}

fn failing_of<'s>(id: &'s str, track: &Track, sight: &Sight<'_>) -> Option<Failing<'s>> {
    let (since, failures) = track.failing_since()?;
    let long = sight.tick.0 - since.0 >= OVER && failures >= LEAST;
    long.then_some(Failing { id, since, failures })
}

/// Closed on purpose since it last worked.
fn is_closed(sight: &Sight<'_>, integration: &IntegrationKey, failing: &Failing<'_>) -> bool {
    let (integration, name) = (integration.clone(), failing.id.into());
    let key = StateKey { integration, kind: StateKind::ConnectionClosed, name };
    // It may have failed a little before somebody closed it.
    let closed = sight.part.states.get(&key);
    matches!(closed, Some(State::ConnectionClosed(at)) if *at >= failing.since.start())
}

/// The success rate of all that the failing connections have no part in; 1 where nothing else was judged lately but the
/// connections are all well; none where nothing can be said.
fn rest_of(
    sight: &Sight<'_>,
    lines: &Lines<'_>,
    integration: &IntegrationKey,
    failing: &[Failing<'_>],
) -> Option<f64> {
    let from = Minute(sight.tick.0 - WELL_OVER);
    let mut rest = lines.judged(integration, from, sight.tick);
    for ((minute, key), tally) in &sight.part.facets {
        let is_theirs = key.facet == Facet::Connection
            && key.direction == Direction::Outbound
            && *minute >= from
            && *minute < sight.tick
            && key.integration == *integration
            && failing.iter().any(|one| *one.id == *key.id);
        if is_theirs {
            let theirs = judge(&tally.counts(), false);
            rest.bad = (rest.bad - theirs.bad).max(0.0);
            rest.good = (rest.good - theirs.good).max(0.0);
        }
    }
    rest.success_rate().or(failing.is_empty().then_some(1.0))
}

/// The success rate from which on an integration of this tier is well: that under which its calls are an incident.
fn well(sight: &Sight<'_>, integration: &IntegrationKey) -> f64 {
    match sight.tier(integration) {
        "critical" => 0.95,
        "simple" => 0.8,
        _ => 0.9,
    }
}

fn why(sight: &Sight<'_>, integration: &IntegrationKey, known: usize, failing: &[Failing<'_>]) -> String {
    if failing.is_empty() {
        return format!("none of {} fails", counted(known as f64, "connection"));
    }
    let mut classes: BTreeMap<&str, Tally> = BTreeMap::new();
    for ((_, key), tally) in &sight.part.facets {
        if key.facet == Facet::Connection && key.integration == *integration {
            classes.entry(&key.id).or_default().merge(tally);
        }
    }
    let named = failing.iter().take(NAMED).map(|one| {
        let class = classes.get(one.id).and_then(worst).map_or(String::new(), |class| format!(" ({class})"));
        let calls = counted(one.failures, "call");
        format!("{} since {}, {calls}{class}", one.id, when(one.since.start()))
    });
    let mut said = named.collect::<Vec<_>>().join("; ");
    if failing.len() > NAMED {
        said += &format!("; and {} more", failing.len() - NAMED);
    }
    format!("{said}; of {known} in all")
}

fn worst(tally: &Tally) -> Option<&'static str> {
    let finals = finals(&tally.counts());
    let bad = Class::ALL.into_iter().filter(|class| class.is_bad() && finals[*class as usize] > 0.0);
    bad.max_by(|a, b| finals[*a as usize].total_cmp(&finals[*b as usize])).map(Class::name)
}

#[cfg(test)]
mod tests;
