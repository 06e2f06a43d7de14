//! Contracts: shapes that drift, violations that integrations tell of, pages that are capped, requests that a peer no
//! longer takes (semantics section 10).

use std::collections::BTreeMap;

use super::queue::clock;
use super::shape::{Difference, Kind, Learned, learned};
use super::sight::Sight;
use super::value::Value;
use crate::rollup::series::Tally;
use crate::rollup::state::row::{State, StateKey, StateKind, of_endpoint};
use crate::rollup::state::shapes::Shapes;
use crate::rollup::window::{Map, Minute};
use crate::signals::call::{Class, finals};
use crate::signals::fact::VIOLATIONS;
use crate::signals::observation::{CallKey, Direction, IntegrationKey};
use crate::signals::signal::{Label, Signal};
use crate::signals::vocabulary::{Attr, Metric};
use crate::usual::key::{Figure, UsualKey};
use crate::usual::learn::endpoint;

/// `contract.drift`, `.violations`, `.page_cap`, `.request_rejected`.
pub fn values(sight: &Sight<'_>, out: &mut Vec<Value>) {
    for (key, shapes) in all_shapes(&sight.part.states) {
        let learned = of_endpoint_learned(&sight.part.states, key, shapes, sight.tick);
        let breaking = learned.differences.iter().filter(|one| one.is_breaking());
        out.extend(breaking.map(|one| drift(key, one)));
    }
    violations(sight, out);
    let mut calls: BTreeMap<&CallKey, Vec<(Minute, &Tally)>> = BTreeMap::new();
    for ((minute, key), row) in &sight.part.calls {
        if key.direction == Direction::Outbound && *minute < sight.tick {
            calls.entry(key).or_default().push((*minute, &row.tally));
        }
    }
    for (key, mut minutes) in calls {
        minutes.sort_by_key(|(minute, _)| std::cmp::Reverse(*minute));
        out.extend(page_cap(sight, key, &minutes));
        out.extend(request_rejected(sight, key, &minutes));
    }
}

/// All endpoints whose shapes are told.
pub fn all_shapes(states: &Map<StateKey, State>) -> impl Iterator<Item = (&StateKey, &Shapes)> {
    states.iter().filter_map(|(key, state)| match state {
        State::Shapes(shapes) => Some((key, shapes)),
        _ => None,
    })
}

/// What the shapes of an endpoint say, with what a person accepted of them.
pub fn of_endpoint_learned(
    states: &Map<StateKey, State>,
    key: &StateKey,
    shapes: &Shapes,
    tick: Minute,
) -> Learned {
    let accepted = StateKey { kind: StateKind::Accepted, ..key.clone() };
    let accepted = match states.get(&accepted) {
        Some(State::Accepted(word)) => Some(Minute::of(word.at)),
        _ => None,
    };
    learned(shapes, accepted, tick)
}

fn drift(key: &StateKey, one: &Difference) -> Value {
    let (message, endpoint) = of_endpoint(&key.name);
    let at = clock(one.since);
    let why = match one.kind {
        Kind::Missing => format!("it was always there as {}, and is missing since {at}", one.before),
        _ => format!("it was always {}, and is {} since {at}", one.before, one.now),
    };
    let value = Value::of(Signal::ContractDrift, &key.integration, 1.0, one.since.start());
    value
        .with(Label::Endpoint, endpoint)
        .with(Label::Direction, message)
        .with(Label::Path, &one.path)
        .because(why)
}

/// Messages that the integration's own check found broken, in a quarter of an hour. It may count them and tell of each;
/// then whichever are more.
fn violations(sight: &Sight<'_>, out: &mut Vec<Value>) {
    type Key<'s> = (&'s IntegrationKey, &'s str, &'s str, &'s str);
    let mut found: BTreeMap<Key<'_>, (f64, f64)> = BTreeMap::new();
    for ((minute, key), row) in &sight.part.counters {
        let series = &key.series;
        let counted = &*series.metric == Metric::ContractViolations.name();
        if !counted && &*series.metric != VIOLATIONS {
            continue;
        }
        let label = |attr: Attr| {
            let found = series.attributes.iter().find(|(name, _)| &**name == attr.name());
            found.map_or("", |(_, value)| &**value)
        };
        let message =
            Some(label(Attr::ContractDirection)).filter(|name| !name.is_empty()).unwrap_or("response");
        let place = (&series.integration, label(Attr::Endpoint), message, label(Attr::ContractPath));
        // Those of before are none: so that it is told when it ended.
        let sums = found.entry(place).or_default();
        if sight.within(*minute, 15) {
            *(if counted { &mut sums.0 } else { &mut sums.1 }) += row.sum;
        }
    }
    for ((integration, endpoint, message, path), (counted, told)) in found {
        let count = counted.max(told);
        let why = format!("{count:.0} in 15 min by the integration's own check");
        let value = Value::of(Signal::ContractViolations, integration, count, sight.now());
        out.push(
            value
                .with(Label::Endpoint, endpoint)
                .with(Label::Direction, message)
                .with(Label::Path, path)
                .because(why),
        );
    }
}

