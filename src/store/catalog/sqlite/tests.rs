//! What only SQLite does: its faults, and its schema's versions.

use super::series::Series;
use super::*;
use crate::rollup::series::{CallsRow, Merge, Outcomes};
use crate::rollup::window::{MINUTE, Map, Minute, Part};
use crate::signals::call::Class;
use crate::store::Detail;
use crate::store::catalog::Tick;
use crate::store::tests::alerts::{incident, instance};
use crate::store::tests::fixtures::{NOON, anything, call, calls, series};
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
    let tick =
        Tick { at: Minute(7), instances: &firing, incidents: &opened, mails: &mails, ..Tick::default() };
    assert!(store.record_tick(&tick).await.is_err());
    assert_eq!(store.instances().await.unwrap(), (vec![], None));
    assert_eq!(store.incidents(false, 9).await.unwrap(), vec![]);
    run(&store.inner.catalog, "DROP TRIGGER fault").await;
    store.record_tick(&tick).await.unwrap();
    assert_eq!(store.instances().await.unwrap(), (firing.to_vec(), Some(Minute(7))));
    assert_eq!(store.mails(9).await.unwrap().len(), 1);
    store.close().await;
}

/// Series numbers of a flush that was rolled back must not be taken for committed ones.
#[tokio::test]
async fn a_rolled_back_flush_teaches_no_series() {
    let place = Sqlite::new();
    let store = place.open().await.unwrap();
    let fault = "CREATE TRIGGER fault BEFORE INSERT ON packs BEGIN SELECT RAISE(ABORT, 'no'); END";
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

/// What a version before the packs kept, in its own tables and by its own hand, reads the same after the update.
#[tokio::test]
async fn a_filled_catalog_of_an_earlier_version_reads_the_same() {
    let place = Sqlite::new();
    let path = place.folder().join("catalog.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let old = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let before: Vec<Migration> = migrations().iter().filter(|one| one.version < 4).cloned().collect();
    Migrator::with_migrations(before).run(&old).await.unwrap();
    let mut model = Part::default();
    for part in 1..=40 {
        let mut flush = Part::default();
        for seed in 0..3 {
            let mut batch = anything(part * 7 + seed);
            let seen = &mut batch.observations;
            for n in 0..30 {
                seen.series.push(series(&format!("shop-{}", n % 3), &format!("GET /{}", n * part)));
                let mut call = call(4 + n as u32, NOON + n as i64 * MINUTE, Class::Ok, n * 1000);
                // Beyond what SQLite's integers hold, and at every edge of the arithmetic.
                call.operation = [u64::MAX, 1 << 63, i64::MAX as u64, 10_000_000_000, 9_999_999_999, n]
                    [(part + n) as usize % 6]
                    .wrapping_sub(seed);
                seen.calls.push(call);
            }
            flush.absorb(seen, NOON);
            flush.measured.extend(flush.calls.clone());
        }
        write_as_before(&old, part as i64, &flush).await;
        model.merge(&flush);
    }
    old.close().await;
    let store = place.open().await.unwrap();
    let window = async |detail| store.window(Minute(0), Minute(i64::MAX), None, detail).await.unwrap();
    let full = window(Detail::Full).await;
    assert_eq!((full.calls, full.facets), (model.calls.clone(), model.facets));
    assert_eq!(window(Detail::Measures).await.measured, model.measured);
    let counts = window(Detail::Counts).await.calls;
    let tallies = |calls: &Map<_, CallsRow>| calls.values().map(|row| row.tally.writes).sum::<u64>();
    assert_eq!((counts.len(), tallies(&counts)), (model.calls.len(), tallies(&model.calls)));
    let one = store.window(Minute(0), Minute(i64::MAX), Some("shop-1"), Detail::Full).await.unwrap();
    model.calls.retain(|(_, key), _| &*key.integration.name == "shop-1");
    assert_eq!(one.calls, model.calls);
    assert_eq!(store.states().await.unwrap().outcomes, model.outcomes);
    store.close().await;
}

/// Calls, facets and outcomes of a flush as schema 2 had them.
async fn write_as_before(old: &SqlitePool, part: i64, flush: &Part) {
    let mut write = old.begin().await.unwrap();
    let bytes = |row: &dyn Fn(&mut Vec<u8>)| {
        let mut into = Vec::new();
        row(&mut into);
        into
    };
    let tables = [
        ("INSERT INTO calls_minute VALUES (?1, ?2, ?3, ?4, ?5, ?6)", &flush.calls),
        ("INSERT INTO measured_minute VALUES (?1, ?2, ?3, ?4, ?5, ?6)", &flush.measured),
    ];
    for (sql, rows) in tables {
        for ((minute, key), row) in rows {
            let number = number_as_before(&mut write, &**key).await;
            let query = sqlx::query(sql).bind(minute.0).bind(number).bind(part);
            let query = query.bind(bytes(&|into| row.tally.encode(into)));
            let query = query.bind(bytes(&|into| row.good.encode(into)));
            query.bind(bytes(&|into| row.bad.encode(into))).execute(&mut *write).await.unwrap();
        }
    }
    for ((minute, key), row) in &flush.facets {
        let number = number_as_before(&mut write, &**key).await;
        let query = sqlx::query("INSERT INTO facets_minute VALUES (?1, ?2, ?3, ?4)");
        let query = query.bind(minute.0).bind(number).bind(part);
        query.bind(bytes(&|into| row.encode(into))).execute(&mut *write).await.unwrap();
    }
    for (key, outcomes) in &flush.outcomes {
        let number = number_as_before(&mut write, &**key).await;
        let kept = "SELECT latest FROM outcomes WHERE series = ?1";
        let kept: Option<(String,)> =
            sqlx::query_as(kept).bind(number).fetch_optional(&mut *write).await.unwrap();
        let mut merged = outcomes.clone();
        if let Some((kept,)) = kept {
            merged.merge(&Outcomes { latest: from_json(&kept).unwrap() });
        }
        let query = sqlx::query("INSERT OR REPLACE INTO outcomes VALUES (?1, ?2)").bind(number);
        query.bind(json(&merged.latest).unwrap()).execute(&mut *write).await.unwrap();
    }
    write.commit().await.unwrap();
}

async fn number_as_before<K: Series>(write: &mut Transaction<'static, super::Sqlite>, key: &K) -> i64 {
    let text = json(key).unwrap();
    let insert = "INSERT INTO series (kind, environment, integration, key) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT (kind, key) DO UPDATE SET kind = excluded.kind RETURNING id";
    let whose = key.integration();
    let query = sqlx::query_as(insert).bind(K::KIND).bind(&*whose.environment).bind(&*whose.name).bind(&text);
    let (number,): (i64,) = query.fetch_one(&mut **write).await.unwrap();
    number
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
