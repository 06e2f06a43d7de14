//! Segment rows: which files there are, and what may be in them.

use std::collections::HashSet;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{Catalog, damaged, fault, from_json, json, watermark};
use crate::signals::telemetry::Nanos;
use crate::store::Error;
use crate::store::catalog::{Segment, Signal};
use crate::store::segments::columns::SCHEMA_VERSION;

type Row = (Vec<u8>, String, i64, i64, i64, i64, String, String);

impl Catalog {
    /// The segments of a signal that touch [from, to), the one with the latest rows first, and the watermark they
    /// go up to.
    pub async fn segments(
        &self,
        signal: Signal,
        from: Nanos,
        to: Nanos,
    ) -> Result<(u64, Vec<Segment>), Error> {
        let mut snapshot = self.snapshot().await?;
        let watermark = watermark(&mut snapshot).await?;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, day, tmin, tmax, rows, bytes, path, integrations FROM segments \
             WHERE signal = ?1 AND tmax >= ?2 AND tmin < ?3 AND replaced_at IS NULL ORDER BY tmax DESC, id DESC",
        )
        .bind(signal.name())
        .bind(from)
        .bind(to)
        .fetch_all(&mut *snapshot)
        .await
        .map_err(fault("read the segments"))?;
        let segments = rows.into_iter().map(|(id, day, tmin, tmax, rows, bytes, path, integrations)| {
            let id = id.try_into().map_err(|_| damaged("a segment's id cannot be read"))?;
            let integrations = from_json(&integrations)?;
            Ok(Segment { id, signal, day, tmin, tmax, rows, bytes, path, integrations })
        });
        Ok((watermark, segments.collect::<Result<_, Error>>()?))
    }

    /// The paths of all segments, replaced ones too.
    pub async fn segment_paths(&self) -> Result<HashSet<String>, Error> {
        let paths: Vec<(String,)> = sqlx::query_as("SELECT path FROM segments")
            .fetch_all(&self.readers)
            .await
            .map_err(fault("read the segments"))?;
        Ok(paths.into_iter().map(|(path,)| path).collect())
    }
}

/// Names segments that are durable.
pub async fn write(write: &mut SqliteConnection, segments: &[Segment]) -> Result<(), Error> {
    if segments.is_empty() {
        return Ok(());
    }
    let rows = segments.iter().map(|segment| Ok((segment, json(&segment.integrations)?)));
    let rows: Vec<_> = rows.collect::<Result<_, Error>>()?;
    let mut statement = QueryBuilder::<Sqlite>::new(
        "INSERT INTO segments (id, signal, level, day, tmin, tmax, rows, bytes, path, schema_version, integrations) ",
    );
    statement.push_values(rows, |mut values, (segment, integrations)| {
        values.push_bind(segment.id.to_vec()).push_bind(segment.signal.name()).push_bind(0i64);
        values.push_bind(segment.day.clone()).push_bind(segment.tmin).push_bind(segment.tmax);
        values.push_bind(segment.rows).push_bind(segment.bytes).push_bind(segment.path.clone());
        values.push_bind(SCHEMA_VERSION).push_bind(integrations);
    });
    statement.build().execute(write).await.map_err(fault("write segment rows"))?;
    Ok(())
}
