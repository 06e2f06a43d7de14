//! How many series there may be: past the limit an endpoint is `(other)`, and the System page says so.
//!
//! All limits but the first are an integration's own, so one that explodes folds alone. What was not seen for a day
//! gives its place back: names that come and go do not use a limit up for good.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use super::names;
use crate::rollup::measure::Deltas;
use crate::rollup::window::{Map, Part};
use crate::signals::measure::{SeriesKey, series_hash};
use crate::signals::observation::{CallKey, GaugeKey, IntegrationKey, Observations};
use crate::signals::observe::hash;
use crate::signals::telemetry::Nanos;
use crate::signals::vocabulary::Metric;

/// What stands for all that is past a limit.
pub const OTHER: &str = "(other)";

/// What is left out past a limit, as the System page says it.
const NAMES: &str = "connections and credentials past the limit, left out";
const SERIES: &str = "series of metrics past the limit, left out";
const RUNS: &str = "reconciliation runs past the limit, left out";

/// A name that was not seen for this long gives its place back.
const REMEMBERED: Nanos = 24 * 3_600_000_000_000;

/// Limits on series.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Integrations in all.
    pub integrations: usize,
    /// Endpoints an integration.
    pub endpoints: usize,
    /// Endpoints of one peer of an integration.
    pub templates: usize,
    /// Connections and credentials an integration, each with each peer it is used for.
    pub names: usize,
    /// Gauge series an integration.
    pub gauges: usize,
    /// Runs of reconciliations an integration.
    pub runs: usize,
    /// Series of counters and durations, and of gauges outside the vocabulary, an integration.
    pub metrics: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            integrations: 2_000,
            endpoints: 500,
            templates: 200,
            names: 5_000,
            gauges: 2_000,
            runs: 10_000,
            metrics: 5_000,
        }
    }
}

/// Things of one kind, each with when it was seen last.
#[derive(Debug)]
struct Seen<K>(Map<K, Nanos>);

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Seen(Map::default())
    }
}

impl<K: Clone + Eq + Hash> Seen<K> {
    /// Whether it is known, or there is room for it.
    fn admits(&mut self, key: &K, limit: usize, at: Nanos) -> bool {
        if self.knows(key, at) {
            return true;
        }
        let room = self.0.len() < limit;
        if room {
            self.0.insert(key.clone(), at);
        }
        room
    }

    /// Whether it is known; then it was seen.
    fn knows(&mut self, key: &K, at: Nanos) -> bool {
        let seen = self.0.get_mut(key);
        seen.map(|seen| *seen = at.max(*seen)).is_some()
    }

    fn forget_before(&mut self, oldest: Nanos) {
        self.0.retain(|_, seen| *seen >= oldest);
        self.0.shrink_to(2 * self.0.len());
    }
}

/// The endpoints of a peer.
#[derive(Debug)]
struct OfPeer {
    /// The peer itself, to be shared.
    peer: Arc<str>,
    known: Seen<Arc<str>>,
}

/// Endpoints by peer.
#[derive(Debug, Default)]
struct Endpoints {
    by_peer: Map<Arc<str>, OfPeer>,
    /// Of all peers.
    count: usize,
}

impl Endpoints {
    /// Whether an endpoint is known, or there is room for it; then the key has the texts that are kept here, so that
    /// all keys of a series share them. Endpoints of no known peer are not one API's: only the integration's limit is
    /// theirs.
    fn admits(&mut self, key: &mut CallKey, limits: &Limits, at: Nanos) -> bool {
        let mut count = 0;
        if let Some(OfPeer { peer, known }) = self.by_peer.get_mut(&key.peer) {
            if let Entry::Occupied(mut seen) = known.0.entry(key.endpoint.clone()) {
                *seen.get_mut() = at.max(*seen.get());
                (key.peer, key.endpoint) = (peer.clone(), seen.key().clone());
                return true;
            }
            count = known.0.len();
        }
        let room = self.count < limits.endpoints && (key.peer.is_empty() || count < limits.templates);
        if room {
            let of_peer = || OfPeer { peer: key.peer.clone(), known: Seen::default() };
            let OfPeer { peer, known } = self.by_peer.entry(key.peer.clone()).or_insert_with(of_peer);
            key.peer = peer.clone();
            known.0.insert(key.endpoint.clone(), at);
            self.count += 1;
        }
        room
    }

