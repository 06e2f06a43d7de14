//! Minute rows of calls, packed: one row of the table for all series of an integration in a minute of a flush.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::SqliteConnection;

use super::minutes::{Read, insert};
use super::series::{Interned, Series};
use super::{damaged, fault};
use crate::rollup::latency::Latency;
use crate::rollup::series::{CallsRow, Merge, Tally};
use crate::rollup::window::{Map, Minute};
use crate::signals::observation::IntegrationKey;
use crate::store::Error;

/// What a pack holds, by its number in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Calls by spans and reports.
    Calls = 1,
    /// Calls by connection or by credential.
    Facets = 2,
    /// Calls by duration metrics.
    Measured = 6,
}

/// Reads packs whole.
const WHOLE: &str = "SELECT minute, counts, histograms FROM packs \
     WHERE kind = ?4 AND minute >= ?1 AND minute < ?2 AND (?3 IS NULL OR integration = ?3)";
/// Reads packs without their histograms, which come last in a row and so are not even loaded.
const COUNTS: &str = "SELECT minute, counts, NULL FROM packs \
     WHERE kind = ?4 AND minute >= ?1 AND minute < ?2 AND (?3 IS NULL OR integration = ?3)";

/// A value that packs hold.
pub trait Packed: Merge {
    /// Appends it.
    fn pack(&self, counts: &mut Vec<u8>, histograms: &mut Vec<u8>);
    /// Reads what [`Packed::pack`] appended and moves past it; without histograms where they were not read. None when
    /// it is damaged.
    fn unpack(counts: &mut &[u8], histograms: Option<&mut &[u8]>) -> Option<Self>;
}

impl Packed for CallsRow {
    fn pack(&self, counts: &mut Vec<u8>, histograms: &mut Vec<u8>) {
        self.tally.encode(counts);
        self.good.encode(histograms);
        self.bad.encode(histograms);
    }

    fn unpack(counts: &mut &[u8], histograms: Option<&mut &[u8]>) -> Option<CallsRow> {
        let tally = Tally::decode(counts)?;
        let Some(histograms) = histograms else { return Some(CallsRow { tally, ..CallsRow::default() }) };
        Some(CallsRow { tally, good: Latency::decode(histograms)?, bad: Latency::decode(histograms)? })
    }
}

impl Packed for Tally {
    fn pack(&self, counts: &mut Vec<u8>, _: &mut Vec<u8>) {
        self.encode(counts);
    }

    fn unpack(counts: &mut &[u8], _: Option<&mut &[u8]>) -> Option<Tally> {
        Tally::decode(counts)
    }
}

/// A pack in the making.
#[derive(Debug, Default)]
struct Pack {
    counts: Vec<u8>,
    histograms: Vec<u8>,
}

/// Packs in the order of the table's key, so that its pages fill from one end.
pub struct Packs(BTreeMap<(i64, IntegrationKey), Pack>);

/// Packs the rows of a part. `numbers` are those of their series, in the order of the map.
pub fn pack<K: Series, V: Packed>(rows: &Map<(Minute, Arc<K>), V>, numbers: &[i64]) -> Result<Packs, Error> {
    let mut packs: Map<(i64, &IntegrationKey), Pack> = Map::default();
    for (((minute, key), row), number) in rows.iter().zip(numbers) {
        let pack = packs.entry((minute.0, key.integration())).or_default();
        pack.counts.extend_from_slice(&bytes_of(*number)?);
        row.pack(&mut pack.counts, &mut pack.histograms);
    }
    Ok(Packs(packs.into_iter().map(|((minute, whose), pack)| ((minute, whose.clone()), pack)).collect()))
}

/// Writes packs of a flush.
pub async fn write(write: &mut SqliteConnection, kind: Kind, part: i64, packs: Packs) -> Result<(), Error> {
    let head = "INSERT INTO packs (kind, minute, environment, integration, part, counts, histograms) ";
    let rows = packs.0.into_iter().collect();
    insert(write, head, rows, |mut values, ((minute, whose), pack): ((i64, IntegrationKey), Pack)| {
        values.push_bind(kind as i64).push_bind(minute);
        values.push_bind(whose.environment.to_string()).push_bind(whose.name.to_string());
        values.push_bind(part).push_bind(pack.counts).push_bind(pack.histograms);
    })
    .await
}

