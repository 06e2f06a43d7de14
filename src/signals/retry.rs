//! Which attempt a retry replaces (vocabulary section 6, semantics section 1).

use std::collections::HashMap;

use super::call::Class;
use super::lookup::Lookup;
use super::observation::Call;
use super::observe::hash;
use super::telemetry::{Span, SpanKind};
use super::vocabulary::Attr;

/// What linking needs of an attempt beyond its call; one for each call, in the same order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempt {
    siblings: u64,
    span: u64,
    count: Option<i64>,
    of: Option<Class>,
    key: Option<u64>,
    client: bool,
}

impl Attempt {
    /// Reads a span.
    pub fn of(span: &Span<'_>, look: &Lookup<'_, '_>, call: &Call) -> Attempt {
        let key = look.str(Attr::IdempotencyKeyHash).map(|key| hash(&key));
        Attempt {
            siblings: hash(&(span.trace_id, span.parent_span_id, call.series)),
            span: hash(&(span.trace_id, span.span_id)),
            count: look.i64(Attr::HttpResendCount).or_else(|| look.i64(Attr::RetryAttempt)),
            of: look.str(Attr::RetryOf).and_then(Class::from_name),
            key,
            client: matches!(span.kind, SpanKind::Client | SpanKind::Internal),
        }
    }
}

/// Marks what each retry replaces and gives every attempt its operation's hash.
pub fn link(attempts: &[Attempt], calls: &mut [Call]) {
    let may_retry = |attempt: &Attempt| {
        attempt.key.is_some() || attempt.of.is_some() || attempt.count.is_some_and(|count| count > 0)
    };
    if !attempts.iter().any(may_retry) {
        // Nearly always: every attempt is an operation of its own.
        for (attempt, call) in attempts.iter().zip(calls).filter(|(_, call)| call.operation == 0) {
            call.operation = attempt.span;
        }
        return;
    }
    let mut groups: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, attempt) in attempts.iter().enumerate().filter(|(_, attempt)| attempt.client) {
        groups.entry(attempt.siblings).or_default().push(at);
    }
    let retriers: HashMap<u64, usize> = groups
        .iter()
        .map(|(group, members)| (*group, members.iter().filter(|at| retries(attempts, **at)).count()))
        .collect();
    for (at, attempt) in attempts.iter().enumerate() {
        let Some(class) = calls.get(at).map(|call| call.class) else { continue };
        let retried = attempt.count.is_some_and(|count| count > 0) || attempt.of.is_some();
        let siblings = groups.get(&attempt.siblings).map_or(&[][..], Vec::as_slice);
        let supersedes = match attempt.of {
            Some(class) => Some(class),
            None if retried => sibling_before(attempts, calls, siblings, at),
            None => None,
        };
        let of_group = retriers.get(&attempt.siblings).copied().unwrap_or(0);
        let retriers = of_group > usize::from(retries(attempts, at));
        let Some(call) = calls.get_mut(at) else { continue };
        call.supersedes = supersedes;
        call.unlinked_retry = retried && supersedes.is_none();
        if call.operation == 0 {
            call.operation = match attempt.key {
                Some(key) => key,
                None if !retried && (class.is_good() || !retriers) => attempt.span,
                None => attempt.siblings,
            };
        }
    }
    without_count(attempts, calls, &groups);
}

fn retries(attempts: &[Attempt], at: usize) -> bool {
    attempts.get(at).and_then(|attempt| attempt.count).is_some_and(|count| count > 0)
}

/// The class of the sibling whose resend count is one less.
fn sibling_before(attempts: &[Attempt], calls: &[Call], siblings: &[usize], at: usize) -> Option<Class> {
    let attempt = attempts.get(at)?;
    let before = attempt.count? - 1;
    let same_key = |other: &Attempt| attempt.key.is_none() || other.key.is_none() || attempt.key == other.key;
    // More siblings than this are a loop, not an operation.
    let found = siblings.iter().take(1_000).filter(|other| **other != at).find(|other| {
        attempts.get(**other).is_some_and(|other| other.count.unwrap_or(0) == before && same_key(other))
    })?;
    calls.get(*found).map(|call| call.class)
}

/// Siblings that carry the same idempotency key and no count: all but the last failed, so they are one operation.
fn without_count(attempts: &[Attempt], calls: &mut [Call], groups: &HashMap<u64, Vec<usize>>) {
    for siblings in groups.values() {
        let mut by_key: HashMap<u64, Vec<usize>> = HashMap::new();
        for at in siblings {
            let Some(attempt) = attempts.get(*at) else { continue };
            if let (Some(key), None, None) = (attempt.key, attempt.count, attempt.of) {
                by_key.entry(key).or_default().push(*at);
            }
        }
        for mut same in by_key.into_values().filter(|same| same.len() > 1) {
            same.sort_by_key(|at| calls.get(*at).map(|call| call.end));
            let all_but_the_last_failed = same.split_last().is_some_and(|(_, earlier)| {
                earlier.iter().all(|at| calls.get(*at).is_some_and(|call| !call.class.is_good()))
            });
            if !all_but_the_last_failed {
                continue;
            }
            for pair in same.windows(2) {
                let replaced = calls.get(pair[0]).map(|call| call.class);
                if let Some(call) = calls.get_mut(pair[1]) {
                    call.supersedes = replaced;
                }
            }
        }
    }
}
