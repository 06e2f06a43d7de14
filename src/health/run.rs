//! Jobs that fail, come too late, or do only a part (semantics section 5).

use super::queue::clock;
use super::sight::Sight;
use super::value::Value;
use super::work::BEYOND;
use crate::rollup::state::row::{State, StateKey};
use crate::rollup::state::runs::Run;
use crate::rollup::window::Minute;
use crate::signals::signal::{Label, Signal};
use crate::signals::telemetry::Nanos;
use crate::usual::key::{Figure, UsualKey};

/// A cadence is learned from so many runs …
const RUNS: usize = 5;
/// … over a week and a day, so that the largest gap of a job that rests on weekends is in it.
const KNOWN: i64 = 8 * 24 * 60;
/// A job that is late by more than this is taken to be gone for good.
const GONE: i64 = 28 * 86_400;

/// `run.failed`, `.overdue`, `.partial`, `.freshness`.
pub fn values(sight: &Sight<'_>, out: &mut Vec<Value>) {
    for (key, state) in &sight.part.states {
        let State::Runs(runs) = state else { continue };
        let now = sight.now();
        let runs: Vec<&Run> = runs.0.iter().filter(|run| run.time < now).collect();
        let Some(latest) = runs.first().copied() else { continue };
        let job = Job { sight, key, latest, runs: &runs };
        out.extend([job.failed(), job.partial()].into_iter().chain(job.overdue()).chain(job.freshness()));
    }
}

/// One job at the sight's tick.
struct Job<'s> {
    sight: &'s Sight<'s>,
    key: &'s StateKey,
    latest: &'s Run,
    runs: &'s [&'s Run],
}

impl Job<'_> {
    fn value(&self, signal: Signal, value: f64, at: Nanos, why: String) -> Value {
        Value::of(signal, &self.key.integration, value, at).with(Label::Run, &self.key.name).because(why)
    }

    /// How many in a row failed, up to the latest.
    fn failed(&self) -> Value {
        let failed = self.runs.iter().take_while(|run| run.is_failure()).count();
        let why = if failed > 0 { self.said("it failed") } else { self.said("it ran") };
        self.value(Signal::RunFailed, failed as f64, self.latest.time, why)
    }

    fn partial(&self) -> Value {
        let partial = self.latest.is_partial();
        let why = match (partial, self.latest.failed) {
            (true, 0) => self.said("only a part was done"),
            (true, failed) => self.said(&format!("{failed} of its records failed")),
            (false, _) => self.said("it ran"),
        };
        self.value(Signal::RunPartial, f64::from(u8::from(partial)), self.latest.time, why)
    }

    /// `it failed at 02:04: connection refused`
    fn said(&self, what: &str) -> String {
        let at = clock(Minute::of(self.latest.time));
        let message = self.latest.message.trim().trim_end_matches('.');
        if message.is_empty() { format!("{what} at {at}") } else { format!("{what} at {at}: {message}") }
    }

    /// By how much the next is late: by what the latest said of it, else by what is usual.
    fn overdue(&self) -> Option<Value> {
        let last = Minute::of(self.latest.time);
        let schedule = Schedule {
            last,
            next_at: self.latest.next_at,
            runs: self.runs.len(),
            key: UsualKey::new(&self.key.integration, Figure::RunGap, &self.key.name),
        };
        let (late, why) = schedule.late(self.sight)?;
        Some(self.value(Signal::RunOverdue, late, self.sight.now(), why))
    }

    /// How old the data is that it has brought up to date.
    fn freshness(&self) -> Option<Value> {
        let watermark = self.runs.iter().filter_map(|run| run.watermark).max()?;
        let age = self.sight.now_seconds().saturating_sub(watermark).max(0);
        let why = format!("data is complete up to {}", clock(Minute(watermark.div_euclid(60))));
        Some(self.value(Signal::RunFreshness, age as f64, self.latest.time, why))
    }
}

/// When something that comes again and again is due.
pub struct Schedule {
    /// When it came last.
    pub last: Minute,
    /// Unix seconds of the next, as it says.
    pub next_at: Option<i64>,
    /// How often it was seen, as far as that is known.
    pub runs: usize,
    /// Where its gaps are learned.
    pub key: UsualKey,
}

impl Schedule {
    /// By how many seconds it is late, and why; none where nobody can say, or where it is late for four weeks.
    pub fn late(&self, sight: &Sight<'_>) -> Option<(f64, String)> {
        if sight.context.down.is_some_and(|down| down.is_on(sight.tick)) {
            return None;
        }
        let last = clock(self.last);
        let (due, why) = match self.next_at {
            Some(next) => {
                let at = clock(Minute(next.div_euclid(60)));
                (next, format!("it ran at {last}, and said that it would at {at}"))
            }
            None => {
                let most = self.longest(sight)?;
                let due = self.last.0 * 60 + (most * BEYOND * 60.0) as i64;
                (due, format!("it last ran at {last}, and was never further apart than {most:.0} min"))
            }
        };
        let late = sight.now_seconds().saturating_sub(due).max(0);
        (late <= GONE).then_some((late as f64, why))
    }

    /// The largest gap of four weeks in minutes, once enough was seen.
    fn longest(&self, sight: &Sight<'_>) -> Option<f64> {
        let track = sight.usual.of_key(&self.key)?;
        let known = self.runs >= RUNS && sight.tick.0 - track.since.0 >= KNOWN;
        known.then(|| track.days.largest_since(0)).flatten()
    }
}

#[cfg(test)]
mod tests;
