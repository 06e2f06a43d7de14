//! `seamwatch check`: configuration, rules, runbooks and facts on vendors, each problem with file:line.

use std::process::ExitCode;

use clap::Args;

use super::{FilesArgs, explain};
use crate::config::Config;
use crate::rules::Origin;
use crate::{providers, server};

/// What is checked.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Which files to read.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Print every rule as it stands for this integration, with the overrides that made it so.
    #[arg(long, value_name = "INTEGRATION")]
    pub explain: Option<String>,
}

/// Checks and prints what is wrong; the exit code is 1 when something is.
pub fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let config = match args.files.read() {
        Ok(config) => config,
        Err(problem) => {
            println!("{problem:#}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut problems = Config::unknown_variables(names());
    if let Err(problem) = server::check(&config) {
        problems.push(format!("{problem:#}"));
    }
    let loaded = Origin::choose(config.server.alerts.as_deref()).load();
    let loaded = loaded.map_err(|more| problems.extend(more));
    let vendors = providers::load(config.server.providers.as_deref()).map_err(|more| problems.extend(more));
    match (loaded, vendors) {
        (Ok(loaded), Ok(vendors)) if problems.is_empty() => {
            let (rules, runbooks) = (loaded.rules.rules.len(), loaded.rules.runbooks.len());
            let vendors = vendors.all().len();
            if let Some(integration) = &args.explain {
                print!("{}", explain::explain(&config, &loaded.rules, integration));
                return Ok(ExitCode::SUCCESS);
            }
            println!("Configuration, {rules} rules, {runbooks} runbooks and {vendors} vendors are in order.");
            let now = crate::clock::system()();
            for one in &loaded.rules.maintenance {
                println!("Maintenance {}: {}", one.name, one.reason);
                for window in one.openings(now, 3) {
                    println!("  {}", one.said(&window));
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            problems.iter().for_each(|problem| println!("{problem}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Names of the environment's variables.
pub fn names() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())
}
