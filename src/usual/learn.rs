//! One closed minute into what is usual.

use std::collections::BTreeMap;

use super::Usual;
use super::calendar::Calendar;
use super::hourly;
use super::key::{Figure, UsualKey};
use super::track::hour_of;
use super::uses::uses;
use crate::rollup::deliveries;
use crate::rollup::latency::Latency;
use crate::rollup::sources::Sources;
use crate::rollup::state::row::of_run;
use crate::rollup::window::{Minute, Part, RECEIVED};
use crate::signals::call::{Class, finals, judge};
use crate::signals::observation::{CallKey, Direction, IntegrationKey};

/// Samples that carry a percentile of an hour.
const SAMPLES: u64 = 60;

/// What a minute is learned from.
pub struct Scene<'s> {
    /// The minute's rows, and those of two hours before.
    pub part: &'s Part,
    /// Whether what an integration does now is no measure of what is usual: an incident or maintenance.
    pub excluded: &'s dyn Fn(&IntegrationKey) -> bool,
    /// The clock and the holidays of integrations by name; UTC and none where it has no entry.
    pub calendars: &'s BTreeMap<String, Calendar>,
    /// When we ourselves were down last.
    pub down: Option<Down>,
}

/// A time in which we ourselves were down, and with it the time in which senders find us again: in no gap of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down {
    from: Minute,
    to: Minute,
}

/// Senders find us again within so many minutes.
const FOUND_AGAIN: i64 = 10;

impl Down {
    /// Down from the first minute that was not judged up to the minute of the start.
    pub fn new(from: Minute, to: Minute) -> Down {
        Down { from, to: Minute(to.0 + FOUND_AGAIN) }
    }

    /// Whether it goes on at a minute.
    pub fn is_on(self, minute: Minute) -> bool {
        self.from <= minute && minute < self.to
    }

    /// How many of the minutes from `after` to `before` it takes.
    pub fn within(self, after: Minute, before: Minute) -> i64 {
        (self.to.min(before).0 - self.from.max(after).0).max(0)
    }
}

/// What happened in a minute, by thing.
#[derive(Default)]
struct Events<'s> {
    counts: BTreeMap<UsualKey, f64>,
    received: std::collections::BTreeSet<&'s IntegrationKey>,
}

impl Usual {
    /// Takes a minute in; one that is in already is left out.
    pub fn learn(&mut self, scene: &Scene<'_>, minute: Minute) {
        if self.until.is_some_and(|until| minute < until) {
            return;
        }
        let events = events(scene.part, minute);
        self.learn_events(scene, &events, minute);
        self.learn_queues(scene, minute);
        self.learn_uses(scene, minute);
        if minute.0.rem_euclid(60) == 59 {
            self.close_hour(scene, hour_of(minute));
        }
        self.until = Some(Minute(minute.0 + 1));
    }

    fn learn_events(&mut self, scene: &Scene<'_>, events: &Events<'_>, minute: Minute) {
        for key in events.counts.keys() {
            let _ = self.track(key, minute);
        }
        // A minute without an event says something too.
        let keys: Vec<UsualKey> = self.tracks.keys().filter(|key| is_event(key.figure)).cloned().collect();
        let utc = Calendar::default();
        for key in keys {
            let count = events.counts.get(&key).copied().unwrap_or(0.0);
            let calendar = scene.calendars.get(&*key.integration.name).unwrap_or(&utc);
            let waits = events.received.contains(&key.integration) && !calendar.is_holiday(minute);
            let excluded = (scene.excluded)(&key.integration);
            let Some(track) = self.tracks.get_mut(&key) else { continue };
            match key.figure {
                Figure::Telemetry | Figure::RunGap if count > 0.0 => {
                    track.gap(
                        minute,
                        |from, to| scene.down.map_or(0, |down| down.within(from, to)),
                        excluded,
                    );
                }
                Figure::Telemetry | Figure::RunGap => {}
                _ => track.events(minute, count, waits, excluded, calendar),
            }
        }
    }

    fn learn_uses(&mut self, scene: &Scene<'_>, minute: Minute) {
        let next = Minute(minute.0 + 1);
        let sources = Sources::of(scene.part, next);
        for ((integration, name), tally) in uses(scene.part, &sources, minute, next) {
            let judged = judge(&tally.counts(), false);
            let refused = finals(&tally.counts())[Class::Auth as usize];
            if judged.good + judged.bad > 0.0
                && let Some(track) = self.track(&UsualKey::new(integration, Figure::GoodUse, &name), minute)
            {
                track.used(minute, judged.good, judged.bad, refused);
            }
        }
    }

