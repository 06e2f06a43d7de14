//! Work that is missed and telemetry that is silent (semantics section 5).
//!
//! Down (work fails) is for the rules of calls to say. Silent: no work though it is expected and telemetry comes.
//! Unobserved: no telemetry. A hung worker with a live metrics thread is silent, not well.

use super::queue::clock;
use super::sight::Sight;
use super::value::Value;
use crate::rollup::sequence::sent;
use crate::rollup::window::Minute;
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::Signal;
use crate::usual::key::{Figure, UsualKey};
use crate::usual::track::Track;

/// Events expected since the last one under which nothing is missed.
pub const LEAST_MISSED: f64 = 14.0;
/// Nothing is missed sooner than so many minutes after the last event.
pub const SOONEST: i64 = 10;
/// What a wait must be beyond: the largest of the last four weeks, by this factor.
pub const BEYOND: f64 = 1.5;
/// Waits are known after so many minutes of expecting: a week, so that each hour of it was met once.
const WAITS_KNOWN: i64 = 7 * 24 * 60;
/// What gaps telemetry has is known after a week, weekend and all, and a day.
const SILENCE_KNOWN: i64 = 8 * 24 * 60;
/// Batches that carry a share of lost ones, and lost ones that are no accident of one request.
const FEWEST_BATCHES: f64 = 20.0;
const FEWEST_LOST: f64 = 2.0;

/// `work.missed`, `telemetry.silence`, `.lost_share`.
pub fn values(sight: &Sight<'_>, out: &mut Vec<Value>) {
    for integration in sight.integrations() {
        let track = |figure| sight.usual.of_key(&UsualKey::new(integration, figure, ""));
        if let Some(work) = track(Figure::Work)
            && let Some(missed) = missed(work, sight.tick)
        {
            let since = work.last_event.unwrap_or(work.since);
            let why =
                format!("{:.0} calls, deliveries or runs were to be expected since the last", work.expected);
            out.push(Value::of(Signal::WorkMissed, integration, missed, since.start()).because(why));
        }
        out.extend(track(Figure::Telemetry).and_then(|telemetry| silence(sight, integration, telemetry)));
    }
    lost(sight, out);
}

/// How long nothing was received, our own downtime left out; none before a week and a day of history.
fn silence(sight: &Sight<'_>, integration: &IntegrationKey, track: &Track) -> Option<Value> {
    let last = track.last_event?;
    if sight.tick.0 - track.since.0 < SILENCE_KNOWN {
        return None;
    }
    let ours = sight.context.down.map_or(0, |down| down.within(last, sight.tick));
    let silent = (sight.tick.0 - 1 - last.0 - ours).max(0) * 60;
    let usual = track.days.largest_since(0).map(|gap| gap * BEYOND * 60.0);
    let value = Value::of(Signal::TelemetrySilence, integration, silent as f64, Minute(last.0 + 1).start());
    Some(value.because(format!("telemetry last came at {}", clock(last))).usually(usual))
}

/// The share of numbered batches that never came; 0 where it is too few to say.
fn lost(sight: &Sight<'_>, out: &mut Vec<Value>) {
    let last = Minute(sight.tick.0 - 1);
    for (integration, sent) in sent(sight.part, Minute(sight.tick.0 - 15), last) {
        let enough = sent.given >= FEWEST_BATCHES && sent.missing >= FEWEST_LOST;
        let share = if enough { sent.missing / sent.given } else { 0.0 };
        let why = format!("{:.0} of {:.0} batches in 15 min never came", sent.missing, sent.given);
        out.push(Value::of(Signal::TelemetryLostShare, integration, share, sight.now()).because(why));
    }
}

/// Events that are missed: 0 while the wait is within what is usual; none where nothing is known yet.
pub fn missed(track: &Track, tick: Minute) -> Option<f64> {
    let expects_since = track.expects_since?;
    if tick.0 - expects_since.0 < WAITS_KNOWN {
        return None;
    }
    let waited = i64::from(track.waited);
    let usual = track.days.largest_since(0).unwrap_or(0.0);
    let is_missed = waited >= SOONEST && track.expected >= (BEYOND * usual).max(LEAST_MISSED);
    Some(if is_missed { track.expected } else { 0.0 })
}

#[cfg(test)]
mod tests;
