//! The corridor: one loop over a closed set of events. It alone adds to the windows and judges them.
//!
//! Read [`Corridor::run`] from top to bottom: absorb, flush, evaluate, record.

pub mod bounds;
pub mod claims;
pub mod derived;
pub mod errors;
pub mod gauges;
pub mod missed;
pub mod names;
pub mod past;
pub mod skew;
pub mod policy;
pub mod tick;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};

use crate::alert::incident::{Instance, InstanceKey, Transition};
use crate::alert::overlay::Overlays;
use crate::alert::rule::RuleSet;
use crate::decode::Batch;
use crate::health::sight::Context;
use crate::health::value::Value;
use crate::rollup::series::Merge;
use crate::rollup::stream::{self, Streams};
use crate::rollup::window::{Minute, Part, received};
use crate::signals::telemetry::Nanos;
use crate::store::mail::NewMail;
use crate::store::{Detail, Store};
use crate::usual::Usual;
use crate::usual::learn::Down;
use crate::world::World;
use crate::world::points::Point;
use bounds::Bounds;
use claims::Claims;
use derived::Derived;
use errors::Errors;
use gauges::Gauges;
use past::Past;
use policy::Policy;
use skew::Clocks;

/// A minute is judged this long after it closed, so that late points are in it.
const EVALUATION_DELAY: Nanos = 20_000_000_000;
/// What a rule may look back on: the widest window of a ratio or percentile, and as much again.
const LOOKBACK: i64 = 130;
/// Ticks missed while the server was down are judged, this many at most.
const CATCH_UP: i64 = 360;
/// A flush does not wait for its turn once this much is in memory: the more there is in one, the fewer rows a series
/// takes.
const FLUSH_BYTES: usize = 48 << 20;
/// While no flush succeeds this much is taken, and no more.
const MOST_BYTES: usize = 160 << 20;

/// All that can happen in the corridor besides a request that is on disk, which comes by a way of its own: the
/// events go first.
pub enum Event {
    /// Write what is in memory.
    Flush,
    /// Judge the minutes that have closed.
    Tick,
    /// Other rules are in force.
    Rules(Arc<RuleSet>),
    /// Write what is in memory and end.
    Stop(oneshot::Sender<()>),
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

/// Keeps the request of a sequence number outside the inbox, durably: it could not be counted.
pub type SetAside = Arc<dyn Fn(u64) -> std::io::Result<()> + Send + Sync>;

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
    past: Past,
    clocks: Clocks,
    derived: Derived,
    errors: Errors,
    streams: Streams,
    recent: Part,
    usual: Usual,
    /// Up to where what is usual is in the catalog.
    kept_until: Option<Minute>,
    context: Context,
    /// What the signals said at the last tick.
    values: Vec<Value>,
    /// What the server says of itself.
    own: Arc<Mutex<Vec<Value>>>,
    probes: Arc<Mutex<Vec<Value>>>,
    /// Silences, maintenance and acknowledgements of the tick.
    overlays: Overlays,
    instances: BTreeMap<InstanceKey, Instance>,
    last_tick: Option<Minute>,
    /// Instances the catalog holds, to know which are gone.
    stored: BTreeSet<InstanceKey>,
    /// Transitions that could not be recorded yet.
    unrecorded: Vec<Transition>,
    gauges: Arc<Gauges>,
    live: watch::Sender<u64>,
    wake_mailer: Arc<tokio::sync::Notify>,
    set_aside: SetAside,
}

/// What a corridor is made of.
pub struct Parts<C> {
    /// Where it writes.
    pub store: Store,
    /// The time, and who is told of steps.
    pub world: World,
    /// Tiers and environments.
    pub policy: Policy,
    /// What the operator and the vendors say that values of signals need.
    pub context: Context,
    /// What the server says of itself, taken at each tick.
    pub own: Arc<Mutex<Vec<Value>>>,
    /// What probes met, as values.
    pub probes: Arc<Mutex<Vec<Value>>>,
    /// Makes mails.
    pub compose: C,
    /// The rules in force.
    pub rules: Arc<RuleSet>,
    /// How long a claim stands; 0 for none.
    pub claim_window: Nanos,
    /// Claims remembered at once.
    pub most_claims: usize,
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
    /// What is done with a request that cannot be counted.
    pub set_aside: SetAside,
}

