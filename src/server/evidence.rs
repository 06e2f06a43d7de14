//! Evidence of incidents: what failed, the log records around it and the rule as it stood are pinned soon after an
//! incident opens and while it stands, and forgotten when their time is over (semantics section 14).
//!
//! All of it follows from what the catalog has, and a pin is kept once whatever is repeated: a crash loses none.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::rules::Rules;
use crate::alert::incident::Incident;
use crate::clock::Clock;
use crate::pipeline::bounds::OTHER;
use crate::pipeline::gauges::Gauges;
use crate::signals::telemetry::Nanos;
use crate::store::pins::{self, DAY, NewPin};
use crate::store::query::around::{Around, Traces};
use crate::store::query::pinned::{Exemplars, Pinned};
use crate::store::{Error, SpanQuery, SpanRecord, Store};

/// Failing calls of an incident.
const FAILURES: usize = 20;
/// Log records around them.
const LOGS: usize = 50;
/// Incidents that are looked at each minute.
const INCIDENTS: u32 = 200;
/// Failing spans that are read to find those of an incident.
const READ: usize = 200;
/// The same where the account or the credential tells them apart: one in hundreds.
const READ_ALL: usize = 2_000;
const MINUTE: Nanos = 60_000_000_000;
/// How far before the first breach evidence is looked for, and at most before now.
const BEFORE: Nanos = 5 * MINUTE;
const BACK: Nanos = 120 * MINUTE;
/// An incident that closed this long ago has all that it will have.
const AFTER: Nanos = 60 * MINUTE;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Pin what open incidents are judged by.
    Pin,
    /// Forget what is too old.
    Forget,
}

/// What the room works with.
struct Evidence {
    store: Store,
    rules: Arc<Rules>,
    clock: Clock,
    /// They say up to when the rules have judged: before that moves nothing new is to be pinned.
    gauges: Arc<Gauges>,
    days: u32,
}

impl Evidence {
    /// Runs until `stop`.
    async fn run(self, mut due: mpsc::Receiver<Task>, stop: CancellationToken) {
        self.forget().await;
        let mut judged = 0;
        loop {
            let task = tokio::select! {
                _ = stop.cancelled() => return,
                task = due.recv() => task,
            };
            match task {
                None => return,
                Some(Task::Forget) => self.forget().await,
                Some(Task::Pin) => {
                    let now = self.gauges.judged_until.load(Ordering::Relaxed);
                    if now != judged {
                        match self.pin().await {
                            Ok(()) => judged = now,
                            Err(error) => {
                                tracing::warn!(%error, "Evidence could not be pinned; it is tried again.");
                            }
                        }
                    }
                }
            }
        }
    }

    async fn forget(&self) {
        let before = (self.clock)().saturating_sub(i64::from(self.days) * DAY);
        match self.store.forget_evidence(before).await {
            Ok(0) => {}
            Ok(pins) => tracing::info!(pins, "Evidence was forgotten, its time is over."),
            Err(error) => tracing::warn!(%error, "Old evidence could not be forgotten; it is tried again."),
        }
    }

    async fn pin(&self) -> Result<(), Error> {
        let now = (self.clock)();
        let latest = self.store.incidents(false, INCIDENTS).await?;
        let open = self.store.incidents(true, INCIDENTS).await?;
        let stands = |one: &Incident| one.resolved_at.is_none_or(|at| now.saturating_sub(at) < AFTER);
        let all: HashMap<String, Incident> =
            latest.into_iter().filter(stands).chain(open).map(|one| (one.id.clone(), one)).collect();
        for incident in all.values() {
            let has = self.store.pinned_names(&incident.id).await?;
            let new = self.evidence(incident, &has, now).await?;
            self.store.pin(&new).await?;
        }
        Ok(())
    }

    /// What is to be pinned of an incident besides what is.
    async fn evidence(&self, incident: &Incident, has: &[Pinned], now: Nanos) -> Result<Vec<NewPin>, Error> {
        let mut new = Vec::new();
        if has.is_empty() {
            let text = self.rules.text(&incident.rule).unwrap_or_default();
            new.push(pins::of_rule(&text, incident.id.clone(), now)?);
        }
        let label = |name: &str| told(incident, name).unwrap_or_default().to_owned();
        let from = incident.since.saturating_sub(BEFORE).max(now.saturating_sub(BACK));
        let until = incident.resolved_at.map_or(now, |at| at.min(now)).saturating_add(1);
        let mut around = Traces { from, to: until, limit: LOGS, ..Traces::default() };
        let failures = has.iter().filter(|pin| pin.is_failure()).count();
        if counts_calls(incident) && failures < FAILURES {
            let found = self.failures(incident, has, (from, until), FAILURES - failures, now).await?;
            if found.is_empty() && !has.is_empty() {
                return Ok(new);
            }
            around.ids = found.iter().filter_map(|pin| trace_of(&pin.name)).collect();
            let times = || found.iter().map(|pin| pin.at);
            if let Some((first, last)) = times().min().zip(times().max()) {
                (around.from, around.to) = (first.saturating_sub(MINUTE), last.saturating_add(MINUTE));
            }
            new.extend(found);
        } else if !has.is_empty() {
            return Ok(new);
        }
        let logs = has.iter().filter(|pin| pin.is_log()).count();
        around.limit = LOGS.saturating_sub(logs);
        let integration = label("integration");
        let of = (!integration.is_empty()).then(|| (label("environment"), integration));
        for log in self.store.logs_around(Around { traces: around, of }).await? {
            new.push(pins::around(log, incident.id.clone(), now)?);
        }
        Ok(new)
    }

