//! Ingest keys, each change with its audit entry in one transaction.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Catalog, audit, damaged, fault};
use crate::access::audit::{Actor, Entry};
use crate::access::key::{IngestKey, NewKey};
use crate::access::secret::{Kind, Secret};
use crate::signals::scope::Pattern;
use crate::signals::telemetry::Nanos;
use crate::store::{Access, Error};

impl Catalog {
    /// What there is to let somebody in, and the number of its state.
    pub async fn access(&self) -> Result<Access, Error> {
        self.people().access().await
    }

    /// All ingest keys that were ever made, in that order.
    pub async fn keys(&self) -> Result<Vec<IngestKey>, Error> {
        let mut snapshot = self.snapshot().await?;
        all(&mut snapshot).await
    }

    /// Makes a key. Its secret is given here and nowhere again.
    pub async fn make_key(&self, new: &NewKey, by: &Actor, now: Nanos) -> Result<(IngestKey, Secret), Error> {
        let secret = Secret::mint(Kind::IngestKey).map_err(Error::Unfit)?;
        let mut write = self.write().await?;
        let others = all(&mut write).await?;
        new.check(&others, now).map_err(Error::Unfit)?;
        let key = IngestKey {
            id: others.last().map_or(0, |last| last.id) + 1,
            name: new.name.clone(),
            hash: secret.hash(),
            tail: secret.tail().to_owned(),
            integration: new.integration.clone(),
            environment: new.environment.clone(),
            made_at: now,
            made_by: by.name.clone(),
            expires_at: new.expires_at,
            revoked_at: None,
            flagged_until: None,
            last_used_at: None,
            rate: new.rate,
            byte_rate: new.byte_rate,
        };
        insert(&mut write, &key).await?;
        let ends = key.expires_at.map_or("never ends".to_owned(), |at| format!("ends {}", day(at)));
        let detail =
            format!("For integration {} in environment {}; {ends}.", key.integration, key.environment);
        audit::append(&mut write, &by.did(now, "key.made", key.named(), detail)).await?;
        changed(&mut write).await?;
        write.commit().await.map_err(fault("make a key"))?;
        Ok((key, secret))
    }

    /// Revokes a key, at once or with a time in which what it sends is taken and flagged. One that was revoked may be
    /// given such a time, or have it ended.
    pub async fn revoke_key(
        &self,
        id: u64,
        flagged_until: Option<Nanos>,
        by: &Actor,
        now: Nanos,
    ) -> Result<IngestKey, Error> {
        let mut write = self.write().await?;
        let found = all(&mut write).await?.into_iter().find(|key| key.id == id);
        let mut key = found.ok_or_else(|| Error::Unfit(format!("There is no key {id}.")))?;
        let flagged_until = flagged_until.filter(|until| *until > now);
        if key.revoked_at.is_some() && !key.verdict(now).is_open() && flagged_until.is_none() {
            return Err(Error::Unfit(format!("The key \"{}\" is revoked already.", key.name)));
        }
        key.revoked_at = key.revoked_at.or(Some(now));
        key.flagged_until = flagged_until;
        let sql = "UPDATE ingest_keys SET revoked_at = ?2, flagged_until = ?3 WHERE id = ?1";
        let update = sqlx::query(sql).bind(id as i64).bind(key.revoked_at).bind(key.flagged_until);
        update.execute(&mut *write).await.map_err(fault("revoke a key"))?;
        let detail = match key.flagged_until {
            Some(until) => format!("What it sends is taken and flagged until {}.", day(until)),
            None => "What it sends is refused.".to_owned(),
        };
        audit::append(&mut write, &by.did(now, "key.revoked", key.named(), detail)).await?;
        changed(&mut write).await?;
        write.commit().await.map_err(fault("revoke a key"))?;
        Ok(key)
    }

    /// Notes when keys were last used, earlier times change nothing, and what of it is to be audited.
    pub async fn note_use(&self, used: &[(u64, Nanos)], entries: &[Entry]) -> Result<(), Error> {
        if used.is_empty() && entries.is_empty() {
            return Ok(());
        }
        let mut write = self.write().await?;
        for (id, at) in used {
            let sql =
                "UPDATE ingest_keys SET last_used_at = max(coalesce(last_used_at, ?2), ?2) WHERE id = ?1";
            let update = sqlx::query(sql).bind(*id as i64).bind(at);
            update.execute(&mut *write).await.map_err(fault("note the use of a key"))?;
        }
        for entry in entries {
            audit::append(&mut write, entry).await?;
        }
        write.commit().await.map_err(fault("note the use of a key"))
    }
}

/// Says, in the transaction that changes it, that who may do what has changed.
pub(super) async fn changed(write: &mut SqliteConnection) -> Result<(), Error> {
    let sql = "UPDATE meta SET value = value + 1 WHERE name = 'access_version'";
    sqlx::query(sql).execute(write).await.map_err(fault("say that who may do what has changed"))?;
    Ok(())
}

async fn all(connection: &mut SqliteConnection) -> Result<Vec<IngestKey>, Error> {
    let rows = sqlx::query("SELECT * FROM ingest_keys ORDER BY id").fetch_all(connection).await;
    rows.map_err(fault("read the keys"))?.iter().map(key).collect()
}

async fn insert(write: &mut SqliteConnection, key: &IngestKey) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO ingest_keys (id, name, hash, tail, integration, environment, made_at, made_by, expires_at, rate, \
         byte_rate) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(key.id as i64)
    .bind(&key.name)
    .bind(key.hash.as_slice())
    .bind(&key.tail)
    .bind(key.integration.text())
    .bind(key.environment.text())
    .bind(key.made_at)
    .bind(&key.made_by)
    .bind(key.expires_at)
    .bind(key.rate)
    .bind(key.byte_rate)
    .execute(write)
    .await
    .map_err(fault("make a key"))?;
    Ok(())
}

fn key(row: &SqliteRow) -> Result<IngestKey, Error> {
    let read = || -> Result<(IngestKey, Vec<u8>, String, String), sqlx::Error> {
        let key = IngestKey {
            id: row.try_get::<i64, _>("id")? as u64,
            name: row.try_get("name")?,
            hash: [0; 32],
            tail: row.try_get("tail")?,
            integration: Pattern::any(),
            environment: Pattern::any(),
            made_at: row.try_get("made_at")?,
            made_by: row.try_get("made_by")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
            flagged_until: row.try_get("flagged_until")?,
            last_used_at: row.try_get("last_used_at")?,
            rate: row.try_get("rate")?,
            byte_rate: row.try_get("byte_rate")?,
        };
        Ok((key, row.try_get("hash")?, row.try_get("integration")?, row.try_get("environment")?))
    };
    let (key, hash, integration, environment) = read().map_err(fault("read the keys"))?;
    let pattern = |text: String| text.parse::<Pattern>().map_err(|_| damaged("a key's pattern is none"));
    Ok(IngestKey {
        hash: hash.try_into().map_err(|_| damaged("a key's hash is cut"))?,
        integration: pattern(integration)?,
        environment: pattern(environment)?,
        ..key
    })
}

/// To the minute, UTC.
fn day(at: Nanos) -> String {
    chrono::DateTime::from_timestamp_nanos(at).format("%Y-%m-%d %H:%M UTC").to_string()
}
