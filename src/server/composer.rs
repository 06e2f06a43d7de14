//! What a mail says beyond its incident: gathered here, written by `notify::message`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rules::Rules;
use crate::alert::incident::{Incident, Transition};
use crate::clock::Clock;
use crate::config::Config;
use crate::notify::message::{Context, Recipient, compose};
use crate::pipeline::Compose;
use crate::rollup::window::{Minute, Part};
use crate::signals::call::{Attempts, Judged, judge};
use crate::signals::observation::{CallKey, IntegrationKey};
use crate::store::Store;
use crate::store::mail::NewMail;

/// Bars of a trend, and minutes a bar.
const BARS: i64 = 24;
const BAR: i64 = 5;

/// Composes mails from the configuration, the rules in force and the last two hours.
pub struct Composer {
    base_url: String,
    to: Vec<String>,
    owners: BTreeMap<String, Vec<String>>,
    owner_of: BTreeMap<String, String>,
    store: Store,
    rules: Arc<Rules>,
    clock: Clock,
}

impl Composer {
    /// A composer for this configuration.
    pub fn new(config: &Config, base_url: String, store: Store, rules: Arc<Rules>, clock: Clock) -> Composer {
        let owned = |rule: &crate::config::Integration| Some((rule.name.clone(), rule.owner.clone()?));
        Composer {
            base_url,
            to: config.mail.to.clone(),
            owners: config.owners.iter().map(|(name, owner)| (name.clone(), owner.to.clone())).collect(),
            owner_of: config.integration.iter().filter_map(owned).collect(),
            store,
            rules,
            clock,
        }
    }

    /// The owner's addresses by the configuration; telemetry's owner is a label that is looked up there.
    fn recipients(&self, key: &IntegrationKey, recent: &Part) -> Vec<String> {
        let said = || recent.integrations.get(key)?.owner.get().cloned();
        let owner = self.owner_of.get(&*key.name).cloned().or_else(said);
        owner.and_then(|owner| self.owners.get(&owner).cloned()).unwrap_or_else(|| self.to.clone())
    }
}

impl Compose for Composer {
    async fn compose(&self, transition: &Transition, recent: &Part) -> Vec<NewMail> {
        let incident = &transition.incident;
        let label = |name: &str| incident.labels.get(name).map_or("", String::as_str);
        let key =
            IntegrationKey { environment: label("environment").into(), name: label("integration").into() };
        let mut recipients = Vec::new();
        for address in self.recipients(&key, recent) {
            // Without the first mail's id a thread breaks in two, which is better than no mail.
            let thread = self.store.first_message_id(&incident.id, &address).await.unwrap_or(None);
            recipients.push(Recipient { address, thread });
        }
        let registration = recent.integrations.get(&key);
        let said = |text: Option<&String>| text.cloned().unwrap_or_default();
        let source = said(registration.and_then(|found| found.source.get()));
        let destination = said(registration.and_then(|found| found.destination.get()));
        let of_calls = incident.signal.starts_with("call.") || incident.signal.starts_with("attempt.");
        let context = Context {
            base_url: self.base_url.clone(),
            runbook: self.rules.runbook(&incident.runbook).unwrap_or_default(),
            route: if source.is_empty() { String::new() } else { format!("{source} → {destination}") },
            trend: if of_calls { trend(incident, &key, recent, transition.at) } else { Vec::new() },
            trend_of: format!(
                "Success rate of the last two hours, {BAR} minutes a bar; a red bar is under 95 %."
            ),
            endpoints: if of_calls { failing(incident, &key, recent, transition.at) } else { Vec::new() },
            now: (self.clock)(),
        };
        compose(transition, &context, &recipients)
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

fn trend(incident: &Incident, key: &IntegrationKey, recent: &Part, tick: Minute) -> Vec<(f64, bool)> {
    let bars: Vec<Option<f64>> = (0..BARS)
        .map(|bar| {
            let from = tick.0 - (BARS - bar) * BAR;
            let mut sum = Judged::default();
            judged(incident, key, recent, from, from + BAR).values().for_each(|one| sum.add(one));
            sum.success_rate()
        })
        .collect();
    let known = bars.iter().flatten().count();
    // One bar is no trend.
    if known < 2 {
        Vec::new()
    } else {
        bars.iter().map(|rate| (rate.unwrap_or(0.0), rate.is_some_and(|rate| rate < 0.95))).collect()
    }
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