    fn forget_before(&mut self, oldest: Nanos) {
        self.by_peer.values_mut().for_each(|of| of.known.forget_before(oldest));
        self.by_peer.retain(|_, of| !of.known.0.is_empty());
        self.by_peer.shrink_to(2 * self.by_peer.len());
        self.count = self.by_peer.values().map(|of| of.known.0.len()).sum();
    }
}

type Pair = (Arc<str>, Arc<str>);

#[derive(Debug, Default)]
struct Known {
    /// Whose, to be shared.
    key: Option<IntegrationKey>,
    endpoints: Endpoints,
    /// Peers with endpoints past the limit.
    others: Seen<Arc<str>>,
    /// Peer, and connection or credential; a credential slot has no peer.
    names: Seen<Pair>,
    gauges: Seen<GaugeKey>,
    /// Name and entity, and the run's id.
    runs: Seen<(Pair, Arc<str>)>,
    /// By the hash of the series.
    metrics: Seen<u64>,
    seen_at: Nanos,
}

impl Known {
    /// Folds an endpoint that there is no room for; false then.
    fn admit(&mut self, key: &mut CallKey, limits: &Limits, at: Nanos) -> bool {
        if self.endpoints.admits(key, limits, at) {
            return true;
        }
        key.endpoint = OTHER.into();
        // Peers can explode too.
        if !self.others.admits(&key.peer, limits.endpoints, at) {
            key.peer = OTHER.into();
        }
        false
    }
}

/// The series known so far, and what was folded past the limits.
#[derive(Debug)]
pub struct Bounds {
    limits: Limits,
    known: Map<IntegrationKey, Known>,
    /// Series folded into `(other)`, or gauges, credentials and runs dropped.
    pub folded: u64,
    /// What was past which limit since it was last told.
    pub told: BTreeMap<&'static str, u64>,
}

impl Bounds {
    /// Bounds that already know a part's series.
    pub fn new(limits: Limits, known: &Part) -> Bounds {
        let mut bounds = Bounds { limits, known: Map::default(), folded: 0, told: BTreeMap::new() };
        for (minute, key) in known.calls.keys() {
            bounds.admit(&mut CallKey::clone(key), minute.start());
        }
        for (minute, key) in known.gauges.keys() {
            bounds.admit_gauge(key, minute.start());
        }
        for (minute, key) in known.facets.keys() {
            bounds.admit_name(&key.integration, (key.peer.clone(), key.id.clone()), minute.start());
        }
        bounds.folded = 0;
        bounds.told.clear();
        bounds
    }

    /// Makes the series known that metric points added to before.
    pub fn learn(&mut self, measures: &Part) {
        for (minute, key) in measures.measured.keys() {
            self.admit(&mut CallKey::clone(key), minute.start());
        }
        let counters = measures.counters.keys().map(|(minute, key)| (minute, &key.series));
        let durations = measures.durations.keys().map(|(minute, key)| (minute, &key.series));
        for (minute, key) in counters.chain(durations) {
            self.admit_metric(key, minute.start());
        }
        self.folded = 0;
        self.told.clear();
    }

    /// Folds what metric points add past the limits, and leaves out series that there is no room for.
    pub fn apply_deltas(&mut self, deltas: &mut Deltas, at: Nanos) {
        for (_, key, _) in &mut deltas.calls {
            self.admit(key, at);
        }
        deltas.counters.retain(|(_, key, _)| self.admit_metric(&key.series, at));
        deltas.durations.retain(|(_, key, _)| self.admit_metric(&key.series, at));
        deltas.gauges.retain(|gauge| self.admit_gauge(&gauge.key, at));
    }

