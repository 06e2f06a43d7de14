//! Kills and power cuts at any operation of the disk, one after the other: what was acknowledged is there at every
//! start, and every start succeeds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};

use proptest::test_runner::TestRng;

use super::*;
use crate::world::seal::KEY;

/// A disk in memory. What was not synced is lost with the power, in whole or in part.
#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, usize>,
    /// The names that outlive a power cut, and the changes of names that may or may not.
    durable: BTreeMap<PathBuf, usize>,
    renamed: Vec<(PathBuf, Option<usize>)>,
    contents: Vec<Content>,
}

#[derive(Debug, Default)]
struct Content {
    seen: Vec<u8>,
    synced: Vec<u8>,
    waiting: Vec<(usize, Vec<u8>)>,
}

impl State {
    fn name(&mut self, path: &Path, content: Option<usize>) {
        match content {
            Some(content) => self.files.insert(path.to_owned(), content),
            None => self.files.remove(path),
        };
        self.renamed.push((path.to_owned(), content));
    }

    /// The power goes. Each name and each sector that waits is kept or not; one sector may be torn.
    fn lose(&mut self, rng: &mut TestRng) {
        let keeps = [0, 50, 95][rng.next_u32() as usize % 3];
        for (path, content) in std::mem::take(&mut self.renamed) {
            if rng.next_u32() % 100 < keeps {
                match content {
                    Some(content) => self.durable.insert(path, content),
                    None => self.durable.remove(&path),
                };
            }
        }
        self.files = self.durable.clone();
        for content in &mut self.contents {
            for (at, bytes) in std::mem::take(&mut content.waiting) {
                for (nth, sector) in bytes.chunks(64).enumerate() {
                    if rng.next_u32() % 100 >= keeps {
                        continue;
                    }
                    let torn = rng.next_u32().is_multiple_of(10);
                    let kept = if torn { rng.next_u32() as usize % (sector.len() + 1) } else { sector.len() };
                    write(&mut content.synced, at + nth * 64, &sector[..kept]);
                }
            }
            content.seen = content.synced.clone();
        }
    }
}

fn write(into: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    into.resize(into.len().max(at + bytes.len()), 0);
    into[at..at + bytes.len()].copy_from_slice(bytes);
}

/// One run's view of the disk: after so many operations the process is dead, and nothing it does counts.
#[derive(Clone, Debug)]
struct Mortal {
    state: Arc<Mutex<State>>,
    left: Arc<AtomicI64>,
}

impl Mortal {
    fn live(&self) -> io::Result<MutexGuard<'_, State>> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        let state = self.state.lock().unwrap();
        if left > 0 { Ok(state) } else { Err(io::Error::other("the process is dead")) }
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Files for Mortal {
    fn make_folder(&self, _folder: &Path) -> io::Result<()> {
        self.live().map(drop)
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<(String, u64)>> {
        let state = self.live()?;
        let inside = state.files.iter().filter(|(path, _)| path.parent() == Some(folder));
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        Ok(inside.map(|(path, at)| (name(path), state.contents[*at].seen.len() as u64)).collect())
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.live()?;
        if state.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.contents.push(Content::default());
        let at = state.contents.len() - 1;
        state.name(path, Some(at));
        Ok(Box::new(MortalFile(self.clone(), at)))
    }
    fn read(&self, path: &Path, offset: u64, most: u64) -> io::Result<Vec<u8>> {
        let state = self.live()?;
        let content = &state.contents[*state.files.get(path).ok_or_else(missing)?];
        Ok(content.seen.iter().skip(offset as usize).take(most as usize).copied().collect())
    }
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let mut state = self.live()?;
        let at = *state.files.get(path).ok_or_else(missing)?;
        let content = &mut state.contents[at];
        content.seen.truncate(length as usize);
        content.synced = content.seen.clone();
        content.waiting.clear();
        Ok(())
    }
    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        unreachable!("the inbox renames nothing")
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.live()?;
        state.files.get(path).ok_or_else(missing)?;
        state.name(path, None);
        Ok(())
    }
    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        let mut state = self.live()?;
        state.durable = state.files.clone();
        state.renamed.clear();
        Ok(())
    }
}

