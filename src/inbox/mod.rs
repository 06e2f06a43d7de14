//! The inbox: what is acknowledged is on disk first, in order, and can be read again after a crash.
//!
//! - `append` answers `Ok` only after the record's bytes were written and fdatasync'ed. One writer thread commits
//!   everything that waits as one group, with one sync.
//! - Each record gets a sequence number. Numbers only rise, across restarts too; they may have gaps, because the
//!   numbers of a group that could not be synced are never given to other records.
//! - A record that is durable is delivered with its cargo, in order of sequence, whether or not its caller still
//!   waits.
//! - A file on which a write or a sync failed is never written to again and never trusted beyond its last good
//!   sync. What waited for it is refused, and the next group goes into a fresh file.
//! - After a crash, [`Inbox::open`] cuts the torn tail of the last file, and [`Replay`] gives all
//!   records above the watermark. Damage to bytes that had been synced is an error that names file and offset.
//! - Files whose records are all at or below the watermark are deleted whole.
//! - While the disk fails the writer tries it each second, so that all is well again without a sender's help.
//!
//! Bodies lie here as they were received, secrets included: files are 0600 in a folder of 0700, and encrypted where
//! [`Settings`] has a keyring that does. A file whose key is not there is not passed over: nothing is opened then.
//!
//! `record` is the format, `local` the writer, `replay` the way back, `aside` where a record goes that cannot be counted.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc as tokio_mpsc, oneshot};

use local::{Job, Message, Writer};
use record::Record;
use replay::Replay;

use crate::world::World;
use crate::world::seal::Keyring;

pub mod aside;
mod local;
pub mod record;
pub mod replay;
#[cfg(test)]
mod tests;

/// How long `append` waits for a place in the queue before it says [`Refused::Full`]. A sender is told within a second
/// that it has to come again.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where the inbox lies and how large it may become.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder of the files; made when it is not there.
    pub folder: PathBuf,
    /// A file closes when it is this long.
    pub file_bytes: u64,
    /// A file closes when it is this old.
    pub file_age: Duration,
    /// Bytes of all files; beyond it, `append` refuses.
    pub max_bytes: u64,
    /// How long the first record of a group waits for others.
    pub window: Duration,
    /// Records that may wait for the writer.
    pub queue: usize,
    /// What seals the files.
    pub keyring: Keyring,
}

impl Settings {
    /// The defaults, in a folder.
    pub fn new(folder: PathBuf) -> Settings {
        Settings {
            folder,
            file_bytes: 64 << 20,
            file_age: Duration::from_secs(60),
            max_bytes: 4 << 30,
            window: Duration::from_millis(2),
            queue: 1024,
            keyring: Keyring::default(),
        }
    }
}

/// Why a record was not taken. All of these pass: the sender should try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The files have reached their limit, or the writer does not keep up.
    #[error("the inbox is full")]
    Full,
    /// The disk did not take the record; the sentence says what failed.
    #[error("{0}")]
    Disk(String),
    /// The inbox was closed.
    #[error("the inbox is closed")]
    Stopping,
}

/// How the inbox stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Files on disk.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Highest sequence number that is durable; the watermark at the start when there is none above it.
    pub sequence: u64,
    /// Receipt time of the oldest record on disk, unix nanoseconds. None when no record is there.
    pub oldest_at: Option<i64>,
    /// Times that a write or sync failed since the start.
    pub failures: u64,
    /// Why it takes nothing now. None while all is well.
    pub failing: Option<Failing>,
}

/// A time in which nothing can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// When it began, unix nanoseconds.
    pub since: i64,
    /// What is refused, and why.
    pub why: Refused,
}

/// A durable queue. Cloning gives another handle of the same one.
pub struct Inbox<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    messages: mpsc::Sender<Message<T>>,
    /// Bounds what waits in `messages`, which itself has no bound: a place is held until the record's group ends.
    places: Arc<Semaphore>,
    stopping: AtomicBool,
    /// A std lock: held for a copy only, on either side.
    stats: Arc<Mutex<Stats>>,
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Inbox { shared: Arc::clone(&self.shared) }
    }
}

impl<T: Send + 'static> Inbox<T> {
    /// Opens the folder, cuts a torn tail, deletes files that `watermark` has passed and starts the writer.
    ///
    /// `deliver` gets (sequence, cargo) of every record that becomes durable from now on, in order; records of
    /// earlier runs come out of the [`Replay`] instead. `deliver` closes when the inbox has closed.
    pub fn open(
        settings: Settings,
        world: &World,
        deliver: tokio_mpsc::Sender<(u64, T)>,
        watermark: u64,
    ) -> io::Result<(Inbox<T>, Replay)> {
        let found = replay::survey(&settings, &*world.files, watermark)?;
        let replay = Replay::new(&settings, Arc::clone(&world.files), &found, watermark);
        let (sender, receiver) = mpsc::channel();
        let places = Arc::new(Semaphore::new(settings.queue.max(1)));
        let stats = Arc::new(Mutex::new(Stats::default()));
        let writer = Writer::new(settings, world.clone(), deliver, Arc::clone(&stats), found, watermark);
        std::thread::Builder::new().name("inbox".to_owned()).spawn(move || writer.run(&receiver))?;
        let stopping = AtomicBool::new(false);
        Ok((Inbox { shared: Arc::new(Shared { messages: sender, places, stopping, stats }) }, replay))
    }

    /// Makes the record durable and gives its sequence number.
    ///
    /// May be dropped at any await: before the record has a place in the queue nothing happened, and from then on
    /// it becomes durable and is delivered like any other.
    pub async fn append(&self, record: Record, cargo: T) -> Result<u64, Refused> {
        let places = Arc::clone(&self.shared.places);
        let place = tokio::time::timeout(PATIENCE, places.acquire_owned())
            .await
            .map_err(|_| Refused::Full)?
            .map_err(|_| Refused::Stopping)?;
        if self.shared.stopping.load(Ordering::Acquire) {
            return Err(Refused::Stopping);
        }
        let (answer, answered) = oneshot::channel();
        let job = Job { record, cargo, answer, place };
        self.shared.messages.send(Message::Append(Box::new(job))).map_err(|_| Refused::Stopping)?;
        answered.await.unwrap_or(Err(Refused::Stopping))
    }

    /// Says that all records up to `watermark` are kept elsewhere: files that hold no later one are deleted.
    pub fn passed(&self, watermark: u64) {
        // A writer that has ended needs no watermark: the next open is given one.
        let _ = self.shared.messages.send(Message::Passed(watermark));
    }

    /// How the inbox stands.
    pub fn stats(&self) -> Stats {
        self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes no more, commits and delivers what waits, closes the file, and returns when `deliver` is closed.
    ///
    /// Whoever reads `deliver` must go on reading until it closes.
    pub async fn close(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        let (answer, answered) = oneshot::channel();
        if self.shared.messages.send(Message::Close(answer)).is_ok() {
            // An error means that the writer had ended before, which is what is waited for.
            let _ = answered.await;
        }
    }
}
