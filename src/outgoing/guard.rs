//! Where a call may go: public addresses, by https, at a few ports; and what the operator adds to that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::client::Error;

/// Ports that are asked unless others are configured.
pub const PORTS: [u16; 2] = [443, 8443];

/// What is allowed.
#[derive(Clone, Debug)]
pub struct Policy {
    networks: Vec<Network>,
    names: Vec<String>,
    in_the_clear: Vec<String>,
    ports: Vec<u16>,
}

/// Where one call goes, as far as its address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As it is resolved, asked for in the handshake, and told in errors.
    pub host: Host<String>,
    /// The port.
    pub port: u16,
    /// Whether it is asked by https.
    pub secure: bool,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { networks: Vec::new(), names: Vec::new(), in_the_clear: Vec::new(), ports: PORTS.into() }
    }
}

impl Policy {
    /// `allow` holds networks (`10.1.0.0/16`), addresses and names of hosts that would be refused otherwise;
    /// `in_the_clear` hosts that may be asked without TLS.
    pub fn new(allow: &[String], in_the_clear: &[String], ports: &[u16]) -> Result<Policy, String> {
        let mut policy = Policy { ports: ports.into(), ..Policy::default() };
        for entry in allow {
            match Network::parse(entry) {
                Some(network) => policy.networks.push(network),
                None => policy.names.push(name(entry)?),
            }
        }
        for entry in in_the_clear {
            policy.in_the_clear.push(name(entry)?);
        }
        Ok(policy)
    }

    /// What can be told without resolving the name.
    pub fn target(&self, url: &str) -> Result<Target, Error> {
        let url = Url::parse(url).map_err(|_| Error::NoUrl)?;
        let host = match url.host() {
            Some(host) => host.to_owned(),
            // `file:`, `data:`, `unix:` and their like have none.
            None => return Err(Error::Scheme(url.scheme().to_owned())),
        };
        let secure = match url.scheme() {
            "https" => true,
            "http" if self.in_the_clear.contains(&spelled(&host)) => false,
            scheme => return Err(Error::Scheme(scheme.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Password(host.to_string()));
        }
        let port = url.port_or_known_default().unwrap_or(443);
        if !self.ports.contains(&port) {
            return Err(Error::Port(host.to_string(), port));
        }
        Ok(Target { host, port, secure })
    }

    /// Of the addresses that a host has, those that may be connected to.
    pub fn permitted(&self, host: &Host<String>, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Error> {
        if addresses.is_empty() {
            return Err(Error::NoAddress(host.to_string()));
        }
        let is_named = self.names.contains(&spelled(host));
        let permits = |address: &IpAddr| {
            let listed = self.networks.iter().any(|network| network.contains(*address));
            listed
                || match kind(*address) {
                    Kind::Public => true,
                    Kind::Private => is_named,
                    Kind::Special => false,
                }
        };
        let permitted: Vec<IpAddr> = addresses.into_iter().filter(permits).collect();
        if permitted.is_empty() { Err(Error::Inside(host.to_string())) } else { Ok(permitted) }
    }
}

/// As names are compared: small letters, no dot at the end.
fn spelled(host: &Host<String>) -> String {
    let text = host.to_string();
    text.trim_end_matches('.').trim_matches(['[', ']']).to_ascii_lowercase()
}

fn name(entry: &str) -> Result<String, String> {
    let said =
        || format!("\"{entry}\" is no host and no network; write idp.example.com, 10.1.2.3 or 10.1.0.0/16.");
    let is_name = !entry.is_empty() && !entry.contains(['/', '*', '@', ' ']);
    let bare =
        if entry.contains(':') && !entry.starts_with('[') { format!("[{entry}]") } else { entry.to_owned() };
    let host = is_name.then(|| Host::parse(&bare).ok()).flatten().ok_or_else(said)?;
    Ok(spelled(&host))
}

/// Addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    base: IpAddr,
    length: u8,
}

impl Network {
    /// `10.1.0.0/16`, or one address.
    fn parse(text: &str) -> Option<Network> {
        let (base, length) = match text.split_once('/') {
            Some((base, length)) => (base, Some(length.parse().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let whole = if base.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(whole);
        (length <= whole).then_some(Network { base, length })
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let differs = base.to_bits() ^ address.to_bits();
                differs.leading_zeros() >= u32::from(self.length)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let differs = base.to_bits() ^ address.to_bits();
                differs.leading_zeros() >= u32::from(self.length)
            }
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    /// Of a network behind a router: a host that the operator names may be there.
    Private,
    /// This machine, this link, a group, nobody, or another address in disguise: only by its own number.
    Special,
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Kind::Private,
        // This network, this machine, this link, groups, reserved and broadcast.
        [0 | 127 | 224..=255, ..] | [169, 254, ..] => Kind::Special,
        // Of protocols (metadata of one cloud among them), of 6to4's relays, of measurements, of documents.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Kind::Special
        }
        // Public by its number, and metadata by its use in another cloud.
        [168, 63, 129, 16] => Kind::Special,
        _ => Kind::Public,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        [0xfc00..=0xfdff, ..] => Kind::Private,
        // Teredo, benchmarks, ORCHID and documents; 6to4, which holds an IPv4 address; documents again.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => {
            Kind::Special
        }
        [0x2000..=0x3fff, ..] => Kind::Public,
        // Loopback, link-local, groups, and IPv4 addresses as ::ffff:a.b.c.d or by NAT64.
        _ => Kind::Special,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn addresses_inside_are_told_from_those_outside() {
        for address in [
            "8.8.8.8",
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(kind(ip(address)), Kind::Public, "{address}");
        }
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.200",
            "fc00::1",
            "fd00:ec2::254",
        ] {
            assert_eq!(kind(ip(address)), Kind::Private, "{address}");
        }
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "100::1",
            "3fff::1",
        ] {
            assert_eq!(kind(ip(address)), Kind::Special, "{address}");
        }
    }

