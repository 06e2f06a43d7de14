//! The number that a sender gives each of its batches (`integration.sequence`).

use super::observation::{IntegrationKey, Numbered, Observations};
use super::stream::text_hash;
use super::telemetry::Attributes;
use super::vocabulary::Attr;

/// The batch of a resource; none where its sender does not count, or is not told from others.
pub fn of(resource: &Attributes<'_>, integration: &IntegrationKey) -> Option<Numbered> {
    let number = resource.get(Attr::Sequence)?.as_i64().filter(|number| *number >= 0)?;
    let sender = text_hash(&resource.get(Attr::ServiceInstanceId)?.text());
    Some(Numbered { integration: integration.clone(), sender, number })
}

/// Leaves out batches of integrations for which their sender may not speak.
pub fn keep_known(seen: &mut Observations) {
    let Observations { batches, integrations, .. } = seen;
    batches.retain(|batch| integrations.iter().any(|known| known.key == batch.integration));
}
