//! The promise, against a disk that fails and a crash at every byte.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::record::{FILE_HEAD, FileHead, Found};
use super::*;
use crate::world::files::{Disk, File, Files};

mod power;
mod sealing;

/// Bytes of the header of a file that is not sealed.
const HEAD: usize = FILE_HEAD - crate::world::seal::STAMP;

/// The disk, with faults that tests switch on.
#[derive(Debug, Default)]
struct Faulty {
    /// Appends write this many bytes more, then fail. Negative: no limit.
    append_left: AtomicI64,
    /// Syncs that fail from now on.
    sync_failures: AtomicU32,
    /// Whether cutting and deleting fail.
    stuck: AtomicBool,
}

impl Faulty {
    fn new() -> Arc<Faulty> {
        let faulty = Faulty::default();
        faulty.append_left.store(-1, Ordering::SeqCst);
        Arc::new(faulty)
    }
}

#[derive(Debug)]
struct FaultyFiles(Arc<Faulty>);
struct FaultyFile(Arc<Faulty>, Box<dyn File>);

fn eio() -> io::Error {
    io::Error::other("input/output error")
}

impl Files for FaultyFiles {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        Disk.make_folder(folder)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>> {
        Disk.list(folder)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(FaultyFile(Arc::clone(&self.0), Disk.create(path)?)))
    }
    fn read(&self, path: &Path, offset: u64, most: u64) -> io::Result<Vec<u8>> {
        Disk.read(path, offset, most)
    }
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        if self.0.stuck.load(Ordering::SeqCst) { Err(eio()) } else { Disk.truncate(path, length) }
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.0.stuck.load(Ordering::SeqCst) { Err(eio()) } else { Disk.remove(path) }
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        Disk.sync_folder(folder)
    }
}

impl File for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let left = self.0.append_left.load(Ordering::SeqCst);
        if left < 0 || bytes.len() as i64 <= left {
            return self.1.append(bytes);
        }
        self.1.append(&bytes[..left as usize])?;
        Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on device"))
    }
    fn sync(&mut self) -> io::Result<()> {
        let left = self.0.sync_failures.load(Ordering::SeqCst);
        if left > 0 {
            self.0.sync_failures.store(left - 1, Ordering::SeqCst);
            return Err(eio());
        }
        self.1.sync()
    }
}

fn settings(folder: &Path) -> Settings {
    Settings { window: Duration::from_millis(1), ..Settings::new(folder.join("inbox")) }
}

fn record(n: u64) -> Record {
    Record {
        received_at: 1_000 + n as i64,
        key_id: n,
        path: "/v1/traces".to_owned(),
        content_type: "application/json".to_owned(),
        content_encoding: String::new(),
        body: Bytes::from(format!("body {n} {}", "x".repeat((n * 7 % 40) as usize))),
    }
}

type Opened = (Inbox<u64>, Replay, tokio_mpsc::Receiver<(u64, u64)>);

fn open_with(settings: Settings, files: Arc<dyn Files>, watermark: u64) -> io::Result<Opened> {
    let (deliver, delivered) = tokio_mpsc::channel(1000);
    let (inbox, replay) = Inbox::open(settings, &World { files, ..World::real() }, deliver, watermark)?;
    Ok((inbox, replay, delivered))
}

fn open(folder: &Path, watermark: u64) -> Opened {
    open_with(settings(folder), Arc::new(Disk), watermark).unwrap()
}

fn replayed(replay: Replay) -> Vec<(u64, Record)> {
    replay.map(Result::unwrap).collect()
}

/// Opens once more and gives what is replayed.
fn after_crash(folder: &Path, watermark: u64) -> Vec<(u64, Record)> {
    let (deliver, _delivered) = tokio_mpsc::channel::<(u64, ())>(1);
    let (_, replay) = Inbox::open(settings(folder), &World::real(), deliver, watermark).unwrap();
    replayed(replay)
}

