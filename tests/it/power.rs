//! The power goes: whatever subset of the unsynced writes the disk kept, in sectors and in torn ones, and whichever
//! names it forgot, the real server starts on what is left and has what it had acknowledged, once.
//!
//! A server runs on a recorded disk, is killed and started again on the way. Then the power goes at random places of
//! the record: for each, a data folder is made as the disk may have left it.

mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::home::Home;
use crate::support::ledger::Ledger;
use crate::support::server::Server;
use crate::support::{Dice, SOON, disk, faulty};
use record::Record;

/// So many unless `SEAMWATCH_TEST_OUTAGES` says otherwise, as the nightly run does.
const OUTAGES: usize = 20;
const SENDERS: usize = 3;

/// One request of a sender, by lengths of the record: when it was sent, and when its answer was there.
struct Request {
    sent: u64,
    answered: Option<u64>,
    spans: u64,
    body: Vec<u8>,
}

/// Sends for as long as it is told to, and notes how long the record was.
fn sender(
    ledger: &Ledger,
    server: &Server,
    length: impl Fn() -> u64,
    go_on: &AtomicBool,
    mut dice: Dice,
) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut scratch = Ledger::new(&ledger.integration, "scratch");
    while go_on.load(Ordering::Relaxed) {
        let spans = dice.between(1, 20);
        let body = ledger.body(spans);
        let sent = length();
        let status = scratch.send(server, spans, body.clone());
        let answered = (status == Some(200)).then(&length);
        requests.push(Request { sent, answered, spans, body });
        if status.is_none() {
            break;
        }
        std::thread::sleep(Duration::from_millis(dice.between(1, 30)));
    }
    requests
}

#[test]
fn what_was_acknowledged_outlives_the_power_whatever_the_disk_had_not_synced() {
    let mut dice = Dice::thrown("power");
    let outages = std::env::var("SEAMWATCH_TEST_OUTAGES").ok().and_then(|outages| outages.parse().ok());
    let home = Home::new();
    let log = home.path().join("disk-log");
    let length = || log.metadata().map_or(0, |about| about.len());
    let names: Vec<Ledger> =
        ["a", "b", "c"].into_iter().take(SENDERS).map(|name| Ledger::new("powerless", name)).collect();
    let mut requests: Vec<Vec<Request>> = names.iter().map(|_| Vec::new()).collect();
    for run in 0..3 {
        let server = Arc::new(disk::recorded(&home, &log));
        let go_on = AtomicBool::new(true);
        std::thread::scope(|scope| {
            let load: Vec<_> = names
                .iter()
                .map(|ledger| {
                    let (server, go_on, dice) = (&*server, &go_on, Dice(dice.next()));
                    scope.spawn(move || sender(ledger, server, length, go_on, dice))
                })
                .collect();
            std::thread::sleep(Duration::from_millis(2500 + dice.between(0, 2000)));
            if run < 2 {
                server.signal("KILL");
            }
            go_on.store(false, Ordering::Relaxed);
            for (requests, load) in requests.iter_mut().zip(load) {
                requests.extend(load.join().expect("a sender ends"));
            }
        });
        let mut server = Arc::into_inner(server).expect("the senders are gone");
        if run == 2 {
            server.signal("TERM");
        }
        server.wait(SOON);
    }

    let record = Record::read(&log, home.path());
    println!("power: {} operations, {} requests", record.len(), requests.iter().map(Vec::len).sum::<usize>());
    for outage in 0..outages.unwrap_or(OUTAGES) {
        let seed = dice.next();
        let mut dice = Dice(seed);
        let at = if outage == 0 { record.len() } else { dice.between(1, record.len() as u64 + 1) as usize };
        let left = Home::new();
        let position = record.outage(at, &mut dice, left.path(), true);
        println!("power: outage {outage} after operation {at}, seed {seed}");
        let mut server = left.start();
        let mut settled = Vec::new();
        for (ledger, requests) in names.iter().zip(&requests) {
            let mut ledger =
                Ledger::new(&ledger.integration, ledger.endpoint.rsplit('-').next().unwrap_or(""));
            for request in requests.iter().filter(|request| request.sent <= position) {
                match request.answered {
                    Some(answered) if answered <= position => ledger.acknowledged += request.spans,
                    _ => ledger.open.push((request.spans, request.body.clone())),
                }
            }
            ledger.check(&server);
            // Its exporter sends again what was not answered.
            ledger.settle(&server);
            settled.push(ledger);
        }
        server.signal("TERM");
        assert!(server.wait(SOON).success());
        let audit = faulty::audit(&left);
        settled.iter().for_each(|ledger| ledger.agrees(&audit));
    }
    println!(
        "power: {} outages, nothing acknowledged was lost, nothing counted twice",
        outages.unwrap_or(OUTAGES)
    );

    // The test sees a loss where there is one: a disk that says "synced" and is not.
    let left = Home::new();
    record.outage(record.len(), &mut dice, left.path(), false);
    let server = left.start();
    let kept = names.iter().filter(|ledger| server.endpoint(&ledger.integration, &ledger.endpoint).is_some());
    assert_eq!(kept.count(), 0, "what a lying disk dropped is counted");
}
