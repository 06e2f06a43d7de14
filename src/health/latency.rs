//! `call.latency.shift`: a 95th percentile that is not what it was at this hour (semantics section 11).

use super::lines::Lines;
use super::sight::Sight;
use super::value::Value;
use crate::rollup::latency::Latency;
use crate::rollup::window::Minute;
use crate::signals::signal::{Label, Signal};
use crate::usual::key::{Figure, UsualKey};
use crate::usual::learn::endpoint;
use crate::usual::ring::median;
use crate::usual::track::{Track, hour_of};

/// Samples that carry a 95th percentile.
const SAMPLES: u64 = 60;
/// With less history than this the last day is what is usual.
const TWO_WEEKS: i64 = 14 * 24 * 60;
/// So many hours of the last day must be known.
const HOURS_KNOWN: usize = 3;

/// One value an endpoint with enough calls in the last hour and a past.
pub fn values(sight: &Sight<'_>, lines: &Lines<'_>, out: &mut Vec<Value>) {
    for line in &lines.all {
        let mut hour = Latency::default();
        let rows = line.rows(Minute(sight.tick.0 - 60), sight.tick);
        rows.iter().for_each(|(_, row)| hour.merge(&row.good));
        let Some(now) = hour.quantile_us(0.95).filter(|_| hour.count() >= SAMPLES) else { continue };
        let key = UsualKey::new(&line.key.integration, Figure::Latency, &endpoint(line.key));
        let Some(track) = sight.usual.of_key(&key) else { continue };
        let Some(usual) = usual(track, Minute(sight.tick.0 - 1)).filter(|usual| *usual > 0.0) else {
            continue;
        };
        let now = now as f64 / 1e3;
        let value = Value::of(Signal::LatencyShift, &line.key.integration, now / usual, sight.now());
        let value = value.with(Label::Direction, "outbound").with(Label::Peer, &line.key.peer);
        let value = value.with(Label::Endpoint, &line.key.endpoint);
        let why = format!("p95 of the last hour {now:.0} ms, usual {usual:.0} ms, {} calls", hour.count());
        out.push(value.because(why));
    }
}

/// Milliseconds that are usual at this hour of the week, else on the last day.
fn usual(track: &Track, minute: Minute) -> Option<f64> {
    let hour = hour_of(minute);
    let same: Vec<f64> = (1..=4).filter_map(|weeks| track.hours.get(hour - weeks * 168)).collect();
    if minute.0 - track.since.0 >= TWO_WEEKS && same.len() >= 2 {
        return median(same);
    }
    let day: Vec<f64> = (1..=24).filter_map(|back| track.hours.get(hour - back)).collect();
    if day.len() < HOURS_KNOWN { None } else { median(day) }
}

#[cfg(test)]
mod tests;
