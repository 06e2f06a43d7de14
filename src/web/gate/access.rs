//! What the check needs: how passwords are hashed, what is signed with, whom a proxy may name.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::access::link::Signer;
use crate::access::password::Passwords;
use crate::access::role::Role;
use crate::access::throttle::Throttle;
use crate::signals::telemetry::Nanos;

/// Shared by all requests.
#[derive(Debug)]
pub struct Access {
    /// The one place where passwords are hashed.
    pub passwords: Passwords,
    /// Counts logins that were tried.
    pub throttle: Mutex<Throttle>,
    /// Signs links and forms.
    pub signer: Signer,
    /// Whether all is open while no user and no key exist: the port is on loopback and nobody vouches for people.
    pub may_be_open: bool,
    /// Proxies in front of this server.
    pub proxies: Proxies,
    /// Another number whenever somebody may do less or more than before.
    pub changes: watch::Receiver<i64>,
}

/// Proxies in front of this server, and what is believed of them.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Their networks: what others say of `X-Forwarded-For` or of users is not looked at.
    pub networks: Vec<Network>,
    /// The header in which they name who is signed in; none where they do not.
    pub user_header: Option<String>,
    /// The header in which they name the user's groups.
    pub groups_header: Option<String>,
    /// Group → role.
    pub groups: Vec<(String, Role)>,
    /// The role of who is in none of these groups; none for nobody's.
    pub otherwise: Option<Role>,
}

/// `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: u128,
    mask: u128,
}

impl std::str::FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let problem = || format!("\"{text}\" is no network; write it like 10.0.0.0/8, or a single address.");
        let (address, bits) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().map_err(|_| problem())?;
        // All are compared as IPv6: v4 is its last 32 bits.
        let (most, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let bits: u32 = if bits.is_empty() { most } else { bits.parse().map_err(|_| problem())? };
        if bits > most {
            return Err(problem());
        }
        let mask = u128::MAX.checked_shl(128 - (bits + offset)).unwrap_or(0);
        Ok(Network { base: wide(address) & mask, mask })
    }
}

impl Network {
    /// Whether an address is in it.
    pub fn holds(&self, address: IpAddr) -> bool {
        wide(address) & self.mask == self.base
    }
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl Proxies {
    /// Whether an address is a proxy's.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.holds(address))
    }

    /// The role of somebody in these groups.
    pub fn role(&self, groups: &[&str]) -> Option<Role> {
        let named = self.groups.iter().filter(|(group, _)| groups.contains(&&**group)).map(|(_, role)| *role);
        named.max().or(self.otherwise)
    }
}

impl Access {
    /// Counts a login that is tried, or says after how many seconds it may be.
    pub fn ask(&self, account: &str, address: IpAddr, now: Nanos) -> Result<(), u64> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).ask(account, address, now)
    }

    /// A login was right.
    pub fn good(&self, account: &str, address: IpAddr) {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).good(account, address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let holds = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().holds(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.1.2") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.1.1"), "v4 as v6");
        assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.8"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "8.8.8.8"));
        for bad in ["", "10.0.0.0/33", "10.0.0", "x/8", "10.0.0.0/-1", "::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn groups_give_the_highest_of_their_roles() {
        let proxies = Proxies {
            groups: vec![("ops".into(), Role::Operator), ("root".into(), Role::Admin)],
            ..Proxies::default()
        };
        assert_eq!(proxies.role(&["ops", "root", "x"]), Some(Role::Admin));
        assert_eq!(proxies.role(&["x"]), None);
        assert_eq!(Proxies { otherwise: Some(Role::Viewer), ..proxies }.role(&[]), Some(Role::Viewer));
    }
}
