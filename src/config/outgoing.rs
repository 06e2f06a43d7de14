//! `[outgoing]`: what may be called over HTTP beside public addresses.

use std::path::PathBuf;

use serde::Deserialize;

/// `[outgoing]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outgoing {
    /// Networks (`10.1.0.0/16`), addresses and names of hosts that may be called though they are not public.
    pub allow: Vec<String>,
    /// Hosts that may be called by http, without TLS.
    pub in_the_clear: Vec<String>,
    /// Ports that may be called; 443 and 8443 unless given.
    pub ports: Option<Vec<u16>>,
    /// PEM file of authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}
