//! Files that are sealed: nothing in the clear, nothing lost with a key that is not there, nothing changed unnoticed.

use std::os::unix::fs::PermissionsExt;

use super::super::{aside, record};
use super::*;
use crate::world::seal::{KEY, Keyring, STAMP};
use crate::world::sealed;

fn ring(current: u8, old: &[u8]) -> Keyring {
    let old: Vec<_> = old.iter().map(|old| [*old; KEY]).collect();
    Keyring::new(Some(&[current; KEY]), &old)
}

fn sealing(folder: &Path, keyring: &Keyring) -> Settings {
    Settings { keyring: keyring.clone(), ..settings(folder) }
}

async fn three(folder: &Path, keyring: &Keyring, from: u64) {
    let (inbox, _, _delivered) = open_with(sealing(folder, keyring), Arc::new(Disk), 0).unwrap();
    for n in from..from + 3 {
        inbox.append(record(n), n).await.unwrap();
    }
    inbox.close().await;
}

fn found(folder: &Path, keyring: &Keyring) -> io::Result<Vec<(u64, Record)>> {
    let (_, replay, _delivered) = open_with(sealing(folder, keyring), Arc::new(Disk), 0)?;
    replay.collect()
}

fn expected(numbers: std::ops::RangeInclusive<u64>) -> Vec<(u64, Record)> {
    numbers.map(|n| (n, record(n))).collect()
}

fn holds(folder: &Path, text: &str) -> bool {
    let all: Vec<u8> = inbox_files(folder).iter().flat_map(|file| fs::read(file).unwrap()).collect();
    all.windows(text.len()).any(|found| found == text.as_bytes())
}

#[tokio::test]
async fn nothing_of_a_request_is_in_the_clear_and_files_of_every_key_are_replayed_in_order() {
    let folder = TempDir::new().unwrap();
    three(folder.path(), &Keyring::default(), 1).await;
    assert!(holds(folder.path(), "body 2") && holds(folder.path(), "application/json"), "the control");
    fs::remove_dir_all(folder.path().join("inbox")).unwrap();

    three(folder.path(), &ring(1, &[]), 1).await;
    for text in ["body", "application/json", "/v1/traces", "xxx"] {
        assert!(!holds(folder.path(), text), "{text}");
    }
    three(folder.path(), &ring(2, &[1]), 4).await;
    assert_eq!(found(folder.path(), &ring(2, &[1])).unwrap(), expected(1..=6));
    // Turned off, with what was written before still to be read.
    let off = Keyring::new(None, &[[1; KEY], [2; KEY]]);
    three(folder.path(), &off, 7).await;
    assert!(holds(folder.path(), "body 8"));
    assert_eq!(found(folder.path(), &ring(1, &[2])).unwrap(), expected(1..=9));
}

#[tokio::test]
async fn a_file_whose_key_is_not_there_is_named_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    three(folder.path(), &ring(1, &[]), 1).await;
    let file = inbox_files(folder.path()).remove(0);
    let before = fs::read(&file).unwrap();
    for other in [Keyring::default(), ring(2, &[])] {
        let problem = found(folder.path(), &other).unwrap_err().to_string();
        let named =
            format!("{} is encrypted with the key {}", file.display(), ring(1, &[]).current().unwrap());
        assert!(problem.starts_with(&named) && problem.contains("old_key_files"), "{problem}");
    }
    assert_eq!((inbox_files(folder.path()), fs::read(&file).unwrap()), (vec![file.clone()], before));
    // What is counted already is no reason to refuse: nobody needs to read it again.
    let passed = open_with(settings(folder.path()), Arc::new(Disk), 3);
    assert!(passed.is_ok_and(|(_, replay, _)| replay.count() == 0));
    assert!(!file.exists());
}

