//! Wiring only: open, replay, spawn, serve, and stop in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::decode::Batch;
use crate::inbox::Inbox;
use crate::pipeline::{self, Corridor, Event};
use crate::receive::intake::{self, Intake};
use crate::rules::Origin;
use crate::scheduler::{self, Due};
use crate::store::Store;
use crate::world::World;
use crate::{inbox, notify, receive, store, web};
use rules::Rules;

mod composer;
mod rules;
mod settings;
mod troubles;

/// How long stopping may take in all.
const STOP_WITHIN: Duration = Duration::from_secs(9);

/// Where the server can be reached.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Dashboard and API.
    pub web: SocketAddr,
    /// OTLP over HTTP, and `/report`.
    pub otlp_http: SocketAddr,
    /// OTLP over gRPC.
    pub otlp_grpc: SocketAddr,
}

impl Addresses {
    /// The one line that says that the server is ready.
    pub fn ready_line(&self) -> String {
        let Addresses { web, otlp_http, otlp_grpc } = self;
        format!(r#"{{"web":"{web}","otlp_http":"{otlp_http}","otlp_grpc":"{otlp_grpc}"}}"#)
    }
}

/// A server that runs.
pub struct Running {
    /// Where it can be reached.
    pub addresses: Addresses,
    events: mpsc::Sender<Event>,
    inbox: Inbox<Batch>,
    store: Store,
    rules: Arc<Rules>,
    doors: Vec<JoinHandle<()>>,
    forward: JoinHandle<()>,
    rooms: Vec<JoinHandle<()>>,
    corridor: JoinHandle<()>,
    stop: CancellationToken,
    stop_mail: CancellationToken,
}

/// Opens the data folder, replays what the inbox holds above the watermark, and serves.
pub async fn start(config: Config, origin: Origin, world: World) -> anyhow::Result<Running> {
    let clock = world.clock.clone();
    let loaded = origin.load().map_err(|problems| anyhow!("{}", problems.join("\n")))?;
    let (web_door, http_door, grpc_door) = (
        bind("web", config.server.web).await?,
        bind("otlp_http", config.server.otlp_http).await?,
        bind("otlp_grpc", config.server.otlp_grpc).await?,
    );
    let addresses = Addresses {
        web: web_door.local_addr()?,
        otlp_http: http_door.local_addr()?,
        otlp_grpc: grpc_door.local_addr()?,
    };
    let base_url = settings::base_url(&config, addresses.web);
    let store = Store::open(store::Settings { folder: config.server.data.clone() }, &world).await?;

    let (live, live_seen) = watch::channel(0);
    let (stop, stop_mail) = (CancellationToken::new(), CancellationToken::new());
    let wake_mailer = Arc::new(Notify::new());
    let gauges = Arc::new(pipeline::Gauges::default());
    let observe_rules = Arc::new(settings::observe_rules(&config, &addresses));
    let rules = Arc::new(Rules::new(origin, loaded, &clock));

    let mut corridor = Corridor::open(pipeline::Parts {
        store: store.clone(),
        world: world.clone(),
        policy: settings::policy(&config),
        compose: composer::Composer::new(&config, base_url, store.clone(), rules.clone(), clock.clone()),
        rules: rules.in_force(),
        claim_window: i64::try_from(config.ingest.claim_seconds)
            .unwrap_or(3600)
            .saturating_mul(1_000_000_000),
        limits: settings::series_limits(&config),
        stream_limits: settings::stream_limits(&config),
        gauges: gauges.clone(),
        live: live.clone(),
        wake_mailer: wake_mailer.clone(),
    })
    .await?;

    let (deliver, delivered) = mpsc::channel::<(u64, Batch)>(64);
    let watermark = store.watermark().await?;
    let inbox_settings = settings::inbox(&config);
    let inbox_folder = inbox_settings.folder.clone();
    let (inbox, replay) = Inbox::open(inbox_settings, &world, deliver, watermark)
        .with_context(|| format!("the inbox in {} cannot be opened", config.server.data.display()))?;
    let limits = crate::decode::Limits::default();
    for entry in replay {
        let (seq, record) = entry.context("the inbox cannot be read")?;
        match intake::replay(&record, &observe_rules, &limits) {
            Ok(decoded) => {
                corridor.absorb(seq, decoded.batch);
                corridor.flush_if_large().await;
            }
            // It was acknowledged, so it was readable then: keep it, say so loudly, and do not stop the rest.
            Err(error) => {
                let aside = inbox::replay::set_aside(&inbox_folder, &*world.files, seq, &record)
                    .context("a request that cannot be read again could not be set aside")?;
                tracing::error!(seq, %error, file = %aside.display(), "A request in the inbox cannot be read again; it is kept aside.");
                store.skip(seq);
            }
        }
    }

    let (events, inlet) = mpsc::channel::<Event>(64);
    let corridor = tokio::spawn(corridor.run(inlet));
    let doors_settings = settings::receive(&config);
    let intake =
        Arc::new(Intake::new(inbox.clone(), observe_rules, limits, doors_settings.clone(), clock.clone()));
    let forward = tokio::spawn(forward(delivered, events.clone()));
    let mut rooms = vec![tokio::spawn(pass(store.clone(), inbox.clone(), live_seen.clone()))];
    let (mailer, mail_info) = settings::mailer(&config)?;
    rooms.push(tokio::spawn(notify::outbox::run(
        store.clone(),
        mailer,
        config.mail.from.clone(),
        world.clone(),
        wake_mailer,
        stop_mail.clone(),
    )));
    rooms.push(tokio::spawn(schedule(events.clone(), rules.clone(), stop.clone())));

    let troubles = troubles::of(inbox.clone(), gauges.clone());
    rooms.push(tokio::spawn(troubles::announce(troubles.clone(), live, stop.clone())));
    let state = web::State {
        troubles,
        store: store.clone(),
        clock: clock.clone(),
        rules: rules.view(),
        counters: settings::counters(intake.counters(), inbox.clone(), gauges, clock.clone()),
        live: live_seen,
        stop: stop.clone(),
        mail: mail_info,
        settings: Arc::new(settings::web(&config, &addresses)),
    };
    let doors = vec![
        tokio::spawn(receive::http::serve_http(http_door, intake.clone(), stop.clone())),
        tokio::spawn(receive::grpc::serve_grpc(grpc_door, intake, stop.clone())),
        tokio::spawn(receive::listen::listen(web_door, web::router(state), doors_settings, stop.clone())),
    ];
    tracing::info!(web = %addresses.web, otlp_http = %addresses.otlp_http, otlp_grpc = %addresses.otlp_grpc, "Ready.");
    Ok(Running { addresses, events, inbox, store, rules, doors, forward, rooms, corridor, stop, stop_mail })
}

impl Running {
    /// Reads the rules again; a broken set is told on the dashboard and the old one stays.
    pub fn reload_rules(&self) {
        let (rules, events) = (self.rules.clone(), self.events.clone());
        tokio::spawn(async move { rules.reload(&events).await });
    }

