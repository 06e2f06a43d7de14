//! Rate limits (semantics section 9): what is left of them, whether that lasts until the reset, and whether it is we who
//! use it. A limit is a vendor account's and shared by all integrations on it.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::Lines;
use super::say::{span, when};
use super::sight::Sight;
use super::value::Value;
use crate::rollup::window::Minute;
use crate::signals::observation::{Direction, Facet, IntegrationKey};
use crate::signals::signal::{Label, Signal};
use crate::signals::vocabulary::{Attr, Metric};
use crate::usual::ring::median;

/// Where nothing runs out, it does so in this time: seconds.
pub const NEVER: f64 = 30.0 * 86_400.0;
/// A level says nothing after so many seconds, unless it says until when it stands.
const STALE: i64 = 15 * 60;
/// A forecast rests on so many minutes of levels that fell, over so many minutes.
const POINTS: usize = 5;
const OVER: i64 = 5;
/// Minutes that a forecast looks at.
const FORECAST: i64 = 15;
/// Others' share rests on a fall of so many requests over so many minutes.
const FALL: f64 = 20.0;
const FALL_OVER: i64 = 10;

/// One limit of one account: (provider, account, limit).
type Key<'s> = (&'s str, &'s str, &'s str);

/// What was told of a limit.
#[derive(Default)]
struct Limit<'s> {
    integrations: BTreeSet<&'s IntegrationKey>,
    peers: BTreeSet<&'s str>,
    /// Latest by minute: (time, value).
    remaining: BTreeMap<Minute, (i64, f64)>,
    limit: Option<(i64, f64)>,
    resets_at: Option<(i64, f64)>,
}

/// A level that stands.
struct Level {
    at: i64,
    remaining: f64,
    of: f64,
    /// Unix seconds, ahead of now.
    resets_at: Option<i64>,
}

/// `rate_limit.*`.
pub fn values(sight: &Sight<'_>, lines: &Lines<'_>, out: &mut Vec<Value>) {
    let limits = limits(sight);
    // Accounts that share a peer and a limit's name: whose calls are whose is then only known by connection.
    let mut accounts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (provider, _, limit) in limits.keys() {
        *accounts.entry((provider, limit)).or_default() += 1;
    }
    for (key @ (provider, account, name), limit) in &limits {
        let labelled = |signal, value, why: String| {
            let value = Value::shared(signal, value, sight.now()).with(Label::Provider, provider);
            value.with(Label::Account, account).with(Label::Limit, name).because(why)
        };
        let Some(level) = level(limit, sight) else { continue };
        let share = (level.remaining / level.of).clamp(0.0, 1.0);
        let resets =
            level.resets_at.map_or(String::new(), |at| format!(", reset at {}", when(at * 1_000_000_000)));
        let early = clustering(limit, lines, sight).map_or(String::new(), |times| {
            format!("; {times:.1} x as many calls as others in the first 5 minutes of an hour")
        });
        let left = format!("{:.0} of {:.0} left{resets}", level.remaining, level.of);
        out.push(labelled(Signal::RateLimitHeadroom, share, format!("{left}{early}")));
        let (seconds, why) = exhausts_in(limit, &level, sight);
        out.push(labelled(Signal::RateLimitExhaustsIn, seconds, format!("{left}; {why}")));
        let alone = accounts.get(&(*provider, *name)).is_some_and(|accounts| *accounts == 1);
        if let Some((share, why)) = foreign(*key, limit, alone, lines, sight) {
            out.push(labelled(Signal::RateLimitForeignShare, share, format!("{why}; {left}")));
        }
    }
}

fn limits<'s>(sight: &Sight<'s>) -> BTreeMap<Key<'s>, Limit<'s>> {
    let mut all: BTreeMap<Key<'s>, Limit<'s>> = BTreeMap::new();
    let later = |kept: &mut Option<(i64, f64)>, at: i64, value: f64| {
        if kept.is_none_or(|kept| (at, value) > kept) {
            *kept = Some((at, value));
        }
    };
    for ((minute, key), row) in sight.part.gauges.iter().filter(|((minute, _), _)| *minute < sight.tick) {
        if !key.metric.starts_with("integration.rate_limit.") {
            continue;
        }
        let host = key.attribute(Attr::ServerAddress.name()).unwrap_or("");
        let provider = sight.context.providers.of(host).map_or(host, |vendor| &*vendor.id);
        let account = key.attribute(Attr::RateLimitAccount.name()).unwrap_or(host);
        let name = key.attribute(Attr::RateLimitName.name()).unwrap_or("");
        let limit = all.entry((provider, account, name)).or_default();
        limit.integrations.insert(&key.integration);
        if !host.is_empty() {
            limit.peers.insert(host);
        }
        if *key.metric == *Metric::RateLimitRemaining.name() {
            let mut kept = limit.remaining.get(minute).copied();
            later(&mut kept, row.last_at, row.last);
            limit.remaining.extend(kept.map(|kept| (*minute, kept)));
        } else if *key.metric == *Metric::RateLimitLimit.name() {
            later(&mut limit.limit, row.last_at, row.last);
        } else if *key.metric == *Metric::RateLimitResetsAt.name() {
            later(&mut limit.resets_at, row.last_at, row.last);
        }
    }
    all
}