    #[test]
    fn an_exception_opens_what_it_names_and_no_more() {
        let policy =
            Policy::new(&texts(&["10.1.0.0/16", "IDP.internal", "::1", "127.0.0.2"]), &[], &PORTS).unwrap();
        let ask = |host: &str, address: &str| {
            policy.permitted(&Host::parse(host).unwrap(), vec![ip(address)]).is_ok()
        };
        for (host, address) in [
            ("x.example", "10.1.255.255"),
            ("idp.internal", "10.2.0.1"),
            ("idp.internal.", "192.168.0.1"),
            ("x.example", "::1"),
            ("x.example", "127.0.0.2"),
            ("x.example", "8.8.8.8"),
        ] {
            assert!(ask(host, address), "{host} at {address}");
        }
        for (host, address) in [
            ("x.example", "10.2.0.1"),
            ("idp.internal.evil.example", "10.2.0.1"),
            ("idp.internal", "127.0.0.1"),
            ("idp.internal", "169.254.169.254"),
            ("idp.internal", "::ffff:10.2.0.1"),
            ("x.example", "::ffff:10.1.0.1"),
            ("x.example", "127.0.0.1"),
        ] {
            assert!(!ask(host, address), "{host} at {address}");
        }
        let mixed = vec![ip("127.0.0.1"), ip("9.9.9.9"), ip("10.9.9.9")];
        assert_eq!(policy.permitted(&Host::parse("x.example").unwrap(), mixed).unwrap(), [ip("9.9.9.9")]);
        assert!(matches!(
            policy.permitted(&Host::parse("x.example").unwrap(), vec![]),
            Err(Error::NoAddress(_))
        ));
    }

    #[test]
    fn what_is_no_exception_is_refused_with_what_to_write() {
        for wrong in
            ["", "10.0.0.0/33", "*.internal", "https://idp.internal", "10.0.0.0/x", "a b", "fd00::/200"]
        {
            let said = Policy::new(&texts(&[wrong]), &[], &PORTS).unwrap_err();
            assert!(said.contains("write idp.example.com, 10.1.2.3 or 10.1.0.0/16"), "{said}");
        }
        assert!(
            Policy::new(&texts(&["fd00::/8", "0.0.0.0/0"]), &texts(&["localhost", "::1"]), &PORTS).is_ok()
        );
    }

    #[test]
    fn the_address_that_is_asked_says_scheme_and_port() {
        let policy = Policy::new(&[], &texts(&["plain.internal"]), &[443, 8443, 80]).unwrap();
        assert_eq!(policy.target("https://a.example/x?y").unwrap().port, 443);
        assert!(!policy.target("http://PLAIN.internal/").unwrap().secure);
        let refused = |url: &str| policy.target(url).unwrap_err().to_string();
        assert!(refused("http://a.example/").contains("by https, and not by http"));
        assert!(refused("https://a.example:22/").contains("port 22"));
        assert!(refused("https://user:word@a.example/").contains("a name or a password"));
        assert!(refused("a.example").contains("no address"));
        assert!(!refused("https://user:word@a.example/").contains("word@"));
    }

    #[test]
    fn cve_2024_56331_only_web_addresses_are_asked() {
        for url in [
            "file:///etc/passwd",
            "file://localhost/etc/passwd",
            "FILE:///etc/passwd",
            "gopher://a.example/_x",
            "ftp://a.example/x",
            "dict://a.example:443/x",
            "data:text/plain,x",
            "unix:/run/docker.sock",
            "view-source:file:///etc/passwd",
            "javascript:alert(1)",
            "jar:https://a.example!/x",
            "ldap://a.example",
            "ws://a.example/",
            "about:blank",
        ] {
            assert!(matches!(Policy::default().target(url), Err(Error::Scheme(_))), "{url}");
        }
    }
}
