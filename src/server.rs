//! Wiring only: open, replay, spawn, serve, and stop in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::access::door::Door;
use crate::clock::Clock;
use crate::config::Config;
use crate::decode::redact::Redactor;
use crate::inbox::Inbox;
use crate::notify::outbox::Outbox;
use crate::notify::pause::Pauses;
use crate::pipeline::{self, Corridor, Event};
use crate::receive::intake::{self, Intake, Taken};
use crate::receive::keys::Keys;
use crate::receive::limits::Budget;
use crate::rules::Origin;
use crate::store::Store;
use crate::world::World;
use crate::{config, inbox, receive, web};
use certificates::Certificates;
use receive::listen::Port;
use rules::Rules;

mod judging;
mod certificates;
mod composer;
mod counters;
mod descriptors;
mod digest;
pub mod encryption;
mod evidence;
mod keys;
mod meaning;
mod own;
mod passing;
mod probes;
pub mod people;
mod public;
pub mod redaction;
mod rules;
mod schedule;
pub mod settings;
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
    /// The link that makes the first admin, where one is wanted.
    pub setup: Option<String>,
    events: mpsc::Sender<Event>,
    inbox: Inbox<Taken>,
    store: Store,
    rules: Arc<Rules>,
    certificates: Certificates,
    clock: Clock,
    doors: Vec<JoinHandle<()>>,
    forward: JoinHandle<()>,
    rooms: Vec<JoinHandle<()>>,
    corridor: JoinHandle<()>,
    stop: CancellationToken,
    stop_mail: CancellationToken,
}

/// The three ports, bound and not yet served.
pub struct Doors {
    web: TcpListener,
    otlp_http: TcpListener,
    otlp_grpc: TcpListener,
}

impl Doors {
    /// Binds them: nothing else is touched while one is in use.
    pub async fn bind(server: &config::Server) -> anyhow::Result<Doors> {
        Ok(Doors {
            web: passing::bind("web", server.web).await?,
            otlp_http: passing::bind("otlp_http", server.otlp_http).await?,
            otlp_grpc: passing::bind("otlp_grpc", server.otlp_grpc).await?,
        })
    }
}

/// What of a configuration can only be told by reading the files that it names.
pub fn check(config: &Config) -> anyhow::Result<()> {
    redaction::redactor(&config.redaction, None)?;
    encryption::keyring(config)?;
    Certificates::load(config)?;
    settings::outgoing(config)?;
    probes::client(config)?;
    settings::oidc(config, "", &crate::clock::system())?;
    settings::channels(config)?;
    settings::mailer(config).map(drop)
}

/// Binds the ports, opens the data folder, replays what the inbox holds above the watermark, and serves.
pub async fn start(config: Config, origin: Origin, world: World) -> anyhow::Result<Running> {
    let doors = Doors::bind(&config.server).await?;
    start_at(doors, config, origin, world).await
}

