//! `[[endpoint]]`: what an ambiguous answer of an endpoint means.

use serde::Deserialize;

/// `[[endpoint]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The endpoint as the page shows it: `GET /v1/customers/{id}`.
    pub endpoint: String,
    /// Only of this integration.
    #[serde(default)]
    pub integration: String,
    /// Only in this environment.
    #[serde(default)]
    pub environment: String,
    /// Only of this peer's host.
    #[serde(default)]
    pub peer: String,
    /// What a 404 or 410 to a read, or a 409 or 412 to a write, is.
    pub ambiguous: Ambiguous,
}

/// What an ambiguous answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// A good answer: nothing is there, or it is there already.
    Good,
    /// A failure.
    Failure,
}
