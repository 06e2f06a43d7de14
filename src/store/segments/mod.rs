//! Spans and logs as Parquet files: `segments/l0/<signal>/<date>/<uuid>.parquet` in the data folder.
//!
//! A file is synced, and its folder with it, before it is named in the catalog; a file that the catalog does not
//! name was never committed and goes at the next start. `l0` is private: what other engines may read is published
//! by compaction.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::Error;
use super::catalog::{Segment, Signal};
use crate::signals::telemetry::Nanos;

pub mod columns;
pub mod folder;
pub mod object;
pub mod values;

/// Rows of a row group at most.
const ROW_GROUP: usize = 100_000;

/// The segment files of a folder.
#[derive(Clone, Debug)]
pub struct Segments {
    objects: Arc<dyn ObjectStore>,
    root: PathBuf,
}

impl Segments {
    /// Opens `segments/` of the data folder.
    pub fn open(folder: &FilePath) -> Result<Segments, Error> {
        let root = folder.join("segments");
        std::fs::create_dir_all(&root).map_err(|error| {
            Error::Disk(format!("The folder {} could not be made: {error}.", root.display()))
        })?;
        let objects = LocalFileSystem::new_with_prefix(&root).map_err(|error| {
            Error::Disk(format!("The folder {} could not be opened: {error}.", root.display()))
        })?;
        Ok(Segments { objects: Arc::new(objects.with_fsync(true)), root })
    }

    /// Writes one segment of batches that have the signal's columns, in their order; durable when it returns.
    /// None when there is no row.
    pub async fn write(
        &self,
        signal: Signal,
        batches: &[RecordBatch],
        now: Nanos,
    ) -> Result<Option<Segment>, Error> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if rows == 0 {
            return Ok(None);
        }
        let batches = batches.to_vec();
        let (bytes, facts) = blocking(move || {
            let facts = Facts::of(signal, &batches)?;
            let bytes = encode(signal, &batches, rows)
                .map_err(|error| Error::Damaged(format!("A segment could not be encoded: {error}.")))?;
            Ok((bytes, facts))
        })
        .await?;
        let id = uuid::Uuid::now_v7();
        let day = chrono::DateTime::from_timestamp_nanos(now).format("%Y-%m-%d").to_string();
        let path = format!("l0/{}/{day}/{id}.parquet", signal.name());
        let size = bytes.len() as i64;
        self.objects.put(&Path::from(path.as_str()), bytes.into()).await.map_err(|error| {
            Error::Disk(format!(
                "A segment could not be written below {}: {error}. Check the space and the owner of the data folder; nothing is lost meanwhile.",
                self.root.display()
            ))
        })?;
        Ok(Some(Segment {
            id: *id.as_bytes(),
            signal,
            day,
            tmin: facts.tmin,
            tmax: facts.tmax,
            rows: rows as i64,
            bytes: size,
            path,
            integrations: facts.integrations.into_iter().collect(),
        }))
    }

    /// Removes a segment that was not committed. A failure is left to the next start's sweep.
    pub async fn discard(&self, segment: &Segment) {
        if let Err(error) = self.objects.delete(&Path::from(segment.path.as_str())).await {
            tracing::warn!(path = segment.path, %error, "a segment that was not committed could not be removed yet");
        }
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
        object::Object::new(self.objects.clone(), Path::from(segment.path.as_str()), size)
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
    fn of(signal: Signal, batches: &[RecordBatch]) -> Result<Facts, Error> {
        let mut facts = Facts { tmin: Nanos::MAX, tmax: Nanos::MIN, integrations: BTreeSet::new() };
        for batch in batches {
            for name in signal.times() {
                for time in values::ints(batch, name)?.values() {
                    facts.tmin = facts.tmin.min(*time);
                    facts.tmax = facts.tmax.max(*time);
                }
            }
            let environments = values::strings(batch, "environment")?;
            let integrations = values::strings(batch, "integration")?;
            let mut last = None;
            for row in 0..batch.num_rows() {
                let pair = (environments.value(row), integrations.value(row));
                if last != Some(pair) {
                    last = Some(pair);
                    facts.integrations.insert((pair.0.to_owned(), pair.1.to_owned()));
                }
            }
        }
        Ok(facts)
    }
}

fn encode(signal: Signal, batches: &[RecordBatch], rows: usize) -> Result<Vec<u8>, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_column_bloom_filter_enabled(ColumnPath::from("trace_id"), true)
        .set_column_bloom_filter_max_ndv(ColumnPath::from("trace_id"), rows.min(ROW_GROUP) as u64);
    // Ids and times hardly repeat: a dictionary of them is dead weight.
    for name in ["trace_id", "span_id", "parent_span_id"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), false);
    }
    for name in ["start_unix_nano", "end_unix_nano", "time_unix_nano", "received_unix_nano"] {
        properties = properties
            .set_column_dictionary_enabled(ColumnPath::from(name), false)
            .set_column_encoding(ColumnPath::from(name), Encoding::DELTA_BINARY_PACKED);
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), signal.schema(), Some(properties.build()))?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

#[cfg(test)]
mod tests;
