//! What a rule judges at a tick: one subject for each value of its `by` labels.

use std::collections::BTreeMap;

use crate::rollup::gap::{Beside, OpenGap, open_gap};
use crate::rollup::series::GaugeRow;
use crate::rollup::sources::Sources;
use crate::rollup::state::Slot;
use crate::rollup::window::{Minute, Part, SlotKey};
use crate::signals::observation::{CallKey, Direction, Facet, GaugeKey, IntegrationKey, ReconciliationRun};
use crate::signals::telemetry::Nanos;
use crate::signals::vocabulary::{Attr, Metric};

use super::explain::Callers;
use super::rule::Rule;
use super::series::{Series, by_endpoint, by_facet};
use super::tier::Tier;
use crate::health::value::Value;
use crate::signals::signal::{Family, Label, Signal};

/// A gauge says nothing once its latest point is older than this.
pub const STALE: Nanos = 5 * 60 * 1_000_000_000;

/// Label name → value.
pub type Labels = BTreeMap<String, String>;

/// What a rule judges as one.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The integration's tier.
    pub tier: Tier,
    /// The figures.
    pub data: Data<'a>,
    /// Further signals of the same thing.
    pub values: Vec<&'a Value>,
}

/// The figures of a subject.
#[derive(Debug)]
pub enum Data<'a> {
    /// Series whose operations are added up.
    Calls(Vec<&'a Series<'a>>),
    /// A credential slot.
    Slot(&'a Slot),
    /// A queue.
    Queue(&'a QueueRows<'a>),
    /// The open windows of a reconciliation.
    Runs(&'a OpenGap),
    /// Nothing but the subject's values.
    Values,
}

impl Subject<'_> {
    /// The value of a label that is not in `by`, for a level's `where`.
    pub fn extra_label(&self, label: Label) -> &str {
        match (&self.data, label) {
            (_, Label::Tier) => self.tier.name(),
            (Data::Values, label) => self.values.first().map_or("", |value| value.label(label)),
            (Data::Slot(slot), label) => slot_label(slot, label),
            _ => "",
        }
    }
}

impl<'a> Subject<'a> {
    fn new(tier: Tier, data: Data<'a>) -> Subject<'a> {
        Subject { tier, data, values: Vec::new() }
    }

    /// The worst of the values of a signal: of several things that a rule does not tell apart, the one that matters.
    pub fn worst(&self, signal: Signal) -> Option<&'a Value> {
        let of_signal = self.values.iter().copied().filter(|value| value.signal == signal);
        of_signal.reduce(|worst, other| {
            let worse =
                if signal.low_is_bad() { other.value < worst.value } else { other.value > worst.value };
            if worse { other } else { worst }
        })
    }
}

fn slot_label(slot: &Slot, label: Label) -> &str {
    let value = match label {
        Label::Kind => slot.kind.get(),
        Label::Renewal => slot.renewal.get(),
        Label::Provider => slot.provider.get(),
        _ => None,
    };
    value.map_or("", String::as_str)
}

/// The gauge points of a queue in one state.
#[derive(Debug, Default)]
pub struct QueueRows<'a> {
    depth: Vec<(Minute, &'a GaugeKey, &'a GaugeRow)>,
    age: Vec<(Minute, &'a GaugeKey, &'a GaugeRow)>,
}

impl QueueRows<'_> {
    /// Items in the queue, and when that was said; none when nothing fresh is known.
    pub fn depth(&self, tick: Minute) -> Option<(f64, Nanos)> {
        latest(&self.depth, tick)
    }

    /// Seconds that the oldest ready item has waited, and when that was said.
    pub fn oldest_age(&self, tick: Minute) -> Option<(f64, Nanos)> {
        latest(&self.age, tick)
    }
}

/// The latest point of any reporter; where reporters are added up, the sum of the latest of each.
fn latest(rows: &[(Minute, &GaugeKey, &GaugeRow)], tick: Minute) -> Option<(f64, Nanos)> {
    let mut reporters: BTreeMap<u64, (bool, f64, Nanos)> = BTreeMap::new();
    let fresh = tick.start().saturating_sub(STALE);
    for (_, key, row) in rows.iter().filter(|(minute, _, row)| *minute < tick && row.last_at >= fresh) {
        let kept = reporters.entry(key.reporter).or_insert((key.additive, row.last, row.last_at));
        if (row.last_at, row.last) >= (kept.2, kept.1) {
            *kept = (key.additive, row.last, row.last_at);
        }
    }
    let newest = reporters
        .values()
        .copied()
        .max_by(|a, b| (a.2, a.1).partial_cmp(&(b.2, b.1)).unwrap_or(std::cmp::Ordering::Equal))?;
    let summed = || reporters.values().filter(|(additive, _, _)| *additive).map(|(_, value, _)| value).sum();
    Some((if newest.0 { summed() } else { newest.1 }, newest.2))
}

type QueueKey<'a> = (&'a IntegrationKey, &'a str, &'a str);

