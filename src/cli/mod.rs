//! The command line, one file a command.

pub mod audit;
pub mod check;
pub mod decrypt;
pub mod demo;
pub mod desk;
pub mod explain;
pub mod keys;
pub mod redact_test;
pub mod send_test;
pub mod serve;
pub mod test;
pub mod users;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::config::values::address;
use crate::providers;

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
    Demo(DemoArgs),
    /// Check configuration, rules, runbooks and facts on vendors, without a server.
    Check(check::CheckArgs),
    /// Run the rules' own tests (`tests/*.toml` in the rules' folder).
    Test(FilesArgs),
    /// Show what a sample would become by the configuration, and which secrets were found where.
    RedactTest(redact_test::RedactTestArgs),
    /// Write what an encrypted file of the data folder holds, by the keys of the configuration.
    Decrypt(decrypt::DecryptArgs),
    /// Send a mail by the configured way, and say what is wrong with it.
    SendTest(send_test::SendTestArgs),
    /// Who may come in: make, list and change users.
    Users(users::UsersArgs),
    /// Make, list and revoke the keys that telemetry is sent with; a server may be running.
    Keys(keys::KeysArgs),
    /// Print the audit log, or check that nothing in it was changed; a server may be running.
    Audit(audit::AuditArgs),
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
    /// Folder of facts on vendors, over those that ship [default: providers, where it exists].
    #[arg(long, value_name = "DIR", env = "SEAMWATCH_PROVIDERS")]
    pub providers: Option<PathBuf>,
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
    /// Which ports.
    #[command(flatten)]
    pub ports: PortArgs,
    /// Bind addresses that the network reaches though no user or no key exists: everybody may read and send all.
    #[arg(long)]
    pub insecure_public: bool,
}

/// Where to listen; each goes over the configuration file.
#[derive(Clone, Debug, Default, Args)]
pub struct PortArgs {
    /// Address of dashboard and API [default: 127.0.0.1:4380]. Port 0 picks one.
    #[arg(long, value_name = "HOST:PORT", env = "SEAMWATCH_WEB", value_parser = address)]
    pub web: Option<SocketAddr>,
    /// Address of OTLP over HTTP and of /report [default: 127.0.0.1:4318]. Port 0 picks one.
    #[arg(long, value_name = "HOST:PORT", env = "SEAMWATCH_OTLP_HTTP", value_parser = address)]
    pub otlp_http: Option<SocketAddr>,
    /// Address of OTLP over gRPC [default: 127.0.0.1:4317]. Port 0 picks one.
    #[arg(long, value_name = "HOST:PORT", env = "SEAMWATCH_OTLP_GRPC", value_parser = address)]
    pub otlp_grpc: Option<SocketAddr>,
}

/// Where the demo listens and keeps its data. It reads no configuration: its faults are not to be mailed to anyone,
/// nor its calls to be counted with real ones.
#[derive(Clone, Debug, Default, Args)]
pub struct DemoArgs {
    /// Folder of the demo's own, emptied at each start [default: seamwatch-demo].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Which ports.
    #[command(flatten)]
    pub ports: PortArgs,
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
        let given = self.providers.as_deref().or(config.server.providers.as_deref());
        config.server.providers = providers::folder(given);
        Ok(config)
    }
}

impl ServerArgs {
    /// The configuration with these arguments over it.
    pub fn read(&self) -> anyhow::Result<Config> {
        let mut config = self.files.read()?;
        if let Some(data) = &self.data {
            config.server.data.clone_from(data);
        }
        self.ports.go_over(&mut config);
        config.server.insecure_public |= self.insecure_public;
        Ok(config)
    }
}

impl DemoArgs {
    /// The defaults with these arguments over them, and nothing else.
    pub fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::default();
        config.server.data = self.data.clone().unwrap_or_else(|| "seamwatch-demo".into());
        self.ports.go_over(&mut config);
        Ok(config)
    }
}

impl PortArgs {
    fn go_over(&self, config: &mut Config) {
        let server = &mut config.server;
        for (given, kept) in [
            (self.web, &mut server.web),
            (self.otlp_http, &mut server.otlp_http),
            (self.otlp_grpc, &mut server.otlp_grpc),
        ] {
            *kept = given.unwrap_or(*kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command};

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_host_may_be_this_machine_by_name() {
        let read = |web: &str| Cli::try_parse_from(["seamwatch", "demo", "--web", web]);
        let Ok(Cli { command: Command::Demo(demo) }) = read("localhost:4999") else { panic!("not read") };
        assert_eq!(demo.config().unwrap().server.web, ([127, 0, 0, 1], 4999).into());
        assert!(read("example.com:80").is_err_and(|said| said.to_string().contains("is not HOST:PORT")));
    }

    #[test]
    fn the_demo_hears_of_no_folder_of_real_data_and_of_no_relay() {
        let demo = Cli::command().find_subcommand("demo").unwrap().clone();
        let arguments: Vec<_> =
            demo.get_arguments().map(|one| (one.get_id().to_string(), one.get_env())).collect();
        assert!(arguments.contains(&("data".into(), None)), "{arguments:?}");
        assert!(!arguments.iter().any(|(id, _)| id == "config" || id == "alerts"), "{arguments:?}");
        let config = super::DemoArgs::default().config().unwrap();
        assert!(config.smtp.is_none() && config.server.data.ends_with("seamwatch-demo"));
    }
}
