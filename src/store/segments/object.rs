//! A segment as the Parquet reader wants it: ranges of bytes, read when they are needed.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

/// So much is read at once where the reader asks for a stream.
const STRIDE: u64 = 64 << 10;

/// One object of the store. Its reads block the thread, which must not be one of the runtime's own.
#[derive(Clone, Debug)]
pub struct Object {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    size: u64,
    runtime: Handle,
}

impl Object {
    /// An object of `size` bytes. Call it within a tokio runtime.
    pub fn new(objects: Arc<dyn ObjectStore>, path: Path, size: u64) -> Object {
        Object { objects, path, size, runtime: Handle::current() }
    }

    fn range(&self, from: u64, to: u64) -> Result<Bytes> {
        self.runtime
            .block_on(self.objects.get_range(&self.path, from..to))
            .map_err(|error| ParquetError::External(Box::new(error)))
    }
}

impl Length for Object {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Object {
    type T = Stream;

    fn get_read(&self, start: u64) -> Result<Stream> {
        Ok(Stream { object: self.clone(), at: start, read: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.range(start, start.saturating_add(length as u64))
    }
}

/// The bytes of an object from a place on.
#[derive(Debug)]
pub struct Stream {
    object: Object,
    at: u64,
    read: Bytes,
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read.is_empty() && self.at < self.object.size {
            let to = self.object.size.min(self.at.saturating_add(STRIDE));
            self.read = self.object.range(self.at, to).map_err(io::Error::other)?;
            self.at = to;
        }
        let n = into.len().min(self.read.len());
        self.read.copy_to_slice(&mut into[..n]);
        Ok(n)
    }
}