/// The same at ports that are bound already.
pub async fn start_at(doors: Doors, config: Config, origin: Origin, world: World) -> anyhow::Result<Running> {
    let clock = world.clock.clone();
    let loaded = origin.load().map_err(|problems| anyhow!("{}", problems.join("\n")))?;
    check(&config)?;
    let vendors = settings::vendors(&config)?;
    let certificates = Certificates::load(&config)?;
    let Doors { web: web_door, otlp_http: http_door, otlp_grpc: grpc_door } = doors;
    let addresses = Addresses {
        web: web_door.local_addr()?,
        otlp_http: http_door.local_addr()?,
        otlp_grpc: grpc_door.local_addr()?,
    };
    let base_url = settings::base_url(&config, addresses.web);
    let keyring = encryption::keyring(&config)?;
    let store = Store::open(settings::store(&config, &keyring), &world).await?;
    encryption::tell(&keyring, &store);
    settings::tell_web_address(&config.server.data, addresses.web);
    let made = store.access().await?;
    public::check(&config, &addresses, &made).map_err(anyhow::Error::msg)?;

    let (live, live_seen) = watch::channel(0);
    let (stop, stop_mail) = (CancellationToken::new(), CancellationToken::new());
    let wake_mailer = Arc::new(Notify::new());
    let gauges = Arc::new(pipeline::gauges::Gauges::default());
    let classified = Arc::new(meaning::classified(&config, &store.states().await?.states));
    let observe_rules =
        Arc::new(meaning::observe_rules(&config, &addresses, vendors.clone(), classified.clone())?);
    let rules = Arc::new(Rules::new(origin, loaded, &clock, store.clone()));
    let door = Door::default();
    door.note(made.keys, made.users);
    let without = !config.ingest.keys_on_loopback;
    let keys = Arc::new(Keys::new(door.clone(), observe_rules.clone(), without));
    keys.replace(store.keys().await?);

    let inbox_settings = settings::inbox(&config, &keyring);
    gauges.set_aside.store(inbox::aside::count(&inbox_settings.folder, &*world.files), Ordering::Relaxed);

    let signer = people::signer(&store.people(), &keyring).await?;
    let channels = settings::channels(&config)?;
    let (own_values, probe_values) = (own::Said::default(), own::Said::default());
    let mut corridor = Corridor::open(pipeline::Parts {
        store: store.clone(),
        world: world.clone(),
        policy: judging::policy(&config),
        context: judging::context(&config, &vendors),
        own: own_values.clone(),
        probes: probe_values.clone(),
        compose: composer::Composer::new(
            &config,
            &base_url,
            (&store, &clock),
            &rules,
            &vendors,
            &signer,
            &channels,
        ),
        rules: rules.in_force(),
        claim_window: settings::claim_window(&config),
        most_claims: config.ingest.claims,
        limits: settings::series_limits(&config),
        stream_limits: settings::stream_limits(&config),
        gauges: gauges.clone(),
        live: live.clone(),
        wake_mailer: wake_mailer.clone(),
        set_aside: settings::set_aside(&inbox_settings, &world.files),
    })
    .await?;

    // As many as the budget of their bytes lets be there, so that the inbox never waits for the corridor: an answer
    // does not take as long as a flush.
    let (deliver, delivered) = mpsc::channel(Budget::most_requests(config.ingest.in_flight_bytes));
    let watermark = store.watermark().await?;
    let (inbox, replay) = Inbox::open(inbox_settings, &world, deliver, watermark)
        .with_context(|| format!("the inbox in {} cannot be opened", config.server.data.display()))?;
    let email_key = redaction::email_key(&config.server.data, &*world.files)?;
    let redactor: &'static Redactor =
        Box::leak(Box::new(redaction::redactor(&config.redaction, Some(email_key))?));
    let limits = crate::decode::Limits { redactor, ..crate::decode::Limits::default() };
    for entry in replay {
        let (seq, record) = entry.context("the inbox cannot be read")?;
        let decoded = keys.of_kept(record.key_id).and_then(|rules| intake::replay(&record, &rules, &limits));
        match decoded {
            Ok(decoded) => corridor.take(seq, decoded.batch).await,
            // It was acknowledged, so it was readable then: it is kept, and does not stop the rest.
            // The sentence quotes what it could not read.
            Err(error) => corridor.set_aside(seq, &redactor.text(error.into())).await,
        }
    }

    let (events, inlet) = mpsc::channel::<Event>(16);
    let (batches, batch_inlet) = mpsc::channel(1);
    let corridor = tokio::spawn(corridor.run(inlet, batch_inlet));
    let doors_settings = settings::receive(&config, descriptors::connections(config.ingest.max_connections));
    let intake = Intake::new(inbox.clone(), observe_rules, limits, doors_settings.clone(), clock.clone());
    let intake = Arc::new(intake.with_keys(keys.clone()));
    let forward = tokio::spawn(passing::forward(delivered, batches));
    let mut rooms = vec![tokio::spawn(passing::pass(store.clone(), inbox.clone(), live_seen.clone()))];
    let (mailer, mail_info) = settings::mailer(&config)?;
    let pauses = Pauses::default();
    let outbox = Outbox {
        store: store.clone(),
        mailer,
        channels: channels.clone(),
        pauses: pauses.clone(),
        settings: settings::outbox(&config, &signer),
        world: world.clone(),
    };
    let wake_digest = wake_mailer.clone();
    rooms.push(tokio::spawn(outbox.run(wake_mailer, stop_mail.clone())));
    let days = config.retention.evidence_days;
    let (evidence, room) = evidence::open(&store, &rules, &clock, &gauges, days, &stop);
    rooms.push(room);
    rooms.push(tokio::spawn(schedule::run(
        events.clone(),
        rules.clone(),
        certificates.clone(),
        store.clone(),
        evidence,
        clock.clone(),
        stop.clone(),
    )));

    let (access, setup, watching) =
        people::open(&config, &store, addresses.web, &base_url, &keyring, &clock, &stop).await?;
    rooms.push(watching);

    let keeper = keys::Keeper {
        keys: keys.clone(),
        door,
        store: store.clone(),
        intake: intake.clone(),
        clock: clock.clone(),
        live: live.clone(),
    };
    rooms.push(tokio::spawn(keeper.run(made, stop.clone())));
    let troubles = troubles::of(
        inbox.clone(),
        gauges.clone(),
        certificates.clone(),
        keys.clone(),
        pauses,
        &store,
        clock.clone(),
    );
    rooms.push(tokio::spawn(troubles::announce(troubles.clone(), live, stop.clone())));
    let counters =
        counters::all(&intake, redactor, keys, inbox.clone(), gauges.clone(), store.clone(), clock.clone());
    let own = own::Own {
        store: store.clone(),
        counters: counters.clone(),
        gauges,
        rules: rules.clone(),
        data: config.server.data.clone(),
        clock: clock.clone(),
        said: own_values,
        heartbeat: settings::heartbeat(&config)?,
    };
    rooms.push(tokio::spawn(own.run(stop.clone())));
    if let Some(client) = probes::client(&config)? {
        let probes = probes::Probes {
            probes: Arc::new(config.probe.clone()),
            client,
            store: store.clone(),
            clock: clock.clone(),
            said: probe_values,
        };
        rooms.push(tokio::spawn(probes.run(stop.clone())));
    }
    let state = web::State {
        classified,
        troubles,
        store: store.clone(),
        clock: clock.clone(),
        rules: rules.view(),
        counters,
        live: live_seen,
        stop: stop.clone(),
        mail: mail_info,
        oidc: settings::oidc(&config, &base_url, &clock)?.map(web::sso::Sso::new),
        looked_at: settings::looked_at(&channels),
        access: Arc::new(access),
        settings: Arc::new(settings::web(&config, &addresses, vendors, &keyring)),
    };
    rooms.push(tokio::spawn(digest::run(config.digest.clone(), state.clone(), wake_digest, stop.clone())));
    let over_tls = certificates.web.is_some();
    let port = |listener, tls: &Option<_>| Port { listener, tls: tls.clone() };
    let doors = vec![
        tokio::spawn(receive::http::serve_http(
            port(http_door, &certificates.otlp_http),
            intake.clone(),
            stop.clone(),
        )),
        tokio::spawn(receive::grpc::serve_grpc(
            port(grpc_door, &certificates.otlp_grpc),
            intake.clone(),
            stop.clone(),
        )),
        tokio::spawn(receive::listen::listen(
            port(web_door, &certificates.web),
            if over_tls { web::only_over_tls(web::router(state)) } else { web::router(state) },
            doors_settings,
            intake.counters(),
            stop.clone(),
        )),
    ];
    tracing::info!(web = %addresses.web, otlp_http = %addresses.otlp_http, otlp_grpc = %addresses.otlp_grpc, "Ready.");
    Ok(Running {
        addresses,
        setup,
        events,
        inbox,
        store,
        rules,
        certificates,
        clock,
        doors,
        forward,
        rooms,
        corridor,
        stop,
        stop_mail,
    })
}

impl Running {
    /// Reads rules and certificates again; what is broken is told on the dashboard and the old stays.
    pub fn reload(&self) {
        let (certificates, now, store) = (self.certificates.clone(), (self.clock)(), self.store.clone());
        let (rules, events) = (self.rules.clone(), self.events.clone());
        tokio::spawn(async move {
            certificates.look(now, &store).await;
            rules.reload(&events).await;
        });
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

#[cfg(test)]
mod tests;
