//! Metric streams: where each stands at the watermark.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{Catalog, damaged, fault, json, watermark};
use crate::rollup::stream::{Changes, encode};
use crate::signals::observation::IntegrationKey;
use crate::store::Error;

/// Rows of one statement.
const CHUNK: usize = 1000;

impl Catalog {
    /// The streams of the integrations of a name, or all, and the watermark they stand at.
    pub async fn streams(&self, integration: Option<&str>) -> Result<(u64, Changes), Error> {
        let mut snapshot = self.snapshot().await?;
        let watermark = watermark(&mut snapshot).await?;
        let mut kept = Changes::default();
        let rows: Vec<(Vec<u8>, String, String, Vec<u8>)> = sqlx::query_as(
            "SELECT id, environment, integration, state FROM streams WHERE ?1 IS NULL OR integration = ?1",
        )
        .bind(integration)
        .fetch_all(&mut *snapshot)
        .await
        .map_err(fault("read the metric streams"))?;
        for (id, environment, integration, state) in rows {
            let id = <[u8; 16]>::try_from(id).map(u128::from_be_bytes);
            let stream = encode::decode(&environment, &integration, &state);
            let (Ok(id), Some(stream)) = (id, stream) else {
                return Err(damaged("a metric stream cannot be read"));
            };
            kept.streams.insert(id, Some(stream));
        }
        let floors: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT environment, integration, floor FROM stream_floors WHERE ?1 IS NULL OR integration = ?1",
        )
        .bind(integration)
        .fetch_all(&mut *snapshot)
        .await
        .map_err(fault("read the metric streams"))?;
        for (environment, name, floor) in floors {
            let key = IntegrationKey { environment: environment.into(), name: name.into() };
            kept.floors.insert(key, floor);
        }
        Ok((watermark, kept))
    }
}

/// Writes what changed.
pub async fn write(write: &mut SqliteConnection, changes: &Changes) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(changes.streams.len());
    let mut gone = Vec::new();
    for (id, stream) in &changes.streams {
        match stream {
            Some(stream) => rows.push((id.to_be_bytes().to_vec(), stream)),
            None => gone.push(id.to_be_bytes().to_vec()),
        }
    }
    rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    for chunk in rows.chunks(CHUNK) {
        let mut statement =
            QueryBuilder::<Sqlite>::new("INSERT INTO streams (id, environment, integration, state) ");
        statement.push_values(chunk, |mut values, (id, stream)| {
            values.push_bind(id.clone()).push_bind(stream.integration.environment.to_string());
            values.push_bind(stream.integration.name.to_string()).push_bind(encode::encode(stream));
        });
        statement.push(" ON CONFLICT (id) DO UPDATE SET state = excluded.state");
        let query = statement.build().persistent(false);
        query.execute(&mut *write).await.map_err(fault("write the metric streams"))?;
    }
    for chunk in gone.chunks(CHUNK) {
        let mut statement = QueryBuilder::<Sqlite>::new("DELETE FROM streams WHERE id IN (");
        let mut ids = statement.separated(", ");
        for id in chunk {
            ids.push_bind(id.clone());
        }
        statement.push(")");
        let query = statement.build().persistent(false);
        query.execute(&mut *write).await.map_err(fault("forget metric streams"))?;
    }
    if changes.floors.is_empty() {
        return Ok(());
    }
    let floors: Vec<(&str, &str, i64)> =
        changes.floors.iter().map(|(key, floor)| (&*key.environment, &*key.name, *floor)).collect();
    sqlx::query(
        "INSERT INTO stream_floors (environment, integration, floor) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true \
         ON CONFLICT (environment, integration) DO UPDATE SET floor = max(floor, excluded.floor)",
    )
    .bind(json(&floors)?)
    .execute(write)
    .await
    .map_err(fault("forget metric streams"))?;
    Ok(())
}
