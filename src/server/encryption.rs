//! The keys of `[encryption]`, read from their files.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};

use crate::config::Config;
use crate::store::Store;
use crate::world::seal::{KEY, Keyring};

/// With and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys that the configuration names.
pub fn keyring(config: &Config) -> anyhow::Result<Keyring> {
    let of = &config.encryption;
    let read = |name: &str, file: &Path| {
        read(file).map_err(|why| anyhow!("{}{name}: {why}", config.place("encryption", name)))
    };
    let current = of.key_file.as_deref().map(|file| read("key_file", file)).transpose()?;
    let old = of.old_key_files.iter().map(|file| read("old_key_files", file));
    let old: Vec<_> = old.collect::<anyhow::Result<_>>()?;
    if current.is_none() && old.is_empty() {
        return Ok(Keyring::default());
    }
    Ok(Keyring::new(current.as_ref(), &old))
}

/// Says in the log whether new files are encrypted, and what nobody can read.
pub fn tell(keyring: &Keyring, store: &Store) {
    match keyring.current() {
        Some(key) => tracing::info!(%key, "Encryption at rest is on: inbox and segments."),
        None => tracing::info!(
            "Encryption at rest is off: inbox and segments lie in the clear in the data folder."
        ),
    }
    sentences(store).iter().for_each(|sentence| tracing::error!("{sentence}"));
}

/// What cannot be read because its key is not there.
pub fn sentences(store: &Store) -> Vec<String> {
    let sentence = |(key, count): (_, &usize)| {
        let files = if *count == 1 { "file of spans or logs is" } else { "files of spans and logs are" };
        format!(
            "{count} {files} encrypted with the key {key}, which is none of those in [encryption]: what they hold cannot \
             be shown. Name the file of that key in old_key_files and start again. Figures and alerts are not affected."
        )
    };
    store.closed().iter().map(sentence).collect()
}

fn read(file: &Path) -> Result<[u8; KEY], String> {
    let shown = file.display();
    let about = std::fs::metadata(file).map_err(|error| format!("{shown} cannot be read: {error}."))?;
    // A group may read it, as with keys of certificates: a file of root's for a server that is not root.
    if about.mode() & 0o037 != 0 {
        return Err(format!(
            "{shown} can be read or changed by others (mode {:04o}); say `chmod 600 {shown}`, or 640 for a group of the \
             server's own, and make another key if somebody may have read this one.",
            about.mode() & 0o7777
        ));
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown} cannot be read: {error}."))?;
    key(text.trim()).ok_or_else(|| {
        format!(
            "{shown} holds no key; write 32 random bytes into it as base64 or hex: `openssl rand -base64 32 > {shown}`."
        )
    })
}

fn key(text: &str) -> Option<[u8; KEY]> {
    let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let bytes: Vec<u8> = if text.len() == 2 * KEY && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        text.as_bytes().chunks(2).map(hex).collect::<Option<_>>()?
    } else {
        BASE64.decode(text).ok()?
    };
    let key: [u8; KEY] = bytes.try_into().ok()?;
    // A file that was made and never filled.
    (key != [0; KEY]).then_some(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_read_as_base64_and_as_hex() {
        let bytes: [u8; KEY] = std::array::from_fn(|at| at as u8 + 200);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
        for text in [&hex, &hex.to_uppercase(), &base64, base64.trim_end_matches('=')] {
            assert_eq!(key(text), Some(bytes), "{text}");
        }
        let zeros = "0".repeat(64);
        for text in ["", "secret", &hex[..62], &base64[..40], &format!("{hex}00"), &zeros, &"ü".repeat(32)] {
            assert_eq!(key(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_key_file_is_said_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path.display().to_string()
        };
        let good = at("good", &format!("{}\n", "a7".repeat(KEY)), 0o600);
        let (open, empty) = (at("open", &"b8".repeat(KEY), 0o644), at("empty", "", 0o600));
        let missing = folder.path().join("missing").display().to_string();
        let said = |text: &str| {
            let config = Config::parse("c.toml", &format!("[encryption]\n{text}\n")).unwrap();
            keyring(&config).map_err(|error| error.to_string())
        };
        let of = |key: &str, old: &str| said(&format!("key_file = \"{key}\"\nold_key_files = [\"{old}\"]"));
        for (problem, wanted) in [
            (
                of(&open, &good),
                format!("c.toml:2: key_file: {open} can be read or changed by others (mode 0644)"),
            ),
            (of(&empty, &good), format!("c.toml:2: key_file: {empty} holds no key")),
            (of(&good, &missing), format!("c.toml:3: old_key_files: {missing} cannot be read")),
        ] {
            let problem = problem.unwrap_err();
            assert!(problem.starts_with(&wanted), "{problem}");
        }
        let (group, writing) =
            (at("group", &"c9".repeat(KEY), 0o640), at("writing", &"c9".repeat(KEY), 0o660));
        assert!(
            of(&group, &good).is_ok() && of(&writing, &good).is_err_and(|said| said.contains("(mode 0660)"))
        );
        let ring = of(&good, &good).unwrap();
        let only_old = said(&format!("old_key_files = [\"{good}\"]")).unwrap();
        assert!(ring.current().is_some_and(|key| only_old.knows(key)) && only_old.current().is_none());
        assert!(said("").unwrap().current().is_none());
    }
}
