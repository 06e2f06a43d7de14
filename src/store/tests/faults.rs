use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Place;
use super::fixtures::{NOON, Span, calls, logs, spans};
use crate::rollup::window::Minute;
use crate::signals::call::Class;
use crate::store::{Detail, Error, SpanQuery, Store};

async fn counted(store: &Store) -> u64 {
    let part = store.window(Minute(0), Minute(i64::MAX), None, Detail::Full).await.unwrap();
    part.calls.values().map(|row| row.tally.unweighted[Class::Ok as usize]).sum()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

pub async fn a_second_server_is_refused<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let error = place.open().await.unwrap_err();
    assert!(matches!(&error, Error::Refused(text) if text.contains("Another Seamwatch server")), "{error}");
    store.close().await;
    place.open().await.unwrap().close().await;
}

pub async fn the_folder_is_private<P: Place>() {
    let place = P::new();
    std::fs::set_permissions(place.folder(), PermissionsExt::from_mode(0o755)).unwrap();
    let store = place.open().await.unwrap();
    store.absorb(1, calls("stripe", &[NOON]));
    store.flush(&[], NOON).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.folder()), 0o700);
    for file in std::fs::read_dir(place.folder()).unwrap().map(|entry| entry.unwrap().path()) {
        assert!(file.is_dir() || mode(&file) == 0o600, "{}: {:o}", file.display(), mode(&file));
    }
    store.close().await;
}

pub async fn numbers_count_once<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.absorb(5, calls("stripe", &[NOON]));
    store.absorb(5, calls("stripe", &[NOON]));
    store.absorb(4, calls("stripe", &[NOON]));
    store.flush(&[], NOON).await.unwrap();
    store.close().await;
    let store = place.open().await.unwrap();
    store.absorb(5, calls("stripe", &[NOON]));
    assert_eq!((counted(&store).await, store.watermark().await.unwrap()), (1, 5));
    store.close().await;
}

pub async fn claims_are_kept_with_their_owner<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.skip(1);
    store.flush(&[(u128::MAX - 1, 1, NOON), (7, 1, NOON + 5)], NOON).await.unwrap();
    store.skip(2);
    store.flush(&[(7, 2, NOON + 9)], NOON).await.unwrap();
    // The corridor claims a body again only once the earlier claim's time is over, so the later owner stands.
    assert_eq!(store.claims(0, usize::MAX).await.unwrap(), [(u128::MAX - 1, 1, NOON), (7, 2, NOON + 9)]);
    assert_eq!(store.claims(NOON + 1, usize::MAX).await.unwrap(), [(7, 2, NOON + 9)]);
    store.skip(3);
    store.flush(&[], NOON + 3 * 3_600_000_000_000).await.unwrap();
    assert_eq!(store.claims(0, usize::MAX).await.unwrap(), [], "they are forgotten after two hours");
    store.close().await;
}

pub async fn a_claim_is_never_kept_before_its_record<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.skip(1);
    // What a flush that failed left is written first: the claims of what came after it wait for their own commit.
    store.flush(&[(7, 1, NOON), (8, 2, NOON)], NOON).await.unwrap();
    assert_eq!(store.claims(0, usize::MAX).await.unwrap(), [(7, 1, NOON)]);
    store.skip(3);
    store.flush(&[(7, 1, NOON), (8, 2, NOON + 1), (9, 3, NOON + 2)], NOON).await.unwrap();
    assert_eq!(store.claims(0, 2).await.unwrap(), [(8, 2, NOON + 1), (9, 3, NOON + 2)], "the newest");
    store.close().await;
}

