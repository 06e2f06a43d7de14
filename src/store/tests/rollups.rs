use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Place;
use super::fixtures::{Dice, NOON, anything, calls, run, series};
use crate::decode::Batch;
use crate::rollup::window::{MINUTE, Minute, Part};
use crate::signals::call::Class;
use crate::signals::observation::{IntegrationInfo, IntegrationKey, Observations};
use crate::store::{Detail, Store};

async fn everything(store: &Store) -> Part {
    let window = store.window(Minute(i64::MIN), Minute(i64::MAX), None, Detail::Full).await.unwrap();
    let states = store.states().await.unwrap();
    assert!(window.slots.is_empty() && states.calls.is_empty(), "each read gives its own half");
    Part { calls: window.calls, facets: window.facets, gauges: window.gauges, ..states }
}

/// Any order of batches, skips, flushes and restarts: what is read is always the sum of what was absorbed.
pub async fn hot_and_cold_are_one<P: Place>() {
    for seed in 0..12 {
        let place = P::new();
        let mut store = place.open().await.unwrap();
        let dice = &mut Dice(seed);
        let (mut model, mut flushed, mut seq) = (Part::default(), 0, 0);
        let mut log: Vec<(u64, Batch)> = Vec::new();
        for step in 0..30 {
            match dice.roll(10) {
                0..=5 => {
                    seq += 1 + dice.roll(3);
                    let batch = anything(seed * 1000 + step);
                    model.absorb(&batch.observations, batch.received_at);
                    log.push((seq, batch.clone()));
                    store.absorb(seq, batch);
                }
                6 => {
                    seq += 1;
                    store.skip(seq);
                }
                7..=8 => {
                    store.flush(&[], NOON).await.unwrap();
                    flushed = seq;
                    assert_eq!(store.watermark().await.unwrap(), flushed);
                }
                _ => {
                    store.close().await;
                    store = place.open().await.unwrap();
                    for (at, batch) in log.iter().filter(|(at, _)| *at > flushed) {
                        store.absorb(*at, batch.clone());
                    }
                    store.skip(seq);
                }
            }
            assert_eq!(everything(&store).await, model, "seed {seed} step {step}");
        }
        store.close().await;
    }
}

/// Reads that run beside absorbs and flushes see each sequence number exactly once.
pub async fn a_read_beside_flushes_never_gaps_nor_doubles<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let absorbed = Arc::new(AtomicU64::new(0));
    let writer = tokio::spawn({
        let (store, absorbed) = (store.clone(), absorbed.clone());
        async move {
            for seq in 1..=150 {
                store.absorb(seq, calls("stripe", &[NOON]));
                absorbed.store(seq, Ordering::SeqCst);
                if seq % 2 == 0 {
                    store.flush(&[], NOON).await.unwrap();
                }
            }
        }
    });
    let mut reads = 0;
    while !writer.is_finished() || reads == 0 {
        let least = absorbed.load(Ordering::SeqCst);
        let part = store.window(Minute(0), Minute(i64::MAX), None, Detail::Full).await.unwrap();
        // One more may be in the store before it is in the count.
        let most = absorbed.load(Ordering::SeqCst) + 1;
        let seen: u64 = part.calls.values().map(|row| row.tally.unweighted[Class::Ok as usize]).sum();
        assert!((least..=most).contains(&seen), "{least} <= {seen} <= {most}");
        reads += 1;
    }
    writer.await.unwrap();
    store.close().await;
}

pub async fn a_window_is_cut_by_time_and_scope<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let noon = Minute::of(NOON);
    for (seq, name) in [(1, "stripe"), (2, "hubspot")] {
        store.absorb(seq, calls(name, &[NOON, NOON + MINUTE, NOON + 2 * MINUTE]));
    }
    for cold in [false, true] {
        if cold {
            store.flush(&[], NOON).await.unwrap();
        }
        let rows = async |from: i64, to: i64, integration| {
            let part =
                store.window(Minute(noon.0 + from), Minute(noon.0 + to), integration, Detail::Full).await;
            part.unwrap().calls.len()
        };
        assert_eq!(rows(0, 3, None).await, 6);
        assert_eq!(rows(1, 2, None).await, 2, "to is exclusive");
        assert_eq!(rows(3, 9, None).await, 0);
        assert_eq!(rows(0, 3, Some("stripe")).await, 3);
        assert_eq!(rows(0, 3, Some("production")).await, 0);
    }
    store.close().await;
}

