//! What a mail tells of the time before: what changed, and what failing calls look like.

use std::collections::BTreeSet;

use crate::alert::figure;
use crate::notify::message::Sample;
use crate::rollup::window::{MINUTE, Part};
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::store::SpanRecord;
use crate::store::query::errors::ChangeRecord;

/// How long before its beginning a change is told of.
const BEFORE: Nanos = 6 * 60 * MINUTE;
/// How long after its beginning: what breached was seen after it began.
const AFTER: Nanos = 5 * MINUTE;
/// So many changes and so many calls are told of.
const CHANGES: usize = 4;
const SAMPLES: usize = 3;
/// How much of what a call said is told.
const PAYLOAD: usize = 300;
const SECOND: Nanos = 1_000_000_000;

/// [from, to) in which a change may have to do with what began.
pub fn period(since: Nanos) -> (Nanos, Nanos) {
    (since - BEFORE, since + AFTER + 1)
}

/// What changed about an integration around the beginning of an incident, newest first; `told` is what the catalog has
/// of its versions and of what it said itself.
pub fn changes(
    key: &IntegrationKey,
    recent: &Part,
    told: &[ChangeRecord],
    since: Nanos,
) -> Vec<(Nanos, String)> {
    let near = since - BEFORE..=since + AFTER;
    let mut found: Vec<(Nanos, String)> = Vec::new();
    let of_it = recent.slots.iter().filter(|(slot, _)| slot.integration == *key);
    for (slot, state) in of_it {
        let generation = &state.generation;
        let name = &slot.credential;
        for (at, what) in [
            (generation.last_refreshed_at.get().copied(), "was refreshed"),
            (generation.issued_at.get().copied(), "was issued"),
            (state.expires_at(), "expired"),
        ] {
            if let Some(at) = at.map(|at| at.saturating_mul(SECOND)).filter(|at| near.contains(at)) {
                found.push((at, format!("Credential {name} {what}")));
            }
        }
    }
    found.extend(told.iter().filter(|one| near.contains(&one.at)).map(|one| {
        let text: String = one.text.chars().take(PAYLOAD).collect();
        let said = match one.kind.as_str() {
            "version" => format!("Version {text} was first seen"),
            kind if text.is_empty() => format!("It told of a change ({kind})"),
            kind => format!("{text} ({kind})"),
        };
        (one.at, said)
    }));
    found.sort_by(|one, other| other.cmp(one));
    // Issued and refreshed at once is one event.
    found.dedup_by_key(|(at, _)| *at);
    found.truncate(CHANGES);
    found
}

/// The latest failing calls, each of another endpoint or outcome.
pub fn samples(failed: &[SpanRecord], base_url: &str) -> Vec<Sample> {
    let mut kinds = BTreeSet::new();
    let mut out = Vec::new();
    for span in failed {
        let said = |name: &str| span.attributes.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let status = ["http.response.status_code", "http.status_code", "rpc.grpc.status_code", "error.type"]
            .into_iter()
            .find_map(said)
            .unwrap_or(span.status);
        let endpoint = span.endpoint.as_deref().unwrap_or(&span.name);
        if !kinds.insert((endpoint, status)) {
            continue;
        }
        let detail =
            said("integration.payload").or(said("exception.message")).unwrap_or(&span.status_message);
        let detail = if detail == status { "" } else { detail };
        out.push(Sample {
            line: format!("{endpoint} {status} after {}", figure::duration(span.duration_ms / 1e3)),
            detail: detail.chars().take(PAYLOAD).collect(),
            link: format!("{base_url}/api/v1/traces/{}", span.trace_id),
        });
        if out.len() == SAMPLES {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::state::Slot;
    use crate::rollup::window::SlotKey;
    use crate::signals::credential::{SlotUpdate, empty};

    const SINCE: Nanos = 1_800_000_000 * SECOND;

    fn key() -> IntegrationKey {
        IntegrationKey { environment: "default".into(), name: "crm".into() }
    }

    fn version(at: Nanos) -> ChangeRecord {
        ChangeRecord {
            environment: "default".into(),
            kind: "version".into(),
            text: "4.2.0".into(),
            at,
            effective_at: None,
        }
    }

    #[test]
    fn what_changed_shortly_before_is_told_newest_first() {
        let mut part = Part::default();
        let seconds = SINCE / SECOND;
        let mut update =
            SlotUpdate { last_refreshed_at: Some(seconds - 600), ..empty(key(), "oauth", SINCE) };
        update.expires_at = Some(seconds - 60);
        update.issued_at = Some(seconds - 90_000);
        part.slots.insert(SlotKey { integration: key(), credential: "oauth".into() }, Slot::of(&update));
        let told = [version(SINCE - 300 * SECOND), version(SINCE - 100_000 * SECOND)];
        let said: Vec<String> =
            changes(&key(), &part, &told, SINCE).into_iter().map(|(_, what)| what).collect();
        let expected =
            ["Credential oauth expired", "Version 4.2.0 was first seen", "Credential oauth was refreshed"];
        assert_eq!(said, expected);
        let other = IntegrationKey { name: "shop".into(), ..key() };
        assert_eq!(changes(&other, &part, &[], SINCE), []);
    }
}
