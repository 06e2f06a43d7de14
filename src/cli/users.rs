//! `seamwatch users`: who may come in, decided at the machine itself. A server that runs on the same folder sees the
//! change within a second.

use std::io::{IsTerminal, Write as _, stdin, stdout};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::FilesArgs;
use super::desk::{DataArgs, actor};
use crate::access::link::{Link, Scope};
use crate::access::password::{self, Passwords};
use crate::access::person::{Change, NewUser, User, check_name};
use crate::access::role::Role;
use crate::clock;
use crate::server::{encryption, people, settings};
use crate::store::catalog::sqlite::people::People;
use crate::world::seal::Keyring;

/// Which folder, and what to do.
#[derive(Debug, Args)]
pub struct UsersArgs {
    /// Which data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// What to do.
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a user. Asks for the password, or reads it from the standard input.
    Add {
        /// What they sign in with.
        name: String,
        /// viewer, operator or admin.
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// How they are called [default: the name].
        #[arg(long, value_name = "TEXT")]
        called: Option<String>,
        /// Print a link by which they choose the password themselves.
        #[arg(long)]
        link: bool,
    },
    /// List users.
    List,
    /// Change what a user may do. Ends their sessions and API tokens.
    Role {
        /// Who.
        name: String,
        /// viewer, operator or admin.
        role: Role,
    },
    /// Shut a user out. Ends their sessions and API tokens.
    Disable {
        /// Who.
        name: String,
    },
    /// Let a user in again.
    Enable {
        /// Who.
        name: String,
    },
    /// Set a user's password. Asks for it, or reads it from the standard input. Ends their sessions and
    /// API tokens.
    Password {
        /// Who.
        name: String,
        /// Print a link by which they choose it themselves.
        #[arg(long)]
        link: bool,
    },
    /// Print a link that makes the first admin, while there is no user.
    Invite,
}

/// Does it and says so.
pub async fn run(args: UsersArgs) -> anyhow::Result<ExitCode> {
    let mut config = FilesArgs { config: args.data.config.clone(), alerts: None, providers: None }.read()?;
    if let Some(data) = &args.data.data {
        config.server.data.clone_from(data);
    }
    let catalog = args.data.open(true).await?;
    let (people, by, now) = (catalog.people(), actor(), (clock::system())());
    let base_url = settings::base_url(&config, settings::web_address(&config));
    let keyring = encryption::keyring(&config)?;
    let change = async |name: &str, change: Change| {
        let user = named(&people, name).await?;
        people.change_user(user.id, None, &change, &by, Role::Admin, now).await.map_err(anyhow::Error::from)
    };
    match args.what {
        What::Add { name, role, called, link } => {
            check_name(&name).map_err(anyhow::Error::msg)?;
            if let Some(warning) = first(&people).await? {
                eprintln!("{warning}");
            }
            let password = if link { None } else { Some(asked(&name).await?) };
            let new = NewUser {
                display: called.unwrap_or_else(|| name.clone()),
                name,
                role,
                password,
                vouched: None,
            };
            let user = people.add_user(&new, &by, Role::Admin, now).await?;
            println!("{} may come in as {}.", user.name, user.role);
            if link {
                print_link(&people, &user, &base_url, &keyring, now).await?;
            }
        }
        What::List => {
            for User { name, role, display, disabled_at, vouched, .. } in people.users().await? {
                let state = if disabled_at.is_some() { "disabled" } else { "" };
                let how = if vouched.is_some() { "single sign-on" } else { "password" };
                println!("{name}\t{role}\t{how}\t{display}\t{state}");
            }
        }
        What::Role { name, role } => {
            let user = change(&name, Change::Role(role)).await?;
            println!("{} has the role {} now.", user.name, user.role);
        }
        What::Disable { name } => {
            println!("{} may not come in any more.", change(&name, Change::Disabled).await?.name)
        }
        What::Enable { name } => {
            println!("{} may come in again.", change(&name, Change::Enabled).await?.name)
        }
        What::Password { name, link: true } => {
            print_link(&people, &named(&people, &name).await?, &base_url, &keyring, now).await?;
        }
        What::Password { name, link: false } => {
            let user = named(&people, &name).await?;
            let user = change(&name, Change::Password(asked(&user.name).await?)).await?;
            println!("{} has another password now.", user.name);
        }
        What::Invite => {
            if let Some(warning) = first(&people).await? {
                eprintln!("{warning}");
            }
            let link = people::invite(&people, &base_url, &by, now).await?;
            println!("Within 30 minutes this link makes the first admin:\n\n    {link}\n");
        }
    }
    catalog.close().await;
    Ok(ExitCode::SUCCESS)
}

/// What the first user changes for those who send; none where there is one, or a key.
async fn first(people: &People) -> anyhow::Result<Option<&'static str>> {
    let made = people.access().await?;
    let warning = "The first user closes the door for senders too: from then on telemetry is taken with an ingest key only, and \
                   clients drop what is refused. If anything sends already, make its key first and let it use that:\n\n    \
                   seamwatch keys add NAME --integration PATTERN\n";
    Ok((!made.users && !made.keys).then_some(warning))
}

async fn named(people: &People, name: &str) -> anyhow::Result<User> {
    let user = people.user_named(name).await?;
    user.with_context(|| format!("there is no user named {name}; `seamwatch users list` shows who there is"))
}

async fn print_link(
    people: &People,
    user: &User,
    base_url: &str,
    keyring: &Keyring,
    now: i64,
) -> anyhow::Result<()> {
    if user.vouched.is_some() {
        bail!("{} signs in elsewhere and has no password here.", user.name);
    }
    let expires_at = now.saturating_add(crate::web::password::LASTS);
    let link = Link { scope: Scope::Password, object: user.id, edition: user.version, expires_at };
    let link = people::signer(people, keyring).await?.link(&link);
    people
        .note(&actor().did(now, "link.made", user.name.clone(), "To choose a password, for a day.".into()))
        .await?;
    println!(
        "Within a day, once, this link sets the password of {}:\n\n    {base_url}/a/{link}\n",
        user.name
    );
    Ok(())
}

/// A password from the terminal, twice and unseen, or from the standard input: hashed.
async fn asked(name: &str) -> anyhow::Result<String> {
    let given = if stdin().is_terminal() {
        let first = unseen(&format!("Password of {name}: "))?;
        if first != unseen("Once more: ")? {
            bail!("the two differ; nothing was changed.");
        }
        first
    } else {
        line()?
    };
    password::check(&given, name).map_err(anyhow::Error::msg)?;
    Passwords::default().hash(&given).await.map_err(|_| anyhow::anyhow!("the system gives no random numbers"))
}

fn unseen(prompt: &str) -> anyhow::Result<String> {
    print!("{prompt}");
    stdout().flush()?;
    let before = tcgetattr(stdin()).context("the terminal cannot be asked")?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(stdin(), OptionalActions::Flush, &silent).context("the terminal cannot be made silent")?;
    let read = line();
    tcsetattr(stdin(), OptionalActions::Flush, &before).context("the terminal cannot be made as it was")?;
    println!();
    read
}

fn line() -> anyhow::Result<String> {
    let mut text = String::new();
    stdin().read_line(&mut text).context("the password cannot be read")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
