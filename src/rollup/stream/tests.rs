//! Streams against processes whose every increment is known.

use proptest::prelude::*;

use super::*;
use crate::rollup::series::Merge;
use crate::rollup::window::Part;
use crate::signals::measure::{
    Aspect, Buckets, CounterKey, DurationKey, Histogram, Reading, SeriesKey, Target,
};
use crate::signals::observation::GaugeKey;
use crate::signals::telemetry::Temporality::{Cumulative, Delta};

const SECOND: Nanos = 1_000_000_000;
const NOON: Nanos = 1_764_072_000 * SECOND;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn series(integration: &str, metric: &str) -> SeriesKey {
    SeriesKey {
        integration: IntegrationKey { environment: "default".into(), name: integration.into() },
        metric: metric.into(),
        unit: "1".into(),
        attributes: Vec::new(),
    }
}

fn measured(stream: u128, target: Target, start: Nanos, time: Nanos, reading: Reading) -> Measured {
    Measured { stream, target, start, time, at: time, reading, calls: None }
}

fn sum(
    stream: u128,
    integration: &str,
    start: Nanos,
    time: Nanos,
    value: f64,
    t: crate::signals::telemetry::Temporality,
) -> Measured {
    let key = CounterKey { series: series(integration, &format!("m{stream}")), aspect: Aspect::Value };
    measured(stream, Target::Counter(key), start, time, Reading::Sum(value, t))
}

/// What was added to each metric, and to each metric's durations: (count, sum).
fn totals(part: &Part) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for ((_, key), row) in &part.counters {
        *all.entry(key.series.metric.to_string()).or_insert(0.0) += row.sum;
    }
    for ((_, key), row) in &part.durations {
        *all.entry(format!("{} count", key.series.metric)).or_insert(0.0) += row.count() as f64;
        *all.entry(format!("{} sum", key.series.metric)).or_insert(0.0) += row.sum_us;
    }
    all.retain(|_, total| *total != 0.0);
    all
}

/// Requests from simulated processes, delivered late, twice, out of order or not at all; and what they must come to.
///
/// The reference knows each process' increments. A delta stream must come to what its distinct exports held. A
/// cumulative process must come to what it held at the latest of its exports that was delivered, less what it held
/// at the first one to arrive where it does not say when it began.
fn simulate(seed: u64) -> (Vec<Vec<Measured>>, BTreeMap<String, f64>) {
    let dice = &mut Dice(seed);
    let mut points: Vec<(u64, Measured)> = Vec::new();
    let mut wanted: BTreeMap<String, f64> = BTreeMap::new();
    for stream in 0..1 + u128::from(dice.roll(5)) {
        let kind = dice.roll(4);
        let mut began = NOON - (100 + dice.roll(50) as i64) * SECOND;
        // A stream of unknown start has one process: two could not be told apart.
        let unknown = dice.roll(4) == 0 && kind % 2 == 1;
        for process in 0..if unknown { 1 } else { 1 + dice.roll(3) as i64 } {
            // The next process begins after this one, or beside it.
            began += (1 + dice.roll(60) as i64) * SECOND + process;
            let exports = one_process(dice, kind, began);
            // Delivered in which order, and which of them: the place in the arrival order, ties by chance.
            let mut delivered: Vec<(u64, usize)> = Vec::new();
            for at in 0..exports.len() {
                for _ in 0..[0, 1, 1, 1, 1, 2][dice.roll(6) as usize] {
                    delivered.push((at as u64 * 10 + dice.roll(40), at));
                }
            }
            delivered.sort_unstable();
            let arrived: Vec<&Export> = delivered.iter().map(|(_, at)| &exports[*at]).collect();
            for (place, at) in &delivered {
                let export = &exports[*at];
                let start = if unknown {
                    0
                } else if kind.is_multiple_of(2) {
                    export.from
                } else {
                    began
                };
                points.push((*place, export.point(stream, kind, start)));
            }
            expect(&mut wanted, stream, kind, unknown, &arrived);
        }
    }
    // Interleaved by place; equal places in an order of chance that is the same for the same seed.
    points.sort_by_key(|(place, _)| *place);
    let mut requests: Vec<Vec<Measured>> = Vec::new();
    for (_, point) in points {
        match requests.last_mut() {
            Some(request) if dice.roll(2) == 0 => request.push(point),
            _ => requests.push(vec![point]),
        }
    }
    wanted.retain(|_, total| *total != 0.0);
    (requests, wanted)
}