/// Pages that a verdict needs.
const PAGES: u64 = 20;
/// Smaller pages are no cap.
const LEAST_CAP: u64 = 10;

/// The size that pages are capped at, where they were larger in four weeks; 0 where they are not capped.
fn page_cap(sight: &Sight<'_>, key: &CallKey, minutes: &[(Minute, &Tally)]) -> Option<Value> {
    let (mut pages, mut most, mut at_most) = (0, 0, 0);
    for (_, tally) in minutes {
        pages += tally.pages;
        let (size, count) = tally.page_max;
        match size.cmp(&most) {
            std::cmp::Ordering::Greater => (most, at_most) = (size, count),
            std::cmp::Ordering::Equal => at_most += count,
            std::cmp::Ordering::Less => {}
        }
        if pages >= PAGES {
            break;
        }
    }
    let track = sight.usual.of_key(&UsualKey::new(&key.integration, Figure::Page, &endpoint(key)))?;
    let before = track.usual(Minute(sight.tick.0 - 1), 28)?;
    if pages < PAGES {
        return None;
    }
    let round = most % 10 == 0 || most % 25 == 0;
    let capped = at_most * 2 >= pages && most >= LEAST_CAP && round && (most as f64) < before;
    let why = match capped {
        true => format!(
            "{at_most} of {pages} pages hold exactly {most} records, and before up to {before:.0} came"
        ),
        false => format!("pages hold up to {most} records"),
    };
    let value = if capped { most as f64 } else { 0.0 };
    Some(of_call(Signal::ContractPageCap, sight, key, value, why))
}

/// Operations that carry a share of rejected requests, and the windows that may hold them.
const OPERATIONS: f64 = 10.0;
const WINDOWS: [i64; 2] = [5, 15];
/// A version that is so new may itself be what sends otherwise.
const NEW_VERSION: i64 = 2 * 60;

/// The share of requests that a peer rejects as invalid, where it rejected none of them for a week and we did not
/// change; 0 where it always did, or where we did.
fn request_rejected(sight: &Sight<'_>, key: &CallKey, minutes: &[(Minute, &Tally)]) -> Option<Value> {
    let track = sight.usual.of_key(&UsualKey::new(&key.integration, Figure::Validation, &endpoint(key)))?;
    let week: Vec<f64> =
        track.hours.since(sight.tick.0.div_euclid(60) - 7 * 24).map(|(_, share)| share).collect();
    let known = sight.tick.0 - track.since.0 >= 3 * 24 * 60 && !week.is_empty();
    let (rejected, operations) = WINDOWS.into_iter().find_map(|window| {
        let (rejected, operations) = rejected(minutes.iter().filter(|(at, _)| sight.within(*at, window)));
        (operations >= OPERATIONS).then_some((rejected, operations))
    })?;
    if !known {
        return None;
    }
    let usual = week.iter().sum::<f64>() / week.len() as f64;
    let changed = changed_at(sight, &key.integration).filter(|at| sight.tick.0 - at.0 < NEW_VERSION);
    let share = rejected / operations;
    let (value, why) = match (usual < 0.01, changed) {
        (false, _) => (0.0, format!("{:.1} % were rejected in the last week too", usual * 100.0)),
        (true, Some(at)) => (0.0, format!("our own version changed at {}", clock(at))),
        (true, None) => {
            let why =
                format!("{rejected:.0} of {operations:.0} requests rejected, and under 1 % in a week before");
            (share, why)
        }
    };
    Some(of_call(Signal::ContractRequestRejected, sight, key, value, why))
}

/// (rejected as invalid, all operations)
pub fn rejected<'t>(minutes: impl Iterator<Item = &'t (Minute, &'t Tally)>) -> (f64, f64) {
    let (mut rejected, mut operations) = (0.0, 0.0);
    for (_, tally) in minutes {
        let finals = finals(&tally.counts());
        rejected += finals[Class::Validation as usize];
        let none = finals[Class::Cancelled as usize] + finals[Class::Ignored as usize];
        operations += finals.iter().sum::<f64>() - none;
    }
    (rejected, operations)
}

/// When the version that is the newest was seen first, where there was another before it.
fn changed_at(sight: &Sight<'_>, integration: &IntegrationKey) -> Option<Minute> {
    let (integration, kind) = (integration.clone(), StateKind::Versions);
    match sight.part.states.get(&StateKey { integration, kind, name: "".into() })? {
        State::Versions(versions) if versions.len() > 1 => versions.values().max().map(|at| Minute::of(*at)),
        _ => None,
    }
}

fn of_call(signal: Signal, sight: &Sight<'_>, key: &CallKey, value: f64, why: String) -> Value {
    Value::of(signal, &key.integration, value, sight.now())
        .with(Label::Peer, &key.peer)
        .with(Label::Endpoint, &key.endpoint)
        .with(Label::Direction, "outbound")
        .because(why)
}

#[cfg(test)]
mod tests;
