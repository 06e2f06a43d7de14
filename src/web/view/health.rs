//! An integration's health: the figures and the state that overview, integration page and API share.

use std::collections::BTreeMap;

use super::calls::{Endpoints, Seldom, Summary};
use super::credential::{self, Expiry};
use super::queue::{self, Queue};
use super::reconciliation;
use crate::alert::incident::{Incident, Severity};
use crate::alert::tier::Tier;
use crate::health::cause::{self, Cause, Evidence};
use crate::health::value::Value;
use crate::rollup::state::Slot;
use crate::rollup::window::{Part, SlotKey};
use crate::signals::call::Class;
use crate::signals::observation::{Direction, IntegrationKey, ReconciliationRun};
use crate::signals::provider::Providers;
use crate::signals::signal::{Label, Signal};
use crate::signals::telemetry::Nanos;

/// How an integration is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A critical incident of its own is open.
    Failing,
    /// No telemetry comes, or not all of it: how it is nobody can see.
    Unobserved,
    /// Telemetry comes and work does not, though it is expected.
    Silent,
    /// A warning is open.
    Degraded,
    /// None of these, and it has been judged.
    Ok,
    /// Nothing is judged yet.
    New,
}

impl State {
    /// Its name in the API and on pages.
    pub const fn name(self) -> &'static str {
        match self {
            State::Failing => "failing",
            State::Unobserved => "unobserved",
            State::Silent => "silent",
            State::Degraded => "degraded",
            State::Ok => "ok",
            State::New => "new",
        }
    }

    /// Whether somebody has to act.
    pub const fn needs_somebody(self) -> bool {
        !matches!(self, State::Ok | State::New)
    }
}

/// Seconds without telemetry, beyond what is usual, after which an integration is unobserved.
const UNOBSERVED_AFTER: f64 = 600.0;

/// What the operator says of an integration; it wins over what its telemetry says.
pub type Overrides = BTreeMap<String, (String, String)>;

/// What health is read from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'s> {
    /// Calls of the window by endpoint.
    pub endpoints: &'s Endpoints,
    /// Which of them seldom answered 404 before.
    pub seldom: &'s Seldom,
    /// The window: gauges.
    pub window: &'s Part,
    /// Slots, reconciliations, registrations, outcomes.
    pub states: &'s Part,
    /// Open incidents, and others: only the open are read.
    pub incidents: &'s [Incident],
    /// What the signals said at the last tick.
    pub values: &'s [Value],
    /// Name → (tier, owner); an empty text says nothing.
    pub overrides: &'s Overrides,
    /// Whose hosts the peers are.
    pub providers: &'s Providers,
    /// The present.
    pub now: Nanos,
}

/// One integration in one environment.
#[derive(Clone, Debug)]
pub struct Health<'s> {
    /// Which.
    pub key: IntegrationKey,
    /// `integration.source.name`, else the vendors that it only reads from; empty when not known.
    pub source: String,
    /// `integration.destination.name`, else the vendors that it writes to; empty when not known.
    pub destination: String,
    /// Who is asked first, empty when not given.
    pub owner: String,
    /// `critical`, `standard` or `simple`; empty when nobody says, and standard is assumed.
    pub tier: String,
    /// `service.version`, empty when not given.
    pub version: String,
    /// When telemetry was last received.
    pub last_seen: Option<Nanos>,
    /// How it is.
    pub state: State,
    /// Its headline: calls to peers.
    pub outbound: Summary,
    /// Calls from peers.
    pub inbound: Summary,
    /// Its queues.
    pub queues: Vec<Queue>,
    /// The earliest expiry that nothing renews.
    pub expiry: Expiry,
    /// (expected, matched, still open).
    pub reconciled: Option<(u64, u64, u64)>,
    /// Open incidents of its own, worst and oldest first.
    pub incidents: Vec<&'s Incident>,
    /// What its trouble is, where it has any.
    pub trouble: Option<Cause>,
}

impl Health<'_> {
    /// What the worst open incident says is the cause: a class of failures, else the rule; empty when well.
    pub fn cause(&self) -> &str {
        self.incidents
            .first()
            .map_or("", |incident| if incident.cause.is_empty() { &incident.rule } else { &incident.cause })
    }
}

/// Whether an incident is an integration's own.
pub fn is_of(incident: &Incident, key: &IntegrationKey) -> bool {
    let label = |name: &str| incident.labels.get(name).map(String::as_str);
    label("integration") == Some(&*key.name)
        && label("environment").is_none_or(|environment| environment == &*key.environment)
}

