//! Probes: receivers of ours, asked from outside by the client that goes only where it may.
//!
//! What a try met is in the catalog before a rule sees it, so that a restart does not forget failures.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Method};
use tokio_util::sync::CancellationToken;

use super::own::Said;
use super::settings;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::probe::Probe;
use crate::health;
use crate::outgoing::client::Client;
use crate::rollup::series::Merge;
use crate::rollup::state::probe::{Tries, Try};
use crate::rollup::state::row::{State, StateKey, StateKind};
use crate::rollup::window::Map;
use crate::signals::observation::IntegrationKey;
use crate::store::Store;

/// Who asks the probes' addresses, where there are probes; an address that may not be called is refused now.
pub fn client(config: &Config) -> anyhow::Result<Option<Client>> {
    if config.probe.is_empty() {
        return Ok(None);
    }
    let client = settings::outgoing(config)?;
    for probe in &config.probe {
        client.check(&probe.url).map_err(|problem| {
            let at = config.place("probe", "url");
            anyhow::anyhow!("{at}[[probe]] \"{}\": its url may not be called: {problem}", probe.name)
        })?;
    }
    Ok(Some(client))
}

/// What probes need.
#[derive(Clone)]
pub struct Probes {
    /// Which there are.
    pub probes: Arc<Vec<Probe>>,
    /// Who asks.
    pub client: Client,
    /// Where tries are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Where values go.
    pub said: Said,
}

impl Probes {
    /// Takes up what was met before, and asks until `stop`. One probe that hangs holds no other back.
    pub async fn run(self, stop: CancellationToken) {
        let known = match self.store.states().await {
            Ok(known) => known.states,
            Err(error) => {
                tracing::error!(%error, "What probes met before cannot be read; they begin anew.");
                Map::default()
            }
        };
        let mut tasks = tokio::task::JoinSet::new();
        for probe in self.probes.iter().cloned() {
            let tries = match known.get(&key(&probe)) {
                Some(State::Probe(tries)) => tries.clone(),
                _ => Tries::default(),
            };
            tasks.spawn(self.clone().watch(probe, tries, stop.clone()));
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn watch(self, probe: Probe, mut tries: Tries, stop: CancellationToken) {
        self.say(&probe, &tries);
        loop {
            let tried = tokio::select! {
                tried = self.ask(&probe) => Tries::of(tried),
                () = stop.cancelled() => return,
            };
            tries.merge(&tried);
            let change = Map::from_iter([(key(&probe), State::Probe(tried))]);
            if let Err(error) = self.store.merge_states(&change).await {
                tracing::error!(probe = probe.name, %error, "What a probe met cannot be kept; it counts until a restart.");
            }
            self.say(&probe, &tries);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(u64::from(probe.every_seconds))) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn ask(&self, probe: &Probe) -> Try {
        let time = (self.clock)();
        let method = Method::from_bytes(probe.method.as_bytes()).unwrap_or(Method::GET);
        let answer = self.client.send(method, &probe.url, HeaderMap::new(), bytes::Bytes::new()).await;
        let took_ms = u64::try_from(((self.clock)() - time).max(0) / 1_000_000).unwrap_or(0);
        let (well, met) = match answer {
            Ok(answer) => {
                let status = answer.status;
                let well = probe.status.map_or(status.is_success(), |wanted| status.as_u16() == wanted);
                let wanted = probe.status.map_or("2xx".to_owned(), |wanted| wanted.to_string());
                let met = format!("HTTP {}", status.as_u16());
                (well, if well { met } else { format!("{met} instead of {wanted}") })
            }
            // No word of it is the other side's.
            Err(error) => (false, error.to_string().trim_end_matches('.').to_owned()),
        };
        Try { time, took_ms, well, met }
    }

    /// Puts the probe's value in place of the one before.
    fn say(&self, probe: &Probe, tries: &Tries) {
        let Some(value) = health::probe::value(&probe.name, &key(probe).integration, tries) else { return };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|known| known.labels != value.labels);
        said.push(value);
    }
}

fn key(probe: &Probe) -> StateKey {
    let (environment, name) = (probe.environment.as_str().into(), probe.integration.as_str().into());
    let integration = IntegrationKey { environment, name };
    StateKey { integration, kind: StateKind::Probe, name: probe.name.as_str().into() }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::outgoing::client::{system, trust};
    use crate::outgoing::guard::Policy;
    use crate::store::Settings;
    use crate::world::World;

    /// A receiver that answers 200, and 502 from the third request on.
    async fn receiver() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for asked in 0.. {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let mut head = vec![0; 4096];
                let _ = stream.read(&mut head).await;
                let status = if asked < 2 { "200 OK" } else { "502 Bad Gateway" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        port
    }

    async fn probes(folder: &std::path::Path, port: u16) -> Probes {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let policy = Policy::new(&texts(&["127.0.0.1"]), &texts(&["127.0.0.1"]), &[port]).unwrap();
        let text = format!(
            "[[probe]]\nname = \"hooks\"\nurl = \"http://127.0.0.1:{port}/hooks\"\nintegration = \"shop\"\n"
        );
        Probes {
            probes: Arc::new(crate::config::Config::parse("x.toml", &text).unwrap().probe),
            client: Client::new(policy, system(), trust(None).unwrap()),
            store: Store::open(Settings::new(folder), &World::real()).await.unwrap(),
            clock: crate::clock::system(),
            said: Said::default(),
        }
    }

    fn failures(probes: &Probes) -> Vec<f64> {
        probes.said.lock().unwrap().iter().map(|value| value.value).collect()
    }

    #[tokio::test]
    async fn failures_are_counted_kept_and_taken_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let probes = probes(folder.path(), receiver().await).await;
        let probe = probes.probes.first().unwrap().clone();
        let mut tries = Tries::default();
        let mut counts = Vec::new();
        for _ in 0..4 {
            let tried = Tries::of(probes.ask(&probe).await);
            tries.merge(&tried);
            let change = Map::from_iter([(key(&probe), State::Probe(tried))]);
            probes.store.merge_states(&change).await.unwrap();
            probes.say(&probe, &tries);
            counts.extend(failures(&probes));
        }
        assert_eq!(counts, [0.0, 0.0, 1.0, 2.0]);
        let kept = probes.store.states().await.unwrap().states;
        let Some(State::Probe(kept)) = kept.get(&key(&probe)) else { panic!("nothing was kept") };
        assert_eq!(kept.failing().len(), 2);
        assert_eq!(kept.failing()[0].met, "HTTP 502 instead of 2xx");
    }

    #[tokio::test]
    async fn a_probe_runs_by_itself_until_it_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let probes = probes(folder.path(), receiver().await).await;
        let stop = CancellationToken::new();
        let running = tokio::spawn(probes.clone().run(stop.clone()));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while failures(&probes).is_empty() {
            assert!(tokio::time::Instant::now() < deadline, "no value came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(failures(&probes), [0.0]);
        stop.cancel();
        running.await.unwrap();
    }
}
