//! The catalog in SQLite: WAL, every commit synced, one writer connection and a few readers.
//!
//! Rows travel in bulk: text as one JSON parameter that `json_each` opens, bytes and floats as multi-row VALUES.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, Transaction};

use crate::signals::measure::{CounterKey, DurationKey};
use crate::signals::observation::{CallKey, FacetKey, GaugeKey};
use crate::store::Error;
use crate::store::segments::folder::private_file;
use crate::world::seal::Keyring;
use series::Interned;

pub mod alerts;
pub mod audit;
pub mod claims;
pub mod commit;
pub mod errors;
pub mod held;
pub mod keys;
pub mod ledger;
pub mod measures;
pub mod minutes;
pub mod outbox;
pub mod people;
pub mod outcomes;
pub mod overlays;
pub mod packs;
pub mod pins;
pub mod segments;
pub mod series;
pub mod sessions;
pub mod signals;
pub mod states;
pub mod streams;

/// How long a statement waits for another process's lock, a backup's for one.
const BUSY: Duration = Duration::from_secs(5);
/// Connections that read.
const READERS: u32 = 4;

/// The catalog: `catalog.db` in the data folder.
#[derive(Debug)]
pub struct Catalog {
    writer: SqlitePool,
    readers: SqlitePool,
    calls: Interned<CallKey>,
    facets: Interned<FacetKey>,
    gauges: Interned<GaugeKey>,
    counters: Interned<CounterKey>,
    durations: Interned<DurationKey>,
    /// Seals what is kept whole of failures.
    keyring: Keyring,
}

impl Catalog {
    /// Opens the catalog of a folder, making or migrating it. A newer one is refused.
    pub async fn open(folder: &Path) -> Result<Catalog, Error> {
        let path = folder.join("catalog.db");
        // Made here, so that it is private from its first moment; SQLite gives its side files the same mode.
        drop(private_file(&path)?);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(false)
            .busy_timeout(BUSY)
            // That a statement took long is nothing a reader of the log can mend, and its text is noise to them.
            .disable_statement_logging();
        let writer = pool(1).connect_with(options.clone()).await.map_err(|error| opening(&path, error))?;
        migrate(&writer, &path).await?;
        let readers = pool(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(|error| opening(&path, error))?;
        Ok(Catalog {
            writer,
            readers,
            calls: Interned::default(),
            facets: Interned::default(),
            gauges: Interned::default(),
            counters: Interned::default(),
            durations: Interned::default(),
            keyring: Keyring::default(),
        })
    }

    /// The same, with what seals and opens what is kept whole of failures.
    pub fn with_keyring(self, keyring: Keyring) -> Catalog {
        Catalog { keyring, ..self }
    }

    /// The same while a server works on the folder: its schema is left to that server.
    pub async fn open_beside(folder: &Path) -> Result<Catalog, Error> {
        let path = folder.join("catalog.db");
        let options = SqliteConnectOptions::new().filename(&path).read_only(true).busy_timeout(BUSY);
        let reader = pool(1).connect_with(options).await.map_err(|error| opening(&path, error))?;
        let row: Result<(i64,), _> =
            sqlx::query_as("SELECT max(version) FROM _sqlx_migrations").fetch_one(&reader).await;
        let (version,) = row.map_err(|error| opening(&path, error))?;
        reader.close().await;
        if migrations().iter().any(|migration| migration.version > version) {
            return Err(Error::Refused(format!(
                "The server that works on {} is an older version than this command. Restart it with this version first.",
                folder.display()
            )));
        }
        Catalog::open(folder).await
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Up to where the inbox is committed.
    pub async fn watermark(&self) -> Result<u64, Error> {
        let mut snapshot = self.snapshot().await?;
        watermark(&mut snapshot).await
    }

    /// A read transaction: all its statements see one state of the catalog.
    async fn snapshot(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.readers.begin().await.map_err(fault("begin a read"))
    }

    /// A write transaction, alone from its first statement on.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault("begin a write"))
    }
}

/// The watermark that a snapshot sees.
async fn watermark(snapshot: &mut Transaction<'static, Sqlite>) -> Result<u64, Error> {
    let (watermark,): (i64,) = sqlx::query_as("SELECT watermark FROM inbox WHERE id = 'local'")
        .fetch_one(&mut **snapshot)
        .await
        .map_err(fault("read the watermark"))?;
    u64::try_from(watermark).map_err(|_| damaged("the watermark is negative"))
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .idle_timeout(None)
        .max_lifetime(None)
        // When the disk fails under a transaction SQLite ends it by itself, and sqlx, whose ROLLBACK then fails, counts
        // it as open for ever: no other could begin. Such a connection is closed and replaced.
        .before_acquire(|connection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .test_before_acquire(false)
}

/// The migrations in order. A file that was released is never edited: add the next one.
fn migrations() -> Migrator {
    let migrations = [
        (1, "catalog", include_str!("../../../../migrations/sqlite/0001_catalog.sql")),
        (2, "metrics", include_str!("../../../../migrations/sqlite/0002_metrics.sql")),
        (3, "access", include_str!("../../../../migrations/sqlite/0003_access.sql")),
        (5, "people", include_str!("../../../../migrations/sqlite/0005_people.sql")),
        (11, "overlays", include_str!("../../../../migrations/sqlite/0011_overlays.sql")),
        (12, "outbox", include_str!("../../../../migrations/sqlite/0012_outbox.sql")),
        (9, "signals", include_str!("../../../../migrations/sqlite/0009_signals.sql")),
        (4, "packs", include_str!("../../../../migrations/sqlite/0004_packs.sql")),
        (10, "ledger", include_str!("../../../../migrations/sqlite/0010_ledger.sql")),
        (7, "pins", include_str!("../../../../migrations/sqlite/0007_pins.sql")),
    ];
    let migrations = migrations.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.into())
}

async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), Error> {
    let shown = path.display();
    // The migrator takes a schema that it does not know for a mistake; it is a newer version's work.
    migrations().run(writer).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => Error::Refused(format!(
            "The catalog {shown} was written by a newer version of Seamwatch (schema {version}). Start that version, or restore a backup made before the update."
        )),
        MigrateError::VersionMismatch(version) => Error::Damaged(format!(
            "The catalog {shown} was made by a version of Seamwatch whose schema {version} differs from this one's. Start that version."
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => opening(path, error),
        other => Error::Damaged(format!("The catalog {shown} could not be migrated: {other}.")),
    })?;
    Ok(())
}

