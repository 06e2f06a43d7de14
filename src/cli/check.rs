//! `seamwatch check`: configuration, rules and runbooks, each problem with file:line.

use std::process::ExitCode;

use super::FilesArgs;
use crate::rules::Origin;

/// Checks and prints what is wrong; the exit code is 1 when something is.
pub fn run(args: FilesArgs) -> anyhow::Result<ExitCode> {
    let config = match args.read() {
        Ok(config) => config,
        Err(problem) => {
            println!("{problem:#}");
            return Ok(ExitCode::FAILURE);
        }
    };
    match Origin::choose(config.server.alerts.as_deref()).load() {
        Ok(loaded) => {
            let (rules, runbooks) = (loaded.rules.rules.len(), loaded.rules.runbooks.len());
            println!("Configuration, {rules} rules and {runbooks} runbooks are in order.");
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            problems.iter().for_each(|problem| println!("{problem}"));
            Ok(ExitCode::FAILURE)
        }
    }
}
