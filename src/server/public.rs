//! What must be there before an address is bound that the network reaches.

use std::net::SocketAddr;

use super::Addresses;
use crate::config::Config;
use crate::store;

/// Whether the addresses may be served, by what there is to let somebody in; why not, as a sentence.
pub fn check(config: &Config, addresses: &Addresses, there: &store::Access) -> Result<(), String> {
    let Addresses { web, otlp_http, otlp_grpc } = *addresses;
    let ports = [("web", web), ("otlp_http", otlp_http), ("otlp_grpc", otlp_grpc)];
    for (name, address) in ports.into_iter().filter(|(_, address)| is_public(*address)) {
        let takes_telemetry = name != "web";
        if takes_telemetry && !config.ingest.keys_on_loopback {
            return Err(format!(
                "{name} = {address} is reached by the network, and [ingest] keys_on_loopback = false would let \
                 everybody there send without a key. Leave one of them out."
            ));
        }
        if config.server.insecure_public {
            continue;
        }
        if name == "web" && !config.web_is_covered() {
            return Err(format!(
                "{name} = {address} would take passwords in the clear from the network; name a certificate in [tls], \
                 or, behind a proxy that speaks TLS, that proxy in [access] trusted_proxies."
            ));
        }
        let (missing, command) = match (there.users || config.others_vouch(), there.keys) {
            (false, _) => ("no user exists who could log in", "`seamwatch users add NAME`"),
            (true, false) if takes_telemetry => {
                ("no ingest key exists", "`seamwatch keys add NAME --integration PATTERN`")
            }
            _ => continue,
        };
        return Err(format!(
            "{name} = {address} is reached by the network, and {missing}: everybody could come in. Make one with \
             {command} on this data folder first, or bind 127.0.0.1. (--insecure-public serves it all the same.)"
        ));
    }
    Ok(())
}

/// What stands on every page of a server that insists.
pub fn notices(config: &Config, addresses: &Addresses) -> Vec<String> {
    openness(config, addresses).into_iter().chain(in_the_clear(config, addresses)).collect()
}

/// Ports that the network reaches without TLS, unless somebody said that something else sees to it.
fn in_the_clear(config: &Config, addresses: &Addresses) -> Option<String> {
    let addresses = [addresses.web, addresses.otlp_http, addresses.otlp_grpc];
    let ports = config.tls.ports().into_iter().zip(addresses);
    let clear = ports.filter(|((name, port), address)| {
        is_public(*address) && !port.off && config.tls.of(name, port).is_none()
    });
    let clear: Vec<String> = clear.map(|((name, _), address)| format!("{name} ({address})")).collect();
    (!clear.is_empty()).then(|| {
        format!(
            "Keys, passwords and telemetry cross the network in the clear: {}. Give [tls] a certificate and a key, or \
             say off = true in the port's section of it where something in front ends TLS.",
            clear.join(", ")
        )
    })
}

fn openness(config: &Config, addresses: &Addresses) -> Vec<String> {
    let Addresses { web, otlp_http, otlp_grpc } = *addresses;
    if config.server.insecure_public && [web, otlp_http, otlp_grpc].into_iter().any(is_public) {
        let sentence = "Open to everyone on the network: started with --insecure-public. Until a user and a key exist, \
                        whoever reaches it can send as anybody.";
        return vec![sentence.to_owned()];
    }
    Vec::new()
}

fn is_public(address: SocketAddr) -> bool {
    // An IPv4 address may be written as an IPv6 one.
    !address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(web: &str, http: &str, grpc: &str) -> Addresses {
        let read = |text: &str| text.parse().unwrap();
        Addresses { web: read(web), otlp_http: read(http), otlp_grpc: read(grpc) }
    }

    const HOME: &str = "127.0.0.1:1";
    const OUT: &str = "0.0.0.0:1";

    fn there(users: bool, keys: bool) -> store::Access {
        store::Access { version: 0, keys, users }
    }

    #[test]
    fn a_public_address_needs_a_user_and_one_for_telemetry_a_key_too() {
        let mut usual = Config::default();
        let said = check(&usual, &at(OUT, HOME, HOME), &there(true, true)).unwrap_err();
        assert!(said.starts_with("web = 0.0.0.0:1 would take passwords in the clear"), "{said}");
        usual.access.trusted_proxies = vec!["10.0.0.0/8".into()];
        let said = |addresses, users, keys| check(&usual, &addresses, &there(users, keys));
        assert_eq!(said(at(HOME, "[::1]:1", "[::ffff:127.0.0.1]:1"), false, false), Ok(()));
        for public in [at(OUT, HOME, HOME), at(HOME, OUT, HOME), at(HOME, HOME, "192.0.2.1:1")] {
            assert!(said(public, false, true).is_err_and(|said| said.contains("`seamwatch users add NAME`")));
        }
        assert_eq!(said(at(OUT, HOME, HOME), true, false), Ok(()));
        let keyless = said(at(OUT, HOME, "[::]:1"), true, false).unwrap_err();
        assert!(
            keyless.starts_with("otlp_grpc = [::]:1") && keyless.contains("`seamwatch keys add"),
            "{keyless}"
        );
        assert_eq!(said(at(OUT, OUT, OUT), true, true), Ok(()));
    }

    #[test]
    fn who_insists_is_told_on_every_page() {
        let mut insists = Config::default();
        insists.server.insecure_public = true;
        assert_eq!(check(&insists, &at(OUT, OUT, OUT), &there(false, false)), Ok(()));
        let said = |addresses| notices(&insists, &addresses).concat();
        assert!(said(at(OUT, HOME, HOME)).starts_with("Open to everyone on the network"));
        assert!(!said(at(HOME, HOME, HOME)).contains("network"));
    }

    #[test]
    fn a_public_port_in_the_clear_is_told_unless_it_is_meant() {
        let parse = |text: &str| Config::parse("c.toml", text).unwrap();
        let said = |config: &Config, addresses| in_the_clear(config, &addresses);
        let usual = Config::default();
        assert_eq!(said(&usual, at(HOME, HOME, HOME)), None);
        let told = said(&usual, at(OUT, HOME, "192.0.2.1:1")).unwrap();
        assert!(told.contains("web (0.0.0.0:1), otlp_grpc (192.0.2.1:1)."), "{told}");
        let meant = parse("[tls.web]\noff = true\n[tls.otlp_grpc]\ncertificate = \"a\"\nkey = \"b\"\n");
        assert_eq!(said(&meant, at(OUT, HOME, OUT)), None);
        assert!(said(&meant, at(OUT, OUT, OUT)).is_some_and(|told| told.contains("otlp_http")));
    }

    #[test]
    fn ingest_without_keys_stays_on_this_machine() {
        let mut open = Config::default();
        (open.ingest.keys_on_loopback, open.server.insecure_public) = (false, true);
        let said = check(&open, &at(OUT, HOME, OUT), &there(true, true)).unwrap_err();
        assert!(said.contains("keys_on_loopback"), "{said}");
        assert_eq!(check(&open, &at(OUT, HOME, HOME), &there(true, true)), Ok(()));
    }
}