/// One export: what was added since the last, and all so far, in three buckets.
#[derive(Clone, Debug, PartialEq)]
struct Export {
    from: Nanos,
    time: Nanos,
    added: [u64; 3],
    all: [u64; 3],
    scale: i32,
}

fn one_process(dice: &mut Dice, kind: u64, began: Nanos) -> Vec<Export> {
    let (mut time, mut all, mut scale) = (began, [0; 3], 4);
    let mut exports = Vec::new();
    for _ in 0..1 + dice.roll(4) {
        let from = time;
        time += (1 + dice.roll(10) as i64) * SECOND;
        let added = [dice.roll(5), dice.roll(5), dice.roll(3)];
        (0..3).for_each(|at| all[at] += added[at]);
        // An exponential histogram only ever lowers its scale.
        scale -= i32::from(kind == 3 && dice.roll(3) == 0);
        exports.push(Export { from, time, added, all, scale });
    }
    exports
}

impl Export {
    fn point(&self, stream: u128, kind: u64, start: Nanos) -> Measured {
        let (held, temporality) =
            if kind.is_multiple_of(2) { (self.added, Delta) } else { (self.all, Cumulative) };
        if kind < 2 {
            let value = held.iter().sum::<u64>() as f64;
            return sum(stream, "shop", start, self.time, value, temporality);
        }
        let buckets = match kind {
            2 => Buckets::Explicit { bounds: vec![0.1, 0.2], counts: held.to_vec() },
            // Finest at scale 4: indexes 0, 20 and 40 there are index >> n at a scale lower by n.
            _ => {
                let index = |at: i32| at >> (4 - self.scale).min(31);
                let mut buckets: Vec<(i32, u64)> = Vec::new();
                for (at, count) in [0, 20, 40].into_iter().zip(held).filter(|(_, count)| *count > 0) {
                    match buckets.last_mut() {
                        Some((last, sum)) if *last == index(at) => *sum += count,
                        _ => buckets.push((index(at), count)),
                    }
                }
                Buckets::Exponential { scale: self.scale, zero_threshold: 0.0, zero: 0, buckets }
            }
        };
        let count = held.iter().sum();
        let histogram = Histogram { count, sum: count as f64, min: None, max: None, buckets };
        let target = Target::Durations(DurationKey { series: series("shop", &format!("m{stream}")) }, 1e6);
        measured(stream, target, start, self.time, Reading::Histogram(histogram, temporality))
    }
}

fn expect(wanted: &mut BTreeMap<String, f64>, stream: u128, kind: u64, unknown: bool, arrived: &[&Export]) {
    let total = |held: [u64; 3]| held.iter().sum::<u64>() as f64;
    let come_to = if kind.is_multiple_of(2) {
        let mut distinct: Vec<&&Export> = Vec::new();
        for export in arrived {
            if !distinct.iter().any(|known| known.time == export.time) {
                distinct.push(export);
            }
        }
        distinct.iter().map(|export| total(export.added)).sum()
    } else {
        let latest = arrived.iter().max_by_key(|export| export.time);
        let baseline = arrived.first().filter(|_| unknown).map_or(0.0, |first| total(first.all));
        latest.map_or(0.0, |latest| total(latest.all) - baseline)
    };
    if kind < 2 {
        *wanted.entry(format!("m{stream}")).or_insert(0.0) += come_to;
    } else {
        *wanted.entry(format!("m{stream} count")).or_insert(0.0) += come_to;
        *wanted.entry(format!("m{stream} sum")).or_insert(0.0) += come_to * 1e6;
    }
}

