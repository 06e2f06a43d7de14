//! What OTLP asks of a receiver, a test for each clause. A test's name starts with its clause; `docs/conformance.md`
//! has the table, and [`table`] holds the two together. All of it drives the real binary over real sockets; what only
//! a defect or a clock can bring about is tested beside the code, in `src/receive/tests`.

mod cors;
mod errors;
mod grpc;
mod json;
mod limits;
mod odd;
mod outside;
mod responses;
mod table;
mod transport;
mod vectors;

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use prost::Message;
use serde_json::Value;

use crate::support::home::Home;
use crate::support::otlp::{self, Attempt};
use crate::support::raw::Raw;
use crate::support::server::Server;
use crate::support::{SOON, wait_until};

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const PATHS: [&str; 3] = ["/v1/traces", "/v1/metrics", "/v1/logs"];
/// A page that may send.
const PAGE: (&str, &str) = ("origin", "https://app.example");

/// The server that these tests share, because most of them send one request.
struct Shared {
    server: Server,
    _open: Option<Raw>,
    _home: Home,
}

impl Deref for Shared {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Started by whoever is first; ended with the last who uses it.
fn server() -> Arc<Shared> {
    static RUNNING: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(shared) = running.upgrade() {
        return shared;
    }
    let shared = Arc::new(start("cors_origins = [\"https://app.example\"]\ncors_headers = [\"x-api-key\"]"));
    *running = Arc::downgrade(&shared);
    shared
}

/// One with other keys under `[ingest]`.
fn start(ingest: &str) -> Shared {
    let home = Home::new();
    home.configure(&format!("[ingest]\n{ingest}\n"));
    Shared { server: home.start(), _open: None, _home: home }
}

/// One whose memory for requests is taken by a body that does not end.
fn busy(ingest: &str) -> Shared {
    let server = start(&format!("max_body_bytes = 60000\nin_flight_bytes = 100000\n{ingest}"));
    let open = wait_until("the server is busy", SOON, || {
        let mut open = Raw::connect(&server.otlp_http);
        open.send(format!("{}content-length: 60000\r\n\r\n", head("/v1/logs", &[JSON]))).send([b' '; 59_999]);
        // What is asked before all of that has arrived is taken, and then it is the other that finds no room.
        std::thread::sleep(Duration::from_millis(200));
        (server.post("/v1/logs", &[JSON], "{}").status == 503).then_some(open)
    });
    Shared { _open: Some(open), ..server }
}

/// A request of this many calls of `GET /v1/x`.
fn calls(integration: &str, count: usize) -> Vec<u8> {
    let attempt = Attempt {
        peer: "api.example.com",
        method: "GET",
        template: "/v1/x",
        status: 200,
        end: otlp::now(),
        duration: 5_000_000,
    };
    otlp::traces(integration, &[], (0..count).map(|_| attempt.span()).collect()).encode_to_vec()
}

/// Waits until this many have been counted.
fn counted(server: &Server, integration: &str, count: u64) {
    server.counted(integration, "GET /v1/x", count);
}

/// A request of one span in JSON, with these ids and more members.
fn span(ids: &str, more: &str) -> String {
    let time = otlp::now();
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids},"name":"n","startTimeUnixNano":"{time}",
        "endTimeUnixNano":"{time}"{more}}}]}}]}}]}}"#
    )
}

/// Ids that no other test uses: one word for each.
fn ids(trace: &str) -> String {
    format!(r#""traceId":"{trace}","spanId":"00000000000000a1""#)
}

/// The span of a trace as it is kept.
fn kept(server: &Server, trace: &str) -> Value {
    wait_until("the span is kept", SOON, || {
        let answer = server.get(&format!("/api/v1/traces/{trace}"));
        (answer.status == 200).then(|| answer.json()["items"][0].clone())
    })
}

/// The head of a POST over HTTP/1.1, without what says where the body ends.
fn head(path: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n");
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head
}

/// A whole POST over HTTP/1.1.
fn post(path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("{}content-length: {}\r\n\r\n", head(path, headers), body.len());
    [head.as_bytes(), body].concat()
}
