//! Credentials (semantics section 4): refreshes that are refused, that fail, or that are overdue; what is idle or due to be
//! rotated; what is refused though nothing says that it expired. When one runs out is counted down by `alert` itself.

mod used;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::say::{counted, span, when};
use super::sight::Sight;
use super::value::Value;
use crate::rollup::sources::Sources;
use crate::rollup::state::Slot;
use crate::rollup::state::refreshes::{Failure, Refreshes, count, is_final};
use crate::rollup::state::row::{State, StateKind};
use crate::signals::observation::{Direction, Facet, IntegrationKey};
use crate::signals::provider::Provider;
use crate::signals::signal::{Label, Signal};
use crate::signals::telemetry::Nanos;
use crate::usual::key::{Figure, UsualKey};
use crate::usual::ring::median;
use crate::usual::uses;

/// A refresh is overdue once so many seconds went by with too little life left.
const OVERDUE_FOR: i64 = 300;
/// So many refreshes say when one is usual.
const REFRESHES_KNOWN: usize = 3;
/// What was used within so many minutes is in use.
const IN_USE: i64 = 10;
/// What failed to refresh and never was reported as a slot is forgotten after so long.
const FORGOTTEN: Nanos = 14 * 86_400 * 1_000_000_000;

/// One credential as it is known.
struct Known<'s> {
    integration: &'s IntegrationKey,
    id: &'s str,
    slot: Option<&'s Slot>,
    refreshes: Option<&'s Refreshes>,
}

/// All `credential.*` but `credential.expires_in`.
pub fn values(sight: &Sight<'_>, sources: &Sources<'_>, out: &mut Vec<Value>) {
    let known = known(sight);
    let lately = Lately::of(sight);
    for one in known.values().filter(|one| !is_gone(one, sight)) {
        let start = out.len();
        refused(one, sight, out);
        failing(one, sight, out);
        overdue(one, sight, &lately, out);
        idle(one, sight, out);
        rotation(one, sight, out);
        let with_labels = out.drain(start..).map(|value| labelled(value, one)).collect::<Vec<_>>();
        out.extend(with_labels);
    }
    let start = out.len();
    used::values(sight, sources, out);
    for value in out.iter_mut().skip(start) {
        let (environment, name) =
            (value.label(Label::Environment).into(), value.label(Label::Integration).into());
        let integration = IntegrationKey { environment, name };
        let slot = known.get(&(&integration, value.label(Label::Credential)));
        if let Some(slot) = slot.and_then(|one| one.slot) {
            *value = slot_labels(value.clone(), slot);
        }
    }
}

fn known<'s>(sight: &Sight<'s>) -> BTreeMap<(&'s IntegrationKey, &'s str), Known<'s>> {
    let mut all: BTreeMap<(&IntegrationKey, &str), Known<'_>> = BTreeMap::new();
    for (key, slot) in &sight.part.slots {
        let (integration, id) = (&key.integration, &*key.credential);
        all.insert((integration, id), Known { integration, id, slot: Some(slot), refreshes: None });
    }
    for (key, state) in &sight.part.states {
        if let (StateKind::Refreshes, State::Refreshes(refreshes)) = (key.kind, state) {
            let (integration, id) = (&key.integration, &*key.name);
            let one = all.entry((integration, id));
            one.or_insert(Known { integration, id, slot: None, refreshes: None }).refreshes = Some(refreshes);
        }
    }
    all
}

fn is_gone(one: &Known<'_>, sight: &Sight<'_>) -> bool {
    match (one.slot, one.refreshes) {
        (Some(slot), _) => slot.is_gone(sight.now()),
        (None, Some(refreshes)) => {
            let last = refreshes.failures.last().map(|failure| failure.time).max(refreshes.succeeded_at);
            last.is_none_or(|last| sight.now() - last > FORGOTTEN)
        }
        (None, None) => true,
    }
}

fn labelled(value: Value, one: &Known<'_>) -> Value {
    let value = value.with(Label::Credential, one.id);
    match one.slot {
        Some(slot) => slot_labels(value, slot),
        None => value,
    }
}

