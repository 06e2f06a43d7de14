//! The corridor: one loop over a closed set of events. It alone adds to the windows and judges them.
//!
//! Read [`Corridor::run`] from top to bottom: absorb, flush, evaluate, record.

pub mod bounds;
pub mod claims;
pub mod missed;
pub mod past;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::alert::evaluate::{Facts, evaluate};
use crate::alert::incident::{Incident, Instance, InstanceKey, Transition};
use crate::alert::rule::RuleSet;
use crate::alert::tier::Tier;
use crate::decode::Batch;
use crate::rollup::series::Merge;
use crate::rollup::stream::{self, Streams};
use crate::rollup::window::{MINUTE, Minute, Part};
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::store::mail::NewMail;
use crate::store::{Detail, Store};
use crate::world::World;
use crate::world::points::Point;
use bounds::Bounds;
use claims::Claims;
use past::Past;

/// A minute is judged this long after it closed, so that late points are in it.
const EVALUATION_DELAY: Nanos = 20_000_000_000;
/// What a rule may look back on: the widest window of a ratio or percentile, and as much again.
const LOOKBACK: i64 = 130;
/// Ticks missed while the server was down are judged, this many at most.
const CATCH_UP: i64 = 360;
/// A flush does not wait for its turn once this much is in memory.
const FLUSH_BYTES: usize = 32 << 20;

/// All that can happen in the corridor.
pub enum Event {
    /// A request that is on disk.
    Batch(u64, Box<Batch>),
    /// Write what is in memory.
    Flush,
    /// Judge the minutes that have closed.
    Tick,
    /// Other rules are in force.
    Rules(Arc<RuleSet>),
    /// Write what is in memory and end.
    Stop(oneshot::Sender<()>),
}

/// Figures on the corridor for the System page and `/metrics`.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Requests acknowledged and not counted because they were counted before.
    pub duplicates: AtomicU64,
    /// Calls that came after their minute was judged.
    pub late: AtomicU64,
    /// Milliseconds from the receipt of the latest request to its being counted.
    pub lag_ms: AtomicU64,
    /// Series folded into `(other)`.
    pub folded: AtomicU64,
    /// Metric streams whose next point is expected.
    pub streams: AtomicU64,
    /// Calls and gauge points kept by the hour or the day, because their sender wrote to too many minutes.
    pub coarsened: AtomicU64,
    /// Flushes that failed; what they held stays in memory and in the inbox.
    pub flush_failures: AtomicU64,
    /// What the catalog or the segments do not take now, since when, and why. None while all is well.
    pub failing: std::sync::Mutex<Option<(Nanos, String)>>,
    /// Unix seconds up to which rules have been judged.
    pub judged_until: AtomicU64,
    /// Whether memory is full of what the store does not take, so that the corridor waits.
    pub stalled: AtomicBool,
    /// What the signals corrected or did not understand, by name.
    pub notices: std::sync::Mutex<BTreeMap<&'static str, u64>>,
}

impl Gauges {
    /// Notes whether the store takes what it is given; a failure is logged when it begins and when it has passed.
    fn judge<T>(&self, now: Nanos, what: &str, result: &Result<T, crate::store::Error>) {
        let Ok(mut failing) = self.failing.lock() else { return };
        match (result, failing.as_ref().map(|(since, _)| *since)) {
            (Err(error), since) => {
                if since.is_none() {
                    tracing::error!(%error, "{what} failed; it is tried again, and nothing is lost meanwhile.");
                }
                *failing = Some((since.unwrap_or(now), error.to_string()));
            }
            (Ok(_), Some(since)) => {
                tracing::info!(for_s = (now - since) / 1_000_000_000, "The store takes everything again.");
                *failing = None;
            }
            (Ok(_), None) => {}
        }
    }
}

/// Makes the mails of a transition; what it needs beyond that it asks of the store.
pub trait Compose: Send + Sync {
    /// Mails for one transition, one for each recipient.
    fn compose(
        &self,
        transition: &Transition,
        recent: &Part,
    ) -> impl std::future::Future<Output = Vec<NewMail>> + Send;
}

/// What the operator says that judging needs.
pub struct Policy {
    /// The tier of an integration by the configuration.
    pub tiers: BTreeMap<String, Tier>,
    /// Environments that never notify.
    pub non_production: Vec<String>,
}

impl Policy {
    fn tier(&self, key: &IntegrationKey, recent: &Part) -> Tier {
        let said = || {
            let registration = recent.integrations.get(key)?;
            Tier::from_name(registration.tier.get()?)
        };
        self.tiers.get(&*key.name).copied().or_else(said).unwrap_or_default()
    }
}