/// Whoever can write to the disk can mend a checksum, and no tag.
#[tokio::test]
async fn a_record_that_was_changed_with_its_checksums_is_noticed() {
    let folder = TempDir::new().unwrap();
    three(folder.path(), &ring(1, &[]), 1).await;
    let file = inbox_files(folder.path()).remove(0);
    let good = fs::read(&file).unwrap();
    let start = HEAD + STAMP;
    let salt = FileHead::decode(&good).unwrap().salt;
    let length = u32::from_le_bytes(*good[start..].first_chunk().unwrap()) as usize;
    let payload = start + 28;
    // A number that another record has, when it was received, what is in it, its tag.
    for changed in [start + 4, payload, payload + 8, payload + 40, payload + length - 1] {
        let mut bytes = good.clone();
        bytes[changed] ^= 4;
        let crc = crc32c::crc32c(&bytes[payload..payload + length]);
        bytes[start + 20..start + 24].copy_from_slice(&crc.to_le_bytes());
        let crc = crc32c::crc32c_append(salt, &bytes[start..start + 24]);
        bytes[start + 24..payload].copy_from_slice(&crc.to_le_bytes());
        fs::write(&file, &bytes).unwrap();
        let problem = found(folder.path(), &ring(1, &[])).unwrap_err().to_string();
        assert!(problem.contains(&format!("{}: the bytes at offset {start} ", file.display())), "{problem}");
    }
    fs::write(&file, &good).unwrap();
    assert_eq!(found(folder.path(), &ring(1, &[])).unwrap(), expected(1..=3));
}

#[tokio::test]
async fn two_requests_that_are_the_same_do_not_look_the_same() {
    let folder = TempDir::new().unwrap();
    let (inbox, _, _delivered) = open_with(sealing(folder.path(), &ring(1, &[])), Arc::new(Disk), 0).unwrap();
    let zeros = Record { body: Bytes::from(vec![0; 4096]), ..record(1) };
    inbox.append(zeros.clone(), 1).await.unwrap();
    inbox.append(zeros.clone(), 2).await.unwrap();
    inbox.close().await;
    let bytes = fs::read(inbox_files(folder.path()).remove(0)).unwrap();
    let records = &bytes[FILE_HEAD + 28 + 8..];
    let blocks: std::collections::HashSet<_> = records.windows(16).collect();
    assert_eq!(blocks.len(), records.len() - 15, "no sixteen bytes come twice");
}

#[tokio::test]
async fn what_is_set_aside_is_sealed_too() {
    let folder = TempDir::new().unwrap();
    let settings = sealing(folder.path(), &ring(1, &[]));
    let (inbox, _, _delivered) = open_with(settings.clone(), Arc::new(Disk), 0).unwrap();
    inbox.append(record(1), 1).await.unwrap();
    for _ in 0..2 {
        aside::set_aside(&settings, &Disk, 1).unwrap();
    }
    assert_eq!(aside::count(&settings.folder, &Disk), 1);
    let file = fs::read_dir(settings.folder.join("aside")).unwrap().next().unwrap().unwrap().path();
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("00000000000000000001.http.") && name.ends_with(".sealed"), "{name}");
    let bytes = fs::read(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let opened = String::from_utf8(sealed::opened(&ring(2, &[1]), &bytes).unwrap()).unwrap();
    assert!(opened.starts_with("POST /v1/traces HTTP/1.1\r\n") && opened.contains("body 1"), "{opened}");
    assert!(sealed::opened(&ring(2, &[]), &bytes).is_err());
}

proptest! {
    #[test]
    fn any_sealed_record_comes_back_under_its_own_number_only(key_id: u64, path in ".{0,40}", body: Vec<u8>, sequence: u64) {
        let record = Record { key_id, path, body: body.into(), ..record(1) };
        let (_, key) = ring(1, &[]).begin(crate::world::seal::Purpose::Inbox).unwrap().unwrap();
        let mut bytes = vec![1; 5];
        record::encode(&mut bytes, &record, sequence, 7, 9, Some(&key)).unwrap();
        let bytes = Bytes::from(bytes);
        let Found::Record(found) = record::find(&bytes, 5, 9) else { panic!("it is there") };
        prop_assert_eq!((found.sequence, found.end), (sequence, bytes.len()));
        prop_assert_eq!(found.read(Some(&key)), Some(record));
    }
}
