//! States and facts: one row a thing. States are few, so a flush reads the rows it touches, merges and writes them.

use std::sync::Arc;

use sqlx::SqliteConnection;

use super::{Catalog, audit, damaged, fault, from_json, json, watermark};
use crate::access::audit::Entry;
use crate::rollup::series::Merge;
use crate::rollup::state::row::{State, StateKey, StateKind};
use crate::rollup::state::{Registration, Slot};
use crate::rollup::window::{Map, Part, RunKey, SlotKey};
use crate::signals::observation::{IntegrationKey, JobRun, ReconciliationRun};
use crate::store::Error;

/// So many runs of a job are read, the latest: enough for its schedule, bounded for a heartbeat's year.
const RUNS_OF_A_JOB: i64 = 500;

impl Catalog {
    /// All states and facts as committed, and the watermark they go up to.
    pub async fn states(&self) -> Result<(u64, Part), Error> {
        let mut snapshot = self.snapshot().await?;
        let watermark = watermark(&mut snapshot).await?;
        let mut part = Part { outcomes: self.outcomes(&mut snapshot).await?, ..Part::default() };

        let rows: Vec<(String, String, String, String)> =
            sqlx::query_as("SELECT environment, integration, credential, slot FROM slots")
                .fetch_all(&mut *snapshot)
                .await
                .map_err(fault("read the credential slots"))?;
        for (environment, integration, credential, slot) in rows {
            let key = SlotKey { integration: whose(environment, integration), credential: credential.into() };
            part.slots.insert(key, from_json(&slot)?);
        }

        let rows: Vec<(String, String, String)> =
            sqlx::query_as("SELECT environment, integration, registration FROM integrations")
                .fetch_all(&mut *snapshot)
                .await
                .map_err(fault("read the integrations"))?;
        for (environment, integration, registration) in rows {
            part.integrations.insert(whose(environment, integration), from_json(&registration)?);
        }

        let rows: Vec<(String,)> = sqlx::query_as("SELECT run FROM reconciliations")
            .fetch_all(&mut *snapshot)
            .await
            .map_err(fault("read the reconciliations"))?;
        for (run,) in rows {
            let run: ReconciliationRun = from_json(&run)?;
            part.reconciliations.insert(run_key(&run), run);
        }

        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT run FROM (SELECT part, place, run, row_number() OVER ( \
                 PARTITION BY environment, integration, name ORDER BY at DESC, part DESC, place DESC) AS back \
             FROM job_runs) AS numbered WHERE back <= ?1 ORDER BY part, place",
        )
        .bind(RUNS_OF_A_JOB)
        .fetch_all(&mut *snapshot)
        .await
        .map_err(fault("read the job runs"))?;
        for (run,) in rows {
            part.runs.push(from_json(&run)?);
        }
        let rows: Vec<(String, String, String, String, String)> =
            sqlx::query_as("SELECT environment, integration, kind, name, state FROM states")
                .fetch_all(&mut *snapshot)
                .await
                .map_err(fault("read the states"))?;
        for (environment, integration, kind, name, state) in rows {
            // A kind that this version does not know is left alone.
            let Some(kind) = StateKind::from_name(&kind) else { continue };
            let key = StateKey { integration: whose(environment, integration), kind, name: name.into() };
            part.states.insert(key, from_json(&state)?);
        }
        Ok((watermark, part))
    }
}

impl Catalog {
    /// What people decided: of gaps that they wrote off, of shapes that they accepted.
    pub async fn words(&self) -> Result<Vec<(StateKey, State)>, Error> {
        let kinds = [StateKind::WrittenOff.name(), StateKind::Accepted.name()];
        let rows: Vec<(String, String, String, String, String)> = sqlx::query_as(
            "SELECT environment, integration, kind, name, state FROM states WHERE kind IN (?1, ?2)",
        )
        .bind(kinds[0])
        .bind(kinds[1])
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read what people decided"))?;
        let read =
            |(environment, integration, kind, name, state): (String, String, String, String, String)| {
                let kind = StateKind::from_name(&kind)?;
                let key = StateKey { integration: whose(environment, integration), kind, name: name.into() };
                Some(from_json(&state).map(|state| (key, state)))
            };
        rows.into_iter().filter_map(read).collect()
    }