/// What of the sources is whose: each is walked through once, however many integrations there are.
#[derive(Default)]
struct Own<'s> {
    outbound: Summary,
    inbound: Summary,
    gauges: Vec<queue::Gauge<'s>>,
    slots: Vec<(&'s SlotKey, &'s Slot)>,
    runs: Vec<&'s ReconciliationRun>,
    incidents: Vec<&'s Incident>,
    judged: bool,
    /// Peers that it calls, and whether it writes there.
    peers: BTreeMap<&'s str, bool>,
}

/// All integrations that have said anything, worst first, then by name.
pub fn all<'s>(sources: &Sources<'s>) -> Vec<Health<'s>> {
    let mut own: BTreeMap<&IntegrationKey, Own<'s>> = BTreeMap::new();
    for key in sources.states.integrations.keys() {
        own.entry(key).or_default();
    }
    for (key, row) in sources.endpoints {
        let own = own.entry(&key.integration).or_default();
        let seldom = sources.seldom.contains(key);
        match key.direction {
            Direction::Outbound => {
                own.outbound.add(row, seldom);
                // A token is had by a POST too, also where nothing else is written.
                let wrote = row.tally.writes > 0 && !key.endpoint.ends_with("token");
                *own.peers.entry(&*key.peer).or_default() |= wrote;
            }
            Direction::Inbound => own.inbound.add(row, seldom),
            Direction::Dependency => {}
        }
    }
    for (key, gauges) in queue::gauges(sources.window) {
        own.entry(key).or_default().gauges = gauges;
    }
    for (key, slot) in &sources.states.slots {
        own.entry(&key.integration).or_default().slots.push((key, slot));
    }
    for (key, run) in &sources.states.reconciliations {
        own.entry(&key.integration).or_default().runs.push(run);
    }
    let outcomes = sources.states.outcomes.keys().map(|series| &series.integration);
    for key in outcomes.chain(sources.states.runs.iter().map(|run| &run.integration)) {
        // What judged it does not make it known: its registration or its calls do.
        if let Some(own) = own.get_mut(key) {
            own.judged = true;
        }
    }
    let incidents = by_name(sources.incidents.iter().filter(|incident| incident.resolved_at.is_none()));
    let quiet = quiet(sources.values);
    let mut all: Vec<Health<'s>> = Vec::with_capacity(own.len());
    for (key, mut own) in own {
        let of_name = incidents.get(&*key.name).into_iter().flatten();
        own.incidents = of_name.filter(|incident| is_of(incident, key)).copied().collect();
        let quiet = quiet.get(&(&*key.name, &*key.environment)).copied();
        all.push(one(sources, key, own, quiet));
    }
    all.sort_by(|a, b| (a.state, order(a), &a.key).cmp(&(b.state, order(b), &b.key)));
    all
}

/// Incidents by the name of their integration.
pub fn by_name<'i>(incidents: impl Iterator<Item = &'i Incident>) -> BTreeMap<&'i str, Vec<&'i Incident>> {
    let mut by_name: BTreeMap<&str, Vec<&Incident>> = BTreeMap::new();
    for incident in incidents {
        if let Some(name) = incident.labels.get("integration") {
            by_name.entry(name).or_default().push(incident);
        }
    }
    by_name
}

/// What matters more comes first, then what has more incidents.
fn order(health: &Health<'_>) -> (Tier, std::cmp::Reverse<usize>) {
    (Tier::from_name(&health.tier).unwrap_or_default(), std::cmp::Reverse(health.incidents.len()))
}

/// The vendors among the peers that are written to, or those that are only read from.
fn vendors(providers: &Providers, peers: &BTreeMap<&str, bool>, wanted: bool) -> String {
    let mut written: BTreeMap<&str, bool> = BTreeMap::new();
    for (peer, wrote) in peers {
        if let Some(vendor) = providers.of(peer) {
            *written.entry(&*vendor.name).or_default() |= *wrote;
        }
    }
    let names: Vec<&str> =
        written.into_iter().filter(|(_, wrote)| *wrote == wanted).map(|(name, _)| name).collect();
    names.join(", ")
}