/// Kept as the catalog keeps it.
fn through_bytes(changes: &Changes) -> Changes {
    let again = |stream: &Stream| {
        let whose = &stream.integration;
        encode::decode(&whose.environment, &whose.name, &encode::encode(stream))
            .expect("what was written is read")
    };
    let streams = changes.streams.iter().map(|(id, stream)| (*id, stream.as_ref().map(again))).collect();
    Changes { streams, floors: changes.floors.clone() }
}

/// When a request arrived: after all that it and those before it tell.
fn received(requests: &[Vec<Measured>], at: usize) -> Nanos {
    let times = requests.iter().take(at + 1).flatten().map(|point| point.time);
    times.max().unwrap_or(NOON) + SECOND
}

fn straight(requests: &[Vec<Measured>], limits: Limits) -> (Part, Changes, u64) {
    let mut streams = Streams::new(limits, Changes::default());
    let (mut part, mut kept, mut notices) = (Part::default(), Changes::default(), 0);
    for (at, request) in requests.iter().enumerate() {
        let deltas = streams.apply(request.clone(), received(requests, at));
        part.absorb_deltas(&deltas);
        notices += deltas.notices.iter().map(|(_, count)| count).sum::<u64>();
        kept.extend(deltas.changes);
    }
    kept.streams.retain(|_, stream| stream.is_some());
    (part, kept, notices)
}

