use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Place;
use super::fixtures::{Dice, NOON, anything, calls};
use crate::rollup::series::Merge;
use crate::rollup::window::{Minute, Part};
use crate::signals::call::Class;
use crate::store::{Detail, Store};

fn merged(parts: &[Arc<Part>]) -> Part {
    let mut whole = Part::default();
    parts.iter().for_each(|part| whole.merge(part));
    whole
}

/// What is kept in memory is at every step what the catalog would have given, late calls included.
async fn is_what_windows_give(store: &Store, back: i64, what: &str) {
    let noon = Minute::of(NOON).0;
    // To the end of a half hour: half hours are given whole.
    let (hour, day, to) =
        (Minute(noon + 1 - back), Minute((noon - 30).div_euclid(30) * 30), Minute(noon + 30));
    let lately = store.lately(hour, day, to).await.unwrap();
    let minutes = store.window(hour, to, None, Detail::Full).await.unwrap();
    assert_eq!(merged(&lately.minutes), Part { facets: Default::default(), ..minutes }, "{what}: minutes");
    let half_hours = store.window(day, to, None, Detail::HalfHours).await.unwrap();
    let at_half = half_hours.calls.keys().all(|(minute, _)| minute.0 % 30 == 0);
    assert!(at_half && half_hours.facets.is_empty());
    let counted =
        |part: &Part| part.calls.values().map(|row| row.tally.unweighted.iter().sum::<u64>()).sum::<u64>();
    let by_minute = store.window(day, to, None, Detail::Counts).await.unwrap();
    assert_eq!(counted(&half_hours), counted(&by_minute), "{what}: counts");
    assert_eq!(merged(&lately.half_hours), half_hours, "{what}: half hours");
    let states = store.states().await.unwrap();
    assert_eq!(lately.states.runs.is_empty(), states.runs.is_empty(), "{what}: jobs");
    let (ours, theirs) =
        (Part { runs: Vec::new(), ..Part::clone(&lately.states) }, Part { runs: Vec::new(), ..states });
    assert_eq!(ours, theirs, "{what}: states");
}

pub async fn what_is_kept_is_what_the_catalog_has<P: Place>() {
    for seed in 0..8 {
        let place = P::new();
        let store = place.open().await.unwrap();
        let dice = &mut Dice(seed);
        let mut seq = 0;
        for step in 0..25 {
            match dice.roll(8) {
                0..=4 => {
                    seq += 1 + dice.roll(3);
                    store.absorb(seq, anything(seed * 1000 + step));
                }
                5..=6 => drop(store.flush(&[], NOON).await.unwrap()),
                _ => {}
            }
            // Now and then by somebody who looks further back than what is kept.
            let back = if dice.roll(6) == 0 { 60 + step as i64 } else { 1 };
            is_what_windows_give(&store, back, &format!("seed {seed} step {step}")).await;
        }
        store.close().await;
    }
}

pub async fn filling_it_beside_flushes_never_gaps_nor_doubles<P: Place>() {
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
    let noon = Minute::of(NOON);
    let mut reads = 0;
    while !writer.is_finished() || reads == 0 {
        let least = absorbed.load(Ordering::SeqCst);
        // Every third read looks further back than all before it, so that the catalog is read again.
        let back = 60 + reads / 3 * 20;
        let lately =
            store.lately(Minute(noon.0 - back), Minute(noon.0 - back), Minute(noon.0 + 1)).await.unwrap();
        let most = absorbed.load(Ordering::SeqCst) + 1;
        for parts in [&lately.minutes, &lately.half_hours] {
            let seen: u64 =
                merged(parts).calls.values().map(|row| row.tally.unweighted[Class::Ok as usize]).sum();
            assert!((least..=most).contains(&seen), "read {reads}: {least} <= {seen} <= {most}");
        }
        reads += 1;
    }
    writer.await.unwrap();
    store.close().await;
}