    /// Stops accepting, writes all that was acknowledged, ends. At most ten seconds.
    pub async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(STOP_WITHIN, async {
            for door in self.doors {
                let _ = door.await;
            }
            self.inbox.close().await;
            // All that is durable has to be in the corridor before it is told to end.
            let _ = self.forward.await;
            let (done, finished) = oneshot::channel();
            if self.events.send(Event::Stop(done)).await.is_ok() {
                let _ = finished.await;
            }
            let _ = self.corridor.await;
            self.stop_mail.cancel();
            for room in self.rooms {
                room.abort();
                let _ = room.await;
            }
            self.store.close().await;
        });
        if ended.await.is_err() {
            tracing::warn!(
                "Stopping took too long; what is left is in the inbox and is read at the next start."
            );
        }
    }
}

async fn bind(name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow!(
            "{name}: port {} on {} is in use. Stop what holds it, or choose another with --{} HOST:PORT (port 0 picks one).",
            address.port(),
            address.ip(),
            name.replace('_', "-")
        ),
        _ => anyhow!("{name}: {address} cannot be bound: {error}."),
    })
}

/// From the inbox into the corridor, in order.
async fn forward(mut delivered: mpsc::Receiver<(u64, Batch)>, events: mpsc::Sender<Event>) {
    while let Some((seq, batch)) = delivered.recv().await {
        if events.send(Event::Batch(seq, Box::new(batch))).await.is_err() {
            return;
        }
    }
}

/// Tells the inbox how far the catalog has come, so that it can delete whole files.
async fn pass(store: Store, inbox: Inbox<Batch>, mut live: watch::Receiver<u64>) {
    while live.changed().await.is_ok() {
        if let Ok(watermark) = store.watermark().await {
            inbox.passed(watermark);
        }
    }
}

async fn schedule(events: mpsc::Sender<Event>, rules: Arc<Rules>, stop: CancellationToken) {
    let (to_reload, mut reload) = mpsc::channel::<()>(1);
    let into = events.clone();
    let started = scheduler::start(move |due| {
        // A job that finds the corridor busy is not queued twice: the next one comes in a second.
        let into = into.clone();
        let to_reload = to_reload.clone();
        Box::pin(async move {
            match due {
                Due::Flush => drop(into.try_send(Event::Flush)),
                Due::Tick => drop(into.try_send(Event::Tick)),
                Due::Rules => drop(to_reload.try_send(())),
            }
        })
    })
    .await;
    let mut scheduler = match started {
        Ok(scheduler) => scheduler,
        Err(error) => return tracing::error!(%error, "The scheduler did not start: no rule is judged."),
    };
    loop {
        tokio::select! {
            _ = stop.cancelled() => break,
            due = reload.recv() => match due {
                Some(()) => rules.reload_if_changed(&events).await,
                None => break,
            },
        }
    }
    let _ = scheduler.shutdown().await;
}