/// What cumulative points come to, walked start by start: of each process those that are later than all before them,
/// each less the one before it, or whole where it is lower.
fn walked(points: &[(i64, i64, u64)], oldest: i64) -> f64 {
    let mut total = 0;
    let starts: std::collections::BTreeSet<i64> = points.iter().map(|(start, ..)| *start).collect();
    for begin in starts {
        let mut told: Vec<(i64, u64)> = Vec::new();
        for (_, time, value) in points.iter().filter(|(start, ..)| *start == begin) {
            if told.iter().all(|(earlier, _)| earlier < time) {
                told.push((*time, *value));
            }
        }
        let (first, held) = told[0];
        let known = begin > 0 && begin < first && begin >= oldest;
        total += if known { held } else { 0 };
        let steps = told.windows(2).map(|pair| (pair[0].1, pair[1].1));
        total +=
            steps.map(|(before, after)| if after >= before { after - before } else { after }).sum::<u64>();
    }
    total as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn cumulative_points_in_any_order_come_to_what_a_walk_gives(
        points in prop::collection::vec((0i64..7, 1i64..12, 0u64..20), 1..40),
    ) {
        // Starts 0 (unknown), before all that is kept, before, among and after the times.
        let oldest = NOON - RETENTION;
        let starts = [0, oldest - 1, oldest, NOON - 5, NOON + 3, NOON + 7, NOON + 20];
        let points: Vec<(i64, i64, u64)> = points.into_iter()
            .map(|(start, time, value)| (starts[start as usize], NOON + time, value)).collect();
        let mut streams = Streams::new(Limits::default(), Changes::default());
        let mut part = Part::default();
        for (start, time, value) in &points {
            let point = sum(1, "shop", *start, *time, *value as f64, Cumulative);
            part.absorb_deltas(&streams.apply(vec![point], NOON));
        }
        prop_assert_eq!(totals(&part).get("m1").copied().unwrap_or(0.0), walked(&points, oldest));
    }

    #[test]
    fn what_is_counted_is_what_the_processes_did(seed in any::<u64>()) {
        let (requests, wanted) = simulate(seed);
        let (part, ..) = straight(&requests, Limits::default());
        prop_assert_eq!(totals(&part), wanted);
    }

    #[test]
    fn flushes_and_crashes_at_any_point_give_the_same_rows_and_streams(seed in any::<u64>(), few in any::<bool>()) {
        let (requests, _) = simulate(seed);
        let limits = if few { Limits { streams: 2, ..Limits::default() } } else { Limits::default() };
        let (wanted, streams_wanted, _) = straight(&requests, limits);
        let dice = &mut Dice(seed ^ 0x5eed);
        let (mut committed, mut kept) = (Part::default(), Changes::default());
        let mut streams = Streams::new(limits, Changes::default());
        let (mut pending, mut changes) = (Part::default(), Changes::default());
        let (mut at, mut flushed, mut crashes) = (0, 0, 0);
        loop {
            let at_end = at == requests.len();
            if at_end || dice.roll(3) == 0 {
                committed.merge(&std::mem::take(&mut pending));
                kept.extend(through_bytes(&std::mem::take(&mut changes)));
                kept.streams.retain(|_, stream| stream.is_some());
                flushed = at;
            } else if dice.roll(5) == 0 && crashes < 20 {
                crashes += 1;
                (pending, changes, at) = (Part::default(), Changes::default(), flushed);
                streams = Streams::new(limits, through_bytes(&kept));
            }
            let Some(request) = requests.get(at) else {
                if at_end { break } else { continue }
            };
            let deltas = streams.apply(request.clone(), received(&requests, at));
            pending.absorb_deltas(&deltas);
            changes.extend(deltas.changes);
            at += 1;
        }
        prop_assert_eq!(committed, wanted);
        prop_assert_eq!(kept, streams_wanted);
    }

    #[test]
    fn however_few_streams_are_remembered_nothing_is_counted_twice(seed in any::<u64>()) {
        let (requests, wanted) = simulate(seed);
        // Delta streams count what they cannot tell from a copy; a process that says when it began never does.
        let cumulative = |point: &Measured| matches!(
            point.reading, Reading::Sum(_, Cumulative) | Reading::Histogram(_, Cumulative)
        );
        let requests: Vec<Vec<Measured>> = requests.into_iter()
            .map(|request| request.into_iter().filter(cumulative).collect()).collect();
        let (part, kept, _) = straight(&requests, Limits { streams: 1, ..Limits::default() });
        prop_assert!(kept.streams.len() <= 1);
        for (name, total) in totals(&part) {
            prop_assert!(total <= wanted.get(&name).copied().unwrap_or(0.0), "{name}: {total}, {wanted:?}");
        }
    }

    #[test]
    fn rows_merge_in_any_partition_and_order(seed in any::<u64>()) {
        let (requests, _) = simulate(seed);
        let mut streams = Streams::new(Limits::default(), Changes::default());
        let parts: Vec<Part> = requests.iter().map(|request| {
            let mut part = Part::default();
            part.absorb_deltas(&streams.apply(request.clone(), NOON));
            part
        }).collect();
        let merged = |parts: &[&Part]| parts.iter().fold(Part::default(), |mut sum, part| { sum.merge(part); sum });
        let whole = merged(&parts.iter().collect::<Vec<_>>());
        let dice = &mut Dice(seed);
        let (left, right): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|_| dice.roll(2) == 0);
        prop_assert_eq!(merged(&[&merged(&right), &merged(&left)]), whole.clone());
        prop_assert_eq!(merged(&[&Part::default(), &whole]), whole);
    }
}

#[test]
fn one_integration_cannot_push_out_the_streams_of_another() {
    let limits = Limits { streams: 10, per_integration: 8, ..Limits::default() };
    let mut streams = Streams::new(limits, Changes::default());
    streams.apply(vec![sum(1, "quiet", NOON - SECOND, NOON, 5.0, Cumulative)], NOON);
    for stream in 100..200 {
        let deltas = streams.apply(vec![sum(stream, "flood", NOON - SECOND, NOON, 1.0, Cumulative)], NOON);
        assert_eq!(
            deltas.changes.streams.values().filter(|one| one.is_none()).count(),
            usize::from(stream >= 108)
        );
    }
    assert_eq!(streams.len(), 9);
    let deltas = streams.apply(vec![sum(1, "quiet", NOON - SECOND, NOON + SECOND, 7.0, Cumulative)], NOON);
    assert_eq!(deltas.counters[0].2, 2.0, "still remembered");
    let later = NOON + SECOND;
    let deltas = streams.apply(vec![sum(100, "flood", NOON - SECOND, later, 9.0, Cumulative)], later);
    assert_eq!(deltas.counters[0].2, 0.0, "forgotten, so what it held may have been counted");
    assert!(deltas.notices.iter().any(|(name, _)| name.contains("unknown start")));
}

