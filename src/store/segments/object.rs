//! A segment as the Parquet reader wants it: ranges of bytes, read when they are needed.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use bytes::{Buf, Bytes};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

use crate::world::seal::Keyring;
use crate::world::sealed::{self, Closed, Sealed};

/// So much is read at once where the reader asks for a stream.
const STRIDE: u64 = 64 << 10;

/// One object of the store. Its reads block the thread, which must not be one of the runtime's own.
#[derive(Clone, Debug)]
pub struct Object {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    /// Of what the reader sees.
    size: u64,
    seal: Option<Seal>,
    runtime: Handle,
}

/// What a sealed object is opened with.
#[derive(Clone, Debug)]
struct Seal {
    keyring: Keyring,
    file_size: u64,
    /// The beginning, once it was read.
    opened: Arc<OnceLock<Sealed>>,
}

impl Object {
    /// An object of `size` bytes. Call it within a tokio runtime.
    pub fn new(objects: Arc<dyn ObjectStore>, path: Path, size: u64, keyring: &Keyring) -> Object {
        let is_sealed = path.filename().is_some_and(|name| sealed::key_of(name).is_some());
        let seal =
            is_sealed.then(|| Seal { keyring: keyring.clone(), file_size: size, opened: Arc::default() });
        let size = if is_sealed { sealed::length_in(size) } else { size };
        Object { objects, path, size, seal, runtime: Handle::current() }
    }

    /// Why it cannot be opened, where it is sealed and the key is not there.
    pub fn closed(&self) -> Result<Option<Closed>> {
        let Some(seal) = &self.seal else { return Ok(None) };
        if seal.opened.get().is_some() {
            return Ok(None);
        }
        let head = self.stored(0..sealed::HEAD as u64)?;
        match Sealed::read(&seal.keyring, &head, seal.file_size) {
            Ok(sealed) => {
                // Another thread may have read the same meanwhile.
                let _ = seal.opened.set(sealed);
                Ok(None)
            }
            Err(closed) => Ok(Some(closed)),
        }
    }

    fn range(&self, from: u64, to: u64) -> Result<Bytes> {
        let Some(seal) = &self.seal else { return self.stored(from..to) };
        let error = |closed: Closed| ParquetError::External(Box::new(closed));
        if let Some(closed) = self.closed()? {
            return Err(error(closed));
        }
        let sealed = seal.opened.get().ok_or_else(|| error(Closed::Changed))?;
        let bytes = self.stored(sealed.places(&(from..to)))?;
        sealed.open(from..to, &bytes).map(Bytes::from).map_err(error)
    }

    fn stored(&self, range: std::ops::Range<u64>) -> Result<Bytes> {
        self.runtime
            .block_on(self.objects.get_range(&self.path, range))
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
