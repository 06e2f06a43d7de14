use serde_json::json;

use super::Place;
use super::fixtures::{NOON, Span, logs, spans};
use crate::signals::call::Class;
use crate::store::{Error, LogQuery, SpanQuery, Store};

const SECOND: i64 = 1_000_000_000;

fn some(limit: usize) -> SpanQuery {
    SpanQuery { to: i64::MAX, limit, ..SpanQuery::default() }
}

async fn ends(store: &Store, query: SpanQuery) -> Vec<i64> {
    store.spans(query).await.unwrap().iter().map(|span| (span.end - NOON) / SECOND).collect()
}

pub async fn spans_survive_hot_and_cold<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.absorb(1, spans(&[Span::default(), Span { n: 2, ms: 2, ..Span::default() }]));
    let hot = store.trace([1; 16]).await.unwrap();
    let root = &hot[0];
    assert_eq!(
        (root.trace_id.as_str(), root.span_id.as_str()),
        ("01".repeat(16).as_str(), "0101010101010101")
    );
    assert_eq!((root.parent_span_id.as_deref(), root.kind, root.status), (None, "client", "error"));
    assert_eq!((root.start, root.end, root.class), (NOON - 10_000_000, NOON, Some(Class::Ok)));
    assert_eq!((root.name.as_str(), root.status_message.as_str()), ("GET", "boom – kaputt"));
    assert_eq!((root.environment.as_str(), root.integration.as_str()), ("production", "stripe"));
    assert_eq!(
        (root.peer.as_deref(), root.endpoint.as_deref(), root.scope.as_str()),
        (Some("api.example.com"), Some("GET /a"), "requests")
    );
    assert_eq!(json!(root.attributes), json!({"http.request.method": "GET", "n": "1"}));
    assert_eq!(json!(root.resource), json!({"service.name": "billing"}));
    assert_eq!(
        root.events,
        json!([{"time": "1970-01-01T00:00:00.000000001Z", "name": "exception", "attributes": {"a": "b"}}])
    );
    assert_eq!(root.links, json!([{"trace_id": "00", "span_id": "01", "attributes": {}}]));
    assert_eq!((hot[1].parent_span_id.as_deref(), &hot[1].events), (Some("0101010101010101"), &json!([])));
    let shown = json!(root);
    assert_eq!(
        (&shown["start"], &shown["duration_ms"]),
        (&json!("2025-02-20T11:59:59.990000000Z"), &json!(10.0))
    );
    let listed = store.spans(some(9)).await.unwrap();

    store.flush(&[], NOON).await.unwrap();
    assert_eq!(store.trace([1; 16]).await.unwrap(), hot);
    assert_eq!(store.spans(some(9)).await.unwrap(), listed);
    store.close().await;
    let store = place.open().await.unwrap();
    assert_eq!(store.trace([1; 16]).await.unwrap(), hot, "after a restart");
    assert_eq!(store.trace([2; 16]).await.unwrap(), vec![]);
    store.close().await;
}

pub async fn logs_survive_hot_and_cold<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.absorb(1, logs(&[(NOON, "stripe", "Token expired"), (NOON + SECOND, "hubspot", "all good")]));
    let ask = async |text: &str, integration: &str| {
        let text = (!text.is_empty()).then(|| text.to_owned());
        let integration = (!integration.is_empty()).then(|| integration.to_owned());
        store
            .logs(LogQuery { text, integration, limit: 10, to: i64::MAX, ..LogQuery::default() })
            .await
            .unwrap()
    };
    for _ in ["hot", "cold"] {
        let all = ask("", "").await;
        assert_eq!(
            all.iter().map(|log| log.body.as_str()).collect::<Vec<_>>(),
            ["all good", "Token expired"]
        );
        let log = &ask("tOKEN", "").await[0];
        assert_eq!((log.time, log.severity, log.severity_text.as_str()), (NOON, Some(17), "ERROR"));
        assert_eq!((log.trace_id.as_deref(), log.span_id.as_deref()), (Some("07".repeat(16).as_str()), None));
        assert_eq!((log.event_name.as_deref(), log.scope.as_str()), (Some("integration.change"), "logger"));
        assert_eq!(json!([log.attributes, log.resource]), json!([{"k": "v"}, {"service.name": "billing"}]));
        assert_eq!(ask("integration.CHANGE", "").await.len(), 2, "event names are searched too");
        assert_eq!(ask("good", "stripe").await.len(), 0);
        store.flush(&[], NOON).await.unwrap();
    }
    store.close().await;
}