#[test]
fn many_numbers_are_a_limit_of_their_own() {
    let limits = Limits { numbers: 100, ..Limits::default() };
    let mut streams = Streams::new(limits, Changes::default());
    for stream in 0..50 {
        streams.apply(vec![sum(stream, "shop", NOON - SECOND, NOON, 5.0, Cumulative)], NOON);
    }
    assert!(streams.len() < 50 && !streams.is_empty(), "{}", streams.len());
}

#[test]
fn a_delta_updowncounter_is_a_level() {
    let key = GaugeKey {
        integration: series("shop", "q").integration,
        metric: "q".into(),
        unit: "".into(),
        attributes: Vec::new(),
        additive: true,
        reporter: 1,
    };
    let mut streams = Streams::new(Limits::default(), Changes::default());
    let mut levels = Vec::new();
    for (start, time, change) in [(0, 10, 5.0), (10, 20, -2.0), (10, 20, -2.0), (20, 30, 4.0), (5, 9, 1.0)] {
        let (start, time) = (NOON + start * SECOND, NOON + time * SECOND);
        let point = measured(1, Target::Level(key.clone()), start, time, Reading::Change(change));
        let deltas = streams.apply(vec![point], NOON);
        levels.extend(deltas.gauges.iter().map(|gauge| ((gauge.time - NOON) / SECOND, gauge.value)));
    }
    assert_eq!(levels, [(10, 5.0), (20, 3.0), (30, 7.0), (30, 8.0)]);
}

#[test]
fn a_stream_is_stale_after_three_intervals_and_never_before_two_minutes() {
    let mut streams = Streams::new(Limits::default(), Changes::default());
    let mut say = |seconds: i64, reading: Reading| {
        let target = sum(1, "shop", 0, 0, 0.0, Cumulative).target;
        let time = NOON + seconds * SECOND;
        let deltas = streams.apply(vec![measured(1, target, NOON - SECOND, time, reading)], time);
        deltas.changes.streams[&1].clone().expect("it is there")
    };
    let stale = |stream: &Stream, seconds: i64| stream.is_stale(NOON + seconds * SECOND);
    let first = say(0, Reading::Sum(1.0, Cumulative));
    assert!(!stale(&first, 120) && stale(&first, 121));
    say(10, Reading::Sum(1.0, Cumulative));
    let short = say(20, Reading::Sum(1.0, Cumulative));
    assert!(!stale(&short, 140) && stale(&short, 141));
    let gap = say(3_620, Reading::Sum(1.0, Cumulative));
    assert!(stale(&gap, 3_620 + 121), "one gap is not the interval");
    for each in 1..=9 {
        say(3_620 + 600 * each, Reading::Sum(1.0, Cumulative));
    }
    let long = say(3_620 + 6_000, Reading::Sum(1.0, Cumulative));
    assert!(!stale(&long, 3_620 + 6_000 + 1_800) && stale(&long, 3_620 + 6_000 + 1_801));
    let ended = say(3_620 + 6_010, Reading::End);
    assert!(stale(&ended, 3_620 + 6_010), "it said that it ended");
    let again = say(3_620 + 6_020, Reading::Sum(3.0, Cumulative));
    assert!(!stale(&again, 3_620 + 6_020));
}

