//! From the bytes of a metrics request to the rows that are kept, through flushes and crashes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::decode::{self, Batch, Encoding, Limits, Signal};
use crate::rollup::measure::{DurationRow, Quantile};
use crate::rollup::stream::{self, Changes, Streams};
use crate::rollup::window::{Minute, Part};
use crate::signals::call::Class;
use crate::signals::observe::Rules;
use crate::signals::telemetry::Nanos;
use crate::store::{Detail, Settings, Store};
use crate::world::World;

const SECOND: Nanos = 1_000_000_000;
/// 2026-11-23, when the bodies were captured.
const NOW: Nanos = 1_795_446_500 * SECOND;

fn read(encoding: Encoding, body: &[u8], now: Nanos) -> decode::Decoded {
    let own = vec![("127.0.0.1".to_owned(), 14_318)];
    let rules = Arc::new(Rules { own_addresses: own, ..Rules::default() });
    decode::request(Signal::Metrics, encoding, body, now, &rules, &Limits::default()).expect("it can be read")
}

/// What a request alone comes to.
fn part_of(decoded: &decode::Decoded) -> Part {
    let mut streams = Streams::new(stream::Limits::default(), Changes::default());
    let mut part = Part::default();
    let deltas = streams.apply(decoded.batch.observations.points.clone(), decoded.batch.received_at);
    part.absorb(&decoded.batch.observations, decoded.batch.received_at);
    part.absorb_deltas(&deltas);
    part
}

fn captured(body: &[u8]) -> Part {
    let decoded = read(Encoding::Protobuf, body, NOW);
    assert_eq!(decoded.rejected.count, 0, "{}", decoded.rejected.message);
    part_of(&decoded)
}

fn counters(part: &Part) -> BTreeMap<String, f64> {
    let named = part.counters.iter().map(|((_, key), row)| {
        (format!("{} {:?} {}", key.series.metric, key.aspect, key.series.unit), row.sum)
    });
    named.collect()
}

/// (endpoint, peer, class) → calls.
fn calls(part: &Part) -> BTreeMap<(String, String, &'static str), u64> {
    let mut all = BTreeMap::new();
    for ((_, key), row) in &part.measured {
        for class in Class::ALL.into_iter().filter(|class| row.tally.unweighted[*class as usize] > 0) {
            let key = (key.endpoint.to_string(), key.peer.to_string(), class.name());
            *all.entry(key).or_insert(0) += row.tally.unweighted[class as usize];
        }
    }
    all
}

fn durations<'p>(part: &'p Part, metric: &str) -> Vec<&'p DurationRow> {
    part.durations.iter().filter(|((_, key), _)| &*key.series.metric == metric).map(|(_, row)| row).collect()
}

#[test]
fn the_python_sdks_counters_levels_and_histograms() {
    let part = captured(include_bytes!(
        "../../../tests/data/otlp/captured/py-sdk-1.45.2_metrics_cumulative_hist+exphist+updown.pb"
    ));
    assert_eq!(counters(&part), BTreeMap::from([("integ.calls Value {call}".to_owned(), 3.0)]));
    let exponential = durations(&part, "exp.duration");
    assert_eq!(exponential.iter().map(|row| (row.count(), row.estimated)).collect::<Vec<_>>(), [(6, false)]);
    assert!(matches!(exponential[0].quantile(1.0), Some(Quantile::About(28_000_000..=34_000_000))));
    let mut levels: Vec<(&str, bool, f64)> =
        part.gauges.iter().map(|((_, key), row)| (&*key.metric, key.additive, row.last)).collect();
    levels.sort_by(|a, b| a.0.cmp(b.0));
    assert_eq!(levels, [("integ.queue.depth", false, 12.0), ("ud", true, -2.0)]);
    let rows = durations(&part, "http.client.request.duration");
    let [row] = rows[..] else { panic!("one series, not {}", rows.len()) };
    // Of the five, one of 33 s lies beyond the last bound: it has no estimate.
    assert_eq!((row.count(), row.estimated, row.sum_us), (5, true, 33_223_000.0));
    assert!(matches!(row.quantile(0.5), Some(Quantile::About(_))));
    assert!(matches!(row.quantile(0.99), Some(Quantile::AtLeast(9_900_000..=10_000_000))));
    let key = ("GET *".to_owned(), "api.example.com".to_owned(), "ok");
    assert_eq!(calls(&part), BTreeMap::from([(key, 5)]));
    assert!(part.calls.is_empty(), "never added to what spans count");
}

