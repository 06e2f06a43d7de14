use std::collections::BTreeSet;

use super::Place;
use super::fixtures::{NOON, integration};
use crate::decode::Batch;
use crate::decode::columns::SpanColumns;
use crate::rollup::errors::{EXEMPLARS, HOUR};
use crate::signals::change::{Change, What};
use crate::signals::failure::{ErrorGroup, ErrorKey, Failing, Row};
use crate::signals::observation::{IntegrationInfo, Observations};
use crate::signals::telemetry::Nanos;
use crate::store::pins::DAY;
use crate::store::query::errors::ErrorQuery;

fn everything() -> ErrorQuery {
    ErrorQuery { from_hour: 0, to_hour: i64::MAX / HOUR, limit: 100, ..ErrorQuery::default() }
}

/// A request of failing spans with these ids, each with a payload.
fn failing(ids: std::ops::Range<u64>, received_at: Nanos) -> Batch {
    let key = integration("shop");
    let text = String::new;
    let info = IntegrationInfo {
        key: key.clone(),
        source: text(),
        destination: text(),
        owner: text(),
        tier: text(),
        version: text(),
    };
    let mut group =
        ErrorGroup::new(0, ErrorKey::new(key, None, ("api.example", "GET /x"), "500", "no row 1"));
    let mut spans = SpanColumns::default();
    let name = spans.texts.add("integration.payload");
    for (row, id) in (0..).zip(ids) {
        let payload = spans.texts.add(&format!("{{\"code\":\"E-{id}\"}}"));
        spans.trace_id.push(u128::from(id / 3 + 1).to_be_bytes());
        spans.span_id.push((id + 1).to_be_bytes());
        spans.parent_span_id.push([0; 8]);
        for times in [&mut spans.start, &mut spans.end, &mut spans.received] {
            times.push(received_at);
        }
        for smalls in [&mut spans.kind, &mut spans.status, &mut spans.class] {
            smalls.push(2);
        }
        for texts in [&mut spans.status_message, &mut spans.name, &mut spans.environment] {
            texts.push(0);
        }
        for texts in [&mut spans.integration, &mut spans.peer, &mut spans.endpoint, &mut spans.scope] {
            texts.push(0);
        }
        spans.events.push(0);
        spans.links.push(0);
        spans.attributes.push([(name, payload)].into_iter());
        if row == 0 {
            spans.resources.push([].into_iter());
        }
        spans.resource.push(0);
        group.add(Failing { time: received_at, row: Row::Span(row) }, &format!("no row {id}"), "1.0");
    }
    let observations =
        Observations { integrations: vec![info], errors: vec![group], ..Observations::default() };
    Batch { received_at, observations, spans, ..Batch::default() }
}

pub async fn all_failures_are_counted_and_twenty_a_day_are_kept_whole<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    for seq in 1..=5 {
        store.absorb(seq, failing(seq * 7..seq * 7 + 7, NOON));
        if seq % 2 == 1 {
            store.flush(&[], NOON).await.unwrap();
        }
    }
    store.absorb(6, failing(1_000..1_003, NOON + DAY));
    store.flush(&[], NOON).await.unwrap();
    let groups = store.errors(&everything()).await.unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!((groups[0].failures, groups[0].exemplars), (38, EXEMPLARS as u64 + 3));
    assert_eq!((&*groups[0].message, &*groups[0].said), ("no row {n}", "no row 1002"));
    assert_eq!((groups[0].first_seen, &*groups[0].first_version), (NOON, "1.0"));
    let pins = store.pins(&groups[0].fingerprint, 100).await.unwrap();
    let first_day: BTreeSet<&str> =
        pins.iter().filter(|pin| pin.at == NOON).map(|pin| &*pin.payload).collect();
    let wanted: BTreeSet<String> = (7..27).map(|id| format!("{{\"code\":\"E-{id}\"}}")).collect();
    assert_eq!(first_day, wanted.iter().map(String::as_str).collect(), "the first of the day");
    let beside = pins.iter().map(|pin| pin.content.trace.len()).max();
    assert_eq!(beside, Some(2), "the other spans of its trace");
    let hours = store.error_hours(&groups[0].fingerprint, 0, i64::MAX).await.unwrap();
    assert_eq!(hours, [(NOON / HOUR, 35), (NOON / HOUR + 24, 3)]);
}

pub async fn what_is_replayed_after_a_crash_is_counted_and_kept_once<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.absorb(1, failing(0..15, NOON));
    store.flush(&[], NOON).await.unwrap();
    store.absorb(2, failing(15..30, NOON));
    store.close().await;
    let store = place.open().await.unwrap();
    let watermark = store.watermark().await.unwrap();
    for seq in watermark + 1..=2 {
        store.absorb(seq, failing(15..30, NOON));
    }
    // The same spans again in another request: counted, as spans are, and not kept twice.
    store.absorb(3, failing(0..3, NOON));
    store.flush(&[], NOON).await.unwrap();
    let groups = store.errors(&everything()).await.unwrap();
    assert_eq!((groups[0].failures, groups[0].exemplars), (33, EXEMPLARS as u64));
}

pub async fn groups_are_found_by_what_their_payloads_say_and_left_out_where_they_did_not_fail<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.absorb(1, failing(0..3, NOON));
    store.flush(&[], NOON).await.unwrap();
    let found = async |query: ErrorQuery| store.errors(&query).await.unwrap().len();
    let by = |text: &str| ErrorQuery { text: Some(text.into()), ..everything() };
    assert_eq!(found(by("e-2\"")).await, 1);
    assert_eq!(found(by("NO ROW")).await, 1);
    assert_eq!(found(by("e-7%")).await, 0);
    let of = |name: &str| ErrorQuery { integration: Some(name.into()), ..everything() };
    assert_eq!((found(of("shop")).await, found(of("crm")).await), (1, 0));
    let hour = NOON / HOUR;
    assert_eq!(found(ErrorQuery { from_hour: hour, to_hour: hour + 1, ..everything() }).await, 1);
    assert_eq!(found(ErrorQuery { from_hour: hour + 1, ..everything() }).await, 0);
    assert_eq!(found(ErrorQuery { to_hour: hour, ..everything() }).await, 0);
}

pub async fn evidence_is_forgotten_by_its_receipt<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let version = |text: &str, at| {
        let change = Change { integration: 0, at, what: What::Version(text.into()) };
        let mut batch = failing(0..1, at);
        batch.observations.changes.push(change);
        batch
    };
    store.absorb(1, version("1", NOON));
    store.absorb(2, version("2", NOON + 5 * DAY));
    store.absorb(3, version("1", NOON + 6 * DAY));
    store.flush(&[], NOON).await.unwrap();
    store.absorb(4, version("2", NOON + DAY));
    store.flush(&[], NOON).await.unwrap();
    let changes = async || {
        let all = store.changes("shop", None, (0, Nanos::MAX), 10).await.unwrap();
        all.into_iter().map(|change| (change.text, change.at)).collect::<Vec<_>>()
    };
    assert_eq!(changes().await, [("2".to_owned(), NOON + DAY), ("1".to_owned(), NOON)]);
    assert_eq!(store.forget_evidence(NOON + 1).await.unwrap(), 1, "a pin is as old as its receipt");
    assert_eq!(changes().await.len(), 2, "what is still seen is kept with its age");
    store.forget_evidence(NOON + 7 * DAY).await.unwrap();
    assert_eq!(store.errors(&everything()).await.unwrap().len(), 0);
    assert_eq!(store.error_hours("", 0, i64::MAX).await.unwrap(), []);
    assert_eq!(changes().await.len(), 0);
}
