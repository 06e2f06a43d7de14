//! The state machine of one instance: verdicts in, changes out. All times are ticks, never a clock.

use super::incident::{Change, Heard, Instance, InstanceKey, Phase};
use super::rule::{NoData, Times};
use super::verdict::Verdict;
use crate::rollup::window::Minute;

/// Unknown for so long, or for as long as `for`, drops what is pending.
const UNKNOWN_DROPS: i64 = 15;
/// So many fired and resolved changes …
const FLAPS: usize = 4;
/// … in so many ticks are flapping.
const FLAP_WINDOW: i64 = 60;
/// Flapping ends once a state held for so long.
const SETTLES: i64 = 30;

/// What the rule and the configuration ask of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The rule's times.
    pub times: Times,
    /// What unknown means to what fires.
    pub no_data: NoData,
    /// Whether anybody is told of this instance at all.
    pub audible: bool,
    /// Whether its beginning is withheld now.
    pub withheld: bool,
    /// Whether its end is withheld too.
    pub silenced: bool,
}

/// A change, and whether recipients are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What changed.
    pub change: Change,
    /// Whether recipients are told.
    pub notify: bool,
}

/// An instance that has never been judged before `tick`.
pub fn newborn(key: InstanceKey, tick: Minute) -> Instance {
    Instance {
        key,
        phase: Phase::Inactive,
        since: None,
        clear_since: None,
        unknown_since: None,
        last_tick: Minute(tick.0 - 1),
        incident: None,
        closed_at: None,
        flips: Vec::new(),
        flapping_since: None,
        heard: Heard::Nothing,
        told_at: None,
        told_since: None,
        escalated: false,
        worse_at: None,
        explained_at: None,
        explained_worst: None,
    }
}

/// Whether nothing would be lost by forgetting the instance.
pub fn is_idle(instance: &Instance, times: &Times) -> bool {
    let may_reopen = instance
        .closed_at
        .is_some_and(|closed| instance.last_tick.0 - closed.0 <= i64::from(times.reopen_within));
    instance.phase == Phase::Inactive
        && instance.flapping_since.is_none()
        && instance.flips.is_empty()
        && !may_reopen
}

/// Judges one tick. A tick that was judged already changes nothing.
pub fn step(instance: &mut Instance, tick: Minute, verdict: Verdict, policy: &Policy) -> Vec<Step> {
    let mut steps = Vec::new();
    let gap = tick.0 - instance.last_tick.0;
    if gap <= 0 {
        return steps;
    }
    instance.last_tick = tick;
    let lives = matches!(instance.phase, Phase::Firing | Phase::Recovering);
    if verdict == Verdict::Unknown {
        let since = *instance.unknown_since.get_or_insert(tick);
        if !(lives && policy.no_data == NoData::Resolve) {
            freeze(instance, tick, since, gap, policy);
            settle(instance, tick, policy, &mut steps);
            return steps;
        }
        judge(instance, tick, Verdict::Clear, policy, &mut steps);
    } else {
        instance.unknown_since = None;
        judge(instance, tick, verdict, policy, &mut steps);
    }
    settle(instance, tick, policy, &mut steps);
    steps
}

/// Unknown time counts neither towards `for` nor towards `keep_firing_for`.
fn freeze(instance: &mut Instance, tick: Minute, unknown_since: Minute, gap: i64, policy: &Policy) {
    let later = |at: Option<Minute>| at.map(|at| Minute(at.0 + gap));
    match instance.phase {
        Phase::Pending if tick.0 - unknown_since.0 >= UNKNOWN_DROPS.max(i64::from(policy.times.hold_for)) => {
            instance.phase = Phase::Inactive;
            instance.since = None;
        }
        Phase::Pending => instance.since = later(instance.since),
        Phase::Recovering => instance.clear_since = later(instance.clear_since),
        Phase::Inactive | Phase::Firing => {}
    }
}

