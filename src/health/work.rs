//! Work that is missed and telemetry that is silent (semantics section 5).
//!
//! Down (work fails) is for the rules of calls to say. Silent: no work though it is expected and telemetry comes.
//! Unobserved: no telemetry. A hung worker with a live metrics thread is silent, not well.

use super::sight::Sight;
use super::value::Value;
use crate::rollup::window::Minute;
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

/// `work.missed`, `telemetry.silence`.
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
        if let Some(telemetry) = track(Figure::Telemetry)
            && let Some(last) = telemetry.last_event
        {
            let silent = ((sight.tick.0 - 1 - last.0).max(0) * 60) as f64;
            let value = Value::of(Signal::TelemetrySilence, integration, silent, Minute(last.0 + 1).start());
            out.push(value.because("since telemetry was last received".into()));
        }
    }
}

/// Events that are missed: 0 while the wait is within what is usual; none where nothing is known yet.
pub fn missed(track: &Track, tick: Minute) -> Option<f64> {
    let expects_since = track.expects_since?;
    if tick.0 - expects_since.0 < WAITS_KNOWN {
        return None;
    }
    let waited = tick.0 - 1 - track.last_event?.0;
    let usual = track.days.largest_since(0).unwrap_or(0.0);
    let is_missed = waited >= SOONEST && track.expected >= (BEYOND * usual).max(LEAST_MISSED);
    Some(if is_missed { track.expected } else { 0.0 })
}
