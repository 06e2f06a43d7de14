//! `seamwatch serve`: the server until SIGTERM or Ctrl-C.

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ServerArgs;
use crate::config::Config;
use crate::rules::Origin;
use crate::world::World;
use crate::{server, telemetry};

/// Runs until a signal says stop.
pub async fn run(args: ServerArgs) -> anyhow::Result<ExitCode> {
    telemetry::init();
    let mut signals = Signals::watch()?;
    let config = args.read()?;
    for unknown in Config::unknown_variables(super::check::names()) {
        tracing::warn!("{unknown}");
    }
    let rules = Origin::choose(config.server.alerts.as_deref());
    let running = tokio::select! {
        started = server::start(config, rules, World::real()) => started?,
        // Nothing is accepted yet; what the inbox holds is read again at the next start.
        () = signals.stop() => return Ok(ExitCode::SUCCESS),
    };
    println!("{}", running.addresses.ready_line());
    if let Some(link) = &running.setup {
        // Where somebody looks who starts it by hand, and not in the line that programs read. The log gets none of it.
        eprintln!("No user exists yet. Within 30 minutes this link makes the first admin:\n\n    {link}\n");
    }
    signals.until_stopped(&running).await;
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The signals that the server answers to, watched from before it starts.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Watches SIGTERM, SIGINT and SIGHUP from now on.
    pub fn watch() -> anyhow::Result<Signals> {
        let watched = |kind| signal(kind).context("signals cannot be watched");
        Ok(Signals {
            terminate: watched(SignalKind::terminate())?,
            interrupt: watched(SignalKind::interrupt())?,
            hangup: watched(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for SIGTERM or Ctrl-C; SIGHUP meanwhile reads rules and certificates again.
    pub async fn until_stopped(&mut self, running: &server::Running) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => running.reload(),
            }
        }
    }
}
