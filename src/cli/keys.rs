//! `seamwatch keys`: the keys that telemetry is sent with. A running server knows within half a second.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::{Args, Subcommand};

use super::desk::{DataArgs, actor, duration};
use crate::access::key::{IngestKey, NewKey, Verdict};
use crate::clock;
use crate::signals::scope::Pattern;
use crate::signals::telemetry::Nanos;

/// What is done with keys.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// What is done.
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What is done with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key. It is printed once, to standard output, and kept as a hash only.
    Add(AddArgs),
    /// Show all keys that were ever made.
    List(ListArgs),
    /// Refuse what is sent with a key from now on, or flag it first.
    Revoke(RevokeArgs),
}

/// A key to be made.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// What to call it: who sends with it.
    pub name: String,
    /// Which integrations it may send for; * is any run of letters: shop, shop-*, *.
    #[arg(long, value_name = "PATTERN")]
    pub integration: Pattern,
    /// Which environments it may send for.
    #[arg(long, value_name = "PATTERN", default_value = "*")]
    pub environment: Pattern,
    /// When it ends, from now: 90d, 24h [default: never].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub expires: Option<i64>,
    /// Requests a second it may send [default: no limit].
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// Bytes a second it may send, as they arrive [default: no limit].
    #[arg(long, value_name = "N")]
    pub byte_rate: Option<u32>,
    /// Which data folder.
    #[command(flatten)]
    pub data: DataArgs,
}

/// How keys are shown.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// As JSON, one object a line.
    #[arg(long)]
    pub json: bool,
    /// Which data folder.
    #[command(flatten)]
    pub data: DataArgs,
}

/// A key to be revoked.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// Its name, or its number.
    pub key: String,
    /// Go on taking what it sends for so long, flagged on every page: clients drop what is refused.
    #[arg(long, value_name = "TIME", value_parser = duration, num_args = 0..=1, default_missing_value = "24h")]
    pub flag_for: Option<i64>,
    /// Which data folder.
    #[command(flatten)]
    pub data: DataArgs,
}

/// Does it.
pub async fn run(args: KeysArgs) -> anyhow::Result<ExitCode> {
    let now = clock::system()();
    match args.command {
        KeysCommand::Add(args) => add(args, now).await,
        KeysCommand::List(args) => list(args, now).await,
        KeysCommand::Revoke(args) => revoke(args, now).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

async fn add(args: AddArgs, now: Nanos) -> anyhow::Result<()> {
    let AddArgs { name, integration, environment, expires, rate, byte_rate, data } = args;
    let catalog = data.open(true).await?;
    let expires_at = expires.map(|after| now.saturating_add(after));
    let new = NewKey { name, integration, environment, expires_at, rate, byte_rate };
    let made = catalog.make_key(&new, &actor(), now).await;
    catalog.close().await;
    let (key, secret) = made?;
    // The key alone goes to standard output, so that a script can take it.
    eprintln!(
        "Key {} \"{}\" may send for integration {} in environment {}. It {}.\nThis is the only time it is shown. SDKs \
         send it with OTEL_EXPORTER_OTLP_HEADERS=\"authorization=Bearer%20KEY\", curl with -H \"authorization: Bearer KEY\".",
        key.id,
        key.name,
        key.integration,
        key.environment,
        key.expires_at.map_or("never expires".to_owned(), |at| format!("expires {}", minute(at))),
    );
    println!("{}", secret.reveal());
    Ok(())
}

async fn list(args: ListArgs, now: Nanos) -> anyhow::Result<()> {
    let catalog = args.data.open(false).await?;
    let keys = catalog.keys().await;
    catalog.close().await;
    let keys = keys?;
    if args.json {
        keys.iter().for_each(|key| println!("{}", json(key, now)));
        return Ok(());
    }
    if keys.is_empty() {
        println!("No key was made yet. `seamwatch keys add NAME --integration PATTERN` makes one.");
    }
    for key in &keys {
        println!(
            "{:>4}  {}  …{}  {} in {}  {}  made {} by {}  {}",
            key.id,
            key.name,
            key.tail,
            key.integration,
            key.environment,
            state(key, now),
            minute(key.made_at),
            key.made_by,
            key.last_used_at.map_or("never used".to_owned(), |at| format!("last used {}", minute(at))),
        );
    }
    Ok(())
}

async fn revoke(args: RevokeArgs, now: Nanos) -> anyhow::Result<()> {
    let catalog = args.data.open(false).await?;
    let done = async {
        let keys = catalog.keys().await?;
        let key = find(&keys, &args.key, now)?;
        let until = args.flag_for.map(|after| now.saturating_add(after));
        Ok::<_, anyhow::Error>(catalog.revoke_key(key.id, until, &actor(), now).await?)
    };
    let revoked = done.await;
    catalog.close().await;
    let key = revoked?;
    match key.flagged_until {
        Some(until) => eprintln!(
            "Key {} \"{}\" is revoked. What it sends is taken and flagged until {}, then refused.",
            key.id,
            key.name,
            minute(until)
        ),
        None => eprintln!(
            "Key {} \"{}\" is revoked. What it sends is refused, and clients drop it; --flag-for 24h takes it for a day.",
            key.id, key.name
        ),
    }
    Ok(())
}

/// By number, or by name: the one that opens, else the latest of that name.
fn find<'k>(keys: &'k [IngestKey], asked: &str, now: Nanos) -> anyhow::Result<&'k IngestKey> {
    let found = match asked.parse::<u64>() {
        Ok(id) => keys.iter().find(|key| key.id == id),
        Err(_) => {
            let named = || keys.iter().filter(|key| key.name == asked);
            named().find(|key| key.verdict(now).is_open()).or_else(|| named().next_back())
        }
    };
    if asked.starts_with("sw_ing_") {
        bail!("Name the key by its name or number, not by itself: the shell keeps what is typed.");
    }
    found.ok_or_else(|| anyhow!("There is no key \"{asked}\". `seamwatch keys list` shows them."))
}

fn state(key: &IngestKey, now: Nanos) -> String {
    match key.verdict(now) {
        Verdict::Good => key.expires_at.map_or("good".to_owned(), |at| format!("good until {}", minute(at))),
        Verdict::Flagged(until) => format!("revoked, taken and flagged until {}", minute(until)),
        Verdict::Expired(at) => format!("expired {}", minute(at)),
        Verdict::Revoked(at) => format!("revoked {}", minute(at)),
    }
}

fn json(key: &IngestKey, now: Nanos) -> serde_json::Value {
    let state = match key.verdict(now) {
        Verdict::Good => "good",
        Verdict::Flagged(_) => "flagged",
        Verdict::Expired(_) => "expired",
        Verdict::Revoked(_) => "revoked",
    };
    let at = |at: Option<Nanos>| {
        at.map(|at| {
            chrono::DateTime::from_timestamp_nanos(at).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
        })
    };
    serde_json::json!({
        "id": key.id, "name": key.name, "tail": key.tail, "state": state,
        "integration": key.integration.text(), "environment": key.environment.text(),
        "made_at": at(Some(key.made_at)), "made_by": key.made_by, "expires_at": at(key.expires_at),
        "revoked_at": at(key.revoked_at), "flagged_until": at(key.flagged_until),
        "last_used_at": at(key.last_used_at), "rate": key.rate, "byte_rate": key.byte_rate,
    })
}

fn minute(at: Nanos) -> String {
    chrono::DateTime::from_timestamp_nanos(at).format("%Y-%m-%d %H:%M UTC").to_string()
}
