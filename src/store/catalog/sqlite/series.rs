//! Series keys, interned: written once, known by a small number ever after.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

use super::{damaged, fault, from_json, json};
use crate::rollup::window::Map;
use crate::signals::measure::{CounterKey, DurationKey};
use crate::signals::observation::{CallKey, FacetKey, GaugeKey, IntegrationKey};
use crate::store::Error;

/// Series known without asking the table. Beyond it all are forgotten and looked up again as they come: over months
/// endpoints come and go, and what is gone must not stay in memory.
const MOST: usize = 100_000;

/// Stands for a number until it is there.
const UNKNOWN: i64 = i64::MIN;

/// A key that minute rows name by number.
pub trait Series: Eq + Hash + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its kind in the table.
    const KIND: i64;
    /// Whose it is.
    fn integration(&self) -> &IntegrationKey;
}

impl Series for CallKey {
    const KIND: i64 = 1;
    fn integration(&self) -> &IntegrationKey {
        &self.integration
    }
}

impl Series for FacetKey {
    const KIND: i64 = 2;
    fn integration(&self) -> &IntegrationKey {
        &self.integration
    }
}

impl Series for GaugeKey {
    const KIND: i64 = 3;
    fn integration(&self) -> &IntegrationKey {
        &self.integration
    }
}

impl Series for CounterKey {
    const KIND: i64 = 4;
    fn integration(&self) -> &IntegrationKey {
        &self.series.integration
    }
}

impl Series for DurationKey {
    const KIND: i64 = 5;
    fn integration(&self) -> &IntegrationKey {
        &self.series.integration
    }
}

/// The committed numbers of one kind of series. Rows are never changed, so what is known stays true.
#[derive(Debug)]
pub struct Interned<K> {
    known: RwLock<Known<K>>,
}

#[derive(Debug)]
struct Known<K> {
    ids: Map<Arc<K>, i64>,
    keys: Map<i64, Arc<K>>,
}

impl<K> Default for Interned<K> {
    fn default() -> Self {
        Self { known: RwLock::new(Known { ids: Map::default(), keys: Map::default() }) }
    }
}

impl<K: Series> Interned<K> {
    /// The numbers of these keys, in their order, and those among them that are new: written within the caller's
    /// transaction. [`Interned::learn`] them once it is committed, not before.
    pub async fn numbers<'k>(
        &self,
        write: &mut SqliteConnection,
        keys: impl Iterator<Item = &'k Arc<K>> + Clone,
    ) -> Result<(Vec<i64>, Map<Arc<K>, i64>), Error> {
        let mut missing: HashMap<String, Arc<K>> = HashMap::new();
        let mut numbers = Vec::with_capacity(keys.size_hint().0);
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            for key in keys.clone() {
                let number = known.ids.get(key).copied();
                if number.is_none() {
                    missing.insert(json(&**key)?, key.clone());
                }
                numbers.push(number.unwrap_or(UNKNOWN));
            }
        }
        let mut fresh = Map::default();
        if missing.is_empty() {
            return Ok((numbers, fresh));
        }
        let rows: Vec<(&str, &str, &str)> = missing
            .iter()
            .map(|(text, key)| (&*key.integration().environment, &*key.integration().name, text.as_str()))
            .collect();
        let rows = json(&rows)?;
        sqlx::query(
            "INSERT INTO series (kind, environment, integration, key) \
             SELECT ?1, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2) WHERE true \
             ON CONFLICT (kind, key) DO NOTHING",
        )
        .bind(K::KIND)
        .bind(&rows)
        .execute(&mut *write)
        .await
        .map_err(fault("write new series"))?;
        let found: Vec<(i64, String)> = sqlx::query_as(
            // CROSS JOIN keeps SQLite to this order: one look-up for each key that is wanted.
            "SELECT series.id, series.key FROM json_each(?2) AS wanted CROSS JOIN series \
             WHERE series.kind = ?1 AND series.key = wanted.value ->> 2",
        )
        .bind(K::KIND)
        .bind(&rows)
        .fetch_all(&mut *write)
        .await
        .map_err(fault("read the new series"))?;
        fresh.extend(found.into_iter().filter_map(|(id, text)| Some((missing.remove(&text)?, id))));
        for (number, key) in numbers.iter_mut().zip(keys).filter(|(number, _)| **number == UNKNOWN) {
            *number =
                *fresh.get(key).ok_or_else(|| damaged("a series that was just written is not there"))?;
        }
        Ok((numbers, fresh))
    }

    /// Keeps numbers that are committed.
    pub fn learn(&self, numbers: Map<Arc<K>, i64>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.keys.len() + numbers.len() > MOST {
            known.keys = Map::default();
            known.ids = Map::default();
        }
        for (key, id) in numbers {
            known.keys.entry(id).or_insert_with(|| key.clone());
            known.ids.entry(key).or_insert(id);
        }
    }

    /// The keys of these numbers, read within the caller's snapshot where they are not known yet.
    pub async fn keys(
        &self,
        snapshot: &mut SqliteConnection,
        ids: impl Iterator<Item = i64>,
    ) -> Result<Map<i64, Arc<K>>, Error> {
        let mut keys = Map::default();
        let mut missing = Vec::new();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            for id in ids {
                match known.keys.get(&id) {
                    Some(key) => drop(keys.insert(id, key.clone())),
                    None => missing.push(id),
                }
            }
        }
        if missing.is_empty() {
            return Ok(keys);
        }
        let found: Vec<(i64, String)> = sqlx::query_as(
            "SELECT id, key FROM series WHERE kind = ?1 AND id IN (SELECT value FROM json_each(?2))",
        )
        .bind(K::KIND)
        .bind(json(&missing)?)
        .fetch_all(snapshot)
        .await
        .map_err(fault("read series"))?;
        let mut fresh = Map::default();
        for (id, text) in found {
            let key = Arc::new(from_json::<K>(&text)?);
            keys.insert(id, key.clone());
            fresh.insert(key, id);
        }
        self.learn(fresh);
        Ok(keys)
    }
}