    /// Failing calls of an incident: those that its error groups keep whole anyway, and then the newest others.
    async fn failures(
        &self,
        incident: &Incident,
        has: &[Pinned],
        (from, to): (Nanos, Nanos),
        room: usize,
        now: Nanos,
    ) -> Result<Vec<NewPin>, Error> {
        let label = |name: &str| told(incident, name).map(str::to_owned);
        let mut found = Vec::new();
        let of_all = label("connection").is_none() && label("credential").is_none();
        // What groups keep does not say whose account or credential it was.
        if of_all {
            let exemplars = Exemplars {
                integration: label("integration"),
                environment: label("environment"),
                direction: label("direction"),
                peer: label("peer"),
                endpoint: label("endpoint"),
                from,
                to,
            };
            found = self.store.exemplars(&exemplars, READ as u32).await?;
        }
        let known: BTreeSet<String> =
            has.iter().map(|pin| pin.name.clone()).chain(found.iter().map(|pin| pin.name.clone())).collect();
        found.retain(|pin| !has.iter().any(|known| known.name == pin.name));
        found.truncate(room);
        for pin in &mut found {
            pin.owner.clone_from(&incident.id);
            pin.received_at = now;
        }
        if found.len() < room {
            let query = SpanQuery {
                integration: label("integration"),
                environment: label("environment"),
                endpoint: label("endpoint"),
                failed: Some(true),
                min_ms: None,
                from,
                to,
                limit: if of_all { READ } else { READ_ALL },
            };
            let spans = self.store.spans(query).await?.into_iter().filter(|span| is_of(span, incident));
            let spans = spans.filter(|span| !known.contains(&pins::name_of(span)));
            let spans: Vec<SpanRecord> = spans.take(room - found.len()).collect();
            found.extend(self.with_traces(spans, &incident.id, now).await?);
        }
        Ok(found)
    }

    async fn with_traces(
        &self,
        spans: Vec<SpanRecord>,
        owner: &str,
        now: Nanos,
    ) -> Result<Vec<NewPin>, Error> {
        let ends = || spans.iter().map(|span| span.end);
        let Some((first, last)) = ends().min().zip(ends().max()) else { return Ok(Vec::new()) };
        let ids = spans.iter().filter_map(|span| trace_id(&span.trace_id)).collect();
        let (from, to) = (first.saturating_sub(BEFORE), last.saturating_add(BEFORE));
        let traces = Traces { ids, from, to, limit: 20 * FAILURES };
        let others = self.store.spans_of(traces).await?;
        let pin = |span: SpanRecord| {
            let of_it = |other: &&SpanRecord| other.trace_id == span.trace_id;
            let others: Vec<SpanRecord> = others.iter().filter(of_it).cloned().collect();
            pins::of_span(span, &others, owner.to_owned(), String::new(), now)
        };
        spans.into_iter().map(pin).collect()
    }
}

/// Starts the room; what it does when is told through what comes back. Evidence is kept for so many days.
pub fn open(
    store: &Store,
    rules: &Arc<Rules>,
    clock: &Clock,
    gauges: &Arc<Gauges>,
    days: u32,
    stop: &CancellationToken,
) -> (mpsc::Sender<Task>, JoinHandle<()>) {
    let (store, rules) = (store.clone(), rules.clone());
    let evidence = Evidence { store, rules, clock: clock.clone(), gauges: gauges.clone(), days };
    let (tell, due) = mpsc::channel(2);
    (tell, tokio::spawn(evidence.run(due, stop.clone())))
}

/// Whether failing calls show what an incident is about.
fn counts_calls(incident: &Incident) -> bool {
    ["call.", "attempt.", "record.", "retry.", "connection.", "slo.", "peer."]
        .iter()
        .any(|prefix| incident.signal.starts_with(prefix))
}

/// The value of a label, none where it does not tell spans apart.
fn told<'i>(incident: &'i Incident, name: &str) -> Option<&'i str> {
    incident.labels.get(name).map(String::as_str).filter(|value| !value.is_empty() && *value != OTHER)
}

/// Whether a failing span has what an incident's labels say.
fn is_of(span: &SpanRecord, incident: &Incident) -> bool {
    let direction = match span.kind {
        "server" | "consumer" => "inbound",
        _ => "outbound",
    };
    let attribute = |name: &str| span.attributes.get(name).or(span.resource.get(name)).map(String::as_str);
    let has = |name: &str, value: Option<&str>| told(incident, name).is_none_or(|said| value == Some(said));
    has("direction", Some(direction))
        && has("peer", span.peer.as_deref())
        && has("connection", attribute("integration.connection.id"))
        && has("credential", attribute("integration.credential.id"))
}

/// The trace in a pin's name.
fn trace_of(name: &str) -> Option<[u8; 16]> {
    trace_id(name.strip_prefix("span:")?.split(':').next()?)
}

fn trace_id(hex: &str) -> Option<[u8; 16]> {
    u128::from_str_radix(hex, 16).ok().map(u128::to_be_bytes)
}
