//! The bytes of an inbox file. All numbers are little-endian.
//!
//! ```text
//! file    magic 8 · first sequence u64 · predecessor's first sequence u64 · predecessor's length u64
//!         · salt u32 · crc32c of these u32 · records …
//! record  length of the payload u32 · sequence u64 · synced u64 · crc32c of the payload u32
//!         · crc32c of the salt and these u32 · payload
//! payload received_at i64 · key_id u64 · three lengths u32 · path · content type · content encoding · body
//! ```
//!
//! A file that is sealed has another magic, and a [`Stamp`] before the header's checksum. Of its payloads all behind
//! `received_at` is sealed under the record's sequence, and the tag stands at the end.
//!
//! `predecessor's length` is how much of the file before this one was synced: what lies beyond was never
//! acknowledged. `synced` says the same of this file at the time its record was written. With it, a reader that
//! meets broken bytes at X knows whether they had been acknowledged: they had if, and only if, some later record
//! says that more than X was synced. The salt keeps a sender from forging such a record inside a body.

use std::io;

use bytes::Bytes;

use crate::world::seal::{FileKey, STAMP, Stamp, TAG};

const MAGIC: &[u8; 8] = b"SEAMINB1";
const SEALED_MAGIC: &[u8; 8] = b"SEAMINB2";
/// Bytes of a file's header that is not sealed.
const PLAIN_HEAD: usize = 40;
/// Bytes of the longer header. A file with a record in it is longer than this, sealed or not.
pub(super) const FILE_HEAD: usize = PLAIN_HEAD + STAMP;
const HEAD: usize = 28;
const PAYLOAD_HEAD: usize = 28;
/// Bytes of a payload that are never sealed.
const CLEAR: usize = 8;

/// One request as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When, unix nanoseconds.
    pub received_at: i64,
    /// Who sent it, as the doors note it; 0 when nobody needed a key.
    pub key_id: u64,
    /// `/v1/traces`, `/report/{name}` …
    pub path: String,
    /// Media type of the body, without parameters.
    pub content_type: String,
    /// `gzip` …; empty for a body that is not compressed.
    pub content_encoding: String,
    /// As received: what was compressed stays so.
    pub body: Bytes,
}

impl Record {
    /// Bytes that the record takes on disk.
    pub fn length(&self) -> u64 {
        (HEAD + PAYLOAD_HEAD) as u64
            + self.path.len() as u64
            + self.content_type.len() as u64
            + self.content_encoding.len() as u64
            + self.body.len() as u64
    }

    /// Whether the format can hold it: a payload stays below 4 GiB.
    pub(super) fn fits(&self) -> bool {
        self.length() + (TAG as u64) < u64::from(u32::MAX)
    }
}

/// A file's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHead {
    /// Lowest sequence number that a record of it can have.
    pub(super) first: u64,
    /// The same of the file before it; 0 for none.
    pub(super) predecessor: u64,
    /// Synced bytes of the file before it.
    pub(super) predecessor_length: u64,
    /// Goes into the checksum of each record's head.
    pub(super) salt: u32,
    /// What its records are sealed by; none where they are not.
    pub(super) stamp: Option<Stamp>,
}

impl FileHead {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FILE_HEAD);
        bytes.extend_from_slice(if self.stamp.is_some() { SEALED_MAGIC } else { MAGIC });
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.predecessor.to_le_bytes());
        bytes.extend_from_slice(&self.predecessor_length.to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        self.stamp.iter().for_each(|stamp| bytes.extend_from_slice(&stamp.encode()));
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// None when the bytes are no whole header.
    pub(super) fn decode(bytes: &[u8]) -> Option<FileHead> {
        let is_sealed = bytes.starts_with(SEALED_MAGIC);
        let (head, crc) = bytes.get(..if is_sealed { FILE_HEAD } else { PLAIN_HEAD })?.split_last_chunk()?;
        let good = (is_sealed || head.starts_with(MAGIC)) && u32::from_le_bytes(*crc) == crc32c::crc32c(head);
        good.then_some(FileHead {
            first: u64_at(head, 8)?,
            predecessor: u64_at(head, 16)?,
            predecessor_length: u64_at(head, 24)?,
            salt: u32_at(head, 32)?,
            stamp: head.get(36..).and_then(Stamp::decode),
        })
    }

    /// How many bytes it is, and so where the first record begins.
    pub(super) fn length(&self) -> usize {
        if self.stamp.is_some() { FILE_HEAD } else { PLAIN_HEAD }
    }
}