/// The order that collector-contrib's delta-to-cumulative processor keeps (testdata/timestamps/1.test): gap accepted,
/// out of order dropped, older start dropped. As points of one cumulative stream they are judged the same; delta
/// points are counted in any order, since nothing cumulative is made of them.
#[test]
fn the_order_of_the_reference_holds_for_cumulative_points() {
    let deltas = [(1000, 1100), (1100, 1200), (1300, 1400), (1200, 1300), (500, 550)];
    let mut streams = Streams::new(Limits::default(), Changes::default());
    let mut counted = |stream, start, time, value, temporality| {
        let deltas =
            streams.apply(vec![sum(stream, "shop", NOON + start, NOON + time, value, temporality)], NOON);
        deltas.counters.first().map(|(_, _, value)| *value)
    };
    let cumulative = [(1000, 1100, 1.0), (1000, 1200, 2.0), (1000, 1400, 4.0), (1000, 1300, 3.0)];
    let verdicts = cumulative.map(|(start, time, value)| counted(1, start, time, value, Cumulative));
    assert_eq!(verdicts, [Some(1.0), Some(1.0), Some(2.0), None]);
    let verdicts = deltas.map(|(start, time)| counted(2, start, time, 1.0, Delta));
    assert_eq!(verdicts, [Some(1.0); 5]);
    let again = deltas.map(|(start, time)| counted(2, start, time, 1.0, Delta));
    assert_eq!(again, [None; 5], "each counts once");
}

/// The transcribed test data of that processor, where it lies beside the repository.
fn reference(name: &str) -> Option<String> {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/otlp/collector-contrib");
    std::fs::read_to_string(folder.join(name)).ok()
}

#[test]
fn the_references_own_order_is_what_we_hold_it_to_be() {
    let Some(text) = reference("deltatocumulative_timestamps_1.test") else { return };
    let points = text.lines().filter_map(|line| {
        let (times, verdict) = line.split_once(' ')?;
        let (start, time) = times.split_once(',')?;
        let accepted = verdict.trim().starts_with("accept");
        Some((start.parse::<i64>().ok()?, time.parse::<i64>().ok()?, accepted))
    });
    let points: Vec<(i64, i64, bool)> = points.collect();
    assert_eq!(points.len(), 5);
    // As one count that began where the first delta did; an older start is one that may have been counted before.
    let mut writers = writers::Writers { known: Vec::new(), forgotten: Some(NOON + 999) };
    let first = points[0].0;
    for (start, time, accepted) in points {
        let start = start.min(first);
        let (oldest, floor) = (NOON, None);
        let when = writers::When { start: NOON + start, time: NOON + time, received_at: NOON, oldest, floor };
        assert_eq!(writers.advance(when, time as f64).added.is_some(), accepted, "{start},{time}");
    }
}

#[test]
fn the_references_exponential_totals_are_the_sums_of_our_increments() {
    use super::total::Total;
    let Some(text) = reference("deltatocumulative_exponential_1.json") else { return };
    let data: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let read = |point: &serde_json::Value| {
        let positive = &point["pos"];
        let offset = positive["offset"].as_i64().expect("an offset") as i32;
        let counts =
            positive["counts"].as_array().expect("counts").iter().map(|n| n.as_u64().expect("a count"));
        let buckets: Vec<(i32, u64)> =
            counts.enumerate().map(|(at, n)| (offset + at as i32, n)).filter(|(_, n)| *n > 0).collect();
        let (zero, scale) =
            (point["zeroCount"].as_u64().expect("zeros"), point["scale"].as_i64().expect("a scale"));
        let count = zero + buckets.iter().map(|(_, n)| n).sum::<u64>();
        let buckets = Buckets::Exponential { scale: scale as i32, zero_threshold: 0.0, zero, buckets };
        Histogram { count, buckets, ..Histogram::default() }
    };
    let cases = data["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 2);
    for case in cases {
        let (first, second) = (read(&case["in"][0]), read(&case["in"][1]));
        assert_eq!(read(&case["out_t20"]).since(&first), Some(second), "{}", case["name"]);
    }
}
