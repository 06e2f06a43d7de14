//! A request's body counts once: a fifth of all requests is sent again, in every way that a client's exporter may, to
//! the same server, after an orderly restart and after SIGKILL. The negative control is the same story with claims
//! off: it sees the copies.

use std::io::Write;

use prost::Message;

use crate::support::grpc;
use crate::support::home::Home;
use crate::support::otlp::{self, Attempt};
use crate::support::server::Server;
use crate::support::{Dice, SOON, wait_until};

const INTEGRATION: &str = "stripe-accounting";
const TEMPLATE: &str = "/v1/invoices";
const ENDPOINT: &str = "POST /v1/invoices";
/// Requests in each of the three parts of the story; a fifth of them comes again.
const REQUESTS: u64 = 50;

/// One request, and how its copy travels.
struct Request {
    spans: u64,
    body: Vec<u8>,
}

impl Request {
    fn new(spans: u64) -> Request {
        let end = otlp::now();
        let attempt = |n: u64| Attempt {
            peer: "api.stripe.com",
            method: "POST",
            template: TEMPLATE,
            status: 200,
            end: end - n * 1_000_000,
            duration: 5_000_000,
        };
        let spans_of_it = (0..spans).map(|n| attempt(n).span()).collect();
        Request { spans, body: otlp::traces(INTEGRATION, &[], spans_of_it).encode_to_vec() }
    }

    /// The same message in one of the ways that there are; all must be acknowledged.
    fn send(&self, server: &Server, way: u64) {
        let (encoding, body) = match way % 6 {
            0 => ("", self.body.clone()),
            1 => ("gzip", gzip(&self.body, 1)),
            2 => ("gzip", gzip(&self.body, 9)),
            3 => ("zstd", zstd::encode_all(&*self.body, 3).expect("it compresses")),
            _ => {
                let (headers, frame) = match way % 6 {
                    5 => (&[("grpc-encoding", "gzip")][..], grpc::frame(1, &gzip(&self.body, 6))),
                    _ => (&[][..], grpc::frame(0, &self.body)),
                };
                let answer = grpc::call(&server.otlp_grpc, grpc::TRACES, headers, &frame);
                assert_eq!(grpc::message(&answer), b"");
                return;
            }
        };
        let mut headers = vec![("content-type", "application/x-protobuf")];
        if !encoding.is_empty() {
            headers.push(("content-encoding", encoding));
        }
        let answer = server.post("/v1/traces", &headers, body);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{}", answer.text());
    }
}

fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// What was sent, and of it the copies.
#[derive(Default)]
struct Ledger {
    sent: Vec<Request>,
    spans: u64,
    copies: u64,
    copied_spans: u64,
}

impl Ledger {
    /// Sends new requests, and a fifth of all that were ever sent again.
    fn part(&mut self, server: &Server, dice: &mut Dice) {
        for _ in 0..REQUESTS {
            let request = Request::new(dice.between(1, 20));
            request.send(server, dice.next());
            self.spans += request.spans;
            self.sent.push(request);
            if dice.next().is_multiple_of(5) {
                self.copy(server, dice, 1);
            }
        }
    }

    fn copy(&mut self, server: &Server, dice: &mut Dice, times: usize) {
        for _ in 0..times {
            let nth = dice.between(0, self.sent.len() as u64) as usize;
            self.sent[nth].send(server, dice.next());
            self.copies += 1;
            self.copied_spans += self.sent[nth].spans;
        }
    }
}

/// The whole story; gives the server as it stands at the end, and what is to be counted.
fn story(home: &Home) -> (Server, Ledger) {
    let mut dice = Dice::thrown("once");
    let mut ledger = Ledger::default();
    let mut server = home.start();
    ledger.part(&server, &mut dice);

    server.signal("TERM");
    assert!(server.wait(SOON).success());
    server = home.start();
    // Copies of what an earlier run counted, before anything new.
    ledger.copy(&server, &mut dice, 10);
    ledger.part(&server, &mut dice);

    // Some of it is in the catalog, some only in the inbox.
    server.signal("KILL");
    server.wait(SOON);
    server = home.start();
    ledger.copy(&server, &mut dice, 10);
    ledger.part(&server, &mut dice);
    println!(
        "once: {} requests with {} spans, and {} copies with {} spans",
        ledger.sent.len(),
        ledger.spans,
        ledger.copies,
        ledger.copied_spans
    );
    (server, ledger)
}

#[test]
fn a_fifth_of_requests_sent_again_counts_once() {
    let home = Home::new();
    let (server, ledger) = story(&home);
    server.counted(INTEGRATION, ENDPOINT, ledger.spans);
    let duplicates = server.json("/api/v1/system")["duplicates"].as_u64();
    assert!(duplicates.is_some_and(|seen| seen >= 10), "{duplicates:?}: the last run saw its copies");
    // And what is kept as evidence agrees with what is counted.
    drop(server);
    let server = home.start();
    server.counted(INTEGRATION, ENDPOINT, ledger.spans);
    let shown = server.json("/api/v1/system");
    assert!(shown["counters"]["claims"].as_u64().is_some(), "{shown}");
}

/// Without claims the same story counts every copy: the test above can fail.
#[test]
fn with_claims_off_every_copy_counts() {
    let home = Home::new();
    home.configure("[ingest]\nclaim_seconds = 0\n");
    let (server, ledger) = story(&home);
    assert!(ledger.copied_spans > 0);
    server.counted(INTEGRATION, ENDPOINT, ledger.spans + ledger.copied_spans);
    assert_eq!(server.json("/api/v1/system")["duplicates"], 0);
}

/// A report that is sent twice happened twice, and so did a log record that says neither when nor where.
#[test]
fn what_has_neither_time_nor_id_counts_each_time() {
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    let home = Home::new();
    let server = home.start();
    for _ in 0..3 {
        let answer = server.post("/report/nightly-export", &[], "");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let mut message = otlp::event("nightly-export", "", &[]);
    message.resource_logs[0].scope_logs =
        vec![ScopeLogs { log_records: vec![LogRecord::default()], ..ScopeLogs::default() }];
    let _: &ResourceLogs = &message.resource_logs[0];
    for _ in 0..3 {
        server.export("/v1/logs", &message);
    }
    wait_until("all six to be counted", SOON, || {
        let system = server.json("/api/v1/system");
        assert_eq!(system["duplicates"], 0);
        let taken = &system["accepted"];
        (taken["reports"] == 3 && taken["logs"] == 3).then_some(())
    });
    let now = otlp::now() / otlp::SECOND;
    let logs =
        server.json(&format!("/api/v1/logs?integration=nightly-export&from={}&to={}", now - 600, now + 60));
    assert!(logs["items"].as_array().is_some_and(|items| items.len() >= 3), "{logs}");
}
