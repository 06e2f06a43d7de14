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
        let (missing, command) = match (there.users, there.keys) {
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
    let Addresses { web, otlp_http, otlp_grpc } = *addresses;
    if config.server.insecure_public && [web, otlp_http, otlp_grpc].into_iter().any(is_public) {
        let sentence = "Open to everyone on the network: started with --insecure-public. Until a user and a key exist, \
                        whoever reaches it can send as anybody.";
        return vec![sentence.to_owned()];
    }
    vec![crate::web::OPEN_TO_ALL.to_owned()]
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
        let usual = Config::default();
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
    fn ingest_without_keys_stays_on_this_machine() {
        let mut open = Config::default();
        (open.ingest.keys_on_loopback, open.server.insecure_public) = (false, true);
        let said = check(&open, &at(OUT, HOME, OUT), &there(true, true)).unwrap_err();
        assert!(said.contains("keys_on_loopback"), "{said}");
        assert_eq!(check(&open, &at(OUT, HOME, HOME), &there(true, true)), Ok(()));
    }
}
