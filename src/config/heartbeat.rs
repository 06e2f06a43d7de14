//! `[heartbeat]`: who outside is told that Seamwatch does its work.

use serde::Deserialize;

/// `[heartbeat]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Called by GET while minutes are judged, mails are sent and the store takes what it is given.
    pub url: String,
    /// How often.
    #[serde(default = "a_minute")]
    pub every_seconds: u32,
}

const fn a_minute() -> u32 {
    60
}