pub async fn counts_leave_histograms_out<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let key = (Minute::of(NOON), Arc::new(series("stripe", "GET /v1/charges")));
    for seq in 1..=2 {
        store.absorb(seq, calls("stripe", &[NOON, NOON]));
        let part = store.window(Minute(0), Minute(i64::MAX), None, Detail::Counts).await.unwrap();
        assert_eq!(part.calls[&key].tally.attempts[Class::Ok as usize], 2.0 * seq as f64);
        assert_eq!(part.calls[&key].good.count(), 0);
        store.flush(&[], NOON).await.unwrap();
    }
    let part = store.window(Minute(0), Minute(i64::MAX), None, Detail::Counts).await.unwrap();
    assert_eq!((part.calls[&key].tally.attempts[0], part.calls[&key].good.count()), (4.0, 0));
    store.close().await;
}

pub async fn names_of_any_kind_survive<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let names =
        ["", "'; DROP TABLE series; --", "\"quoted\"", "a\\b", "Größe 🚀", "nul\0inside", "[1]", "null", "7"];
    let mut model = Part::default();
    for (seq, name) in (1..).zip(names) {
        let key = IntegrationKey { environment: name.into(), name: name.into() };
        let mut batch = calls(name, &[NOON]);
        batch.observations.integrations.push(IntegrationInfo {
            key: key.clone(),
            source: name.into(),
            destination: name.into(),
            owner: name.into(),
            tier: name.into(),
            version: name.into(),
        });
        let mut slot = super::fixtures::slot(name, NOON, Some(5));
        slot.integration = key.clone();
        batch.observations.slots.push(slot);
        batch.observations.runs.push(run(name, NOON));
        batch.observations.series[0].integration = key;
        model.absorb(&batch.observations, batch.received_at);
        store.absorb(seq, batch);
        // Each in a flush of its own, then all together: rows merge with what is there.
        store.flush(&[], NOON).await.unwrap();
    }
    let again = Observations {
        slots: vec![super::fixtures::slot("nul\0inside", NOON + 1, None)],
        ..Default::default()
    };
    model.absorb(&again, NOON);
    store.absorb(100, Batch { observations: again, received_at: NOON, ..Batch::default() });
    store.flush(&[], NOON).await.unwrap();
    assert_eq!(everything(&store).await, model);
    for name in names {
        let part = store.window(Minute(0), Minute(i64::MAX), Some(name), Detail::Full).await.unwrap();
        assert_eq!(part.calls.len(), 1, "{name:?}");
    }
    store.close().await;
}

pub async fn thousands_of_series_survive_two_flushes<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let mut batch = Batch { received_at: NOON, ..Batch::default() };
    let seen = &mut batch.observations;
    for n in 0..5000 {
        seen.series.push(series("stripe", &format!("GET /v1/{n}")));
        for at in 0..5 {
            let mut call = super::fixtures::call(n, NOON, Class::Ok, u64::from(n) * 100 + at * 1000);
            call.operation = u64::from(n) * 10 + at;
            seen.calls.push(call);
        }
    }
    store.absorb(1, batch.clone());
    store.flush(&[], NOON).await.unwrap();
    store.absorb(2, batch);
    store.flush(&[], NOON).await.unwrap();
    let part = store.window(Minute(0), Minute(i64::MAX), None, Detail::Full).await.unwrap();
    assert_eq!(part.calls.len(), 5000);
    assert!(part.calls.values().all(|row| row.good.count() == 10), "both flushes, merged");
    store.close().await;
}

pub async fn a_job_with_many_runs_gives_the_latest<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let mut seen = Observations::default();
    seen.runs.push(run("yearly", NOON));
    seen.runs.extend((0..600).map(|n| run("heartbeat", NOON + n)));
    store.absorb(1, Batch { observations: seen, received_at: NOON, ..Batch::default() });
    store.flush(&[], NOON).await.unwrap();
    let runs = store.states().await.unwrap().runs;
    assert_eq!((runs.len(), &*runs[0].name), (501, "yearly"));
    assert_eq!((runs[1].time, runs[500].time), (NOON + 100, NOON + 599));
    store.close().await;
}
