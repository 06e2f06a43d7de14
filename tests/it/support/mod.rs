//! The small language the tests speak: a home with files, a real server started on it, things sent to it, things read
//! back. Nothing here knows the server's code; all goes through its command line and its ports.

pub mod certificates;
pub mod clients;
pub mod disk;
pub mod faulty;
pub mod grpc;
pub mod h2;
pub mod home;
pub mod ledger;
pub mod load;
pub mod otlp;
pub mod pack;
pub mod person;
pub mod raw;
pub mod server;
pub mod story;
pub mod throttle;

use std::time::{Duration, Instant};

/// Asks again and again until there is an answer. `what` is said when there is none in time.
pub fn wait_until<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {} s.", within.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Long enough for anything that takes no whole minute.
pub const SOON: Duration = Duration::from_secs(30);

/// Long enough for a rule to be judged: the minute must close, and 20 s more pass for late points.
pub const A_TICK: Duration = Duration::from_secs(180);

/// Numbers that a seed brings back: splitmix64.
pub struct Dice(pub u64);

impl Dice {
    /// From `SEAMWATCH_TEST_SEED`, else from the clock; printed, so that a failure can be played again.
    pub fn thrown(test: &str) -> Dice {
        let given = std::env::var("SEAMWATCH_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(otlp::now);
        println!("{test}: SEAMWATCH_TEST_SEED={seed}");
        Dice(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` up to and without `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }
}