fn inbox_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder.join("inbox")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test]
async fn records_come_back_above_the_watermark_and_numbers_go_on() {
    let folder = TempDir::new().unwrap();
    let (inbox, replay, mut delivered) = open(folder.path(), 0);
    assert_eq!(replayed(replay), []);
    for n in 1..=3 {
        assert_eq!(inbox.append(record(n), n).await, Ok(n));
        assert_eq!(delivered.recv().await, Some((n, n)));
    }
    inbox.close().await;
    let (inbox, replay, _delivered) = open(folder.path(), 1);
    assert_eq!(replayed(replay), [(2, record(2)), (3, record(3))]);
    assert_eq!(inbox.append(record(4), 4).await, Ok(4));
    inbox.close().await;
    assert_eq!(after_crash(folder.path(), 0).iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    // All is passed: nothing is left on disk, and the numbers still rise.
    let (inbox, replay, _delivered) = open(folder.path(), 9);
    assert_eq!(replayed(replay), []);
    assert_eq!(inbox_files(folder.path()), Vec::<std::path::PathBuf>::new());
    assert_eq!(inbox.append(record(5), 5).await, Ok(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_are_delivered_in_order() {
    let folder = TempDir::new().unwrap();
    let (inbox, _, mut delivered) = open(folder.path(), 0);
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let inbox = inbox.clone();
            tokio::spawn(async move { (inbox.append(record(n), n).await.unwrap(), n) })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers.sort_unstable();
    let mut seen = Vec::new();
    for _ in 0..100 {
        seen.push(delivered.recv().await.unwrap());
    }
    assert_eq!(seen, answers);
    assert_eq!(seen.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    let kept: Vec<_> = after_crash(folder.path(), 0);
    assert_eq!(kept, answers.iter().map(|(seq, n)| (*seq, record(*n))).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_crash_at_any_byte_keeps_what_was_acknowledged_before_it() {
    let folder = TempDir::new().unwrap();
    let (inbox, _, mut delivered) = open(folder.path(), 0);
    let mut ends = Vec::new();
    for n in 1..=5 {
        inbox.append(record(n), n).await.unwrap();
        delivered.recv().await.unwrap();
        ends.push(inbox.stats().bytes);
    }
    inbox.close().await;
    let file = inbox_files(folder.path()).remove(0);
    let bytes = fs::read(&file).unwrap();
    assert_eq!(ends.last(), Some(&(bytes.len() as u64)));
    for cut in 0..=bytes.len() {
        for tail in [&b""[..], &[0; 100]] {
            let crashed = TempDir::new().unwrap();
            fs::create_dir(crashed.path().join("inbox")).unwrap();
            let torn = crashed.path().join("inbox").join(file.file_name().unwrap());
            // A tail that was allocated but never written reads as zeros.
            let tail = if cut < HEAD { &b""[..] } else { tail };
            fs::write(&torn, [&bytes[..cut], tail].concat()).unwrap();
            let whole = ends.iter().filter(|end| **end <= cut as u64).count() as u64;
            let (inbox, replay, _delivered) = open(crashed.path(), 0);
            let expected: Vec<_> = (1..=whole).map(|n| (n, record(n))).collect();
            assert_eq!(replayed(replay), expected, "cut at {cut}");
            assert_eq!(inbox.append(record(9), 9).await, Ok(whole + 1), "cut at {cut}");
            inbox.close().await;
            let again = [expected, vec![(whole + 1, record(9))]].concat();
            assert_eq!(after_crash(crashed.path(), 0), again, "cut at {cut}, second start");
        }
    }
}

#[tokio::test]
async fn damage_to_synced_bytes_names_file_and_offset() {
    let folder = TempDir::new().unwrap();
    let (inbox, _, _delivered) = open(folder.path(), 0);
    let mut ends = vec![HEAD as u64];
    for n in 1..=3 {
        inbox.append(record(n), n).await.unwrap();
        ends.push(inbox.stats().bytes);
    }
    inbox.close().await;
    let file = inbox_files(folder.path()).remove(0);
    let good = fs::read(&file).unwrap();
    for damage in 0..ends[2] as usize {
        let mut bytes = good.clone();
        bytes[damage] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let error = open_with(settings(folder.path()), Arc::new(Disk), 0).err().unwrap().to_string();
        let start = if damage < HEAD { 0 } else { *ends.iter().rfind(|end| **end <= damage as u64).unwrap() };
        assert!(error.contains(&format!("{}: the bytes at offset {start} ", file.display())), "{error}");
    }
    // In a file that is not the last one, the last record is known to have been synced too.
    fs::write(&file, &good).unwrap();
    let (inbox, _, _delivered) = open(folder.path(), 0);
    inbox.append(record(4), 4).await.unwrap();
    inbox.close().await;
    let mut bytes = good.clone();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    let (_, mut replay, _delivered) = open(folder.path(), 0);
    assert_eq!(replay.next().unwrap().unwrap().0, 1);
    assert_eq!(replay.next().unwrap().unwrap().0, 2);
    let error = replay.next().unwrap().unwrap_err().to_string();
    assert!(error.contains(&format!("offset {}", ends[2])), "{error}");
    assert!(replay.next().is_none());
    // And a file that lost bytes is noticed at once.
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert!(open_with(settings(folder.path()), Arc::new(Disk), 0).is_err());
}

/// One append fails; those before and after it hold. With `stuck`, the file cannot be tidied either.
async fn one_failure(stuck: bool, fail: impl Fn(&Faulty), mend: impl Fn(&Faulty)) {
    let folder = TempDir::new().unwrap();
    let faulty = Faulty::new();
    let files = || Arc::new(FaultyFiles(Arc::clone(&faulty)));
    let (inbox, _, mut delivered) = open_with(settings(folder.path()), files(), 0).unwrap();
    assert_eq!(inbox.append(record(1), 1).await, Ok(1));
    faulty.stuck.store(stuck, Ordering::SeqCst);
    fail(&faulty);
    let refused = inbox.append(record(2), 2).await;
    assert!(matches!(refused, Err(Refused::Disk(_))), "{refused:?}");
    let failing = inbox.stats().failing.map(|failing| failing.why);
    assert!(matches!(failing, Some(Refused::Disk(_))), "{failing:?}");
    mend(&faulty);
    assert_eq!(inbox.stats().failures, 1);
    // A crash here, before a next file says how much of this one holds, must not refuse the start.
    let early = TempDir::new().unwrap();
    fs::create_dir(early.path().join("inbox")).unwrap();
    for file in inbox_files(folder.path()) {
        fs::copy(&file, early.path().join("inbox").join(file.file_name().unwrap())).unwrap();
    }
    assert_eq!(after_crash(early.path(), 0).first(), Some(&(1, record(1))));
    // The number of the refused record is not used again.
    assert_eq!(inbox.append(record(3), 3).await, Ok(3));
    assert_eq!(inbox.stats().failing, None);
    faulty.stuck.store(false, Ordering::SeqCst);
    assert_eq!((delivered.recv().await, delivered.recv().await), (Some((1, 1)), Some((3, 3))));
    assert_eq!(after_crash(folder.path(), 0), [(1, record(1)), (3, record(3))]);
}

#[tokio::test]
async fn a_short_write_is_refused_and_the_next_goes_to_a_fresh_file() {
    for stuck in [false, true] {
        for written in 0..60 {
            one_failure(
                stuck,
                |faulty| faulty.append_left.store(written, Ordering::SeqCst),
                |faulty| faulty.append_left.store(-1, Ordering::SeqCst),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn a_failed_sync_is_refused_and_never_tried_again_on_that_file() {
    for stuck in [false, true] {
        one_failure(stuck, |faulty| faulty.sync_failures.store(1, Ordering::SeqCst), |_| {}).await;
    }
}

#[tokio::test]
async fn while_the_disk_fails_files_do_not_pile_up() {
    let folder = TempDir::new().unwrap();
    let faulty = Faulty::new();
    let files = Arc::new(FaultyFiles(Arc::clone(&faulty)));
    let (inbox, _, _delivered) = open_with(settings(folder.path()), files, 0).unwrap();
    faulty.sync_failures.store(20, Ordering::SeqCst);
    for n in 0..20 {
        assert!(matches!(inbox.append(record(n), n).await, Err(Refused::Disk(_))));
    }
    assert_eq!(inbox_files(folder.path()).len(), 0);
    assert_eq!(inbox.append(record(1), 1).await, Ok(21));
    assert_eq!(after_crash(folder.path(), 0), [(21, record(1))]);
}

#[tokio::test]
async fn files_rotate_and_go_when_the_watermark_passes_them() {
    let folder = TempDir::new().unwrap();
    let small = Settings { file_bytes: 200, ..settings(folder.path()) };
    let (inbox, _, mut delivered) = open_with(small, Arc::new(Disk), 0).unwrap();
    for n in 1..=10 {
        inbox.append(record(n), n).await.unwrap();
        delivered.recv().await.unwrap();
    }
    let before = inbox_files(folder.path());
    assert!(before.len() > 3, "{before:?}");
    assert_eq!(inbox.stats().files, before.len() as u64);
    assert_eq!(inbox.stats().oldest_at, Some(1_001));
    assert_eq!(after_crash(folder.path(), 0).len(), 10);
    let second: u64 = before[1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    inbox.passed(second - 2);
    inbox.append(record(11), 11).await.unwrap();
    assert_eq!(inbox_files(folder.path())[0], before[0], "its last record is not passed yet");
    inbox.passed(second - 1);
    inbox.append(record(12), 12).await.unwrap();
    assert_eq!(inbox_files(folder.path())[0], before[1]);
    assert_eq!(inbox.stats().oldest_at, Some(1_000 + second as i64));
    inbox.close().await;
    let left: Vec<u64> = after_crash(folder.path(), 5).iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(left, (6..=12).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_idle_file_closes_by_age_and_goes() {
    let folder = TempDir::new().unwrap();
    let short = Settings { file_age: Duration::from_millis(20), ..settings(folder.path()) };
    let (inbox, _, _delivered) = open_with(short, Arc::new(Disk), 0).unwrap();
    inbox.append(record(1), 1).await.unwrap();
    inbox.passed(1);
    for _ in 0..500 {
        if inbox.stats().files == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(inbox_files(folder.path()), Vec::<std::path::PathBuf>::new());
    assert_eq!(inbox.stats(), Stats { sequence: 1, ..Stats::default() });
    assert_eq!(inbox.append(record(2), 2).await, Ok(2));
}

#[tokio::test]
async fn beyond_its_limit_on_disk_the_inbox_is_full_until_the_watermark_moves() {
    let folder = TempDir::new().unwrap();
    let small = Settings { max_bytes: 300, file_bytes: 1, ..settings(folder.path()) };
    let (inbox, _, _delivered) = open_with(small, Arc::new(Disk), 0).unwrap();
    let mut taken = 0;
    let refused = loop {
        match inbox.append(record(taken + 1), 0).await {
            Ok(sequence) => taken = sequence,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, Refused::Full);
    assert_eq!(inbox.stats().failing.map(|failing| failing.why), Some(Refused::Full));
    assert!(taken >= 1 && inbox.stats().bytes <= 400);
    assert_eq!(after_crash(folder.path(), 0).len() as u64, taken);
    let (inbox, _, _delivered) = open(folder.path(), taken);
    assert_eq!(inbox.append(record(1), 0).await, Ok(taken + 1));
}

#[tokio::test]
async fn who_stops_waiting_is_delivered_all_the_same() {
    let folder = TempDir::new().unwrap();
    let slow = Settings { window: Duration::from_millis(50), ..settings(folder.path()) };
    let (inbox, _, mut delivered) = open_with(slow, Arc::new(Disk), 0).unwrap();
    let dropped = tokio::time::timeout(Duration::ZERO, inbox.append(record(1), 7)).await;
    assert!(dropped.is_err());
    assert_eq!(delivered.recv().await, Some((1, 7)));
    assert_eq!(after_crash(folder.path(), 0), [(1, record(1))]);
}

#[tokio::test]
async fn closing_commits_and_delivers_what_waits() {
    let folder = TempDir::new().unwrap();
    let slow = Settings { window: Duration::from_secs(60), ..settings(folder.path()) };
    let (inbox, _, mut delivered) = open_with(slow, Arc::new(Disk), 0).unwrap();
    let waiting = tokio::spawn({
        let inbox = inbox.clone();
        async move { inbox.append(record(1), 1).await }
    });
    while inbox.shared.places.available_permits() == 1024 {
        tokio::task::yield_now().await;
    }
    inbox.close().await;
    assert_eq!(waiting.await.unwrap(), Ok(1));
    assert_eq!((delivered.recv().await, delivered.recv().await), (Some((1, 1)), None));
    assert_eq!(inbox.append(record(2), 2).await, Err(Refused::Stopping));
}

/// With no sender's help: the writer tries the disk by itself.
#[tokio::test]
async fn a_disk_that_works_again_is_noticed() {
    let folder = TempDir::new().unwrap();
    let faulty = Faulty::new();
    let files = Arc::new(FaultyFiles(Arc::clone(&faulty)));
    let (inbox, _, _delivered) = open_with(settings(folder.path()), files, 0).unwrap();
    faulty.append_left.store(0, Ordering::SeqCst);
    assert!(matches!(inbox.append(record(1), 1).await, Err(Refused::Disk(_))));
    let since = inbox.stats().failing.unwrap().since;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(inbox.stats().failing.unwrap().since, since, "the disk still fails");
    faulty.append_left.store(-1, Ordering::SeqCst);
    for _ in 0..1000 {
        if inbox.stats().failing.is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(inbox.stats().failing, None);
    assert_eq!(inbox_files(folder.path()), Vec::<std::path::PathBuf>::new(), "the try leaves nothing");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let (inbox, _, _delivered) = open(folder.path(), 0);
    inbox.append(record(1), 1).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("inbox")), 0o700);
    assert_eq!(mode(&inbox_files(folder.path())[0]), 0o600);
}

#[test]
fn a_body_cannot_pass_for_a_later_record() {
    let mut forged = Vec::new();
    record::encode(&mut forged, &record(1), 99, 1_000_000, 0, None).unwrap();
    let mut bytes = Vec::new();
    let victim = Record { body: Bytes::from(forged), ..record(2) };
    record::encode(&mut bytes, &victim, 1, HEAD as u64, 0xdead_beef, None).unwrap();
    bytes[30] ^= 1;
    assert!(!record::was_synced(&bytes, 0, 0xdead_beef));
}

proptest! {
    #[test]
    fn any_record_comes_back(received_at: i64, key_id: u64, path in ".{0,40}", kind in ".{0,20}", encoding in ".{0,9}",
        body: Vec<u8>, sequence: u64, synced: u64, salt: u32, before in 0_usize..9) {
        let record = Record {
            received_at, key_id, path, content_type: kind, content_encoding: encoding, body: body.into(),
        };
        let mut bytes = vec![1; before];
        record::encode(&mut bytes, &record, sequence, synced, salt, None).unwrap();
        prop_assert_eq!(bytes.len() as u64, before as u64 + record.length());
        let bytes = Bytes::from(bytes);
        let end = bytes.len();
        let Found::Record(found) = record::find(&bytes, before, salt) else { panic!("it is there") };
        prop_assert_eq!((found.sequence, found.end), (sequence, end));
        prop_assert_eq!(found.read(None), Some(record));
        prop_assert_eq!(record::find(&bytes, end, salt), Found::End);
        prop_assert_eq!(record::find(&bytes.slice(..end - 1), before, salt), Found::Broken);
    }

    #[test]
    fn garbage_is_broken(bytes in proptest::collection::vec(any::<u8>(), 1..300), salt: u32) {
        prop_assert_eq!(record::find(&Bytes::from(bytes.clone()), 0, salt), Found::Broken);
        prop_assert!(FileHead::decode(&bytes).is_none());
    }
}
