//! Silences and acknowledgements: the catalog alone has them.

use std::collections::BTreeMap;

use crate::access::audit::Actor;
use crate::alert::overlay::{Ack, Silence};
use crate::signals::telemetry::Nanos;
use crate::store::{Error, Store};

impl Store {
    /// Silences that have not ended and acknowledgements that stand, by incident id.
    pub async fn overlays(&self, now: Nanos) -> Result<(Vec<Silence>, BTreeMap<String, Ack>), Error> {
        self.inner.catalog.overlays(now).await
    }

    /// Silences, the latest made first, ended ones too.
    pub async fn silences(&self, limit: u32) -> Result<Vec<Silence>, Error> {
        self.inner.catalog.silences(limit).await
    }

    /// Keeps a silence, with its entry in the audit log; its number is given.
    ///
    /// # Errors
    /// [`Error::Unfit`] says in a sentence why there can be no such silence.
    pub async fn make_silence(&self, silence: &Silence, by: &Actor, now: Nanos) -> Result<Silence, Error> {
        silence.check(now).map_err(Error::Unfit)?;
        self.inner.catalog.make_silence(silence, by, now).await
    }

    /// Ends a silence now, with its entry in the audit log.
    ///
    /// # Errors
    /// [`Error::Unfit`] when none of that number stands.
    pub async fn end_silence(&self, id: i64, by: &Actor, now: Nanos) -> Result<(), Error> {
        self.inner.catalog.end_silence(id, by, now).await
    }

    /// Keeps that somebody looks at an incident, or that they do not any more (an end that is not after its beginning),
    /// with its entry in the audit log.
    pub async fn acknowledge(&self, incident: &str, ack: &Ack, by: &Actor) -> Result<(), Error> {
        self.inner.catalog.acknowledge(incident, ack, by).await
    }
}
