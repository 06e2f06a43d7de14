//! How many minutes of the past a sender may write to (semantics section 13): past the limit what came late is told by
//! the hour, and the System page says so. Nothing is lost, and what rules look at is always told by the minute.

use std::collections::HashSet;

use crate::rollup::window::{MINUTE, Map, Minute};
use crate::signals::observation::{IntegrationKey, Observations};
use crate::signals::telemetry::Nanos;

const HOUR: Nanos = 60 * MINUTE;
const DAY: Nanos = 24 * HOUR;
/// How far back rules look, and more.
const RECENT: Nanos = 3 * HOUR;
/// Minutes of the past, and hours of it, that an integration may write to within an hour of receipt: a spool of two
/// days keeps its minutes, one of four months its hours.
const LIMIT: usize = 3_000;

/// The minutes of the past that each integration wrote to.
#[derive(Debug)]
pub struct Past {
    limit: usize,
    known: Map<IntegrationKey, Known>,
    /// Calls and gauge points that are told by the hour or the day.
    pub coarsened: u64,
}

impl Default for Past {
    fn default() -> Self {
        Past { limit: LIMIT, known: Map::default(), coarsened: 0 }
    }
}

impl Past {
    /// Moves what is past the limit to the start of its hour, or of its day. Integrations are bounded already.
    pub fn apply(&mut self, seen: &mut Observations, received_at: Nanos) {
        let recent = received_at.saturating_sub(RECENT);
        let Observations { calls, series, gauges, .. } = seen;
        let calls = calls.iter_mut().filter(|call| call.end < recent);
        let calls =
            calls.filter_map(|call| Some((&series.get(call.series as usize)?.integration, &mut call.end)));
        let gauges = gauges.iter_mut().filter(|gauge| gauge.time < recent);
        let gauges = gauges.map(|gauge| (&gauge.key.integration, &mut gauge.time));
        for (integration, time) in calls.chain(gauges) {
            if !self.known.contains_key(integration) {
                self.known.insert(integration.clone(), Known::default());
            }
            let Some(known) = self.known.get_mut(integration) else { continue };
            let kept = known.keep(*time, received_at, self.limit);
            self.coarsened += u64::from(kept.is_some());
            *time = kept.unwrap_or(*time);
        }
    }
}

/// What came within an hour of receipt.
#[derive(Debug, Default)]
struct Known {
    since: Nanos,
    minutes: HashSet<Minute>,
    hours: HashSet<Minute>,
}

impl Known {
    /// The start of the hour or the day that stands for a time; none when its minute does. There are only so many days.
    fn keep(&mut self, time: Nanos, received_at: Nanos, limit: usize) -> Option<Nanos> {
        if !(0..HOUR).contains(&received_at.saturating_sub(self.since)) {
            *self = Known { since: received_at, ..Known::default() };
        }
        if fits(&mut self.minutes, Minute::of(time), limit) {
            return None;
        }
        let hour = time - time.rem_euclid(HOUR);
        Some(if fits(&mut self.hours, Minute::of(hour), limit) { hour } else { time - time.rem_euclid(DAY) })
    }
}

fn fits(known: &mut HashSet<Minute>, minute: Minute, limit: usize) -> bool {
    let fits = known.len() < limit || known.contains(&minute);
    if fits {
        known.insert(minute);
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::window::Part;
    use std::sync::Arc;

    /// A request of calls that end at these times.
    fn calls(times: impl Iterator<Item = Nanos>) -> Observations {
        use crate::signals::observe::Observer;
        use crate::signals::telemetry::{Attributes, Origin, Span, SpanKind};
        let none = Attributes::default();
        let origin = Origin { resource_index: 0, resource: &none, scope_name: "", scope: &none };
        let mut observer = Observer::new(Arc::default(), NOW);
        for end in times {
            let span = Span { kind: SpanKind::Server, end, ..Span::default() };
            observer.span(&origin, &span).unwrap();
        }
        observer.finish()
    }

    const NOW: Nanos = 1_800_000_000_000_000_000;

    fn kept(past: &mut Past, times: impl Iterator<Item = Nanos>, received_at: Nanos) -> Vec<Nanos> {
        let mut seen = calls(times);
        past.apply(&mut seen, received_at);
        seen.calls.iter().map(|call| call.end).collect()
    }

    #[test]
    fn a_sender_writes_to_so_many_minutes_of_the_past_and_the_rest_is_told_by_the_hour() {
        let mut past = Past { limit: 3, ..Past::default() };
        let old = |minute: i64| NOW / HOUR * HOUR - 10 * HOUR + minute * MINUTE + 7;
        let hour = |minute: i64| old(minute).div_euclid(HOUR) * HOUR;
        let wanted = vec![old(0), old(1), old(2), hour(3), old(1), hour(200)];
        assert_eq!(kept(&mut past, [0, 1, 2, 3, 1, 200].map(old).into_iter(), NOW), wanted);
        assert_eq!(past.coarsened, 2);
        let recent = NOW - 2 * HOUR;
        assert_eq!(kept(&mut past, [recent].into_iter(), NOW), [recent], "what rules look at stays");
        assert_eq!(kept(&mut past, [old(3)].into_iter(), NOW + HOUR), [old(3)], "an hour later it may again");
    }

    #[test]
    fn a_million_distinct_minutes_are_a_bounded_number_of_rows_and_lose_no_call() {
        let mut past = Past::default();
        let mut part = Part::default();
        for request in 0..10 {
            let minutes = (0..100_000).map(|minute| NOW - (request * 100_000 + minute + 1_000) * MINUTE);
            let mut seen = calls(minutes);
            past.apply(&mut seen, NOW);
            part.absorb(&seen, NOW);
        }
        let days = 1_000_000 / 1440 + 2;
        assert!(part.calls.len() <= 3_000 + 3_000 + days, "{} rows", part.calls.len());
        let attempts: u64 = part.calls.values().flat_map(|row| row.tally.unweighted).sum();
        assert_eq!(attempts, 1_000_000);
    }
}
