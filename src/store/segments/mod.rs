//! Spans and logs as Parquet files: `segments/l0/<signal>/<date>/<uuid>.parquet` in the data folder.
//!
//! A file is synced, and its folder with those above it, before it is named in the catalog; a file that the catalog
//! does not name was never committed and goes at the next start. One that could not be synced is never tried again:
//! the rows go into a file of another name. `l0` is private: what other engines may read is published
//! by compaction. Where files are encrypted, their names end with the key's and `.sealed`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;

use super::Error;
use super::catalog::Segment;
use super::hot::Rows;
use crate::decode::texts::Texts;
use crate::signals::telemetry::Nanos;
use crate::world::files::Files;
use crate::world::seal::{KeyId, Keyring};
use crate::world::sealed;

pub mod columns;
mod dictionary;
mod encode;
pub mod folder;
mod levels;
pub mod object;
pub mod values;
mod write;

/// The segment files of a folder.
#[derive(Clone, Debug)]
pub struct Segments {
    /// Reads. What is written goes through `files`, which tests make fail.
    objects: Arc<dyn ObjectStore>,
    files: Arc<dyn Files>,
    keyring: Keyring,
    root: PathBuf,
    /// Folders that this run made durable.
    made: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Segments {
    /// Opens `segments/` of the data folder.
    pub fn open(folder: &FilePath, files: Arc<dyn Files>, keyring: Keyring) -> Result<Segments, Error> {
        let root = folder.join("segments");
        files.make_folder(&root).map_err(|error| {
            Error::Disk(format!("The folder {} could not be made: {error}.", root.display()))
        })?;
        let objects = LocalFileSystem::new_with_prefix(&root).map_err(|error| {
            Error::Disk(format!("The folder {} could not be opened: {error}.", root.display()))
        })?;
        Ok(Segments { objects: Arc::new(objects), files, keyring, root, made: Arc::default() })
    }

    /// Writes one segment of rows; durable when it returns. None when there is no row.
    pub async fn write(&self, rows: Rows, now: Nanos) -> Result<Option<Segment>, Error> {
        let (signal, count) = (rows.signal(), rows.len());
        if count == 0 {
            return Ok(None);
        }
        let id = uuid::Uuid::now_v7();
        let day = chrono::DateTime::from_timestamp_nanos(now).format("%Y-%m-%d").to_string();
        let name = sealed::named(format_args!("{id}.parquet"), &self.keyring);
        let path = format!("l0/{}/{day}/{name}", signal.name());
        let (segments, at) = (self.clone(), path.clone());
        let (size, facts) = blocking(move || {
            let facts = Facts::of(&rows);
            let bytes = match &rows {
                Rows::Spans(spans) => write::spans(spans),
                Rows::Logs(logs) => write::logs(logs),
            };
            let bytes =
                bytes.map_err(|error| Error::Damaged(format!("A segment could not be encoded: {error}.")))?;
            let failed = |error| {
                Error::Disk(format!(
                    "A segment could not be written below {}: {error}. Check the space and the owner of the data folder; nothing is lost meanwhile.",
                    segments.root.display()
                ))
            };
            let bytes = sealed::sealed(&segments.keyring, bytes).map_err(failed)?;
            segments.put(&at, &bytes).map_err(failed)?;
            Ok((bytes.len() as i64, facts))
        })
        .await?;
        Ok(Some(Segment {
            id: *id.as_bytes(),
            signal,
            day,
            tmin: facts.tmin,
            tmax: facts.tmax,
            rows: count as i64,
            bytes: size,
            path,
            integrations: facts.integrations.into_iter().collect(),
        }))
    }

    /// Writes a file that is durable when it returns, or not there.
    fn put(&self, path: &str, bytes: &[u8]) -> std::io::Result<()> {
        let path = self.root.join(path);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let folders: Vec<_> = path.ancestors().skip(1).take_while(|above| *above != self.root).collect();
        // Also those that are there: the run that made them may have crashed before they were synced.
        for folder in folders
            .into_iter()
            .rev()
            .filter(|folder| !folder.is_dir() || !made.contains(*folder))
            .collect::<Vec<_>>()
        {
            self.files.make_folder(folder)?;
            made.insert(folder.to_owned());
        }
        drop(made);
        let mut file = self.files.create(&path)?;
        let folder = path.parent().unwrap_or(&self.root);
        let written =
            file.append(bytes).and_then(|()| file.sync()).and_then(|()| self.files.sync_folder(folder));
        if written.is_err() {
            // Best effort, for the space: no catalog names it.
            let _ = self.files.remove(&path);
        }
        written
    }

    /// Removes every file of `l0` that is not among `known`.
    pub async fn sweep(&self, known: HashSet<String>) -> Result<(), Error> {
        let root = self.root.clone();
        blocking(move || {
            let mut folders = vec![root.join("l0")];
            while let Some(folder) = folders.pop() {
                let Ok(entries) = std::fs::read_dir(&folder) else { continue };
                for entry in entries.flatten() {
                    let path = entry.path();
                    if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        folders.push(path);
                        continue;
                    }
                    let name = path.strip_prefix(&root).ok().and_then(FilePath::to_str);
                    if name.is_some_and(|name| known.contains(name)) {
                        continue;
                    }
                    if let Err(error) = std::fs::remove_file(&path) {
                        tracing::warn!(path = %path.display(), %error, "a file that no flush committed stays");
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// A segment opened for reading. Reads block: use it inside `spawn_blocking` only.
    pub fn object(&self, segment: &Segment) -> object::Object {
        let size = u64::try_from(segment.bytes).unwrap_or(0);
        object::Object::new(self.objects.clone(), Path::from(segment.path.as_str()), size, &self.keyring)
    }

    /// How many of these files are encrypted with a key that is not there, by key.
    pub fn closed<'p>(&self, paths: impl IntoIterator<Item = &'p String>) -> BTreeMap<KeyId, usize> {
        let mut closed = BTreeMap::new();
        let keys = paths.into_iter().filter_map(|path| sealed::key_of(path));
        keys.filter(|key| !self.keyring.knows(*key)).for_each(|key| *closed.entry(key).or_default() += 1);
        closed
    }
}

/// Runs work that blocks or computes for long where it holds up nothing else.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Busy(format!("A task of the store did not finish: {error}."))),
    }
}

/// What the catalog keeps of a segment to leave it out of reads.
struct Facts {
    tmin: Nanos,
    tmax: Nanos,
    integrations: BTreeSet<(String, String)>,
}

impl Facts {
    fn of(rows: &Rows) -> Facts {
        let mut facts = Facts { tmin: Nanos::MAX, tmax: Nanos::MIN, integrations: BTreeSet::new() };
        match rows {
            Rows::Spans(all) => all.iter().for_each(|spans| {
                facts.times(&spans.start);
                facts.times(&spans.end);
                facts.integrations(&spans.texts, &spans.environment, &spans.integration);
            }),
            Rows::Logs(all) => all.iter().for_each(|logs| {
                facts.times(&logs.time);
                facts.integrations(&logs.texts, &logs.environment, &logs.integration);
            }),
        }
        facts
    }

    fn times(&mut self, times: &[Nanos]) {
        for time in times {
            self.tmin = self.tmin.min(*time);
            self.tmax = self.tmax.max(*time);
        }
    }

    fn integrations(&mut self, texts: &Texts, environments: &[u32], integrations: &[u32]) {
        let mut last = None;
        for pair in environments.iter().zip(integrations) {
            if last.replace(pair) != Some(pair) {
                self.integrations.insert((texts.get(*pair.0).to_owned(), texts.get(*pair.1).to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
