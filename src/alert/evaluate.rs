//! One tick over all rules: subjects are judged, the machine decides, what changed is told as transitions.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::health::value::Value;
use crate::rollup::window::{Minute, Part};
use crate::signals::observation::{CallKey, IntegrationKey};
use crate::signals::provider::Providers;

use super::explain;
use super::group;
use super::incident::{Change, Heard, Incident, Instance, InstanceKey, Phase, Transition};
use super::judge::{Figures, Reading, absent, judge};
use super::machine::{Policy, Step, is_idle, newborn, step};
use super::overlay::{Overlays, Withheld};
use super::overrides::{self, Override};
use super::rule::{Condition, Rule, RuleSet};
use super::subjects::Index;
use super::tier::Tier;
use super::told;
use super::verdict::Verdict;
use super::wording::{self, Rung};
use crate::signals::signal::{Family, Label};

/// What a tick is judged from.
pub struct Facts<'a> {
    /// Calls and gauges of the last 2 hours, and all states.
    pub recent: &'a Part,
    /// What the other signals say at the tick.
    pub values: &'a [Value],
    /// Whether an endpoint was seldom answered "not found" in the 7 days before; none where that is not known.
    pub seldom: &'a dyn Fn(&CallKey) -> Option<bool>,
    /// The tier of an integration: the configuration's word, else its own.
    pub tiers: &'a dyn Fn(&IntegrationKey) -> Tier,
    /// Whose hosts the peers are.
    pub providers: &'a Providers,
    /// Silences, maintenance, acknowledgements.
    pub overlays: &'a Overlays,
    /// Whether an environment notifies by default.
    pub notifies: &'a dyn Fn(&str) -> bool,
}

/// Judges one tick: what happened before minute `tick` began. Gives the transitions, in the rules' order, and
/// leaves in `instances` what the next tick needs. A tick that was judged already changes nothing.
pub fn evaluate(
    rules: &RuleSet,
    facts: &Facts<'_>,
    instances: &mut BTreeMap<InstanceKey, Instance>,
    tick: Minute,
) -> Vec<Transition> {
    let mut transitions = remove_orphans(rules, instances, tick);
    let index = Index::new(facts.recent, facts.values, facts.seldom, tick);
    let callers = index.callers();
    for rule in explain::ordered(rules) {
        for (key, reading, mut rule) in readings(rule, &rules.overrides, facts, &index, instances, tick) {
            let runbook = specific_runbook(rules, &rule, facts, &key);
            if runbook != rule.runbook {
                rule.to_mut().runbook = runbook;
            }
            let rule = &*rule;
            let ground = told::Ground { rules, overlays: facts.overlays, instances, callers: &callers, tick };
            let (withheld, by_cause) = told::withheld(&ground, rule, &key, &reading);
            let policy = Policy {
                times: rule.times,
                no_data: rule.no_data,
                audible: is_audible(rule, facts, &key),
                withheld: withheld.is_some(),
                silenced: withheld.as_ref().is_some_and(Withheld::is_silence),
            };
            let mut instance = instances.remove(&key).unwrap_or_else(|| newborn(key.clone(), tick));
            if instance.last_tick < tick {
                if by_cause {
                    instance.explained_at = Some(tick);
                }
                let from = transitions.len();
                advance(rule, &mut instance, &reading, &policy, tick, &mut transitions);
                let scene = told::Scene { rule, policy: &policy, overlays: facts.overlays, tick };
                told::tell(&scene, &mut instance, withheld, from, &mut transitions);
            }
            instances.insert(key, instance);
        }
    }
    group::settle(instances, &mut transitions, tick);
    forget_idle(rules, instances);
    transitions
}

/// The runbook of the integration or of its vendor, where there is one.
fn specific_runbook(rules: &RuleSet, rule: &Rule, facts: &Facts<'_>, key: &InstanceKey) -> String {
    let label = |label: Label| key.labels.get(label.name()).map_or("", String::as_str);
    let vendor = facts.providers.of(label(Label::Peer)).map(|provider| provider.name.as_str());
    let provider =
        if label(Label::Provider).is_empty() { vendor.unwrap_or_default() } else { label(Label::Provider) };
    rules.runbook_for(rule, label(Label::Integration), provider)
}

