//! What the corridor does when it is busy, and when something in it is broken.

mod catalogue;
mod golden;
mod metrics;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use tempfile::TempDir;

use super::*;
use crate::rollup::window::Map;
use crate::signals::call::Class;
use crate::signals::observation::IntegrationKey;
use crate::signals::observation::{Call, CallKey, Direction, Observations, Source};
use crate::store::Settings;

/// The middle of a minute, so that a tick is due.
const NOW: Nanos = 1_800_000_030_000_000_000;
const HASH: u128 = 7;

const RULE: &str = r#"
schema   = 1
id       = "low"
title    = "{peer} {endpoint}"
runbook  = "low.md"
severity = "critical"
signal   = "call.success_rate"
by       = ["integration", "environment", "direction", "peer", "endpoint"]
window   = "5m"
fire     = "< 95 %"
resolve  = ">= 98 %"
min_count = 20
min_bad   = 3
"#;

const RUNBOOK: &str = "# Low

## What it means
Calls fail.

## First look (2 minutes)
1. Look.

## Fix
Send again.

## If that fails
Call.

## Why this threshold
So.
";

/// What can be broken from outside, and what was seen.
#[derive(Default)]
struct World {
    clock_panics: AtomicBool,
    compose_panics: AtomicBool,
    disk_fails: AtomicUsize,
    aside: Mutex<Vec<u64>>,
    /// Ticks that had been judged at each look at the clock.
    judged: Mutex<Vec<bool>>,
}

struct Composer(Arc<World>);

impl Compose for Composer {
    async fn compose(&self, _: &Transition, _: &Part) -> Vec<NewMail> {
        assert!(!self.0.compose_panics.load(Ordering::Relaxed), "broken on purpose");
        Vec::new()
    }
}

struct Bench {
    world: Arc<World>,
    gauges: Arc<Gauges>,
    store: Store,
    _folder: TempDir,
}

async fn bench() -> (Bench, Corridor<Composer>) {
    let folder = TempDir::new().unwrap();
    let mut machine = crate::world::World::real();
    let store = Store::open(Settings::new(folder.path()), &machine).await.unwrap();
    let (world, gauges) = (Arc::new(World::default()), Arc::new(Gauges::default()));
    let bench = Bench { world: world.clone(), gauges: gauges.clone(), store: store.clone(), _folder: folder };
    let (seen, looked) = (gauges.clone(), world.clone());
    machine.clock = Arc::new(move || {
        looked.judged.lock().unwrap().push(seen.judged_until.load(Ordering::Relaxed) > 0);
        assert!(!looked.clock_panics.load(Ordering::Relaxed), "broken on purpose");
        NOW
    });
    let rules = crate::alert::load::load(
        &[("low.toml".into(), RULE.into())],
        &[("runbooks/low.md".into(), RUNBOOK.into())],
    )
    .unwrap();
    let keeper = world.clone();
    let parts = Parts {
        context: crate::health::sight::Context::default(),
        own: Arc::default(),
        probes: Arc::default(),
        store,
        world: machine,
        policy: Policy { tiers: BTreeMap::new(), ..Policy::default() },
        compose: Composer(world.clone()),
        rules: Arc::new(rules),
        claim_window: 3_600_000_000_000,
        most_claims: 1000,
        limits: bounds::Limits::default(),
        stream_limits: stream::Limits::default(),
        gauges,
        live: watch::channel(0).0,
        wake_mailer: Arc::default(),
        set_aside: Arc::new(move |seq| {
            if keeper.disk_fails.load(Ordering::Relaxed) > 0 {
                keeper.disk_fails.fetch_sub(1, Ordering::Relaxed);
                return Err(std::io::Error::other("no space"));
            }
            keeper.aside.lock().unwrap().push(seq);
            Ok(())
        }),
    };
    let corridor = Corridor::open(parts).await.unwrap();
    world.judged.lock().unwrap().clear();
    (bench, corridor)
}

/// Failing calls of the last whole minute.
fn batch(hash: Option<u128>, calls: usize) -> Batch {
    let series = CallKey {
        integration: IntegrationKey { environment: "default".into(), name: "shop".into() },
        direction: Direction::Outbound,
        peer: "api.example".into(),
        endpoint: "GET /".into(),
        source: Source::Span,
    };
    let call = |n: usize| Call::plain(0, NOW - 60_000_000_000, 1000, Class::Server, n as u64);
    let observations = Observations {
        series: vec![series],
        calls: (0..calls).map(call).collect(),
        ..Observations::default()
    };
    Batch { received_at: NOW, hash, observations, ..Batch::default() }
}

impl Bench {
    async fn counted(&self) -> u64 {
        let (from, to) = (Minute::of(NOW - 3_600_000_000_000), Minute::of(NOW + 60_000_000_000));
        let part = self.store.window(from, to, None, Detail::Counts).await.unwrap();
        let calls: &Map<_, _> = &part.calls;
        calls.values().map(|row| row.tally.unweighted.iter().sum::<u64>()).sum()
    }

