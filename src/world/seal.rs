//! What makes files unreadable to whoever has the disk and not the key: AES-256-GCM, a key of its own for each file.
//!
//! A file says in the clear which key of the ring it was sealed with and 16 random bytes ([`Stamp`]). Its own key is
//! derived from the two (HKDF-SHA256), so that what is numbered within a file needs no other nonce than its number, and
//! nothing sealed in one file can pass for something of another.

use std::fmt::{Debug, Display};
use std::io;
use std::sync::Arc;

use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of a key.
pub const KEY: usize = 32;
/// Bytes of a stamp.
pub const STAMP: usize = 24;
/// Bytes by which what is sealed is longer.
pub const TAG: usize = 16;

/// The keys that files may be sealed with. None by default: then nothing is sealed.
#[derive(Clone, Default)]
pub struct Keyring(Option<Arc<Keys>>);

struct Keys {
    current: Option<Key>,
    old: Vec<Key>,
}

struct Key {
    id: KeyId,
    secret: Prk,
}

/// What a key is called: derived from it, and no help in guessing it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId([u8; 8]);

/// What stands in the clear at the beginning of a sealed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Which key.
    pub key: KeyId,
    salt: [u8; 16],
}

/// What the file is for; files of one kind do not pass for those of another.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Records of the inbox, numbered by their sequence.
    Inbox,
    /// A whole file in numbered pieces.
    File,
}

/// The key of one file.
pub struct FileKey(LessSafeKey);

impl Keyring {
    /// New files are sealed with `current`; `old` ones only open what they sealed.
    pub fn new(current: Option<&[u8; KEY]>, old: &[[u8; KEY]]) -> Keyring {
        let old = old.iter().map(Key::new).collect();
        Keyring(Some(Arc::new(Keys { current: current.map(Key::new), old })))
    }

    /// The key that new files are sealed with; none where they are not.
    pub fn current(&self) -> Option<KeyId> {
        self.sealing().map(|key| key.id)
    }

    /// Whether it opens what this key sealed.
    pub fn knows(&self, key: KeyId) -> bool {
        self.key(key).is_some()
    }

    /// The stamp and the key of a new file; none where nothing is sealed.
    pub fn begin(&self, purpose: Purpose) -> io::Result<Option<(Stamp, FileKey)>> {
        let Some(current) = self.sealing() else { return Ok(None) };
        let mut salt = [0; 16];
        SystemRandom::new().fill(&mut salt).map_err(|_| no_random())?;
        let stamp = Stamp { key: current.id, salt };
        Ok(Some((stamp, current.of_file(&stamp, purpose)?)))
    }

    /// The key of a file that was sealed before; none where the ring does not have what it was sealed with.
    pub fn of_file(&self, stamp: &Stamp, purpose: Purpose) -> Option<FileKey> {
        self.key(stamp.key)?.of_file(stamp, purpose).ok()
    }

    /// What a secret becomes that lies beside sealed files: of no use to who has it and not the key. Itself where nothing
    /// is sealed.
    pub fn bound(&self, secret: &[u8]) -> io::Result<Vec<u8>> {
        let Some(current) = self.sealing() else { return Ok(secret.to_vec()) };
        let mut bound = vec![0; KEY];
        let about: [&[u8]; 2] = [b"seamwatch:bound:", secret];
        let derived = current.secret.expand(&about, HKDF_SHA256).and_then(|derived| derived.fill(&mut bound));
        derived.map_err(|_| io::Error::other("a secret could not be derived"))?;
        Ok(bound)
    }

    fn key(&self, id: KeyId) -> Option<&Key> {
        let keys = self.0.as_ref()?;
        keys.current.iter().chain(&keys.old).find(|key| key.id == id)
    }

    fn sealing(&self) -> Option<&Key> {
        self.0.as_ref()?.current.as_ref()
    }
}

impl Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keyring").field(&self.current()).finish()
    }
}

impl Key {
    fn new(secret: &[u8; KEY]) -> Key {
        let secret = Prk::new_less_safe(HKDF_SHA256, secret);
        let mut id = [0; KEY];
        // Neither fails for a length that is the hash's own; a key called by zeros would still open its files.
        let _ = secret.expand(&[b"seamwatch:id"], HKDF_SHA256).and_then(|derived| derived.fill(&mut id));
        let [a, b, c, d, e, f, g, h, ..] = id;
        Key { id: KeyId([a, b, c, d, e, f, g, h]), secret }
    }

    fn of_file(&self, stamp: &Stamp, purpose: Purpose) -> io::Result<FileKey> {
        let purpose: &[u8] = match purpose {
            Purpose::Inbox => b"seamwatch:inbox:",
            Purpose::File => b"seamwatch:file:",
        };
        let about = [purpose, &stamp.salt];
        let derived = self.secret.expand(&about, &aead::AES_256_GCM);
        let derived = derived.map_err(|_| io::Error::other("a key could not be derived"))?;
        Ok(FileKey(LessSafeKey::new(UnboundKey::from(derived))))
    }
}

impl KeyId {
    /// Reads what [`Display`] wrote.
    pub fn read(text: &str) -> Option<KeyId> {
        let digits = (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok())?;
        digits.map(|number| KeyId(number.to_be_bytes()))
    }
}

impl Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl Debug for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl Stamp {
    /// As it stands in the file.
    pub fn encode(&self) -> [u8; STAMP] {
        let mut bytes = [0; STAMP];
        let (key, salt) = bytes.split_at_mut(8);
        key.copy_from_slice(&self.key.0);
        salt.copy_from_slice(&self.salt);
        bytes
    }

