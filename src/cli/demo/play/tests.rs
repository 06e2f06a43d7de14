//! The whole demo against a sink that decodes what it gets.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use prost::Message;

use super::*;

#[derive(Default)]
struct Seen {
    integrations: BTreeSet<String>,
    spans: usize,
    oldest: u64,
    contact_failures: usize,
    matched: Vec<i64>,
    gauges: usize,
}

type Shared = Arc<Mutex<Seen>>;

fn unpacked(headers: &HeaderMap, body: &Bytes) -> Vec<u8> {
    let mut out = Vec::new();
    match headers.get("content-encoding") {
        Some(_) => flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut out).unwrap(),
        None => (&body[..]).read_to_end(&mut out).unwrap(),
    };
    out
}

fn value(attributes: &[KeyValue], key: &str) -> Option<Value> {
    attributes.iter().find(|one| one.key == key)?.value.clone()?.value
}

async fn traces(State(seen): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let request = ExportTraceServiceRequest::decode(unpacked(&headers, &body).as_slice()).unwrap();
    let mut seen = seen.lock().unwrap();
    for group in request.resource_spans {
        if let Some(Value::StringValue(name)) = value(&group.resource.unwrap().attributes, "integration.name")
        {
            seen.integrations.insert(name);
        }
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            seen.spans += 1;
            seen.oldest = seen.oldest.min(span.start_time_unix_nano);
            let failed = value(&span.attributes, "http.response.status_code") == Some(Value::IntValue(500));
            let update = span.name == "PATCH /crm/v3/objects/contacts/{id}";
            seen.contact_failures += usize::from(failed && update);
        }
    }
    StatusCode::OK
}

async fn logs(State(seen): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let request = ExportLogsServiceRequest::decode(unpacked(&headers, &body).as_slice()).unwrap();
    let records = request.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records);
    for record in records {
        let expected = value(&record.attributes, "integration.reconciliation.expected");
        let matched = value(&record.attributes, "integration.reconciliation.matched");
        if let (Some(Value::IntValue(1_071)), Some(Value::IntValue(matched))) = (expected, matched) {
            seen.lock().unwrap().matched.push(matched);
        }
    }
    StatusCode::OK
}

async fn metrics(State(seen): State<Shared>) -> StatusCode {
    seen.lock().unwrap().gauges += 1;
    StatusCode::OK
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_history_then_a_story_with_an_end() {
    let seen: Shared = Arc::new(Mutex::new(Seen { oldest: u64::MAX, ..Seen::default() }));
    let app = Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/logs", post(logs))
        .route("/v1/metrics", post(metrics))
        .layer(DefaultBodyLimit::max(16 << 20))
        .with_state(seen.clone());
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
    let now = crate::clock::system()() as u64;
    let door = Door { otlp_http: address, web: "127.0.0.1:4380".parse().unwrap() };
    play(door, Pace(Duration::from_millis(1_500)), stop, out).await.unwrap();
    server.abort();

    let seen = seen.lock().unwrap();
    assert_eq!(seen.integrations.len(), 6, "{:?}", seen.integrations);
    assert!((40_000..60_000).contains(&seen.spans), "{} spans", seen.spans);
    let day = 86_400_000_000_000;
    assert!((now - day - day / 24..now - day + day / 24).contains(&seen.oldest), "{}", seen.oldest);
    assert!(seen.contact_failures > 3, "{} failures", seen.contact_failures);
    assert_eq!(seen.matched, [857, 1_071]);
    assert!(seen.gauges > 2, "queue history and the fleet's own gauges");
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
