//! Claims: which sequence number a body was counted under.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{Catalog, damaged, fault};
use crate::signals::telemetry::Nanos;
use crate::store::Error;

/// Rows of one statement.
const CHUNK: usize = 5000;

impl Catalog {
    /// The newest `most` claims made at or after `since`, oldest first.
    pub async fn claims(&self, since: Nanos, most: usize) -> Result<Vec<(u128, u64, Nanos)>, Error> {
        let rows: Vec<(Vec<u8>, i64, i64)> = sqlx::query_as(
            "SELECT hash, seq, at FROM claims WHERE at >= ?1 ORDER BY at DESC, hash DESC LIMIT ?2",
        )
        .bind(since)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read the claims"))?;
        rows.into_iter()
            .rev()
            .map(|(hash, seq, at)| {
                let hash = <[u8; 16]>::try_from(hash).ok()?;
                Some((u128::from_be_bytes(hash), u64::try_from(seq).ok()?, at))
            })
            .collect::<Option<_>>()
            .ok_or_else(|| damaged("a claim cannot be read"))
    }
}

/// Keeps claims and forgets those made before `oldest`. A hash that is claimed again belongs to its later owner: the
/// corridor claims it again only once the earlier claim's time is over.
pub async fn write(
    write: &mut SqliteConnection,
    claims: &[(u128, u64, Nanos)],
    oldest: Nanos,
) -> Result<(), Error> {
    sqlx::query("DELETE FROM claims WHERE at < ?1")
        .bind(oldest)
        .execute(&mut *write)
        .await
        .map_err(fault("forget old claims"))?;
    for chunk in claims.chunks(CHUNK) {
        let mut statement = QueryBuilder::<Sqlite>::new("INSERT INTO claims (hash, seq, at) ");
        statement.push_values(chunk, |mut values, (hash, seq, at)| {
            values.push_bind(hash.to_be_bytes().to_vec());
            values.push_bind(i64::try_from(*seq).unwrap_or(i64::MAX)).push_bind(*at);
        });
        statement.push(" ON CONFLICT (hash) DO UPDATE SET seq = excluded.seq, at = excluded.at WHERE excluded.at > claims.at");
        let query = statement.build().persistent(false);
        query.execute(&mut *write).await.map_err(fault("write claims"))?;
    }
    Ok(())
}
