//! Who is told what and when: what is withheld, what is told late, what is told again.

use std::collections::BTreeMap;

use super::explain::{self, Callers, Explanation};
use super::group;
use super::incident::{Change, Heard, Instance, InstanceKey, Phase, Severity, Transition};
use super::judge::{Figures, Reading};
use super::machine::Policy;
use super::overlay::{Overlays, Withheld};
use super::rule::{Rule, RuleSet};
use super::verdict::Verdict;
use crate::rollup::window::Minute;

/// What a cause explained stays explained for so many ticks after it is over, or for the rule's widest window: the
/// failures of that time are still in it.
const LASTS: u32 = 15;

/// What an instance stands among at a tick.
pub struct Ground<'g> {
    /// All rules.
    pub rules: &'g RuleSet,
    /// Silences and the like.
    pub overlays: &'g Overlays,
    /// All instances as judged so far.
    pub instances: &'g BTreeMap<InstanceKey, Instance>,
    /// Who calls which peer.
    pub callers: &'g Callers,
    /// The tick.
    pub tick: Minute,
}

/// What withholds an instance at a tick, and whether a cause explains it just now.
pub fn withheld(
    ground: &Ground<'_>,
    rule: &Rule,
    key: &InstanceKey,
    reading: &Reading,
) -> (Option<Withheld>, bool) {
    let Ground { overlays, instances, tick, .. } = *ground;
    let own = instances.get(key);
    let explanation = match reading.verdict {
        Verdict::Breach => explain::explained(ground, rule, key, reading),
        _ => Explanation::No,
    };
    let by_cause = matches!(explanation, Explanation::By(_));
    if let Some(withheld) = overlays.withhold(key, tick.start()) {
        return (Some(withheld), by_cause);
    }
    let why = match explanation {
        Explanation::By(cause) => Some(cause),
        Explanation::Rest => None,
        Explanation::No => lasting(rule, own, reading, tick),
    };
    let notice = || {
        let incident = own.and_then(|own| own.incident.as_ref());
        let severity = match &reading.standing {
            Some(standing) if reading.verdict == Verdict::Breach => Some(standing.severity),
            _ => incident.map(|incident| incident.severity),
        };
        (severity == Some(Severity::Info)).then_some(Withheld::Digest)
    };
    (why.or_else(|| group::lead(rule, key, instances, own)).or_else(notice), by_cause)
}

/// The cause that explained an open incident until lately. What a value that stands on its own rests on may lie days
/// back: it stays explained until it gets worse than it was.
fn lasting(rule: &Rule, own: Option<&Instance>, reading: &Reading, tick: Minute) -> Option<Withheld> {
    let own = own?;
    let incident = own.incident.as_ref().filter(|incident| incident.resolved_at.is_none())?;
    let widest = rule.condition.measures().iter().map(|measure| measure.widen_to).max().unwrap_or(0);
    let lasts = own.explained_at.is_some_and(|at| tick.0 - at.0 <= i64::from(widest.max(LASTS)));
    let worse = match (&reading.figures, &reading.standing) {
        (Figures::Value { .. }, Some(standing)) => standing
            .value
            .zip(own.explained_worst)
            .is_none_or(|(value, worst)| value != worst && standing.fire.is_worse(value, worst)),
        _ => true,
    };
    incident.withheld.clone().filter(|why| (lasts || !worse) && matches!(why, Withheld::Cause { .. }))
}

/// What telling is decided by.
pub struct Scene<'s> {
    /// The rule.
    pub rule: &'s Rule,
    /// What the machine was given.
    pub policy: &'s Policy,
    /// Acknowledgements among others.
    pub overlays: &'s Overlays,
    /// The tick.
    pub tick: Minute,
}

/// Notes what withholds an instance, and adds what is told late or again to the transitions of this tick, which begin
/// at `from`.
pub fn tell(
    scene: &Scene<'_>,
    instance: &mut Instance,
    withheld: Option<Withheld>,
    from: usize,
    transitions: &mut Vec<Transition>,
) {
    let Scene { rule, policy, overlays, tick } = *scene;
    let Some(incident) = &mut instance.incident else { return };
    let of_now = transitions.get(from..).unwrap_or_default();
    let ends = of_now.iter().any(|transition| transition.change == Change::Resolved);
    if incident.resolved_at.is_none() || (ends && policy.silenced) {
        incident.withheld.clone_from(&withheld);
    }
    let begins =
        of_now.iter().any(|transition| matches!(transition.change, Change::Fired | Change::Reopened));
    if begins {
        instance.escalated = false;
    }
    for transition in transitions.get_mut(from..).unwrap_or_default() {
        transition.incident.withheld.clone_from(&incident.withheld);
    }
    let told = transitions.get(from..).unwrap_or_default().iter().any(|transition| transition.notify);
    if told {
        instance.told_at = Some(tick);
        if begins {
            instance.told_since = Some(tick);
        }
    }
    if instance.explained_at == Some(tick) {
        instance.explained_worst = Some(incident.worst_raw);
    }
    let stands = instance.phase == Phase::Firing && incident.resolved_at.is_none();
    let may_tell = stands && policy.audible && withheld.is_none() && instance.flapping_since.is_none();
    if told || !may_tell {
        return;
    }
    let seen = overlays.acks.get(&incident.id).is_some_and(|ack| {
        tick.start() < ack.until && instance.worse_at.is_none_or(|worse| ack.at >= worse.start())
    });
    let waited = |since: Minute, ticks: u32| ticks > 0 && tick.0 - since.0 >= i64::from(ticks);
    let change = match instance.heard {
        // It was withheld, and what withheld it is gone.
        Heard::Nothing => {
            instance.told_since = Some(tick);
            Change::Fired
        }
        Heard::Firing if seen => return,
        Heard::Firing
            if !instance.escalated
                && incident.severity == Severity::Critical
                && instance.told_since.is_some_and(|since| waited(since, rule.escalate)) =>
        {
            instance.escalated = true;
            Change::Unacknowledged
        }
        Heard::Firing if instance.told_at.is_some_and(|told| waited(told, rule.repeat)) => Change::Reminder,
        _ => return,
    };
    instance.heard = Heard::Firing;
    instance.told_at = Some(tick);
    transitions.push(Transition { at: tick, change, incident: incident.clone(), notify: true });
}

#[cfg(test)]
mod tests;
