//! Passwords: argon2id, a few at a time.
//!
//! Each hash takes 19 MiB and tens of milliseconds. Four at once is all that the server spends on it; who comes while
//! many wait is asked to come again, so that logins cannot eat the memory or keep each other waiting for minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

/// KiB of memory, rounds, lanes: what OWASP asks for at least.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Hashes at a time.
pub const AT_ONCE: usize = 4;
/// Logins that may wait for one.
const WAITING: usize = 64;
/// The shortest password.
pub const SHORTEST: usize = 12;
/// The longest: argon2 takes more, people do not.
const LONGEST: usize = 256;
/// What a hash of ours starts with.
const KIND: &str = "$argon2id$v=19$";

/// Common passwords of that length, one a line, in lower case.
const COMMON: &str = include_str!("common.txt");

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// The one place where passwords are hashed.
#[derive(Clone, Debug, Default)]
pub struct Passwords(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    done: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Default for Inner {
    fn default() -> Inner {
        let none = || AtomicUsize::new(0);
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        Inner { permits, waiting: none(), done: none(), running: none(), most: none() }
    }
}

impl Passwords {
    /// A password as it is kept.
    pub async fn hash(&self, password: &str) -> Result<String, Busy> {
        let mut salt = [0; 16];
        SystemRandom::new().fill(&mut salt).map_err(|_| Busy)?;
        let password = password.to_owned();
        self.work(move || written(COST, &salt, &raw(COST, &salt, &password))).await
    }

    /// Whether a password is the one that is kept. It works as long where none is kept, so that nobody learns from the
    /// time it takes whether there is such a user.
    pub async fn matches(&self, kept: Option<&str>, password: &str) -> Result<bool, Busy> {
        let (kept, password) = (kept.map(str::to_owned), password.to_owned());
        self.work(move || {
            let known = kept.as_deref().and_then(read);
            let is_known = known.is_some();
            let (cost, salt, wanted) = known.unwrap_or_else(|| (COST, vec![0; 16], vec![0; 32]));
            let given = raw(cost, &salt, &password);
            // What could not be hashed is equal to nothing, and nothing is equal to an empty password.
            let differs = given.iter().zip(&wanted).fold(0, |differs, (one, other)| differs | (one ^ other));
            is_known && differs == 0 && !password.is_empty() && given.len() == 32
        })
        .await
    }

    /// How many were hashed so far, and how many at most at a time.
    pub fn counts(&self) -> (usize, usize) {
        (self.0.done.load(Ordering::Relaxed), self.0.most.load(Ordering::Relaxed))
    }

    async fn work<T: Send + 'static>(&self, hashing: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let waiting = Count::one(&self.0, |inner| &inner.waiting);
        if waiting.1 > WAITING {
            return Err(Busy);
        }
        let permit = self.0.permits.clone().acquire_owned().await.map_err(|_| Busy)?;
        drop(waiting);
        let inner = self.0.clone();
        let work = move || {
            let running = Count::one(&inner, |inner| &inner.running);
            inner.most.fetch_max(running.1, Ordering::Relaxed);
            let result = hashing();
            inner.done.fetch_add(1, Ordering::Relaxed);
            drop((running, permit));
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }
}

/// One more for as long as it lives, and how many that makes.
struct Count<'i>(&'i AtomicUsize, usize);