#[test]
fn vanilla_python_in_its_old_names_is_calls_in_seconds() {
    let part =
        captured(include_bytes!("../../../tests/data/otlp/captured/py-0.66b2_auto_OLD-semconv_metrics.pb"));
    let client = durations(&part, "http.client.request.duration");
    // 34 ms and the like, not 34 s.
    let sum_us: f64 = client.iter().map(|row| row.sum_us).sum();
    assert!((54e3..1e6).contains(&sum_us), "{sum_us}");
    let calls = calls(&part);
    let of = |endpoint: &str, peer: &str, class| {
        calls.get(&(endpoint.to_owned(), peer.to_owned(), class)).copied().unwrap_or(0)
    };
    assert_eq!(of("GET *", "127.0.0.1", "ok"), 1);
    assert_eq!(of("GET *", "127.0.0.1", "server"), 2);
    assert_eq!(of("GET *", "", "ok"), 1, "httpx says no peer");
    assert_eq!(of("GET /users/{id}", "", "ok"), 2, "a server's route");
    assert!(part.calls.is_empty());
}

#[test]
fn node_in_stable_names_is_calls_without_those_to_us() {
    let part = captured(include_bytes!(
        "../../../tests/data/otlp/captured/node-0.223_auto_http-protobuf_metrics.pb"
    ));
    let calls = calls(&part);
    let outbound: u64 =
        calls.iter().filter(|((_, peer, _), _)| !peer.is_empty()).map(|(_, count)| count).sum();
    assert_eq!(outbound, 5, "the exporter's own request is none: {calls:?}");
    let refused = ("GET *".to_owned(), "127.0.0.1".to_owned(), "network");
    assert_eq!(calls.get(&refused), Some(&1), "{calls:?}");
    // Whoever says that the count began just now does not know when it began.
    assert!(counters(&part).iter().all(|(name, sum)| !name.starts_with("nodejs") || *sum == 0.0));
    assert!(part.gauges.len() > 10, "levels outside the vocabulary are kept");
}

/// One request of one stream of each kind, as the simulated process stands at `second`.
fn body(second: u64, restarted: u64) -> Vec<u8> {
    let time = (NOW as u64 / 1_000_000_000 + second) * 1_000_000_000;
    let start = (NOW as u64 / 1_000_000_000 + restarted) * 1_000_000_000 - 500_000_000;
    let since = second - restarted + 1;
    let at = |more: serde_json::Value| {
        let mut point = json!({"startTimeUnixNano": start.to_string(), "timeUnixNano": time.to_string()});
        point.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        point
    };
    let queue = json!([{"key": "integration.queue.name", "value": {"stringValue": "orders"}}]);
    let delta = json!({"startTimeUnixNano": (time - 1_000_000_000).to_string(), "timeUnixNano": time.to_string(), "asInt": second % 7});
    json!({"resourceMetrics": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeMetrics": [{"metrics": [
            {"name": "integration.queue.enqueued", "unit": "{message}", "sum": {
                "aggregationTemporality": 2, "isMonotonic": true,
                "dataPoints": [at(json!({"asInt": 3 * since, "attributes": queue}))]}},
            {"name": "delta", "sum": {"aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [delta]}},
            {"name": "http.client.request.duration", "unit": "s", "histogram": {
                "aggregationTemporality": 2, "dataPoints": [at(json!({
                    "count": 2 * since, "sum": since, "explicitBounds": [0.1, 1.0],
                    "bucketCounts": [since.to_string(), since.to_string(), "0"],
                    "attributes": [{"key": "http.request.method", "value": {"stringValue": "GET"}},
                        {"key": "server.address", "value": {"stringValue": "api.example"}},
                        {"key": "http.response.status_code", "value": {"intValue": "200"}}]}))]}},
            {"name": "wait", "unit": "ms", "exponentialHistogram": {
                "aggregationTemporality": 2, "dataPoints": [at(json!({
                    "count": since, "sum": since, "scale": 3, "positive": {"offset": 40, "bucketCounts": [since]}}))]}},
            {"name": "busy", "sum": {"aggregationTemporality": 1, "isMonotonic": false,
                "dataPoints": [at(json!({"asInt": 1}))]}},
        ]}]
    }]}).to_string().into_bytes()
}

