//! What a mail says beyond its incident: gathered here, written by `notify::message`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Offset;

use super::rules::Rules;
use crate::access::link::Signer;
use crate::access::mail_link::{Act, LASTS, MailLink, PATH};
use crate::alert::figure;
use crate::alert::incident::{Change, Incident, Transition};
use crate::clock::Clock;
use crate::config::Config;
use crate::notify::channel::Channels;
use crate::notify::message::{Context, Recipient, Sample, compose};
use crate::notify::prose::Speaker;
use crate::pipeline::Compose;
use crate::rollup::window::{MINUTE, Minute, Part};
use crate::signals::call::{Attempts, Judged, judge};
use crate::signals::observation::{CallKey, IntegrationKey, JobRun};
use crate::signals::provider::Providers;
use crate::signals::telemetry::Nanos;
use crate::store::mail::{Mail, NewMail};
use crate::store::{SpanQuery, Store};
use told::{List, Told};

pub mod lately;
pub mod told;

/// Bars of a trend, and minutes a bar.
const BARS: i64 = 24;
const BAR: i64 = 5;
/// How far back failing calls are looked for.
const FAILING_CALL: Nanos = 30 * MINUTE;
/// Failing calls looked at for those that are told.
const LOOKED_AT: usize = 60;

/// Composes mails from the configuration, the rules in force and the last two hours.
pub struct Composer {
    base_url: String,
    told: Told,
    store: Store,
    rules: Arc<Rules>,
    providers: Arc<Providers>,
    signer: Signer,
    channels: Arc<Channels>,
    clock: Clock,
}

impl Composer {
    /// A composer for this configuration.
    pub fn new(
        config: &Config,
        base_url: &str,
        world: (&Store, &Clock),
        rules: &Arc<Rules>,
        providers: &Arc<Providers>,
        signer: &Signer,
        channels: &Arc<Channels>,
    ) -> Composer {
        let (store, clock) = world;
        Composer {
            base_url: base_url.to_owned(),
            told: Told::new(config),
            store: store.clone(),
            rules: rules.clone(),
            providers: providers.clone(),
            signer: signer.clone(),
            channels: channels.clone(),
            clock: clock.clone(),
        }
    }

    /// Where the peer's vendor tells of outages: `GitHub, https://…`; empty where no file says.
    fn vendor_status(&self, peer: &str) -> String {
        let vendor = self.providers.of(peer);
        let page = vendor.and_then(|vendor| Some((&vendor.name, &vendor.status_page.as_ref()?.url)));
        page.map_or_else(String::new, |(name, url)| format!("{name}, {url}"))
    }

    /// Failing calls that the incident is about, each of another kind. A mail without them is better than no mail.
    async fn samples(&self, incident: &Incident, now: Nanos) -> Vec<Sample> {
        let label = |name: &str| incident.labels.get(name).filter(|value| !value.is_empty()).cloned();
        let query = SpanQuery {
            integration: label("integration"),
            environment: label("environment"),
            endpoint: label("endpoint"),
            failed: Some(true),
            // What breached at its first tick had failed in the window before it.
            from: (incident.since - 2 * BAR * MINUTE).max(now - FAILING_CALL),
            to: now,
            limit: LOOKED_AT,
            ..SpanQuery::default()
        };
        lately::samples(&self.store.spans(query).await.unwrap_or_default(), &self.base_url)
    }

    /// What changed before an incident began: credentials from what is in memory, versions and events from the catalog.
    async fn changes(&self, key: &IntegrationKey, recent: &Part, since: Nanos) -> Vec<(Nanos, String)> {
        let environment = (!key.environment.is_empty()).then_some(&*key.environment);
        let of = self.store.changes(&key.name, environment, lately::period(since), 10).await;
        lately::changes(key, recent, &of.unwrap_or_default(), since)
    }

    /// Where somebody acknowledges an incident, and where they silence it.
    fn act(&self, incident: &Incident, recipient: &str, now: Nanos) -> (String, String) {
        let link = |act| {
            let (incident, recipient) = (incident.id.clone(), recipient.to_owned());
            let link = MailLink { act, incident, recipient, expires_at: now.saturating_add(LASTS) };
            format!("{}{PATH}{}", self.base_url, self.signer.mail_link(&link))
        };
        (link(Act::Acknowledge), link(Act::Silence))
    }