/// The corridor and all that only it changes.
pub struct Corridor<C> {
    store: Store,
    world: World,
    policy: Policy,
    compose: C,
    rules: Arc<RuleSet>,
    claims: Claims,
    fresh_claims: Vec<(u128, u64, Nanos)>,
    bounds: Bounds,
    streams: Streams,
    past: Past,
    recent: Part,
    instances: BTreeMap<InstanceKey, Instance>,
    last_tick: Option<Minute>,
    /// Instances the catalog holds, to know which are gone.
    stored: BTreeSet<InstanceKey>,
    /// Transitions that could not be recorded yet.
    unrecorded: Vec<Transition>,
    gauges: Arc<Gauges>,
    live: watch::Sender<u64>,
    wake_mailer: Arc<tokio::sync::Notify>,
}

/// What a corridor is made of.
pub struct Parts<C> {
    /// Where it writes.
    pub store: Store,
    /// The time, and who is told of steps.
    pub world: World,
    /// Tiers and environments.
    pub policy: Policy,
    /// Makes mails.
    pub compose: C,
    /// The rules in force.
    pub rules: Arc<RuleSet>,
    /// How long a claim stands.
    pub claim_window: Nanos,
    /// Limits on series.
    pub limits: bounds::Limits,
    /// Limits on metric streams.
    pub stream_limits: stream::Limits,
    /// Figures for the System page.
    pub gauges: Arc<Gauges>,
    /// Told of every flush and tick.
    pub live: watch::Sender<u64>,
    /// Told of new mails.
    pub wake_mailer: Arc<tokio::sync::Notify>,
}

impl<C: Compose> Corridor<C> {
    /// Takes up where the last run stopped: states, open instances, claims and the minutes rules look back on.
    pub async fn open(parts: Parts<C>) -> Result<Corridor<C>, crate::store::Error> {
        let Parts {
            store, world, policy, compose, rules, claim_window, limits, stream_limits, gauges, ..
        } = parts;
        let (live, wake_mailer) = (parts.live, parts.wake_mailer);
        let now = (world.clock)();
        let (instances, last_tick) = store.instances().await?;
        let oldest = last_tick
            .map_or(i64::MAX, |tick| tick.0)
            .min(Minute::of(now).0)
            .max(Minute::of(now).0 - CATCH_UP);
        let from = Minute(oldest - LOOKBACK);
        let until = Minute(Minute::of(now).0 + 10);
        let mut recent = store.window(from, until, None, Detail::Full).await?;
        recent.merge(&store.states().await?);
        let mut bounds = Bounds::new(limits, &recent);
        bounds.learn(&store.window(from, until, None, Detail::Measures).await?);
        // All that are kept: what stands above the watermark is replayed as of its own receipt, however long ago.
        let claims = Claims::new(claim_window, store.claims(0).await?);
        Ok(Corridor {
            bounds,
            streams: Streams::new(stream_limits, store.streams(None).await?),
            past: Past::default(),
            stored: instances.iter().map(|instance| instance.key.clone()).collect(),
            unrecorded: Vec::new(),
            instances: instances.into_iter().map(|instance| (instance.key.clone(), instance)).collect(),
            fresh_claims: Vec::new(),
            store,
            world,
            policy,
            compose,
            rules,
            claims,
            recent,
            last_tick,
            gauges,
            live,
            wake_mailer,
        })
    }

