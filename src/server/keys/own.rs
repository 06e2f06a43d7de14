//! Keys that expire are credentials like any other, so the server reports its own as integrations report theirs: as
//! telemetry, by the way of all telemetry. The rule on credentials does the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::told::{is_outlived, is_used_after_revocation};
use crate::access::key::{IngestKey, Verdict};
use crate::receive::auth::Pass;
use crate::receive::body::Encoding;
use crate::receive::connections::Sender;
use crate::receive::intake::{Door, Incoming, Intake};
use crate::receive::keys::Known;
use crate::receive::refusal::Refusal;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::signals::vocabulary::{Attr, Event, Metric};
use crate::store::Store;

/// What is said is said again after this time, so that nobody takes it for forgotten.
const AGAIN: Nanos = 24 * 3_600_000_000_000;
/// The integration of keys that are for several: the server itself.
const OURSELVES: &str = "seamwatch";
/// What the credentials of keys are named with.
const PREFIX: &str = "ingest key ";

/// What the credential of a key is named besides that is revoked and still used.
const REVOKED: &str = " (revoked, and still used)";

/// (integration, credential) → (expires at, made at). When it was made is left out of one that is revoked: its end was
/// not foreseen, and is told however young it is.
type Said = BTreeMap<(IntegrationKey, String), (Nanos, Option<Nanos>)>;

/// What was said of keys.
#[derive(Debug, Default)]
pub struct Own {
    /// None before the first time.
    said: Option<(Nanos, Said)>,
}

impl Own {
    /// Reports the keys, where there is something new to say of them.
    pub async fn tell(&mut self, intake: &Intake, store: &Store, all: &[Arc<Known>], now: Nanos) {
        if all.is_empty() {
            return;
        }
        let used: Vec<(&IngestKey, Nanos)> =
            all.iter().map(|known| (&known.key, known.used.last())).collect();
        let due = due(&used, now);
        let is_new = |(at, said): &(Nanos, Said)| *said != due || now.saturating_sub(*at) >= AGAIN;
        if !self.said.as_ref().is_none_or(is_new) {
            return;
        }
        let mut gone: Said = match &self.said {
            Some((_, said)) => said.clone(),
            // What an earlier run said is in the store.
            None => match kept(store, now).await {
                Ok(kept) => kept,
                Err(()) => return,
            },
        };
        gone.retain(|slot, _| !due.contains_key(slot));
        for (slot, times) in &due {
            if report(intake, Door::Metrics, gauges(slot, *times, now)).await.is_err() {
                return;
            }
        }
        for slot in gone.keys() {
            if report(intake, Door::Logs, retired(slot, now)).await.is_err() {
                return;
            }
        }
        self.said = Some((now, due));
    }
}

/// The keys that will expire and that somebody should care for, and those that are revoked and that somebody sends with:
/// they end when the last of it is taken.
fn due(used: &[(&IngestKey, Nanos)], now: Nanos) -> Said {
    let all: Vec<&IngestKey> = used.iter().map(|(key, _)| *key).collect();
    let slot = |(key, last): &(&IngestKey, Nanos)| {
        let named = format!("{PREFIX}{}", key.name);
        match key.verdict(now) {
            Verdict::Good | Verdict::Expired(_) if is_outlived(key, &all, *last, now) => None,
            Verdict::Good | Verdict::Expired(_) => {
                Some(((whose(key), named), (key.expires_at?, Some(key.made_at))))
            }
            Verdict::Flagged(at) | Verdict::Revoked(at) => {
                // Its own end may come before that of the grace.
                let end = key.flagged_until.unwrap_or(at).min(key.expires_at.unwrap_or(Nanos::MAX));
                let is_used = is_used_after_revocation(key, *last, now);
                is_used.then(|| ((whose(key), named + REVOKED), (end, None)))
            }
        }
    };
    used.iter().filter_map(slot).collect()
}

/// Whose credential a key is: that of the one integration it is for, else ours.
fn whose(key: &IngestKey) -> IntegrationKey {
    match (key.integration.exact(), key.environment.exact()) {
        (Some(name), Some(environment)) => {
            IntegrationKey { environment: environment.into(), name: name.into() }
        }
        _ => IntegrationKey { environment: "default".into(), name: OURSELVES.into() },
    }
}

/// What the store holds of keys that were reported and not retired. Empty where there are none at all.
async fn kept(store: &Store, now: Nanos) -> Result<Said, ()> {
    let states = store.states().await.map_err(|error| {
        tracing::warn!(%error, "What was reported of keys cannot be read; it is tried again.");
    })?;
    let ours =
        states.slots.iter().filter(|(key, slot)| key.credential.starts_with(PREFIX) && !slot.is_gone(now));
    Ok(ours.map(|(key, _)| ((key.integration.clone(), key.credential.to_string()), (0, None))).collect())
}

async fn report(intake: &Intake, door: Door, body: Value) -> Result<(), Refusal> {
    let body = body.to_string().into_bytes();
    let mut held = intake.budget().begin(Sender::default())?;
    held.hold(body.len())?;
    let incoming = Incoming {
        door,
        content_type: "application/json",
        encoding: Encoding::Identity,
        body: body.into(),
        held,
        pass: Pass::default(),
    };
    let rejected = intake.accept(incoming).await?;
    if rejected.count > 0 {
        tracing::error!(why = rejected.message, "What the server says of its own keys was rejected.");
    }
    Ok(())
}

