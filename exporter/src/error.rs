//! What can go wrong, as sentences.

use std::fmt;

/// Why an exporter could not be built or did not deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A setting cannot be used.
    Setting(String),
    /// The pipeline could not be built.
    Build(String),
    /// Some signals did not reach the server; each sentence names one.
    Export(Vec<String>),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Setting(what) => out.write_str(what),
            Error::Build(why) => write!(out, "the OTLP pipeline could not be built: {why}"),
            Error::Export(parts) => write!(out, "telemetry was not delivered: {}", parts.join("; ")),
        }
    }
}

impl std::error::Error for Error {}
