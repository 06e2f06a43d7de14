//! The one transaction of a flush.

use sqlx::SqliteConnection;

use super::packs::Kind;
use super::{
    Catalog, claims, damaged, errors, fault, measures, minutes, outcomes, packs, pins, segments, states,
    streams,
};
use crate::rollup::window::Map;
use crate::signals::measure::{CounterKey, DurationKey};
use crate::signals::observation::{CallKey, FacetKey, GaugeKey};
use crate::store::Error;
use crate::store::catalog::Flush;
use crate::world::points::{Point, Points};
use std::sync::Arc;

/// Numbers of the series that are new with a flush.
struct Fresh {
    calls: Map<Arc<CallKey>, i64>,
    facets: Map<Arc<FacetKey>, i64>,
    gauges: Map<Arc<GaugeKey>, i64>,
    counters: Map<Arc<CounterKey>, i64>,
    durations: Map<Arc<DurationKey>, i64>,
}

impl Catalog {
    /// Moves the watermark from → to and keeps all that lies between, or nothing of it. After an error only the
    /// watermark can say which: a commit may have failed after it was written.
    pub async fn commit(&self, flush: &Flush<'_>, points: &Points) -> Result<(), Error> {
        let mut write = self.write().await?;
        let fresh = match self.fill(&mut write, flush, points).await {
            Ok(fresh) => fresh,
            Err(error) => {
                // Dropping it would roll back too, but only when the connection is used next.
                let _ = write.rollback().await;
                return Err(error);
            }
        };
        write.commit().await.map_err(fault("commit a flush"))?;
        self.calls.learn(fresh.calls);
        self.facets.learn(fresh.facets);
        self.gauges.learn(fresh.gauges);
        self.counters.learn(fresh.counters);
        self.durations.learn(fresh.durations);
        Ok(())
    }

    async fn fill(
        &self,
        write: &mut SqliteConnection,
        flush: &Flush<'_>,
        points: &Points,
    ) -> Result<Fresh, Error> {
        let (from, to) = (seq(flush.from)?, seq(flush.to)?);
        let moved = sqlx::query("UPDATE inbox SET watermark = ?2 WHERE id = 'local' AND watermark = ?1")
            .bind(from)
            .bind(to)
            .execute(&mut *write)
            .await
            .map_err(fault("move the watermark"))?;
        if moved.rows_affected() != 1 {
            return Err(damaged(&format!("the watermark is not at {from}, where this server left it")));
        }
        points.pass(Point::InTransaction);
        segments::write(write, flush.segments).await?;
        claims::write(write, flush.claims, flush.forget_claims_before).await?;
        let part = flush.part;
        let calls = part.calls.keys().chain(part.measured.keys()).map(|(_, key)| key);
        let (numbers, calls) = self.calls.numbers(write, calls.chain(part.outcomes.keys())).await?;
        let (counted, numbers) = numbers.split_at_checked(part.calls.len()).unwrap_or_default();
        let (measured, latest) = numbers.split_at_checked(part.measured.len()).unwrap_or_default();
        packs::write(write, Kind::Calls, to, packs::pack(&part.calls, counted)?).await?;
        packs::write(write, Kind::Measured, to, packs::pack(&part.measured, measured)?).await?;
        outcomes::write(write, part.outcomes.values().zip(latest)).await?;
        let (numbers, facets) = self.facets.numbers(write, part.facets.keys().map(|(_, key)| key)).await?;
        packs::write(write, Kind::Facets, to, packs::pack(&part.facets, &numbers)?).await?;
        let (numbers, gauges) = self.gauges.numbers(write, part.gauges.keys().map(|(_, key)| key)).await?;
        minutes::write_gauges(write, to, &part.gauges, &numbers).await?;
        let counters = part.counters.keys().map(|(_, key)| key);
        let (numbers, counters) = self.counters.numbers(write, counters).await?;
        measures::write_counters(write, to, &part.counters, &numbers).await?;
        let durations = part.durations.keys().map(|(_, key)| key);
        let (numbers, durations) = self.durations.numbers(write, durations).await?;
        measures::write_durations(write, to, &part.durations, &numbers).await?;
        streams::write(write, flush.changes).await?;
        states::write_slots(write, &part.slots).await?;
        states::write_integrations(write, &part.integrations).await?;
        states::write_states(write, &part.states).await?;
        states::write_facts(write, to, part).await?;
        errors::write(write, flush.errors).await?;
        pins::write(write, flush.pins, &self.keyring).await?;
        Ok(Fresh { calls, facets, gauges, counters, durations })
    }
}

fn seq(seq: u64) -> Result<i64, Error> {
    i64::try_from(seq).map_err(|_| damaged("a sequence number is out of range"))
}