/// The disk refuses: a file stands where the folder of segments must be.
pub async fn a_failed_segment_leaves_all_hot<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let obstacle = place.folder().join("segments/l0");
    std::fs::write(&obstacle, "in the way").unwrap();
    let mut batch = calls("stripe", &[NOON]);
    batch.spans = spans(&[Span::default()]).spans;
    batch.logs = logs(&[(NOON, "stripe", "hello")]).logs;
    store.absorb(1, batch.clone());
    for _ in 0..2 {
        let error = store.flush(&[(3, 1, NOON)], NOON).await.unwrap_err();
        assert!(matches!(&error, Error::Disk(text) if text.contains("nothing is lost")), "{error}");
    }
    batch.spans = spans(&[Span { n: 2, ..Span::default() }]).spans;
    store.absorb(2, batch);
    assert_eq!((counted(&store).await, store.watermark().await.unwrap()), (2, 0));
    assert_eq!(store.trace([1; 16]).await.unwrap().len(), 2);
    assert!(store.hot_bytes() > 0);

    std::fs::remove_file(&obstacle).unwrap();
    let part = store.flush(&[(3, 1, NOON)], NOON).await.unwrap().unwrap();
    let told: u64 = part.calls.values().map(|row| row.tally.unweighted[Class::Ok as usize]).sum();
    assert_eq!((told, counted(&store).await, store.watermark().await.unwrap()), (2, 2, 2));
    assert_eq!((store.trace([1; 16]).await.unwrap().len(), store.hot_bytes()), (2, 0));
    assert_eq!(files(&place.folder().join("segments")).len(), 4, "two spans files, two logs files");
    store.close().await;
}

pub async fn orphans_go_at_open<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.absorb(1, spans(&[Span::default()]));
    store.flush(&[], NOON).await.unwrap();
    store.close().await;
    let committed = files(&place.folder().join("segments"));
    let folder = committed[0].parent().unwrap().to_owned();
    std::fs::write(folder.join("0190.parquet"), "never committed").unwrap();
    std::fs::write(folder.join("0191.parquet#1"), "half written").unwrap();
    let store = place.open().await.unwrap();
    assert_eq!(files(&place.folder().join("segments")), committed);
    assert_eq!(
        store.spans(SpanQuery { limit: 9, to: i64::MAX, ..SpanQuery::default() }).await.unwrap().len(),
        1
    );
    store.close().await;
}

/// Two stores on one catalog must not both move the watermark. The lock prevents it; the compare-and-swap is what
/// stands when it does not.
pub async fn a_watermark_that_moved_is_refused<P: Place>() {
    let place = P::new();
    let first = place.open().await.unwrap();
    std::fs::remove_file(place.folder().join("lock")).unwrap();
    let second = place.open().await.unwrap();
    first.absorb(1, spans(&[Span::default()]));
    second.absorb(2, calls("stripe", &[NOON]));
    first.flush(&[], NOON).await.unwrap();
    let error = second.flush(&[], NOON).await.unwrap_err();
    assert!(matches!(&error, Error::Damaged(text) if text.contains("watermark")), "{error}");
    assert_eq!(first.watermark().await.unwrap(), 1);
    assert_eq!(files(&place.folder().join("segments")).len(), 1);
    first.close().await;
    second.close().await;
}

/// A flush is dropped at every point where it waits; the next one finds out whether it had committed.
pub async fn a_flush_that_was_cut_off_after_its_commit_counts_once<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let mut finished = 0;
    for seq in 1..=40 {
        let mut batch = calls("stripe", &[NOON]);
        batch.spans = spans(&[Span { n: seq as u8, ..Span::default() }]).spans;
        store.absorb(seq, batch);
        let patience = std::time::Duration::from_micros(seq * 400);
        finished += u64::from(tokio::time::timeout(patience, store.flush(&[], NOON)).await.is_ok());
        assert_eq!(counted(&store).await, seq);
        assert_eq!(store.trace([1; 16]).await.unwrap().len(), seq as usize);
    }
    println!("{finished} of 40 flushes finished");
    store.flush(&[], NOON).await.unwrap();
    assert_eq!((counted(&store).await, store.watermark().await.unwrap()), (40, 40));
    store.close().await;
    let store = place.open().await.unwrap();
    assert_eq!(store.trace([1; 16]).await.unwrap().len(), 40);
    store.close().await;
}

pub async fn nothing_to_flush_is_nothing<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    assert!(store.flush(&[], NOON).await.unwrap().is_none());
    store.skip(3);
    let part = store.flush(&[], NOON).await.unwrap().unwrap();
    assert!(part.is_empty());
    assert_eq!(store.watermark().await.unwrap(), 3);
    assert_eq!(files(&place.folder().join("segments")).len(), 0);
    assert!(store.flush(&[], NOON).await.unwrap().is_none());
    store.close().await;
}