    /// When the next reminder comes, a sentence; empty where none does.
    fn next(&self, transition: &Transition, speaker: &Speaker) -> String {
        let rules = self.rules.in_force();
        let repeat = rules.rule(&transition.incident.rule).map_or(0, |rule| rule.repeat);
        let open = transition.incident.resolved_at.is_none() && transition.change != Change::Flapping;
        if repeat == 0 || !open {
            return String::new();
        }
        let at = transition.at.start() + i64::from(repeat) * MINUTE;
        format!("The next reminder comes at {} unless somebody acknowledges it.", speaker.say(at))
    }
}

impl Compose for Composer {
    async fn compose(&self, transition: &Transition, recent: &Part) -> Vec<NewMail> {
        let incident = &transition.incident;
        let label = |name: &str| incident.labels.get(name).map_or("", String::as_str);
        let key =
            IntegrationKey { environment: label("environment").into(), name: label("integration").into() };
        let owner = self.told.owner(&key, recent);
        // Without what was told before a thread breaks in two, which is better than no mail.
        let before: Vec<Mail> = self.store.mails_of(&incident.id).await.unwrap_or_default();
        let List { addresses, reason } = self.told.list(transition, &key, owner.as_deref(), &before);
        let now = (self.clock)();
        let is_open = incident.resolved_at.is_none();
        let recipient = |address: &String| Recipient {
            thread: told::thread(&before, address),
            act: is_open.then(|| self.act(incident, address, now)),
            address: address.clone(),
        };
        let recipients: Vec<Recipient> = addresses.iter().map(recipient).collect();
        let registration = recent.integrations.get(&key);
        let said = |text: Option<&String>| text.cloned().unwrap_or_default();
        let source = said(registration.and_then(|found| found.source.get()));
        let destination = said(registration.and_then(|found| found.destination.get()));
        // How many succeed says nothing of how slow they are.
        let of_calls = ["call.", "attempt."].iter().any(|family| incident.signal.starts_with(family))
            && !incident.signal.starts_with("call.latency");
        let of_rates = incident.signal.ends_with("success_rate");
        let tick = transition.at;
        let zone = chrono::DateTime::from_timestamp_nanos(now).with_timezone(&chrono::Local).offset().fix();
        let mut context = Context {
            base_url: self.base_url.clone(),
            runbook: self.rules.runbook(&incident.runbook).unwrap_or_default(),
            route: figure::route(&source, &destination),
            owner: owner.unwrap_or_default(),
            reason,
            trend: if of_calls { trend(incident, &key, recent, tick) } else { Vec::new() },
            trend_of: format!("Success rate of the last two hours, {BAR} minutes a bar."),
            before: if of_rates { before_it(incident, &key, recent) } else { String::new() },
            endpoints: if of_calls { failing(incident, &key, recent, tick) } else { Vec::new() },
            changes: if is_open { self.changes(&key, recent, incident.since).await } else { Vec::new() },
            samples: if is_open && of_calls { self.samples(incident, now).await } else { Vec::new() },
            report: if is_open { report(&key, recent, incident.since) } else { None },
            vendor_status: if is_open { self.vendor_status(label("peer")) } else { String::new() },
            next: self.next(transition, &Speaker { zone, now }),
            others: Vec::new(),
            zone,
            now,
        };
        let mut mails = Vec::new();
        for recipient in recipients {
            context.others = addresses.iter().filter(|other| **other != recipient.address).cloned().collect();
            mails.extend(compose(transition, &context, &[recipient]));
        }
        let told: Vec<String> = told::channels(&before);
        mails.extend(self.channels.compose(transition, &context, &told));
        mails
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
fn before_it(incident: &Incident, key: &IntegrationKey, recent: &Part) -> String {
    // The window of its first tick has the failures in it already.
    let began = Minute::of(incident.since).0 - BAR;
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
