//! SIGKILL at random moments under load: what was acknowledged is counted exactly once, what was not may be sent again
//! and is then counted once too.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use prost::Message;

use crate::support::home::Home;
use crate::support::otlp::{self, Attempt};
use crate::support::server::Server;
use crate::support::{Dice, SOON, wait_until};

const KILLS: usize = 10;
const SENDERS: usize = 4;
const INTEGRATION: &str = "under-fire";
const PROTOBUF: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];

/// What one sender knows: its own endpoint, what was acknowledged, and the bodies whose answer never came.
struct Ledger {
    endpoint: String,
    template: String,
    acknowledged: u64,
    open: Vec<(u64, Vec<u8>)>,
}

impl Ledger {
    fn new(n: usize) -> Ledger {
        let template = format!("/v1/ledger-{}", ["a", "b", "c", "d"][n]);
        Ledger { endpoint: format!("POST {template}"), template, acknowledged: 0, open: Vec::new() }
    }

    fn body(&self, spans: u64) -> Vec<u8> {
        let now = otlp::now();
        let attempt = |n: u64| Attempt {
            peer: "bank.example.com",
            method: "POST",
            template: &self.template,
            status: 200,
            end: now - n * 1_000_000,
            duration: (5 + n) * 1_000_000,
        };
        let spans = (0..spans).map(|n| attempt(n).span()).collect();
        otlp::traces(INTEGRATION, &[], spans).encode_to_vec()
    }

    /// Sends one body; only an answer of 200 settles it. Whether the server is still there.
    fn send(&mut self, server: &Server, spans: u64, body: Vec<u8>) -> bool {
        match server.try_post("/v1/traces", &PROTOBUF, body.clone()) {
            Ok(answer) if answer.status == 200 => self.acknowledged += spans,
            // No answer, or one that says to come again: the sender cannot know.
            Ok(answer) if [429, 502, 503, 504].contains(&answer.status) => self.open.push((spans, body)),
            Ok(answer) => panic!("refused for good: {} {}", answer.status, answer.text()),
            Err(_) => {
                self.open.push((spans, body));
                return false;
            }
        }
        true
    }

    /// Sends again what was never answered, the same bytes, as a client's exporter does.
    fn send_open(&mut self, server: &Server) {
        for (spans, body) in std::mem::take(&mut self.open) {
            self.send(server, spans, body);
        }
    }

    /// Between what was acknowledged and what was sent, as soon as the server is ready.
    fn check(&self, server: &Server) {
        let unknown: u64 = self.open.iter().map(|(spans, _)| spans).sum();
        let seen = server
            .endpoint(INTEGRATION, &self.endpoint)
            .map_or(0.0, |item| item["attempts"].as_f64().unwrap_or(-1.0));
        let (least, most) = (self.acknowledged as f64, (self.acknowledged + unknown) as f64);
        assert!(
            (least..=most).contains(&seen),
            "{}: counted {seen}, acknowledged {least}, sent at most {most}",
            self.endpoint
        );
    }
}

#[test]
fn what_was_acknowledged_is_counted_once_whenever_the_server_is_killed() {
    let mut dice = Dice::thrown("kill");
    let home = Home::new();
    let ledgers: Vec<Arc<Mutex<Ledger>>> =
        (0..SENDERS).map(|n| Arc::new(Mutex::new(Ledger::new(n)))).collect();
    for round in 0..KILLS {
        let server = Arc::new(home.start());
        for ledger in &ledgers {
            let mut ledger = ledger.lock().expect("no sender panicked");
            ledger.check(&server);
            ledger.send_open(&server);
        }
        let senders: Vec<_> = ledgers
            .iter()
            .map(|ledger| {
                let (ledger, server) = (ledger.clone(), server.clone());
                let mut dice = Dice(dice.next());
                std::thread::spawn(move || {
                    let mut ledger = ledger.lock().expect("one sender a ledger");
                    loop {
                        let spans = dice.between(1, 40);
                        let body = ledger.body(spans);
                        if !ledger.send(&server, spans, body) {
                            return;
                        }
                    }
                })
            })
            .collect();
        // From before the first flush to after several.
        let wait = Duration::from_millis(dice.between(20, 2500));
        std::thread::sleep(wait);
        server.signal("KILL");
        for sender in senders {
            sender.join().expect("a sender ends");
        }
        let open: usize =
            ledgers.iter().map(|ledger| ledger.lock().map_or(0, |ledger| ledger.open.len())).sum();
        println!("kill {round}: after {} ms, {open} requests without an answer", wait.as_millis());
    }

    let server = home.start();
    for ledger in &ledgers {
        let mut ledger = ledger.lock().expect("no sender panicked");
        ledger.check(&server);
        ledger.send_open(&server);
        assert!(ledger.open.is_empty(), "a server that runs refused {} requests", ledger.open.len());
        assert!(ledger.acknowledged > 100, "only {} spans were sent", ledger.acknowledged);
        server.counted(INTEGRATION, &ledger.endpoint, ledger.acknowledged);
    }
    let total: u64 = ledgers.iter().map(|ledger| ledger.lock().map_or(0, |ledger| ledger.acknowledged)).sum();
    println!("kill: {total} spans acknowledged and counted once");

    // And once more after an orderly stop: what was in memory is in the catalog now.
    let mut server = server;
    server.signal("TERM");
    assert!(server.wait(SOON).success());
    let server = home.start();
    for ledger in &ledgers {
        let ledger = ledger.lock().expect("no sender panicked");
        wait_until("the same count after a stop", SOON, || {
            let item = server.endpoint(INTEGRATION, &ledger.endpoint)?;
            (item["attempts"].as_f64() == Some(ledger.acknowledged as f64)).then_some(())
        });
    }
}
