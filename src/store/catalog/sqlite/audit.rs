//! The audit log: each entry is chained to the one before it in the transaction that writes it.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Catalog, damaged, fault};
use crate::access::audit::{Entry, Link, START, chain};
use crate::store::Error;

impl Catalog {
    /// Writes an entry behind all that are there.
    pub async fn audit(&self, entry: &Entry) -> Result<(), Error> {
        let mut write = self.write().await?;
        append(&mut write, entry).await?;
        write.commit().await.map_err(fault("write the audit log"))
    }

    /// Entries after a number, the oldest first.
    pub async fn audit_after(&self, number: i64, limit: u32) -> Result<Vec<Link>, Error> {
        let sql = "SELECT * FROM audit WHERE number > ?1 ORDER BY number LIMIT ?2";
        let rows = sqlx::query(sql).bind(number).bind(limit).fetch_all(&self.readers).await;
        rows.map_err(fault("read the audit log"))?.iter().map(link).collect()
    }

    /// The latest entries that hold a text anywhere, the latest first; all for an empty text.
    pub async fn audit_latest(&self, holding: &str, limit: u32) -> Result<Vec<Link>, Error> {
        let sql = "SELECT * FROM audit WHERE ?1 = '' OR instr(lower(actor || ' ' || action || ' ' || object || ' ' \
             || detail || ' ' || address), lower(?1)) > 0 ORDER BY number DESC LIMIT ?2";
        let rows = sqlx::query(sql).bind(holding).bind(limit).fetch_all(&self.readers).await;
        rows.map_err(fault("read the audit log"))?.iter().map(link).collect()
    }
}

/// Writes an entry in a transaction that does what it tells of: both are there, or neither.
pub(super) async fn append(write: &mut SqliteConnection, entry: &Entry) -> Result<(), Error> {
    let last: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *write)
            .await
            .map_err(fault("read the audit log"))?;
    let (number, before) = match last {
        Some((number, hash)) => (number + 1, hash.try_into().map_err(|_| damaged("an audit hash is cut"))?),
        None => (1, START),
    };
    let hash = chain(&before, number, entry);
    sqlx::query(
        "INSERT INTO audit (number, at, actor, action, object, detail, address, hash) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(number)
    .bind(entry.at)
    .bind(&entry.actor)
    .bind(&entry.action)
    .bind(&entry.object)
    .bind(&entry.detail)
    .bind(&entry.address)
    .bind(hash.as_slice())
    .execute(write)
    .await
    .map_err(fault("write the audit log"))?;
    Ok(())
}

fn link(row: &SqliteRow) -> Result<Link, Error> {
    let hash: Vec<u8> = row.try_get("hash").map_err(fault("read the audit log"))?;
    let read = || -> Result<(i64, Entry), sqlx::Error> {
        let entry = Entry {
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            object: row.try_get("object")?,
            detail: row.try_get("detail")?,
            address: row.try_get("address")?,
        };
        Ok((row.try_get("number")?, entry))
    };
    let (number, entry) = read().map_err(fault("read the audit log"))?;
    Ok(Link { number, entry, hash: hash.try_into().map_err(|_| damaged("an audit hash is cut"))? })
}