/// Appends a record's bytes, sealed by `key` where there is one. `synced` = bytes of the file that are durable already.
pub(super) fn encode(
    buffer: &mut Vec<u8>,
    record: &Record,
    sequence: u64,
    synced: u64,
    salt: u32,
    key: Option<&FileKey>,
) -> io::Result<()> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEAD]);
    buffer.extend_from_slice(&record.received_at.to_le_bytes());
    buffer.extend_from_slice(&record.key_id.to_le_bytes());
    let texts = [&record.path, &record.content_type, &record.content_encoding];
    for text in texts {
        buffer.extend_from_slice(&(text.len() as u32).to_le_bytes());
    }
    for text in texts {
        buffer.extend_from_slice(text.as_bytes());
    }
    buffer.extend_from_slice(&record.body);
    let payload = start + HEAD;
    if let Some(key) = key {
        let about = record.received_at.to_le_bytes();
        let tag = key.seal(sequence, &about, buffer.get_mut(payload + CLEAR..).unwrap_or_default())?;
        buffer.extend_from_slice(&tag);
    }
    let payload = buffer.get(payload..).unwrap_or_default();
    let (length, crc) = (payload.len() as u32, crc32c::crc32c(payload));
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(&length.to_le_bytes());
    head.extend_from_slice(&sequence.to_le_bytes());
    head.extend_from_slice(&synced.to_le_bytes());
    head.extend_from_slice(&crc.to_le_bytes());
    let crc = crc32c::crc32c_append(salt, &head);
    head.extend_from_slice(&crc.to_le_bytes());
    if let Some(place) = buffer.get_mut(start..start + HEAD) {
        place.copy_from_slice(&head);
    }
    Ok(())
}

/// What lies at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A record whose bytes are whole.
    Record(Framed),
    /// The end of the file.
    End,
    /// Bytes that are no whole record.
    Broken,
}

/// A record as it lies in its file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Framed {
    /// Its number.
    pub(super) sequence: u64,
    /// The offset behind it.
    pub(super) end: usize,
    payload: Bytes,
}

/// Finds the record at `offset`.
pub(super) fn find(bytes: &Bytes, offset: usize, salt: u32) -> Found {
    if offset >= bytes.len() {
        return Found::End;
    }
    whole(bytes, offset, salt).map_or(Found::Broken, Found::Record)
}

fn whole(bytes: &Bytes, offset: usize, salt: u32) -> Option<Framed> {
    let head = Head::decode(bytes, offset, salt)?;
    let from = offset + HEAD;
    let end = from.checked_add(head.length as usize)?;
    let good = crc32c::crc32c(bytes.get(from..end)?) == head.crc;
    good.then(|| Framed { sequence: head.sequence, end, payload: bytes.slice(from..end) })
}

impl Framed {
    /// Reads it, by the key of its file where that is sealed. None where it is not as it was written.
    pub(super) fn read(self, key: Option<&FileKey>) -> Option<Record> {
        let received_at = u64_at(&self.payload, 0)?.cast_signed();
        let rest = self.payload.slice_ref(self.payload.get(CLEAR..)?);
        let rest = match key {
            Some(key) => Bytes::from(key.open(self.sequence, &received_at.to_le_bytes(), rest.into())?),
            None => rest,
        };
        let mut at = PAYLOAD_HEAD - CLEAR;
        let mut texts = [8, 12, 16].into_iter().map(|length_at| {
            let end = at.checked_add(u32_at(&rest, length_at)? as usize)?;
            let text = std::str::from_utf8(rest.get(at..end)?).ok()?.to_owned();
            at = end;
            Some(text)
        });
        let (path, content_type, content_encoding) = (texts.next()??, texts.next()??, texts.next()??);
        let key_id = u64_at(&rest, 0)?;
        Some(Record { received_at, key_id, path, content_type, content_encoding, body: rest.slice(at..) })
    }
}

/// Whether the bytes at `broken` had been acknowledged: a later record says that more than them was synced.
pub(super) fn was_synced(bytes: &[u8], broken: usize, salt: u32) -> bool {
    // Record boundaries are lost behind a broken head, so every offset is tried.
    (broken + 1..bytes.len()).any(|offset| {
        Head::decode(bytes, offset, salt)
            .is_some_and(|head| head.synced > broken as u64 && head.synced <= offset as u64)
    })
}

/// The receipt time of the record that follows a file's header, from the first bytes of the file.
pub(super) fn first_received_at(bytes: &[u8], head: &FileHead) -> Option<i64> {
    u64_at(bytes, head.length() + HEAD).map(u64::cast_signed)
}

/// How many bytes [`first_received_at`] needs.
pub(super) const FIRST_BYTES: usize = FILE_HEAD + HEAD + 8;

struct Head {
    length: u32,
    sequence: u64,
    synced: u64,
    crc: u32,
}

impl Head {
    fn decode(bytes: &[u8], offset: usize, salt: u32) -> Option<Head> {
        let bytes = bytes.get(offset..offset.checked_add(HEAD)?)?;
        let good = u32_at(bytes, 24)? == crc32c::crc32c_append(salt, bytes.get(..24)?);
        good.then_some(Head {
            length: u32_at(bytes, 0)?,
            sequence: u64_at(bytes, 4)?,
            synced: u64_at(bytes, 12)?,
            crc: u32_at(bytes, 20)?,
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}
