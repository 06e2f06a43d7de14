//! How many series there may be: past the limit an endpoint is `(other)`, and the System page says so.

use std::collections::HashSet;
use std::sync::Arc;

use crate::rollup::measure::Deltas;
use crate::rollup::window::{Map, Part};
use crate::signals::measure::{SeriesKey, series_hash};
use crate::signals::observation::{CallKey, GaugeKey, IntegrationKey, Observations};
use crate::signals::observe::hash;
use crate::signals::vocabulary::Metric;

/// What stands for all that is past a limit.
pub const OTHER: &str = "(other)";

/// Limits on series.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Integrations in all.
    pub integrations: usize,
    /// Endpoints an integration.
    pub endpoints: usize,
    /// Connections and credentials an integration.
    pub names: usize,
    /// Gauge series an integration.
    pub gauges: usize,
    /// Series of counters and durations, and of gauges outside the vocabulary, an integration.
    pub metrics: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { integrations: 2_000, endpoints: 500, names: 5_000, gauges: 2_000, metrics: 5_000 }
    }
}

#[derive(Debug, Default)]
struct Known {
    endpoints: HashSet<(Arc<str>, Arc<str>)>,
    names: HashSet<Arc<str>>,
    gauges: HashSet<GaugeKey>,
    metrics: HashSet<u64>,
}

impl Known {
    /// Whether a connection's or credential's name is known, or there is room for it.
    fn admits(&mut self, name: &Arc<str>, most: usize) -> bool {
        if self.names.contains(name) {
            return true;
        }
        let room = self.names.len() < most;
        if room {
            self.names.insert(name.clone());
        }
        room
    }
}

/// The series known so far, and what was folded past the limits.
#[derive(Debug)]
pub struct Bounds {
    limits: Limits,
    known: Map<IntegrationKey, Known>,
    /// Series folded into `(other)`, or gauges dropped.
    pub folded: u64,
}

impl Bounds {
    /// Bounds that already know a part's series.
    pub fn new(limits: Limits, known: &Part) -> Bounds {
        let mut bounds = Bounds { limits, known: Map::default(), folded: 0 };
        for (_, key) in known.calls.keys() {
            bounds.admit(&mut CallKey::clone(key));
        }
        for (_, key) in known.gauges.keys() {
            bounds.admit_gauge(key);
        }
        bounds.learn(known);
        bounds
    }

    /// Makes the series known that metric points added to before.
    pub fn learn(&mut self, measures: &Part) {
        for (_, key) in measures.measured.keys() {
            self.admit(&mut CallKey::clone(key));
        }
        let series = measures.counters.keys().map(|(_, key)| &key.series);
        for key in series.chain(measures.durations.keys().map(|(_, key)| &key.series)) {
            self.admit_metric(key);
        }
        self.folded = 0;
    }

    /// Folds what is past the limits.
    pub fn apply(&mut self, seen: &mut Observations) {
        let limit = self.limits.integrations;
        for info in &mut seen.integrations {
            if !self.known.contains_key(&info.key) && self.known.len() >= limit {
                info.key.name = OTHER.into();
            }
            self.known.entry(info.key.clone()).or_default();
        }
        for key in &mut seen.series {
            self.admit(key);
        }
        // Calls repeat their series and names, so each pair is decided once.
        let mut decided: Map<(u32, u32), bool> = Map::default();
        for call in &mut seen.calls {
            for at in [&mut call.connection, &mut call.credential] {
                let Some(name) = *at else { continue };
                let series = call.series;
                let admitted = *decided.entry((series, name)).or_insert_with(|| {
                    let key = seen.series.get(series as usize);
                    let name = seen.names.get(name as usize);
                    key.zip(name).is_none_or(|(key, name)| {
                        self.known
                            .get_mut(&key.integration)
                            .is_none_or(|known| known.admits(name, self.limits.names))
                    })
                });
                if !admitted {
                    self.folded += 1;
                    *at = None;
                }
            }
        }
        seen.gauges.retain(|gauge| self.admit_gauge(&gauge.key));
        seen.slots.retain(|slot| self.admit_slot(&slot.integration, &slot.credential));
    }

    /// Folds what metric points add past the limits, and leaves out series that there is no room for.
    pub fn apply_deltas(&mut self, deltas: &mut Deltas) {
        for (_, key, _) in &mut deltas.calls {
            self.admit(key);
        }
        deltas.counters.retain(|(_, key, _)| self.admit_metric(&key.series));
        deltas.durations.retain(|(_, key, _)| self.admit_metric(&key.series));
        deltas.gauges.retain(|gauge| self.admit_gauge(&gauge.key));
    }

