//! SIGKILL at random moments under load: what was acknowledged is counted exactly once, what was not may be sent again
//! and is then counted once too; and spans, minutes and segments say the same.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::home::Home;
use crate::support::ledger::{Ledger, senders};
use crate::support::{Dice, SOON, faulty};

/// So many unless `SEAMWATCH_TEST_KILLS` says otherwise, as the nightly run does.
const KILLS: usize = 20;
const SENDERS: usize = 4;

#[test]
fn what_was_acknowledged_is_counted_once_whenever_the_server_is_killed() {
    let kills = std::env::var("SEAMWATCH_TEST_KILLS").ok().and_then(|kills| kills.parse().ok());
    outlived(&Home::new(), kills.unwrap_or(KILLS), Dice::thrown("kill"));
}

#[test]
fn the_same_where_inbox_and_segments_are_encrypted() {
    let home = Home::new();
    home.encrypt_with(&home.key("key", 'a'), &[]);
    outlived(&home, 4, Dice::thrown("kill encrypted"));
}

fn outlived(home: &Home, kills: usize, mut dice: Dice) {
    let mut rounds: Vec<Vec<Arc<Mutex<Ledger>>>> = Vec::new();
    for round in 0..kills {
        let server = Arc::new(home.start());
        for ledger in rounds.last().into_iter().flatten() {
            let mut ledger = ledger.lock().expect("no sender panicked");
            ledger.check(&server);
            ledger.send_open(&server);
        }
        let ledgers = Ledger::several(&format!("under-fire-{round}"), SENDERS);
        let load = senders(&ledgers, &server, &mut dice);
        // From before the first flush to after several.
        let wait = Duration::from_millis(dice.between(20, 2500));
        std::thread::sleep(wait);
        server.signal("KILL");
        for sender in load {
            sender.join().expect("a sender ends");
        }
        rounds.push(ledgers);
    }

    let mut server = home.start();
    let mut total = 0;
    for ledger in rounds.iter().flatten() {
        let mut ledger = ledger.lock().expect("no sender panicked");
        ledger.check(&server);
        ledger.settle(&server);
        total += ledger.acknowledged;
    }
    assert!(total > 100 * kills as u64, "only {total} spans were sent");

    // And once more after an orderly stop: what was in memory is in the catalog and the segments now.
    server.signal("TERM");
    assert!(server.wait(SOON).success());
    let audit = faulty::audit(home);
    for ledger in rounds.iter().flatten() {
        ledger.lock().expect("no sender panicked").agrees(&audit);
    }
    println!("kill: {kills} kills, {total} spans acknowledged, each counted once and kept once");
}
