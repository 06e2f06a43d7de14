//! Webhooks (semantics section 7): deliveries turned away, sent twice, answered too slowly, not sent at all, or given up.

use std::collections::{BTreeMap, BTreeSet};

use super::say::{counted, span, when};
use super::sight::Sight;
use super::value::Value;
use super::work::missed;
use crate::rollup::deliveries::{Delivered, before};
use crate::rollup::latency::Latency;
use crate::rollup::window::Minute;
use crate::signals::observation::{Direction, IntegrationKey};
use crate::signals::provider::Provider;
use crate::signals::signal::{Label, Signal};
use crate::signals::webhook;
use crate::usual::key::{Figure, UsualKey};
use crate::usual::track::hour_of;

/// Minutes that rejections are counted in, and how far they are widened until they hold so many deliveries.
const WINDOW: i64 = 10;
const WIDEN_TO: i64 = 120;
const ENOUGH: f64 = 20.0;
/// Rejections that carry a share, and deliveries of which all were rejected that do so however few they are.
const LEAST_BAD: f64 = 3.0;
const ALL_BAD: f64 = 5.0;
/// A share that is well whatever it rests on.
const WELL: f64 = 0.005;
/// The least usual share of duplicates, and the duplicates that a jump needs.
const USUAL_DUPLICATES: f64 = 0.01;
const DUPLICATES: f64 = 20.0;
/// Deliveries that carry a 95th percentile.
const SAMPLES: u64 = 60;

/// A vendor's deliveries to an integration.
type Place<'s> = (&'s IntegrationKey, &'s str);

/// All `webhook.*` but the ratio of writes.
pub fn values(sight: &Sight<'_>, delivered: &[Delivered<'_>], out: &mut Vec<Value>) {
    let mut by_place: BTreeMap<Place<'_>, Vec<&Delivered<'_>>> = BTreeMap::new();
    for one in delivered {
        by_place.entry((one.integration, one.provider)).or_default().push(one);
    }
    for (place, all) in &by_place {
        rejected(sight, *place, all, out);
        duplicates(sight, *place, all, out);
        slow(sight, *place, &by_place, out);
    }
    silent(sight, out);
    given_up(sight, delivered, out);
}

fn of(signal: Signal, (integration, provider): Place<'_>, value: f64, sight: &Sight<'_>) -> Value {
    Value::of(signal, integration, value, sight.now()).with(Label::WebhookProvider, provider)
}

