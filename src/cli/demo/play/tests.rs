//! The whole demo against a sink that decodes what it gets.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};

use super::*;
use crate::decode::{Decoded, Limits, record};
use crate::signals::observe::Rules;

type Shared = Arc<Mutex<Vec<Decoded>>>;

/// Reads a request as the server does.
async fn take(State(seen): State<Shared>, path: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
    let mut plain = Vec::new();
    match text("content-encoding") {
        "gzip" => flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap(),
        _ => (&body[..]).read_to_end(&mut plain).unwrap(),
    };
    let now = crate::clock::system()();
    let rules = Arc::new(Rules::default());
    let decoded = record(path.path(), text("content-type"), &plain, now, &rules, &Limits::default()).unwrap();
    seen.lock().unwrap().push(decoded);
    StatusCode::OK
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_history_then_a_story_with_an_end() {
    let seen = Shared::default();
    let app = Router::new().fallback(take).layer(DefaultBodyLimit::max(16 << 20)).with_state(seen.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let stop = CancellationToken::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let (lines, end) = (told.clone(), stop.clone());
    let out = move |line: String| {
        // The plot's last line as it happens, not its place in the timetable, which is indented.
        if line.ends_with(Beat::TokenRenewed.line()) && !line.starts_with(' ') {
            end.cancel();
        }
        lines.lock().unwrap().push(line);
    };
    let now = crate::clock::system()();
    let door = Door { otlp_http: address, web: "127.0.0.1:4380".parse().unwrap() };
    play(door, Pace(Duration::from_millis(900)), stop, out).await.unwrap();
    server.abort();

    let seen = seen.lock().unwrap();
    for one in seen.iter() {
        assert_eq!(one.rejected.count, 0, "{}", one.rejected.message);
        assert!(one.batch.observations.notices.is_empty(), "{:?}", one.batch.observations.notices);
    }
    let all = || seen.iter().map(|one| &one.batch.observations);
    let names: BTreeSet<_> = all().flat_map(|one| &one.series).map(|key| &*key.integration.name).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    let calls = all().map(|one| one.calls.len()).sum::<usize>();
    assert!((60_000..90_000).contains(&calls), "{calls} calls");
    let oldest = all().flat_map(|one| &one.calls).map(|call| call.end).min().unwrap();
    let hour = 3_600_000_000_000;
    assert!((now - 25 * hour..now - 23 * hour).contains(&oldest), "{oldest}");
    assert!(all().flat_map(|one| &one.series).any(|key| {
        &*key.peer == "api.hubapi.com" && &*key.endpoint == "PATCH /crm/v3/objects/contacts/{id}"
    }));
    let runs: Vec<_> =
        all().flat_map(|one| &one.reconciliations).filter(|run| run.expected == 1_071).collect();
    assert_eq!(runs.iter().map(|run| run.matched).collect::<Vec<_>>(), [857, 1_071]);
    assert_eq!(runs[0].window, runs[1].window);
    assert!(all().flat_map(|one| &one.runs).any(|run| &*run.name == "nightly-sync"));
    assert!(all().map(|one| one.gauges.len()).sum::<usize>() > 4 * 1_440);
    let expiries: BTreeSet<_> = all()
        .flat_map(|one| &one.slots)
        .filter(|slot| &*slot.credential == "svc-etl")
        .filter_map(|slot| slot.expires_at)
        .collect();
    assert_eq!(expiries.len(), 2, "one expiry, and after the renewal another: {expiries:?}");
    let told = told.lock().unwrap();
    assert_eq!(told[0], "Dashboard: http://127.0.0.1:4380/");
    assert!(told.iter().any(|line| line.contains("http://127.0.0.1:4380/mail")), "{told:#?}");
}

#[tokio::test]
async fn without_a_server_the_history_is_an_error_that_names_the_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let door = Door { otlp_http: address, web: address };
    let why = play(door, Pace(MINUTE), CancellationToken::new(), |_| ()).await.unwrap_err();
    assert!(format!("{why:#}").contains(&address.to_string()), "{why:#}");
}