    fn close_hour(&mut self, scene: &Scene<'_>, hour: i64) {
        let keys: Vec<UsualKey> = self.tracks.keys().cloned().collect();
        for key in keys {
            let Some(track) = self.tracks.get_mut(&key) else { continue };
            match key.figure {
                // Only their gaps count.
                Figure::Telemetry | Figure::RunGap => {}
                figure if is_event(figure) => track.close_sum(hour),
                Figure::QueueReady | Figure::QueueAge => track.close_mean(hour),
                _ => continue,
            }
            self.changed.insert(key);
        }
        self.learn_requests(scene, hour);
        for (key, value) in hourly::of(scene.part, hour) {
            let excluded = hourly::leaves_out(key.figure) && (scene.excluded)(&key.integration);
            // Most endpoints never say so, and need no track for that.
            if key.figure == Figure::NotFound && value == 0.0 && !self.tracks.contains_key(&key) {
                continue;
            }
            if let Some(track) = self.track(&key, Minute(hour * 60)).filter(|_| !excluded) {
                track.hourly(hour, value);
            }
        }
        for (key, p95) in percentiles(scene.part, hour) {
            let excluded = (scene.excluded)(&key.integration);
            if let Some(track) = self.track(&key, Minute(hour * 60)).filter(|_| !excluded) {
                track.hourly(hour, p95);
            }
        }
    }
}

/// Whether a figure counts events, so that their absence says something.
pub fn is_event(figure: Figure) -> bool {
    matches!(figure, Figure::Work | Figure::Telemetry | Figure::Delivery | Figure::RunGap)
}

fn events(part: &Part, minute: Minute) -> Events<'_> {
    let mut events = Events::default();
    let mut add = |integration: &IntegrationKey, figure, name: &str, count: f64| {
        *events.counts.entry(UsualKey::new(integration, figure, name)).or_insert(0.0) += count;
    };
    let mut work: BTreeMap<&IntegrationKey, f64> = BTreeMap::new();
    for ((_, key), row) in part.calls.iter().filter(|((at, _), _)| *at == minute) {
        if key.direction == Direction::Outbound {
            *work.entry(&key.integration).or_insert(0.0) += row.tally.attempts.iter().sum::<f64>();
        }
    }
    for run in part.runs.iter().filter(|run| Minute::of(run.time) == minute) {
        *work.entry(&run.integration).or_insert(0.0) += 1.0;
        add(&run.integration, Figure::RunGap, &run.name, 1.0);
    }
    for run in part.reconciliations.values().filter(|run| Minute::of(run.time) == minute) {
        add(&run.integration, Figure::RunGap, &of_run(&run.name, &run.entity, ""), 1.0);
    }
    for ((_, key), _) in part.counters.iter().filter(|((at, _), _)| *at == minute) {
        if &*key.series.metric == RECEIVED {
            events.received.insert(&key.series.integration);
            add(&key.series.integration, Figure::Telemetry, "", 1.0);
        }
    }
    let delivered = deliveries::before(part, Minute(minute.0 + 1));
    for one in delivered.into_iter().filter(|one| one.minute == minute) {
        add(one.integration, Figure::Delivery, &delivery(one.provider, one.event_type), one.count);
        *work.entry(one.integration).or_insert(0.0) += one.count;
    }
    for (integration, count) in work.into_iter().filter(|(_, count)| *count > 0.0) {
        add(integration, Figure::Work, "", count);
    }
    events
}

/// The name of a webhook event type's track.
pub fn delivery(provider: &str, event_type: &str) -> String {
    format!("{provider}/{event_type}")
}

/// The name of an endpoint's track.
pub fn endpoint(key: &CallKey) -> String {
    let direction = if key.direction == Direction::Inbound { "inbound" } else { "outbound" };
    format!("{direction} {} {}", key.peer, key.endpoint)
}

/// The 95th percentile of good attempts in an hour, in milliseconds, of endpoints with enough of them.
fn percentiles(part: &Part, hour: i64) -> BTreeMap<UsualKey, f64> {
    let (from, to) = (Minute(hour * 60), Minute(hour * 60 + 60));
    let mut merged: BTreeMap<&CallKey, Latency> = BTreeMap::new();
    for ((_, key), row) in part.calls.iter().filter(|((at, _), _)| *at >= from && *at < to) {
        if key.direction == Direction::Outbound {
            merged.entry(&**key).or_default().merge(&row.good);
        }
    }
    let carried = merged.into_iter().filter(|(_, latency)| latency.count() >= SAMPLES);
    carried
        .filter_map(|(key, latency)| {
            let p95 = latency.quantile_us(0.95)? as f64 / 1e3;
            Some((UsualKey::new(&key.integration, Figure::Latency, &endpoint(key)), p95))
        })
        .collect()
}