    fn looks_before_the_tick(&self) -> usize {
        self.world.judged.lock().unwrap().iter().filter(|judged| !**judged).count()
    }
}

/// Runs a corridor that finds `batches` and one tick when it begins.
async fn run(corridor: Corridor<Composer>, batches: Vec<Batch>) {
    let (events, inlet) = mpsc::channel(4);
    let (sender, batch_inlet) = mpsc::channel(batches.len().max(1));
    for (seq, batch) in (1..).zip(batches) {
        sender.try_send((seq, batch)).unwrap();
    }
    drop(sender);
    events.try_send(Event::Tick).unwrap_or_else(|_| panic!("there is room"));
    let (done, ended) = oneshot::channel();
    events.try_send(Event::Stop(done)).unwrap_or_else(|_| panic!("there is room"));
    corridor.run(inlet, batch_inlet).await;
    ended.await.unwrap();
}

#[tokio::test]
async fn a_tick_goes_before_the_batches_that_wait_and_the_stop_after_them() {
    let (alone, corridor) = bench().await;
    run(corridor, Vec::new()).await;
    for _ in 0..5 {
        let (bench, corridor) = bench().await;
        run(corridor, (0..50).map(|n| batch(Some(n), 1)).collect()).await;
        assert_eq!(bench.looks_before_the_tick(), alone.looks_before_the_tick());
        assert_eq!((bench.counted().await, bench.store.watermark().await.unwrap()), (50, 50));
    }
}

#[tokio::test]
async fn a_batch_that_panics_is_set_aside_and_the_rest_goes_on() {
    let (bench, mut corridor) = bench().await;
    corridor.take(1, batch(Some(1), 3)).await;
    bench.world.clock_panics.store(true, Ordering::Relaxed);
    // The disk does not take it at first: nothing is passed before it does.
    bench.world.disk_fails.store(1, Ordering::Relaxed);
    corridor.take(2, batch(Some(2), 5)).await;
    bench.world.clock_panics.store(false, Ordering::Relaxed);
    corridor.take(3, batch(Some(3), 7)).await;
    assert!(corridor.flush().await);
    assert_eq!(*bench.world.aside.lock().unwrap(), [2]);
    assert_eq!(bench.gauges.set_aside.load(Ordering::Relaxed), 1);
    assert_eq!((bench.counted().await, bench.store.watermark().await.unwrap()), (10, 3));
}

#[tokio::test]
async fn an_incident_whose_mail_panics_is_recorded_and_the_next_minutes_are_judged() {
    let (bench, mut corridor) = bench().await;
    corridor.take(1, batch(None, 40)).await;
    bench.world.compose_panics.store(true, Ordering::Relaxed);
    corridor.tick().await;
    assert_eq!(bench.gauges.defects.load(Ordering::Relaxed), 1);
    assert_eq!(bench.store.incidents(true, 10).await.unwrap().len(), 1);
    assert!(corridor.unrecorded.is_empty());
}

#[tokio::test]
async fn a_tick_that_panics_does_not_end_the_corridor() {
    let (bench, corridor) = bench().await;
    bench.world.clock_panics.store(true, Ordering::Relaxed);
    let (events, inlet) = mpsc::channel(4);
    let (_sender, batch_inlet) = mpsc::channel(1);
    let running = tokio::spawn(corridor.run(inlet, batch_inlet));
    events.send(Event::Tick).await.unwrap_or_else(|_| panic!("it runs"));
    while bench.gauges.defects.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    bench.world.clock_panics.store(false, Ordering::Relaxed);
    events.send(Event::Tick).await.unwrap_or_else(|_| panic!("it still runs"));
    while bench.gauges.judged_until.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    running.abort();
}

#[tokio::test]
async fn a_copy_counts_once_and_with_claims_off_twice() {
    for (window, counted) in [(3_600_000_000_000, 2), (0, 4)] {
        let (bench, mut corridor) = bench().await;
        corridor.claims = Claims::new(window, 10, []);
        for seq in 1..=2 {
            corridor.take(seq, batch(Some(HASH), 1)).await;
        }
        // Without a claim, as a report: every one counts.
        corridor.take(3, batch(None, 1)).await;
        let expected = if window == 0 { 3 } else { 2 };
        assert_eq!(bench.counted().await, expected);
        assert!(corridor.flush().await);
        // What the next run knows.
        let kept = bench.store.claims(0, 10).await.unwrap();
        assert_eq!(kept.len(), usize::from(window > 0));
        corridor.claims = Claims::new(window, 10, kept);
        corridor.take(4, batch(Some(HASH), 1)).await;
        assert_eq!(bench.counted().await, counted);
    }
}
