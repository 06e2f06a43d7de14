//! The latest outcomes of calls: a state, merged by the flush, many series a row.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::packs::{bytes_of, number_in};
use super::{Catalog, damaged, fault, json};
use crate::rollup::series::{Merge, OUTCOMES, Outcomes};
use crate::rollup::window::Map;
use crate::signals::observation::CallKey;
use crate::store::Error;

/// Series of a row: together about a page, so that one call writes no more than a page.
const SERIES: i64 = 32;
/// Rows of one statement.
const CHUNK: usize = 1000;

/// Outcomes by number of series.
type Bucket = BTreeMap<i64, Outcomes>;

impl Catalog {
    /// The latest outcomes of all series as a snapshot sees them.
    pub(super) async fn outcomes(
        &self,
        snapshot: &mut SqliteConnection,
    ) -> Result<Map<Arc<CallKey>, Outcomes>, Error> {
        let rows: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT outcomes FROM latest_outcomes")
            .fetch_all(&mut *snapshot)
            .await
            .map_err(fault("read the outcomes"))?;
        let mut kept = Bucket::new();
        for (row,) in rows {
            kept.append(&mut decode(&row)?);
        }
        let keys = self.calls.keys(snapshot, kept.keys().copied()).await?;
        let keyed = kept.into_iter().map(|(number, outcomes)| {
            let key = keys.get(&number).ok_or_else(|| damaged("outcomes name a series that is not there"))?;
            Ok((key.clone(), outcomes))
        });
        keyed.collect()
    }
}

/// Merges outcomes of series, given with their numbers, into their rows.
pub async fn write<'o>(
    write: &mut SqliteConnection,
    latest: impl Iterator<Item = (&'o Outcomes, &'o i64)>,
) -> Result<(), Error> {
    let mut buckets: BTreeMap<i64, Vec<(i64, &Outcomes)>> = BTreeMap::new();
    for (outcomes, number) in latest {
        buckets.entry(*number / SERIES).or_default().push((*number, outcomes));
    }
    if buckets.is_empty() {
        return Ok(());
    }
    let wanted: Vec<i64> = buckets.keys().copied().collect();
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT bucket, outcomes FROM latest_outcomes WHERE bucket IN (SELECT value FROM json_each(?1))",
    )
    .bind(json(&wanted)?)
    .fetch_all(&mut *write)
    .await
    .map_err(fault("read the outcomes"))?;
    let mut kept: BTreeMap<i64, Vec<u8>> = rows.into_iter().collect();
    let mut merged = Vec::with_capacity(buckets.len());
    for (at, latest) in buckets {
        let mut bucket = decode(&kept.remove(&at).unwrap_or_default())?;
        for (number, outcomes) in latest {
            bucket.entry(number).or_default().merge(outcomes);
        }
        merged.push((at, encode(&bucket)?));
    }
    for chunk in merged.chunks_mut(CHUNK) {
        let mut statement = QueryBuilder::<Sqlite>::new("INSERT INTO latest_outcomes (bucket, outcomes) ");
        statement.push_values(chunk, |mut values, (at, outcomes)| {
            values.push_bind(*at).push_bind(std::mem::take(outcomes));
        });
        statement.push(" ON CONFLICT (bucket) DO UPDATE SET outcomes = excluded.outcomes");
        let query = statement.build().persistent(false);
        query.execute(&mut *write).await.map_err(fault("write the outcomes"))?;
    }
    Ok(())
}

fn encode(bucket: &Bucket) -> Result<Vec<u8>, Error> {
    let mut row = Vec::with_capacity(bucket.len() * (5 + 17 * OUTCOMES));
    for (number, Outcomes { latest }) in bucket {
        row.extend_from_slice(&bytes_of(*number)?);
        row.push(latest.len().min(OUTCOMES) as u8);
        for (time, operation, good) in latest.iter().take(OUTCOMES) {
            row.extend_from_slice(&time.to_be_bytes());
            row.extend_from_slice(&operation.to_be_bytes());
            row.push(u8::from(*good));
        }
    }
    Ok(row)
}

fn decode(mut row: &[u8]) -> Result<Bucket, Error> {
    let mut bucket = Bucket::new();
    while !row.is_empty() {
        let (number, outcomes) = one(&mut row).ok_or_else(|| damaged("outcomes cannot be read"))?;
        bucket.insert(number, outcomes);
    }
    Ok(bucket)
}

/// Reads what is kept of one series and moves past it; none when it is damaged.
fn one(row: &mut &[u8]) -> Option<(i64, Outcomes)> {
    let number = number_in(row)?;
    let (count, rest) = row.split_first()?;
    *row = rest;
    let mut latest = Vec::with_capacity(OUTCOMES);
    for _ in 0..*count {
        let (time, rest) = row.split_first_chunk::<8>()?;
        let (operation, rest) = rest.split_first_chunk::<8>()?;
        let (good, rest) = rest.split_first()?;
        *row = rest;
        latest.push((i64::from_be_bytes(*time), u64::from_be_bytes(*operation), *good != 0));
    }
    Some((number, Outcomes { latest }))
}