pub async fn spans_are_found_by_each_condition<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.absorb(
        1,
        spans(&[
            Span { n: 1, end: NOON, ..Span::default() },
            Span { n: 2, end: NOON + SECOND, integration: "hubspot", ..Span::default() },
            Span { n: 3, end: NOON + 2 * SECOND, endpoint: "POST /b", ..Span::default() },
            Span { n: 4, end: NOON + 3 * SECOND, class: Some(Class::Server), ..Span::default() },
            Span { n: 5, end: NOON + 4 * SECOND, class: None, ..Span::default() },
            Span { n: 6, end: NOON + 5 * SECOND, ms: 900, ..Span::default() },
        ]),
    );
    for _ in ["hot", "cold"] {
        let of = |name: &str| Some(name.to_owned());
        assert_eq!(ends(&store, SpanQuery { integration: of("hubspot"), ..some(9) }).await, [1]);
        assert_eq!(ends(&store, SpanQuery { environment: of("staging"), ..some(9) }).await, [0; 0]);
        assert_eq!(ends(&store, SpanQuery { endpoint: of("POST /b"), ..some(9) }).await, [2]);
        let bad = ends(&store, SpanQuery { failed: Some(true), ..some(9) }).await;
        assert_eq!(bad, [4, 3], "a bad class, and a status where there is no class");
        assert_eq!(ends(&store, SpanQuery { failed: Some(false), ..some(9) }).await, [5, 2, 1, 0]);
        assert_eq!(ends(&store, SpanQuery { min_ms: Some(900.0), ..some(9) }).await, [5]);
        let (from, to) = (NOON + SECOND, NOON + 3 * SECOND);
        assert_eq!(ends(&store, SpanQuery { from, to, ..some(9) }).await, [2, 1]);
        assert_eq!(ends(&store, some(2)).await, [5, 4]);
        assert_eq!(ends(&store, some(0)).await, [0; 0]);
        store.flush(&[], NOON).await.unwrap();
    }
    store.close().await;
}

pub async fn lists_are_newest_first_over_memory_and_files<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    // Late spans: files overlap in time, and the newest is not in the newest file.
    for (seq, at) in (1..).zip([0, 9, 4, 7, 2, 5]) {
        store.absorb(
            seq,
            spans(&[
                Span { n: at + 1, end: NOON + i64::from(at) * SECOND, ..Span::default() },
                Span { n: at + 101, end: NOON + i64::from(at) * SECOND - 20 * SECOND, ..Span::default() },
            ]),
        );
        if seq < 5 {
            store.flush(&[], NOON).await.unwrap();
        }
    }
    assert_eq!(ends(&store, some(4)).await, [9, 7, 5, 4]);
    assert_eq!(ends(&store, some(7)).await, [9, 7, 5, 4, 2, 0, -11]);
    let to = NOON;
    assert_eq!(ends(&store, SpanQuery { to, ..some(2) }).await, [-11, -13]);
    store.absorb(7, spans(&[Span { n: 10, end: NOON + 9 * SECOND, ..Span::default() }]));
    assert_eq!(ends(&store, some(2)).await, [9], "the same span sent twice is one");
    store.close().await;
}

