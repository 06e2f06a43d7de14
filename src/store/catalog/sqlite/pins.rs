//! Pins: written once, read by their owner, forgotten by their receipt.

use std::borrow::Cow;
use std::collections::HashMap;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{Catalog, damaged, errors, fault, from_name, json, name};
use crate::signals::telemetry::Nanos;
use crate::store::Error;
use crate::store::pins::{Content, DAY, NewPin, Pin};
use crate::store::query::pinned::{Exemplars, Pinned};
use crate::world::seal::Keyring;
use crate::world::sealed;

/// An exemplar: owner, name, kind, when, received when, payload, content.
type Exemplar = (String, String, String, Nanos, Nanos, String, Vec<u8>);
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
            let (payload, content) = opened(&self.keyring, payload, content)?;
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
        let rows: Vec<Exemplar> = sqlx::query_as(
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
        let pin = |(owner, name, kind, at, received_at, payload, content): Exemplar| {
            let fingerprint = owner.clone();
            let (payload, content) = opened(&self.keyring, payload, content)?;
            Ok(NewPin { owner, name, kind: from_name(kind)?, fingerprint, at, received_at, payload, content })
        };
        rows.into_iter().map(pin).collect()
    }

    /// Keeps pins; those that are there already stay as they are.
    pub async fn pin(&self, pins: &[NewPin]) -> Result<(), Error> {
        let mut transaction = self.write().await?;
        if let Err(error) = write(&mut transaction, pins, &self.keyring).await {
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
pub async fn write(write: &mut SqliteConnection, pins: &[NewPin], keyring: &Keyring) -> Result<(), Error> {
    for chunk in pins.chunks(CHUNK) {
        let kept = chunk.iter().map(|pin| kept(keyring, pin)).collect::<Result<Vec<_>, Error>>()?;
        let kinds: Vec<String> = chunk.iter().map(|pin| name(&pin.kind)).collect::<Result<_, Error>>()?;
        let mut statement = QueryBuilder::<Sqlite>::new(
            "INSERT INTO pins (owner, name, kind, fingerprint, at, received_at, day, payload, content) ",
        );
        let rows = chunk.iter().zip(kinds).zip(&kept);
        statement.push_values(rows, |mut values, ((pin, kind), (payload, content))| {
            values.push_bind(&pin.owner).push_bind(&pin.name).push_bind(kind).push_bind(&pin.fingerprint);
            values.push_bind(pin.at).push_bind(pin.received_at).push_bind(pin.received_at.div_euclid(DAY));
            values.push_bind(&**payload).push_bind(&**content);
        });
        statement.push(" ON CONFLICT (owner, name) DO NOTHING");
        let query = statement.build().persistent(false);
        query.execute(&mut *write).await.map_err(fault("write pins"))?;
    }
    Ok(())
}

/// Payload and content as they are kept: where files are encrypted, both in one as a file is, and no text to be searched.
fn kept<'p>(keyring: &Keyring, pin: &'p NewPin) -> Result<(Cow<'p, str>, Cow<'p, [u8]>), Error> {
    if keyring.current().is_none() {
        return Ok((pin.payload.as_str().into(), pin.content.as_slice().into()));
    }
    let length = u32::try_from(pin.payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let both = [&length, pin.payload.as_bytes(), &pin.content].concat();
    let unkept = |error| Error::Disk(format!("What is kept of a failure could not be encrypted: {error}."));
    Ok(("".into(), sealed::sealed(keyring, both).map_err(unkept)?.into()))
}

/// The two of them again.
fn opened(keyring: &Keyring, payload: String, content: Vec<u8>) -> Result<(String, Vec<u8>), Error> {
    if !sealed::is_sealed(&content) {
        return Ok((payload, content));
    }
    let both = sealed::opened(keyring, &content)
        .map_err(|closed| Error::Damaged(format!("What was kept of a failure {closed}.")))?;
    let apart = || {
        let (length, rest) = both.split_first_chunk()?;
        let (payload, content) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        Some((String::from_utf8(payload.to_vec()).ok()?, content.to_vec()))
    };
    apart().ok_or_else(|| damaged("what was kept of a failure is cut"))
}
