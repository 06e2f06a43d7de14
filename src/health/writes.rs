//! `webhook.writes_ratio`: what was accepted and never written (semantics section 7). Every answer is a 2xx, every status
//! is green, and one event in five is gone: it shows in how many writes follow an accepted delivery.

use std::collections::BTreeMap;

use super::lines::Lines;
use super::sight::Sight;
use super::value::Value;
use crate::rollup::deliveries::Delivered;
use crate::rollup::window::Minute;
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::Signal;
use crate::usual::hourly::successful_writes;
use crate::usual::key::{Figure, UsualKey};
use crate::usual::ring::median;
use crate::usual::track::{Track, hour_of};

/// Minutes that are looked at, and accepted deliveries that they must hold.
const WINDOW: i64 = 120;
const LEAST: f64 = 100.0;
/// Hours that say what is usual, and how many windows among them must be known, over how many hours at least.
const HOURS: i64 = 14 * 24;
const WINDOWS_KNOWN: usize = 24;
const KNOWN_OVER: i64 = 72;
/// The ratio is steady enough to be judged where this share of the windows lay above this part of their median.
const STEADY: f64 = 0.99;
const ABOVE: f64 = 0.95;

/// One value an integration whose ratio is steady.
pub fn values(sight: &Sight<'_>, lines: &Lines<'_>, delivered: &[Delivered<'_>], out: &mut Vec<Value>) {
    let mut accepted: BTreeMap<&IntegrationKey, f64> = BTreeMap::new();
    for one in delivered.iter().filter(|one| one.result == "accepted" && sight.within(one.minute, WINDOW)) {
        *accepted.entry(one.integration).or_default() += one.count;
    }
    for (integration, accepted) in accepted.into_iter().filter(|(_, accepted)| *accepted >= LEAST) {
        let track = |figure| sight.usual.of_key(&UsualKey::new(integration, figure, ""));
        let tracks = track(Figure::Writes).zip(track(Figure::Accepted));
        let Some(usual) = tracks.and_then(|(writes, all)| usual(writes, all, hour_of(sight.tick))) else {
            continue;
        };
        let from = Minute(sight.tick.0 - WINDOW);
        let of_it = lines.all.iter().filter(|line| line.key.integration == *integration);
        let writes: f64 =
            of_it.map(|line| successful_writes(&line.key.endpoint, &line.tally(from, sight.tick))).sum();
        let ratio = writes / accepted;
        let why = format!(
            "{writes:.0} writes for {accepted:.0} accepted deliveries in 2 h, {ratio:.2} each; usual are {usual:.2}"
        );
        out.push(Value::of(Signal::WebhookWritesRatio, integration, ratio / usual, sight.now()).because(why));
    }
}

/// The median ratio of two-hour windows; none where they are few or scatter, so that a fall would say nothing.
fn usual(writes: &Track, accepted: &Track, hour: i64) -> Option<f64> {
    let of = |first: i64| {
        let sum = |track: &Track| Some(track.hours.get(first)? + track.hours.get(first + 1)?);
        let (writes, accepted) = (sum(writes)?, sum(accepted)?);
        (accepted >= LEAST).then(|| (first, writes / accepted))
    };
    let windows: Vec<(i64, f64)> = (hour - HOURS..hour - 1).filter_map(of).collect();
    let long = windows.first().zip(windows.last()).map_or(0, |(first, last)| last.0 - first.0);
    if windows.len() < WINDOWS_KNOWN || long < KNOWN_OVER {
        return None;
    }
    let usual = median(windows.iter().map(|(_, ratio)| *ratio).collect()).filter(|usual| *usual > 0.0)?;
    let above = windows.iter().filter(|(_, ratio)| *ratio > ABOVE * usual).count();
    (above as f64 >= STEADY * windows.len() as f64).then_some(usual)
}

#[cfg(test)]
mod tests;
