//! A whole file, sealed in pieces of which each can be opened by itself.
//!
//! ```text
//! magic 8 · stamp 24 · length of what is sealed u64, little-endian
//! pieces of 64 KiB, at least one, the last one shorter, each with a tag of 16 behind it
//! ```
//!
//! A piece is sealed under its number and the beginning above: pieces cannot change places, and none can be missing.

use std::fmt::Display;
use std::io;
use std::ops::Range;

use super::seal::{self, FileKey, KeyId, Keyring, Purpose, STAMP, Stamp, TAG};

const MAGIC: &[u8; 8] = b"SEAMSEA1";
/// Bytes of the beginning.
pub const HEAD: usize = 8 + STAMP + 8;
const PIECE: u64 = 64 << 10;
const SEALED_PIECE: u64 = PIECE + TAG as u64;

/// Why a file cannot be opened; goes on behind the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// Sealed with a key that is not there.
    #[error("{}", seal::unknown(*.0))]
    Unknown(KeyId),
    /// Not as it was written.
    #[error("was changed after it was encrypted, or the disk damaged it")]
    Changed,
    /// Never sealed.
    #[error("is not encrypted")]
    Plain,
}

/// A file that can be opened, piece by piece.
#[derive(Debug)]
pub struct Sealed {
    head: [u8; HEAD],
    length: u64,
    key: FileKey,
}

/// The bytes of a file, sealed where the ring seals.
pub fn sealed(keyring: &Keyring, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let Some((stamp, key)) = keyring.begin(Purpose::File)? else { return Ok(bytes) };
    let head = encode(&stamp, bytes.len() as u64);
    let mut file = Vec::with_capacity(place(bytes.len() as u64) as usize);
    file.extend_from_slice(&head);
    let all = bytes.chunks(PIECE as usize);
    // What is empty has a piece too: its tag says that nothing is missing.
    let empty = bytes.is_empty().then_some(&bytes[..]);
    for (number, piece) in (0..).zip(all.chain(empty)) {
        let from = file.len();
        file.extend_from_slice(piece);
        let tag = key.seal(number, &head, file.get_mut(from..).unwrap_or_default())?;
        file.extend_from_slice(&tag);
    }
    Ok(file)
}

/// Whether bytes begin as a sealed file does.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// All that was sealed in a file.
pub fn opened(keyring: &Keyring, file: &[u8]) -> Result<Vec<u8>, Closed> {
    let sealed = Sealed::read(keyring, file, file.len() as u64)?;
    sealed.open(0..sealed.length, file.get(HEAD..).unwrap_or_default())
}

impl Sealed {
    /// Reads the beginning of a file of `size` bytes.
    pub fn read(keyring: &Keyring, bytes: &[u8], size: u64) -> Result<Sealed, Closed> {
        let head: [u8; HEAD] = *bytes.first_chunk().ok_or(Closed::Plain)?;
        let rest = head.strip_prefix(MAGIC).ok_or(Closed::Plain)?;
        let stamp = Stamp::decode(rest).ok_or(Closed::Plain)?;
        let length = rest.last_chunk().map(|length| u64::from_le_bytes(*length)).ok_or(Closed::Plain)?;
        let key = keyring.of_file(&stamp, Purpose::File).ok_or(Closed::Unknown(stamp.key))?;
        if place(length) == size { Ok(Sealed { head, length, key }) } else { Err(Closed::Changed) }
    }

    /// How much was sealed.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where in the file lies what is needed to open a range of what was sealed.
    pub fn places(&self, range: &Range<u64>) -> Range<u64> {
        let (first, last) = self.pieces(range);
        HEAD as u64 + first * SEALED_PIECE..place((last * PIECE).min(self.length))
    }

    /// Opens a range, given the bytes of its [`places`](Sealed::places).
    pub fn open(&self, range: Range<u64>, bytes: &[u8]) -> Result<Vec<u8>, Closed> {
        let (first, last) = self.pieces(&range);
        let mut opened = Vec::with_capacity(bytes.len());
        let mut pieces = bytes.chunks(SEALED_PIECE as usize);
        for number in first..last {
            let piece = pieces.next().ok_or(Closed::Changed)?;
            let piece = self.key.open(number, &self.head, piece.to_vec()).ok_or(Closed::Changed)?;
            opened.extend_from_slice(&piece);
        }
        let from = range.start.saturating_sub(first * PIECE) as usize;
        let to = range.end.saturating_sub(first * PIECE) as usize;
        if to > opened.len() || from > to {
            return Err(Closed::Changed);
        }
        opened.truncate(to);
        opened.drain(..from);
        Ok(opened)
    }

    /// The pieces that hold a range: from the first to before the last.
    fn pieces(&self, range: &Range<u64>) -> (u64, u64) {
        let end = range.end.min(self.length);
        let first = (range.start.min(end) / PIECE).min(pieces(self.length) - 1);
        (first, end.div_ceil(PIECE).max(first + 1))
    }
}

/// How much is sealed in a file of `size` bytes.
pub fn length_in(size: u64) -> u64 {
    let pieces = size.saturating_sub(HEAD as u64);
    pieces.saturating_sub(pieces.div_ceil(SEALED_PIECE).max(1) * TAG as u64)
}

