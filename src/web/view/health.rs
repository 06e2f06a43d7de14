//! An integration's health: the figures and the state that overview, integration page and API share.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::{Endpoints, Seldom, Summary};
use super::credential::{self, Expiry};
use super::queue::{self, Queue};
use super::reconciliation;
use crate::alert::incident::{Incident, Severity};
use crate::alert::tier::Tier;
use crate::rollup::window::Part;
use crate::signals::observation::{Direction, IntegrationKey};
use crate::signals::telemetry::Nanos;

/// How an integration is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A critical incident of its own is open.
    Failing,
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
            State::Degraded => "degraded",
            State::Ok => "ok",
            State::New => "new",
        }
    }

    /// Whether somebody has to act.
    pub const fn needs_somebody(self) -> bool {
        matches!(self, State::Failing | State::Degraded)
    }
}

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
    /// Name → (tier, owner); an empty text says nothing.
    pub overrides: &'s Overrides,
    /// The present.
    pub now: Nanos,
}

/// One integration in one environment.
#[derive(Clone, Debug)]
pub struct Health<'s> {
    /// Which.
    pub key: IntegrationKey,
    /// `integration.source.name`, empty when not given.
    pub source: String,
    /// `integration.destination.name`, empty when not given.
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

/// All integrations that have said anything, worst first, then by name.
pub fn all<'s>(sources: &Sources<'s>) -> Vec<Health<'s>> {
    let mut keys: BTreeSet<&IntegrationKey> = sources.states.integrations.keys().collect();
    keys.extend(sources.endpoints.keys().map(|key| &key.integration));
    keys.extend(queue::reporters(sources.window));
    keys.extend(sources.states.slots.keys().map(|key| &key.integration));
    keys.extend(sources.states.reconciliations.keys().map(|key| &key.integration));
    let mut all: Vec<Health<'s>> = keys.into_iter().map(|key| one(sources, key)).collect();
    all.sort_by(|a, b| (a.state, order(a), &a.key).cmp(&(b.state, order(b), &b.key)));
    all
}

/// What matters more comes first, then what has more incidents.
fn order(health: &Health<'_>) -> (Tier, std::cmp::Reverse<usize>) {
    (Tier::from_name(&health.tier).unwrap_or_default(), std::cmp::Reverse(health.incidents.len()))
}

/// One integration.
pub fn one<'s>(sources: &Sources<'s>, key: &IntegrationKey) -> Health<'s> {
    let mut incidents: Vec<&Incident> = sources
        .incidents
        .iter()
        .filter(|incident| incident.resolved_at.is_none() && is_of(incident, key))
        .collect();
    incidents.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.since.cmp(&b.since)));
    let calls = |direction: Direction| {
        Summary::over(sources.endpoints, sources.seldom, |endpoint| {
            endpoint.integration == *key && endpoint.direction == direction
        })
    };
    let credentials = credential::credentials(sources.states, key, sources.now);
    let reconciliations = reconciliation::reconciliations(sources.states, key);
    let queues = queue::queues(sources.window, key);
    let judged = !queues.is_empty()
        || !credentials.is_empty()
        || !reconciliations.is_empty()
        || sources.states.outcomes.keys().any(|series| series.integration == *key)
        || sources.states.runs.iter().any(|run| run.integration == *key);
    let registration = sources.states.integrations.get(key);
    let said = |text: Option<&String>| text.cloned().unwrap_or_default();
    let (tier, owner) = sources.overrides.get(&*key.name).cloned().unwrap_or_default();
    let or = |ours: String, theirs: Option<&String>| if ours.is_empty() { said(theirs) } else { ours };
    let (outbound, inbound) = (calls(Direction::Outbound), calls(Direction::Inbound));
    let judged = judged || outbound.judged.success_rate().or(inbound.judged.success_rate()).is_some();
    Health {
        key: key.clone(),
        source: said(registration.and_then(|seen| seen.source.get())),
        destination: said(registration.and_then(|seen| seen.destination.get())),
        owner: or(owner, registration.and_then(|seen| seen.owner.get())),
        tier: or(tier, registration.and_then(|seen| seen.tier.get())),
        version: said(registration.and_then(|seen| seen.version.get())),
        last_seen: registration.map(|seen| seen.last_seen),
        state: match incidents.first().map(|incident| incident.severity) {
            Some(Severity::Critical) => State::Failing,
            Some(Severity::Warning) => State::Degraded,
            _ if judged => State::Ok,
            _ => State::New,
        },
        outbound,
        inbound,
        expiry: credential::next_expiry(&credentials),
        queues,
        reconciled: reconciliation::sums(&reconciliations),
        incidents,
    }
}
