//! `seamwatch demo`: the server on its defaults, six simulated integrations, and a story of faults.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use super::play::{Door, Pace, play};
use super::rules::{RULES, runbooks};
use crate::cli::DemoArgs;
use crate::cli::serve::Signals;
use crate::rules::{Origin, shipped};
use crate::store::segments::folder::claim;
use crate::world::World;
use crate::world::files::Disk;
use crate::{server, telemetry};

/// Says that a folder is the demo's own and may be emptied.
const MARK: &str = "made-by-seamwatch-demo";

/// Runs server and fleet until a signal says stop.
pub async fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    telemetry::init();
    let mut signals = Signals::watch()?;
    let config = args.config()?;
    // Ports first: where another demo has them, its folder is not touched.
    let doors = server::Doors::bind(&config.server).await?;
    fresh(&config.server.data)?;
    let mails = config.server.data.join("mail");
    let running = server::start_at(doors, config, rules(), World::real()).await?;
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

/// The demo's rules have short windows; their runbooks are those that ship, but for the reasons of the thresholds.
fn rules() -> Origin {
    let runbooks = runbooks(shipped::RUNBOOKS);
    let borrowed: Vec<(&str, &str)> = runbooks.iter().map(|(file, text)| (&**file, &**text)).collect();
    Origin::embedded(RULES, &borrowed)
}

/// An empty folder of our own: yesterday's story would be counted with today's. What is not the demo's is not
/// touched, nor what a server works on.
fn fresh(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() && !folder.join(MARK).exists() {
        bail!(
            "{} is there and was not made by the demo. Move it away, or choose a folder with --data DIR.",
            folder.display()
        );
    }
    let lock = claim(folder, &Disk)?;
    let emptied = || -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // The lock is ours now, and the mark must stand when this is cut off halfway.
            if entry.file_name() == "lock" || entry.file_name() == MARK {
                continue;
            }
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        std::fs::write(folder.join(MARK), "")
    };
    emptied().with_context(|| format!("{} cannot be emptied", folder.display()))?;
    drop(lock);
    Ok(())
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
        std::fs::create_dir_all(folder.join("mail/new")).unwrap();
        fresh(&folder).unwrap();
        assert!(!folder.join("old").exists() && !folder.join("mail").exists());
        let real = home.path().join("real");
        std::fs::create_dir(&real).unwrap();
        std::fs::write(real.join("catalog.db"), "x").unwrap();
        assert!(fresh(&real).is_err_and(|said| said.to_string().contains("was not made by the demo")));
        assert!(real.join("catalog.db").exists() && !real.join("lock").exists(), "it is not touched");
    }

    #[test]
    fn a_folder_that_a_demo_works_on_is_not_touched() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("demo");
        fresh(&folder).unwrap();
        let working = claim(&folder, &Disk).unwrap();
        std::fs::write(folder.join("catalog.db"), "x").unwrap();
        assert!(fresh(&folder).is_err_and(|said| said.to_string().contains("Another Seamwatch server")));
        assert!(folder.join("catalog.db").exists());
        drop(working);
    }
}
