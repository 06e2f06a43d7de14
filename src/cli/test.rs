//! `seamwatch test`: the rules' own tests on the production evaluator.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{anyhow, bail};

use super::FilesArgs;
use crate::alert::case::run_cases;
use crate::alert::rule::Problem;
use crate::rules::{Origin, texts};

/// Runs `tests/*.toml` of the rules' folder; the exit code is 1 when a case failed.
pub fn run(args: FilesArgs) -> anyhow::Result<ExitCode> {
    let config = args.read()?;
    let given = config.server.alerts.as_deref();
    let folder = given.unwrap_or(Path::new("alerts"));
    let loaded = Origin::choose(given).load().map_err(|problems| anyhow!("{}", problems.join("\n")))?;
    if !folder.join("tests").is_dir() {
        bail!(
            "There is no folder {}: the rules' own tests are *.toml files in tests/ of the rules' folder. Name that \
             folder with --alerts DIR.",
            folder.join("tests").display()
        );
    }
    let files =
        texts(&folder.join("tests"), "toml").map_err(|problems| anyhow!("{}", problems.join("\n")))?;
    let (mut passed, mut failed) = (0, 0);
    for (file, text) in &files {
        let results = run_cases(&loaded.rules, file, text).map_err(|problems| {
            anyhow!("{}", problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        for result in results {
            if result.failures.is_empty() {
                passed += 1;
                continue;
            }
            failed += 1;
            println!("{file}: {}", result.name);
            result.failures.iter().for_each(|failure| println!("  {failure}"));
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