    /// Keeps what somebody decided, with its entry in the audit log: both, or neither.
    pub async fn decide(&self, key: &StateKey, word: &State, entry: &Entry) -> Result<(), Error> {
        let mut write = self.write().await?;
        let done = async {
            write_states(&mut write, &[(key.clone(), word.clone())].into_iter().collect()).await?;
            audit::append(&mut write, entry).await
        };
        match done.await {
            Ok(()) => write.commit().await.map_err(fault("keep what was decided")),
            Err(error) => {
                let _ = write.rollback().await;
                Err(error)
            }
        }
    }

    /// Merges states into their rows, apart from any flush.
    pub async fn merge_states(&self, states: &Map<StateKey, State>) -> Result<(), Error> {
        let mut write = self.write().await?;
        if let Err(error) = write_states(&mut write, states).await {
            let _ = write.rollback().await;
            return Err(error);
        }
        write.commit().await.map_err(fault("commit states"))
    }
}

/// Merges states that share a table into their rows.
pub async fn write_states(write: &mut SqliteConnection, states: &Map<StateKey, State>) -> Result<(), Error> {
    if states.is_empty() {
        return Ok(());
    }
    let (keys, mut merged): (Vec<&StateKey>, Vec<State>) =
        states.iter().map(|(key, state)| (key, state.clone())).unzip();
    let names = |key: &StateKey| -> [Arc<str>; 4] {
        let whose = &key.integration;
        [whose.environment.clone(), whose.name.clone(), Arc::from(key.kind.name()), key.name.clone()]
    };
    let wanted: Vec<_> = keys.iter().map(|key| names(key)).collect();
    let kept: Vec<(i64, String)> = sqlx::query_as(
        "SELECT wanted.key, states.state FROM json_each(?1) AS wanted CROSS JOIN states \
         WHERE states.environment = wanted.value ->> 0 AND states.integration = wanted.value ->> 1 \
         AND states.kind = wanted.value ->> 2 AND states.name = wanted.value ->> 3",
    )
    .bind(json(&wanted)?)
    .fetch_all(&mut *write)
    .await
    .map_err(fault("read the states"))?;
    merge_kept(&mut merged, kept)?;
    let rows = wanted.iter().zip(&merged).map(|(key, state)| Ok((key, json(state)?)));
    let rows: Vec<_> = rows.collect::<Result<_, Error>>()?;
    sqlx::query(
        "INSERT INTO states (environment, integration, kind, name, state) \
         SELECT value ->> '$[0][0]', value ->> '$[0][1]', value ->> '$[0][2]', value ->> '$[0][3]', value ->> 1 \
         FROM json_each(?1) WHERE true \
         ON CONFLICT (environment, integration, kind, name) DO UPDATE SET state = excluded.state",
    )
    .bind(json(&rows)?)
    .execute(write)
    .await
    .map_err(fault("write the states"))?;
    Ok(())
}

/// Merges credential slots into their rows.
pub async fn write_slots(write: &mut SqliteConnection, slots: &Map<SlotKey, Slot>) -> Result<(), Error> {
    if slots.is_empty() {
        return Ok(());
    }
    let (keys, mut merged): (Vec<&SlotKey>, Vec<Slot>) =
        slots.iter().map(|(key, slot)| (key, slot.clone())).unzip();
    let names = |key: &SlotKey| -> [Arc<str>; 3] {
        [key.integration.environment.clone(), key.integration.name.clone(), key.credential.clone()]
    };
    let wanted: Vec<_> = keys.iter().map(|key| names(key)).collect();
    let kept: Vec<(i64, String)> = sqlx::query_as(
        "SELECT wanted.key, slots.slot FROM json_each(?1) AS wanted CROSS JOIN slots \
         WHERE slots.environment = wanted.value ->> 0 AND slots.integration = wanted.value ->> 1 \
         AND slots.credential = wanted.value ->> 2",
    )
    .bind(json(&wanted)?)
    .fetch_all(&mut *write)
    .await
    .map_err(fault("read the credential slots"))?;
    merge_kept(&mut merged, kept)?;
    let rows = wanted.iter().zip(&merged).map(|(key, slot)| Ok((key, json(slot)?)));
    let rows: Vec<_> = rows.collect::<Result<_, Error>>()?;
    sqlx::query(
        "INSERT INTO slots (environment, integration, credential, slot) \
         SELECT value ->> '$[0][0]', value ->> '$[0][1]', value ->> '$[0][2]', value ->> 1 \
         FROM json_each(?1) WHERE true \
         ON CONFLICT (environment, integration, credential) DO UPDATE SET slot = excluded.slot",
    )
    .bind(json(&rows)?)
    .execute(write)
    .await
    .map_err(fault("write the credential slots"))?;
    Ok(())
}

