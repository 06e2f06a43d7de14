//! Root before symptom (semantics section 11): what an alert that fires, or is about to, explains of another.
//!
//! A root explains failures of some classes, or all of a thing's trouble. What it does not explain is judged again: a
//! vendor that is down does not hide requests that are refused as invalid.

use std::collections::{BTreeMap, BTreeSet};

use super::incident::{Instance, InstanceKey, Phase};
use super::judge::{Figures, Reading, Standing};
use super::overlay::Withheld;
use super::rule::{Condition, Measure, Rule, RuleSet};
use super::sample::CallSample;
use super::told::Ground;
use super::verdict::reaches;
use super::wording::place;
use crate::signals::call::Class;
use crate::signals::signal::{Family, Signal};

/// Rules in an order in which every root comes before what it explains, else by id. Rules of a circle, which `load`
/// refuses, stand last.
pub fn ordered(rules: &RuleSet) -> Vec<&Rule> {
    let known: BTreeSet<&str> = rules.rules.iter().map(|rule| &*rule.id).collect();
    let mut out: Vec<&Rule> = Vec::with_capacity(rules.rules.len());
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    let mut left: Vec<&Rule> = rules.rules.iter().collect();
    while !left.is_empty() {
        let ready = |rule: &&Rule| {
            rule.explained_by
                .iter()
                .all(|root| placed.contains(root.as_str()) || !known.contains(root.as_str()))
        };
        let Some(at) = left.iter().position(ready) else {
            out.append(&mut left);
            break;
        };
        let rule = left.remove(at);
        placed.insert(&rule.id);
        out.push(rule);
    }
    out
}

/// The rules of a circle of explanations; empty where there is none.
pub fn circle(rules: &[Rule]) -> Vec<&str> {
    let roots: BTreeMap<&str, &[String]> =
        rules.iter().map(|rule| (&*rule.id, rule.explained_by.as_slice())).collect();
    let mut left: BTreeSet<&str> = roots.keys().copied().collect();
    // What waits for nothing that is left goes; a circle stays.
    loop {
        let free = left
            .iter()
            .copied()
            .find(|id| roots.get(id).is_some_and(|of| of.iter().all(|root| !left.contains(root.as_str()))));
        match free {
            Some(id) => left.remove(id),
            None => return left.into_iter().collect(),
        };
    }
}

/// The classes of failures that a rule's firing explains; none where it explains a thing's trouble as a whole.
fn classes(rule: &Rule) -> &'static [Class] {
    let Some(signal) = rule.signals().next() else { return &[] };
    match (signal.family(), signal) {
        (Family::Credential, _) => &[Class::Auth],
        (Family::Peer, _) => &[Class::Server, Class::Timeout, Class::Network],
        (_, Signal::ContractRequestRejected) => &[Class::Validation],
        (Family::Contract, _) => &[Class::Contract, Class::Failed],
        (_, Signal::CallThrottledShare | Signal::RetryExhausted) => &[Class::Throttled],
        (_, Signal::CallSuccessRate) => &[
            Class::Auth,
            Class::Validation,
            Class::Server,
            Class::Timeout,
            Class::Network,
            Class::Contract,
            Class::Failed,
            Class::AmbiguousRead,
        ],
        _ => &[],
    }
}

/// (environment, integration, peer) of the calls at hand.
pub type Callers = BTreeSet<(String, String, String)>;

/// Whether something explains an instance.
#[derive(Clone, Debug, PartialEq)]
pub enum Explanation {
    /// No cause is near.
    No,
    /// One is, and what it does not explain breaches by itself.
    Rest,
    /// One is, and the rest is well.
    By(Withheld),
}

/// What explains an instance of a rule that breaches.
pub fn explained(ground: &Ground<'_>, rule: &Rule, key: &InstanceKey, reading: &Reading) -> Explanation {
    let Ground { rules, instances, callers, .. } = *ground;
    let mut explains: BTreeSet<Class> = BTreeSet::new();
    let mut first: Option<Withheld> = None;
    let mut wholly = false;
    for root_rule in rule.explained_by.iter().filter_map(|id| rules.rule(id)) {
        for root in of_rule(instances, root_rule) {
            if !is_near(root, key, callers) {
                continue;
            }
            let of = classes(root_rule);
            wholly |= of.is_empty();
            explains.extend(of);
            first.get_or_insert_with(|| Withheld::Cause {
                rule: root_rule.id.to_string(),
                place: place(&root.key.labels),
                code: root
                    .incident
                    .as_ref()
                    .filter(|incident| incident.resolved_at.is_none())
                    .map_or_else(String::new, |incident| incident.code.clone()),
            });
        }
    }
    let Some(cause) = first else { return Explanation::No };
    let rest_is_well = match (&reading.figures, &reading.standing) {
        (Figures::Calls(sample), Some(standing)) if !wholly => {
            !rest_breaches(rule, standing, sample, &explains)
        }
        _ => true,
    };
    if rest_is_well { Explanation::By(cause) } else { Explanation::Rest }
}

/// Instances of a rule that breach or have breached and are not over.
fn of_rule<'i>(
    instances: &'i BTreeMap<InstanceKey, Instance>,
    rule: &'i Rule,
) -> impl Iterator<Item = &'i Instance> {
    let first = InstanceKey { rule: rule.id.clone(), labels: BTreeMap::new() };
    instances
        .range(first..)
        .take_while(move |(key, _)| key.rule == rule.id)
        .map(|(_, instance)| instance)
        .filter(|instance| instance.phase != Phase::Inactive)
}

/// Whether a root is about the same as an instance: labels that both have agree, and they share one at least besides
/// the environment.
fn is_near(root: &Instance, key: &InstanceKey, callers: &Callers) -> bool {
    let label = |key: &InstanceKey, name: &str| key.labels.get(name).cloned().unwrap_or_default();
    // A peer's trouble is that of every integration that calls it.
    let mut shared = !root.key.labels.contains_key("integration")
        && callers.contains(&(
            label(key, "environment"),
            label(key, "integration"),
            label(&root.key, "peer"),
        ));
    for (name, value) in &root.key.labels {
        match key.labels.get(name).filter(|other| !other.is_empty()) {
            Some(other) if other != value && !value.is_empty() => return false,
            Some(other) if other == value => shared |= name != "environment" && name != "direction",
            _ => {}
        }
    }
    shared
}

/// Whether what the classes do not explain would breach by itself.
fn rest_breaches(rule: &Rule, standing: &Standing, sample: &CallSample, explains: &BTreeSet<Class>) -> bool {
    let Some(measure) = measure_at(rule, standing) else { return true };
    let bad: f64 = sample
        .failures
        .iter()
        .filter(|(class, _)| !explains.contains(class))
        .map(|(_, count)| *count as f64)
        .sum();
    if !standing.signal.is_ratio_of_calls() {
        return false;
    }
    let good = sample.counted.good;
    let share = match standing.signal {
        Signal::CallThrottledShare => return !explains.contains(&Class::Throttled),
        _ if good + bad > 0.0 => good / (good + bad),
        _ => return false,
    };
    reaches(bad, measure.min_bad.max(1)) && standing.fire.holds(share)
}

fn measure_at<'r>(rule: &'r Rule, standing: &Standing) -> Option<&'r Measure> {
    match &rule.condition {
        Condition::Levels(measure, _) => Some(measure),
        Condition::Any(branches) => branches.get(standing.at).map(|branch| &branch.measure),
    }
}