/// Drops instances of which nothing would be lost; one whose mails tell of others stays until those are over.
fn forget_idle(rules: &RuleSet, instances: &mut BTreeMap<InstanceKey, Instance>) {
    let leads = group::leads(instances);
    instances.retain(|key, instance| {
        let leads = instance.incident.as_ref().is_some_and(|incident| leads.contains(&incident.id));
        leads || rules.rule(&key.rule).is_none_or(|rule| !is_idle(instance, &rule.times))
    });
}

/// Closes what belongs to a rule that is gone or now tells its instances apart by other labels.
fn remove_orphans(
    rules: &RuleSet,
    instances: &mut BTreeMap<InstanceKey, Instance>,
    tick: Minute,
) -> Vec<Transition> {
    let labels_of: BTreeMap<&str, BTreeSet<&str>> = rules
        .rules
        .iter()
        .map(|rule| (&*rule.id, rule.by.iter().map(|label| label.name()).collect()))
        .collect();
    let mut transitions = Vec::new();
    instances.retain(|key, instance| {
        let labels: BTreeSet<&str> = key.labels.keys().map(String::as_str).collect();
        if labels_of.get(&*key.rule) == Some(&labels) {
            return true;
        }
        if let Some(incident) = instance.incident.as_mut().filter(|incident| incident.resolved_at.is_none()) {
            wording::orphan(incident, tick);
            transitions.push(Transition {
                at: tick,
                change: Change::RuleRemoved,
                incident: incident.clone(),
                notify: instance.heard != Heard::Nothing,
            });
        }
        false
    });
    transitions
}

/// Closes what is of an integration that is retired: nothing more is heard of it.
pub fn retire(
    instances: &mut BTreeMap<InstanceKey, Instance>,
    tick: Minute,
    is_retired: impl Fn(&IntegrationKey) -> bool,
) -> Vec<Transition> {
    let mut transitions = Vec::new();
    instances.retain(|key, instance| {
        if !integration_of(key).is_some_and(|key| is_retired(&key)) {
            return true;
        }
        if let Some(incident) = instance.incident.as_mut().filter(|incident| incident.resolved_at.is_none()) {
            wording::retire(incident, tick);
            let notify = instance.heard != Heard::Nothing;
            let incident = incident.clone();
            transitions.push(Transition { at: tick, change: Change::Resolved, incident, notify });
        }
        false
    });
    transitions
}

/// What the tick says of every subject of a rule, and of every instance that is none.
fn readings<'r>(
    rule: &'r Rule,
    overrides: &[Override],
    facts: &Facts<'_>,
    index: &Index<'_>,
    instances: &BTreeMap<InstanceKey, Instance>,
    tick: Minute,
) -> Vec<(InstanceKey, Reading, Cow<'r, Rule>)> {
    let family = rule.condition.measures().first().map_or(Family::Other, |measure| measure.signal.family());
    let subjects = index.subjects(rule, family, facts.tiers);
    let (mut out, mut off) = (Vec::new(), BTreeSet::new());
    for (labels, subject) in &subjects {
        let key = InstanceKey { rule: rule.id.clone(), labels: labels.clone() };
        let instance = instances.get(&key);
        let value = |label: Label| match label {
            Label::Tier => subject.tier.name(),
            label => labels.get(label.name()).map_or("", String::as_str),
        };
        let Some(effective) = overrides::effective(rule, overrides, value) else {
            off.extend(instance.map(|_| key));
            continue;
        };
        let reading = judge(&effective, labels, subject, instance, tick);
        if instance.is_some() || reading.verdict == Verdict::Breach {
            out.push((key, reading, effective));
        }
    }
    let first = InstanceKey { rule: rule.id.clone(), labels: BTreeMap::new() };
    for (key, instance) in instances.range(first..).take_while(|(key, _)| key.rule == rule.id) {
        if !subjects.contains_key(&key.labels) {
            let tier = integration_of(key).map_or_else(Tier::default, |key| (facts.tiers)(&key));
            out.push((key.clone(), absent(rule, family, tier, instance, tick), Cow::Borrowed(rule)));
        } else if off.contains(key) {
            let gone = Reading { verdict: Verdict::Clear, standing: None, figures: Figures::Gone };
            out.push((key.clone(), gone, Cow::Borrowed(rule)));
        }
    }
    out.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    out
}

