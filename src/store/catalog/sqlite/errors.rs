//! Error groups and changes: merged by the statement that writes them.

use std::sync::Arc;

use serde::Serialize;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{Catalog, fault, json};
use crate::rollup::errors::{Errors, Group, HOUR};
use crate::signals::change::What;
use crate::signals::failure::{ErrorKey, Fingerprint, digest};
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::store::Error;
use crate::store::query::errors::{ChangeRecord, ErrorQuery, ErrorRecord};

/// Of an integration so many groups are kept, those that failed last: more were never told apart on purpose.
const GROUPS: i64 = 5_000;

impl Catalog {
    /// The groups that match, those that failed most in the period first, with how often they did.
    pub async fn errors(&self, query: &ErrorQuery) -> Result<Vec<ErrorRecord>, Error> {
        let mut statement = QueryBuilder::<Sqlite>::new(
            "SELECT g.fingerprint, environment, integration, direction, peer, endpoint, kind, message, first_seen, \
             first_version, last_seen, said, \
             (SELECT coalesce(sum(failures), 0) FROM error_hours AS h WHERE h.fingerprint = g.fingerprint ",
        );
        statement.push("AND hour >= ").push_bind(query.from_hour);
        statement.push(" AND hour < ").push_bind(query.to_hour).push(") AS failures ");
        statement.push(", (SELECT count(*) FROM pins WHERE owner = g.fingerprint) AS exemplars ");
        statement.push("FROM error_groups AS g WHERE true");
        if let Some(fingerprint) = &query.fingerprint {
            statement.push(" AND g.fingerprint = ").push_bind(fingerprint);
        } else {
            statement.push(" AND last_seen >= ").push_bind(query.from_hour.saturating_mul(HOUR));
            statement.push(" AND first_seen < ").push_bind(query.to_hour.saturating_mul(HOUR));
            statement.push(" AND failures > 0");
        }
        for (column, wanted) in [("integration", &query.integration), ("environment", &query.environment)] {
            if let Some(wanted) = wanted {
                statement.push(format!(" AND {column} = ")).push_bind(wanted);
            }
        }
        if let Some(text) = &query.text {
            let text = text.to_ascii_lowercase();
            statement.push(" AND (");
            for column in ["kind", "message", "said", "endpoint", "peer"] {
                statement.push(format!("instr(lower({column}), ")).push_bind(text.clone()).push(") > 0 OR ");
            }
            statement
                .push("EXISTS (SELECT 1 FROM pins WHERE owner = g.fingerprint AND instr(lower(payload), ");
            statement.push_bind(text).push(") > 0))");
        }
        statement
            .push(" ORDER BY failures DESC, last_seen DESC, g.fingerprint LIMIT ")
            .push_bind(query.limit);
        let query = statement.build_query_as::<Row>().fetch_all(&self.readers);
        let rows = query.await.map_err(fault("read the error groups"))?;
        Ok(rows.into_iter().map(record).collect())
    }

    /// How often a group failed in each hour of [from, to), hours in which it did not left out.
    pub async fn error_hours(&self, fingerprint: &str, from: i64, to: i64) -> Result<Vec<(i64, u64)>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT hour, failures FROM error_hours WHERE fingerprint = ?1 AND hour >= ?2 AND hour < ?3 ORDER BY hour",
        )
        .bind(fingerprint)
        .bind(from)
        .bind(to)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read an error group"))?;
        Ok(rows.into_iter().map(|(hour, failures)| (hour, failures.max(0) as u64)).collect())
    }

    /// The groups that were received since, so that they are known after a restart.
    pub async fn recent_groups(
        &self,
        since: Nanos,
    ) -> Result<Vec<(IntegrationKey, Fingerprint, Nanos)>, Error> {
        let rows: Vec<(String, String, String, Nanos)> = sqlx::query_as(
            "SELECT environment, integration, fingerprint, received_at FROM error_groups WHERE received_at >= ?1",
        )
        .bind(since)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read the error groups"))?;
        let known = rows.into_iter().filter_map(|(environment, name, fingerprint, at)| {
            let fingerprint = u128::from_str_radix(&fingerprint, 16).ok()?;
            let key = IntegrationKey { environment: environment.into(), name: name.into() };
            Some((key, Fingerprint(fingerprint), at))
        });
        Ok(known.collect())
    }

    /// What changed about an integration in [from, to), the latest first.
    pub async fn changes(
        &self,
        (integration, environment): (&str, Option<&str>),
        (from, to): (Nanos, Nanos),
        limit: i64,
    ) -> Result<Vec<ChangeRecord>, Error> {
        let rows: Vec<(String, String, String, Nanos, Option<i64>)> = sqlx::query_as(
            "SELECT environment, kind, text, at, effective_at FROM changes \
             WHERE integration = ?1 AND (?2 IS NULL OR environment = ?2) AND at >= ?3 AND at < ?4 \
             ORDER BY at DESC, environment, kind, name LIMIT ?5",
        )
        .bind(integration)
        .bind(environment)
        .bind(from)
        .bind(to)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(fault("read the changes"))?;
        let record = |(environment, kind, text, at, effective_at)| ChangeRecord {
            environment,
            kind,
            text,
            at,
            effective_at,
        };
        Ok(rows.into_iter().map(record).collect())
    }
}

/// A row of a group, with how often it failed and how many pins it has.
type Row =
    (String, String, String, String, String, String, String, String, Nanos, String, Nanos, String, i64, i64);