    /// Folds what is past the limits. `at` is when the request arrived.
    pub fn apply(&mut self, seen: &mut Observations, at: Nanos) {
        for info in &mut seen.integrations {
            self.of(&mut info.key, at);
        }
        // Most series of a request are one integration's, so it is looked for once.
        for series in seen.series.chunk_by_mut(|one, next| one.integration == next.integration) {
            self.admit_all(series, at);
        }
        self.admit_names(seen, at);
        seen.gauges.retain(|gauge| self.admit_gauge(&gauge.key, at));
        seen.slots
            .retain(|slot| self.admit_name(&slot.integration, ("".into(), slot.credential.clone()), at));
        let runs = seen.runs.iter_mut().chain(&mut seen.beats).map(|run| &mut run.integration);
        let facts = seen.facts.iter_mut().map(|fact| &mut fact.integration);
        let deliveries = seen.deliveries.iter_mut().map(|delivery| &mut delivery.integration);
        let counts = seen.counts.iter_mut().map(|count| &mut count.key.series.integration);
        for key in runs.chain(facts).chain(deliveries).chain(counts) {
            self.of(key, at);
        }
        // A state each, for good.
        seen.facts.retain(|fact| {
            let name = names::of(&fact.said);
            name.is_none_or(|name| self.admit_name(&fact.integration, name, at))
        });
        seen.runs.retain(|run| self.admit_name(&run.integration, ("(run)".into(), run.name.clone()), at));
        seen.batches.retain(|batch| self.admit_name(&batch.integration, names::of_sender(batch), at));
        seen.reconciliations.retain(|run| {
            let pair = (run.name.clone(), run.entity.clone());
            self.admit_run(&run.integration, (pair, run.run_id.clone()), at)
        });
    }

    /// Gives back the places of what was not seen for a day.
    pub fn forget(&mut self, now: Nanos) {
        let oldest = now.saturating_sub(REMEMBERED);
        self.known.retain(|_, known| known.seen_at >= oldest);
        for known in self.known.values_mut() {
            known.endpoints.forget_before(oldest);
            known.others.forget_before(oldest);
            known.names.forget_before(oldest);
            known.gauges.forget_before(oldest);
            known.runs.forget_before(oldest);
            known.metrics.forget_before(oldest);
        }
    }

    /// What is known of an integration. One past the limit is renamed, environment and all: senders choose both.
    fn of(&mut self, key: &mut IntegrationKey, at: Nanos) -> &mut Known {
        if !self.room(key) {
            self.fold("integrations past the limit", 1);
            *key = IntegrationKey { environment: OTHER.into(), name: OTHER.into() };
        }
        let known = self.known.entry(key.clone()).or_default();
        known.seen_at = at.max(known.seen_at);
        known.key.get_or_insert_with(|| key.clone());
        known
    }

    fn room(&self, key: &IntegrationKey) -> bool {
        self.known.len() < self.limits.integrations || self.known.contains_key(key)
    }

    fn admit(&mut self, key: &mut CallKey, at: Nanos) {
        self.admit_all(std::slice::from_mut(key), at);
    }

    /// Folds series of one integration.
    fn admit_all(&mut self, series: &mut [CallKey], at: Nanos) {
        let Some(first) = series.first() else { return };
        let (limits, mut whose) = (self.limits, first.integration.clone());
        let known = self.of(&mut whose, at);
        let (mut folded, mut renamed) = (0, 0);
        for key in series {
            renamed += u64::from(key.integration != whose);
            key.integration = known.key.clone().unwrap_or_else(|| whose.clone());
            folded += u64::from(!known.admit(key, &limits, at));
        }
        // One that was renamed is counted already.
        self.fold("endpoints past the limit, counted as (other)", folded + u64::saturating_sub(renamed, 1));
    }

    /// Leaves out connections and credentials that there is no room for. Calls repeat them and their peers, so each
    /// pair is decided once.
    fn admit_names(&mut self, seen: &mut Observations, at: Nanos) {
        let sides = seen.sides();
        let mut decided: Map<(u32, u32), bool> = Map::default();
        for call in &mut seen.calls {
            let Some(side) = sides.get(call.series as usize).copied() else { continue };
            for index in [&mut call.connection, &mut call.credential] {
                let Some(name) = *index else { continue };
                let admitted = *decided.entry((side, name)).or_insert_with(|| {
                    let key = seen.series.get(side as usize);
                    key.zip(seen.names.get(name as usize)).is_none_or(|(key, name)| {
                        self.admit_name(&key.integration, (key.peer.clone(), name.clone()), at)
                    })
                });
                if !admitted {
                    *index = None;
                }
            }
        }
    }