/// The window that holds enough: (minutes, received).
fn window(all: &[&Delivered<'_>], sight: &Sight<'_>) -> (i64, f64) {
    let within = |minutes| {
        let inside = all.iter().filter(|one| sight.within(one.minute, minutes));
        inside.map(|one| one.count).sum::<f64>()
    };
    let mut minutes = WINDOW;
    while minutes < WIDEN_TO && within(minutes) < ENOUGH {
        minutes += 1;
    }
    (minutes, within(minutes))
}

/// A value for each reason there is, so that what was rejected and is not any more is seen to be well.
fn rejected(sight: &Sight<'_>, place: Place<'_>, all: &[&Delivered<'_>], out: &mut Vec<Value>) {
    let (minutes, received) = window(all, sight);
    for reason in webhook::REASONS {
        let bad: f64 = all
            .iter()
            .filter(|one| {
                one.result == "rejected" && one.reason == reason && sight.within(one.minute, minutes)
            })
            .map(|one| one.count)
            // The sum of nothing is a negative zero.
            .fold(0.0, |sum, count| sum + count);
        let share = if received > 0.0 { bad / received } else { 0.0 };
        let enough = received >= ENOUGH && (bad >= LEAST_BAD || share <= WELL);
        // However few came: all of the last were turned away, or none was.
        let few = received >= ALL_BAD && (bad == 0.0 || bad == received);
        if enough || few {
            let why = format!(
                "{bad:.0} of {} in {}",
                counted(received, "delivery").replace("deliverys", "deliveries"),
                span(minutes * 60)
            );
            let value = of(Signal::WebhookRejectRate, place, share, sight).with(Label::Reason, reason);
            out.push(value.because(why));
        }
    }
}

/// The share of duplicates over what is usual; 0 where they are few.
fn duplicates(sight: &Sight<'_>, place: Place<'_>, all: &[&Delivered<'_>], out: &mut Vec<Value>) {
    let lately = all.iter().filter(|one| sight.within(one.minute, WINDOW));
    let (mut twice, mut received) = (0.0, 0.0);
    for one in lately {
        received += one.count;
        twice += if one.result == "duplicate" { one.count } else { 0.0 };
    }
    if received <= 0.0 {
        return;
    }
    let key = UsualKey::new(place.0, Figure::Duplicates, place.1);
    let track = sight.usual.of_key(&key);
    let past: Vec<f64> = track
        .into_iter()
        .flat_map(|track| track.hours.since(hour_of(sight.tick) - 14 * 24))
        .map(|(_, share)| share)
        .collect();
    let mean = if past.is_empty() { 0.0 } else { past.iter().sum::<f64>() / past.len() as f64 };
    let usual = mean.max(USUAL_DUPLICATES);
    let times = if twice >= DUPLICATES { twice / received / usual } else { 0.0 };
    let why = format!("{twice:.0} of {received:.0} in {WINDOW} min, usual are {:.1} %", usual * 100.0);
    out.push(of(Signal::WebhookDuplicateJump, place, times, sight).because(why));
}

/// The 95th percentile of what an answer takes, over the time that the vendor waits for it.
fn slow(
    sight: &Sight<'_>,
    place: Place<'_>,
    by_place: &BTreeMap<Place<'_>, Vec<&Delivered<'_>>>,
    out: &mut Vec<Value>,
) {
    let is_it = |vendor: &&Provider| vendor.id.eq_ignore_ascii_case(place.1);
    let vendor = sight.context.providers.all().iter().find(is_it);
    let Some(wait) = vendor.and_then(|vendor| vendor.delivery.as_ref()).map(|known| &known.answer_within)
    else {
        return;
    };
    // Where one vendor alone delivers, all that receives is its; else the path names whose it is.
    let alone = by_place.keys().filter(|(integration, _)| *integration == place.0).count() == 1;
    let mut durations = Latency::default();
    for ((minute, key), row) in &sight.part.calls {
        let receives = key.direction == Direction::Inbound
            && key.integration == *place.0
            && sight.within(*minute, WINDOW)
            && (names(&key.endpoint, place.1) || (alone && webhook::is_receiver(path(&key.endpoint))));
        if receives {
            durations.merge(&row.good);
            durations.merge(&row.bad);
        }
    }
    if durations.count() < SAMPLES {
        return;
    }
    let Some(p95) = durations.quantile_us(0.95) else { return };
    let share = p95 as f64 / 1e6 / wait.seconds as f64;
    let why = format!(
        "p95 of {} answers {:.1} s, {} waits {}",
        durations.count(),
        p95 as f64 / 1e6,
        place.1,
        wait.said
    );
    out.push(of(Signal::WebhookP95OfTimeout, place, share, sight).because(why));
}

fn path(endpoint: &str) -> &str {
    endpoint.split_once(' ').map_or(endpoint, |(_, path)| path)
}

fn names(endpoint: &str, provider: &str) -> bool {
    path(endpoint).split('/').any(|segment| segment.eq_ignore_ascii_case(provider))
}

/// Events of a type that should have come since the last one.
fn silent(sight: &Sight<'_>, out: &mut Vec<Value>) {
    for (key, track) in sight.usual.tracks.iter().filter(|(key, _)| key.figure == Figure::Delivery) {
        let Some((missed, last)) = missed(track, sight.tick).zip(track.last_event) else { continue };
        let (provider, event_type) = key.name.split_once('/').unwrap_or(("", &key.name));
        let value = Value::of(Signal::WebhookMissed, &key.integration, missed, last.start());
        let value = value.with(Label::WebhookProvider, provider).with(Label::EventType, event_type);
        let why =
            format!("{:.0} were to be expected since the last one at {}", track.expected, when(last.start()));
        out.push(value.because(why));
    }
}

/// Deliveries given up in the last day.
fn given_up(sight: &Sight<'_>, delivered: &[Delivered<'_>], out: &mut Vec<Value>) {
    let running = hour_of(sight.tick);
    let mut all: BTreeMap<(&IntegrationKey, String), (f64, Option<Minute>)> = BTreeMap::new();
    for (key, track) in sight.usual.tracks.iter().filter(|(key, _)| key.figure == Figure::DeadLetters) {
        let hours = track.hours.since(running - 24).filter(|(hour, _)| *hour < running);
        let sum = hours.map(|(_, count)| count).sum::<f64>();
        all.insert((&key.integration, key.name.to_string()), (sum, None));
    }
    let given_up = |one: &&Delivered<'_>| one.result == "dead_lettered" && hour_of(one.minute) == running;
    for one in delivered.iter().filter(given_up) {
        let name = crate::usual::learn::delivery(one.provider, one.event_type);
        let (sum, last) = all.entry((one.integration, name)).or_default();
        *sum += one.count;
        *last = (*last).max(Some(one.minute));
    }
    // A vendor whose deliveries are counted and of which none was given up is well, and said to be.
    let known: BTreeSet<Place<'_>> = delivered.iter().map(|one| (one.integration, one.provider)).collect();
    for (integration, provider) in known {
        let prefix = format!("{provider}/");
        if !all.keys().any(|(whose, name)| *whose == integration && name.starts_with(&prefix)) {
            let value = of(Signal::WebhookDeadLettered, (integration, provider), 0.0, sight);
            out.push(value.because("none in 24 h".into()));
        }
    }
    for ((integration, name), (count, last)) in all {
        let (provider, event_type) = name.split_once('/').unwrap_or(("", &name));
        let value = of(Signal::WebhookDeadLettered, (integration, provider), count, sight);
        let at = last.map_or(String::new(), |last| format!(", the last at {}", when(last.start())));
        out.push(value.with(Label::EventType, event_type).because(format!("{count:.0} in 24 h{at}")));
    }
}

/// The deliveries that values are taken from.
pub fn delivered<'s>(sight: &Sight<'s>) -> Vec<Delivered<'s>> {
    before(sight.part, sight.tick)
}

#[cfg(test)]
mod tests;
