//! What commands share that change who may do what: the data folder, beside a server that may be running, and who
//! sits at the console.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::FilesArgs;
use crate::access::audit::Actor;
use crate::store::beside;
use crate::store::catalog::sqlite::Catalog;
use crate::world::World;

/// Which data folder.
#[derive(Clone, Debug, Default, Args)]
pub struct DataArgs {
    /// Configuration file [default: seamwatch.toml, where it exists].
    #[arg(long, value_name = "FILE", env = "SEAMWATCH_CONFIG", global = true)]
    pub config: Option<PathBuf>,
    /// Data folder [default: seamwatch-data].
    #[arg(long, value_name = "DIR", env = "SEAMWATCH_DATA", global = true)]
    pub data: Option<PathBuf>,
}

impl DataArgs {
    /// The catalog of the folder, which must be there unless `make` is said.
    pub async fn open(&self, make: bool) -> anyhow::Result<Catalog> {
        let files = FilesArgs { config: self.config.clone(), alerts: None, providers: None };
        let folder = match &self.data {
            Some(data) => data.clone(),
            None => files.read()?.server.data,
        };
        if !make && !folder.join("catalog.db").exists() {
            bail!(
                "There is no catalog in {}. Name the server's data folder with --data DIR.",
                folder.display()
            );
        }
        Ok(beside::open(&folder, &World::real()).await?)
    }
}

/// Who sits at the console: the one who logged in to the system, also where `sudo` was said.
pub fn actor() -> Actor {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = |line: &str| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    };
    let name = users.lines().find_map(named).unwrap_or_else(|| uid.to_string());
    let by_sudo = std::env::var("SUDO_USER").ok().filter(|_| uid == 0);
    let name = by_sudo.map_or(name.clone(), |user| format!("{user} as {name}"));
    Actor { name: format!("console:{name}"), address: String::new() }
}

/// A time that is said like `90d`, `24h`, `30m`, in nanoseconds.
pub fn duration(text: &str) -> Result<i64, String> {
    let wrong = || format!("\"{text}\" is no time; write it like 90d, 24h or 30m");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let number: i64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    // A hundred years, so that no sum of times is too large.
    let whole = number.checked_mul(seconds).filter(|all| (1..=3_155_760_000).contains(all));
    whole.map(|all| all * 1_000_000_000).ok_or_else(|| format!("\"{text}\" is not between 1s and 100 years"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_briefly() {
        assert_eq!(duration("90d"), Ok(90 * 86_400_000_000_000));
        assert_eq!((duration("24h"), duration("1w")), (duration("1440m"), duration("7d")));
        for bad in ["", "d", "90", "-1d", "1.5h", "0s", "90 d", "1y", "999999999999d", "9é"] {
            assert!(duration(bad).is_err_and(|said| said.contains(bad)), "{bad}");
        }
    }

    #[test]
    fn somebody_sits_at_the_console() {
        let actor = actor();
        assert!(actor.name.starts_with("console:") && actor.name.len() > 8 && actor.address.is_empty());
    }
}
