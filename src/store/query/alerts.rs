//! Alerts and the outbox: nothing of them is ever only in memory, so the catalog answers alone.

use std::time::Duration;

use crate::alert::incident::{Incident, Instance};
use crate::rollup::window::Minute;
use crate::signals::telemetry::Nanos;
use crate::store::catalog::Tick;
use crate::store::mail::Mail;
use crate::store::{Error, Store};

impl Store {
    /// All alert instances that live, and the last tick judged.
    pub async fn instances(&self) -> Result<(Vec<Instance>, Option<Minute>), Error> {
        self.inner.catalog.instances().await
    }

    /// Keeps what a tick decided, or nothing of it. Safe to repeat.
    pub async fn record_tick(&self, tick: &Tick<'_>) -> Result<(), Error> {
        self.inner.catalog.record_tick(tick, &self.inner.points).await
    }

    /// Incidents, the latest opened first.
    pub async fn incidents(&self, open_only: bool, limit: u32) -> Result<Vec<Incident>, Error> {
        self.inner.catalog.incidents(open_only, limit).await
    }

    /// The incident of an id, else the latest of a code.
    pub async fn incident(&self, id_or_code: &str) -> Result<Option<Incident>, Error> {
        self.inner.catalog.incident(id_or_code).await
    }

    /// Leases mails that are due, the oldest first: queued, deferred until now, or leased by someone who did not
    /// come back. Never one whose thread (incident, recipient) has an earlier one that is unsent.
    /// Nor one of a channel that is `paused`; the name of e-mail's is empty.
    pub async fn claim_mails(
        &self,
        now: Nanos,
        lease: Duration,
        limit: u32,
        paused: &[String],
    ) -> Result<Vec<Mail>, Error> {
        self.inner.catalog.claim_mails(now, lease, limit, paused).await
    }

    /// When the oldest mail that is not sent and could be by now was written; none where none waits.
    pub async fn oldest_mail_due(&self, now: Nanos) -> Result<Option<Nanos>, Error> {
        self.inner.catalog.oldest_mail_due(now).await
    }

    /// A server took it; `detail` is what it answered.
    pub async fn mail_sent(&self, id: &str, now: Nanos, detail: &str) -> Result<(), Error> {
        self.inner.catalog.mail_sent(id, now, detail).await
    }

    /// It failed for now and is due again at `until`.
    pub async fn mail_deferred(&self, id: &str, until: Nanos, error: &str) -> Result<(), Error> {
        self.inner.catalog.mail_deferred(id, until, error).await
    }

    /// Mails, the latest first.
    pub async fn mails(&self, limit: u32) -> Result<Vec<Mail>, Error> {
        self.inner.catalog.mails(limit).await
    }

    /// The mail of an id.
    pub async fn mail(&self, id: &str) -> Result<Option<Mail>, Error> {
        self.inner.catalog.mail(id).await
    }

    /// The mails of an incident, in order.
    pub async fn mails_of(&self, incident_id: &str) -> Result<Vec<Mail>, Error> {
        self.inner.catalog.mails_of(incident_id).await
    }

    /// The Message-ID that opened the thread of an incident with a recipient.
    pub async fn first_message_id(
        &self,
        incident_id: &str,
        recipient: &str,
    ) -> Result<Option<String>, Error> {
        self.inner.catalog.first_message_id(incident_id, recipient).await
    }
}
