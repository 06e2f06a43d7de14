//! Pins: written once, read by their owner, forgotten by their receipt.

use std::collections::HashMap;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{Catalog, errors, fault, from_name, json, name};
use crate::signals::telemetry::Nanos;
use crate::store::Error;
use crate::store::pins::{Content, DAY, NewPin, Pin};
use crate::store::query::pinned::{Exemplars, Pinned};

/// Rows of one statement.
const CHUNK: usize = 1_000;

impl Catalog {
    /// How many pins these owners have of these days.
    pub async fn pinned(&self, of: &[(String, i64)]) -> Result<HashMap<(String, i64), usize>, Error> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT wanted.value ->> 0, wanted.value ->> 1, count(*) FROM json_each(?1) AS wanted \
             CROSS JOIN pins ON pins.owner = wanted.value ->> 0 AND pins.day = wanted.value ->> 1 \
             GROUP BY wanted.key",
        )
        .bind(json(&of)?)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("count the pins"))?;
        Ok(rows.into_iter().map(|(owner, day, count)| ((owner, day), count.max(0) as usize)).collect())
    }

    /// Bytes of all pins that were received in [from, to).
    pub async fn pinned_bytes(&self, from: Nanos, to: Nanos) -> Result<u64, Error> {
        let (bytes,): (i64,) = sqlx::query_as(
            "SELECT coalesce(sum(octet_length(payload) + octet_length(content)), 0) FROM pins \
             WHERE received_at >= ?1 AND received_at < ?2",
        )
        .bind(from)
        .bind(to)
        .fetch_one(&self.readers)
        .await
        .map_err(fault("measure the pins"))?;
        Ok(bytes.max(0) as u64)
    }

    /// The pins of an owner, the latest first.
    pub async fn pins(&self, owner: &str, limit: u32) -> Result<Vec<Pin>, Error> {
        let rows: Vec<(String, String, Nanos, Nanos, String, Vec<u8>)> = sqlx::query_as(
            "SELECT kind, fingerprint, at, received_at, payload, content FROM pins WHERE owner = ?1 \
             ORDER BY at DESC, name LIMIT ?2",
        )
        .bind(owner)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read the pins"))?;
        let pin = |(kind, fingerprint, at, received_at, payload, content): (_, _, _, _, _, Vec<u8>)| {
            let content = Content::unpacked(&content)?;
            Ok(Pin { kind: from_name(kind)?, fingerprint, at, received_at, payload, content })
        };
        rows.into_iter().map(pin).collect()
    }

    /// The names of all pins of an owner.
    pub async fn pinned_names(&self, owner: &str) -> Result<Vec<Pinned>, Error> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT name, kind FROM pins WHERE owner = ?1")
            .bind(owner)
            .fetch_all(&self.readers)
            .await
            .map_err(fault("read the pins"))?;
        rows.into_iter().map(|(name, kind)| Ok(Pinned { name, kind: from_name(kind)? })).collect()
    }

    /// Exemplars that match, the latest first, as pins of their groups.
    pub async fn exemplars(&self, of: &Exemplars, limit: u32) -> Result<Vec<NewPin>, Error> {
        let rows: Vec<(String, String, String, Nanos, Nanos, String, Vec<u8>)> = sqlx::query_as(
            "SELECT owner, name, pins.kind, at, pins.received_at, payload, content \
             FROM error_groups AS g CROSS JOIN pins ON owner = g.fingerprint \
             WHERE last_seen >= ?1 AND at >= ?1 AND at < ?2 AND (?3 IS NULL OR integration = ?3) \
             AND (?4 IS NULL OR environment = ?4) AND (?5 IS NULL OR direction = ?5) \
             AND (?6 IS NULL OR peer = ?6) AND (?7 IS NULL OR endpoint = ?7) ORDER BY at DESC, name LIMIT ?8",
        )
        .bind(of.from)
        .bind(of.to)
        .bind(&of.integration)
        .bind(&of.environment)
        .bind(&of.direction)
        .bind(&of.peer)
        .bind(&of.endpoint)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read the exemplars"))?;
        let pin = |(owner, name, kind, at, received_at, payload, content): (String, _, _, _, _, _, _)| {
            let fingerprint = owner.clone();
            Ok(NewPin { owner, name, kind: from_name(kind)?, fingerprint, at, received_at, payload, content })
        };
        rows.into_iter().map(pin).collect()
    }

    /// Keeps pins; those that are there already stay as they are.
    pub async fn pin(&self, pins: &[NewPin]) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        if let Err(error) = write(&mut transaction, pins).await {
            let _ = transaction.rollback().await;
            return Err(error);
        }
        transaction.commit().await.map_err(fault("commit pins"))
    }

    /// Forgets pins, error groups and changes that were received before.
    pub async fn forget_evidence(&self, before: Nanos) -> Result<u64, Error> {
        let mut write = self.write().await?;
        let done = async {
            let gone = sqlx::query("DELETE FROM pins WHERE received_at < ?1")
                .bind(before)
                .execute(&mut *write)
                .await
                .map_err(fault("forget pins"))?;
            errors::forget(&mut write, before).await?;
            Ok(gone.rows_affected())
        };
        let gone: Result<u64, Error> = done.await;
        match gone {
            Ok(gone) => write.commit().await.map_err(fault("commit what is forgotten")).map(|()| gone),
            Err(error) => {
                let _ = write.rollback().await;
                Err(error)
            }
        }
    }
}

/// Keeps pins; those that are there already stay as they are.
pub async fn write(write: &mut SqliteConnection, pins: &[NewPin]) -> Result<(), Error> {
    for chunk in pins.chunks(CHUNK) {
        let kinds: Vec<String> = chunk.iter().map(|pin| name(&pin.kind)).collect::<Result<_, Error>>()?;
        let mut statement = QueryBuilder::<Sqlite>::new(
            "INSERT INTO pins (owner, name, kind, fingerprint, at, received_at, day, payload, content) ",
        );
        statement.push_values(chunk.iter().zip(kinds), |mut values, (pin, kind)| {
            values.push_bind(&pin.owner).push_bind(&pin.name).push_bind(kind).push_bind(&pin.fingerprint);
            values.push_bind(pin.at).push_bind(pin.received_at).push_bind(pin.received_at.div_euclid(DAY));
            values.push_bind(&pin.payload).push_bind(&pin.content);
        });
        statement.push(" ON CONFLICT (owner, name) DO NOTHING");
        let query = statement.build().persistent(false);
        query.execute(&mut *write).await.map_err(fault("write pins"))?;
    }
    Ok(())
}