/// Merges integrations into their rows.
pub async fn write_integrations(
    write: &mut SqliteConnection,
    integrations: &Map<IntegrationKey, Registration>,
) -> Result<(), Error> {
    if integrations.is_empty() {
        return Ok(());
    }
    let (wanted, mut merged): (Vec<_>, Vec<Registration>) = integrations
        .iter()
        .map(|(key, registration)| ([key.environment.clone(), key.name.clone()], registration.clone()))
        .unzip();
    let kept: Vec<(i64, String)> = sqlx::query_as(
        "SELECT wanted.key, integrations.registration FROM json_each(?1) AS wanted CROSS JOIN integrations \
         WHERE integrations.environment = wanted.value ->> 0 AND integrations.integration = wanted.value ->> 1",
    )
    .bind(json(&wanted)?)
    .fetch_all(&mut *write)
    .await
    .map_err(fault("read the integrations"))?;
    merge_kept(&mut merged, kept)?;
    let rows = wanted.iter().zip(&merged).map(|(key, registration)| Ok((key, json(registration)?)));
    let rows: Vec<_> = rows.collect::<Result<_, Error>>()?;
    sqlx::query(
        "INSERT INTO integrations (environment, integration, registration) \
         SELECT value ->> '$[0][0]', value ->> '$[0][1]', value ->> 1 FROM json_each(?1) WHERE true \
         ON CONFLICT (environment, integration) DO UPDATE SET registration = excluded.registration",
    )
    .bind(json(&rows)?)
    .execute(write)
    .await
    .map_err(fault("write the integrations"))?;
    Ok(())
}

/// Writes the runs of reconciliations and of jobs.
pub async fn write_facts(write: &mut SqliteConnection, part: i64, facts: &Part) -> Result<(), Error> {
    if !facts.reconciliations.is_empty() {
        let rows = facts.reconciliations.iter().map(|(key, run)| {
            let whose = &key.integration;
            Ok((&whose.environment, &whose.name, &key.name, &key.entity, &key.run_id, run.time, json(run)?))
        });
        let rows: Vec<_> = rows.collect::<Result<_, Error>>()?;
        sqlx::query(
            "INSERT INTO reconciliations (environment, integration, name, entity, run_id, at, run) \
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 \
             FROM json_each(?1) WHERE true \
             ON CONFLICT (environment, integration, name, entity, run_id) \
             DO UPDATE SET at = excluded.at, run = excluded.run WHERE excluded.at > reconciliations.at",
        )
        .bind(json(&rows)?)
        .execute(&mut *write)
        .await
        .map_err(fault("write the reconciliations"))?;
    }
    if !facts.runs.is_empty() {
        let rows = facts.runs.iter().map(|run: &JobRun| {
            Ok((&run.integration.environment, &run.integration.name, &run.name, run.time, json(run)?))
        });
        let rows: Vec<_> = rows.collect::<Result<_, Error>>()?;
        sqlx::query(
            "INSERT INTO job_runs (part, place, environment, integration, name, at, run) \
             SELECT ?1, key, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?2)",
        )
        .bind(part)
        .bind(json(&rows)?)
        .execute(&mut *write)
        .await
        .map_err(fault("write the job runs"))?;
    }
    Ok(())
}

/// Merges rows as kept, (place in the list asked for, JSON), into what is new.
fn merge_kept<T: Merge + serde::de::DeserializeOwned>(
    merged: &mut [T],
    kept: Vec<(i64, String)>,
) -> Result<(), Error> {
    for (at, text) in kept {
        let new = usize::try_from(at).ok().and_then(|at| merged.get_mut(at));
        let new = new.ok_or_else(|| damaged("a state was read that was not asked for"))?;
        new.merge(&from_json(&text)?);
    }
    Ok(())
}

fn whose(environment: String, integration: String) -> IntegrationKey {
    IntegrationKey { environment: environment.into(), name: integration.into() }
}

fn run_key(run: &ReconciliationRun) -> RunKey {
    RunKey {
        integration: run.integration.clone(),
        name: run.name.clone(),
        entity: run.entity.clone(),
        run_id: run.run_id.clone(),
    }
}
