//! Credential slots from their gauges and events (vocabulary section 4, semantics section 4). Never the secret.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lookup::Lookup;
use super::observation::IntegrationKey;
use super::observe::hash;
use super::telemetry::{Nanos, Point, PointValue, Refusal};
use super::vocabulary::{Attr, Metric};

/// The last second of the year 9999.
const LATEST: f64 = 253_402_300_799.0;

/// What one request says of one credential slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotUpdate {
    /// Whose.
    pub integration: IntegrationKey,
    /// `integration.credential.id`.
    pub credential: Arc<str>,
    /// When it was observed.
    pub time: Nanos,
    /// `.kind` (access_token, refresh_token, api_key, …).
    pub kind: Option<String>,
    /// `.renewal` (automatic, manual).
    pub renewal: Option<String>,
    /// `.expiry` (at, never).
    pub expiry: Option<String>,
    /// `.owner.type` (service_account, person).
    pub owner_type: Option<String>,
    /// `.owner.name`.
    pub owner_name: Option<String>,
    /// `.provider.name`.
    pub provider: Option<String>,
    /// `.fingerprint`.
    pub fingerprint: Option<String>,
    /// `integration.connection.id`.
    pub connection: Option<String>,
    /// Unix seconds.
    pub expires_at: Option<i64>,
    /// Unix seconds.
    pub issued_at: Option<i64>,
    /// Unix seconds.
    pub last_refreshed_at: Option<i64>,
    /// Unix seconds.
    pub last_used_at: Option<i64>,
    /// Unix seconds.
    pub rotation_due_at: Option<i64>,
    /// Seconds.
    pub idle_limit: Option<i64>,
    /// Gone on purpose (`integration.credential.retired`).
    pub retired: bool,
}

/// What one point says of a slot.
pub fn update(
    metric: Metric,
    integration: IntegrationKey,
    look: &Lookup<'_, '_>,
    point: &Point<'_, '_>,
    time: Nanos,
) -> Result<Option<SlotUpdate>, Refusal> {
    let id = look.str(Attr::CredentialId).ok_or(Refusal::Borrowed("no integration.credential.id"))?;
    let mut slot = empty(integration, id, time);
    let value = match point.value {
        PointValue::Gauge(value) | PointValue::Sum { value, .. } => value,
        PointValue::NoValue(_) => return Ok(None),
        _ => return Err(format!("{} is not a gauge", metric.name()).into()),
    };
    if metric == Metric::CredentialInfo {
        let said = |attr| look.get(attr).map(|value| super::endpoint::cut(&value.text()).to_owned());
        slot.kind = said(Attr::CredentialKind);
        slot.renewal = said(Attr::CredentialRenewal);
        slot.expiry = said(Attr::CredentialExpiry);
        slot.owner_type = said(Attr::CredentialOwnerType);
        slot.owner_name = said(Attr::CredentialOwnerName);
        slot.provider = said(Attr::CredentialProvider);
        slot.fingerprint = said(Attr::CredentialFingerprint);
        slot.connection = said(Attr::ConnectionId);
        return Ok(Some(slot));
    }
    if !value.is_finite() || !(0.0..=LATEST).contains(&value) {
        return Err(format!("{} is {value}, not unix seconds up to the year 9999", metric.name()).into());
    }
    let seconds = Some(value as i64);
    match metric {
        Metric::CredentialExpiresAt => slot.expires_at = seconds,
        Metric::CredentialIssuedAt => slot.issued_at = seconds,
        Metric::CredentialLastRefreshedAt => slot.last_refreshed_at = seconds,
        Metric::CredentialLastUsedAt => slot.last_used_at = seconds,
        Metric::CredentialRotationDueAt => slot.rotation_due_at = seconds,
        Metric::CredentialIdleLimit => slot.idle_limit = seconds,
        _ => return Ok(None),
    }
    Ok(Some(slot))
}

/// An update that says nothing yet.
pub fn empty(integration: IntegrationKey, id: &str, time: Nanos) -> SlotUpdate {
    SlotUpdate {
        integration,
        credential: Arc::from(super::endpoint::cut(id)),
        time,
        kind: None,
        renewal: None,
        expiry: None,
        owner_type: None,
        owner_name: None,
        provider: None,
        fingerprint: None,
        connection: None,
        expires_at: None,
        issued_at: None,
        last_refreshed_at: None,
        last_used_at: None,
        rotation_due_at: None,
        idle_limit: None,
        retired: false,
    }
}

/// Joins what one request says of the same slot, so that a generation's instants stay together. `places` knows where
/// each slot's latest update stands.
pub fn join(updates: &mut Vec<SlotUpdate>, places: &mut HashMap<u64, usize>, update: SlotUpdate) {
    let place = hash(&(&update.integration, &update.credential));
    let known = places.get(&place).copied();
    let same = |kept: &SlotUpdate| {
        kept.integration == update.integration
            && kept.credential == update.credential
            && (kept.time - update.time).abs() < 1_000_000_000
    };
    let known = known.filter(|at| updates.get(*at).is_some_and(same));
    let Some(kept) = known.and_then(|at| updates.get_mut(at)) else {
        places.insert(place, updates.len());
        return updates.push(update);
    };
    let SlotUpdate {
        kind, renewal, expiry, owner_type, owner_name, provider, fingerprint, connection, ..
    } = update;
    let texts = [
        (&mut kept.kind, kind),
        (&mut kept.renewal, renewal),
        (&mut kept.expiry, expiry),
        (&mut kept.owner_type, owner_type),
        (&mut kept.owner_name, owner_name),
        (&mut kept.provider, provider),
        (&mut kept.fingerprint, fingerprint),
        (&mut kept.connection, connection),
    ];
    for (ours, theirs) in texts {
        *ours = theirs.or(ours.take());
    }
    kept.expires_at = update.expires_at.or(kept.expires_at);
    kept.issued_at = update.issued_at.or(kept.issued_at);
    kept.last_refreshed_at = update.last_refreshed_at.or(kept.last_refreshed_at);
    kept.last_used_at = update.last_used_at.or(kept.last_used_at);
    kept.rotation_due_at = update.rotation_due_at.or(kept.rotation_due_at);
    kept.idle_limit = update.idle_limit.or(kept.idle_limit);
    kept.retired |= update.retired;
    kept.time = kept.time.max(update.time);
}
