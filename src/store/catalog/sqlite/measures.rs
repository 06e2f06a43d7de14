//! Minute rows of counters and durations.

use std::sync::Arc;

use sqlx::SqliteConnection;

use super::minutes::{MinuteRow, insert};
use crate::rollup::latency::Latency;
use crate::rollup::measure::{CounterRow, DurationRow};
use crate::rollup::window::{Map, Minute};
use crate::signals::measure::{CounterKey, DurationKey};
use crate::store::Error;

/// Reads counters of [?1, ?2) minutes, of the integrations of a name or all.
pub const COUNTERS: &str = "SELECT minute, series, sum FROM counters_minute \
     WHERE minute >= ?1 AND minute < ?2 AND (?3 IS NULL OR series IN ( \
         SELECT id FROM series WHERE kind = 4 AND integration = ?3))";
/// Reads durations.
pub const DURATIONS: &str = "SELECT minute, series, histogram, beyond, sum, estimated FROM durations_minute \
     WHERE minute >= ?1 AND minute < ?2 AND (?3 IS NULL OR series IN ( \
         SELECT id FROM series WHERE kind = 5 AND integration = ?3))";

/// Writes the counters of a part.
pub async fn write_counters(
    write: &mut SqliteConnection,
    part: i64,
    counters: &Map<(Minute, Arc<CounterKey>), CounterRow>,
    numbers: &[i64],
) -> Result<(), Error> {
    let rows = counters.iter().zip(numbers);
    let mut rows: Vec<_> = rows.map(|(((minute, _), row), number)| (minute.0, *number, row.sum)).collect();
    rows.sort_unstable_by_key(|row| (row.0, row.1));
    let head = "INSERT INTO counters_minute (minute, series, part, sum) ";
    insert(write, head, rows, |mut values, (minute, series, sum)| {
        values.push_bind(minute).push_bind(series).push_bind(part).push_bind(sum);
    })
    .await
}

/// Writes the durations of a part.
pub async fn write_durations(
    write: &mut SqliteConnection,
    part: i64,
    durations: &Map<(Minute, Arc<DurationKey>), DurationRow>,
    numbers: &[i64],
) -> Result<(), Error> {
    let mut rows = Vec::with_capacity(durations.len());
    for (((minute, _), row), number) in durations.iter().zip(numbers) {
        let (mut histogram, mut beyond) = (Vec::new(), Vec::new());
        row.histogram.encode(&mut histogram);
        row.beyond.encode(&mut beyond);
        rows.push((minute.0, *number, histogram, beyond, row.sum_us, row.estimated));
    }
    rows.sort_unstable_by_key(|row| (row.0, row.1));
    let head = "INSERT INTO durations_minute (minute, series, part, histogram, beyond, sum, estimated) ";
    insert(write, head, rows, |mut values, (minute, series, histogram, beyond, sum, estimated)| {
        values.push_bind(minute).push_bind(series).push_bind(part);
        values.push_bind(histogram).push_bind(beyond).push_bind(sum).push_bind(estimated);
    })
    .await
}

impl MinuteRow for CounterRow {
    type Columns = (i64, i64, f64);

    fn of((minute, series, sum): Self::Columns) -> Option<((i64, i64), Self)> {
        Some(((minute, series), CounterRow { sum }))
    }
}

impl MinuteRow for DurationRow {
    type Columns = (i64, i64, Vec<u8>, Vec<u8>, f64, bool);

    fn of(
        (minute, series, histogram, beyond, sum_us, estimated): Self::Columns,
    ) -> Option<((i64, i64), Self)> {
        let row = DurationRow {
            histogram: Latency::decode(&mut &histogram[..])?,
            beyond: Latency::decode(&mut &beyond[..])?,
            sum_us,
            estimated,
        };
        Some(((minute, series), row))
    }
}