struct MortalFile(Mortal, usize);

impl File for MortalFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let last = self.0.left.load(Ordering::SeqCst) == 1;
        let mut state = self.0.live()?;
        // The last thing a dying process does may be half a write, or a whole one that it does not sync.
        let half = last && state.contents.len().is_multiple_of(2);
        let bytes = if half { &bytes[..bytes.len() / 2] } else { bytes };
        let content = &mut state.contents[self.1];
        let end = content.seen.len();
        content.seen.extend_from_slice(bytes);
        content.waiting.push((end, bytes.to_vec()));
        if last { Err(io::Error::other("the process dies")) } else { Ok(()) }
    }
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.live()?;
        let content = &mut state.contents[self.1];
        content.synced = content.seen.clone();
        content.waiting.clear();
        Ok(())
    }
}

/// Runs of the inbox on one disk, each ended by a kill or a power cut.
fn outlives(rng: &mut TestRng) {
    let state = Arc::new(Mutex::new(State::default()));
    let folder = Path::new("/disk");
    let settings = Settings { file_bytes: 400, window: Duration::ZERO, ..Settings::new(folder.to_owned()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut acknowledged, mut watermark, mut sent) = (BTreeMap::new(), 0, 0);
    for _run in 0..8 {
        // Each run may seal with another key, or none; all open what the others sealed.
        let (one, two) = ([1; KEY], [2; KEY]);
        let current = [None, Some(&one), Some(&two)][rng.next_u32() as usize % 3];
        let settings = Settings { keyring: Keyring::new(current, &[one, two]), ..settings.clone() };
        let files = Mortal { state: state.clone(), left: Arc::new(AtomicI64::new(i64::MAX)) };
        let left = files.left.clone();
        // A start may be cut off too; then there is another.
        left.store(i64::from(rng.next_u32() % 40), Ordering::SeqCst);
        let world = World { files: Arc::new(files), ..World::real() };
        let (deliver, mut delivered) = tokio_mpsc::channel(1000);
        let opened = Inbox::open(settings.clone(), &world, deliver.clone(), watermark);
        let (inbox, replay) = match opened {
            Ok(opened) => opened,
            Err(error) if left.load(Ordering::SeqCst) <= 0 => {
                assert!(error.to_string().contains("dead"), "{error}");
                left.store(i64::MAX, Ordering::SeqCst);
                Inbox::open(settings, &world, deliver, watermark).unwrap()
            }
            Err(error) => panic!("a start was refused: {error}"),
        };
        left.store(i64::MAX, Ordering::SeqCst);
        let found: BTreeMap<u64, Record> = replay.map(Result::unwrap).collect();
        for (sequence, record) in acknowledged.range(watermark + 1..) {
            assert_eq!(found.get(sequence), Some(record), "lost {sequence}; the watermark is {watermark}");
        }
        left.store(i64::from(rng.next_u32() % 60), Ordering::SeqCst);
        runtime.block_on(async {
            for _ in 0..rng.next_u32() % 30 {
                sent += 1;
                if let Ok(sequence) = inbox.append(record(sent), sent).await {
                    let before = acknowledged.insert(sequence, record(sent));
                    assert_eq!(before, None, "the number {sequence} was used twice");
                    assert_eq!(delivered.recv().await, Some((sequence, sent)));
                    if rng.next_u32().is_multiple_of(4) {
                        watermark = sequence - u64::from(rng.next_u32()) % (sequence - watermark).max(1);
                        inbox.passed(watermark);
                    }
                }
            }
            left.store(0, Ordering::SeqCst);
            drop(delivered);
            inbox.close().await;
        });
        if rng.next_u32().is_multiple_of(2) {
            state.lock().unwrap().lose(rng);
        }
    }
}

proptest! {
    #[test]
    fn what_was_acknowledged_outlives_kills_and_power_cuts(seed: u64) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        outlives(&mut TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &bytes));
    }
}
