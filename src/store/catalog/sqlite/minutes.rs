//! Minute rows: written as parts, merged when read.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::series::{Interned, Series};
use super::{Catalog, damaged, fault, measures, watermark};
use crate::rollup::latency::Latency;
use crate::rollup::series::{CallsRow, GaugeRow, Merge, Tally};
use crate::rollup::window::{Map, Minute, Part};
use crate::signals::observation::{CallKey, FacetKey, GaugeKey};
use crate::store::recent::half_hour;
use crate::store::{Detail, Error};

/// Rows of one statement; well below SQLite's 32,766 parameters.
const CHUNK: usize = 1000;

impl Catalog {
    /// The minutes [from, to) as committed, and the watermark they go up to.
    pub async fn window(
        &self,
        from: Minute,
        to: Minute,
        integration: Option<&str>,
        detail: Detail,
    ) -> Result<(u64, Part), Error> {
        let mut snapshot = self.snapshot().await?;
        let watermark = watermark(&mut snapshot).await?;
        let gauges = "SELECT minute, series, last, last_at, min, max FROM gauges_minute \
             WHERE minute >= ?1 AND minute < ?2 AND (?3 IS NULL OR series IN ( \
                     SELECT id FROM series WHERE kind = 3 AND integration = ?3))";
        let by_half_hour = detail == Detail::HalfHours;
        let read = Read { from: from.0, to: to.0, integration, by_half_hour };
        let mut part =
            Part { gauges: read.rows(&mut snapshot, gauges, &self.gauges).await?, ..Part::default() };
        let calls = match detail {
            Detail::Full => {
                "SELECT minute, series, tally, good, bad FROM calls_minute \
                 WHERE minute >= ?1 AND minute < ?2 AND (?3 IS NULL OR series IN ( \
                     SELECT id FROM series WHERE kind = 1 AND integration = ?3))"
            }
            Detail::Counts | Detail::HalfHours => {
                "SELECT minute, series, tally, x'00', x'00' FROM calls_minute \
                 WHERE minute >= ?1 AND minute < ?2 AND (?3 IS NULL OR series IN ( \
                     SELECT id FROM series WHERE kind = 1 AND integration = ?3))"
            }
            Detail::Measures => {
                part.counters = read.rows(&mut snapshot, measures::COUNTERS, &self.counters).await?;
                part.durations = read.rows(&mut snapshot, measures::DURATIONS, &self.durations).await?;
                part.measured = read.rows(&mut snapshot, measures::MEASURED, &self.calls).await?;
                return Ok((watermark, part));
            }
        };
        let facets = "SELECT minute, series, tally FROM facets_minute \
             WHERE minute >= ?1 AND minute < ?2 AND (?3 IS NULL OR series IN ( \
                     SELECT id FROM series WHERE kind = 2 AND integration = ?3))";
        part.calls = read.rows(&mut snapshot, calls, &self.calls).await?;
        if !by_half_hour {
            part.facets = read.rows(&mut snapshot, facets, &self.facets).await?;
        }
        Ok((watermark, part))
    }
}

/// Which calls.
#[derive(Clone, Copy, Debug)]
pub enum Calls {
    /// By spans and reports.
    Counted,
    /// By duration metrics.
    Measured,
}

/// Writes the calls of a part into one of the tables of calls.
pub async fn write_calls(
    write: &mut SqliteConnection,
    table: Calls,
    part: i64,
    calls: &Map<(Minute, Arc<CallKey>), CallsRow>,
    numbers: &Map<Arc<CallKey>, i64>,
) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(calls.len());
    for ((minute, key), row) in calls {
        let (mut tally, mut good, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        row.tally.encode(&mut tally);
        row.good.encode(&mut good);
        row.bad.encode(&mut bad);
        rows.push((minute.0, number(numbers, key)?, tally, good, bad));
    }
    // In the order of the key, so that pages fill from one end.
    rows.sort_unstable_by_key(|row| (row.0, row.1));
    let head = match table {
        Calls::Counted => "INSERT INTO calls_minute (minute, series, part, tally, good, bad) ",
        Calls::Measured => "INSERT INTO measured_minute (minute, series, part, tally, good, bad) ",
    };
    insert(write, head, rows, |mut values, (minute, series, tally, good, bad)| {
        values.push_bind(minute).push_bind(series).push_bind(part);
        values.push_bind(tally).push_bind(good).push_bind(bad);
    })
    .await
}

/// Writes the calls by connection and by credential of a part.
pub async fn write_facets(
    write: &mut SqliteConnection,
    part: i64,
    facets: &Map<(Minute, Arc<FacetKey>), Tally>,
    numbers: &Map<Arc<FacetKey>, i64>,
) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(facets.len());
    for ((minute, key), row) in facets {
        let mut tally = Vec::new();
        row.encode(&mut tally);
        rows.push((minute.0, number(numbers, key)?, tally));
    }
    rows.sort_unstable_by_key(|row| (row.0, row.1));
    let head = "INSERT INTO facets_minute (minute, series, part, tally) ";
    insert(write, head, rows, |mut values, (minute, series, tally)| {
        values.push_bind(minute).push_bind(series).push_bind(part).push_bind(tally);
    })
    .await
}