    fn admit_name(&mut self, integration: &IntegrationKey, name: Pair, at: Nanos) -> bool {
        let limit = self.limits.names;
        self.keep(integration, at, NAMES, |known| known.names.admits(&name, limit, at))
    }

    fn admit_gauge(&mut self, key: &GaugeKey, at: Nanos) -> bool {
        // A runtime's many gauges take no room from those that rules judge.
        if Metric::from_wire(&key.metric).is_none() {
            return self.admit_hash(&key.integration, hash(key), at);
        }
        let limit = self.limits.gauges;
        self.keep(&key.integration, at, SERIES, |known| known.gauges.admits(key, limit, at))
    }

    fn admit_metric(&mut self, series: &SeriesKey, at: Nanos) -> bool {
        let hash = series_hash(&series.integration, &series.metric, &series.attributes);
        self.admit_hash(&series.integration, hash, at)
    }

    fn admit_hash(&mut self, integration: &IntegrationKey, series: u64, at: Nanos) -> bool {
        let limit = self.limits.metrics;
        self.keep(integration, at, SERIES, |known| known.metrics.admits(&series, limit, at))
    }

    fn admit_run(&mut self, integration: &IntegrationKey, run: (Pair, Arc<str>), at: Nanos) -> bool {
        let limit = self.limits.runs;
        self.keep(integration, at, RUNS, |known| known.runs.admits(&run, limit, at))
    }

    /// What has no `(other)` to fold into is left out, and counted.
    fn keep(
        &mut self,
        integration: &IntegrationKey,
        at: Nanos,
        what: &'static str,
        admit: impl FnOnce(&mut Known) -> bool,
    ) -> bool {
        let kept = self.room(integration) && admit(self.of(&mut integration.clone(), at));
        self.fold(what, u64::from(!kept));
        kept
    }