    /// Reads it; none where there are fewer bytes.
    pub fn decode(bytes: &[u8]) -> Option<Stamp> {
        let key = bytes.get(..8)?.try_into().ok()?;
        Some(Stamp { key: KeyId(key), salt: bytes.get(8..STAMP)?.try_into().ok()? })
    }
}

impl FileKey {
    /// Makes bytes unreadable and gives the tag that belongs behind them. A number is used once in a file, and `about`
    /// is what must be the same when they are opened.
    pub fn seal(&self, number: u64, about: &[u8], bytes: &mut [u8]) -> io::Result<[u8; TAG]> {
        let sealed = self.0.seal_in_place_separate_tag(nonce(number), Aad::from(about), bytes);
        let tag = sealed.map_err(|_| io::Error::other("what is too long for it cannot be encrypted"))?;
        tag.as_ref().try_into().map_err(|_| io::Error::other("a tag has another length"))
    }

    /// Makes them readable: bytes with the tag behind them. None where they, their number or what they are about is
    /// not what was sealed.
    pub fn open(&self, number: u64, about: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let length = self.0.open_in_place(nonce(number), Aad::from(about), &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }
}

impl Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey")
    }
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; aead::NONCE_LEN];
    if let Some(last) = bytes.last_chunk_mut::<8>() {
        *last = number.to_be_bytes();
    }
    Nonce::assume_unique_for_key(bytes)
}

fn no_random() -> io::Error {
    io::Error::other("the system gives no random numbers")
}

/// What the sentence on a file says that was sealed with a key that is not there.
pub fn unknown(key: KeyId) -> String {
    format!(
        "is encrypted with the key {key}, which is none of those in [encryption]. Name the file of that key in \
         old_key_files"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Keyring {
        Keyring::new(Some(&[7; KEY]), &[[8; KEY]])
    }

    #[test]
    fn what_is_sealed_opens_as_the_same_and_as_nothing_else() {
        let (stamp, key) = ring().begin(Purpose::File).unwrap().unwrap();
        let mut bytes = b"a customer's order".to_vec();
        let tag = key.seal(3, b"about", &mut bytes).unwrap();
        assert_ne!(bytes, b"a customer's order");
        bytes.extend_from_slice(&tag);
        let opened =
            |key: &FileKey, number, about: &[u8], bytes: &[u8]| key.open(number, about, bytes.to_vec());
        let again = ring().of_file(&Stamp::decode(&stamp.encode()).unwrap(), Purpose::File).unwrap();
        assert_eq!(opened(&again, 3, b"about", &bytes).unwrap(), b"a customer's order");
        assert_eq!(opened(&again, 4, b"about", &bytes), None);
        assert_eq!(opened(&again, 3, b"other", &bytes), None);
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert_eq!(opened(&again, 3, b"about", &bytes), None);
            assert_eq!(opened(&again, 3, b"about", &bytes[..at]), None);
        }
        let elsewhere = ring().of_file(&stamp, Purpose::Inbox).unwrap();
        assert_eq!(opened(&elsewhere, 3, b"about", &bytes), None);
        let (_, another) = ring().begin(Purpose::File).unwrap().unwrap();
        assert_eq!(opened(&another, 3, b"about", &bytes), None);
    }

    #[test]
    fn old_keys_open_and_seal_nothing() {
        let old = Keyring::new(Some(&[8; KEY]), &[]);
        let (stamp, _) = old.begin(Purpose::Inbox).unwrap().unwrap();
        assert!(ring().of_file(&stamp, Purpose::Inbox).is_some() && ring().knows(stamp.key));
        assert_ne!(ring().begin(Purpose::Inbox).unwrap().unwrap().0.key, stamp.key);
        let other = Keyring::new(Some(&[9; KEY]), &[[7; KEY]]);
        assert!(other.of_file(&stamp, Purpose::Inbox).is_none() && !other.knows(stamp.key));
        for sealing_no_more in [Keyring::default(), Keyring::new(None, &[[8; KEY]])] {
            assert!(sealing_no_more.begin(Purpose::Inbox).unwrap().is_none());
            assert_eq!(sealing_no_more.current(), None);
        }
        assert!(Keyring::new(None, &[[8; KEY]]).knows(stamp.key));
        assert!(!Keyring::default().knows(stamp.key));
    }

    #[test]
    fn a_bound_secret_is_another_with_each_key_and_the_same_with_the_same() {
        let of = |ring: &Keyring, secret: &[u8]| ring.bound(secret).unwrap();
        assert_eq!(of(&Keyring::default(), b"secret"), b"secret");
        assert_eq!(of(&Keyring::new(None, &[[7; KEY]]), b"secret"), b"secret");
        let bound = of(&ring(), b"secret");
        assert_eq!((bound.len(), &bound), (KEY, &of(&Keyring::new(Some(&[7; KEY]), &[]), b"secret")));
        let all = [
            b"secret".to_vec(),
            bound,
            of(&ring(), b"other"),
            of(&Keyring::new(Some(&[8; KEY]), &[]), b"secret"),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn a_key_is_called_the_same_always_and_shows_nothing_of_itself() {
        let id = ring().current().unwrap();
        assert_eq!(Keyring::new(Some(&[7; KEY]), &[]).current(), Some(id));
        assert_eq!(KeyId::read(&id.to_string()), Some(id));
        assert_eq!((KeyId::read("07"), KeyId::read(&"x".repeat(16))), (None, None));
        assert!(!id.to_string().contains("0707"), "{id}");
        assert_eq!(format!("{:?}", ring()), format!("Keyring(Some({id}))"));
    }
}
