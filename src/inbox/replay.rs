//! The way back: what an earlier run left, and its records in order.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::Settings;
use super::record::{self, FILE_HEAD, FIRST_BYTES, FileHead, Found, Record};
use crate::world::files::Files;
use crate::world::seal::{self, FileKey, Keyring, Purpose};

/// A file that is not written any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Lowest sequence number it can hold; also its name.
    pub(super) first: u64,
    /// No record in it has a higher sequence number.
    pub(super) last: u64,
    /// Bytes that were synced. What lies beyond is never read.
    pub(super) length: u64,
    /// Receipt time of its first record.
    pub(super) oldest_at: Option<i64>,
}

/// What was found on disk.
#[derive(Debug)]
pub(super) struct Survey {
    /// Files with records above the watermark, oldest first.
    pub(super) kept: VecDeque<Kept>,
    /// The first sequence number that is free.
    pub(super) next: u64,
    /// First sequence number and synced length of the latest file that had records; zeros for none.
    pub(super) predecessor: (u64, u64),
}

/// A file in which the writer tries a disk that failed.
pub(super) const PROBE: &str = "probe";

/// The name of the file whose first sequence number this is.
pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.inbox"))
}

/// The first sequence number of a file by its name.
pub(super) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".inbox")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// Adds the path to an error.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn damaged(path: &Path, offset: u64) -> io::Error {
    let text = format!(
        "{}: the bytes at offset {offset} had been synced and are damaged now. Restore the file, or move it away \
         to start without the records in it.",
        path.display()
    );
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The key that a file is sealed with; none where it is not sealed.
pub(super) fn key_of(head: &FileHead, keyring: &Keyring, path: &Path) -> io::Result<Option<FileKey>> {
    let Some(stamp) = &head.stamp else { return Ok(None) };
    let key = keyring.of_file(stamp, Purpose::Inbox);
    key.map(Some).ok_or_else(|| {
        let text = format!(
            "{} {} and start again: requests that were acknowledged are in it.",
            path.display(),
            seal::unknown(stamp.key)
        );
        io::Error::new(io::ErrorKind::PermissionDenied, text)
    })
}

/// Reads the files' headers and the last file, cuts its torn tail, and deletes what is not needed any more.
pub(super) fn survey(settings: &Settings, files: &dyn Files, watermark: u64) -> io::Result<Survey> {
    let folder = &*settings.folder;
    files.make_folder(folder).map_err(at(folder))?;
    let listed = files.list(folder).map_err(at(folder))?;
    if listed.iter().any(|(name, _)| name == PROBE) {
        files.remove(&folder.join(PROBE)).map_err(at(folder))?;
    }
    let mut names: Vec<(u64, u64)> =
        listed.iter().filter_map(|(name, length)| Some((first_of(name)?, *length))).collect();
    names.sort_unstable();
    let mut remove = Vec::new();
    let mut heads: Vec<(FileHead, Kept)> = Vec::new();
    for (first, length) in names {
        let path = path(folder, first);
        let bytes = files.read(&path, 0, FIRST_BYTES as u64).map_err(at(&path))?;
        match FileHead::decode(&bytes).filter(|head| head.first == first) {
            Some(head) => {
                let oldest_at = record::first_received_at(&bytes, &head);
                heads.push((head, Kept { first, last: first, length, oldest_at }));
            }
            // A header is synced before the first record is written, so this file never held one.
            None if length <= FILE_HEAD as u64 => remove.push(first),
            None => return Err(damaged(&path, 0)),
        }
    }
    trust(folder, files, &mut heads)?;
    for (head, kept) in &heads {
        if kept.length > FILE_HEAD as u64 && kept.last > watermark {
            key_of(head, &settings.keyring, &path(folder, kept.first))?;
        }
    }
    let mut survey = Survey { kept: VecDeque::new(), next: watermark, predecessor: (0, 0) };
    for (_, kept) in heads {
        if kept.length > FILE_HEAD as u64 {
            survey.next = survey.next.max(kept.last);
            survey.predecessor = (kept.first, kept.length);
        }
        if kept.length > FILE_HEAD as u64 && kept.last > watermark {
            survey.kept.push_back(kept);
        } else {
            remove.push(kept.first);
        }
    }
    // Only a forged file holds the last number there is.
    survey.next = survey.next.saturating_add(1);
    for first in &remove {
        let path = path(folder, *first);
        files.remove(&path).map_err(at(&path))?;
    }
    files.sync_folder(folder).map_err(at(folder))?;
    Ok(survey)
}

