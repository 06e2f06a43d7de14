//! Minute rows: written as parts, merged when read.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::packs::Kind;
use super::series::{Interned, Series};
use super::{Catalog, damaged, fault, measures, watermark};
use crate::rollup::series::{GaugeRow, Merge};
use crate::rollup::window::{Map, Minute, Part};
use crate::signals::observation::GaugeKey;
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
        if detail == Detail::Measures {
            part.counters = read.rows(&mut snapshot, measures::COUNTERS, &self.counters).await?;
            part.durations = read.rows(&mut snapshot, measures::DURATIONS, &self.durations).await?;
            part.measured = read.packed(&mut snapshot, Kind::Measured, true, &self.calls).await?;
            return Ok((watermark, part));
        }
        let histograms = detail == Detail::Full;
        part.calls = read.packed(&mut snapshot, Kind::Calls, histograms, &self.calls).await?;
        if !by_half_hour {
            part.facets = read.packed(&mut snapshot, Kind::Facets, false, &self.facets).await?;
        }
        Ok((watermark, part))
    }
}

/// Writes the gauges of a part.
pub async fn write_gauges(
    write: &mut SqliteConnection,
    part: i64,
    gauges: &Map<(Minute, Arc<GaugeKey>), GaugeRow>,
    numbers: &[i64],
) -> Result<(), Error> {
    let rows = gauges.iter().zip(numbers);
    let mut rows: Vec<_> = rows.map(|(((minute, _), row), number)| (minute.0, *number, *row)).collect();
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

/// What is read of a table of minutes.
pub struct Read<'a> {
    /// The first minute.
    pub from: i64,
    /// The minute after the last.
    pub to: i64,
    /// Of integrations of this name, or of all.
    pub integration: Option<&'a str>,
    /// Merged while reading, so that a day never is in memory by minute.
    pub by_half_hour: bool,
}

impl Read<'_> {
    /// Reads rows and merges them.
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
                merged.entry((self.at(minute), id)).or_default().merge(&row);
            }
        }
        self.keyed(snapshot, merged, series).await
    }

    /// The minute that stands for a minute.
    pub fn at(&self, minute: i64) -> i64 {
        if self.by_half_hour { half_hour(Minute(minute)).0 } else { minute }
    }

    /// Gives rows the keys of their series.
    pub async fn keyed<K: Series, V>(
        &self,
        snapshot: &mut SqliteConnection,
        merged: Map<(i64, i64), V>,
        series: &Interned<K>,
    ) -> Result<Map<(Minute, Arc<K>), V>, Error> {
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

impl MinuteRow for GaugeRow {
    type Columns = (i64, i64, f64, i64, f64, f64);

    fn of((minute, series, last, last_at, min, max): Self::Columns) -> Option<((i64, i64), Self)> {
        Some(((minute, series), GaugeRow { last, last_at, min, max }))
    }
}