impl<C: Compose> Corridor<C> {
    /// Takes up where the last run stopped: states, open instances, claims and the minutes rules look back on.
    pub async fn open(parts: Parts<C>) -> Result<Corridor<C>, crate::store::Error> {
        let Parts {
            store,
            world,
            policy,
            context,
            own,
            probes,
            compose,
            rules,
            claim_window,
            most_claims,
            limits,
            ..
        } = parts;
        let Parts { stream_limits, gauges, live, wake_mailer, set_aside, .. } = parts;
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
        let mut measures = store.window(from, until, None, Detail::Measures).await?;
        bounds.learn(&measures);
        measures.forget_measures();
        (recent.counters, recent.measured) = (measures.counters, measures.measured);
        recent.retain(|key| !policy.retired.contains(&*key.name));
        // All that are kept: what stands above the watermark is replayed as of its own receipt, however long ago.
        let claims = Claims::new(claim_window, most_claims, store.claims(0, most_claims).await?);
        let usual = store.usual().await?;
        let mut corridor = Corridor {
            bounds,
            past: Past::default(),
            clocks: Clocks::new(&recent),
            derived: Derived::default(),
            errors: Errors::new(store.recent_groups(now.saturating_sub(errors::REMEMBERED)).await?),
            streams: Streams::new(stream_limits, store.streams(None).await?),
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
            kept_until: usual.until,
            usual,
            context,
            values: Vec::new(),
            overlays: Overlays::default(),
            own,
            probes,
            last_tick,
            gauges,
            live,
            wake_mailer,
            set_aside,
        };
        let (judged, now) = (corridor.last_tick, Minute::of(now));
        corridor.context.down = judged.filter(|judged| *judged < now).map(|judged| Down::new(judged, now));
        // What was learned is kept when an hour closes; the minutes since then are learned again, up to the last tick.
        if let (Some(until), Some(tick)) = (corridor.usual.until, corridor.last_tick) {
            (until.0..tick.0).map(Minute).for_each(|minute| corridor.learn(minute));
        }
        Ok(corridor)
    }