fn resource(integration: &IntegrationKey) -> Value {
    json!({"attributes": [
        text(Attr::IntegrationName, &integration.name), text(Attr::Environment, &integration.environment),
    ]})
}

fn text(attr: Attr, value: &str) -> Value {
    json!({"key": attr.name(), "value": {"stringValue": value}})
}

fn gauges(
    (integration, credential): &(IntegrationKey, String),
    (expires_at, made_at): (Nanos, Option<Nanos>),
    now: Nanos,
) -> Value {
    let gauge = |metric: Metric, value: i64, more: Vec<Value>| {
        let mut attributes = vec![text(Attr::CredentialId, credential)];
        attributes.extend(more);
        let point =
            json!({"timeUnixNano": now.to_string(), "asInt": value.to_string(), "attributes": attributes});
        json!({"name": metric.name(), "gauge": {"dataPoints": [point]}})
    };
    let about = vec![
        text(Attr::CredentialKind, "api_key"),
        text(Attr::CredentialRenewal, "manual"),
        text(Attr::CredentialProvider, OURSELVES),
    ];
    let mut metrics = vec![
        gauge(Metric::CredentialInfo, 1, about),
        gauge(Metric::CredentialExpiresAt, expires_at / 1_000_000_000, Vec::new()),
    ];
    metrics.extend(made_at.map(|at| gauge(Metric::CredentialIssuedAt, at / 1_000_000_000, Vec::new())));
    json!({"resourceMetrics": [{"resource": resource(integration), "scopeMetrics": [{"metrics": metrics}]}]})
}

fn retired((integration, credential): &(IntegrationKey, String), now: Nanos) -> Value {
    let record = json!({
        "timeUnixNano": now.to_string(), "eventName": Event::CredentialRetired.name(),
        "attributes": [text(Attr::CredentialId, credential)],
    });
    json!({"resourceLogs": [{"resource": resource(integration), "scopeLogs": [{"logRecords": [record]}]}]})
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = 1_800_000_000_000_000_000;
    const DAY: Nanos = 24 * 3_600_000_000_000;

    fn key(id: u64, environment: &str) -> IngestKey {
        IngestKey {
            id,
            name: format!("shop-{id}"),
            hash: [0; 32],
            tail: "abcd".into(),
            integration: "shop".parse().unwrap(),
            environment: environment.parse().unwrap(),
            made_at: NOW - 60 * DAY,
            made_by: "ada".into(),
            expires_at: Some(NOW + 10 * DAY),
            revoked_at: None,
            flagged_until: None,
            last_used_at: None,
            rate: None,
            byte_rate: None,
        }
    }

    fn names(used: &[(&IngestKey, Nanos)]) -> Vec<String> {
        let one = |(key, credential): (IntegrationKey, String)| {
            format!("{}/{}: {credential}", key.environment, key.name)
        };
        due(used, NOW).into_keys().map(one).collect()
    }

    #[test]
    fn a_key_is_the_credential_of_the_integration_it_is_for_else_ours() {
        let (exact, wide) = (key(1, "production"), key(2, "*"));
        assert_eq!(
            names(&[(&exact, NOW), (&wide, NOW)]),
            ["default/seamwatch: ingest key shop-2", "production/shop: ingest key shop-1"]
        );
        let never = IngestKey { expires_at: None, ..key(3, "*") };
        let revoked = IngestKey { revoked_at: Some(NOW - DAY), last_used_at: Some(NOW - DAY), ..key(4, "*") };
        assert!(names(&[(&never, NOW), (&revoked, NOW - DAY)]).is_empty());
    }

    #[test]
    fn a_revoked_key_that_somebody_sends_with_ends_with_its_grace() {
        let revoked = IngestKey { revoked_at: Some(NOW - DAY), expires_at: None, ..key(1, "production") };
        let flagged = IngestKey { flagged_until: Some(NOW + DAY), ..revoked.clone() };
        let said = |key: &IngestKey, last| due(&[(key, last)], NOW).into_iter().next();
        let (slot, times) = said(&flagged, NOW).unwrap();
        assert_eq!(slot.1, "ingest key shop-1 (revoked, and still used)");
        assert_eq!(times, (NOW + DAY, None));
        let ends = IngestKey { expires_at: Some(NOW + DAY / 2), ..flagged.clone() };
        assert_eq!(
            said(&ends, NOW).unwrap().1,
            (NOW + DAY / 2, None),
            "with its own end, where that is sooner"
        );
        assert_eq!(
            said(&revoked, NOW).unwrap().1,
            (NOW - DAY, None),
            "it is over, and told as long as somebody sends"
        );
        assert_eq!((said(&flagged, NOW - DAY), said(&revoked, NOW - 2 * DAY)), (None, None));
    }

    #[test]
    fn a_key_whose_successor_is_used_is_no_care_any_more() {
        let old = key(1, "production");
        let next = IngestKey { expires_at: Some(NOW + 90 * DAY), ..key(2, "production") };
        assert_eq!(names(&[(&old, NOW), (&next, NOW)]).len(), 2);
        assert_eq!(names(&[(&old, NOW - 2 * DAY), (&next, NOW)]), ["production/shop: ingest key shop-2"]);
        let expired = IngestKey { expires_at: Some(NOW), ..key(1, "production") };
        assert_eq!(names(&[(&expired, NOW - 2 * DAY)]).len(), 1, "it has none");
    }
}