fn opening(path: &Path, error: sqlx::Error) -> Error {
    let reason = fault("open")(error);
    let told = |reason: String| format!("{reason} The file is {}.", path.display());
    match reason {
        Error::Disk(reason) => Error::Disk(told(reason)),
        Error::Busy(reason) => Error::Busy(told(reason)),
        Error::Damaged(reason) => Error::Damaged(told(reason)),
        Error::Refused(reason) => Error::Refused(told(reason)),
        Error::Unfit(reason) => Error::Unfit(told(reason)),
    }
}

/// Makes a sentence of what SQLite said; `doing` completes "The catalog could not …".
fn fault(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
    move |error| {
        let code = error
            .as_database_error()
            .and_then(|error| error.code())
            .and_then(|code| code.parse::<i32>().ok());
        // The low byte is SQLite's primary result code.
        match (code.map(|code| code & 0xff), &error) {
            (Some(5 | 6), _) | (None, sqlx::Error::PoolTimedOut) => Error::Busy(format!(
                "The catalog could not {doing}: another process holds it ({error}). It is tried again."
            )),
            (Some(8 | 10 | 13 | 14), _) | (None, sqlx::Error::Io(_)) => Error::Disk(format!(
                "The catalog could not {doing}: {error}. Check the space and the owner of the data folder."
            )),
            (None, sqlx::Error::PoolClosed) => {
                Error::Busy(format!("The catalog could not {doing}: it is closed, the server is stopping."))
            }
            _ => Error::Damaged(format!(
                "The catalog could not {doing}: {error}. If it does not pass, restore catalog.db from a backup."
            )),
        }
    }
}

fn damaged(what: &str) -> Error {
    Error::Damaged(format!("The catalog is damaged: {what}. Restore catalog.db from a backup."))
}

/// A value as JSON text.
fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::Damaged(format!("A value cannot be kept: {error}.")))
}

/// A value from its JSON text.
fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text)
        .map_err(|error| damaged(&format!("a value is not what it should be ({error})")))
}

/// The name that an enum without data has in JSON.
fn name<T: Serialize>(value: &T) -> Result<String, Error> {
    Ok(json(value)?.trim_matches('"').to_owned())
}

/// An enum without data from its name.
fn from_name<T: DeserializeOwned>(name: String) -> Result<T, Error> {
    serde_json::from_value(serde_json::Value::String(name))
        .map_err(|error| damaged(&format!("a name is not known ({error})")))
}

#[cfg(test)]
mod tests;