    /// Runs until [`Event::Stop`] or until every sender is gone.
    ///
    /// Events go before batches: under load there is always one more batch, and a minute is judged on time all the
    /// same. Whoever sends [`Event::Stop`] has dropped the sender of `batches` before; all of them are absorbed.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>, mut batches: mpsc::Receiver<(u64, Batch)>) {
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(Event::Flush) => drop(self.flush().await),
                    Some(Event::Tick) => {
                        if AssertUnwindSafe(self.tick()).catch_unwind().await.is_err() {
                            tracing::error!("A tick panicked; it is tried again in a second.");
                            self.gauges.defects.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Some(Event::Rules(rules)) => self.rules = rules,
                    Some(Event::Stop(done)) => {
                        self.finish(batches).await;
                        let _ = done.send(());
                        return;
                    }
                    None => return self.finish(batches).await,
                },
                Some((seq, batch)) = batches.recv() => self.take(seq, batch).await,
            }
        }
    }

    async fn finish(mut self, mut batches: mpsc::Receiver<(u64, Batch)>) {
        while let Some((seq, batch)) = batches.recv().await {
            self.take(seq, batch).await;
        }
        self.flush().await;
    }

    /// Absorbs a batch; one that panics is set aside, and the others go on.
    pub async fn take(&mut self, seq: u64, batch: Batch) {
        // Sound enough: what the panic left half done is a sum that misses a part, and the whole is set aside.
        if catch_unwind(AssertUnwindSafe(|| self.absorb(seq, batch))).is_err() {
            self.set_aside(seq, "Counting it panicked.").await;
        }
        self.flush_if_large().await;
    }

    /// Passes a request that cannot be counted, once it is kept where no watermark deletes it. While that cannot be
    /// done nothing goes on: what was acknowledged is never lost.
    pub async fn set_aside(&mut self, seq: u64, why: &str) {
        while let Err(error) = (self.set_aside)(seq) {
            tracing::error!(seq, %error, "A request could not be set aside; it is tried again.");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tracing::error!(seq, why, "A request could not be counted and was set aside; it is not lost.");
        self.gauges.set_aside.fetch_add(1, Ordering::Relaxed);
        self.store.skip(seq);
    }

    /// Flushes once much is in memory. While that fails and memory fills, nothing more is taken: the inbox fills
    /// behind the corridor, and senders are told to come again.
    pub async fn flush_if_large(&mut self) {
        if self.store.hot_bytes() <= FLUSH_BYTES {
            return;
        }
        while !self.flush().await && self.store.hot_bytes() > MOST_BYTES {
            self.gauges.stalled.store(true, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.gauges.stalled.store(false, Ordering::Relaxed);
    }

    /// Absorb: claim the body, see what its metric points add, fold what is past the limits, add to what is in memory.
    fn absorb(&mut self, seq: u64, mut batch: Batch) {
        if let Some(hash) = batch.hash.filter(|_| self.claims.are_on()) {
            if !self.claims.claim(hash, seq, batch.received_at) {
                self.gauges.duplicates.fetch_add(1, Ordering::Relaxed);
                return self.store.skip(seq);
            }
            self.fresh_claims.push((hash, seq, batch.received_at));
            self.gauges.claims.store(self.claims.len() as u64, Ordering::Relaxed);
            self.gauges.claims_forgotten.store(self.claims.forgotten, Ordering::Relaxed);
            self.world.points.pass(Point::AfterClaim);
        }
        let kept = self.clocks.apply(&mut batch.observations, batch.received_at);
        let points = std::mem::take(&mut batch.observations.points);
        let mut deltas = self.streams.apply(points, batch.received_at);
        deltas.states = kept;
        self.clocks.note(&self.gauges);
        self.gauges.streams.store(self.streams.len() as u64, Ordering::Relaxed);
        self.bounds.apply(&mut batch.observations, batch.received_at);
        self.derived.apply(&mut batch.observations, &mut deltas, batch.received_at);
        self.bounds.apply_deltas(&mut deltas, batch.received_at);
        let minute = Minute::of(batch.received_at);
        let heard = batch.observations.integrations.iter();
        deltas.counters.extend(heard.map(|info| (minute, received(&info.key), 1.0)));
        self.past.apply(&mut batch.observations, batch.received_at);
        self.errors.apply(&mut batch.observations, batch.received_at, &self.gauges);
        self.gauges.folded.store(self.bounds.folded, Ordering::Relaxed);
        self.gauges.coarsened.store(self.past.coarsened, Ordering::Relaxed);
        let told: Vec<(&'static str, u64)> = std::mem::take(&mut self.bounds.told).into_iter().collect();
        self.gauges.note(batch.observations.notices.iter().chain(&deltas.notices).chain(&told));
        if let Some(judged) = self.last_tick {
            let late = batch.observations.calls.iter().filter(|call| Minute::of(call.end) < judged).count();
            self.gauges.late.fetch_add(late as u64, Ordering::Relaxed);
        }
        let lag = ((self.world.clock)() - batch.received_at).max(0) / 1_000_000;
        self.gauges.lag_ms.store(lag as u64, Ordering::Relaxed);
        self.store.absorb_with(seq, batch, deltas);
        self.gauges.hot_bytes.store(self.store.hot_bytes() as u64, Ordering::Relaxed);
    }

    /// Flush: one catalog transaction. What could not be written stays in memory and is tried again; false then.
    async fn flush(&mut self) -> bool {
        let now = (self.world.clock)();
        let writing = AssertUnwindSafe(self.store.flush(&self.fresh_claims, now)).catch_unwind();
        let panicked = |_| Err(crate::store::Error::Damaged("Writing panicked.".into()));
        let flushed = writing.await.unwrap_or_else(panicked);
        self.gauges.judge(now, "A flush", &flushed);
        match flushed {
            Ok(Some(part)) => {
                self.fresh_claims.clear();
                self.recent.merge(&part);
                // What is retired is judged by nobody.
                if !self.policy.retired.is_empty() {
                    self.recent.retain(|key| !self.policy.retired.contains(&*key.name));
                }
                // No rule reads most of them, and the histograms of many series would be most of the memory.
                self.recent.forget_measures();
                self.gauges.hot_bytes.store(self.store.hot_bytes() as u64, Ordering::Relaxed);
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
}
