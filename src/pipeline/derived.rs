//! What is derived from the spans of many requests, or from points and what their streams said: deliveries whose id
//! was accepted before, beats that count.
//!
//! Requests come in the order of the inbox, live and in a replay, so a replay derives the same from what it reads. Ids
//! from before a restart are not known after it: a copy that comes then counts as accepted.

use std::collections::{HashSet, VecDeque};

use crate::rollup::measure::Deltas;
use crate::rollup::window::{Map, Minute};
use crate::signals::fact::Delivery;
use crate::signals::measure::Aspect;
use crate::signals::observation::{IntegrationKey, JobRun, Observations};
use crate::signals::telemetry::Nanos;
use crate::signals::vocabulary::{Attr, Metric};
use crate::signals::webhook;

/// An id is remembered for so long: vendors try again for hours, some for days.
const WINDOW: Nanos = 24 * 3_600_000_000_000;
/// Ids of one integration.
const PER_INTEGRATION: usize = 50_000;
/// Ids of all, about 40 bytes each.
const IN_ALL: usize = 500_000;

/// The ids of deliveries that were accepted.
#[derive(Debug)]
pub struct Derived {
    per_integration: usize,
    in_all: usize,
    known: Map<IntegrationKey, Ids>,
    count: usize,
}

impl Default for Derived {
    fn default() -> Self {
        Derived { per_integration: PER_INTEGRATION, in_all: IN_ALL, known: Map::default(), count: 0 }
    }
}

#[derive(Debug, Default)]
struct Ids {
    /// Hashes, by a hasher with a key: senders choose the ids.
    known: HashSet<u64>,
    in_order: VecDeque<(Nanos, u64)>,
}

impl Ids {
    fn forget_oldest(&mut self) -> usize {
        self.in_order.pop_front().map_or(0, |(_, id)| usize::from(self.known.remove(&id)))
    }

    fn forget_before(&mut self, oldest: Nanos) -> usize {
        let mut forgotten = 0;
        while self.in_order.front().is_some_and(|(at, _)| *at < oldest) {
            forgotten += self.forget_oldest();
        }
        forgotten
    }
}

impl Derived {
    /// Turns deliveries and derived counts into increments, and beats that count into runs.
    pub fn apply(&mut self, seen: &mut Observations, deltas: &mut Deltas, received_at: Nanos) {
        for mut delivery in std::mem::take(&mut seen.deliveries) {
            if self.was_accepted(&delivery, received_at) {
                delivery.result = "duplicate";
            }
            seen.counts.push(webhook::count(&delivery));
        }
        let counts = std::mem::take(&mut seen.counts).into_iter();
        beats(seen, deltas);
        deltas.counters.extend(counts.map(|count| (Minute::of(count.time), count.key, count.count)));
    }

    /// Whether a delivery's id was accepted before; if it is accepted now, it is remembered.
    fn was_accepted(&mut self, delivery: &Delivery, at: Nanos) -> bool {
        let Some(id) = delivery.id.filter(|_| delivery.result == "accepted") else { return false };
        if !self.known.contains_key(&delivery.integration) {
            self.known.insert(delivery.integration.clone(), Ids::default());
        }
        let Some(ids) = self.known.get_mut(&delivery.integration) else { return false };
        self.count -= ids.forget_before(at.saturating_sub(WINDOW));
        if ids.known.contains(&id) {
            return true;
        }
        if ids.known.len() >= self.per_integration || self.count >= self.in_all {
            self.count -= ids.forget_oldest();
        }
        // One that has none to give waits until others are a day old.
        if self.count < self.in_all {
            ids.known.insert(id);
            ids.in_order.push_back((at, id));
            self.count += 1;
        }
        false
    }

    /// Gives back the places of ids that are older than a day.
    pub fn forget(&mut self, now: Nanos) {
        let oldest = now.saturating_sub(WINDOW);
        for ids in self.known.values_mut() {
            self.count -= ids.forget_before(oldest);
        }
        self.known.retain(|_, ids| !ids.in_order.is_empty());
    }
}

