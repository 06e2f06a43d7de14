//! `[encryption]`: what makes the inbox and the segments unreadable to whoever has the disk and not the key.

use std::path::PathBuf;

use serde::Deserialize;

/// `[encryption]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encryption {
    /// File of the key that new files are encrypted with: 32 bytes as base64 or hex. Without it they are not.
    pub key_file: Option<PathBuf>,
    /// Files of keys that were used before, as long as files that they encrypted are kept.
    pub old_key_files: Vec<PathBuf>,
}