    fn fold(&mut self, what: &'static str, count: u64) {
        if count > 0 {
            self.folded += count;
            *self.told.entry(what).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::observation::{Direction, Gauge, IntegrationInfo, Source};

    const HOUR: Nanos = 3_600_000_000_000;

    fn of(name: &str) -> IntegrationKey {
        IntegrationKey { environment: "default".into(), name: name.into() }
    }

    fn key(integration: &str, peer: &str, endpoint: &str) -> CallKey {
        CallKey {
            integration: of(integration),
            direction: Direction::Outbound,
            peer: peer.into(),
            endpoint: endpoint.into(),
            source: Source::Span,
        }
    }

    fn bounds(limits: Limits) -> Bounds {
        Bounds::new(limits, &Part::default())
    }

    /// The endpoints as they come out.
    fn endpoints(bounds: &mut Bounds, integration: &str, wanted: &[&str], at: Nanos) -> Vec<String> {
        let series = wanted.iter().map(|endpoint| key(integration, "api.example", endpoint)).collect();
        let mut seen = Observations { series, ..Observations::default() };
        bounds.apply(&mut seen, at);
        seen.series.iter().map(|key| key.endpoint.to_string()).collect()
    }

    #[test]
    fn past_the_limit_an_endpoint_is_other_and_known_ones_stay() {
        let mut bounds = bounds(Limits { endpoints: 2, ..Limits::default() });
        let wanted = ["GET /a", "GET /b", "GET /c", "GET /a"];
        assert_eq!(endpoints(&mut bounds, "shop", &wanted, 0), ["GET /a", "GET /b", OTHER, "GET /a"]);
        assert_eq!(bounds.folded, 1);
    }

    #[test]
    fn one_integration_that_explodes_folds_alone() {
        let mut bounds = bounds(Limits { endpoints: 3, names: 3, gauges: 3, ..Limits::default() });
        let many: Vec<String> = (0..1000).map(|n| format!("GET /{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(endpoints(&mut bounds, "loud", &many, 0).iter().filter(|one| *one == OTHER).count(), 997);
        assert_eq!(endpoints(&mut bounds, "quiet", &["GET /a", "GET /b"], 0), ["GET /a", "GET /b"]);
    }

    #[test]
    fn peers_gauges_and_integrations_are_bounded_whatever_senders_choose() {
        let limits = Limits { integrations: 4, endpoints: 3, gauges: 3, ..Limits::default() };
        let mut bounds = bounds(limits);
        let mut seen = Observations::default();
        endpoints(&mut bounds, "loud", &["GET /"], 0);
        for n in 0..100 {
            seen.series.push(key("loud", &format!("{n}.example"), "GET /"));
            let gauge = GaugeKey {
                integration: of("loud"),
                metric: "integration.queue.depth".into(),
                unit: "".into(),
                attributes: Vec::new(),
                additive: false,
                reporter: n,
            };
            seen.gauges.push(Gauge { key: gauge, time: 0, value: 1.0 });
            let integration = IntegrationKey { environment: format!("env-{n}").into(), name: "many".into() };
            let text = String::new;
            let (source, destination, owner, tier, version) = (text(), text(), text(), text(), text());
            let info = IntegrationInfo { key: integration, source, destination, owner, tier, version };
            seen.integrations.push(info);
        }
        bounds.apply(&mut seen, 0);
        assert_eq!(seen.gauges.len(), 3);
        let peers: std::collections::BTreeSet<&str> = seen.series.iter().map(|key| &*key.peer).collect();
        assert!(peers.len() <= 7, "{peers:?}");
        let integrations: std::collections::BTreeSet<_> =
            seen.integrations.iter().map(|info| info.key.clone()).collect();
        // Four with the loud one, and the one that stands for the rest.
        assert!(integrations.len() <= 5 && bounds.known.len() <= 5, "{integrations:?}");
    }

    #[test]
    fn a_runtimes_gauges_take_no_room_of_the_vocabularys() {
        let mut bounds = bounds(Limits { metrics: 1, gauges: 1, ..Limits::default() });
        let gauge = |metric: &str| GaugeKey {
            integration: of("shop"),
            metric: metric.into(),
            unit: "".into(),
            attributes: Vec::new(),
            additive: false,
            reporter: 0,
        };
        let admitted = ["jvm.memory.used", "jvm.threads", "integration.queue.depth", "jvm.memory.used"]
            .map(|metric| bounds.admit_gauge(&gauge(metric), 0));
        assert_eq!(admitted, [true, false, true, true]);
        assert_eq!(bounds.folded, 1);
    }

    #[test]
    fn what_was_not_seen_for_a_day_gives_its_place_back() {
        let mut bounds = bounds(Limits { integrations: 2, endpoints: 2, ..Limits::default() });
        endpoints(&mut bounds, "shop", &["GET /a", "GET /b"], 0);
        endpoints(&mut bounds, "gone", &["GET /"], 0);
        endpoints(&mut bounds, "shop", &["GET /a"], 20 * HOUR);
        bounds.forget(24 * HOUR);
        assert_eq!(endpoints(&mut bounds, "shop", &["GET /c"], 24 * HOUR), [OTHER], "a day is not over");
        bounds.forget(24 * HOUR + 1);
        let at = 24 * HOUR + 1;
        assert_eq!(
            endpoints(&mut bounds, "shop", &["GET /c", "GET /a", "GET /d"], at),
            ["GET /c", "GET /a", OTHER]
        );
        assert_eq!(endpoints(&mut bounds, "new", &["GET /"], at), ["GET /"]);
        assert!(bounds.known.len() == 2);
    }

    #[test]
    fn one_peer_has_its_own_limit_and_leaves_room_for_others() {
        let mut bounds = bounds(Limits { templates: 2, ..Limits::default() });
        let series =
            ["GET /a", "GET /b", "GET /c", OTHER, "GET /b"].map(|one| key("shop", "api.example", one));
        let series = series.into_iter().chain([key("shop", "other.example", "GET /d")]).collect();
        let mut seen = Observations { series, ..Observations::default() };
        bounds.apply(&mut seen, 0);
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
        bounds.apply(&mut seen, 0);
        assert_eq!(named(&seen), first, "what is admitted stays");
    }
}
