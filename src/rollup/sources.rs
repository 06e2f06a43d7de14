//! Which of the sources of a call counts: spans wherever they come, metrics where spans are only samples or where there
//! are none (semantics section 1). A call is never counted by both.

use std::collections::{BTreeMap, HashSet};

use super::window::{Map, Minute, Part};
use crate::signals::observation::{CallKey, Direction, IntegrationKey, Source};
use crate::signals::refresh;

/// Calls that metrics must count in an hour before they are held against spans.
const LEAST: f64 = 100.0;
/// Spans are samples from so many times as many calls as spans on, and no longer at so many.
const SAMPLED: f64 = 1.2;
const WHOLE: f64 = 1.1;

type Peer<'p> = (&'p IntegrationKey, Direction, &'p str);

/// Which calls of a part count at a tick.
#[derive(Debug)]
pub struct Sources<'p> {
    /// Peers whose spans are samples.
    sampled: HashSet<Peer<'p>>,
    /// Peers of which metrics tell and no span does.
    unseen: HashSet<Peer<'p>>,
    with_expiry: HashSet<&'p IntegrationKey>,
}

fn peer_of(key: &CallKey) -> Peer<'_> {
    (&key.integration, key.direction, &*key.peer)
}

impl<'p> Sources<'p> {
    /// What the minutes before the tick show.
    pub fn of(part: &'p Part, tick: Minute) -> Sources<'p> {
        // By peer and hour: (spans, metrics).
        let mut counts: Map<Peer<'p>, BTreeMap<i64, (f64, f64)>> = Map::default();
        let rows = part.calls.iter().chain(&part.measured);
        for ((minute, key), row) in rows.filter(|((minute, _), _)| *minute < tick) {
            if key.source == Source::Report {
                continue;
            }
            let hour = counts.entry(peer_of(key)).or_default().entry(minute.0.div_euclid(60)).or_default();
            let attempts: f64 = row.tally.attempts.iter().sum();
            match key.source {
                Source::Metric => hour.1 += attempts,
                _ => hour.0 += attempts,
            }
        }
        let running = tick.0.div_euclid(60);
        let mut sources =
            Sources { sampled: HashSet::new(), unseen: HashSet::new(), with_expiry: HashSet::new() };
        for (peer, hours) in counts {
            if hours.values().all(|(spans, _)| *spans == 0.0) {
                sources.unseen.insert(peer);
            } else if is_sampled(&hours, running) {
                sources.sampled.insert(peer);
            }
        }
        let says = part.slots.iter().filter(|(_, slot)| slot.expires_at().is_some() || slot.never_expires());
        sources.with_expiry = says.map(|(key, _)| &key.integration).collect();
        sources
    }

    /// Whether a series of calls is judged: no dependency, from the source that counts, and no call to the token endpoint
    /// of an integration whose credentials say when they expire.
    pub fn counts(&self, key: &CallKey) -> bool {
        let peer = &peer_of(key);
        let counted = match key.source {
            Source::Span => !self.sampled.contains(peer),
            Source::Metric => self.sampled.contains(peer) || self.unseen.contains(peer),
            Source::Report => true,
        };
        let of_token = || refresh::is_endpoint(&key.endpoint) && self.with_expiry.contains(&key.integration);
        key.direction != Direction::Dependency && counted && !of_token()
    }

    /// Whether the spans of a peer are samples: what is only known of them is shown and not judged.
    pub fn is_sampled(&self, integration: &IntegrationKey, direction: Direction, peer: &str) -> bool {
        self.sampled.contains(&(integration, direction, peer))
    }
}

/// Sampled from an hour that shows it, the running one too, until a whole hour shows that it is over.
fn is_sampled(hours: &BTreeMap<i64, (f64, f64)>, running: i64) -> bool {
    hours.iter().fold(false, |sampled, (hour, (spans, metrics))| {
        if *metrics >= LEAST && *metrics >= SAMPLED * spans {
            return true;
        }
        sampled && (*hour == running || *metrics > WHOLE * spans)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rollup::series::CallsRow;
    use crate::signals::call::Class;

    fn key(source: Source) -> CallKey {
        CallKey {
            integration: IntegrationKey { environment: "default".into(), name: "shop".into() },
            direction: Direction::Outbound,
            peer: "api.example".into(),
            endpoint: if source == Source::Span { "GET /orders".into() } else { "GET *".into() },
            source,
        }
    }

    /// Calls in the middle of hours 0, 1, 2: (spans, metrics) of each.
    fn judged(hours: &[(u64, u64)], tick: i64) -> (bool, bool) {
        let mut part = Part::default();
        for (hour, (spans, metrics)) in (0..).zip(hours) {
            let minute = Minute(hour * 60 + 30);
            for (source, count) in [(Source::Span, *spans), (Source::Metric, *metrics)] {
                let mut row = CallsRow::default();
                row.tally.attempts[Class::Ok as usize] = count as f64;
                let rows = if source == Source::Span { &mut part.calls } else { &mut part.measured };
                if count > 0 {
                    rows.insert((minute, Arc::new(key(source))), row);
                }
            }
        }
        let sources = Sources::of(&part, Minute(tick));
        (sources.counts(&key(Source::Span)), sources.counts(&key(Source::Metric)))
    }

    #[test]
    fn spans_count_unless_they_are_samples() {
        const SPANS: (bool, bool) = (true, false);
        const METRICS: (bool, bool) = (false, true);
        assert_eq!(judged(&[(100, 100)], 60), SPANS);
        assert_eq!(judged(&[(5, 100)], 60), METRICS, "tail sampling at 5 %");
        assert_eq!(judged(&[(5, 99)], 60), SPANS, "too few to tell");
        assert!(judged(&[(0, 3)], 60).1, "there are no spans at all");
        assert_eq!(judged(&[(5, 100)], 45), METRICS, "the running hour shows it too");
        assert_eq!(judged(&[(5, 100), (100, 115)], 120), METRICS, "not over yet");
        assert_eq!(judged(&[(5, 100), (100, 110)], 120), SPANS, "a whole hour shows that it is over");
        assert_eq!(judged(&[(5, 100), (100, 0)], 115), METRICS, "metrics of the running hour come later");
    }
}
