//! Secrets that the server hands out: random, shown once, kept as a hash.
//!
//! `sw_ing_4fT…22 letters…_k3J9aQ`: a prefix that says what it opens, 130 bits, and a checksum, so that a scanner for
//! secrets knows one where it lies and a mistyped one is told from a wrong one.

use std::fmt::{self, Debug, Formatter};

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Random letters: 22 of 62 are 130 bits.
const RANDOM: usize = 22;
/// Letters of the checksum.
const CHECK: usize = 6;

/// What a secret opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sending telemetry.
    IngestKey,
    /// The API, as the person whose it is.
    ApiToken,
    /// The pages, until it expires.
    Session,
    /// Making the first admin, or setting a password, once.
    Invitation,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::IngestKey, Kind::ApiToken, Kind::Session, Kind::Invitation];

    /// What every secret of the kind begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Kind::IngestKey => "sw_ing_",
            Kind::ApiToken => "sw_api_",
            Kind::Session => "sw_ses_",
            Kind::Invitation => "sw_inv_",
        }
    }
}

/// SHA-256 of a secret: as it is kept. Enough, since nobody can try 2^130 of them.
pub type Hash = [u8; 32];

/// A secret in the clear. It is never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one. Fails when the system has no randomness.
    pub fn mint(kind: Kind) -> Result<Secret, String> {
        let mut text = kind.prefix().to_owned();
        let random = SystemRandom::new();
        let end = text.len() + RANDOM;
        while text.len() < end {
            let mut bytes = [0; 32];
            random.fill(&mut bytes).map_err(|_| "The system gives no random numbers.".to_owned())?;
            // Above the largest multiple of 62 a letter would be likelier than others.
            let fair = bytes.iter().filter(|byte| **byte < 248);
            let letters =
                fair.filter_map(|byte| LETTERS.get(usize::from(byte % 62)).copied().map(char::from));
            text.extend(letters.take(end - text.len()));
        }
        let check = checksum(&text);
        Ok(Secret(format!("{text}_{check}")))
    }

    /// A secret as somebody sent it; none when it cannot be one that was handed out here.
    pub fn read(text: &str) -> Option<(Kind, Secret)> {
        let kind = Kind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        let (body, check) = text.rsplit_once('_')?;
        let whole = body.len() == kind.prefix().len() + RANDOM && check == checksum(body);
        whole.then(|| (kind, Secret(text.to_owned())))
    }

    /// As it is kept.
    pub fn hash(&self) -> Hash {
        hash(self.0.as_bytes())
    }

    /// In the clear: to show it once, or to set a cookie.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The last four letters, by which people tell their keys apart.
    pub fn tail(&self) -> &str {
        self.0.get(self.0.len() - 4..).unwrap_or_default()
    }
}

impl Debug for Secret {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str("Secret(***)")
    }
}

/// SHA-256.
pub fn hash(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

fn checksum(text: &str) -> String {
    let mut rest = crc32c::crc32c(text.as_bytes()) as usize;
    let mut letters = [b'0'; CHECK];
    for letter in letters.iter_mut().rev() {
        *letter = LETTERS.get(rest % 62).copied().unwrap_or(b'0');
        rest /= 62;
    }
    letters.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_secret_is_read_as_it_was_minted_and_shown_to_nobody() {
        for kind in Kind::ALL {
            let secret = Secret::mint(kind).unwrap();
            assert_eq!(Secret::read(secret.reveal()), Some((kind, secret.clone())));
            assert_eq!(secret.reveal().len(), kind.prefix().len() + RANDOM + 1 + CHECK);
            assert_eq!(format!("{secret:?}"), "Secret(***)");
        }
    }

    #[test]
    fn one_wrong_letter_is_seen_without_asking_anybody() {
        let secret = Secret::mint(Kind::IngestKey).unwrap();
        for at in 0..secret.reveal().len() {
            let mut text = secret.reveal().as_bytes().to_vec();
            text[at] = if text[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(Secret::read(std::str::from_utf8(&text).unwrap()), None, "letter {at}");
        }
        for other in ["", "sw_ing_", "sw_ing__", "sw_ing_000000", "é_", "Bearer x"] {
            assert_eq!(Secret::read(other), None, "{other}");
        }
    }

    #[test]
    fn no_two_are_the_same() {
        let all: BTreeSet<_> = (0..1000).map(|_| Secret::mint(Kind::Session).unwrap().hash()).collect();
        assert_eq!(all.len(), 1000);
    }
}
