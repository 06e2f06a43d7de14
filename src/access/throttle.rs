//! How often a login may be tried: by account and by network, within a quarter of an hour.
//!
//! Nobody is locked out: who has to wait is told how long. A network from which an account was signed in to has a
//! count of its own there, so that strangers who guess do not keep its owner out.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use crate::signals::telemetry::Nanos;

/// Within which tries are counted.
pub const WINDOW: Nanos = 15 * 60 * 1_000_000_000;
/// Tries of one account.
pub const OF_ACCOUNT: usize = 5;
/// Tries from one network.
pub const OF_NETWORK: usize = 20;
/// Accounts and networks remembered; beyond it those that were quiet longest are forgotten.
const MOST: usize = 20_000;

/// What the tries are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Of {
    Account(String),
    AccountFrom(String, IpAddr),
    Network(IpAddr),
}

/// Counts tries.
#[derive(Debug, Default)]
pub struct Throttle {
    tries: HashMap<Of, VecDeque<Nanos>>,
    known: HashSet<(String, IpAddr)>,
}

impl Throttle {
    /// Counts a try, or says after how many seconds the next may be made.
    pub fn ask(&mut self, account: &str, address: IpAddr, now: Nanos) -> Result<(), u64> {
        self.forget(now);
        let both = [(self.of(account, address), OF_ACCOUNT), (Of::Network(network(address)), OF_NETWORK)];
        let waits = both.iter().filter_map(|(of, most)| {
            let tries = self.tries.get(of)?;
            let first = tries.iter().rev().take(*most).nth(most - 1)?;
            (now < first + WINDOW).then(|| (first + WINDOW - now) as u64)
        });
        if let Some(wait) = waits.max() {
            return Err(wait.div_ceil(1_000_000_000).max(1));
        }
        for (of, most) in both {
            let tries = self.tries.entry(of).or_default();
            tries.push_back(now);
            if tries.len() > most {
                tries.pop_front();
            }
        }
        Ok(())
    }

    /// A try was right: the account's count begins anew, and its network is known from now on.
    pub fn good(&mut self, account: &str, address: IpAddr) {
        self.tries.remove(&self.of(account, address));
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert((fold(account), network(address)));
    }

    fn of(&self, account: &str, address: IpAddr) -> Of {
        let from = (fold(account), network(address));
        match self.known.contains(&from) {
            true => Of::AccountFrom(from.0, from.1),
            false => Of::Account(from.0),
        }
    }

    fn forget(&mut self, now: Nanos) {
        if self.tries.len() < MOST {
            return;
        }
        let latest = |tries: &VecDeque<Nanos>| tries.back().copied().unwrap_or(0);
        self.tries.retain(|_, tries| now < latest(tries) + WINDOW);
        if self.tries.len() >= MOST {
            let mut times: Vec<Nanos> = self.tries.values().map(latest).collect();
            times.sort_unstable();
            let middle = times.get(times.len() / 2).copied().unwrap_or(now);
            self.tries.retain(|_, tries| latest(tries) > middle);
        }
    }
}

/// Names that differ in case alone are one account; a name that is none is cut, so that nobody fills the memory.
fn fold(account: &str) -> String {
    account.chars().take(64).collect::<String>().to_lowercase()
}

/// The /24 or the /64 of an address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::from([v4.octets()[0], v4.octets()[1], v4.octets()[2], 0]),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_sixth_try_of_an_account_waits_from_wherever_it_comes() {
        let mut throttle = Throttle::default();
        for n in 0..5 {
            let from = ip(&format!("192.0.{n}.1"));
            assert_eq!(throttle.ask(["ada", "ADA"][n as usize % 2], from, n * SECOND), Ok(()), "{n}");
        }
        assert_eq!(throttle.ask("Ada", ip("198.51.100.1"), 10 * SECOND), Err(890));
        assert_eq!(throttle.ask("bob", ip("198.51.100.1"), 10 * SECOND), Ok(()), "another account does not");
        // It is told when, and then it may.
        assert_eq!(throttle.ask("ada", ip("198.51.100.1"), WINDOW), Ok(()));
        assert!(throttle.ask("ada", ip("198.51.100.1"), WINDOW).is_err(), "one, not five");
    }

    #[test]
    fn the_twenty_first_try_of_a_network_waits_whatever_the_account() {
        for (net, other) in [
            ("203.0.113.", "203.0.114.1"),
            ("2001:db8::", "2001:db8:0:1::1"),
            ("::ffff:203.0.113.", "::ffff:203.0.114.1"),
        ] {
            let mut throttle = Throttle::default();
            for n in 1..=20 {
                assert_eq!(throttle.ask(&format!("user{n}"), ip(&format!("{net}{n}")), 0), Ok(()));
            }
            assert_eq!(throttle.ask("another", ip(&format!("{net}99")), 0), Err(900), "{net}");
            assert_eq!(throttle.ask("another", ip(other), 0), Ok(()), "{net}");
        }
    }

    #[test]
    fn strangers_who_guess_do_not_keep_the_owner_out() {
        let mut throttle = Throttle::default();
        let home = ip("192.0.2.7");
        assert_eq!(throttle.ask("ada", home, 0), Ok(()));
        throttle.good("ada", home);
        for n in 0..5 {
            assert_eq!(throttle.ask("ada", ip("198.51.100.1"), n), Ok(()));
        }
        assert!(throttle.ask("ada", ip("198.51.100.1"), 6).is_err());
        assert_eq!(throttle.ask("ada", home, 7), Ok(()));
    }

    #[test]
    fn memory_is_bounded_however_many_try() {
        let mut throttle = Throttle::default();
        for n in 0..(3 * MOST) as u32 {
            let from = IpAddr::from((n << 8).to_be_bytes());
            let _ = throttle.ask(&format!("user{n}"), from, i64::from(n));
        }
        assert!(throttle.tries.len() <= MOST + 2, "{}", throttle.tries.len());
    }
}
