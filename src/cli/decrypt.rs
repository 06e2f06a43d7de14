//! `seamwatch decrypt`: what an encrypted file of the data folder holds, by the keys of the configuration.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;

use super::FilesArgs;
use crate::server::encryption;
use crate::world::sealed::{self, Closed};

/// The file, and by which configuration.
#[derive(Clone, Debug, Args)]
pub struct DecryptArgs {
    /// A file that ends with .sealed: a segment, or a request that was set aside.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Configuration file, which names the keys [default: seamwatch.toml, where it exists].
    #[arg(long, value_name = "FILE", env = "SEAMWATCH_CONFIG")]
    config: Option<PathBuf>,
}

/// Writes what the file holds to the standard output.
pub fn run(args: DecryptArgs) -> anyhow::Result<ExitCode> {
    let config = FilesArgs { config: args.config, alerts: None, providers: None }.read()?;
    let keyring = encryption::keyring(&config)?;
    let shown = args.file.display();
    let file = std::fs::read(&args.file).with_context(|| format!("{shown} cannot be read"))?;
    let bytes = sealed::opened(&keyring, &file).map_err(|closed| match closed {
        Closed::Plain => anyhow!("{shown} {closed}: it can be read as it is."),
        closed => anyhow!("{shown} {closed}."),
    })?;
    std::io::stdout().write_all(&bytes).context("The standard output takes nothing")?;
    Ok(ExitCode::SUCCESS)
}
