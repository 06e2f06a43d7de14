//! Who may come in: from the configuration and the catalog to what the pages need, and the link that makes the first
//! admin.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::access::audit::Actor;
use crate::access::link::Signer;
use crate::access::password::Passwords;
use crate::access::secret::{Kind, Secret};
use crate::access::throttle::Throttle;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::signals::telemetry::Nanos;
use crate::store::catalog::sqlite::people::People;
use crate::store::{Access as Made, Store};
use crate::web::gate::access::{Access, Proxies};
use crate::world::seal::Keyring;

/// How long the link that makes the first admin opens, and how often it may be mistaken.
pub const SETUP: (Nanos, i64) = (30 * 60 * 1_000_000_000, 5);
/// How often it is looked whether people changed: another process may have changed them.
const LOOK: Duration = Duration::from_millis(500);

/// What the pages need to know who may come in; the link that makes the first admin, where one is wanted; and the task
/// that tells of changes.
pub async fn open(
    config: &Config,
    store: &Store,
    web: SocketAddr,
    base_url: &str,
    keyring: &Keyring,
    clock: &Clock,
    stop: &CancellationToken,
) -> anyhow::Result<(Access, Option<String>, JoinHandle<()>)> {
    let (changed, seen) = watch::channel(0);
    let people = store.people();
    let signer = signer(&people, keyring).await?;
    let access = access(config, signer, web, seen)?;
    let setup = setup_link(config, &access, &people, web, base_url, clock()).await?;
    let watching = tokio::spawn(watch(people, changed, stop.clone()));
    Ok((access, setup, watching))
}

fn access(
    config: &Config,
    signer: Signer,
    web: SocketAddr,
    changes: watch::Receiver<i64>,
) -> anyhow::Result<Access> {
    let proxies = proxies(&config.access).map_err(|said| anyhow!("[access]: {said}"))?;
    let reached = web.ip().is_loopback() || config.server.insecure_public;
    let may_be_open = reached && proxies.networks.is_empty() && !config.others_vouch();
    Ok(Access {
        passwords: Passwords::default(),
        throttle: Mutex::new(Throttle::default()),
        signer,
        may_be_open,
        proxies,
        changes,
    })
}

/// What links and forms are signed with. The catalog keeps its secret, and whoever has a copy of that could make links by
/// which passwords are chosen; where files are encrypted it takes the key as well.
pub async fn signer(people: &People, keyring: &Keyring) -> anyhow::Result<Signer> {
    let mut fresh = [0; 32];
    SystemRandom::new().fill(&mut fresh).map_err(|_| anyhow!("The system gives no random numbers."))?;
    Ok(Signer::new(&keyring.bound(&people.signing_secret(&fresh).await?)?))
}

fn proxies(config: &config::access::Access) -> Result<Proxies, String> {
    let networks = config.trusted_proxies.iter().map(|network| network.parse());
    let groups = config.groups.iter().map(|(group, role)| Ok((group.clone(), role.parse()?)));
    Ok(Proxies {
        networks: networks.collect::<Result<_, String>>()?,
        user_header: config.user_header.clone(),
        groups_header: config.groups_header.clone(),
        groups: groups.collect::<Result<_, String>>()?,
        otherwise: config.otherwise.as_deref().map(str::parse).transpose()?,
    })
}

/// The link is wanted where nobody may come in any more, and there is no user who could let others in.
async fn setup_link(
    config: &Config,
    access: &Access,
    people: &People,
    web: SocketAddr,
    base_url: &str,
    now: Nanos,
) -> anyhow::Result<Option<String>> {
    let made = people.access().await?;
    let is_wanted = made.keys || !access.may_be_open || !web.ip().is_loopback();
    if made.users || !is_wanted || config.others_vouch() {
        return Ok(None);
    }
    invite(people, base_url, &Actor::server(), now).await.map(Some)
}

/// Offers the setup to whoever has the link that comes back.
pub async fn invite(people: &People, base_url: &str, by: &Actor, now: Nanos) -> anyhow::Result<String> {
    let secret = Secret::mint(Kind::Invitation).map_err(anyhow::Error::msg)?;
    let (lasts, tries) = SETUP;
    let entry = by.did(now, "setup.offered", String::new(), "A link that makes the first admin.".into());
    let offered = people.offer_setup(&secret.hash(), now.saturating_add(lasts), tries, &entry).await;
    offered.context("no link that makes the first admin")?;
    Ok(format!("{base_url}/setup?token={}", secret.reveal()))
}

/// Tells whenever somebody may do less or more than before.
async fn watch(people: People, changed: watch::Sender<i64>, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        match people.access().await {
            Ok(Made { version, .. }) => {
                changed.send_if_modified(|seen| std::mem::replace(seen, version) != version);
            }
            // Unknown is not unchanged: those who listen look for themselves.
            Err(error) => {
                tracing::debug!(%error, "It could not be seen whether people changed.");
                changed.send_modify(|_| ());
            }
        }
    }
}