fn judge(instance: &mut Instance, tick: Minute, verdict: Verdict, policy: &Policy, steps: &mut Vec<Step>) {
    let lasted =
        |since: Option<Minute>, ticks: u32| since.is_some_and(|since| tick.0 - since.0 >= i64::from(ticks));
    match (instance.phase, verdict) {
        (Phase::Inactive, Verdict::Breach) => {
            instance.phase = Phase::Pending;
            instance.since = Some(tick);
        }
        (Phase::Pending, Verdict::Clear) => {
            instance.phase = Phase::Inactive;
            instance.since = None;
        }
        (Phase::Recovering, Verdict::Breach | Verdict::Hold) => {
            instance.phase = Phase::Firing;
            instance.clear_since = None;
        }
        (Phase::Firing, Verdict::Clear) => {
            instance.phase = Phase::Recovering;
            instance.clear_since = Some(tick);
        }
        _ => {}
    }
    if instance.phase == Phase::Pending
        && verdict == Verdict::Breach
        && lasted(instance.since, policy.times.hold_for)
    {
        instance.phase = Phase::Firing;
        let reopens = instance.incident.is_some()
            && instance
                .closed_at
                .is_some_and(|closed| tick.0 - closed.0 <= i64::from(policy.times.reopen_within));
        let change = if reopens { Change::Reopened } else { Change::Fired };
        flip(instance, tick, change, policy, steps);
    }
    if instance.phase == Phase::Recovering
        && verdict == Verdict::Clear
        && lasted(instance.clear_since, policy.times.keep_firing_for)
    {
        instance.phase = Phase::Inactive;
        instance.since = None;
        instance.clear_since = None;
        instance.closed_at = Some(tick);
        flip(instance, tick, Change::Resolved, policy, steps);
    }
}

/// Notes a fired or resolved change and decides whether recipients are told.
fn flip(instance: &mut Instance, tick: Minute, change: Change, policy: &Policy, steps: &mut Vec<Step>) {
    instance.flips.push(tick);
    if instance.flapping_since.is_some() {
        instance.flapping_since = Some(tick);
        steps.push(Step { change, notify: false });
        return;
    }
    if instance.flips.len() >= FLAPS {
        instance.flapping_since = Some(tick);
        steps.push(Step { change, notify: false });
        let notify = policy.audible && !policy.withheld;
        steps.push(Step { change: Change::Flapping, notify });
        instance.heard = if notify { Heard::Flapping } else { Heard::Nothing };
        return;
    }
    let resolved = change == Change::Resolved;
    // Nobody is told that something is over of which nobody was told.
    let held_back = if resolved { policy.silenced } else { policy.withheld };
    let notify = policy.audible && !held_back && !(resolved && instance.heard == Heard::Nothing);
    instance.heard = match (notify, resolved) {
        (false, _) => Heard::Nothing,
        (true, true) => Heard::Resolved,
        (true, false) => Heard::Firing,
    };
    steps.push(Step { change, notify });
}

/// Forgets old changes, and ends flapping once a state has held.
fn settle(instance: &mut Instance, tick: Minute, policy: &Policy, steps: &mut Vec<Step>) {
    instance.flips.retain(|flip| tick.0 - flip.0 <= FLAP_WINDOW);
    let held = instance.flapping_since.is_some_and(|since| tick.0 - since.0 >= SETTLES);
    if !held || instance.flips.len() > 1 {
        return;
    }
    instance.flapping_since = None;
    let notify = policy.audible && !policy.silenced && instance.heard != Heard::Nothing;
    instance.heard = match (notify, instance.phase) {
        (false, _) => Heard::Nothing,
        (true, Phase::Firing | Phase::Recovering) => Heard::Firing,
        (true, Phase::Inactive | Phase::Pending) => Heard::Resolved,
    };
    steps.push(Step { change: Change::Settled, notify });
}

#[cfg(test)]
mod tests;
