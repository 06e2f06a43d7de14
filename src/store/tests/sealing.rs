//! Segments that are sealed: what is in them is in no file, and who may not read them is told why.

use std::path::{Path, PathBuf};

use super::fixtures::{NOON, Span, logs, spans};
use crate::store::{Error, LogQuery, Settings, SpanQuery, Store};
use crate::world::World;
use crate::world::seal::{KEY, Keyring};

fn ring(current: u8, old: &[u8]) -> Keyring {
    let old: Vec<_> = old.iter().map(|old| [*old; KEY]).collect();
    Keyring::new(Some(&[current; KEY]), &old)
}

async fn open(folder: &Path, keyring: &Keyring) -> Store {
    let settings = Settings { keyring: keyring.clone(), ..Settings::new(folder) };
    Store::open(settings, &World::real()).await.unwrap()
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.join("segments")]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

async fn bodies(store: &Store) -> Result<Vec<String>, Error> {
    let found = store.logs(LogQuery { limit: 10, to: i64::MAX, ..LogQuery::default() }).await?;
    Ok(found.into_iter().map(|log| log.body).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_key_are_read_and_a_key_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let written = [Keyring::default(), ring(1, &[]), ring(2, &[1])];
    for ((n, keyring), body) in (1..).zip(&written).zip(["plain", "first", "second"]) {
        let store = open(folder.path(), keyring).await;
        store.absorb(n, logs(&[(NOON + n as i64, "stripe", body)]));
        store.flush(&[], NOON).await.unwrap();
        store.close().await;
    }
    let names: Vec<String> = segments(folder.path()).iter().map(|path| path.display().to_string()).collect();
    let named = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
    let ids = [1, 2].map(|key| ring(key, &[]).current().unwrap());
    assert_eq!((named(".parquet"), named(".sealed"), names.len()), (1, 2, 3), "{names:?}");
    assert!(ids.iter().all(|id| named(&format!(".parquet.{id}.sealed")) == 1), "{names:?}");

    for keyring in [ring(2, &[1]), Keyring::new(None, &[[1; KEY], [2; KEY]])] {
        let store = open(folder.path(), &keyring).await;
        assert_eq!(bodies(&store).await.unwrap(), ["second", "first", "plain"]);
        assert!(store.closed().is_empty());
        store.close().await;
    }
    let store = open(folder.path(), &ring(2, &[])).await;
    assert_eq!(store.closed().iter().collect::<Vec<_>>(), [(&ids[0], &1)]);
    let problem = bodies(&store).await.unwrap_err().to_string();
    let wanted = format!("is encrypted with the key {}", ids[0]);
    assert!(problem.contains(&wanted) && problem.contains("old_key_files"), "{problem}");
    // Nothing is swept away for want of a key, and what is not in those files is read.
    assert_eq!(segments(folder.path()).len(), 3);
    let newest = LogQuery { limit: 10, from: NOON + 3, to: i64::MAX, ..LogQuery::default() };
    assert_eq!(store.logs(newest).await.unwrap()[0].body, "second");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_that_flipped_is_told_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &ring(1, &[])).await;
    store.absorb(1, spans(&[Span::default()]));
    store.flush(&[], NOON).await.unwrap();
    let file = segments(folder.path()).remove(0);
    let good = std::fs::read(&file).unwrap();
    let ask = async || store.spans(SpanQuery { to: i64::MAX, limit: 9, ..SpanQuery::default() }).await;
    for at in [9, 20, 34, 41, good.len() / 2, good.len() - 1] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let problem = ask().await.unwrap_err().to_string();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(problem.contains(name), "{at}: {problem}");
    }
    std::fs::write(&file, &good).unwrap();
    assert_eq!(ask().await.unwrap().len(), 1);
    store.close().await;
}
