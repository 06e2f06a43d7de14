//! The one writer: groups what waits, writes it, syncs once, then answers and delivers.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::record::{self, FILE_HEAD, FileHead, Record};
use super::replay::{Kept, PROBE, Survey, at, path};
use super::{Failing, Refused, Settings, Stats};
use crate::world::World;
use crate::world::files::File;
use crate::world::points::Point;
use crate::world::seal::{FileKey, Purpose};

/// A group is written when it has this many bytes, even if more wait.
const GROUP_BYTES: u64 = 8 << 20;
/// While the disk fails it is tried this often.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// The group's buffer is given back to the allocator when one large group made it larger than this.
const BUFFER_BYTES: usize = 16 << 20;

/// One `append` on its way.
pub(super) struct Job<T> {
    pub(super) record: Record,
    pub(super) cargo: T,
    pub(super) answer: oneshot::Sender<Result<u64, Refused>>,
    pub(super) place: OwnedSemaphorePermit,
}

/// What the writer is told.
pub(super) enum Message<T> {
    Append(Box<Job<T>>),
    Passed(u64),
    /// Answered by dropping it, after `deliver` is closed.
    Close(oneshot::Sender<()>),
}

/// The file that is being written.
struct Current {
    file: Box<dyn File>,
    salt: u32,
    /// Seals its records, where they are sealed.
    key: Option<FileKey>,
    opened: Instant,
    kept: Kept,
}

pub(super) struct Writer<T> {
    settings: Settings,
    world: World,
    deliver: mpsc::Sender<(u64, T)>,
    stats: Arc<Mutex<Stats>>,
    next: u64,
    current: Option<Current>,
    closed: VecDeque<Kept>,
    predecessor: (u64, u64),
    watermark: u64,
    failures: u64,
    failing: Option<Failing>,
    /// Bytes of the latest group that the disk did not take, and when it was tried.
    lacking: (u64, Instant),
    durable: u64,
    buffer: Vec<u8>,
}

impl<T> Writer<T> {
    pub(super) fn new(
        settings: Settings,
        world: World,
        deliver: mpsc::Sender<(u64, T)>,
        stats: Arc<Mutex<Stats>>,
        found: Survey,
        watermark: u64,
    ) -> Writer<T> {
        let writer = Writer {
            settings,
            world,
            deliver,
            stats,
            next: found.next,
            current: None,
            closed: found.kept,
            predecessor: found.predecessor,
            watermark,
            failures: 0,
            failing: None,
            lacking: (0, Instant::now()),
            durable: found.next - 1,
            buffer: Vec::new(),
        };
        writer.publish();
        writer
    }

    /// Runs until it is told to close, or no handle is left.
    pub(super) fn run(mut self, messages: &Receiver<Message<T>>) {
        let mut closing = None;
        while closing.is_none() {
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut until = None;
            loop {
                let message = match until {
                    None => self.idle(messages),
                    Some(end) => {
                        messages.recv_timeout(Instant::saturating_duration_since(&end, Instant::now()))
                    }
                };
                match message {
                    Ok(Message::Append(job)) => {
                        bytes += job.record.length();
                        group.push(*job);
                        until = until.or_else(|| Instant::now().checked_add(self.settings.window));
                        if bytes >= GROUP_BYTES {
                            break;
                        }
                    }
                    Ok(Message::Passed(watermark)) => self.passed(watermark),
                    Ok(Message::Close(answer)) => {
                        closing = Some(Some(answer));
                        break;
                    }
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => {
                        closing = Some(None);
                        break;
                    }
                }
            }
            self.commit(group);
            self.close_if_old();
            self.probe();
        }
        self.finish();
        // `deliver` closes first, so that whoever waits for the answer finds all of it said.
        drop(self);
        drop(closing);
    }

    /// Waits for the first message of a group, but no longer than the current file may live, or until the disk is
    /// tried again.
    fn idle(&self, messages: &Receiver<Message<T>>) -> Result<Message<T>, RecvTimeoutError> {
        match &self.current {
            None if self.failing.is_some() => messages.recv_timeout(PROBE_EVERY),
            None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(current) => {
                let left = self.settings.file_age.saturating_sub(current.opened.elapsed());
                messages.recv_timeout(left.max(Duration::from_millis(1)))
            }
        }
    }