/// A part sorted for judging; made once a tick, used by all rules.
#[derive(Debug)]
pub struct Index<'a> {
    part: &'a Part,
    tick: Minute,
    endpoints: Vec<Series<'a>>,
    connections: Vec<Series<'a>>,
    credentials: Vec<Series<'a>>,
    queues: BTreeMap<QueueKey<'a>, QueueRows<'a>>,
    gaps: BTreeMap<(&'a IntegrationKey, &'a str, &'a str), OpenGap>,
    values: &'a [Value],
}

impl<'a> Index<'a> {
    /// Sorts a part for the tick, beside the values of that tick.
    pub fn new(
        part: &'a Part,
        values: &'a [Value],
        seldom: &dyn Fn(&CallKey) -> Option<bool>,
        tick: Minute,
    ) -> Index<'a> {
        let sources = Sources::of(part, tick);
        Index {
            part,
            tick,
            endpoints: by_endpoint(part, &sources, seldom, tick),
            connections: by_facet(part, &sources, tick, Facet::Connection),
            credentials: by_facet(part, &sources, tick, Facet::Credential),
            queues: queues(part, tick),
            gaps: gaps(part, tick),
            values,
        }
    }

    /// Who calls which peer.
    pub fn callers(&self) -> Callers {
        let of = |series: &Series<'_>| {
            let whose = series.integration;
            (whose.environment.to_string(), whose.name.to_string(), series.peer.to_owned())
        };
        self.endpoints.iter().filter(|series| !series.peer.is_empty()).map(of).collect()
    }

    /// The subjects of a rule by their labels.
    pub fn subjects(
        &'a self,
        rule: &Rule,
        family: Family,
        tier: &dyn Fn(&IntegrationKey) -> Tier,
    ) -> BTreeMap<Labels, Subject<'a>> {
        let mut subjects = match family {
            Family::Calls => self.calls(rule, tier),
            Family::Credential if rule.signals().any(|signal| signal == Signal::CredentialExpiresIn) => {
                self.slots(rule, tier)
            }
            Family::Queue => self.queues(rule, tier),
            Family::Reconciliation => self.reconciliations(rule, tier),
            _ => BTreeMap::new(),
        };
        self.add_values(rule, tier, &mut subjects);
        subjects
    }

    fn add_values(
        &'a self,
        rule: &Rule,
        tier: &dyn Fn(&IntegrationKey) -> Tier,
        subjects: &mut BTreeMap<Labels, Subject<'a>>,
    ) {
        let asked: Vec<Signal> = rule.signals().collect();
        for value in self.values.iter().filter(|value| asked.contains(&value.signal)) {
            let key = IntegrationKey {
                environment: value.label(Label::Environment).into(),
                name: value.label(Label::Integration).into(),
            };
            let tier = tier(&key);
            let label = |label| if label == Label::Tier { tier.name() } else { value.label(label) };
            if rule.filter.admits(label) {
                let subject =
                    subjects.entry(labels(rule, label)).or_insert_with(|| Subject::new(tier, Data::Values));
                subject.values.push(value);
            }
        }
    }

    fn calls(&'a self, rule: &Rule, tier: &dyn Fn(&IntegrationKey) -> Tier) -> BTreeMap<Labels, Subject<'a>> {
        let asks = |label: Label| rule.by.contains(&label) || rule.filter.names(label);
        let series = match (asks(Label::Connection), asks(Label::Credential)) {
            (true, _) => &self.connections,
            (_, true) => &self.credentials,
            _ => &self.endpoints,
        };
        // Inbound calls have a rate of their own, and how long we take is no latency of a peer.
        let percentile = rule.condition.measures().iter().any(|measure| measure.signal.quantile().is_some());
        let outbound_only =
            !rule.filter.names(Label::Direction) && (percentile || !rule.by.contains(&Label::Direction));
        let mut out: BTreeMap<Labels, Subject<'a>> = BTreeMap::new();
        for one in series {
            let tier = tier(one.integration);
            let value = |label| if label == Label::Tier { tier.name() } else { one.label(label) };
            if (outbound_only && one.direction != Direction::Outbound) || !rule.filter.admits(value) {
                continue;
            }
            let subject =
                out.entry(labels(rule, value)).or_insert_with(|| Subject::new(tier, Data::Calls(Vec::new())));
            if let Data::Calls(all) = &mut subject.data {
                all.push(one);
            }
        }
        out
    }

    fn slots(&'a self, rule: &Rule, tier: &dyn Fn(&IntegrationKey) -> Tier) -> BTreeMap<Labels, Subject<'a>> {
        let says = rule.filter.names(Label::Renewal) || rule.filter.names(Label::Kind);
        let mut out = BTreeMap::new();
        for (key, slot) in &self.part.slots {
            let tier = tier(&key.integration);
            let value = |label| match label {
                Label::Credential => &*key.credential,
                Label::Tier => tier.name(),
                _ => of_integration(&key.integration, label).unwrap_or_else(|| slot_label(slot, label)),
            };
            // A rule that says nothing of it means what nobody renews automatically.
            let meant = says || slot.renewed_by_hand();
            let counts_down = slot.expires_at().is_some() && !slot.is_gone(self.tick.start());
            if meant && counts_down && !self.works_after_expiry(key, slot) && rule.filter.admits(value) {
                out.insert(labels(rule, value), Subject::new(tier, Data::Slot(slot)));
            }
        }
        out
    }

    /// Five good operations in a row, the last of them after its expiry: it was renewed, and nobody said so.
    fn works_after_expiry(&self, key: &SlotKey, slot: &Slot) -> bool {
        let is_it = |value: &&Value| {
            value.signal == Signal::CredentialAuthShare
                && value.label(Label::Credential) == &*key.credential
                && value.label(Label::Integration) == &*key.integration.name
                && value.label(Label::Environment) == &*key.integration.environment
        };
        let Some(expired) = slot.expires_at().filter(|at| *at <= self.tick.0 * 60) else { return false };
        let used = self.values.iter().find(is_it);
        used.is_some_and(|used| used.value == 0.0 && used.at / 1_000_000_000 > expired)
    }

    fn queues(
        &'a self,
        rule: &Rule,
        tier: &dyn Fn(&IntegrationKey) -> Tier,
    ) -> BTreeMap<Labels, Subject<'a>> {
        // States are never added up: a rule that names none means the ready items.
        let any_state = rule.by.contains(&Label::State) || rule.filter.names(Label::State);
        let mut out = BTreeMap::new();
        for ((integration, queue, state), rows) in &self.queues {
            let tier = tier(integration);
            let value = |label| match label {
                Label::Queue => *queue,
                Label::State => *state,
                Label::Tier => tier.name(),
                _ => of_integration(integration, label).unwrap_or(""),
            };
            if (any_state || *state == "ready") && rule.filter.admits(value) {
                out.insert(labels(rule, value), Subject::new(tier, Data::Queue(rows)));
            }
        }
        out
    }

    fn reconciliations(
        &'a self,
        rule: &Rule,
        tier: &dyn Fn(&IntegrationKey) -> Tier,
    ) -> BTreeMap<Labels, Subject<'a>> {
        let mut out = BTreeMap::new();
        for ((integration, name, entity), gap) in &self.gaps {
            let tier = tier(integration);
            let value = |label| match label {
                Label::Reconciliation => *name,
                Label::Entity => *entity,
                Label::Tier => tier.name(),
                _ => of_integration(integration, label).unwrap_or(""),
            };
            if rule.filter.admits(value) {
                out.insert(labels(rule, value), Subject::new(tier, Data::Runs(gap)));
            }
        }
        out
    }
}

