//! A tick of the corridor: every closed minute is learned, looked at and judged, and all of it recorded at once.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;

use super::missed::net;
use super::{CATCH_UP, Compose, Corridor, EVALUATION_DELAY, LOOKBACK};
use crate::alert::evaluate::{Facts, evaluate, integration_of, retire};
use crate::alert::incident::{Incident, Instance, InstanceKey, Phase, Severity, Transition};
use crate::alert::rule::{Rule, RuleSet};
use crate::health;
use crate::health::sight::Sight;
use crate::health::value::Value;
use crate::rollup::series::Merge;
use crate::rollup::window::Minute;
use crate::signals::observation::{CallKey, IntegrationKey};
use crate::signals::signal::{Family, Signal};
use crate::store::catalog::{Learned, Tick};
use crate::usual::learn::Scene;
use crate::world::points::Point;

impl<C: Compose> Corridor<C> {
    /// Evaluate and record: every whole minute that has closed since the last tick, each in one transaction.
    pub(super) async fn tick(&mut self) {
        let due = Minute::of((self.world.clock)() - EVALUATION_DELAY);
        let next = self.last_tick.map_or(due.0, |last| last.0 + 1).max(due.0 - CATCH_UP);
        if next > due.0 {
            return;
        }
        // Minutes whose data could not be written are judged later, when it is there.
        if !self.flush().await {
            return;
        }
        self.heed().await;
        let mut transitions = Vec::new();
        for tick in (next..=due.0).map(Minute) {
            self.learn(Minute(tick.0 - 1));
            self.look(tick);
            self.look_at_itself(tick);
            self.lay_over(tick).await;
            transitions.extend(self.judge(tick));
        }
        if next < due.0 {
            transitions = net(transitions);
        }
        self.last_tick = Some(due);
        self.unrecorded.extend(transitions);
        let recorded = self.record(due).await;
        self.gauges.judge((self.world.clock)(), "Writing a tick", &recorded);
        // If it failed, the next tick writes them; a restart before it judges these minutes again from the same data.
        if recorded.is_ok() {
            self.unrecorded.clear();
        }
        self.gauges.judged_until.store((due.start() / 1_000_000_000).max(0) as u64, Ordering::Relaxed);
        self.recent.forget_before(Minute(due.0 - LOOKBACK));
        self.bounds.forget((self.world.clock)());
        self.derived.forget((self.world.clock)());
        self.clocks.forget((self.world.clock)());
        self.errors.forget((self.world.clock)());
        self.live.send_modify(|version| *version += 1);
    }

    /// Takes a closed minute into what is usual; what goes on while something breaches is not usual.
    pub(super) fn learn(&mut self, minute: Minute) {
        let breaching = self.instances.values().filter(|instance| instance.phase != Phase::Inactive);
        let unusual = breaching.filter(|instance| {
            let told = instance.incident.as_ref().map(|incident| incident.severity);
            told != Some(Severity::Info) && is_of_traffic(&self.rules, &instance.key)
        });
        let open: BTreeSet<IntegrationKey> =
            unusual.filter_map(|instance| integration_of(&instance.key)).collect();
        let excluded = |key: &IntegrationKey| open.contains(key);
        let (calendars, down) = (&self.context.calendars, self.context.down);
        let scene = Scene { part: &self.recent, excluded: &excluded, calendars, down };
        self.usual.learn(&scene, minute);
    }

