//! Alerts of one rule that are one trouble to whoever is told: the first tells, the others are listed in its mails.

use std::collections::{BTreeMap, BTreeSet};

use super::incident::{Change, Heard, Incident, Instance, InstanceKey, Transition};
use super::overlay::Withheld;
use super::rule::Rule;
use super::wording::place;
use crate::rollup::window::Minute;

/// What has joined is told at most once in so many ticks.
const INTERVAL: i64 = 5;
/// So many others are listed.
const LISTED: usize = 50;

/// The incident whose mails tell of an instance too; none where it tells by itself.
pub fn lead(
    rule: &Rule,
    key: &InstanceKey,
    instances: &BTreeMap<InstanceKey, Instance>,
    own: Option<&Instance>,
) -> Option<Withheld> {
    if rule.group_by.is_empty() {
        return None;
    }
    // Who tells goes on telling, and who was listed stays listed.
    let incident =
        own.and_then(|own| own.incident.as_ref().filter(|incident| incident.resolved_at.is_none()));
    if let Some(incident) = incident {
        return incident.withheld.clone().filter(|why| matches!(why, Withheld::Group { .. }));
    }
    let first = InstanceKey { rule: rule.id.clone(), labels: BTreeMap::new() };
    let of_group =
        instances.range(first..).take_while(|(other, _)| other.rule == rule.id).filter(|(other, _)| {
            *other != key
                && rule
                    .group_by
                    .iter()
                    .all(|label| other.labels.get(label.name()) == key.labels.get(label.name()))
        });
    let open = of_group.filter_map(|(_, instance)| {
        let incident = instance.incident.as_ref().filter(|incident| incident.resolved_at.is_none())?;
        Some((instance, incident))
    });
    open.filter_map(|(instance, incident)| match &incident.withheld {
        Some(Withheld::Group { lead, code }) => {
            Some(Withheld::Group { lead: lead.clone(), code: code.clone() })
        }
        None if instance.heard == Heard::Firing => {
            Some(Withheld::Group { lead: incident.id.clone(), code: incident.code.clone() })
        }
        _ => None,
    })
    .next()
}

/// Open incidents by the incident whose mails tell of them: (place, value), in order.
fn followers(instances: &BTreeMap<InstanceKey, Instance>) -> BTreeMap<String, Vec<(String, String)>> {
    let mut out: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for instance in instances.values() {
        let open = instance.incident.as_ref().filter(|incident| incident.resolved_at.is_none());
        if let Some(incident) = open
            && let Some(Withheld::Group { lead, .. }) = &incident.withheld
        {
            out.entry(lead.clone()).or_default().push((place(&incident.labels), incident.value.clone()));
        }
    }
    out
}

/// The ids of incidents whose mails tell of others that are open: they are not forgotten before those are over.
pub fn leads(instances: &BTreeMap<InstanceKey, Instance>) -> BTreeSet<String> {
    followers(instances).into_keys().collect()
}

/// After all rules were judged: lists the others in the incidents that tell of them, tells of those that joined, and
/// tells the end once the last of a group is over.
pub fn settle(
    instances: &mut BTreeMap<InstanceKey, Instance>,
    transitions: &mut Vec<Transition>,
    tick: Minute,
) {
    let followers = followers(instances);
    let ended: BTreeSet<String> = transitions
        .iter()
        .filter(|transition| transition.change == Change::Resolved)
        .filter_map(|transition| match &transition.incident.withheld {
            Some(Withheld::Group { lead, .. }) => Some(lead.clone()),
            _ => None,
        })
        .collect();
    for instance in instances.values_mut() {
        let Some(incident) = &mut instance.incident else { continue };
        let mut also = followers.get(&incident.id).cloned().unwrap_or_default();
        also.truncate(LISTED);
        let joined = also.iter().any(|(place, _)| !incident.also.iter().any(|(known, _)| known == place));
        let due = instance.told_at.is_none_or(|told| tick.0 - told.0 >= INTERVAL);
        let told_now = told(transitions, incident);
        if incident.resolved_at.is_none() {
            if told_now || !joined || due {
                incident.also = also;
            }
            if joined && due && !told_now && instance.heard == Heard::Firing {
                incident.changed = "More of the same began; they are listed below.".to_owned();
                instance.told_at = Some(tick);
                transitions.push(Transition {
                    at: tick,
                    change: Change::Joined,
                    incident: incident.clone(),
                    notify: true,
                });
            }
        } else if !followers.contains_key(&incident.id) && ended.contains(&incident.id) && !told_now {
            // It ended before the others did, and was not told then.
            incident.also = Vec::new();
            transitions.push(Transition {
                at: tick,
                change: Change::Resolved,
                incident: incident.clone(),
                notify: instance.heard != Heard::Nothing,
            });
        }
    }
    for transition in transitions.iter_mut() {
        let also = followers.get(&transition.incident.id).map_or(&[][..], Vec::as_slice);
        transition.incident.also = also.iter().take(LISTED).cloned().collect();
        // Over is over when all of it is.
        if transition.change == Change::Resolved && !also.is_empty() {
            transition.notify = false;
        }
    }
}

fn told(transitions: &[Transition], incident: &Incident) -> bool {
    transitions.iter().any(|transition| transition.incident.id == incident.id && transition.notify)
}
