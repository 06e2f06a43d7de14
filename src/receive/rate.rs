//! A limit on how much may come in a second, as one number: the moment at which all that was taken is paid for (the
//! generic cell rate algorithm). What is ahead of the present is debt, and a second of it is a burst.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// What was taken so far. The present is given as nanoseconds of a clock that never goes back.
#[derive(Debug, Default)]
pub struct Rate(AtomicU64);

impl Rate {
    /// Whether there is no more than a burst to pay for; else how long until then.
    pub fn check(&self, now: u64) -> Result<(), Duration> {
        let debt = self.0.load(Ordering::Relaxed).saturating_sub(now);
        if debt < SECOND { Ok(()) } else { Err(Duration::from_nanos(debt - SECOND + 1)) }
    }

    /// Takes so much, whatever is owed already: what has come has come.
    pub fn take(&self, amount: u64, a_second: u32, now: u64) {
        let cost = amount.saturating_mul(SECOND) / u64::from(a_second.max(1));
        let paid = |until: u64| Some(until.max(now).saturating_add(cost));
        // The closure always gives a value.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests of `amount` that pass when one comes each `every` nanoseconds for so many seconds.
    fn passed(a_second: u32, amount: u64, every: u64, seconds: u64) -> u64 {
        let rate = Rate::default();
        let mut count = 0;
        for now in (0..seconds * SECOND).step_by(every as usize) {
            if rate.check(now).is_ok() {
                rate.take(amount, a_second, now);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_refused_and_who_does_not_gets_the_rate_and_a_burst() {
        assert_eq!(passed(10, 1, SECOND / 10, 60), 600);
        assert_eq!(passed(10, 1, SECOND / 1000, 60), 610);
        assert_eq!(passed(1, 1, SECOND / 1000, 60), 61);
        // Bytes: bodies of 1000 at 4000 a second.
        assert_eq!(passed(4000, 1000, SECOND / 100, 60), 244);
    }

    #[test]
    fn one_that_is_larger_than_the_rate_is_taken_and_paid_for_afterwards() {
        let rate = Rate::default();
        assert_eq!(rate.check(0), Ok(()));
        rate.take(10_000, 1000, 0);
        let wait = rate.check(0).unwrap_err();
        assert_eq!(wait.as_secs(), 9);
        assert!(rate.check(wait.as_nanos() as u64 - 2).is_err());
        assert_eq!(rate.check(wait.as_nanos() as u64), Ok(()));
    }
}
