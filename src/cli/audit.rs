//! `seamwatch audit`: who did what when, printed or checked.

use std::process::ExitCode;

use clap::Args;

use super::desk::DataArgs;
use crate::access::audit::{Link, START, verify};
use crate::access::secret::Hash;
use crate::store::catalog::sqlite::Catalog;

/// Entries that are read at one time.
const PAGE: u32 = 1000;

/// What is wanted of the log.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Check that no entry was changed or taken out; the exit code is 1 where one was.
    #[arg(long)]
    pub verify: bool,
    /// Only entries that hold this text, whatever its case.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub search: String,
    /// As JSON, one object a line.
    #[arg(long)]
    pub json: bool,
    /// Which data folder.
    #[command(flatten)]
    pub data: DataArgs,
}

/// Prints or checks the log.
pub async fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    let catalog = args.data.open(false).await?;
    let done = if args.verify { check(&catalog).await } else { print(&catalog, &args).await };
    catalog.close().await;
    done
}

async fn check(catalog: &Catalog) -> anyhow::Result<ExitCode> {
    let (mut before, mut number) = (START, 0);
    loop {
        let links = catalog.audit_after(number, PAGE).await?;
        let Some(last) = links.last().map(|link| link.number) else { break };
        match verify(before, number, &links) {
            Ok(hash) => (before, number) = (hash, last),
            Err(at) => {
                println!(
                    "Entry {at} does not hang together with what is before it: it was changed, or one before it was \
                     taken out. Compare with an earlier export, and restore catalog.db from a backup."
                );
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    // Entries cut off at the end leave no trace but this: what was the last one before is not there any more.
    println!("{number} entries hang together. The last one's hash is {}.", hex(&before));
    Ok(ExitCode::SUCCESS)
}

async fn print(catalog: &Catalog, args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let wanted = args.search.to_lowercase();
    let mut number = 0;
    loop {
        let links = catalog.audit_after(number, PAGE).await?;
        let Some(last) = links.last() else { break };
        number = last.number;
        for link in links.iter().filter(|link| holds(link, &wanted)) {
            println!("{}", if args.json { json(link) } else { line(link) });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn holds(link: &Link, wanted: &str) -> bool {
    let entry = &link.entry;
    let texts = [&entry.actor, &entry.action, &entry.object, &entry.detail, &entry.address];
    wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(wanted))
}

fn line(link: &Link) -> String {
    let entry = &link.entry;
    let from = if entry.address.is_empty() { String::new() } else { format!(" from {}", entry.address) };
    let line = format!(
        "{:>6}  {}  {}{from}  {}  {}  {}",
        link.number,
        time(link),
        entry.actor,
        entry.action,
        entry.object,
        entry.detail
    );
    // What somebody called themselves is not to move the cursor of a terminal.
    line.replace(char::is_control, "\u{fffd}")
}

fn json(link: &Link) -> String {
    let entry = &link.entry;
    serde_json::json!({
        "number": link.number, "at": time(link), "actor": entry.actor, "action": entry.action,
        "object": entry.object, "detail": entry.detail, "address": entry.address, "hash": hex(&link.hash),
    })
    .to_string()
}

fn time(link: &Link) -> String {
    chrono::DateTime::from_timestamp_nanos(link.entry.at).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
