//! Silences and acknowledgements: what a person says of alerts, each with its entry in the audit log.

use std::collections::BTreeMap;

use super::{Catalog, audit, fault, from_json, json};
use crate::access::audit::Actor;
use crate::alert::overlay::{Ack, Silence};
use crate::signals::telemetry::Nanos;
use crate::store::Error;

type Row = (i64, String, String, String, i64, i64);

impl Catalog {
    /// Silences that have not ended and acknowledgements that stand, by incident id.
    pub async fn overlays(&self, now: Nanos) -> Result<(Vec<Silence>, BTreeMap<String, Ack>), Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, matchers, author, reason, from_at, until_at FROM silences WHERE until_at > ?1 ORDER BY id",
        )
        .bind(now)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read the silences"))?;
        let acks: Vec<(String, String, String, i64, i64)> = sqlx::query_as(
            "SELECT incident, by_whom, note, at, until_at FROM acknowledgements WHERE until_at > ?1",
        )
        .bind(now)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read the acknowledgements"))?;
        let acks =
            acks.into_iter().map(|(incident, by, note, at, until)| (incident, Ack { by, note, at, until }));
        Ok((rows.into_iter().map(silence).collect::<Result<_, _>>()?, acks.collect()))
    }

    /// Silences, the latest made first, ended ones too.
    pub async fn silences(&self, limit: u32) -> Result<Vec<Silence>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, matchers, author, reason, from_at, until_at FROM silences ORDER BY id DESC LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read the silences"))?;
        rows.into_iter().map(silence).collect()
    }

    /// Keeps a silence; its number is given.
    pub async fn make_silence(&self, silence: &Silence, by: &Actor, now: Nanos) -> Result<Silence, Error> {
        let mut write = self.write().await?;
        let done = async {
            let (id,): (i64,) = sqlx::query_as(
                "INSERT INTO silences (matchers, author, reason, from_at, until_at, made_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
            )
            .bind(json(&silence.matchers)?)
            .bind(&silence.author)
            .bind(&silence.reason)
            .bind(silence.from)
            .bind(silence.until)
            .bind(now)
            .fetch_one(&mut *write)
            .await
            .map_err(fault("keep a silence"))?;
            let matched: Vec<String> =
                silence.matchers.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let detail = format!("{}: {}", matched.join(", "), silence.reason);
            audit::append(&mut write, &by.did(now, "silence.made", id.to_string(), detail)).await?;
            Ok::<i64, Error>(id)
        };
        match done.await {
            Ok(id) => {
                write.commit().await.map_err(fault("keep a silence"))?;
                Ok(Silence { id, ..silence.clone() })
            }
            Err(error) => {
                let _ = write.rollback().await;
                Err(error)
            }
        }
    }

    /// Ends a silence now; one that has ended stays as it is.
    pub async fn end_silence(&self, id: i64, by: &Actor, now: Nanos) -> Result<(), Error> {
        let mut write = self.write().await?;
        let done = async {
            let ended = sqlx::query("UPDATE silences SET until_at = ?2 WHERE id = ?1 AND until_at > ?2")
                .bind(id)
                .bind(now)
                .execute(&mut *write)
                .await
                .map_err(fault("end a silence"))?;
            if ended.rows_affected() == 0 {
                return Err(Error::Unfit(format!("No silence {id} stands: it has ended, or there is none.")));
            }
            audit::append(&mut write, &by.did(now, "silence.ended", id.to_string(), String::new())).await
        };
        match done.await {
            Ok(()) => write.commit().await.map_err(fault("end a silence")),
            Err(error) => {
                let _ = write.rollback().await;
                Err(error)
            }
        }
    }

    /// Keeps what somebody said of an incident; the latest word stands.
    pub async fn acknowledge(&self, incident: &str, ack: &Ack, by: &Actor) -> Result<(), Error> {
        let mut write = self.write().await?;
        let done = async {
            sqlx::query(
                "INSERT INTO acknowledgements (incident, by_whom, note, at, until_at) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (incident) DO UPDATE SET by_whom = excluded.by_whom, note = excluded.note, \
                     at = excluded.at, until_at = excluded.until_at",
            )
            .bind(incident)
            .bind(&ack.by)
            .bind(&ack.note)
            .bind(ack.at)
            .bind(ack.until)
            .execute(&mut *write)
            .await
            .map_err(fault("keep an acknowledgement"))?;
            let action = if ack.until > ack.at { "incident.acknowledged" } else { "incident.released" };
            audit::append(&mut write, &by.did(ack.at, action, incident.to_owned(), ack.note.clone())).await
        };
        match done.await {
            Ok(()) => write.commit().await.map_err(fault("keep an acknowledgement")),
            Err(error) => {
                let _ = write.rollback().await;
                Err(error)
            }
        }
    }
}

fn silence((id, matchers, author, reason, from, until): Row) -> Result<Silence, Error> {
    Ok(Silence { id, matchers: from_json(&matchers)?, author, reason, from, until })
}
