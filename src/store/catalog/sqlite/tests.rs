//! What only SQLite does: its faults, and its schema's versions.

use super::*;
use crate::rollup::window::Minute;
use crate::store::tests::alerts::{incident, instance};
use crate::store::tests::fixtures::{NOON, anything, calls};
use crate::store::tests::outbox::mail;
use crate::store::tests::{Place, Sqlite};

async fn run(catalog: &Catalog, sql: &'static str) {
    sqlx::query(sql).execute(&catalog.writer).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_leaves_all_hot_and_the_next_flush_writes_it() {
    let place = Sqlite::new();
    let store = place.open().await.unwrap();
    let catalog = &store.inner.catalog;
    let (pages,): (i64,) = sqlx::query_as("PRAGMA page_count").fetch_one(&catalog.writer).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}")))
        .execute(&catalog.writer)
        .await
        .unwrap();
    let mut model = crate::rollup::window::Part::default();
    for seq in 1..=60 {
        let batch = anything(seq);
        model.absorb(&batch.observations, batch.received_at);
        store.absorb(seq, batch);
    }
    for _ in 0..3 {
        let error = store.flush(&[], NOON).await.unwrap_err();
        assert!(matches!(&error, Error::Disk(text) if text.contains("full")), "{error}");
        assert_eq!(store.watermark().await.unwrap(), 0);
    }
    run(catalog, "PRAGMA max_page_count = 1000000").await;
    assert_eq!(*store.flush(&[], NOON).await.unwrap().unwrap(), model);
    assert_eq!(store.watermark().await.unwrap(), 60);
    assert_eq!(store.states().await.unwrap().runs, model.runs);
    store.close().await;
}

#[tokio::test]
async fn a_catalog_that_another_process_holds_is_busy() {
    let place = Sqlite::new();
    let store = place.open().await.unwrap();
    store.absorb(1, calls("stripe", &[NOON]));
    let file = place.folder().join("catalog.db");
    let options = SqliteConnectOptions::new().filename(&file);
    let other = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    run(&store.inner.catalog, "PRAGMA busy_timeout = 10").await;
    let error = store.flush(&[], NOON).await.unwrap_err();
    assert!(matches!(&error, Error::Busy(_)), "{error}");
    held.rollback().await.unwrap();
    assert!(store.flush(&[], NOON).await.unwrap().is_some());
    store.close().await;
}

/// The mails are written last: when they cannot be, nothing of the tick may stand.
#[tokio::test]
async fn a_tick_that_fails_keeps_nothing() {
    let place = Sqlite::new();
    let store = place.open().await.unwrap();
    let fault = "CREATE TRIGGER fault BEFORE INSERT ON mails BEGIN SELECT RAISE(ABORT, 'no'); END";
    run(&store.inner.catalog, fault).await;
    let firing = [instance("stripe", crate::alert::incident::Phase::Firing)];
    let (opened, mails) = ([incident("a1", "K7Q2", NOON)], [mail("m1", "a1", "ops")]);
    assert!(store.record_tick(Minute(7), &firing, &[], &opened, &mails).await.is_err());
    assert_eq!(store.instances().await.unwrap(), (vec![], None));
    assert_eq!(store.incidents(false, 9).await.unwrap(), vec![]);
    run(&store.inner.catalog, "DROP TRIGGER fault").await;
    store.record_tick(Minute(7), &firing, &[], &opened, &mails).await.unwrap();
    assert_eq!(store.instances().await.unwrap(), (firing.to_vec(), Some(Minute(7))));
    assert_eq!(store.mails(9).await.unwrap().len(), 1);
    store.close().await;
}

/// Series numbers of a flush that was rolled back must not be taken for committed ones.
#[tokio::test]
async fn a_rolled_back_flush_teaches_no_series() {
    let place = Sqlite::new();
    let store = place.open().await.unwrap();
    let fault = "CREATE TRIGGER fault BEFORE INSERT ON calls_minute BEGIN SELECT RAISE(ABORT, 'no'); END";
    run(&store.inner.catalog, fault).await;
    store.absorb(1, calls("stripe", &[NOON]));
    assert!(store.flush(&[], NOON).await.is_err());
    run(&store.inner.catalog, "DROP TRIGGER fault").await;
    run(&store.inner.catalog, "INSERT INTO series VALUES (1, 9, '', '', 'takes the number')").await;
    store.flush(&[], NOON).await.unwrap();
    store.close().await;
    let store = place.open().await.unwrap();
    let part = store.window(Minute(0), Minute(i64::MAX), None, crate::store::Detail::Full).await.unwrap();
    assert_eq!(part.calls.len(), 1);
    store.close().await;
}

#[tokio::test]
async fn a_newer_catalog_is_refused() {
    let place = Sqlite::new();
    let store = place.open().await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (99, 'future', true, x'00', 0)";
    run(&store.inner.catalog, newer).await;
    store.close().await;
    let error = place.open().await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused(text) if text.contains("newer version") && text.contains("99")),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told() {
    let place = Sqlite::new();
    std::fs::write(place.folder().join("catalog.db"), "not a database, though long enough to look like one")
        .unwrap();
    let error = place.open().await.unwrap_err();
    assert!(matches!(&error, Error::Damaged(text) if text.contains("catalog.db")), "{error}");
}

#[tokio::test]
async fn every_commit_is_synced_and_readers_cannot_write() {
    let place = Sqlite::new();
    let store = place.open().await.unwrap();
    let catalog = &store.inner.catalog;
    let (mode,): (String,) = sqlx::query_as("PRAGMA journal_mode").fetch_one(&catalog.writer).await.unwrap();
    let (sync,): (i64,) = sqlx::query_as("PRAGMA synchronous").fetch_one(&catalog.writer).await.unwrap();
    assert_eq!((mode.as_str(), sync), ("wal", 2));
    assert!(sqlx::query("DELETE FROM inbox").execute(&catalog.readers).await.is_err());
    store.close().await;
}

#[tokio::test]
async fn the_audit_log_is_append_only() {
    let place = Sqlite::new();
    let store = place.open().await.unwrap();
    let entry = crate::access::audit::Entry {
        at: NOON,
        actor: "ada".into(),
        action: "key.made".into(),
        object: "a key".into(),
        detail: String::new(),
        address: String::new(),
    };
    store.audit(&entry).await.unwrap();
    for statement in ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit"] {
        let refused = sqlx::query(statement).execute(&store.inner.catalog.writer).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    store.close().await;
}