/// Sets each file's `length` to what was synced of it and its `last` to what that can hold.
fn trust(folder: &Path, files: &dyn Files, heads: &mut [(FileHead, Kept)]) -> io::Result<()> {
    let all: Vec<FileHead> = heads.iter().map(|(head, _)| *head).collect();
    let Some(((head, latest), earlier)) = heads.split_last_mut() else {
        return Ok(());
    };
    for (nth, (_, kept)) in earlier.iter_mut().enumerate() {
        // A file that no later one names as predecessor was given up before anything in it was acknowledged.
        let later = all.get(nth + 1..).unwrap_or_default();
        let named = later.iter().find(|later| later.predecessor == kept.first);
        let synced = named.map_or(FILE_HEAD as u64, |later| later.predecessor_length);
        if synced > kept.length {
            return Err(damaged(&path(folder, kept.first), kept.length));
        }
        kept.length = synced;
        kept.last = later.first().map_or(kept.first, |next| next.first.saturating_sub(1));
    }
    let path = path(folder, latest.first);
    let bytes = Bytes::from(files.read(&path, 0, u64::MAX).map_err(at(&path))?);
    let mut offset = head.length();
    loop {
        match record::find(&bytes, offset, head.salt) {
            Found::Record(record) => (latest.last, offset) = (record.sequence, record.end),
            Found::End => break,
            Found::Broken if record::was_synced(&bytes, offset, head.salt) => {
                return Err(damaged(&path, offset as u64));
            }
            Found::Broken => {
                tracing::warn!(
                    file = %path.display(), offset, cut_bytes = bytes.len() - offset,
                    "cut the end of an inbox file that a crash left unfinished; nothing in it was acknowledged"
                );
                break;
            }
        }
    }
    // Synced even where nothing is cut: a run that was killed may have left records that only the page cache has,
    // and from here on the length counts as synced.
    files.truncate(&path, offset as u64).map_err(at(&path))?;
    latest.length = offset as u64;
    Ok(())
}

/// The records of earlier runs above the watermark, in order of sequence.
///
/// It ends after an error. Records that were refused because a sync failed may be among them: their senders were
/// told to try again, and the claim on a body's hash lets both copies count once.
pub struct Replay {
    folder: PathBuf,
    files: Arc<dyn Files>,
    keyring: Keyring,
    todo: VecDeque<Kept>,
    open: Option<Open>,
    watermark: u64,
}

/// The file that is being read.
struct Open {
    path: PathBuf,
    bytes: Bytes,
    offset: usize,
    salt: u32,
    key: Option<FileKey>,
}

impl Replay {
    pub(super) fn new(settings: &Settings, files: Arc<dyn Files>, found: &Survey, watermark: u64) -> Replay {
        let (folder, keyring) = (settings.folder.clone(), settings.keyring.clone());
        Replay { folder, files, keyring, todo: found.kept.clone(), open: None, watermark }
    }

    fn open_next(&mut self) -> Option<io::Result<()>> {
        let kept = self.todo.pop_front()?;
        let path = path(&self.folder, kept.first);
        let read = self.files.read(&path, 0, kept.length).map_err(at(&path));
        Some(read.and_then(|bytes| {
            let bytes = Bytes::from(bytes);
            let head = FileHead::decode(&bytes).ok_or_else(|| damaged(&path, 0))?;
            if (bytes.len() as u64) < kept.length {
                return Err(damaged(&path, bytes.len() as u64));
            }
            let key = key_of(&head, &self.keyring, &path)?;
            self.open = Some(Open { path, bytes, offset: head.length(), salt: head.salt, key });
            Ok(())
        }))
    }

    fn stop(&mut self, error: io::Error) -> Option<io::Result<(u64, Record)>> {
        self.open = None;
        self.todo.clear();
        Some(Err(error))
    }
}

impl Iterator for Replay {
    type Item = io::Result<(u64, Record)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(open) = &mut self.open else {
                match self.open_next()? {
                    Ok(()) => continue,
                    Err(error) => return self.stop(error),
                }
            };
            let offset = open.offset;
            let found = match record::find(&open.bytes, offset, open.salt) {
                Found::Record(record) => {
                    open.offset = record.end;
                    let sequence = record.sequence;
                    if sequence <= self.watermark {
                        continue;
                    }
                    record.read(open.key.as_ref()).map(|record| (sequence, record))
                }
                Found::End => {
                    self.open = None;
                    continue;
                }
                Found::Broken => None,
            };
            let Some(found) = found else {
                let error = damaged(&open.path, offset as u64);
                return self.stop(error);
            };
            return Some(Ok(found));
        }
    }
}