    /// Makes a group durable, answers its callers, then delivers it.
    fn commit(&mut self, group: Vec<Job<T>>) {
        let mut left = self.settings.max_bytes.saturating_sub(self.bytes());
        let mut taken = Vec::with_capacity(group.len());
        for job in group {
            let length = job.record.length();
            if length <= left && job.record.fits() {
                left -= length;
                taken.push(job);
            } else {
                if job.record.fits() {
                    self.fails(Refused::Full);
                }
                // The caller may be gone; then nobody needs the answer.
                let _ = job.answer.send(Err(Refused::Full));
            }
        }
        if taken.is_empty() {
            return;
        }
        let first = self.next;
        let written = self.write(&taken);
        // Also after a failure: bytes of the group may be on disk under these numbers.
        self.next = self.next.max(first + taken.len() as u64);
        if let Err(error) = written {
            self.failures += 1;
            self.lacking = (taken.iter().map(|job| job.record.length()).sum::<u64>(), Instant::now());
            self.give_up();
            let refused = Refused::Disk(error.to_string());
            self.fails(refused.clone());
            for job in taken {
                let _ = job.answer.send(Err(refused.clone()));
            }
            return;
        }
        self.durable = self.next - 1;
        if self.failing.as_ref().is_some_and(|failing| failing.why != Refused::Full) {
            self.works();
        }
        self.publish();
        self.world.points.pass(Point::BeforeAck);
        let mut cargo = Vec::with_capacity(taken.len());
        for (sequence, job) in (self.next - taken.len() as u64..).zip(taken) {
            let _ = job.answer.send(Ok(sequence));
            cargo.push((sequence, job.cargo));
            drop(job.place);
        }
        self.world.points.pass(Point::AfterAck);
        for item in cargo {
            // An error means that nobody listens any more: the records are replayed at the next start.
            let _ = self.deliver.blocking_send(item);
        }
    }