fn slot_labels(value: Value, slot: &Slot) -> Value {
    let said = |text: Option<&String>| text.cloned().unwrap_or_default();
    value
        .with(Label::Kind, &said(slot.kind.get()))
        .with(Label::Renewal, &said(slot.renewal.get()))
        .with(Label::Provider, &said(slot.provider.get()))
}

fn open<'s>(one: &Known<'s>, sight: &Sight<'_>) -> &'s [Failure] {
    let open = one.refreshes.map(|refreshes| refreshes.open(one.slot)).unwrap_or_default();
    let past = open.partition_point(|failure| failure.time < sight.now());
    open.get(..past).unwrap_or_default()
}

/// Refreshes that failed finally since the last one that worked.
fn refused(one: &Known<'_>, sight: &Sight<'_>, out: &mut Vec<Value>) {
    let of = |value, at| Value::of(Signal::CredentialRefreshRefused, one.integration, value, at);
    let refused = open(one, sight).iter().filter(|failure| is_final(&failure.error));
    out.push(match (refused.clone().next(), refused.clone().next_back()) {
        (Some(first), Some(last)) => {
            let times = count(refused) as f64;
            let why = format!("{} since {}, {}", last.error, when(first.time), counted(times, "time"));
            of(times, last.time).because(why)
        }
        _ => of(0.0, sight.now()).because(well(one)),
    });
}

fn well(one: &Known<'_>) -> String {
    let renewed = one.slot.and_then(Slot::renewed_at).max(one.refreshes.and_then(|known| known.succeeded_at));
    renewed.map_or_else(|| "no refresh is refused".into(), |at| format!("refreshed at {}", when(at)))
}

/// The share of its life that is left while its refresh fails and may yet work; the whole of it while none fails.
fn failing(one: &Known<'_>, sight: &Sight<'_>, out: &mut Vec<Value>) {
    let of = |value, at| Value::of(Signal::CredentialRefreshFailing, one.integration, value, at);
    let failures = open(one, sight);
    let Some(last) = failures.last().filter(|last| !is_final(&last.error)) else {
        return out.push(of(1.0, sight.now()).because(well(one)));
    };
    let Some((slot, expires)) = one.slot.and_then(|slot| Some((slot, slot.expires_at()?))) else { return };
    let since_told = slot.expiries.last().map(|(expires, told)| expires - told / 1_000_000_000);
    let Some(life) = slot.lifetime().or(since_told).filter(|life| *life > 0) else { return };
    let left = expires - sight.now_seconds();
    let of_same = failures.iter().filter(|failure| !is_final(&failure.error));
    let since = of_same.clone().next().map_or(last.time, |first| first.time);
    let times = counted(count(of_same) as f64, "time");
    let remains =
        if left > 0 { format!("{} left", span(left)) } else { format!("expired {} ago", span(left)) };
    let why = format!("{} since {}, {times}; {remains} of {}", last.error, when(since), span(life));
    out.push(of((left as f64 / life as f64).clamp(0.0, 1.0), last.time).because(why));
}

/// The life that was left five minutes ago, over what the last refreshes had left.
fn overdue(one: &Known<'_>, sight: &Sight<'_>, lately: &Lately<'_>, out: &mut Vec<Value>) {
    let Some((slot, expires)) = one.slot.and_then(|slot| Some((slot, slot.expires_at()?))) else { return };
    let left = slot.left_at_refreshes();
    let usual = median(left.iter().map(|left| *left as f64).collect());
    // One that is refreshed only after it expired is not late before it has.
    let Some(usual) = usual.filter(|usual| left.len() >= REFRESHES_KNOWN && *usual > 0.0) else { return };
    let remains = expires - sight.now_seconds();
    let then = remains + OVERDUE_FOR;
    let used = lately.uses(one, sight);
    let value = if used { then as f64 / usual } else { (then as f64 / usual).max(1.0) };
    let said = if remains > 0 {
        format!("{} left", span(remains))
    } else {
        format!("expired {} ago", span(remains))
    };
    let why = match used {
        true => format!("{said}, the last {} refreshes came with {} left", left.len(), span(usual as i64)),
        false => "not in use".to_owned(),
    };
    out.push(Value::of(Signal::CredentialRefreshOverdue, one.integration, value, sight.now()).because(why));
}