/// A cumulative count is sent again each minute whether or not it rose: only what it added is a beat. The latest
/// schedule among a heartbeat's points stands, since each next run makes a stream of its own.
fn beats(seen: &mut Observations, deltas: &Deltas) {
    let mut latest: Vec<JobRun> = Vec::new();
    for beat in std::mem::take(&mut seen.beats) {
        let same = |known: &&mut JobRun| known.integration == beat.integration && known.name == beat.name;
        match latest.iter_mut().find(same) {
            Some(known) => {
                known.time = known.time.max(beat.time);
                known.next_at = known.next_at.max(beat.next_at);
            }
            None => latest.push(beat),
        }
    }
    let added = |beat: &JobRun| {
        deltas.counters.iter().any(|(_, key, added)| {
            *added > 0.0
                && key.aspect == Aspect::Value
                && &*key.series.metric == Metric::Heartbeat.name()
                && key.series.integration == beat.integration
                && name_of(&key.series.attributes) == &*beat.name
        })
    };
    seen.runs.extend(latest.into_iter().filter(added));
}

fn name_of(attributes: &[(std::sync::Arc<str>, std::sync::Arc<str>)]) -> &str {
    let named = attributes.iter().find(|(name, _)| &**name == Attr::HeartbeatName.name());
    named.map_or(crate::signals::heartbeat::UNNAMED, |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Nanos = 3_600_000_000_000;

    fn of(integration: &str, id: u64, result: &'static str) -> Delivery {
        Delivery {
            integration: IntegrationKey { environment: "default".into(), name: integration.into() },
            time: 0,
            provider: "".into(),
            event_type: "/hooks".into(),
            result,
            reason: "",
            id: Some(id),
            weight: 1.0,
        }
    }

    /// (result, how many) of what deliveries come to.
    fn results(derived: &mut Derived, deliveries: Vec<Delivery>, at: Nanos) -> Vec<(String, f64)> {
        let mut seen = Observations { deliveries, ..Observations::default() };
        let mut deltas = Deltas::default();
        derived.apply(&mut seen, &mut deltas, at);
        let result = |(_, key, count): &(Minute, crate::signals::measure::CounterKey, f64)| {
            let found = key.series.attributes.iter().find(|(name, _)| &**name == Attr::WebhookResult.name());
            (found.map(|(_, value)| value.to_string()).unwrap_or_default(), *count)
        };
        deltas.counters.iter().map(result).collect()
    }

    #[test]
    fn an_id_that_was_accepted_is_a_duplicate_for_a_day_and_one_that_failed_is_none() {
        let mut derived = Derived::default();
        let mut once = |id, result, at| results(&mut derived, vec![of("shop", id, result)], at)[0].0.clone();
        assert_eq!(once(1, "rejected", 0), "rejected");
        assert_eq!(once(1, "accepted", 1), "accepted", "the vendor tried again, and it worked");
        assert_eq!(once(1, "accepted", 2), "duplicate");
        assert_eq!(once(1, "rejected", 3), "rejected");
        assert_eq!(once(2, "accepted", 4), "accepted");
        assert_eq!(once(1, "accepted", 24 * HOUR + 1), "duplicate");
        assert_eq!(once(1, "accepted", 24 * HOUR + 2), "accepted", "a day has passed");
    }

    #[test]
    fn the_same_id_elsewhere_is_another_delivery() {
        let mut derived = Derived::default();
        let both = vec![of("shop", 1, "accepted"), of("crm", 1, "accepted"), of("shop", 1, "accepted")];
        let said: Vec<String> =
            results(&mut derived, both, 0).into_iter().map(|(result, _)| result).collect();
        assert_eq!(said, ["accepted", "accepted", "duplicate"]);
    }

    #[test]
    fn ids_are_bounded_for_each_integration_and_in_all() {
        let mut derived = Derived { per_integration: 100, in_all: 150, ..Derived::default() };
        let many = |name| (0..10_000).map(|id| of(name, id, "accepted")).collect();
        results(&mut derived, many("shop"), 0);
        assert_eq!(derived.count, 100);
        results(&mut derived, many("crm"), 0);
        assert_eq!(derived.count, 150);
        assert_eq!(results(&mut derived, vec![of("shop", 9_999, "accepted")], 0)[0].0, "duplicate");
        derived.forget(25 * HOUR);
        assert_eq!((derived.count, derived.known.len()), (0, 0));
    }

    #[test]
    fn the_window_of_a_replay_is_that_of_receipt() {
        let requests = |derived: &mut Derived| -> Vec<_> {
            (0..50)
                .flat_map(|n| results(derived, vec![of("shop", n % 7, "accepted")], n as Nanos * HOUR))
                .collect()
        };
        assert_eq!(requests(&mut Derived::default()), requests(&mut Derived::default()));
    }
}
