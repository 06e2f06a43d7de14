//! What takes secrets out, from the configuration and the data folder's own key.

use std::path::Path;

use anyhow::{Context, anyhow};
use ring::rand::{SecureRandom, SystemRandom};

use crate::config;
use crate::decode::redact::kind::{Kind, Kinds};
use crate::decode::redact::{Redactor, Settings};
use crate::world::files::Files;

/// The file of the key, in the data folder.
const FILE: &str = "redaction.key";

/// What takes secrets out by this configuration.
pub fn redactor(
    config: &config::redaction::Redaction,
    email_key: Option<[u8; 32]>,
) -> anyhow::Result<Redactor> {
    let known = |kind: &config::redaction::Kind| match kind {
        config::redaction::Kind::Key => Kind::Key,
        config::redaction::Kind::Scheme => Kind::Scheme,
        config::redaction::Kind::Maker => Kind::Maker,
        config::redaction::Kind::Jwt => Kind::Jwt,
        config::redaction::Kind::Pem => Kind::Pem,
        config::redaction::Kind::Url => Kind::Url,
        config::redaction::Kind::Card => Kind::Card,
        config::redaction::Kind::Iban => Kind::Iban,
        config::redaction::Kind::Email => Kind::Email,
        config::redaction::Kind::Phone => Kind::Phone,
        config::redaction::Kind::Pattern => Kind::Pattern,
    };
    let with = config.on.iter().map(known).fold(Kinds::USUAL, Kinds::with);
    Ok(Redactor::new(Settings {
        kinds: config.off.iter().map(known).fold(with, Kinds::without),
        keys: config.keys.clone(),
        leave: config.leave.clone(),
        patterns: config.regexes().map_err(|(_, problem)| anyhow!(problem))?,
        email_key,
    }))
}

/// The key that makes one mark of one address: made once, so that a person's events join for as long as they are kept,
/// and by nobody else, since addresses can be guessed. One that a disk has damaged is made anew: that addresses get other
/// marks is less than a server that does not start.
pub fn email_key(data: &Path, files: &dyn Files) -> anyhow::Result<[u8; 32]> {
    let path = data.join(FILE);
    match read(&path, files)? {
        Kept::Key(key) => return Ok(key),
        Kept::Nothing => {}
        Kept::Damaged => {
            let what = "holds no key of 32 bytes any more. A new one is made: addresses get other marks from now on.";
            tracing::warn!("{} {what}", path.display());
        }
    }
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| anyhow!("The system gives no random numbers."))?;
    // Whole or not there: a crash between the two leaves a file of another name.
    let written = data.join(format!("{FILE}.new"));
    let make = || {
        let _ = files.remove(&written);
        let mut file = files.create(&written)?;
        file.append(&key)?;
        file.sync()?;
        files.rename(&written, &path)?;
        files.sync_folder(data)
    };
    make().with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(key)
}

/// The key, where it was made.
pub fn read_email_key(data: &Path, files: &dyn Files) -> anyhow::Result<Option<[u8; 32]>> {
    match read(&data.join(FILE), files)? {
        Kept::Key(key) => Ok(Some(key)),
        Kept::Nothing | Kept::Damaged => Ok(None),
    }
}

/// What lies where the key should.
enum Kept {
    Key([u8; 32]),
    Nothing,
    Damaged,
}

fn read(path: &Path, files: &dyn Files) -> anyhow::Result<Kept> {
    match files.read(path, 0, 64) {
        Ok(bytes) => Ok(bytes.try_into().map_or(Kept::Damaged, Kept::Key)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::Nothing),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::world::files::Disk;

    #[test]
    fn the_key_is_made_once_and_for_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("redaction.key.new"), "half").unwrap();
        let key = email_key(folder.path(), &Disk).unwrap();
        assert_eq!(email_key(folder.path(), &Disk).unwrap(), key);
        assert_ne!(key, [0; 32]);
        let path = folder.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // Damaged by the disk.
        std::fs::write(&path, "short").unwrap();
        assert_eq!(read_email_key(folder.path(), &Disk).unwrap(), None);
        let made = email_key(folder.path(), &Disk).unwrap();
        assert_ne!(made, key);
        assert_eq!(read_email_key(folder.path(), &Disk).unwrap(), Some(made));
    }

    #[test]
    fn every_kind_has_its_switch() {
        for kind in Kind::ALL {
            let text = format!("[redaction]\noff = [\"{}\"]\n", kind.name());
            let config = config::Config::parse("c.toml", &text).unwrap_or_else(|problem| panic!("{problem}"));
            let redactor = redactor(&config.redaction, None).unwrap();
            assert_eq!(redactor.is_clean("password=hunter2"), *kind == Kind::Key);
        }
    }
}