fn record(row: Row) -> ErrorRecord {
    let (fingerprint, environment, integration, direction, peer, endpoint, kind, message, ..) = row;
    let (.., first_seen, first_version, last_seen, said, failures, exemplars) = row;
    ErrorRecord {
        fingerprint,
        environment,
        integration,
        direction,
        peer,
        endpoint,
        kind,
        message,
        first_seen,
        first_version,
        last_seen,
        said,
        failures: failures.max(0) as u64,
        exemplars: exemplars.max(0) as u64,
    }
}

/// Merges a flush's groups, hours and changes into what is kept.
pub async fn write(write: &mut SqliteConnection, errors: &Errors) -> Result<(), Error> {
    write_groups(write, errors).await?;
    write_changes(write, errors).await
}

async fn write_groups(write: &mut SqliteConnection, errors: &Errors) -> Result<(), Error> {
    if errors.groups.is_empty() {
        return Ok(());
    }
    fn row((key, group): &(Arc<ErrorKey>, Group)) -> Result<impl Serialize, Error> {
        let direction = key.direction.map(|direction| super::name(&direction)).transpose()?;
        let (first, version) = group.first.clone().unwrap_or_default();
        let (last, said) = group.latest.clone().unwrap_or_default();
        let identity = (key.fingerprint.to_string(), &key.integration.environment, &key.integration.name);
        let place = (direction.unwrap_or_default(), &key.peer, &key.endpoint, &key.kind, &key.message);
        Ok((identity, place, (first, version, last, said, group.received_at)))
    }
    let rows: Vec<_> = errors.groups.values().map(row).collect::<Result<_, Error>>()?;
    // What stands after DO UPDATE sees the row as it was.
    sqlx::query(
        "INSERT INTO error_groups (fingerprint, environment, integration, direction, peer, endpoint, kind, message, \
             first_seen, first_version, last_seen, said, received_at) \
         SELECT value ->> '$[0][0]', value ->> '$[0][1]', value ->> '$[0][2]', value ->> '$[1][0]', \
             value ->> '$[1][1]', value ->> '$[1][2]', value ->> '$[1][3]', value ->> '$[1][4]', \
             value ->> '$[2][0]', value ->> '$[2][1]', value ->> '$[2][2]', value ->> '$[2][3]', value ->> '$[2][4]' \
         FROM json_each(?1) WHERE true \
         ON CONFLICT (fingerprint) DO UPDATE SET \
             first_version = iif(excluded.first_seen < first_seen, excluded.first_version, first_version), \
             first_seen = min(first_seen, excluded.first_seen), \
             said = iif(excluded.last_seen >= last_seen, excluded.said, said), \
             last_seen = max(last_seen, excluded.last_seen), \
             received_at = max(received_at, excluded.received_at)",
    )
    .bind(json(&rows)?)
    .execute(&mut *write)
    .await
    .map_err(fault("write the error groups"))?;
    let hours = errors.groups.values().flat_map(|(key, group)| {
        group.hours.iter().map(|(hour, count)| (key.fingerprint.to_string(), hour, count))
    });
    sqlx::query(
        "INSERT INTO error_hours (fingerprint, hour, failures) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true \
         ON CONFLICT (fingerprint, hour) DO UPDATE SET failures = failures + excluded.failures",
    )
    .bind(json(&hours.collect::<Vec<_>>())?)
    .execute(write)
    .await
    .map_err(fault("write the error groups"))?;
    Ok(())
}

async fn write_changes(write: &mut SqliteConnection, errors: &Errors) -> Result<(), Error> {
    if errors.changes.is_empty() {
        return Ok(());
    }
    let row = |((whose, what), at): (&(IntegrationKey, What), &Nanos)| {
        let (kind, name, text, effective_at) = match what {
            What::Version(version) => ("version", version.clone(), version, None),
            What::Told { kind, text, effective_at, time } => {
                (&**kind, format!("{time}:{:032x}", digest(&[text])), text, *effective_at)
            }
        };
        let of = (whose.environment.clone(), whose.name.clone(), kind.to_owned(), name);
        (of, *at, errors.received_at, text.clone(), effective_at)
    };
    let rows: Vec<_> = errors.changes.iter().map(row).collect();
    sqlx::query(
        "INSERT INTO changes (environment, integration, kind, name, at, received_at, text, effective_at) \
         SELECT value ->> '$[0][0]', value ->> '$[0][1]', value ->> '$[0][2]', value ->> '$[0][3]', value ->> 1, \
             value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1) WHERE true \
         ON CONFLICT (environment, integration, kind, name) \
             DO UPDATE SET at = min(at, excluded.at), received_at = max(received_at, excluded.received_at)",
    )
    .bind(json(&rows)?)
    .execute(write)
    .await
    .map_err(fault("write the changes"))?;
    Ok(())
}

/// Forgets groups, hours and changes that were received before, and of an integration all groups but the latest.
pub async fn forget(write: &mut SqliteConnection, before: Nanos) -> Result<(), Error> {
    let groups = sqlx::query(
        "DELETE FROM error_groups WHERE received_at < ?1 OR fingerprint IN ( \
             SELECT fingerprint FROM (SELECT fingerprint, row_number() OVER ( \
                 PARTITION BY environment, integration ORDER BY received_at DESC) AS back FROM error_groups) \
             WHERE back > ?2)",
    );
    groups.bind(before).bind(GROUPS).execute(&mut *write).await.map_err(fault("forget error groups"))?;
    sqlx::query("DELETE FROM error_hours WHERE fingerprint NOT IN (SELECT fingerprint FROM error_groups)")
        .execute(&mut *write)
        .await
        .map_err(fault("forget error groups"))?;
    // A version that is still there is received every day: forgotten, it would come back as a new one.
    sqlx::query("DELETE FROM changes WHERE received_at < ?1")
        .bind(before)
        .execute(write)
        .await
        .map_err(fault("forget changes"))?;
    Ok(())
}
