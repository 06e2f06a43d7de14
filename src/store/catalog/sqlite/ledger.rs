//! The record ledger: a row a record, the first time of each hop.

use futures_util::TryStreamExt;
use sqlx::SqliteConnection;

use super::{Catalog, fault, json};
use crate::rollup::ledger::{KEPT as KEPT_MINUTES, RecordKey, Way};
use crate::rollup::window::{MINUTE, Map};
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::store::Error;

/// A row goes once this long after its first hop: nobody looks back further, in memory or here.
const KEPT: Nanos = KEPT_MINUTES * MINUTE;

type Columns = (
    String,
    String,
    String,
    String,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

impl Catalog {
    /// Hands over the records of an integration by name, or of all, that were heard of first since an instant.
    pub async fn ledger(
        &self,
        name: Option<&str>,
        since: Nanos,
        mut take: impl FnMut(RecordKey, Way),
    ) -> Result<(), Error> {
        let mut rows = sqlx::query_as::<_, Columns>(
            "SELECT environment, integration, entity, record, received, queued, processed, written, confirmed, \
                 trace \
             FROM ledger WHERE first_at >= ?1 AND (?2 IS NULL OR integration = ?2)",
        )
        .bind(since)
        .bind(name)
        .fetch(&self.readers);
        while let Some(row) = rows.try_next().await.map_err(fault("read the ledger"))? {
            let integration = IntegrationKey { environment: row.0.into(), name: row.1.into() };
            let key = RecordKey { integration, entity: row.2.into(), record: row.3.into() };
            let told = row.9.as_deref().and_then(trace_of);
            take(key, Way { hops: [row.4, row.5, row.6, row.7, row.8], told });
        }
        Ok(())
    }
}

/// When, in as many digits as any instant has, then which: the later is the greater text.
fn trace_text(told: (Nanos, u128)) -> String {
    format!("{:019}{:032x}", told.0.max(0), told.1)
}

fn trace_of(text: &str) -> Option<(Nanos, u128)> {
    let (at, trace) = text.split_at_checked(19)?;
    Some((at.parse().ok()?, u128::from_str_radix(trace, 16).ok()?))
}

/// Merges records into their rows, and drops those of more than a day ago.
pub async fn write(write: &mut SqliteConnection, ledger: &Map<RecordKey, Way>) -> Result<(), Error> {
    let Some(latest) = ledger.values().filter_map(Way::last).max() else { return Ok(()) };
    let rows: Vec<_> = ledger
        .iter()
        .filter_map(|(key, way)| {
            let whose = &key.integration;
            let trace = way.told.map(trace_text);
            Some((&whose.environment, &whose.name, &key.entity, &key.record, way.first()?, way.hops, trace))
        })
        .collect();
    let earlier = |hop: &str| {
        format!("{hop} = min(coalesce(ledger.{hop}, excluded.{hop}), coalesce(excluded.{hop}, ledger.{hop}))")
    };
    let hops =
        ["first_at", "received", "queued", "processed", "written", "confirmed"].map(earlier).join(", ");
    let statement = format!(
        "INSERT INTO ledger (environment, integration, entity, record, first_at, received, queued, processed, \
             written, confirmed, trace) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> '$[5][0]', \
             value ->> '$[5][1]', value ->> '$[5][2]', value ->> '$[5][3]', value ->> '$[5][4]', value ->> 6 \
         FROM json_each(?1) WHERE true \
         ON CONFLICT (environment, integration, entity, record) DO UPDATE SET {hops}, \
             trace = max(coalesce(ledger.trace, excluded.trace), coalesce(excluded.trace, ledger.trace))"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(json(&rows)?)
        .execute(&mut *write)
        .await
        .map_err(fault("write the ledger"))?;
    sqlx::query("DELETE FROM ledger WHERE first_at < ?1")
        .bind(latest.saturating_sub(KEPT))
        .execute(write)
        .await
        .map_err(fault("forget old records"))?;
    Ok(())
}