fn one<'s>(sources: &Sources<'s>, key: &IntegrationKey, own: Own<'s>, quiet: Option<State>) -> Health<'s> {
    let Own { outbound, inbound, gauges, slots, runs, mut incidents, judged, peers } = own;
    incidents.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.since.cmp(&b.since)));
    let credentials = credential::ordered(slots.into_iter(), sources.now);
    let reconciliations = reconciliation::latest(sources.states, runs.into_iter());
    let queues = queue::queues(&gauges);
    let judged = judged
        || !queues.is_empty()
        || !credentials.is_empty()
        || !reconciliations.is_empty()
        || outbound.judged.success_rate().or(inbound.judged.success_rate()).is_some();
    let registration = sources.states.integrations.get(key);
    let said = |text: Option<&String>| text.cloned().unwrap_or_default();
    let (tier, owner) = sources.overrides.get(&*key.name).cloned().unwrap_or_default();
    let or = |ours: String, theirs: Option<&String>| if ours.is_empty() { said(theirs) } else { ours };
    let vendors = |wanted: bool, sent: Option<&String>| match sent {
        Some(sent) => sent.clone(),
        None => vendors(sources.providers, &peers, wanted),
    };
    Health {
        key: key.clone(),
        source: vendors(false, registration.and_then(|seen| seen.source.get())),
        destination: vendors(true, registration.and_then(|seen| seen.destination.get())),
        owner: or(owner, registration.and_then(|seen| seen.owner.get())),
        tier: or(tier, registration.and_then(|seen| seen.tier.get())),
        version: said(registration.and_then(|seen| seen.version.get())),
        last_seen: registration.map(|seen| seen.last_seen),
        state: state(&incidents, quiet, judged),
        expiry: credential::next_expiry(&credentials),
        queues,
        reconciled: reconciliation::sums(&reconciliations),
        trouble: incidents.first().and_then(|_| trouble(sources, key, &outbound)),
        outbound,
        inbound,
        incidents,
    }
}

/// How it is: failing, unobserved, silent and degraded are told apart (semantics sections 5 and 11). What says that it is
/// silent or unobserved does not make it failing.
fn state(incidents: &[&Incident], quiet: Option<State>, judged: bool) -> State {
    let told = |incident: &Incident| match Signal::from_name(&incident.signal) {
        Some(Signal::WorkMissed) => Some(State::Silent),
        Some(Signal::TelemetrySilence | Signal::TelemetryLostShare) => Some(State::Unobserved),
        _ => None,
    };
    let worst = |incident: &&Incident| match (told(incident), incident.severity) {
        (Some(state), _) => Some(state),
        (None, Severity::Critical) => Some(State::Failing),
        (None, Severity::Warning) => Some(State::Degraded),
        (None, Severity::Info) => None,
    };
    let known = incidents.iter().filter_map(worst).chain(quiet).min();
    known.unwrap_or(if judged { State::Ok } else { State::New })
}

/// Which integrations are silent or unobserved by their signals, whether or not a rule tells of it yet.
fn quiet(values: &[Value]) -> BTreeMap<(&str, &str), State> {
    let mut out: BTreeMap<(&str, &str), State> = BTreeMap::new();
    for value in values {
        let state = match value.signal {
            Signal::TelemetrySilence if value.value > UNOBSERVED_AFTER && !value.is_usual() => {
                State::Unobserved
            }
            Signal::WorkMissed if value.value > 0.0 => State::Silent,
            _ => continue,
        };
        let whose = (value.label(Label::Integration), value.label(Label::Environment));
        let known = out.entry(whose).or_insert(state);
        *known = state.min(*known);
    }
    out
}

/// What the decision table makes of an integration's signals and failures.
fn trouble(sources: &Sources<'_>, key: &IntegrationKey, outbound: &Summary) -> Option<Cause> {
    let own = |value: &&Value| {
        let (name, environment) = (value.label(Label::Integration), value.label(Label::Environment));
        name == &*key.name && environment == &*key.environment
    };
    let values: Vec<&Value> = sources.values.iter().filter(own).collect();
    let failures: Vec<(Class, f64)> = Class::ALL
        .into_iter()
        .filter(|class| class.is_bad() || *class == Class::AmbiguousRead)
        .map(|class| (class, outbound.finals[class as usize]))
        .filter(|(_, count)| *count > 0.0)
        .collect();
    cause::cause(&Evidence {
        values: &values,
        failures: &failures,
        good: outbound.judged.good,
        version_changed: None,
        now: sources.now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(signal: Signal, value: f64) -> Value {
        let key = IntegrationKey { environment: "production".into(), name: "shop".into() };
        Value::of(signal, &key, value, 0)
    }

    fn seen(values: &[Value]) -> Option<State> {
        quiet(values).get(&("shop", "production")).copied()
    }

    #[test]
    fn down_silent_and_unobserved_are_told_apart() {
        assert_eq!(seen(&[value(Signal::WorkMissed, 0.0), value(Signal::TelemetrySilence, 60.0)]), None);
        assert_eq!(seen(&[value(Signal::WorkMissed, 31.0)]), Some(State::Silent));
        let unseen = value(Signal::TelemetrySilence, 3_000.0);
        assert_eq!(seen(&[value(Signal::WorkMissed, 31.0), unseen.clone()]), Some(State::Unobserved));
        assert_eq!(seen(&[unseen.usually(Some(3_600.0))]), None, "it comes once an hour");
        assert_eq!(state(&[], Some(State::Silent), true), State::Silent);
        assert_eq!((state(&[], None, true), state(&[], None, false)), (State::Ok, State::New));
    }
}