    /// Runs until [`Event::Stop`] or until every sender is gone.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        while let Some(event) = events.recv().await {
            match event {
                Event::Batch(seq, batch) => {
                    self.absorb(seq, *batch);
                    self.flush_if_large().await;
                }
                Event::Flush => drop(self.flush().await),
                Event::Tick => self.tick().await,
                Event::Rules(rules) => self.rules = rules,
                Event::Stop(done) => {
                    self.flush().await;
                    let _ = done.send(());
                    return;
                }
            }
        }
        self.flush().await;
    }

    /// Flushes once much is in memory. While that fails and memory fills, nothing more is taken: the inbox fills
    /// behind the corridor, and senders are told to come again.
    pub async fn flush_if_large(&mut self) {
        if self.store.hot_bytes() <= FLUSH_BYTES {
            return;
        }
        while !self.flush().await && self.store.hot_bytes() > 8 * FLUSH_BYTES {
            self.gauges.stalled.store(true, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.gauges.stalled.store(false, Ordering::Relaxed);
    }

    /// Absorb: claim the body, see what its metric points add, fold what is past the limits, add to what is in memory.
    pub fn absorb(&mut self, seq: u64, mut batch: Batch) {
        if let Some(hash) = batch.hash {
            if !self.claims.claim(hash, seq, batch.received_at) {
                self.gauges.duplicates.fetch_add(1, Ordering::Relaxed);
                return self.store.skip(seq);
            }
            self.fresh_claims.push((hash, seq, batch.received_at));
            self.world.points.pass(Point::AfterClaim);
        }
        let points = std::mem::take(&mut batch.observations.points);
        let mut deltas = self.streams.apply(points, batch.received_at);
        self.gauges.streams.store(self.streams.len() as u64, Ordering::Relaxed);
        self.bounds.apply(&mut batch.observations);
        self.bounds.apply_deltas(&mut deltas);
        self.past.apply(&mut batch.observations, batch.received_at);
        self.gauges.folded.store(self.bounds.folded, Ordering::Relaxed);
        self.gauges.coarsened.store(self.past.coarsened, Ordering::Relaxed);
        if let Ok(mut notices) = self.gauges.notices.lock() {
            for (notice, count) in batch.observations.notices.iter().chain(&deltas.notices) {
                *notices.entry(*notice).or_default() += count;
            }
        }
        if let Some(judged) = self.last_tick {
            let late = batch.observations.calls.iter().filter(|call| Minute::of(call.end) < judged).count();
            self.gauges.late.fetch_add(late as u64, Ordering::Relaxed);
        }
        let lag = ((self.world.clock)() - batch.received_at).max(0) / 1_000_000;
        self.gauges.lag_ms.store(lag as u64, Ordering::Relaxed);
        self.store.absorb_with(seq, batch, deltas);
    }

    /// Flush: one catalog transaction. What could not be written stays in memory and is tried again; false then.
    async fn flush(&mut self) -> bool {
        let now = (self.world.clock)();
        let flushed = self.store.flush(&self.fresh_claims, now).await;
        self.gauges.judge(now, "A flush", &flushed);
        match flushed {
            Ok(Some(part)) => {
                self.fresh_claims.clear();
                self.recent.merge(&part);
                // No rule reads them, and the histograms of many series would be most of the memory.
                self.recent.forget_measures();
                self.live.send_modify(|version| *version += 1);
                true
            }
            Ok(None) => true,
            Err(_) => {
                self.gauges.flush_failures.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    /// Evaluate and record: every whole minute that has closed since the last tick, each in one transaction.
    async fn tick(&mut self) {
        let due = Minute::of((self.world.clock)() - EVALUATION_DELAY);
        let next = self.last_tick.map_or(due.0, |last| last.0 + 1).max(due.0 - CATCH_UP);
        if next > due.0 {
            return;
        }
        // Minutes whose data could not be written are judged later, when it is there.
        if !self.flush().await {
            return;
        }
        let mut transitions = Vec::new();
        for tick in (next..=due.0).map(Minute) {
            transitions.extend(self.judge(tick));
        }
        if next < due.0 {
            transitions = missed::net(transitions);
        }
        self.last_tick = Some(due);
        self.unrecorded.extend(transitions);
        let recorded = self.record(due).await;
        self.gauges.judge((self.world.clock)(), "Writing a tick", &recorded);
        // If it failed, the next tick writes them; a restart before it judges these minutes again from the same data.
        if recorded.is_ok() {
            self.unrecorded.clear();
        }
        self.gauges.judged_until.store((due.start() / 1_000_000_000).max(0) as u64, Ordering::Relaxed);
        self.recent.forget_before(Minute(due.0 - LOOKBACK));
        self.live.send_modify(|version| *version += 1);
    }

    fn judge(&mut self, tick: Minute) -> Vec<Transition> {
        let (policy, recent) = (&self.policy, &self.recent);
        let tiers = |key: &IntegrationKey| policy.tier(key, recent);
        let notifies = |environment: &str| !policy.non_production.iter().any(|name| name == environment);
        let facts = Facts { recent, tiers: &tiers, notifies: &notifies };
        evaluate(&self.rules, &facts, &mut self.instances, tick)
    }

    async fn record(&mut self, tick: Minute) -> Result<(), crate::store::Error> {
        let mut mails = Vec::new();
        for transition in self.unrecorded.iter().filter(|transition| transition.notify) {
            mails.extend(self.compose.compose(transition, &self.recent).await);
        }
        let open = self.instances.values().filter_map(|instance| instance.incident.as_ref());
        let mut incidents: BTreeMap<&str, &Incident> =
            open.map(|incident| (&*incident.id, incident)).collect();
        incidents.extend(
            self.unrecorded.iter().map(|transition| (&*transition.incident.id, &transition.incident)),
        );
        let incidents: Vec<Incident> = incidents.into_values().cloned().collect();
        let instances: Vec<Instance> = self.instances.values().cloned().collect();
        let alive: BTreeSet<InstanceKey> = self.instances.keys().cloned().collect();
        let gone: Vec<InstanceKey> = self.stored.difference(&alive).cloned().collect();
        self.store.record_tick(tick, &instances, &gone, &incidents, &mails).await?;
        self.stored = alive;
        self.world.points.pass(Point::AfterTick);
        if !mails.is_empty() {
            self.wake_mailer.notify_one();
        }
        Ok(())
    }
}

/// The nanoseconds until the next minute may be judged.
pub fn until_next_tick(now: Nanos) -> Nanos {
    MINUTE - (now - EVALUATION_DELAY).rem_euclid(MINUTE)
}

#[cfg(test)]
mod tests;
