//! What the outbox does besides sending: holding back what is too much, standing in for who is refused.

use sqlx::{Sqlite, Transaction};

use super::outbox::{Found, write};
use super::{Catalog, fault, json};
use crate::signals::telemetry::Nanos;
use crate::store::Error;
use crate::store::mail::{Mail, NewMail};

impl Catalog {
    /// Puts mails in that come with no tick. One whose id is there already is left out.
    pub async fn write_mails(&self, mails: &[NewMail]) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        let done = write(&mut transaction, mails).await;
        ended(transaction, done).await
    }

    /// A recipient was refused for good, and another gets it instead, both or neither. One that was sent meanwhile
    /// stays sent.
    pub async fn mail_refused(&self, id: &str, error: &str, instead: &[NewMail]) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        let done = async {
            let sql = "UPDATE mails SET state = 'rejected', error = ?2 \
                 WHERE id = ?1 AND state IN ('queued', 'leased', 'deferred')";
            let query = sqlx::query(sql).bind(id).bind(error);
            query.execute(&mut *transaction).await.map_err(fault("mark a mail"))?;
            write(&mut transaction, instead).await
        };
        let done = done.await;
        ended(transaction, done).await
    }

    /// Makes all that waits for another try due: what was in the way may be gone.
    pub async fn mails_due(&self, now: Nanos) -> Result<(), Error> {
        let sql = "UPDATE mails SET next_try_at = ?1 WHERE state = 'deferred' AND next_try_at > ?1";
        let query = sqlx::query(sql).bind(now);
        query.execute(&self.writer).await.map_err(fault("make mails due"))?;
        Ok(())
    }

    /// Its recipient got too many; a summary will tell of it.
    pub async fn mail_held(&self, id: &str, why: &str) -> Result<(), Error> {
        let sql = "UPDATE mails SET state = 'held', error = ?2 \
             WHERE id = ?1 AND state IN ('queued', 'leased', 'deferred')";
        let query = sqlx::query(sql).bind(id).bind(why);
        query.execute(&self.writer).await.map_err(fault("hold a mail back"))?;
        Ok(())
    }

    /// How many were sent to a recipient since, by e-mail.
    pub async fn sent_to(&self, recipient: &str, since: Nanos) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM mails WHERE state = 'sent' AND recipient = ?1 AND sent_at > ?2 AND channel = ''";
        let query = sqlx::query_as(sql).bind(recipient).bind(since);
        let (count,): (i64,) = query.fetch_one(&self.readers).await.map_err(fault("count mails"))?;
        Ok(count.unsigned_abs())
    }

    /// Mails that were held back and that no summary tells of yet, in order.
    pub async fn held(&self) -> Result<Vec<Mail>, Error> {
        let sql = "SELECT * FROM mails WHERE state = 'held' AND told_in IS NULL ORDER BY position LIMIT 5000";
        let found = sqlx::query_as(sql).fetch_all(&self.readers).await.map_err(fault("read mails"))?;
        found.into_iter().map(Found::mail).collect()
    }

    /// Writes the summary that tells of mails that were held back, and notes that it does.
    pub async fn summarise(&self, summary: &NewMail, of: &[String]) -> Result<(), Error> {
        let of = json(&of)?;
        let mut transaction = self.write().await?;
        let done = async {
            let sql = "UPDATE mails SET told_in = ?1 WHERE state = 'held' AND id IN (SELECT value FROM json_each(?2))";
            let query = sqlx::query(sql).bind(&summary.id).bind(of);
            query.execute(&mut *transaction).await.map_err(fault("note a summary"))?;
            write(&mut transaction, std::slice::from_ref(summary)).await
        };
        let done = done.await;
        ended(transaction, done).await
    }

    /// Mails written since, the latest first.
    pub async fn mails_since(&self, since: Nanos, limit: u32) -> Result<Vec<Mail>, Error> {
        let sql = "SELECT * FROM mails WHERE created_at >= ?1 ORDER BY position DESC LIMIT ?2";
        let query = sqlx::query_as(sql).bind(since).bind(limit);
        let found = query.fetch_all(&self.readers).await.map_err(fault("read mails"))?;
        found.into_iter().map(Found::mail).collect()
    }
}

async fn ended(transaction: Transaction<'static, Sqlite>, done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Ok(()) => transaction.commit().await.map_err(fault("write mails")),
        Err(error) => {
            // What rolling back says adds nothing to why.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}