impl<'i> Count<'i> {
    fn one(inner: &'i Inner, of: impl FnOnce(&'i Inner) -> &'i AtomicUsize) -> Count<'i> {
        let counter = of(inner);
        Count(counter, counter.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a password may be chosen; a sentence if not.
pub fn check(password: &str, name: &str) -> Result<(), String> {
    let folded = password.to_lowercase();
    let letters = password.chars().count();
    let mut different: Vec<char> = folded.chars().collect();
    different.sort_unstable();
    different.dedup();
    // Digits at the end make a common word no rarer.
    let stem = folded.trim_end_matches(|letter: char| !letter.is_alphabetic());
    let is_common = |text: &str| COMMON.lines().any(|common| common == text);
    if letters < SHORTEST {
        Err(format!("A password has at least {SHORTEST} letters; a few words are easy to keep in mind."))
    } else if password.len() > LONGEST {
        Err(format!("A password has at most {LONGEST} bytes."))
    } else if is_common(&folded) || is_common(stem) || different.len() < 5 {
        Err("This password is among the first that are guessed. Choose another; a few words are easy to keep in mind.".into())
    } else if name.chars().count() >= 4 && folded.contains(&name.to_lowercase()) {
        Err("A password must not hold the name.".into())
    } else {
        Ok(())
    }
}

type Cost = (u32, u32, u32);

/// Empty when it cannot be hashed, which costs that no one else may pay decide beforehand.
fn raw((memory, rounds, lanes): Cost, salt: &[u8], password: &str) -> Vec<u8> {
    let mut out = vec![0; 32];
    let hashed = Params::new(memory, rounds, lanes, Some(32)).and_then(|params| {
        let mut blocks = vec![Block::default(); params.block_count()];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
            password.as_bytes(),
            salt,
            &mut out,
            &mut blocks,
        )
    });
    hashed.map_or_else(|_| Vec::new(), |()| out)
}

/// In the form that other programs read too.
fn written((memory, rounds, lanes): Cost, salt: &[u8], hash: &[u8]) -> String {
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("{KIND}m={memory},t={rounds},p={lanes}${salt}${hash}")
}

fn read(text: &str) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
    let mut parts = text.strip_prefix(KIND)?.split('$');
    let mut costs = parts.next()?.split(',');
    let mut cost = |name| costs.next()?.strip_prefix(name)?.parse::<u32>().ok();
    let cost = (cost("m=")?, cost("t=")?, cost("p=")?);
    let mut bytes = || STANDARD_NO_PAD.decode(parts.next()?).ok();
    let (salt, hash) = (bytes()?, bytes()?);
    // Somebody who can write the catalog shall not make a login take a gigabyte.
    let is_sane = cost.0 <= 256 * 1024 && cost.1 <= 16 && cost.2 <= 16 && hash.len() == 32;
    is_sane.then_some((cost, salt, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "four words make it";

    #[tokio::test]
    async fn a_password_opens_and_no_other_does() {
        let passwords = Passwords::default();
        let kept = passwords.hash(GOOD).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_ne!(kept, passwords.hash(GOOD).await.unwrap(), "the salt differs");
        assert_eq!(passwords.matches(Some(&kept), GOOD).await, Ok(true));
        assert_eq!(passwords.matches(Some(&kept), "four words make It").await, Ok(false));
    }

    #[tokio::test]
    async fn cve_2026_126065_an_empty_password_equals_nothing() {
        let passwords = Passwords::default();
        let of_empty = passwords.hash("").await.unwrap();
        for kept in
            [Some(&*of_empty), Some(""), None, Some("$argon2id$v=19$m=19456,t=2,p=1$$"), Some("plain")]
        {
            assert_eq!(passwords.matches(kept, "").await, Ok(false), "{kept:?}");
        }
        assert_eq!(passwords.matches(Some("plain"), "plain").await, Ok(false));
    }

    #[tokio::test]
    async fn an_unknown_user_costs_as_much_as_a_known_one() {
        let passwords = Passwords::default();
        let kept = passwords.hash(GOOD).await.unwrap();
        let before = passwords.counts().0;
        for kept in [Some(&*kept), None, Some("no hash")] {
            assert_eq!(passwords.matches(kept, "wrong wrong wrong").await, Ok(false));
        }
        assert_eq!(passwords.counts().0 - before, 3);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_thousand_logins_at_once_hash_four_at_a_time() {
        let passwords = Passwords::default();
        let all = (0..1000).map(|_| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.matches(None, "wrong wrong wrong").await })
        });
        let all: Vec<_> = all.collect();
        let mut busy = 0;
        for one in all {
            match one.await.unwrap() {
                Ok(is_right) => assert!(!is_right),
                Err(Busy) => busy += 1,
            }
        }
        let (done, most) = passwords.counts();
        assert!(most <= AT_ONCE, "{most} at a time");
        assert_eq!(done + busy, 1000);
        assert!(done >= WAITING && busy > 0, "{done} hashed, {busy} asked to come again");
    }

    #[test]
    fn what_is_guessed_first_cannot_be_chosen() {
        for bad in [
            "short",
            "password1234",
            "Password1234!",
            "aaaaaaaaaaaaaaaa",
            "121212121212",
            "123456789012",
            "passwordpassword",
            "correcthorsebatterystaple",
            "Ada-lovelace-1815",
        ] {
            assert!(check(bad, "lovelace").is_err(), "{bad}");
        }
        assert_eq!(check(GOOD, "ada"), Ok(()));
        assert_eq!(check("zwölf Überraschungen", "ada"), Ok(()));
        assert!(check(&"long words ".repeat(30), "ada").is_err());
    }
}