    /// Adds what the server says of itself, and how late it judges.
    fn look_at_itself(&mut self, tick: Minute) {
        let now = (self.world.clock)();
        let late = (now - tick.start() - EVALUATION_DELAY).max(0) as f64 / 1e9;
        let why = "since the minute that is judged could have been".to_owned();
        self.values.push(Value::shared(Signal::SelfLag, late, now).because(why));
        for from in [&self.own, &self.probes] {
            self.values.extend(from.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        }
    }

    /// What people decided of gaps and shapes. What cannot be read stays as it was.
    async fn heed(&mut self) {
        match self.store.words().await {
            Ok(words) => {
                words.iter().for_each(|(key, word)| {
                    self.recent.states.entry(key.clone()).or_default().merge(word);
                });
            }
            Err(error) => {
                tracing::error!(%error, "What people decided cannot be read; what is known stands.")
            }
        }
    }

    /// What people and schedules withhold at a tick. What cannot be read stays as it was.
    async fn lay_over(&mut self, tick: Minute) {
        let at = tick.start();
        match self.store.overlays(at).await {
            Ok((silences, acks)) => (self.overlays.silences, self.overlays.acks) = (silences, acks),
            Err(error) => tracing::error!(%error, "The silences cannot be read; the last ones known stand."),
        }
        self.overlays.windows = self.rules.maintenance.iter().filter_map(|one| one.open_at(at)).collect();
    }

    /// Takes the values of all signals at a tick.
    fn look(&mut self, tick: Minute) {
        let sight = Sight { part: &self.recent, usual: &self.usual, tick, context: &self.context };
        match catch_unwind(AssertUnwindSafe(|| health::values(&sight))) {
            Ok(values) => self.values = values,
            Err(_) => {
                tracing::error!(
                    minute = tick.0,
                    "Taking the signals of a minute panicked; the last ones stand."
                );
                self.gauges.defects.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn judge(&mut self, tick: Minute) -> Vec<Transition> {
        let (policy, recent) = (&self.policy, &self.recent);
        let tiers = |key: &IntegrationKey| policy.tier(key, recent);
        let notifies = |environment: &str| !policy.non_production.iter().any(|name| name == environment);
        let usual = &self.usual;
        let seldom = |key: &CallKey| health::gone::seldom(usual, key, tick);
        let facts = Facts {
            recent,
            values: &self.values,
            seldom: &seldom,
            providers: &self.context.providers,
            overlays: &self.overlays,
            tiers: &tiers,
            notifies: &notifies,
        };
        let mut instances = self.instances.clone();
        let judged = AssertUnwindSafe(|| {
            let mut transitions = retire(&mut instances, tick, |key| policy.retired.contains(&*key.name));
            transitions.extend(evaluate(&self.rules, &facts, &mut instances, tick));
            transitions
        });
        match catch_unwind(judged) {
            Ok(transitions) => {
                self.instances = instances;
                transitions
            }
            // The states stay as they were; the next minute looks back over this one too.
            Err(_) => {
                tracing::error!(minute = tick.0, "Judging a minute panicked; no rule was judged for it.");
                self.gauges.defects.fetch_add(1, Ordering::Relaxed);
                Vec::new()
            }
        }
    }

    /// Whether more was learned since it was kept than a restart could learn again.
    fn learned_long_ago(&self) -> bool {
        let behind = |kept: Minute| self.usual.until.is_some_and(|until| until.0 - kept.0 >= 60);
        self.kept_until.is_none_or(behind)
    }

    async fn record(&mut self, tick: Minute) -> Result<(), crate::store::Error> {
        let mut mails = Vec::new();
        for transition in self.unrecorded.iter().filter(|transition| transition.notify) {
            match AssertUnwindSafe(self.compose.compose(transition, &self.recent)).catch_unwind().await {
                Ok(composed) => mails.extend(composed),
                // Recorded all the same: trying for ever would hold back every other mail.
                Err(_) => {
                    let incident = &transition.incident.id;
                    tracing::error!(
                        incident,
                        "Writing a mail panicked; the incident is on the dashboard only."
                    );
                    self.gauges.defects.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        let open = self.instances.values().filter_map(|instance| instance.incident.as_ref());
        let mut incidents: BTreeMap<&str, &Incident> =
            open.map(|incident| (&*incident.id, incident)).collect();
        incidents.extend(
            self.unrecorded.iter().map(|transition| (&*transition.incident.id, &transition.incident)),
        );
        let incidents: Vec<Incident> = incidents.into_values().cloned().collect();
        let instances: Vec<Instance> = self.instances.values().cloned().collect();
        let alive: BTreeSet<InstanceKey> = self.instances.keys().cloned().collect();
        let gone: Vec<InstanceKey> = self.stored.difference(&alive).cloned().collect();
        // Once an hour, and after a pause that is long: what is learned since then can be learned again.
        let learned = self.usual.until.filter(|until| until.0.rem_euclid(60) == 0 || self.learned_long_ago());
        let changed = if learned.is_some() { self.usual.take_changed() } else { Vec::new() };
        let forgotten = learned.map(|until| self.usual.forget(until)).unwrap_or_default();
        let written = Tick {
            at: tick,
            instances: &instances,
            gone: &gone,
            incidents: &incidents,
            mails: &mails,
            usual: learned.map(|until| Learned { until, tracks: &changed, gone: &forgotten }),
            values: Some(&self.values),
        };
        if let Err(error) = self.store.record_tick(&written).await {
            self.usual.put_back(changed.into_iter().map(|(key, _)| key));
            return Err(error);
        }
        if learned.is_some() {
            self.kept_until = learned;
        }
        self.stored = alive;
        self.world.points.pass(Point::AfterTick);
        if !mails.is_empty() {
            self.wake_mailer.notify_one();
        }
        Ok(())
    }
}

/// Whether a rule judges what goes on, rather than a date that comes nearer or a gap that stays until somebody closes
/// it: a certificate that ends in a month is no reason to learn nothing for a month.
fn is_of_traffic(rules: &RuleSet, key: &InstanceKey) -> bool {
    let signals = rules.rule(&key.rule).into_iter().flat_map(Rule::signals);
    let still = |signal: Signal| {
        matches!(signal.family(), Family::Reconciliation | Family::Vendor | Family::Server)
            || matches!(
                signal,
                Signal::CredentialExpiresIn | Signal::CredentialRotationOverdue | Signal::CredentialIdle
            )
    };
    !signals.into_iter().all(still)
}
