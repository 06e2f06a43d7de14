//! What is usual, and what the signals said last: written with a tick, read whole.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{Catalog, damaged, fault, from_json, json};
use crate::health::value::Value;
use crate::rollup::window::Minute;
use crate::signals::observation::IntegrationKey;
use crate::store::Error;
use crate::store::catalog::{Learned, Tick};
use crate::usual::Usual;
use crate::usual::key::{Figure, UsualKey};
use crate::usual::track::Track;

/// Rows of one statement.
const CHUNK: usize = 500;

impl Catalog {
    /// What was learned when it was kept last. A track of a figure that this version does not know is left alone.
    pub async fn usual(&self) -> Result<Usual, Error> {
        let mut snapshot = self.snapshot().await?;
        let until: Option<(i64,)> = sqlx::query_as("SELECT value FROM meta WHERE name = 'usual_until'")
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(fault("read what is usual"))?;
        let rows: Vec<(String, String, String, String, Vec<u8>)> =
            sqlx::query_as("SELECT environment, integration, figure, name, track FROM usual")
                .fetch_all(&mut *snapshot)
                .await
                .map_err(fault("read what is usual"))?;
        let mut tracks = BTreeMap::new();
        for (environment, integration, figure, name, track) in rows {
            let Some(figure) = Figure::from_name(&figure) else { continue };
            let track = Track::decode(&track).ok_or_else(|| damaged("what is usual cannot be read"))?;
            let integration = IntegrationKey { environment: environment.into(), name: integration.into() };
            tracks.insert(UsualKey { integration, figure, name: name.into() }, track);
        }
        Ok(Usual::of(until.map(|(until,)| Minute(until)), tracks))
    }

    /// What the signals said at the last tick of an integration by name, or of all.
    pub async fn values(&self, integration: Option<&str>) -> Result<Vec<Value>, Error> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT items FROM signal_values WHERE ?1 IS NULL OR integration = ?1 \
             ORDER BY integration, environment",
        )
        .bind(integration)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read the signals"))?;
        let mut values = Vec::new();
        for (items,) in rows {
            values.extend(from_json::<Vec<Value>>(&items)?);
        }
        Ok(values)
    }
}

/// Writes what a tick learned and said.
pub async fn write(write: &mut SqliteConnection, tick: &Tick<'_>) -> Result<(), Error> {
    if let Some(values) = tick.values {
        write_values(write, tick.at, values).await?;
    }
    let Some(Learned { until, tracks, gone }) = tick.usual else { return Ok(()) };
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES ('usual_until', ?1) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(until.0)
    .execute(&mut *write)
    .await
    .map_err(fault("write what is usual"))?;
    for chunk in tracks.chunks(CHUNK) {
        let mut statement =
            QueryBuilder::<Sqlite>::new("INSERT INTO usual (environment, integration, figure, name, track) ");
        statement.push_values(chunk, |mut values, (key, track)| {
            values.push_bind(key.integration.environment.to_string());
            values.push_bind(key.integration.name.to_string());
            values.push_bind(key.figure.name()).push_bind(key.name.to_string()).push_bind(track.encode());
        });
        statement.push(
            " ON CONFLICT (environment, integration, figure, name) DO UPDATE SET track = excluded.track",
        );
        let query = statement.build().persistent(false);
        query.execute(&mut *write).await.map_err(fault("write what is usual"))?;
    }
    let gone: Vec<_> = gone
        .iter()
        .map(|key| (&key.integration.environment, &key.integration.name, key.figure.name(), &key.name))
        .collect();
    if !gone.is_empty() {
        sqlx::query(
            "DELETE FROM usual WHERE (environment, integration, figure, name) IN ( \
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1))",
        )
        .bind(json(&gone)?)
        .execute(write)
        .await
        .map_err(fault("forget what is usual"))?;
    }
    Ok(())
}

async fn write_values(write: &mut SqliteConnection, tick: Minute, values: &[Value]) -> Result<(), Error> {
    use crate::signals::signal::Label;
    let mut by_integration: BTreeMap<(&str, &str), Vec<&Value>> = BTreeMap::new();
    for value in values.iter().filter(|value| value.value.is_finite()) {
        let whose = (value.label(Label::Environment), value.label(Label::Integration));
        by_integration.entry(whose).or_default().push(value);
    }
    let rows = by_integration
        .iter()
        .map(|((environment, integration), items)| Ok((*environment, *integration, json(items)?)));
    let rows: Vec<(&str, &str, String)> = rows.collect::<Result<_, Error>>()?;
    sqlx::query(
        "DELETE FROM signal_values WHERE (environment, integration) NOT IN ( \
             SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
    )
    .bind(json(&rows.iter().map(|row| (row.0, row.1)).collect::<Vec<_>>())?)
    .execute(&mut *write)
    .await
    .map_err(fault("write the signals"))?;
    for chunk in rows.chunks(CHUNK) {
        let mut statement =
            QueryBuilder::<Sqlite>::new("INSERT INTO signal_values (environment, integration, tick, items) ");
        statement.push_values(chunk, |mut values, (environment, integration, items)| {
            values.push_bind(environment.to_string()).push_bind(integration.to_string());
            values.push_bind(tick.0).push_bind(items.clone());
        });
        statement.push(
            " ON CONFLICT (environment, integration) DO UPDATE SET tick = excluded.tick, items = excluded.items",
        );
        let query = statement.build().persistent(false);
        query.execute(&mut *write).await.map_err(fault("write the signals"))?;
    }
    Ok(())
}
