//! The server on a faulty machine, for tests only: it ends itself at a named point, tears a write, or runs ahead of
//! the clock. And the other side of it: what a data folder holds, counted in every way there is.

mod audit;
mod disk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};
use clap::{Args, Parser};
use seamwatch::cli::ServerArgs;
use seamwatch::cli::serve::Signals;
use seamwatch::rules::Origin;
use seamwatch::world::World;
use seamwatch::world::points::{Point, Points};
use seamwatch::{server, telemetry};

#[derive(Parser)]
enum Command {
    /// Runs the server until it ends itself or is told to.
    Serve(Box<Serve>),
    /// Prints what the data folder of a server that does not run holds, as JSON.
    Audit {
        /// The data folder.
        folder: std::path::PathBuf,
        /// The configuration, which names the keys of what is encrypted.
        config: std::path::PathBuf,
    },
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    server: ServerArgs,
    /// End by SIGKILL when POINT is passed for the N-th time: a name of `Point`, or `torn-write` for a write of the
    /// inbox that only begins.
    #[arg(long, value_name = "POINT:N")]
    kill: Option<String>,
    /// Seconds that this server's clock is ahead.
    #[arg(long, default_value_t = 0)]
    ahead: i64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Audit { folder, config } => audit::print(&folder, &config).await,
        Command::Serve(args) => serve(*args).await,
    }
}

async fn serve(args: Serve) -> anyhow::Result<()> {
    telemetry::init();
    let mut signals = Signals::watch()?;
    let config = args.server.read()?;
    let rules = Origin::choose(config.server.alerts.as_deref());
    let mut world = World::real();
    let clock = world.clock;
    world.clock = Arc::new(move || clock() + args.ahead * 1_000_000_000);
    if let Some(kill) = &args.kill {
        let (name, nth) = kill.split_once(':').context("--kill POINT:N")?;
        let left = AtomicU64::new(nth.parse().context("--kill POINT:N")?);
        let is_due = move || left.fetch_sub(1, Ordering::SeqCst) == 1;
        match Point::ALL.iter().find(|(_, known)| *known == name) {
            Some((point, _)) => {
                let point = *point;
                world.points = Points::told(move |passed| {
                    if passed == point && is_due() {
                        end();
                    }
                });
            }
            None if name == "torn-write" => world.files = Arc::new(disk::Torn::new(is_due)),
            None => bail!("there is no point {name}"),
        }
    }
    let running = server::start(config, rules, world).await?;
    println!("{}", running.addresses.ready_line());
    signals.until_stopped(&running).await;
    running.stop().await;
    Ok(())
}

/// Ends this process as the system would: at once, with nothing said and nothing tidied.
fn end() {
    let sent = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    panic!("SIGKILL to myself did not end me: {sent:?}");
}
