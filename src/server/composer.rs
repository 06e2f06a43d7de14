//! What a mail says beyond its incident: gathered here, written by `notify::message`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Offset;

use super::rules::Rules;
use crate::alert::figure;
use crate::alert::incident::{Incident, Transition};
use crate::clock::Clock;
use crate::config::Config;
use crate::notify::message::{Context, Recipient, compose};
use crate::pipeline::Compose;
use crate::rollup::window::{MINUTE, Minute, Part};
use crate::signals::call::{Attempts, Judged, judge};
use crate::signals::observation::{CallKey, IntegrationKey, JobRun};
use crate::signals::provider::Providers;
use crate::signals::telemetry::Nanos;
use crate::store::mail::NewMail;
use crate::store::{SpanQuery, Store};

/// Bars of a trend, and minutes a bar.
const BARS: i64 = 24;
const BAR: i64 = 5;
/// How far back a failing call is looked for, and how much of what it said is told.
const FAILING_CALL: Nanos = 30 * MINUTE;
const PAYLOAD: usize = 300;

/// Composes mails from the configuration, the rules in force and the last two hours.
pub struct Composer {
    base_url: String,
    to: Vec<String>,
    owners: BTreeMap<String, Vec<String>>,
    owner_of: BTreeMap<String, String>,
    store: Store,
    rules: Arc<Rules>,
    providers: Arc<Providers>,
    clock: Clock,
}

impl Composer {
    /// A composer for this configuration.
    pub fn new(
        config: &Config,
        base_url: &str,
        store: &Store,
        rules: &Arc<Rules>,
        providers: &Arc<Providers>,
        clock: &Clock,
    ) -> Composer {
        let owned =
            |rule: &crate::config::integration::Integration| Some((rule.name.clone(), rule.owner.clone()?));
        Composer {
            base_url: base_url.to_owned(),
            to: config.mail.to.clone(),
            owners: config.owners.iter().map(|(name, owner)| (name.clone(), owner.to.clone())).collect(),
            owner_of: config.integration.iter().filter_map(owned).collect(),
            store: store.clone(),
            rules: rules.clone(),
            providers: providers.clone(),
            clock: clock.clone(),
        }
    }

    /// Who owns an integration: the configuration's word, else telemetry's.
    fn owner(&self, key: &IntegrationKey, recent: &Part) -> Option<String> {
        let said = || recent.integrations.get(key)?.owner.get().cloned();
        self.owner_of.get(&*key.name).cloned().or_else(said)
    }

    /// The owner's addresses by the configuration, where telemetry's owner is but a label that is looked up; and why
    /// these.
    fn recipients(
        &self,
        incident: &Incident,
        key: &IntegrationKey,
        owner: Option<&str>,
    ) -> (Vec<String>, String) {
        if !incident.to.is_empty() {
            let why = "You get this because an override of the rule names you.";
            return (incident.to.clone(), why.to_owned());
        }
        let name = &key.name;
        if let Some((owner, addresses)) = owner.and_then(|owner| Some((owner, self.owners.get(owner)?))) {
            return (addresses.clone(), format!("You get this because {owner} owns {name}."));
        }
        let why = match owner {
            Some(owner) => format!("no address is configured for its owner, {owner}"),
            None => format!("nobody is named as the owner of {name}"),
        };
        (self.to.clone(), format!("You get this as the default recipient: {why}."))
    }

    /// Where the peer's vendor tells of outages: `GitHub, https://…`; empty where no file says.
    fn vendor_status(&self, peer: &str) -> String {
        let vendor = self.providers.of(peer);
        let page = vendor.and_then(|vendor| Some((&vendor.name, &vendor.status_page.as_ref()?.url)));
        page.map_or_else(String::new, |(name, url)| format!("{name}, {url}"))
    }

    /// The latest failed call that the incident is about. A mail without it is better than no mail.
    async fn failing_call(&self, incident: &Incident, now: Nanos) -> Option<(String, String)> {
        let label = |name: &str| incident.labels.get(name).filter(|value| !value.is_empty()).cloned();
        let query = SpanQuery {
            integration: label("integration"),
            environment: label("environment"),
            endpoint: label("endpoint"),
            failed: Some(true),
            from: incident.since.max(now - FAILING_CALL),
            to: now,
            limit: 1,
            ..SpanQuery::default()
        };
        let span = self.store.spans(query).await.unwrap_or_default().into_iter().next()?;
        let said = |name: &str| span.attributes.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let status = ["http.response.status_code", "http.status_code", "rpc.grpc.status_code", "error.type"]
            .into_iter()
            .find_map(said)
            .unwrap_or(span.status);
        let line = format!(
            "{} {status} after {}, trace {}",
            span.endpoint.as_deref().unwrap_or(&span.name),
            figure::duration(span.duration_ms / 1e3),
            span.trace_id
        );
        let detail =
            said("integration.payload").or(said("exception.message")).unwrap_or(&span.status_message);
        let detail = if detail == status { "" } else { detail };
        Some((line, detail.chars().take(PAYLOAD).collect()))
    }
}

