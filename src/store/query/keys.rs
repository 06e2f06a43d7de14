//! Ingest keys: the catalog alone has them.

use crate::access::audit::{Actor, Entry};
use crate::access::key::{IngestKey, NewKey};
use crate::access::secret::Secret;
use crate::signals::telemetry::Nanos;
use crate::store::{Access, Error, Store};

impl Store {
    /// What there is to let somebody in, and the number of its state. Cheap: it is asked several times a second.
    pub async fn access(&self) -> Result<Access, Error> {
        self.inner.catalog.access().await
    }

    /// All ingest keys that were ever made, in that order.
    pub async fn keys(&self) -> Result<Vec<IngestKey>, Error> {
        self.inner.catalog.keys().await
    }

    /// Makes a key, with its entry in the audit log. Its secret is given here and nowhere again.
    ///
    /// # Errors
    /// [`Error::Unfit`] says in a sentence why there can be no such key.
    pub async fn make_key(&self, new: &NewKey, by: &Actor, now: Nanos) -> Result<(IngestKey, Secret), Error> {
        self.inner.catalog.make_key(new, by, now).await
    }

    /// Revokes a key, with its entry in the audit log: at once, or with a time in which what it sends is taken and
    /// flagged. One that was revoked may be given such a time, or have it ended. Doors know within half a second.
    ///
    /// # Errors
    /// [`Error::Unfit`] when there is no such key or nothing is left to revoke.
    pub async fn revoke_key(
        &self,
        id: u64,
        flagged_until: Option<Nanos>,
        by: &Actor,
        now: Nanos,
    ) -> Result<IngestKey, Error> {
        self.inner.catalog.revoke_key(id, flagged_until, by, now).await
    }

    /// Notes when keys were last used, earlier times change nothing, and what of it is to be audited.
    pub async fn note_use(&self, used: &[(u64, Nanos)], entries: &[Entry]) -> Result<(), Error> {
        self.inner.catalog.note_use(used, entries).await
    }
}
