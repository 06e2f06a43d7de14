//! Alert instances and incidents: one transaction a tick.

use sqlx::SqliteConnection;

use super::{Catalog, fault, from_json, json, outbox, signals};
use crate::alert::incident::{Incident, Instance, InstanceKey};
use crate::rollup::window::Minute;
use crate::store::Error;
use crate::store::catalog::Tick;
use crate::world::points::{Point, Points};

impl Catalog {
    /// All instances that live, and the last tick judged.
    pub async fn instances(&self) -> Result<(Vec<Instance>, Option<Minute>), Error> {
        let mut snapshot = self.snapshot().await?;
        let tick: Option<(i64,)> = sqlx::query_as("SELECT value FROM meta WHERE name = 'alert_tick'")
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(fault("read the last tick"))?;
        let rows: Vec<(String,)> = sqlx::query_as("SELECT state FROM instances ORDER BY instance")
            .fetch_all(&mut *snapshot)
            .await
            .map_err(fault("read the alert instances"))?;
        let instances = rows.iter().map(|(state,)| from_json(state)).collect::<Result<_, _>>()?;
        Ok((instances, tick.map(|(minute,)| Minute(minute))))
    }

    /// Keeps what a tick decided: states, incidents and the mails that tell of it, or nothing of it.
    pub async fn record_tick(&self, tick: &Tick<'_>, points: &Points) -> Result<(), Error> {
        let mut write = self.write().await?;
        let done = async {
            write_tick(&mut write, tick.at).await?;
            write_instances(&mut write, tick.instances, tick.gone).await?;
            write_incidents(&mut write, tick.incidents).await?;
            signals::write(&mut write, tick).await?;
            outbox::write(&mut write, tick.mails).await
        };
        if let Err(error) = done.await {
            let _ = write.rollback().await;
            return Err(error);
        }
        points.pass(Point::InTick);
        write.commit().await.map_err(fault("commit a tick"))
    }

    /// Incidents, the latest opened first.
    pub async fn incidents(&self, open_only: bool, limit: u32) -> Result<Vec<Incident>, Error> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT incident FROM incidents WHERE NOT ?1 OR resolved_at IS NULL \
             ORDER BY opened_at DESC, id LIMIT ?2",
        )
        .bind(open_only)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read the incidents"))?;
        rows.iter().map(|(incident,)| from_json(incident)).collect()
    }

    /// The incident of an id, else the latest of a code.
    pub async fn incident(&self, id_or_code: &str) -> Result<Option<Incident>, Error> {
        let row: Option<(String,)> = sqlx::query_as(
            "SELECT incident FROM incidents WHERE id = ?1 OR code = upper(?1) \
             ORDER BY id = ?1 DESC, opened_at DESC LIMIT 1",
        )
        .bind(id_or_code)
        .fetch_optional(&self.readers)
        .await
        .map_err(fault("read an incident"))?;
        row.map(|(incident,)| from_json(&incident)).transpose()
    }
}

// The last tick never moves back: a tick that is recorded again after an unknown commit changes nothing.
async fn write_tick(write: &mut SqliteConnection, tick: Minute) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES ('alert_tick', ?1) \
         ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
    )
    .bind(tick.0)
    .execute(write)
    .await
    .map_err(fault("write the tick"))?;
    Ok(())
}

async fn write_instances(
    write: &mut SqliteConnection,
    instances: &[Instance],
    gone: &[InstanceKey],
) -> Result<(), Error> {
    if !gone.is_empty() {
        let keys: Vec<String> = gone.iter().map(json).collect::<Result<_, _>>()?;
        sqlx::query("DELETE FROM instances WHERE instance IN (SELECT value FROM json_each(?1))")
            .bind(json(&keys)?)
            .execute(&mut *write)
            .await
            .map_err(fault("remove alert instances"))?;
    }
    if !instances.is_empty() {
        let rows = instances.iter().map(|instance| {
            let mut kept = instance.clone();
            kept.incident = kept.incident.map(finite);
            Ok((json(&kept.key)?, json(&kept)?))
        });
        let rows: Vec<(String, String)> = rows.collect::<Result<_, Error>>()?;
        sqlx::query(
            "INSERT INTO instances (instance, state) \
             SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true \
             ON CONFLICT (instance) DO UPDATE SET state = excluded.state",
        )
        .bind(json(&rows)?)
        .execute(write)
        .await
        .map_err(fault("write alert instances"))?;
    }
    Ok(())
}

async fn write_incidents(write: &mut SqliteConnection, incidents: &[Incident]) -> Result<(), Error> {
    if incidents.is_empty() {
        return Ok(());
    }
    let rows = incidents.iter().map(|incident| {
        let incident = finite(incident.clone());
        let text = json(&incident)?;
        Ok((incident.id, incident.code, incident.opened_at, incident.resolved_at, text))
    });
    let rows: Vec<_> = rows.collect::<Result<_, Error>>()?;
    sqlx::query(
        "INSERT INTO incidents (id, code, opened_at, resolved_at, incident) \
         SELECT value ->> 0, upper(value ->> 1), value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1) WHERE true \
         ON CONFLICT (id) DO UPDATE SET code = excluded.code, opened_at = excluded.opened_at, \
             resolved_at = excluded.resolved_at, incident = excluded.incident",
    )
    .bind(json(&rows)?)
    .execute(write)
    .await
    .map_err(fault("write incidents"))?;
    Ok(())
}

// JSON has no infinity: without this, an incident that has one could be written and never read again.
fn finite(mut incident: Incident) -> Incident {
    let worst = incident.worst_raw;
    incident.worst_raw = if worst.is_nan() { 0.0 } else { worst.clamp(f64::MIN, f64::MAX) };
    incident
}
