//! `seamwatch demo`: the server on its defaults, six simulated integrations, and a story of faults.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use super::play::{Door, Pace, play};
use super::rules::RULES;
use crate::cli::ServerArgs;
use crate::cli::serve::Signals;
use crate::rules::{Origin, SHIPPED_RUNBOOKS};
use crate::world::World;
use crate::{server, telemetry};

/// Where the demo keeps its data unless told: made anew at each start.
const FOLDER: &str = "seamwatch-demo";
/// Says that a folder is the demo's own and may be emptied.
const MARK: &str = "made-by-seamwatch-demo";

/// Runs server and fleet until a signal says stop.
pub async fn run(args: ServerArgs) -> anyhow::Result<ExitCode> {
    telemetry::init();
    let mut signals = Signals::watch()?;
    let mut config = args.read()?;
    config.server.data = match &args.data {
        Some(given) => given.clone(),
        None => fresh(Path::new(FOLDER))?,
    };
    let mails = config.server.data.join("mail");
    let running = server::start(config, rules(), World::real()).await?;
    println!("{}", running.addresses.ready_line());
    println!("Mails: on the page /mail, and as .eml files in {}", mails.display());
    let stop = CancellationToken::new();
    let door = Door { otlp_http: running.addresses.otlp_http, web: running.addresses.web };
    let fleet =
        tokio::spawn(play(door, Pace(Duration::from_secs(60)), stop.clone(), |line| println!("{line}")));
    signals.until_stopped(&running).await;
    stop.cancel();
    let played = tokio::time::timeout(Duration::from_secs(5), fleet).await;
    running.stop().await;
    match played {
        Ok(ended) => ended.context("the fleet ended badly")??,
        Err(_) => println!("The fleet did not end in time; what it had not sent is lost with it."),
    }
    Ok(ExitCode::SUCCESS)
}

/// The demo's rules have short windows; their runbooks are those that ship.
fn rules() -> Origin {
    let named = |runbook: &&(&str, &str)| {
        RULES.iter().any(|(rule, _)| rule.trim_end_matches(".toml") == runbook.0.trim_end_matches(".md"))
    };
    let runbooks: Vec<(&str, &str)> = SHIPPED_RUNBOOKS.iter().filter(named).copied().collect();
    Origin::embedded(RULES, &runbooks)
}

/// An empty folder of our own: yesterday's story would be counted with today's.
fn fresh(folder: &Path) -> anyhow::Result<PathBuf> {
    if folder.exists() {
        if !folder.join(MARK).exists() {
            bail!(
                "{} is there and was not made by the demo. Move it away, or choose a folder with --data DIR.",
                folder.display()
            );
        }
        std::fs::remove_dir_all(folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    std::fs::write(folder.join(MARK), "")?;
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demos_rules_are_in_order() {
        let loaded = rules().load().unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
        assert_eq!(loaded.rules.rules.len(), RULES.len());
    }

    #[test]
    fn only_a_folder_of_the_demo_is_emptied() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("demo");
        fresh(&folder).unwrap();
        std::fs::write(folder.join("old"), "x").unwrap();
        fresh(&folder).unwrap();
        assert!(!folder.join("old").exists());
        std::fs::remove_file(folder.join(MARK)).unwrap();
        assert!(fresh(&folder).is_err());
    }
}