/// Requests of a process that starts again now and then, some sent late and some twice.
fn requests(seed: u64) -> Vec<Batch> {
    let mut dice = seed;
    let mut roll = move |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let (mut restarted, mut bodies) = (0, Vec::new());
    for second in 1..40 {
        if roll(9) == 0 {
            restarted = second;
        }
        let at = bodies.len() as u64;
        bodies.push((at * 4 + roll(8), body(second, restarted)));
        if roll(5) == 0 {
            bodies.push((at * 4 + roll(20), body(second, restarted)));
        }
    }
    bodies.sort_by_key(|(place, _)| *place);
    let received = |at: usize| NOW + (60 + at as i64) * SECOND;
    bodies
        .into_iter()
        .enumerate()
        .map(|(at, (_, body))| {
            let decoded = read(Encoding::Json, &body, received(at));
            assert_eq!(decoded.rejected.count, 0, "{}", decoded.rejected.message);
            decoded.batch
        })
        .collect()
}

async fn rows(store: &Store) -> (Part, Changes) {
    let (from, to) = (Minute(Minute::of(NOW).0 - 5), Minute(Minute::of(NOW).0 + 10));
    let part = store.window(from, to, None, Detail::Measures).await.expect("it can be read");
    let calls = store.window(from, to, None, Detail::Full).await.expect("it can be read");
    assert!(calls.counters.is_empty() && calls.calls.is_empty(), "each detail reads its own");
    (part, store.streams(None).await.expect("they can be read"))
}

/// Absorbs what stands above the store's watermark, and flushes and crashes as `decide` says of each place.
async fn run(
    folder: &std::path::Path,
    batches: &[Batch],
    limits: stream::Limits,
    mut decide: impl FnMut(usize) -> (bool, bool),
) -> (Part, Changes) {
    loop {
        let store = Store::open(Settings::new(folder), &World::real()).await.expect("it opens");
        let done = store.watermark().await.expect("it has one") as usize;
        let mut streams = Streams::new(limits, store.streams(None).await.expect("they can be read"));
        let mut crashed = false;
        for (at, batch) in batches.iter().enumerate().skip(done) {
            let mut batch = batch.clone();
            let points = std::mem::take(&mut batch.observations.points);
            let deltas = streams.apply(points, batch.received_at);
            store.absorb_with(at as u64 + 1, batch, deltas);
            let (flush, crash) = decide(at);
            if flush {
                store.flush(&[], NOW).await.expect("it is written");
            }
            if crash {
                crashed = true;
                break;
            }
        }
        if !crashed {
            let hot = rows(&store).await;
            store.flush(&[], NOW).await.expect("it is written");
            let cold = rows(&store).await;
            assert_eq!(hot, cold, "memory and catalog are one");
            store.close().await;
            return cold;
        }
        store.close().await;
    }
}

#[tokio::test]
async fn any_flushes_and_crashes_give_the_same_rows_and_streams() {
    for seed in 0..8u64 {
        let batches = requests(seed);
        // The second half with room for fewer streams than there are.
        let limits = stream::Limits { streams: if seed < 4 { 100 } else { 3 }, ..stream::Limits::default() };
        let whole = tempfile::tempdir().expect("a folder");
        let wanted = run(whole.path(), &batches, limits, |_| (false, false)).await;
        assert!(
            wanted.0.counters.len() >= 2 && wanted.0.durations.len() >= 2 && !wanted.0.measured.is_empty()
        );
        let pieces = tempfile::tempdir().expect("a folder");
        let (mut dice, mut crashes) = (seed ^ 0xabcd, 0);
        let kept = run(pieces.path(), &batches, limits, |_| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let flush = (dice >> 33) % 4 == 0;
            let crash = (dice >> 40) % 7 == 0 && crashes < 12;
            crashes += u64::from(crash);
            (flush, crash)
        })
        .await;
        assert!(crashes > 0, "seed {seed}");
        assert_eq!(kept, wanted, "seed {seed}");
    }
}
