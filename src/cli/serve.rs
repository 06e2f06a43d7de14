//! `seamwatch serve`: the server until SIGTERM or Ctrl-C.

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::ServerArgs;
use crate::rules::Origin;
use crate::{clock, server, telemetry};

/// Runs until a signal says stop.
pub async fn run(args: ServerArgs) -> anyhow::Result<ExitCode> {
    telemetry::init();
    let config = args.read()?;
    let rules = Origin::choose(config.server.alerts.as_deref());
    let running = server::start(config, rules, clock::system()).await?;
    println!("{}", running.addresses.ready_line());
    until_stopped(&running).await?;
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Waits for SIGTERM or Ctrl-C; SIGHUP meanwhile reads the rules again.
pub async fn until_stopped(running: &server::Running) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be watched")?;
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be watched")?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = hangup.recv() => running.reload_rules(),
        }
    }
}
