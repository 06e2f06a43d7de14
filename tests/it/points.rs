//! SIGKILL at each named point between two steps towards durability, by a server that ends itself there.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex, MutexGuard};

use mail_parser::MessageParser;

use crate::support::home::Home;
use crate::support::ledger::{Ledger, senders};
use crate::support::server::Server;
use crate::support::{Dice, SOON, faulty, story, wait_until};

/// The points, and how often each is passed before it may strike: what passes with every group strikes anywhere in
/// the first hundreds, what passes with every flush in the first few.
const POINTS: &[(&str, u64)] = &[
    ("torn-write", 60),
    ("before-sync", 60),
    ("before-ack", 60),
    ("after-ack", 60),
    ("after-claim", 200),
    ("after-segment", 3),
    ("in-transaction", 3),
    ("after-commit", 3),
    ("before-remove", 1),
    ("after-remove", 1),
    ("in-tick", 1),
    ("after-tick", 1),
];

/// A minute has passed on each server's clock since the one before, so that a tick is due at its start.
const STEP: u64 = 61;

fn locked(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().expect("no sender panicked")
}

#[test]
fn what_was_acknowledged_is_counted_once_at_whichever_point_the_server_dies() {
    let mut dice = Dice::thrown("points");
    let home = Home::new();
    let mut rounds: Vec<Vec<Arc<Mutex<Ledger>>>> = Vec::new();
    let mut struck = BTreeSet::new();
    let times = std::env::var("SEAMWATCH_TEST_ROUNDS").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    for (point, passes) in std::iter::repeat_n(POINTS, times).flatten() {
        let nth = dice.between(1, passes + 1);
        let kill = format!("{point}:{nth}");
        let ahead = (rounds.len() as u64 * STEP).to_string();
        println!("points: {kill}, {ahead} s ahead");
        let Some(server) = faulty::start(&home, &["--kill", &kill, "--ahead", &ahead]) else {
            struck.insert(*point);
            continue;
        };
        let server = Arc::new(server);
        let ledgers = Ledger::several(&format!("killed-{}", rounds.len()), 3);
        let load = senders(&ledgers, &server, &mut dice);
        wait_until(&kill, SOON * 3, || load.iter().all(|sender| sender.is_finished()).then_some(()));
        for sender in load {
            sender.join().expect("a sender ends");
        }
        let mut server = Arc::into_inner(server).expect("the senders are gone");
        assert_eq!(server.wait(SOON).signal(), Some(9), "{kill}");
        struck.insert(*point);
        rounds.push(ledgers);
        recovered(&home, rounds.last().into_iter().flatten().map(|ledger| locked(ledger)), &ahead);
    }
    assert_eq!(struck.len(), POINTS.len(), "{struck:?}");

    let mut server = home.start();
    server.signal("TERM");
    assert!(server.wait(SOON).success());
    let audit = faulty::audit(&home);
    let mut total = 0;
    for ledger in rounds.iter().flatten() {
        let ledger = locked(ledger);
        ledger.agrees(&audit);
        total += ledger.acknowledged;
    }
    println!("points: {total} spans acknowledged, each counted once and kept once");
}

/// The next server has all that was acknowledged, and takes what was not. It is killed right after an answer, so that
/// the one after it finds an inbox file to replay, and to remove.
fn recovered<'l>(home: &Home, ledgers: impl Iterator<Item = MutexGuard<'l, Ledger>>, ahead: &str) {
    let server: Server = faulty::start(home, &["--ahead", ahead]).expect("nothing ends this one");
    for mut ledger in ledgers {
        ledger.check(&server);
        ledger.settle(&server);
        assert_eq!(ledger.send_new(&server, 5), Some(200));
    }
    server.signal("KILL");
}

/// Every mail of an incident goes out, under one Message-ID, whichever two steps of the outbox the crash parts.
#[test]
fn an_alert_is_mailed_whichever_step_of_the_outbox_the_server_dies_at() {
    // What was not recorded is judged anew half a minute later. A mail that was leased goes out again once the lease
    // is over.
    let points = [
        ("in-tick", 150),
        ("after-tick", 150),
        ("mail-claimed", 600),
        ("mail-sent", 600),
        ("mail-marked", 600),
    ];
    for (point, later) in points {
        let home = story::quick_home();
        let mut ledger = Ledger::new("shop", "a").answered(500);
        let server = faulty::start(&home, &["--ahead", "0"]).expect("nothing ends this one");
        assert_eq!(ledger.send_new(&server, 30), Some(200));
        drop(server);
        // Two minutes later on its clock those calls are judged, and the server dies at the point.
        if let Some(mut server) = faulty::start(&home, &["--kill", &format!("{point}:1"), "--ahead", "120"]) {
            assert_eq!(server.wait(SOON).signal(), Some(9), "{point}");
        }
        let server = faulty::start(&home, &["--ahead", &later.to_string()]).expect("nothing ends this one");
        ledger.settle(&server);
        let folder = home.data().join("mail");
        let fired = wait_until(point, SOON, || {
            let files = std::fs::read_dir(&folder).ok()?;
            let mails: Vec<Vec<u8>> = files
                .map(|entry| entry.expect("the folder can be read").path())
                .filter(|path| path.extension().is_some_and(|end| end == "eml"))
                .filter(|path| path.to_string_lossy().contains("-fired-"))
                .map(|path| std::fs::read(path).expect("a mail can be read"))
                .collect();
            (!mails.is_empty()).then_some(mails)
        });
        let ids: BTreeSet<String> = fired
            .iter()
            .map(|mail| {
                let mail = MessageParser::default().parse(mail).expect("a mail reader can parse it");
                mail.message_id().expect("it has a Message-ID").to_owned()
            })
            .collect();
        let incidents = server.json("/api/v1/incidents");
        assert_eq!(incidents["items"].as_array().map(Vec::len), Some(1), "{point}: {incidents}");
        assert_eq!((ids.len(), fired.len()), (1, 1), "{point}: {ids:?}");
        println!("points: {point}: one incident, one mail");
    }
}