/// What is left now; none where that is not known any more.
fn level(limit: &Limit<'_>, sight: &Sight<'_>) -> Option<Level> {
    let (told, remaining) = *limit.remaining.values().next_back()?;
    let most = limit.remaining.values().map(|(_, value)| *value).fold(0.0, f64::max);
    let of = limit.limit.map_or(most, |(_, of)| of.max(remaining));
    if of <= 0.0 {
        return None;
    }
    let now = sight.now_seconds();
    let at = told / 1_000_000_000;
    match limit.resets_at.map(|(_, at)| at as i64) {
        // It was reset since, and nobody has called.
        Some(reset) if reset <= now && reset > at => {
            Some(Level { at: reset, remaining: of, of, resets_at: None })
        }
        Some(reset) if reset > now => Some(Level { at, remaining, of, resets_at: Some(reset) }),
        _ => (now - at <= STALE).then_some(Level { at, remaining, of, resets_at: None }),
    }
}

/// Levels since the latest rise: what belongs to one window of the limit.
fn falling(limit: &Limit<'_>, from: Minute) -> Vec<(Minute, f64)> {
    let mut points: Vec<(Minute, f64)> = Vec::new();
    for (minute, (_, value)) in limit.remaining.range(from..) {
        if points.last().is_some_and(|(_, before)| value > before) {
            points.clear();
        }
        points.push((*minute, *value));
    }
    points
}

/// Seconds until nothing is left; [`NEVER`] where the reset comes first or nothing falls.
fn exhausts_in(limit: &Limit<'_>, level: &Level, sight: &Sight<'_>) -> (f64, String) {
    let now = sight.now_seconds();
    if level.remaining <= 0.0 {
        return (0.0, "nothing is left".into());
    }
    let points = falling(limit, Minute(sight.tick.0 - FORECAST));
    let long = points.first().zip(points.last()).map_or(0, |(first, last)| last.0.0 - first.0.0);
    if points.len() < POINTS || long < OVER {
        return (NEVER, "it does not fall steadily".into());
    }
    let slopes = points.iter().enumerate().flat_map(|(at, (from, before))| {
        points.iter().skip(at + 1).map(move |(to, after)| (after - before) / ((to.0 - from.0) * 60) as f64)
    });
    let Some(slope) = median(slopes.collect()).filter(|slope| *slope < 0.0) else {
        return (NEVER, "it does not fall".into());
    };
    let seconds = (level.remaining / -slope - (now - level.at) as f64).max(0.0);
    let rate = format!("it falls by {:.0} a minute", -slope * 60.0);
    match level.resets_at {
        Some(reset) if seconds >= (reset - now) as f64 => (NEVER, format!("{rate}, which lasts until then")),
        Some(reset) => {
            let early = span((reset - now) - seconds as i64);
            (seconds, format!("{rate}: none left in {}, {early} before the reset", span(seconds as i64)))
        }
        None => (seconds, format!("{rate}: none left in {}", span(seconds as i64))),
    }
}

/// The share of the fall that no call of ours explains.
fn foreign(
    (_, account, _): Key<'_>,
    limit: &Limit<'_>,
    alone: bool,
    lines: &Lines<'_>,
    sight: &Sight<'_>,
) -> Option<(f64, String)> {
    let points = falling(limit, Minute(i64::MIN));
    let ((from, first), (to, last)) = points.first().copied().zip(points.last().copied())?;
    let fall = first - last;
    if fall < FALL || to.0 - from.0 < FALL_OVER {
        return None;
    }
    // What was called within the first minute may be before its level or after it.
    let (from, to) = (from, Minute(to.0 + 1));
    let own: f64 = if alone {
        let of_it = lines.all.iter().filter(|line| limit.peers.contains(&*line.key.peer));
        of_it.map(|line| line.tally(from, to).attempts.iter().sum::<f64>()).sum()
    } else {
        let by_connection = |minute: Minute, facet, id: &str, peer: &str| {
            facet == Facet::Connection
                && id == account
                && minute >= from
                && minute < to
                && limit.peers.contains(peer)
        };
        let mut told = false;
        let rows = sight.part.facets.iter().filter(|((minute, key), _)| {
            key.direction == Direction::Outbound && by_connection(*minute, key.facet, &key.id, &key.peer)
        });
        let own = rows.map(|(_, tally)| {
            told = true;
            tally.attempts.iter().sum::<f64>()
        });
        let own = own.fold(0.0, |sum, more: f64| sum + more);
        told.then_some(own)?
    };
    let others = (fall - own).max(0.0);
    let why =
        format!("{fall:.0} requests were used up in {}, {own:.0} of them ours", span((to.0 - from.0) * 60));
    Some((others / fall, why))
}

/// How many times their share the first five minutes of an hour have, of the last two hours; none under 1.5.
fn clustering(limit: &Limit<'_>, lines: &Lines<'_>, sight: &Sight<'_>) -> Option<f64> {
    let (mut early, mut all) = (0.0, 0.0);
    for line in lines.all.iter().filter(|line| limit.peers.contains(&*line.key.peer)) {
        for (minute, row) in line.rows(Minute(sight.tick.0 - 120), sight.tick) {
            let calls: f64 = row.tally.attempts.iter().sum();
            all += calls;
            early += if minute.0.rem_euclid(60) < 5 { calls } else { 0.0 };
        }
    }
    let times = early / all / (5.0 / 60.0);
    (all >= 60.0 && times >= 1.5).then_some(times)
}

#[cfg(test)]
mod tests;
