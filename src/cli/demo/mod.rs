//! `seamwatch demo`: the server on its defaults, six simulated integrations, and a story of faults.

use std::process::ExitCode;

use super::ServerArgs;

/// Runs the server; the fleet is to come.
pub async fn run(args: ServerArgs) -> anyhow::Result<ExitCode> {
    super::serve::run(args).await
}