/// Files are removed behind the store's back, so reading one is an error and leaving it out is none.
pub async fn files_out_of_time_or_scope_are_not_read<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    for (seq, integration, at) in [(1, "stripe", 0), (2, "hubspot", 100)] {
        store.absorb(seq, spans(&[Span { integration, end: NOON + at * SECOND, ..Span::default() }]));
        store.flush(&[], NOON).await.unwrap();
    }
    std::fs::remove_dir_all(place.folder().join("segments/l0")).unwrap();
    let out_of_time = SpanQuery { from: NOON + 101 * SECOND, ..some(9) };
    let between = SpanQuery { from: NOON + SECOND, to: NOON + 50 * SECOND, ..some(9) };
    let out_of_scope = SpanQuery { integration: Some("klaviyo".into()), ..some(9) };
    let elsewhere = SpanQuery { environment: Some("staging".into()), ..some(9) };
    for query in [out_of_time, between, out_of_scope, elsewhere] {
        assert_eq!(store.spans(query).await.unwrap(), vec![]);
    }
    assert!(store.spans(SpanQuery { integration: Some("stripe".into()), ..some(9) }).await.is_err());
    store.close().await;
}

pub async fn a_trace_in_many_files_is_whole<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    for n in 1..=5 {
        let other = Span { trace: 100 + n, n, end: NOON, ..Span::default() };
        let ours = Span { trace: 9, n, end: NOON + i64::from(n) * SECOND, ..Span::default() };
        let again = Span { trace: 9, n, end: NOON + i64::from(n) * SECOND, ..Span::default() };
        store.absorb(u64::from(n), spans(&[other, ours, again]));
        if n < 5 {
            store.flush(&[], NOON).await.unwrap();
        }
    }
    let found = store.trace([9; 16]).await.unwrap();
    let names: Vec<_> = found.iter().map(|span| span.span_id[..2].to_owned()).collect();
    assert_eq!(names, ["01", "02", "03", "04", "05"]);
    store.close().await;
}

pub async fn a_missing_file_is_told<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.absorb(1, logs(&[(NOON, "stripe", "hello")]));
    store.flush(&[], NOON).await.unwrap();
    std::fs::remove_dir_all(place.folder().join("segments/l0")).unwrap();
    let error = store.logs(LogQuery { limit: 1, to: i64::MAX, ..LogQuery::default() }).await.unwrap_err();
    assert!(matches!(&error, Error::Damaged(text) if text.contains("segments/l0/logs/")), "{error}");
    store.close().await;
}

/// More rows than one row group holds, in one file: rows are found by their number across groups.
pub async fn a_file_of_several_row_groups_is_read_by_row<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let body = |n: i64| if n % 50_000 == 7 { format!("needle {n}") } else { String::new() };
    let bodies: Vec<String> = (0..110_000).map(body).collect();
    for (seq, chunk) in (1..).zip(bodies.chunks(10_000)) {
        let first = (seq - 1) * 10_000;
        let times = (first..).map(|n: u64| NOON + n as i64);
        let rows: Vec<_> = times.zip(chunk).map(|(time, body)| (time, "stripe", body.as_str())).collect();
        store.absorb(seq, logs(&rows));
    }
    let needles = async || {
        let text = Some("needle".to_owned());
        let found =
            store.logs(LogQuery { text, limit: 10, to: i64::MAX, ..LogQuery::default() }).await.unwrap();
        found.into_iter().map(|log| (log.time - NOON, log.body)).collect::<Vec<_>>()
    };
    let expected: Vec<_> = [100_007, 50_007, 7].map(|n| (n, format!("needle {n}"))).into();
    assert_eq!(needles().await, expected);
    store.flush(&[], NOON).await.unwrap();
    assert_eq!(needles().await, expected);
    let newest = store.logs(LogQuery { limit: 2, to: i64::MAX, ..LogQuery::default() }).await.unwrap();
    assert_eq!(newest.iter().map(|log| log.time - NOON).collect::<Vec<_>>(), [109_999, 109_998]);
    store.close().await;
}
