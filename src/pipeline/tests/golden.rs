//! Bodies of real senders beside what another reader of the same bytes found in them: calls by endpoint and class, and
//! every duration. `tests/data/golden/` has one file for each body of spans in `tests/data/otlp/captured/`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::decode::{self, Encoding, Limits, Signal};
use crate::rollup::latency::Latency;
use crate::rollup::series::{CallsRow, Merge};
use crate::rollup::window::Part;
use crate::signals::call::Class;
use crate::signals::observation::{CallKey, Direction};
use crate::signals::telemetry::Nanos;

/// 2026-11-23, when the bodies were captured.
const NOW: Nanos = 1_795_446_500_000_000_000;

#[derive(Debug, Deserialize)]
struct Series {
    direction: Direction,
    peer: String,
    endpoint: String,
    /// Attempts by class.
    classes: BTreeMap<String, u64>,
    /// Durations of good attempts, ascending.
    good_us: Vec<u64>,
    /// Of the others.
    bad_us: Vec<u64>,
}

/// The calls of a body, all minutes together.
fn read(name: &str, encoding: Encoding, body: &[u8]) -> BTreeMap<(Direction, String, String), CallsRow> {
    let decoded = decode::request(Signal::Traces, encoding, body, NOW, &Arc::default(), &Limits::default());
    let batch = decoded.unwrap_or_else(|error| panic!("{name}: {error}")).batch;
    let mut part = Part::default();
    part.absorb(&batch.observations, NOW);
    let mut all: BTreeMap<_, CallsRow> = BTreeMap::new();
    for ((_, key), row) in &part.calls {
        let CallKey { direction, peer, endpoint, .. } = &**key;
        all.entry((*direction, peer.to_string(), endpoint.to_string())).or_default().merge(row);
    }
    all
}

/// Percentiles of ours beside those of the durations themselves: within 1 %, as `docs/metrics.md` promises.
fn assert_percentiles(what: &str, ours: &Latency, exact: &[u64]) {
    assert_eq!(ours.count(), exact.len() as u64, "{what}");
    for quantile in [0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
        let Some(found) = ours.quantile_us(quantile) else {
            assert!(exact.is_empty(), "{what}");
            continue;
        };
        let rank = ((exact.len() as f64 * quantile).ceil() as usize).max(1) - 1;
        let wanted = exact[rank] as f64;
        let error = (found as f64 - wanted).abs() / wanted;
        assert!(error <= 0.01, "{what}: p{} is {found} µs, not {wanted}", quantile * 100.0);
    }
}

#[test]
fn real_senders_come_to_the_calls_endpoints_and_percentiles_that_are_in_their_bytes() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let (mut bodies, mut calls) = (0, 0);
    for entry in std::fs::read_dir(data.join("golden")).unwrap() {
        let golden = entry.unwrap().path();
        let name = golden.file_stem().unwrap().to_string_lossy().into_owned();
        let wanted: Vec<Series> = serde_json::from_str(&std::fs::read_to_string(&golden).unwrap()).unwrap();
        let captured = |ending: &str| std::fs::read(data.join(format!("otlp/captured/{name}.{ending}")));
        let (encoding, body) = match captured("pb") {
            Ok(body) => (Encoding::Protobuf, body),
            Err(_) => (Encoding::Json, captured("json").unwrap_or_else(|error| panic!("{name}: {error}"))),
        };
        let mut ours = read(&name, encoding, &body);
        for series in wanted {
            let what = format!("{name}: {:?} {} {}", series.direction, series.peer, series.endpoint);
            let key = (series.direction, series.peer, series.endpoint);
            let row = ours
                .remove(&key)
                .unwrap_or_else(|| panic!("{what} is not there; there are {:?}", ours.keys()));
            let classes: BTreeMap<String, u64> = Class::ALL
                .into_iter()
                .map(|class| (class.name().to_owned(), row.tally.unweighted[class as usize]))
                .filter(|(_, count)| *count > 0)
                .collect();
            assert_eq!(classes, series.classes, "{what}");
            assert_percentiles(&format!("{what}, good"), &row.good, &series.good_us);
            assert_percentiles(&format!("{what}, bad"), &row.bad, &series.bad_us);
            calls += classes.values().sum::<u64>();
        }
        assert!(ours.is_empty(), "{name}: nobody else finds {:?}", ours.keys());
        bodies += 1;
    }
    assert!(bodies >= 6 && calls >= 80, "{bodies} bodies of {calls} calls: some are missing");
}