fn labels<'v>(rule: &Rule, value: impl Fn(Label) -> &'v str) -> Labels {
    rule.by.iter().map(|label| (label.name().to_owned(), value(*label).to_owned())).collect()
}

fn of_integration(key: &IntegrationKey, label: Label) -> Option<&str> {
    match label {
        Label::Integration => Some(&key.name),
        Label::Environment => Some(&key.environment),
        _ => None,
    }
}

fn queues<'a>(part: &'a Part, tick: Minute) -> BTreeMap<QueueKey<'a>, QueueRows<'a>> {
    let mut out: BTreeMap<QueueKey<'a>, QueueRows<'a>> = BTreeMap::new();
    for ((minute, key), row) in part.gauges.iter().filter(|((minute, _), _)| *minute < tick) {
        let depth = &*key.metric == Metric::QueueDepth.name();
        if !depth && &*key.metric != Metric::QueueOldestAge.name() {
            continue;
        }
        let Some(queue) = key.attribute(Attr::QueueName.name()) else { continue };
        let state = key.attribute(Attr::QueueState.name()).unwrap_or("ready");
        let rows = out.entry((&key.integration, queue, state)).or_default();
        if depth { &mut rows.depth } else { &mut rows.age }.push((*minute, &**key, row));
    }
    out
}

fn gaps(part: &Part, tick: Minute) -> BTreeMap<(&IntegrationKey, &str, &str), OpenGap> {
    let mut runs: BTreeMap<(&IntegrationKey, &str, &str), Vec<ReconciliationRun>> = BTreeMap::new();
    for run in part.reconciliations.values().filter(|run| run.time < tick.start()) {
        runs.entry((&run.integration, &run.name, &run.entity)).or_default().push(run.clone());
    }
    runs.into_iter().map(|(key, runs)| (key, open_gap(&runs, &Beside::of(&part.states, &runs)))).collect()
}

/// What a signal says of open windows.
pub fn of_gap(gap: &OpenGap, signal: Signal) -> Option<f64> {
    Some(match signal {
        Signal::ReconciliationGap => gap.records as f64,
        Signal::ReconciliationGapShare if gap.expected > 0 => gap.records as f64 / gap.expected as f64,
        // Nothing was expected, so whatever is there is all wrong.
        Signal::ReconciliationGapShare => f64::from(u8::from(gap.records > 0)),
        Signal::ReconciliationOpenRuns => gap.runs_since as f64,
        Signal::ReconciliationAmountDiffers => f64::from(u8::from(gap.amount_differs)),
        _ => return None,
    })
}
