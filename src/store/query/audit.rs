//! The audit log: the catalog alone has it.

use crate::access::audit::{Entry, Link};
use crate::store::{Error, Store};

impl Store {
    /// Writes an entry behind all that are there.
    pub async fn audit(&self, entry: &Entry) -> Result<(), Error> {
        self.inner.catalog.audit(entry).await
    }

    /// Entries after a number, the oldest first.
    pub async fn audit_after(&self, number: i64, limit: u32) -> Result<Vec<Link>, Error> {
        self.inner.catalog.audit_after(number, limit).await
    }

    /// The latest entries that hold a text anywhere, whatever its case, the latest first; all for an empty text.
    pub async fn audit_latest(&self, holding: &str, limit: u32) -> Result<Vec<Link>, Error> {
        self.inner.catalog.audit_latest(holding, limit).await
    }
}
