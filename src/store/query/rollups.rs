//! Windows and states, hot and cold as one.

use std::hash::Hash;
use std::sync::Arc;

use super::{TRIES, outrun};
use crate::access::audit::Entry;
use crate::rollup::series::Merge;
use crate::rollup::state::row::{State, StateKey};
use crate::rollup::window::{Map, Minute, Part};
use crate::signals::observation::IntegrationKey;
use crate::store::recent::half_hour;
use crate::store::{Detail, Error, Store};

impl Store {
    /// What `detail` says of the minutes [from, to), of all integrations or of those of one name.
    pub async fn window(
        &self,
        from: Minute,
        to: Minute,
        integration: Option<&str>,
        detail: Detail,
    ) -> Result<Part, Error> {
        let cut = Cut { from, to, integration, detail };
        for _ in 0..TRIES {
            let (watermark, mut part) = self.inner.catalog.window(from, to, integration, detail).await?;
            let above = self.inner.hot.above(watermark, |current| cut.of(&current.part));
            if let Some((frozen, current)) = above {
                frozen.iter().for_each(|generation| cut.add(&mut part, &generation.part));
                part.merge(&current);
                return Ok(part);
            }
        }
        Err(outrun())
    }

    /// What people decided of gaps and shapes.
    pub async fn words(&self) -> Result<Vec<(StateKey, State)>, Error> {
        self.inner.catalog.words().await
    }

    /// Keeps what somebody decided, with its entry in the audit log. It counts from the next minute on.
    pub async fn decide(&self, key: &StateKey, word: &State, entry: &Entry) -> Result<(), Error> {
        self.inner.catalog.decide(key, word, entry).await
    }

    /// Credential slots, integrations, latest outcomes and reconciliations, and the 500 latest runs of each job.
    pub async fn states(&self) -> Result<Part, Error> {
        for _ in 0..TRIES {
            let (watermark, mut part) = self.inner.catalog.states().await?;
            let above = self.inner.hot.above(watermark, |current| states_of(&current.part));
            if let Some((frozen, current)) = above {
                frozen.iter().for_each(|generation| part.merge(&states_of(&generation.part)));
                part.merge(&current);
                return Ok(part);
            }
        }
        Err(outrun())
    }
}

/// What a window takes from a part.
struct Cut<'a> {
    from: Minute,
    to: Minute,
    integration: Option<&'a str>,
    detail: Detail,
}

impl Cut<'_> {
    fn of(&self, part: &Part) -> Part {
        let mut cut = Part::default();
        self.add(&mut cut, part);
        cut
    }

    fn add(&self, into: &mut Part, part: &Part) {
        self.join(&mut into.gauges, &part.gauges, |key| &key.integration);
        if self.detail == Detail::Measures {
            self.join(&mut into.counters, &part.counters, |key| &key.series.integration);
            self.join(&mut into.durations, &part.durations, |key| &key.series.integration);
            self.join(&mut into.measured, &part.measured, |key| &key.integration);
            return;
        }
        if self.detail != Detail::HalfHours {
            self.join(&mut into.facets, &part.facets, |key| &key.integration);
        }
        for ((minute, key), row) in &part.calls {
            if self.takes(*minute, &key.integration) {
                let kept = into.calls.entry((self.at(*minute), key.clone())).or_default();
                if self.detail == Detail::Full {
                    kept.merge(row);
                } else {
                    kept.tally.merge(&row.tally);
                }
            }
        }
    }

    fn join<K: Eq + Hash, V: Merge>(
        &self,
        into: &mut Map<(Minute, Arc<K>), V>,
        rows: &Map<(Minute, Arc<K>), V>,
        whose: impl Fn(&K) -> &IntegrationKey,
    ) {
        for ((minute, key), row) in rows {
            if self.takes(*minute, whose(key)) {
                into.entry((self.at(*minute), key.clone())).or_default().merge(row);
            }
        }
    }

    fn at(&self, minute: Minute) -> Minute {
        if self.detail == Detail::HalfHours { half_hour(minute) } else { minute }
    }

    fn takes(&self, minute: Minute, key: &IntegrationKey) -> bool {
        minute >= self.from && minute < self.to && self.integration.is_none_or(|name| *name == *key.name)
    }
}

fn states_of(part: &Part) -> Part {
    Part {
        outcomes: part.outcomes.clone(),
        slots: part.slots.clone(),
        reconciliations: part.reconciliations.clone(),
        runs: part.runs.clone(),
        integrations: part.integrations.clone(),
        states: part.states.clone(),
        ..Part::default()
    }
}