impl Read<'_> {
    /// Reads packs and merges what they hold.
    pub async fn packed<K: Series, V: Packed>(
        &self,
        snapshot: &mut SqliteConnection,
        kind: Kind,
        histograms: bool,
        series: &Interned<K>,
    ) -> Result<Map<(Minute, Arc<K>), V>, Error> {
        let mut merged: Map<(i64, i64), V> = Map::default();
        {
            let sql = if histograms { WHOLE } else { COUNTS };
            let mut packs = sqlx::query_as::<_, (i64, Vec<u8>, Option<Vec<u8>>)>(sql)
                .bind(self.from)
                .bind(self.to)
                .bind(self.integration)
                .bind(kind as i64)
                .fetch(&mut *snapshot);
            while let Some((minute, counts, histograms)) =
                packs.try_next().await.map_err(fault("read minutes"))?
            {
                let at = self.at(minute);
                let take = |number, row: V| merged.entry((at, number)).or_default().merge(&row);
                unpack(&counts, histograms.as_deref(), take)
                    .ok_or_else(|| damaged("a pack of minutes cannot be read"))?;
            }
        }
        self.keyed(snapshot, merged, series).await
    }
}

/// Gives each series of a pack with its row; none when the pack is damaged.
fn unpack<V: Packed>(
    mut counts: &[u8],
    mut histograms: Option<&[u8]>,
    mut take: impl FnMut(i64, V),
) -> Option<()> {
    while !counts.is_empty() {
        let number = number_in(&mut counts)?;
        take(number, V::unpack(&mut counts, histograms.as_mut())?);
    }
    histograms.is_none_or(<[u8]>::is_empty).then_some(())
}

/// A series' number as packs have it.
pub fn bytes_of(number: i64) -> Result<[u8; 4], Error> {
    u32::try_from(number).map(u32::to_be_bytes).map_err(|_| damaged("there are too many series"))
}

/// Reads a series' number and moves past it.
pub fn number_in(from: &mut &[u8]) -> Option<i64> {
    let (bytes, rest) = from.split_first_chunk::<4>()?;
    *from = rest;
    Some(u32::from_be_bytes(*bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(durations: &[u64]) -> CallsRow {
        let mut row = CallsRow::default();
        for us in durations {
            row.good.record(*us, 1);
            row.tally.writes += 1;
        }
        row
    }

    #[test]
    fn what_is_packed_is_what_comes_out_and_damage_is_told() {
        let rows = [(7, row(&[100, 2_000_000])), (300, row(&[])), (70_000, row(&[5]))];
        let (mut counts, mut histograms) = (Vec::new(), Vec::new());
        for (number, row) in &rows {
            counts.extend_from_slice(&bytes_of(*number).unwrap());
            row.pack(&mut counts, &mut histograms);
        }
        let read = |counts: &[u8], histograms: Option<&[u8]>| {
            let mut found = Vec::new();
            unpack(counts, histograms, |number, row: CallsRow| found.push((number, row))).map(|()| found)
        };
        assert_eq!(read(&counts, Some(&histograms)), Some(rows.to_vec()));
        let without: Vec<_> = rows.iter().map(|(number, row)| (*number, row.tally.clone())).collect();
        let found = read(&counts, None).unwrap();
        assert!(found.iter().all(|(_, row)| row.good.count() == 0));
        assert_eq!(found.into_iter().map(|(number, row)| (number, row.tally)).collect::<Vec<_>>(), without);
        assert_eq!(read(&counts[..counts.len() - 1], None), None, "cut short");
        assert_eq!(read(&counts, Some(&histograms[..histograms.len() - 1])), None, "cut short");
        let longer = [&histograms[..], &[0]].concat();
        assert_eq!(read(&counts, Some(&longer)), None, "something is left");
        assert!(bytes_of(1 << 32).is_err());
    }
}