/// How long a file is in which so much is sealed.
fn place(length: u64) -> u64 {
    (HEAD as u64).saturating_add(length).saturating_add(pieces(length) * TAG as u64)
}

fn pieces(length: u64) -> u64 {
    length.div_ceil(PIECE).max(1)
}

/// The name of a file that is sealed by this ring, and of one that is not.
pub fn named(name: impl Display, keyring: &Keyring) -> String {
    match keyring.current() {
        Some(key) => format!("{name}.{key}{SEALED}"),
        None => name.to_string(),
    }
}

/// The key that a file's name says it is sealed with; none where it is not sealed.
pub fn key_of(name: &str) -> Option<KeyId> {
    let (_, key) = name.strip_suffix(SEALED)?.rsplit_once('.')?;
    KeyId::read(key)
}

/// How the names of sealed files end.
const SEALED: &str = ".sealed";

fn encode(stamp: &Stamp, length: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let (magic, rest) = head.split_at_mut(8);
    let (of_stamp, of_length) = rest.split_at_mut(STAMP);
    magic.copy_from_slice(MAGIC);
    of_stamp.copy_from_slice(&stamp.encode());
    of_length.copy_from_slice(&length.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::seal::KEY;
    use super::*;

    fn ring() -> Keyring {
        Keyring::new(Some(&[7; KEY]), &[])
    }

    fn plain(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 31 % 251) as u8).collect()
    }

    #[test]
    fn without_a_key_a_file_is_what_it_is() {
        assert_eq!(sealed(&Keyring::default(), plain(9)).unwrap(), plain(9));
        assert_eq!(opened(&ring(), &plain(100)), Err(Closed::Plain));
        assert_eq!(named("a.parquet", &Keyring::default()), "a.parquet");
        assert_eq!(key_of("a.parquet"), None);
        let name = named("a.parquet", &ring());
        assert_eq!(key_of(&name), ring().current());
        assert!(name.starts_with("a.parquet.") && name.ends_with(".sealed"), "{name}");
    }

    #[test]
    fn all_of_a_file_comes_back_whatever_its_length() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 77] {
            let file = sealed(&ring(), plain(length as usize)).unwrap();
            assert_eq!(opened(&ring(), &file).unwrap(), plain(length as usize), "{length}");
            assert_eq!(file.len() as u64, place(length));
            assert_eq!(length_in(file.len() as u64), length);
        }
    }

    #[test]
    fn what_was_changed_is_noticed() {
        let file = sealed(&ring(), plain(2 * PIECE as usize + 9)).unwrap();
        for at in (0..file.len()).step_by(997).chain(file.len() - 30..file.len()).chain(0..HEAD) {
            let mut changed = file.clone();
            changed[at] ^= 1;
            let why = opened(&ring(), &changed).unwrap_err();
            let wanted = match at {
                0..8 => matches!(why, Closed::Plain),
                8..16 => matches!(why, Closed::Unknown(_)),
                _ => why == Closed::Changed,
            };
            assert!(wanted, "{at}: {why:?}");
        }
        // Pieces that change places, or are missing.
        let piece = SEALED_PIECE as usize;
        let (head, rest) = file.split_at(HEAD);
        let (one, rest) = rest.split_at(piece);
        let (two, three) = rest.split_at(piece);
        for pieces in [[two, one, three].concat(), [one, two].concat(), [one, three].concat()] {
            assert_eq!(opened(&ring(), &[head, &pieces].concat()), Err(Closed::Changed));
        }
        let longer = [&file[..], &[0]].concat();
        assert_eq!(opened(&ring(), &longer), Err(Closed::Changed));
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        let file = sealed(&ring(), plain(9)).unwrap();
        let other = Keyring::new(Some(&[1; KEY]), &[]);
        let id = ring().current().unwrap();
        assert_eq!(opened(&other, &file), Err(Closed::Unknown(id)));
        assert!(Closed::Unknown(id).to_string().contains(&id.to_string()));
        let rotated = Keyring::new(Some(&[1; KEY]), &[[7; KEY]]);
        assert_eq!(opened(&rotated, &file).unwrap(), plain(9));
    }

    proptest! {
        #[test]
        fn any_range_opens_from_its_places(length in 0_u64..4 * PIECE, a: u64, b: u64) {
            let file = sealed(&ring(), plain(length as usize)).unwrap();
            let sealed = Sealed::read(&ring(), &file, file.len() as u64).unwrap();
            let (a, b) = (a % (length + 1), b % (length + 1));
            let range = a.min(b)..a.max(b);
            let places = sealed.places(&range);
            let bytes = &file[places.start as usize..places.end as usize];
            let wanted = &plain(length as usize)[range.start as usize..range.end as usize];
            prop_assert_eq!(&sealed.open(range, bytes).unwrap()[..], wanted);
        }

        #[test]
        fn forged_beginnings_break_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200), right: bool) {
            let mut bytes = bytes;
            if right && bytes.len() >= 16 {
                bytes[..8].copy_from_slice(MAGIC);
                let key = Stamp::decode(&sealed(&ring(), Vec::new()).unwrap()[8..]).unwrap();
                bytes[8..16].copy_from_slice(&key.encode()[..8]);
            }
            prop_assert!(opened(&ring(), &bytes).is_err());
        }
    }
}
