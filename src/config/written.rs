//! Where in its file a setting stands.

use super::Config;

/// A file's name and text.
#[derive(Clone, Debug)]
pub struct Written {
    /// As it was given.
    pub name: String,
    /// All of it.
    pub text: String,
}

impl Config {
    /// Where `key` of `[section]` is written, to stand before what is wrong with it: `seamwatch.toml:7: `; empty where
    /// it stands in no file. For problems that are found after reading, in files that the configuration names.
    pub fn place(&self, section: &str, key: &str) -> String {
        let Some(Written { name, text }) = &self.written else { return String::new() };
        let mut inside = String::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[') {
                inside = header.split(']').next().unwrap_or(header).trim().to_owned();
            }
            let is_key = line.split_once('=').is_some_and(|(left, _)| left.trim() == key);
            if inside == section && is_key {
                return format!("{name}:{}: ", number + 1);
            }
        }
        format!("{name}: ")
    }
}
