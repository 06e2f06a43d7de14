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
//! `predecessor's length` is how much of the file before this one was synced: what lies beyond was never
//! acknowledged. `synced` says the same of this file at the time its record was written. With it, a reader that
//! meets broken bytes at X knows whether they had been acknowledged: they had if, and only if, some later record
//! says that more than X was synced. The salt keeps a sender from forging such a record inside a body.

use bytes::Bytes;

const MAGIC: &[u8; 8] = b"SEAMINB1";
/// Bytes of a file's header.
pub(super) const FILE_HEAD: usize = 40;
const HEAD: usize = 28;
const PAYLOAD_HEAD: usize = 28;

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
        self.length() < u64::from(u32::MAX)
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
}

impl FileHead {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FILE_HEAD);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.predecessor.to_le_bytes());
        bytes.extend_from_slice(&self.predecessor_length.to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// None when the bytes are no whole header.
    pub(super) fn decode(bytes: &[u8]) -> Option<FileHead> {
        let bytes = bytes.get(..FILE_HEAD)?;
        let good = bytes.starts_with(MAGIC) && u32_at(bytes, 36)? == crc32c::crc32c(bytes.get(..36)?);
        good.then_some(FileHead {
            first: u64_at(bytes, 8)?,
            predecessor: u64_at(bytes, 16)?,
            predecessor_length: u64_at(bytes, 24)?,
            salt: u32_at(bytes, 32)?,
        })
    }
}

/// Appends a record's bytes. `synced` = bytes of the file that are durable already.
pub(super) fn encode(buffer: &mut Vec<u8>, record: &Record, sequence: u64, synced: u64, salt: u32) {
    let mut payload = Vec::with_capacity(PAYLOAD_HEAD + 128);
    payload.extend_from_slice(&record.received_at.to_le_bytes());
    payload.extend_from_slice(&record.key_id.to_le_bytes());
    let texts = [&record.path, &record.content_type, &record.content_encoding];
    for text in texts {
        payload.extend_from_slice(&(text.len() as u32).to_le_bytes());
    }
    for text in texts {
        payload.extend_from_slice(text.as_bytes());
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&payload), &record.body);
    let start = buffer.len();
    buffer.extend_from_slice(&((payload.len() + record.body.len()) as u32).to_le_bytes());
    buffer.extend_from_slice(&sequence.to_le_bytes());
    buffer.extend_from_slice(&synced.to_le_bytes());
    buffer.extend_from_slice(&crc.to_le_bytes());
    let head = crc32c::crc32c_append(salt, buffer.get(start..).unwrap_or_default());
    buffer.extend_from_slice(&head.to_le_bytes());
    buffer.extend_from_slice(&payload);
    buffer.extend_from_slice(&record.body);
}

/// What lies at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A record, and the offset behind it.
    Record(u64, Record, usize),
    /// The end of the file.
    End,
    /// Bytes that are no whole record.
    Broken,
}

/// Reads the record at `offset`.
pub(super) fn decode(bytes: &Bytes, offset: usize, salt: u32) -> Found {
    if offset >= bytes.len() {
        return Found::End;
    }
    decode_whole(bytes, offset, salt).unwrap_or(Found::Broken)
}

fn decode_whole(bytes: &Bytes, offset: usize, salt: u32) -> Option<Found> {
    let head = Head::decode(bytes, offset, salt)?;
    let from = offset + HEAD;
    let to = from.checked_add(head.length as usize)?;
    let payload = bytes.get(from..to)?;
    if crc32c::crc32c(payload) != head.crc {
        return None;
    }
    let mut at = PAYLOAD_HEAD;
    let mut texts = [16, 20, 24].into_iter().map(|length_at| {
        let end = at.checked_add(u32_at(payload, length_at)? as usize)?;
        let text = std::str::from_utf8(payload.get(at..end)?).ok()?.to_owned();
        at = end;
        Some(text)
    });
    let (path, content_type, content_encoding) = (texts.next()??, texts.next()??, texts.next()??);
    let record = Record {
        received_at: u64_at(payload, 0)?.cast_signed(),
        key_id: u64_at(payload, 8)?,
        path,
        content_type,
        content_encoding,
        body: bytes.slice(from.checked_add(at)?..to),
    };
    Some(Found::Record(head.sequence, record, to))
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
pub(super) fn first_received_at(bytes: &[u8]) -> Option<i64> {
    u64_at(bytes, FILE_HEAD + HEAD).map(u64::cast_signed)
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
