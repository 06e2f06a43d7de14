//! The outbox beyond claiming and marking; the catalog alone has it.

use crate::signals::telemetry::Nanos;
use crate::store::mail::{Mail, NewMail};
use crate::store::{Error, Store};

impl Store {
    /// Puts mails in that come with no tick. One whose id is there already is left out.
    pub async fn write_mails(&self, mails: &[NewMail]) -> Result<(), Error> {
        self.inner.catalog.write_mails(mails).await
    }

    /// A recipient was refused for good, and others get it instead, all of it or nothing.
    pub async fn mail_refused(&self, id: &str, error: &str, instead: &[NewMail]) -> Result<(), Error> {
        self.inner.catalog.mail_refused(id, error, instead).await
    }

    /// Makes all that waits for another try due: what was in the way may be gone.
    pub async fn mails_due(&self, now: Nanos) -> Result<(), Error> {
        self.inner.catalog.mails_due(now).await
    }

    /// Its recipient got too many; a summary will tell of it.
    pub async fn mail_held(&self, id: &str, why: &str) -> Result<(), Error> {
        self.inner.catalog.mail_held(id, why).await
    }

    /// How many were sent to a recipient since, by e-mail.
    pub async fn sent_to(&self, recipient: &str, since: Nanos) -> Result<u64, Error> {
        self.inner.catalog.sent_to(recipient, since).await
    }

    /// Mails that were held back and that no summary tells of yet, in order.
    pub async fn held_mails(&self) -> Result<Vec<Mail>, Error> {
        self.inner.catalog.held().await
    }

    /// Writes the summary that tells of mails that were held back, and notes that it does.
    pub async fn summarise(&self, summary: &NewMail, of: &[String]) -> Result<(), Error> {
        self.inner.catalog.summarise(summary, of).await
    }

    /// Mails written since, the latest first.
    pub async fn mails_since(&self, since: Nanos, limit: u32) -> Result<Vec<Mail>, Error> {
        self.inner.catalog.mails_since(since, limit).await
    }
}