/// Writes the gauges of a part.
pub async fn write_gauges(
    write: &mut SqliteConnection,
    part: i64,
    gauges: &Map<(Minute, Arc<GaugeKey>), GaugeRow>,
    numbers: &Map<Arc<GaugeKey>, i64>,
) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(gauges.len());
    for ((minute, key), row) in gauges {
        rows.push((minute.0, number(numbers, key)?, *row));
    }
    rows.sort_unstable_by_key(|row| (row.0, row.1));
    let head = "INSERT INTO gauges_minute (minute, series, part, last, last_at, min, max) ";
    insert(write, head, rows, |mut values, (minute, series, row)| {
        values.push_bind(minute).push_bind(series).push_bind(part);
        values.push_bind(row.last).push_bind(row.last_at).push_bind(row.min).push_bind(row.max);
    })
    .await
}

/// The values of one row of a statement.
pub type Values<'a> = sqlx::query_builder::Separated<'a, Sqlite, &'static str>;

/// Inserts rows, many with one statement.
pub async fn insert<T>(
    write: &mut SqliteConnection,
    head: &'static str,
    rows: Vec<T>,
    mut push: impl FnMut(Values<'_>, T),
) -> Result<(), Error> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut statement = QueryBuilder::<Sqlite>::new(head);
        statement.push_values(rows.by_ref().take(CHUNK), &mut push);
        // Chunks differ in length: a cache of their statements would only hold memory.
        let query = statement.build().persistent(false);
        query.execute(&mut *write).await.map_err(fault("write minutes"))?;
    }
    Ok(())
}

/// The number of a series.
pub fn number<K: Series>(numbers: &Map<Arc<K>, i64>, key: &Arc<K>) -> Result<i64, Error> {
    numbers.get(key).copied().ok_or_else(|| damaged("a series has no number"))
}

/// What is read of a table of minutes.
struct Read<'a> {
    from: i64,
    to: i64,
    integration: Option<&'a str>,
    /// Merged while reading, so that a day never is in memory by minute.
    by_half_hour: bool,
}

impl Read<'_> {
    async fn rows<K: Series, V: MinuteRow>(
        &self,
        snapshot: &mut SqliteConnection,
        sql: &'static str,
        series: &Interned<K>,
    ) -> Result<Map<(Minute, Arc<K>), V>, Error> {
        let mut merged: Map<(i64, i64), V> = Map::default();
        {
            let mut rows = sqlx::query_as::<_, V::Columns>(sql)
                .bind(self.from)
                .bind(self.to)
                .bind(self.integration)
                .fetch(&mut *snapshot);
            while let Some(columns) = rows.try_next().await.map_err(fault("read minutes"))? {
                let ((minute, id), row) =
                    V::of(columns).ok_or_else(|| damaged("a minute row cannot be read"))?;
                let minute = if self.by_half_hour { half_hour(Minute(minute)).0 } else { minute };
                merged.entry((minute, id)).or_default().merge(&row);
            }
        }
        let ids: std::collections::BTreeSet<i64> = merged.keys().map(|(_, id)| *id).collect();
        let keys = series.keys(snapshot, ids.into_iter()).await?;
        let keyed = merged.into_iter().map(|((minute, id), row)| {
            let key =
                keys.get(&id).ok_or_else(|| damaged("a minute row names a series that is not there"))?;
            Ok(((Minute(minute), key.clone()), row))
        });
        keyed.collect()
    }
}

/// A row of a table of minutes: its columns, and what they are merged as.
pub trait MinuteRow: Merge {
    /// As selected.
    type Columns: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin;

    /// ((minute, series), value); none when it is damaged.
    fn of(columns: Self::Columns) -> Option<((i64, i64), Self)>;
}

impl MinuteRow for CallsRow {
    type Columns = (i64, i64, Vec<u8>, Vec<u8>, Vec<u8>);

    fn of((minute, series, tally, good, bad): Self::Columns) -> Option<((i64, i64), Self)> {
        let row = CallsRow {
            tally: Tally::decode(&mut &tally[..])?,
            good: Latency::decode(&mut &good[..])?,
            bad: Latency::decode(&mut &bad[..])?,
        };
        Some(((minute, series), row))
    }
}

impl MinuteRow for Tally {
    type Columns = (i64, i64, Vec<u8>);

    fn of((minute, series, tally): Self::Columns) -> Option<((i64, i64), Self)> {
        Some(((minute, series), Tally::decode(&mut &tally[..])?))
    }
}

impl MinuteRow for GaugeRow {
    type Columns = (i64, i64, f64, i64, f64, f64);

    fn of((minute, series, last, last_at, min, max): Self::Columns) -> Option<((i64, i64), Self)> {
        Some(((minute, series), GaugeRow { last, last_at, min, max }))
    }
}
