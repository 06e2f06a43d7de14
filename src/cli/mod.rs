//! The command line, one file a command.

pub mod check;
pub mod demo;
pub mod serve;
pub mod test;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, public_without_keys};

/// Watches the integrations between business systems: OTLP in, health and alerts out.
#[derive(Debug, Parser)]
#[command(name = "seamwatch", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(ServerArgs),
    /// Run the server with six simulated integrations and a story of faults.
    Demo(ServerArgs),
    /// Check configuration, rules and runbooks, without a server.
    Check(FilesArgs),
    /// Run the rules' own tests (`tests/*.toml` in the rules' folder).
    Test(FilesArgs),
}

/// Which files to read.
#[derive(Clone, Debug, Default, Args)]
pub struct FilesArgs {
    /// Configuration file [default: seamwatch.toml, where it exists].
    #[arg(long, value_name = "FILE", env = "SEAMWATCH_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of rules and runbooks [default: alerts, where it exists, else the rules that ship].
    #[arg(long, value_name = "DIR", env = "SEAMWATCH_ALERTS")]
    pub alerts: Option<PathBuf>,
}

/// Where to listen and to keep data; each goes over the configuration file.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// Which files to read.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Data folder [default: seamwatch-data].
    #[arg(long, value_name = "DIR", env = "SEAMWATCH_DATA")]
    pub data: Option<PathBuf>,
    /// Address of dashboard and API [default: 127.0.0.1:4380]. Port 0 picks one.
    #[arg(long, value_name = "HOST:PORT", env = "SEAMWATCH_WEB")]
    pub web: Option<SocketAddr>,
    /// Address of OTLP over HTTP and of /report [default: 127.0.0.1:4318]. Port 0 picks one.
    #[arg(long, value_name = "HOST:PORT", env = "SEAMWATCH_OTLP_HTTP")]
    pub otlp_http: Option<SocketAddr>,
    /// Address of OTLP over gRPC [default: 127.0.0.1:4317]. Port 0 picks one.
    #[arg(long, value_name = "HOST:PORT", env = "SEAMWATCH_OTLP_GRPC")]
    pub otlp_grpc: Option<SocketAddr>,
}

impl FilesArgs {
    /// The configuration these arguments point to, with the environment over it.
    pub fn read(&self) -> anyhow::Result<Config> {
        let by_default = Path::new("seamwatch.toml");
        let mut config = match &self.config {
            Some(file) => Config::read(file).map_err(anyhow::Error::msg)?,
            None if by_default.exists() => Config::read(by_default).map_err(anyhow::Error::msg)?,
            None => Config::default(),
        };
        config.overlay(|name| std::env::var(name).ok()).map_err(anyhow::Error::msg)?;
        if self.alerts.is_some() {
            config.server.alerts.clone_from(&self.alerts);
        }
        Ok(config)
    }
}

impl ServerArgs {
    /// The configuration with these arguments over it.
    pub fn read(&self) -> anyhow::Result<Config> {
        let mut config = self.files.read()?;
        let server = &mut config.server;
        if let Some(data) = &self.data {
            server.data.clone_from(data);
        }
        for (name, given, kept) in [
            ("--web", self.web, &mut server.web),
            ("--otlp-http", self.otlp_http, &mut server.otlp_http),
            ("--otlp-grpc", self.otlp_grpc, &mut server.otlp_grpc),
        ] {
            if let Some(address) = given {
                public_without_keys(name, address).map_err(anyhow::Error::msg)?;
                *kept = address;
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
