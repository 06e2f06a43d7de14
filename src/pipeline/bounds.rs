//! How many series there may be: past the limit an endpoint is `(other)`, and the System page says so.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::rollup::window::{Map, Part};
use crate::signals::observation::{CallKey, GaugeKey, IntegrationKey, Observations};

/// What stands for all that is past a limit.
pub const OTHER: &str = "(other)";

/// Limits on series.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Integrations in all.
    pub integrations: usize,
    /// Endpoints an integration.
    pub endpoints: usize,
    /// Endpoints of one peer of an integration.
    pub templates: usize,
    /// Connections and credentials an integration.
    pub names: usize,
    /// Gauge series an integration.
    pub gauges: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { integrations: 2_000, endpoints: 500, templates: 200, names: 5_000, gauges: 2_000 }
    }
}

#[derive(Debug, Default)]
struct Known {
    endpoints: HashSet<(Arc<str>, Arc<str>)>,
    /// How many of them are of a peer.
    templates: HashMap<Arc<str>, usize>,
    names: HashSet<Arc<str>>,
    gauges: HashSet<GaugeKey>,
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
        bounds.folded = 0;
        bounds
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
        // Endpoints of no known peer are not one API's: only the integration's limit is theirs.
        let of_peer = known.templates.get(&key.peer).copied().unwrap_or(0);
        let room_at_peer = key.peer.is_empty() || of_peer < self.limits.templates;
        if known.endpoints.len() < self.limits.endpoints && (room_at_peer || &*key.endpoint == OTHER) {
            if &*key.endpoint != OTHER {
                *known.templates.entry(key.peer.clone()).or_default() += 1;
            }
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

    #[test]
    fn one_peer_has_its_own_limit_and_leaves_room_for_others() {
        let mut bounds = Bounds::new(Limits { templates: 2, ..Limits::default() }, &Part::default());
        let mut other = key("GET /d");
        other.peer = "other.example".into();
        let series = ["GET /a", "GET /b", "GET /c", OTHER, "GET /b"].map(key).into_iter().chain([other]);
        let mut seen = Observations { series: series.collect(), ..Observations::default() };
        bounds.apply(&mut seen);
        let named = |seen: &Observations| {
            let pairs = seen.series.iter().map(|key| format!("{} {}", key.peer, key.endpoint));
            pairs.collect::<Vec<_>>()
        };
        let first = named(&seen);
        assert_eq!(
            first,
            [
                "api.example GET /a",
                "api.example GET /b",
                "api.example (other)",
                "api.example (other)",
                "api.example GET /b",
                "other.example GET /d"
            ]
        );
        assert_eq!(bounds.folded, 1);
        bounds.apply(&mut seen);
        assert_eq!((named(&seen), bounds.folded), (first, 1), "what is admitted stays");
    }
}