    fn write(&mut self, group: &[Job<T>]) -> io::Result<()> {
        if self.current.as_ref().is_some_and(|current| current.kept.length >= self.settings.file_bytes) {
            self.close_current();
        }
        if self.current.is_none() {
            let current = self.create()?;
            self.current = Some(current);
        }
        let Some(current) = &mut self.current else {
            return Err(io::Error::other("no file is open"));
        };
        let path = path(&self.settings.folder, current.kept.first);
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES);
        for (sequence, job) in (self.next..).zip(group) {
            let (synced, key) = (current.kept.length, current.key.as_ref());
            record::encode(&mut self.buffer, &job.record, sequence, synced, current.salt, key)?;
        }
        current.file.append(&self.buffer).map_err(at(&path))?;
        self.world.points.pass(Point::BeforeSync);
        current.file.sync().map_err(at(&path))?;
        self.next += group.len() as u64;
        current.kept.length += self.buffer.len() as u64;
        current.kept.last = self.next - 1;
        let oldest_at = group.first().map(|job| job.record.received_at);
        current.kept.oldest_at = current.kept.oldest_at.or(oldest_at);
        Ok(())
    }

    /// Makes the next file. Its header is durable before a record is written, so that a broken header never hides
    /// an acknowledged record.
    fn create(&mut self) -> io::Result<Current> {
        let first = self.next;
        let path = path(&self.settings.folder, first);
        let (stamp, key) = self.settings.keyring.begin(Purpose::Inbox)?.unzip();
        let mut file = self.world.files.create(&path).map_err(at(&path))?;
        let (predecessor, predecessor_length) = self.predecessor;
        let salt = uuid::Uuid::new_v4().as_fields().0;
        let head = FileHead { first, predecessor, predecessor_length, salt, stamp };
        let written =
            file.append(&head.encode()).and_then(|()| file.sync()).map_err(at(&path)).and_then(|()| {
                self.world.files.sync_folder(&self.settings.folder).map_err(at(&self.settings.folder))
            });
        if let Err(error) = written {
            // Best effort: a file without records is also removed by the next open. Its name is not used again.
            let _ = self.world.files.remove(&path);
            return Err(error);
        }
        let kept = Kept { first, last: first, length: head.length() as u64, oldest_at: None };
        Ok(Current { file, salt, key, opened: Instant::now(), kept })
    }

    /// Leaves the file on which a write or sync failed. After a failed fdatasync the kernel may drop the pages and
    /// report success the next time, so the file is not synced again: what was synced before stays, and the next
    /// file's header says how much that is. Cutting the rest off is a courtesy; if it fails too, the worst is that
    /// refused records are replayed after a crash, and the claim on a body's hash makes them count once.
    fn give_up(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let path = path(&self.settings.folder, current.kept.first);
        drop(current.file);
        let tidied = if current.kept.length <= FILE_HEAD as u64 {
            self.world.files.remove(&path)
        } else {
            self.predecessor = (current.kept.first, current.kept.length);
            self.closed.push_back(current.kept);
            self.world.files.truncate(&path, current.kept.length)
        };
        if let Err(error) = tidied {
            tracing::warn!(file = %path.display(), %error, "could not tidy an inbox file after a failed write");
        }
    }

    /// From now on nothing can be taken. It is logged once, however many senders try.
    fn fails(&mut self, why: Refused) {
        let since = self.failing.as_ref().map(|failing| failing.since);
        if since.is_none() {
            tracing::error!(%why, "the inbox takes nothing; senders are told to try again");
        }
        self.failing = Some(Failing { since: since.unwrap_or_else(|| (self.world.clock)()), why });
        self.publish();
    }

    /// All is well again.
    fn works(&mut self) {
        if let Some(failing) = self.failing.take() {
            let for_s = ((self.world.clock)() - failing.since) / 1_000_000_000;
            tracing::info!(for_s, failures = self.failures, "the inbox takes requests again");
        }
        self.publish();
    }

    /// Tries whether the disk takes as much as it last refused, in a file of no use.
    fn probe(&mut self) {
        let (bytes, tried) = self.lacking;
        let failing = self.failing.as_ref().is_some_and(|failing| failing.why != Refused::Full);
        if !failing || tried.elapsed() < PROBE_EVERY {
            return;
        }
        let (files, path) = (self.world.files.clone(), self.settings.folder.join(PROBE));
        // It may be there from an earlier try.
        let _ = files.remove(&path);
        let took = files.create(&path).and_then(|mut file| {
            file.append(&vec![0; bytes as usize])?;
            file.sync()
        });
        let _ = files.remove(&path);
        self.lacking.1 = Instant::now();
        match took {
            Ok(()) => self.works(),
            Err(error) => {
                let error = at(&self.settings.folder)(error).to_string();
                self.fails(Refused::Disk(error));
            }
        }
    }

    fn close_if_old(&mut self) {
        if self.current.as_ref().is_some_and(|current| current.opened.elapsed() >= self.settings.file_age) {
            self.close_current();
        }
    }

    fn close_current(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        self.predecessor = (current.kept.first, current.kept.length);
        self.closed.push_back(current.kept);
        self.passed(self.watermark);
    }

    fn passed(&mut self, watermark: u64) {
        self.watermark = self.watermark.max(watermark);
        let mut removed = false;
        while let Some(kept) = self.closed.front().copied().filter(|kept| kept.last <= self.watermark) {
            let path = path(&self.settings.folder, kept.first);
            self.world.points.pass(Point::BeforeRemove);
            match self.world.files.remove(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    // It stays in the list and is tried again with the next watermark.
                    tracing::warn!(file = %path.display(), %error, "could not delete an inbox file");
                    break;
                }
            }
            self.closed.pop_front();
            removed = true;
        }
        if removed {
            self.world.points.pass(Point::AfterRemove);
            if self.failing.as_ref().is_some_and(|failing| failing.why == Refused::Full) {
                self.works();
            }
            if let Err(error) = self.world.files.sync_folder(&self.settings.folder) {
                tracing::warn!(folder = %self.settings.folder.display(), %error, "could not sync the inbox folder");
            }
            self.publish();
        }
    }

    /// Closes the file so that a last watermark can delete it at the next start.
    fn finish(&mut self) {
        self.close_current();
        self.publish();
    }

    fn bytes(&self) -> u64 {
        self.closed.iter().map(|kept| kept.length).sum::<u64>()
            + self.current.as_ref().map_or(0, |current| current.kept.length)
    }

    fn publish(&self) {
        let current = self.current.as_ref().map(|current| &current.kept);
        let stats = Stats {
            files: self.closed.len() as u64 + u64::from(current.is_some()),
            bytes: self.bytes(),
            sequence: self.durable,
            oldest_at: self.closed.iter().chain(current).find_map(|kept| kept.oldest_at),
            failures: self.failures,
            failing: self.failing.clone(),
        };
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }
}