/// Whose an instance is; none where it is of something that several integrations share.
pub fn integration_of(key: &InstanceKey) -> Option<IntegrationKey> {
    let label = |label: Label| key.labels.get(label.name()).map(|value| Arc::from(value.as_str()));
    Some(IntegrationKey { environment: label(Label::Environment)?, name: label(Label::Integration)? })
}

/// Environments that do not notify by default are heard only where a rule names them.
fn is_audible(rule: &Rule, facts: &Facts<'_>, key: &InstanceKey) -> bool {
    let environment = key.labels.get(Label::Environment.name()).map_or("default", String::as_str);
    (facts.notifies)(environment) || rule.filter.names_value(Label::Environment, environment)
}

/// Lets the machine judge, and keeps the incident in step with it.
fn advance(
    rule: &Rule,
    instance: &mut Instance,
    reading: &Reading,
    policy: &Policy,
    tick: Minute,
    transitions: &mut Vec<Transition>,
) {
    let steps = step(instance, tick, reading.verdict, policy);
    let stands = matches!(instance.phase, Phase::Firing | Phase::Recovering);
    let opened = steps.iter().any(|step| matches!(step.change, Change::Fired | Change::Reopened));
    if stands && !opened {
        transitions.extend(stay(rule, instance, reading, policy, tick));
    }
    for Step { change, notify } in steps {
        match (change, &mut instance.incident) {
            (Change::Reopened, Some(incident)) => {
                wording::reopen(incident, rule, reading, tick);
            }
            (Change::Fired | Change::Reopened, incident) => {
                let since = instance.since.unwrap_or(tick);
                *incident = Some(wording::open(rule, &instance.key, reading, since, tick));
            }
            (Change::Resolved, Some(incident)) => wording::close(incident, rule, reading, tick),
            _ => {}
        }
        if let Some(incident) = &instance.incident {
            transitions.push(Transition { at: tick, change, incident: incident.clone(), notify });
        }
    }
}

/// Brings the open incident up to date, and says so when another level stands.
fn stay(
    rule: &Rule,
    instance: &mut Instance,
    reading: &Reading,
    policy: &Policy,
    tick: Minute,
) -> Option<Transition> {
    let incident = instance.incident.as_mut()?;
    let (before, rung) = (level_of(rule, incident), Rung::of(incident));
    wording::update(incident, rule, reading);
    let now = level_of(rule, incident);
    if reading.verdict != Verdict::Breach || before == now {
        return None;
    }
    incident.changed = rung.to(&Rung::of(incident));
    let change = if now > before { Change::Escalated } else { Change::Eased };
    if change == Change::Escalated {
        instance.worse_at = Some(tick);
    }
    // Of what nobody was told yet, its beginning is told.
    let notify = change == Change::Escalated
        && policy.audible
        && !policy.withheld
        && instance.heard != Heard::Nothing
        && instance.flapping_since.is_none();
    if notify {
        instance.heard = Heard::Firing;
    }
    Some(Transition { at: tick, change, incident: incident.clone(), notify })
}

/// The place of the level that an incident stands at; levels without a name are all the same.
fn level_of(rule: &Rule, incident: &Incident) -> usize {
    match &rule.condition {
        Condition::Levels(_, levels) => {
            levels.iter().position(|level| level.name == incident.level).unwrap_or(0)
        }
        Condition::Any(_) => 0,
    }
}

#[cfg(test)]
mod tests;