impl Compose for Composer {
    async fn compose(&self, transition: &Transition, recent: &Part) -> Vec<NewMail> {
        let incident = &transition.incident;
        let label = |name: &str| incident.labels.get(name).map_or("", String::as_str);
        let key =
            IntegrationKey { environment: label("environment").into(), name: label("integration").into() };
        let owner = self.owner(&key, recent);
        let (addresses, reason) = self.recipients(incident, &key, owner.as_deref());
        let mut recipients = Vec::new();
        for address in addresses {
            // Without the first mail's id a thread breaks in two, which is better than no mail.
            let thread = self.store.first_message_id(&incident.id, &address).await.unwrap_or(None);
            recipients.push(Recipient { address, thread });
        }
        let registration = recent.integrations.get(&key);
        let said = |text: Option<&String>| text.cloned().unwrap_or_default();
        let source = said(registration.and_then(|found| found.source.get()));
        let destination = said(registration.and_then(|found| found.destination.get()));
        // How many succeed says nothing of how slow they are.
        let of_calls = ["call.", "attempt."].iter().any(|family| incident.signal.starts_with(family))
            && !incident.signal.starts_with("call.latency");
        let of_rates = incident.signal.ends_with("success_rate");
        let now = (self.clock)();
        let is_open = incident.resolved_at.is_none();
        let tick = transition.at;
        let context = Context {
            base_url: self.base_url.clone(),
            runbook: self.rules.runbook(&incident.runbook).unwrap_or_default(),
            route: figure::route(&source, &destination),
            owner: owner.unwrap_or_default(),
            reason,
            trend: if of_calls { trend(incident, &key, recent, tick) } else { Vec::new() },
            trend_of: format!("Success rate of the last two hours, {BAR} minutes a bar."),
            before: if of_rates { before(incident, &key, recent) } else { String::new() },
            endpoints: if of_calls { failing(incident, &key, recent, tick) } else { Vec::new() },
            failing_call: if is_open && of_rates { self.failing_call(incident, now).await } else { None },
            report: if is_open { report(&key, recent, incident.since) } else { None },
            vendor_status: if is_open { self.vendor_status(label("peer")) } else { String::new() },
            zone: chrono::DateTime::from_timestamp_nanos(now).with_timezone(&chrono::Local).offset().fix(),
            now,
        };
        compose(transition, &context, &recipients)
    }
}

/// What the integration said of its last failed run, an hour before the incident began at the earliest.
fn report(key: &IntegrationKey, recent: &Part, since: Nanos) -> Option<(Nanos, String)> {
    let failed = |run: &&JobRun| {
        run.integration == *key
            && run.time >= since - 60 * MINUTE
            && !run.message.is_empty()
            && run.outcome != "success"
    };
    let latest = recent.runs.iter().filter(failed).max_by_key(|run| run.time)?;
    Some((latest.time, latest.message.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// How many of the calls succeeded in the two hours before an incident began, as a sentence's end.
fn before(incident: &Incident, key: &IntegrationKey, recent: &Part) -> String {
    let began = Minute::of(incident.since).0;
    let mut sum = Judged::default();
    judged(incident, key, recent, began - BARS * BAR, began).values().for_each(|one| sum.add(one));
    match sum.success_rate() {
        // Of a handful of calls nothing can be said.
        Some(rate) if sum.good + sum.bad >= 20.0 => format!("{} succeeded", figure::percent(rate)),
        _ => String::new(),
    }
}

fn concerns(incident: &Incident, key: &IntegrationKey, call: &CallKey) -> bool {
    let same = |name: &str, value: &str| incident.labels.get(name).is_none_or(|wanted| wanted == value);
    call.integration == *key && same("peer", &call.peer) && same("endpoint", &call.endpoint)
}

/// Judged operations of what an incident concerns, over minutes.
fn judged(
    incident: &Incident,
    key: &IntegrationKey,
    recent: &Part,
    from: i64,
    to: i64,
) -> BTreeMap<Arc<CallKey>, Judged> {
    let mut counts: BTreeMap<Arc<CallKey>, Attempts> = BTreeMap::new();
    for ((minute, call), row) in &recent.calls {
        if (from..to).contains(&minute.0) && concerns(incident, key, call) {
            let sum = counts.entry(call.clone()).or_default();
            let more = row.tally.counts();
            for at in 0..sum.attempts.len() {
                sum.attempts[at] += more.attempts[at];
                sum.superseded[at] += more.superseded[at];
            }
            sum.retries_unlinked += more.retries_unlinked;
            sum.exhausted += more.exhausted;
        }
    }
    counts.into_iter().map(|(key, counts)| (key, judge(&counts, true))).collect()
}

fn trend(incident: &Incident, key: &IntegrationKey, recent: &Part, tick: Minute) -> Vec<Option<(f64, bool)>> {
    let bars: Vec<Option<f64>> = (0..BARS)
        .map(|bar| {
            let from = tick.0 - (BARS - bar) * BAR;
            let mut sum = Judged::default();
            judged(incident, key, recent, from, from + BAR).values().for_each(|one| sum.add(one));
            sum.success_rate()
        })
        .collect();
    // One bar is no trend.
    if bars.iter().flatten().count() < 2 {
        return Vec::new();
    }
    bars.into_iter().map(|rate| rate.map(|rate| (rate, rate < 0.95))).collect()
}

fn failing(
    incident: &Incident,
    key: &IntegrationKey,
    recent: &Part,
    tick: Minute,
) -> Vec<(String, u64, u64)> {
    let by_endpoint = judged(incident, key, recent, tick.0 - 60, tick.0);
    let mut worst: Vec<(String, u64, u64)> = by_endpoint
        .iter()
        .filter(|(_, judged)| judged.bad > 0.0)
        .map(|(call, judged)| {
            (format!("{} {}", call.peer, call.endpoint), judged.bad as u64, (judged.good + judged.bad) as u64)
        })
        .collect();
    worst.sort_by_key(|(_, bad, _)| std::cmp::Reverse(*bad));
    worst
}
