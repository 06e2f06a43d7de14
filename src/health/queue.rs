//! Queues that fall behind, stand still, or give up (semantics section 6).

use super::sight::Sight;
use super::value::Value;
use super::work::BEYOND;
use crate::rollup::queue::{Drain, Queue, queues};
use crate::rollup::window::Minute;
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::{Label, Signal};
use crate::usual::key::{Figure, UsualKey};
use crate::usual::ring::median;
use crate::usual::track::Track;

/// Fewer ready items than this are no backlog, whatever is usual.
const FEW: f64 = 20.0;
/// A backlog is so many times the 95th percentile of a week.
pub const TIMES: f64 = 3.0;
/// In each of so many minutes it must be beyond.
const EACH_OF: i64 = 15;
/// Over so many minutes it must grow, in both halves.
const GROWS_OVER: i64 = 30;
const WEEK_OF_HOURS: i64 = 7 * 24;
/// A week says what is usual once three days of it are known.
const KNOWN: i64 = 3 * 24 * 60;
/// Days whose largest age and stall are usual.
const DAYS: i64 = 14;

/// `queue.oldest_age`, `.growth`, `.stalled`, `.dead_letters`.
pub fn values(sight: &Sight<'_>, out: &mut Vec<Value>) {
    let last = Minute(sight.tick.0 - 1);
    for ((integration, name), queue) in queues(sight.part, Minute(sight.tick.0 - 130), last) {
        let one = One { sight, integration, name, queue: &queue, last };
        out.extend(one.age().into_iter().chain(one.growth()).chain(one.stalled()));
    }
    for (key, track) in sight.usual.tracks.iter().filter(|(key, _)| key.figure == Figure::GivenUp) {
        let since = track.last_event.unwrap_or(track.since);
        let value = Value::of(Signal::QueueDeadLetters, &key.integration, track.expected, since.start());
        let why = match track.expected > 0.0 {
            true => {
                format!("{:.0} more than before were given up, the last at {}", track.expected, clock(since))
            }
            false => "none given up that is not dealt with".into(),
        };
        out.push(value.with(Label::Queue, &key.name).because(why));
    }
}

/// One queue at the sight's tick.
struct One<'s> {
    sight: &'s Sight<'s>,
    integration: &'s IntegrationKey,
    name: &'s str,
    queue: &'s Queue,
    last: Minute,
}

impl One<'_> {
    fn track(&self, figure: Figure) -> Option<&Track> {
        self.sight.usual.of_key(&UsualKey::new(self.integration, figure, self.name))
    }

    fn value(&self, signal: Signal, value: f64, why: String) -> Value {
        let made = Value::of(signal, self.integration, value, self.sight.now());
        made.with(Label::Queue, self.name).because(why)
    }

    fn age(&self) -> Option<Value> {
        let age = self.queue.age.at(self.last)?;
        let usual = self.track(Figure::QueueAge).and_then(|track| track.usual(self.last, DAYS));
        let why = match usual {
            Some(usual) => format!("in two weeks none waited longer than {}", minutes(usual / 60.0)),
            None => "what is usual is not known yet".into(),
        };
        Some(self.value(Signal::QueueOldestAge, age, why).usually(usual.map(|usual| usual * BEYOND)))
    }

    /// The 95th percentile of a week of ready items, by hour.
    fn high(&self) -> Option<f64> {
        let track = self.track(Figure::QueueReady)?;
        let known = self.last.0 - track.since.0 >= KNOWN;
        known.then(|| track.quantile_of(self.last, WEEK_OF_HOURS, 0.95)).flatten()
    }

    /// Ready items over what is usual: the least of a quarter of an hour, over the 95th percentile of a week or what is
    /// a third of few, so that over 3 x means each minute was. A backlog that does not grow is 3 x at most: it keeps
    /// what fires, and fires nothing.
    fn growth(&self) -> Option<Value> {
        let high = self.high()?;
        let ready = self.queue.ready.last(self.last, GROWS_OVER)?;
        let (early, late) = ready.split_at_checked(ready.len() / 2)?;
        let recent = ready.get(ready.len() - EACH_OF as usize..)?;
        let least = recent.iter().copied().reduce(f64::min)?;
        let times = least / high.max(FEW / TIMES);
        let (early, late) = (slope(early)?, slope(late)?);
        let grows = early > 0.0 && late > 0.0;
        let value = if grows { times } else { times.min(TIMES) };
        let now = ready.last().copied()?;
        let course = if grows { format!("growing by {late:.0} a minute") } else { "not growing".into() };
        let why = format!("{now:.0} ready, {high:.0} are a high of the week, {course}{}", self.drain());
        Some(self.value(Signal::QueueGrowth, value, why))
    }

    fn drain(&self) -> String {
        match self.queue.drain(self.last) {
            Some(Drain::In(seconds)) if seconds > 0.0 => format!("; empty in {}", minutes(seconds / 60.0)),
            // Growing says that already.
            _ => String::new(),
        }
    }

    fn stalled(&self) -> Option<Value> {
        let track = self.track(Figure::QueueStall)?;
        let ready = self.queue.ready.at(self.last)?;
        let counted = track.counts_departures(self.last);
        // A depth alone says little: a steady one is what a busy queue has.
        let deep = counted || ready > self.high()? * TIMES;
        let stalled = if deep { track.expected * 60.0 } else { 0.0 };
        let usual = track.usual(self.last, DAYS).map(|usual| usual * BEYOND * 60.0);
        let why = match (stalled > 0.0, counted) {
            (false, _) => format!("{ready:.0} ready, and items leave"),
            (true, true) => format!("{ready:.0} ready, and none has left for {}", minutes(track.expected)),
            (true, false) => format!("{ready:.0} ready, and not one fewer for {}", minutes(track.expected)),
        };
        Some(self.value(Signal::QueueStalled, stalled, why).usually(usual))
    }
}

/// The Theil–Sen slope of values a minute apart: the middle of the slopes of all pairs, which no single value moves.
fn slope(values: &[f64]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(values.len() * values.len() / 2);
    for (at, one) in values.iter().enumerate() {
        let later = values.iter().enumerate().skip(at + 1);
        slopes.extend(later.map(|(then, other)| (other - one) / (then - at) as f64));
    }
    median(slopes)
}

fn minutes(minutes: f64) -> String {
    match minutes {
        under if under < 120.0 => format!("{under:.0} min"),
        under if under < 48.0 * 60.0 => format!("{:.1} h", under / 60.0),
        over => format!("{:.1} d", over / 1440.0),
    }
}

/// `02:04`, of the day in UTC.
pub fn clock(minute: Minute) -> String {
    let of_day = minute.0.rem_euclid(24 * 60);
    format!("{:02}:{:02}", of_day / 60, of_day % 60)
}

#[cfg(test)]
mod tests;
