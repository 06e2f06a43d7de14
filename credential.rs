//! Credential slots: the gauges of one request, gathered into one update a slot (semantics section 4).

use std::collections::HashMap;

use super::endpoint;
use super::instant;
use super::observation::{IntegrationKey, SlotUpdate};
use super::queue;
use super::required;
use super::telemetry::{Nanos, Origin, Point, Refusal};
use super::vocabulary::{Attr, Metric};

/// The slots that one request speaks of.
#[derive(Debug, Default)]
pub struct Slots {
    updates: Vec<SlotUpdate>,
    /// When each field of an update was observed: the later point wins.
    observed: Vec<[Nanos; FIELDS]>,
    index: HashMap<(u32, String), usize>,
}

const FIELDS: usize = 7;

/// Whether a metric's points make up a slot.
pub fn is_slot_metric(metric: Metric) -> bool {
    metric == Metric::CredentialInfo || field(metric).is_some()
}

/// The place of an instant in the list of fields.
fn field(metric: Metric) -> Option<usize> {
    Some(match metric {
        Metric::CredentialExpiresAt => 0,
        Metric::CredentialIssuedAt => 1,
        Metric::CredentialLastRefreshedAt => 2,
        Metric::CredentialLastUsedAt => 3,
        Metric::CredentialRotationDueAt => 4,
        Metric::CredentialIdleLimit => 5,
        _ => return None,
    })
}

impl Slots {
    /// Takes a point in. `integration` is the key's index within the request, `time` the settled time.
    pub fn point(
        &mut self,
        origin: &Origin<'_, '_>,
        point: &Point<'_, '_>,
        metric: Metric,
        integration: (u32, &IntegrationKey),
        time: Nanos,
    ) -> Result<(), Refusal> {
        let Some((value, _)) = queue::level(point)? else { return Ok(()) };
        let seconds = match metric {
            Metric::CredentialInfo => None,
            Metric::CredentialIdleLimit => Some(value as i64),
            _ => Some(instant::unix_seconds(metric.name(), value)?),
        };
        let Some(id) = required::lookup(origin, point.attributes, Attr::CredentialId) else { return Ok(()) };
        let at = self.slot(integration, endpoint::cap(&id.text()));
        let (update, observed) = (&mut self.updates[at], &mut self.observed[at]);
        update.time = update.time.max(time);
        let text = |attr| required::text(origin, point.attributes, attr).map(|text| endpoint::cap(text).to_owned());
        // Any point of the slot may describe it; the latest that does stands.
        if time >= observed[FIELDS - 1] {
            let mut described = false;
            for (kept, attr) in [
                (&mut update.kind, Attr::CredentialKind),
                (&mut update.renewal, Attr::CredentialRenewal),
                (&mut update.expiry, Attr::CredentialExpiry),
                (&mut update.owner_type, Attr::CredentialOwnerType),
                (&mut update.owner_name, Attr::CredentialOwnerName),
                (&mut update.provider, Attr::CredentialProvider),
                (&mut update.fingerprint, Attr::CredentialFingerprint),
                (&mut update.connection, Attr::ConnectionId),
            ] {
                if let Some(sent) = text(attr) {
                    *kept = Some(sent);
                    described = true;
                }
            }
            if described {
                observed[FIELDS - 1] = time;
            }
        }
        if let Some(place) = field(metric)
            && time >= observed[place]
        {
            observed[place] = time;
            let kept = match metric {
                Metric::CredentialExpiresAt => &mut update.expires_at,
                Metric::CredentialIssuedAt => &mut update.issued_at,
                Metric::CredentialLastRefreshedAt => &mut update.last_refreshed_at,
                Metric::CredentialLastUsedAt => &mut update.last_used_at,
                Metric::CredentialRotationDueAt => &mut update.rotation_due_at,
                _ => &mut update.idle_limit,
            };
            *kept = seconds;
        }
        Ok(())
    }

    /// The update of a slot that changes at this time.
    pub fn update(
        &mut self,
        integration: (u32, &IntegrationKey),
        credential: &str,
        time: Nanos,
    ) -> &mut SlotUpdate {
        let at = self.slot(integration, endpoint::cap(credential));
        let update = &mut self.updates[at];
        update.time = update.time.max(time);
        update
    }

    /// All updates, in order of first mention.
    pub fn finish(self) -> Vec<SlotUpdate> {
        self.updates
    }

    fn slot(&mut self, (index, integration): (u32, &IntegrationKey), credential: &str) -> usize {
        let key = (index, credential.to_owned());
        *self.index.entry(key).or_insert_with(|| {
            self.updates.push(empty(integration, credential));
            self.observed.push([Nanos::MIN; FIELDS]);
            self.updates.len() - 1
        })
    }
}

fn empty(integration: &IntegrationKey, credential: &str) -> SlotUpdate {
    SlotUpdate {
        integration: integration.clone(),
        credential: credential.into(),
        time: 0,
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