    fn admit_metric(&mut self, series: &SeriesKey) -> bool {
        self.admit_hash(
            &series.integration,
            series_hash(&series.integration, &series.metric, &series.attributes),
        )
    }

    fn admit_hash(&mut self, integration: &IntegrationKey, series: u64) -> bool {
        let room = self.known.contains_key(integration) || self.known.len() < self.limits.integrations;
        let known = room.then(|| self.known.entry(integration.clone()).or_default());
        let admitted = known.is_some_and(|known| {
            known.metrics.contains(&series)
                || (known.metrics.len() < self.limits.metrics && known.metrics.insert(series))
        });
        self.folded += u64::from(!admitted);
        admitted
    }

    fn admit(&mut self, key: &mut CallKey) {
        if !self.known.contains_key(&key.integration) && self.known.len() >= self.limits.integrations {
            self.folded += 1;
            key.integration.name = OTHER.into();
        }
        let known = self.known.entry(key.integration.clone()).or_default();
        let pair = (key.peer.clone(), key.endpoint.clone());
        if known.endpoints.contains(&pair) {
            return;
        }
        if known.endpoints.len() < self.limits.endpoints {
            known.endpoints.insert(pair);
        } else {
            self.folded += 1;
            key.endpoint = OTHER.into();
            if known.endpoints.len() >= 2 * self.limits.endpoints {
                key.peer = OTHER.into();
            } else {
                known.endpoints.insert((key.peer.clone(), OTHER.into()));
            }
        }
    }

    fn admit_slot(&mut self, integration: &IntegrationKey, credential: &Arc<str>) -> bool {
        let room = self.known.contains_key(integration) || self.known.len() < self.limits.integrations;
        if !room {
            self.folded += 1;
            return false;
        }
        let known = self.known.entry(integration.clone()).or_default();
        let admitted = known.admits(credential, self.limits.names);
        self.folded += u64::from(!admitted);
        admitted
    }

    fn admit_gauge(&mut self, key: &GaugeKey) -> bool {
        // A runtime's many gauges take no room from those that rules judge.
        if Metric::from_wire(&key.metric).is_none() {
            return self.admit_hash(&key.integration, hash(key));
        }
        let Some(known) = self.known.get_mut(&key.integration) else {
            if self.known.len() >= self.limits.integrations {
                self.folded += 1;
                return false;
            }
            self.known.entry(key.integration.clone()).or_default().gauges.insert(key.clone());
            return true;
        };
        if known.gauges.contains(key) {
            return true;
        }
        let room = known.gauges.len() < self.limits.gauges;
        if room {
            known.gauges.insert(key.clone());
        } else {
            self.folded += 1;
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::observation::{Direction, Source};

    fn key(endpoint: &str) -> CallKey {
        CallKey {
            integration: IntegrationKey { environment: "default".into(), name: "shop".into() },
            direction: Direction::Outbound,
            peer: "api.example".into(),
            endpoint: endpoint.into(),
            source: Source::Span,
        }
    }

    #[test]
    fn past_the_limit_a_metric_is_left_out_and_a_runtimes_gauges_take_no_room_of_the_vocabularys() {
        let limits = Limits { metrics: 1, gauges: 1, ..Limits::default() };
        let mut bounds = Bounds::new(limits, &Part::default());
        let whose = key("").integration;
        let gauge = |metric: &str| GaugeKey {
            integration: whose.clone(),
            metric: metric.into(),
            unit: "".into(),
            attributes: Vec::new(),
            additive: false,
            reporter: 0,
        };
        let admitted = ["jvm.memory.used", "jvm.threads", "integration.queue.depth", "jvm.memory.used"]
            .map(|metric| bounds.admit_gauge(&gauge(metric)));
        assert_eq!(admitted, [true, false, true, true]);
        assert_eq!(bounds.folded, 1);
    }

    #[test]
    fn past_the_limit_an_endpoint_is_other_and_known_ones_stay() {
        let limits = Limits { endpoints: 2, ..Limits::default() };
        let mut bounds = Bounds::new(limits, &Part::default());
        let mut seen = Observations {
            series: ["GET /a", "GET /b", "GET /c", "GET /a"].map(key).into(),
            ..Observations::default()
        };
        bounds.apply(&mut seen);
        let names: Vec<&str> = seen.series.iter().map(|key| &*key.endpoint).collect();
        assert_eq!(names, ["GET /a", "GET /b", OTHER, "GET /a"]);
        assert_eq!(bounds.folded, 1);
    }
}