/// How much of the time it may lie unused has passed.
fn idle(one: &Known<'_>, sight: &Sight<'_>, out: &mut Vec<Value>) {
    let Some(slot) = one.slot else { return };
    let Some(limit) =
        slot.idle_limit.get().copied().or(idle_by_vendor(slot, sight)).filter(|limit| *limit > 0)
    else {
        return;
    };
    let key = UsualKey::new(one.integration, Figure::GoodUse, &uses::credential(one.id));
    let called = sight.usual.of_key(&key).and_then(|track| track.last_event).map(|minute| minute.0 * 60);
    // A refresh uses the refresh token.
    let began = slot.generation.last_refreshed_at.get().max(slot.generation.issued_at.get()).copied();
    let Some(last) = slot.last_used_at.get().copied().max(called).max(began) else { return };
    let unused = (sight.now_seconds() - last).max(0);
    let why = format!("last used {} ago, it is revoked after {} without use", span(unused), span(limit));
    let value = Value::of(Signal::CredentialIdle, one.integration, unused as f64 / limit as f64, sight.now());
    out.push(value.because(why));
}

/// What the vendor says of a kind of token, where all it says of that kind is the same.
fn idle_by_vendor(slot: &Slot, sight: &Sight<'_>) -> Option<i64> {
    let (kind, name) = (slot.kind.get()?, slot.provider.get()?);
    let is_it =
        |vendor: &&Provider| vendor.id.eq_ignore_ascii_case(name) || vendor.name.eq_ignore_ascii_case(name);
    let vendor = sight.context.providers.all().iter().find(is_it)?;
    let limits: BTreeSet<u64> = vendor
        .tokens
        .iter()
        .filter(|token| token.kind == *kind)
        .filter_map(|token| Some(token.idle.as_ref()?.seconds))
        .collect();
    limits.first().filter(|_| limits.len() == 1).and_then(|limit| i64::try_from(*limit).ok())
}

fn rotation(one: &Known<'_>, sight: &Sight<'_>, out: &mut Vec<Value>) {
    let Some(due) = one.slot.and_then(|slot| slot.rotation_due_at.get().copied()) else { return };
    let late = sight.now_seconds() - due;
    let said = if late > 0 { "was due" } else { "is due" };
    let value =
        Value::of(Signal::CredentialRotationOverdue, one.integration, late.max(0) as f64, sight.now());
    out.push(value.because(format!("it {said} at {}", when(due.saturating_mul(1_000_000_000)))));
}

/// What was used in the last minutes.
struct Lately<'s> {
    credentials: BTreeSet<(&'s IntegrationKey, &'s str)>,
    /// Integrations that say which credential a call used.
    telling: BTreeSet<&'s IntegrationKey>,
    calling: BTreeSet<&'s IntegrationKey>,
}

impl<'s> Lately<'s> {
    fn of(sight: &Sight<'s>) -> Lately<'s> {
        let mut lately =
            Lately { credentials: BTreeSet::new(), telling: BTreeSet::new(), calling: BTreeSet::new() };
        for (minute, key) in sight.part.facets.keys() {
            if key.facet == Facet::Credential && key.direction == Direction::Outbound {
                lately.telling.insert(&key.integration);
                if sight.within(*minute, IN_USE) {
                    lately.credentials.insert((&key.integration, &key.id));
                }
            }
        }
        let calls = sight.part.calls.keys().filter(|(minute, _)| sight.within(*minute, IN_USE));
        lately.calling = calls
            .filter(|(_, key)| key.direction == Direction::Outbound)
            .map(|(_, key)| &key.integration)
            .collect();
        lately
    }

    fn uses(&self, one: &Known<'_>, sight: &Sight<'_>) -> bool {
        let said = one.slot.and_then(|slot| slot.last_used_at.get().copied());
        let lately = said.is_some_and(|at| sight.now_seconds() - at <= IN_USE * 60);
        let silent = said.is_none() && !self.telling.contains(one.integration);
        lately
            || self.credentials.contains(&(one.integration, one.id))
            || (silent && self.calling.contains(one.integration))
    }
}
