use super::Place;
use super::fixtures::NOON;
use crate::decode::Batch;
use crate::rollup::ledger::{RecordKey, Way};
use crate::rollup::window::Map;
use crate::signals::fact::{Fact, Hop, RecordHop, Said};
use crate::signals::observation::{IntegrationKey, Observations};
use crate::store::Store;

const HOUR: i64 = 3_600_000_000_000;

fn told(hops: &[(&str, Hop, i64)]) -> Batch {
    let fact = |(record, hop, time): &(&str, Hop, i64)| {
        let trace = [*hop as u8 + 1; 16];
        let hop = RecordHop { key_hash: (*record).into(), hop: *hop, entity: "order".into(), trace };
        let integration = IntegrationKey { environment: "production".into(), name: "shop".into() };
        Fact { integration, time: *time, said: Said::Hop(hop) }
    };
    let observations = Observations { facts: hops.iter().map(fact).collect(), ..Observations::default() };
    Batch { observations, received_at: NOON, ..Batch::default() }
}

async fn all(store: &Store, name: Option<&str>) -> Map<RecordKey, Way> {
    let mut all = Map::default();
    store
        .ledger(name, 0, |key, way| {
            assert!(all.insert(key, way).is_none(), "a record is one row");
        })
        .await
        .unwrap();
    all
}

pub async fn a_record_that_is_replayed_is_counted_once_and_its_first_times_stand<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let first = [("a", Hop::Received, NOON), ("b", Hop::Received, NOON + 1), ("a", Hop::Written, NOON + 9)];
    store.absorb(1, told(&first));
    store.flush(&[], NOON).await.unwrap();
    // Not flushed: a crash takes it from memory, and it is replayed.
    store.absorb(2, told(&[("a", Hop::Received, NOON - 5), ("b", Hop::Queued, NOON + 3)]));
    store.close().await;
    drop(store);
    let store = place.open().await.unwrap();
    store.absorb(2, told(&[("a", Hop::Received, NOON - 5), ("b", Hop::Queued, NOON + 3)]));
    store.absorb(3, told(&first));
    store.flush(&[], NOON).await.unwrap();
    let found = all(&store, Some("shop")).await;
    let mut ways: Vec<(&str, Way)> = found.iter().map(|(key, way)| (&*key.record, *way)).collect();
    ways.sort_by_key(|(record, _)| *record);
    let trace = |hop: Hop| u128::from_be_bytes([hop as u8 + 1; 16]);
    let a = Way {
        hops: [Some(NOON - 5), None, None, Some(NOON + 9), None],
        told: Some((NOON + 9, trace(Hop::Written))),
    };
    let b = Way {
        hops: [Some(NOON + 1), Some(NOON + 3), None, None, None],
        told: Some((NOON + 3, trace(Hop::Queued))),
    };
    assert_eq!(ways, [("a", a), ("b", b)]);
    assert!(found.keys().all(|key| &*key.entity == "order"));
    assert!(all(&store, Some("other")).await.is_empty());
    store.close().await;
}

pub async fn records_go_a_day_after_their_first_hop<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.absorb(1, told(&[("old", Hop::Received, NOON), ("new", Hop::Received, NOON + 20 * HOUR)]));
    store.flush(&[], NOON).await.unwrap();
    assert_eq!(all(&store, None).await.len(), 2);
    store.absorb(2, told(&[("newer", Hop::Received, NOON + 30 * HOUR)]));
    store.flush(&[], NOON).await.unwrap();
    let mut left: Vec<String> = all(&store, None).await.keys().map(|key| key.record.to_string()).collect();
    left.sort();
    assert_eq!(left, ["new", "newer"]);
    store.close().await;
}
