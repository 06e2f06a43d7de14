//! What a sender knows: what was acknowledged, and the bodies whose answer never came.

use std::sync::{Arc, Mutex};

use prost::Message;
use serde_json::Value;

use super::Dice;
use super::otlp::{self, Attempt};
use super::server::Server;

const PROTOBUF: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];

/// One sender's account. Its endpoint is its own, so that what the server counts there can be held against it.
pub struct Ledger {
    pub integration: String,
    pub endpoint: String,
    template: String,
    status: i64,
    pub acknowledged: u64,
    pub open: Vec<(u64, Vec<u8>)>,
}

impl Ledger {
    pub fn new(integration: &str, name: &str) -> Ledger {
        let template = format!("/v1/ledger-{name}");
        Ledger {
            integration: integration.to_owned(),
            endpoint: format!("POST {template}"),
            template,
            status: 200,
            acknowledged: 0,
            open: Vec::new(),
        }
    }

    /// One whose calls all end with this status.
    pub fn answered(self, status: i64) -> Ledger {
        Ledger { status, ..self }
    }

    /// Accounts of several senders of one integration.
    pub fn several(integration: &str, n: usize) -> Vec<Arc<Mutex<Ledger>>> {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        names.iter().take(n).map(|name| Arc::new(Mutex::new(Ledger::new(integration, name)))).collect()
    }

    pub fn body(&self, spans: u64) -> Vec<u8> {
        let now = otlp::now();
        let attempt = |n: u64| Attempt {
            peer: "bank.example.com",
            method: "POST",
            template: &self.template,
            status: self.status,
            end: now - n * 1_000_000,
            duration: (5 + n) * 1_000_000,
        };
        let spans = (0..spans).map(|n| attempt(n).span()).collect();
        otlp::traces(&self.integration, &[], spans).encode_to_vec()
    }

    /// Sends one body; only an answer of 200 settles it. Its status, or none where the server is gone.
    pub fn send(&mut self, server: &Server, spans: u64, body: Vec<u8>) -> Option<u16> {
        match server.try_post("/v1/traces", &PROTOBUF, body.clone()) {
            Ok(answer) if answer.status == 200 => {
                self.acknowledged += spans;
                Some(200)
            }
            // One that says to come again: the sender cannot know.
            Ok(answer) if [429, 502, 503, 504].contains(&answer.status) => {
                assert_ne!(answer.header("retry-after"), "", "{} without Retry-After", answer.status);
                self.open.push((spans, body));
                Some(answer.status)
            }
            Ok(answer) => panic!("refused for good: {} {}", answer.status, answer.text()),
            Err(_) => {
                self.open.push((spans, body));
                None
            }
        }
    }

    /// A new body of so many spans.
    pub fn send_new(&mut self, server: &Server, spans: u64) -> Option<u16> {
        let body = self.body(spans);
        self.send(server, spans, body)
    }

    /// Sends again what was never answered, the same bytes, as a client's exporter does.
    pub fn send_open(&mut self, server: &Server) {
        for (spans, body) in std::mem::take(&mut self.open) {
            self.send(server, spans, body);
        }
    }

    /// Between what was acknowledged and what was sent, as soon as the server is ready.
    pub fn check(&self, server: &Server) {
        let unknown: u64 = self.open.iter().map(|(spans, _)| spans).sum();
        let seen = server
            .endpoint(&self.integration, &self.endpoint)
            .map_or(0.0, |item| item["attempts"].as_f64().unwrap_or(-1.0));
        let (least, most) = (self.acknowledged as f64, (self.acknowledged + unknown) as f64);
        assert!(
            (least..=most).contains(&seen),
            "{} {}: counted {seen}, acknowledged {least}, sent at most {most}",
            self.integration,
            self.endpoint
        );
    }

    /// Everything was acknowledged by now, and is counted.
    pub fn settle(&mut self, server: &Server) {
        self.send_open(server);
        assert!(self.open.is_empty(), "a server that runs refused {} requests", self.open.len());
        if self.acknowledged > 0 {
            server.counted(&self.integration, &self.endpoint, self.acknowledged);
        }
    }

    /// Minutes, segments and this account agree.
    pub fn agrees(&self, audit: &Value) {
        if self.acknowledged == 0 {
            return;
        }
        let found = &audit[format!("{} {}", self.integration, self.endpoint)];
        let n = self.acknowledged;
        let expected = serde_json::json!({"attempts": n, "rows": n, "distinct": n});
        assert_eq!(*found, expected, "{} {}", self.integration, self.endpoint);
    }
}

/// Senders that go on until the server is gone; join them then.
pub fn senders(
    ledgers: &[Arc<Mutex<Ledger>>],
    server: &Arc<Server>,
    dice: &mut Dice,
) -> Vec<std::thread::JoinHandle<()>> {
    let one = |ledger: &Arc<Mutex<Ledger>>| {
        let (ledger, server) = (ledger.clone(), server.clone());
        let mut dice = Dice(dice.next());
        std::thread::spawn(move || {
            let mut ledger = ledger.lock().expect("one sender a ledger");
            while ledger.send_new(&server, dice.between(1, 40)).is_some() {}
        })
    };
    ledgers.iter().map(one).collect()
}
