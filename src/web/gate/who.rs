//! Who asks: the session of a browser, an API token, or somebody whom a trusted proxy names. What they may do is read
//! from the catalog at each request, so that a change holds from the next one on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, header};

use super::access::Proxies;
use super::cookie;
use crate::access::audit::{Actor, Entry};
use crate::access::person::{Session, Token, User, is_reserved};
use crate::access::role::Role;
use crate::access::secret::{Hash, Kind, Secret};
use crate::access::session;
use crate::signals::telemetry::Nanos;
use crate::store::Error;
use crate::web::State;

/// Somebody who asks.
#[derive(Clone, Debug)]
pub struct Who {
    /// As the audit log names them.
    pub name: String,
    /// What they may do now.
    pub role: Role,
    /// How they are known.
    pub means: Means,
    /// From where.
    pub address: IpAddr,
}

/// How somebody is known.
#[derive(Clone, Debug)]
pub enum Means {
    /// Nobody is told from another: no user and no key exist yet, and only this machine can ask.
    Open,
    /// A browser that somebody signed in with.
    Session(Hash, Box<User>),
    /// An API token.
    Token(Hash),
    /// A trusted proxy says so.
    Proxy,
}

impl Who {
    /// For what they do.
    pub fn actor(&self) -> Actor {
        Actor { name: self.name.clone(), address: self.address.to_string() }
    }

    /// What they did, for the audit log.
    pub fn did(
        &self,
        at: Nanos,
        action: &str,
        object: impl Into<String>,
        detail: impl Into<String>,
    ) -> Entry {
        self.actor().did(at, action, object.into(), detail.into())
    }

    /// The user who signed in here; none for who is known otherwise.
    pub fn user(&self) -> Option<&User> {
        match &self.means {
            Means::Session(_, user) => Some(user),
            _ => None,
        }
    }

    /// What their forms' tokens are made of.
    pub fn form_key(&self) -> String {
        match &self.means {
            Means::Session(hash, _) | Means::Token(hash) => {
                hash.iter().map(|byte| format!("{byte:02x}")).collect()
            }
            Means::Proxy => format!("proxy {}", self.name),
            Means::Open => "open".to_owned(),
        }
    }
}

/// Who asks; none for nobody who is known.
pub async fn asks(state: &State, headers: &HeaderMap, extensions: &Extensions) -> Result<Option<Who>, Error> {
    let proxies = &state.access.proxies;
    let peer = peer(extensions);
    let address = address(peer, headers, proxies);
    let people = state.store.people();
    let now = (state.clock)();
    if let Some(bearer) = bearer(headers) {
        let Some(secret) = token(bearer) else { return Ok(None) };
        let found = people.token(&secret.hash()).await?;
        return Ok(found.and_then(|(token, user)| by_token(state, secret.hash(), token, user, address, now)));
    }
    if let Some((name, role)) = by_proxy(peer, headers, proxies) {
        return Ok(role.map(|role| Who { name, role, means: Means::Proxy, address }));
    }
    if let Some(secret) = cookie::read(headers) {
        let found = people.session(&secret.hash()).await?;
        return Ok(found.and_then(|(session, user)| by_session(state, session, user, address, now)));
    }
    // Asked last: with a user there is no such thing, and most who ask are users.
    let made = people.access().await?;
    let open = state.access.may_be_open && !made.users && !made.keys;
    Ok(open.then(|| Who { name: "everyone".into(), role: Role::Operator, means: Means::Open, address }))
}

fn by_session(state: &State, session: Session, user: User, address: IpAddr, now: Nanos) -> Option<Who> {
    if !session::is_open(&session, now) || user.disabled_at.is_some() {
        return None;
    }
    if session::is_noted(&session, now) {
        let people = state.store.people();
        // Nobody waits for it; what is not written is written a minute later.
        tokio::spawn(async move { people.session_seen(&session.hash, now).await });
    }
    let (name, role) = (user.name.clone(), user.role);
    Some(Who { name, role, means: Means::Session(session.hash, Box::new(user)), address })
}

fn by_token(state: &State, hash: Hash, token: Token, user: User, address: IpAddr, now: Nanos) -> Option<Who> {
    if !token.is_good(now) || user.disabled_at.is_some() {
        return None;
    }
    if token.last_used_at.is_none_or(|last| now >= last.saturating_add(session::NOTED)) {
        let people = state.store.people();
        tokio::spawn(async move { people.token_used(token.id, now).await });
    }
    Some(Who { name: user.name, role: token.role.min(user.role), means: Means::Token(hash), address })
}

/// The name and the role that a trusted proxy gives; none where no such proxy names anybody.
fn by_proxy(peer: IpAddr, headers: &HeaderMap, proxies: &Proxies) -> Option<(String, Option<Role>)> {
    let header = proxies.user_header.as_deref().filter(|_| proxies.trust(peer))?;
    let mut named = headers.get_all(header).iter();
    let name = named.next()?.to_str().ok()?.trim();
    // Named twice, one of them is not the proxy's word.
    if name.is_empty() || name.len() > 256 || named.next().is_some() || is_reserved(name) {
        return None;
    }
    let mut groups = proxies.groups_header.iter().flat_map(|header| headers.get_all(header));
    let first = groups.next().and_then(|groups| groups.to_str().ok()).unwrap_or_default();
    // A proxy that adds a header where others set it: which of the two is its own cannot be told.
    if groups.next().is_some() {
        return None;
    }
    let groups: Vec<&str> = first.split(',').map(str::trim).collect();
    Some((name.to_owned(), proxies.role(&groups)))
}

/// What is shown as `Authorization: Bearer`. No browser adds that by itself; other schemes are a proxy's business.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, text) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(text.trim())
}

fn token(text: &str) -> Option<Secret> {
    let (kind, secret) = Secret::read(text)?;
    (kind == Kind::ApiToken).then_some(secret)
}

fn peer(extensions: &Extensions) -> IpAddr {
    let connection = extensions.get::<ConnectInfo<SocketAddr>>();
    connection.map_or(Ipv4Addr::LOCALHOST.into(), |ConnectInfo(address)| address.ip().to_canonical())
}

/// From where somebody asks: behind trusted proxies, the last address in `X-Forwarded-For` that is none of theirs.
pub fn address(peer: IpAddr, headers: &HeaderMap, proxies: &Proxies) -> IpAddr {
    let mut last = peer;
    let all = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = all.flat_map(|value| value.split(',')).map(str::trim).collect();
    for hop in hops.into_iter().rev() {
        if !proxies.trust(last) {
            break;
        }
        match hop.parse::<IpAddr>() {
            Ok(address) => last = address.to_canonical(),
            Err(_) => break,
        }
    }
    last
}

/// From where a request comes.
pub fn address_of(state: &State, headers: &HeaderMap, extensions: &Extensions) -> IpAddr {
    address(peer(extensions), headers, &state.access.proxies)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn proxies() -> Proxies {
        Proxies {
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            user_header: Some("x-forwarded-user".into()),
            groups_header: Some("x-forwarded-groups".into()),
            groups: vec![("ops".into(), Role::Operator)],
            otherwise: Some(Role::Viewer),
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_trusted_proxy_names_anybody() {
        let said = headers(&[("x-forwarded-user", "ada"), ("x-forwarded-groups", "dev, ops")]);
        assert_eq!(by_proxy(ip("10.1.2.3"), &said, &proxies()), Some(("ada".into(), Some(Role::Operator))));
        assert_eq!(by_proxy(ip("192.0.2.1"), &said, &proxies()), None);
        assert_eq!(by_proxy(ip("127.0.0.1"), &said, &Proxies::default()), None);
        let twice = headers(&[("x-forwarded-user", "eve"), ("x-forwarded-user", "ada")]);
        let twice: HeaderMap = twice.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        assert_eq!(by_proxy(ip("10.1.2.3"), &twice, &proxies()), None);
        assert_eq!(by_proxy(ip("10.1.2.3"), &headers(&[("x-forwarded-user", " ")]), &proxies()), None);
        // Nor does it name those whom the audit log means otherwise.
        for name in ["server", "Console:root", "key:shop", "-"] {
            assert_eq!(
                by_proxy(ip("10.1.2.3"), &headers(&[("x-forwarded-user", name)]), &proxies()),
                None,
                "{name}"
            );
        }
    }

    #[test]
    fn groups_of_two_headers_are_nobodys() {
        let mut said = headers(&[("x-forwarded-user", "eve"), ("x-forwarded-groups", "ops")]);
        assert_eq!(by_proxy(ip("10.1.2.3"), &said, &proxies()), Some(("eve".into(), Some(Role::Operator))));
        // Eve's own comes first, and the proxy's behind it.
        said.append("x-forwarded-groups", "dev".parse().unwrap());
        assert_eq!(by_proxy(ip("10.1.2.3"), &said, &proxies()), None);
    }

    #[test]
    fn an_address_is_believed_as_far_as_proxies_are_trusted() {
        let said = headers(&[("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.7")]);
        assert_eq!(
            address(ip("10.1.2.3"), &said, &proxies()),
            ip("203.0.113.9"),
            "not what the client made up"
        );
        assert_eq!(address(ip("192.0.2.1"), &said, &proxies()), ip("192.0.2.1"), "no proxy of ours");
        assert_eq!(
            address(ip("10.1.2.3"), &headers(&[("x-forwarded-for", "junk")]), &proxies()),
            ip("10.1.2.3")
        );
        assert_eq!(address(ip("10.1.2.3"), &HeaderMap::new(), &proxies()), ip("10.1.2.3"));
    }

    #[test]
    fn a_token_is_shown_as_bearer_and_nothing_else() {
        let api = Secret::mint(Kind::ApiToken).unwrap();
        let shown = |text: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, text.parse().unwrap())]);
            bearer(&headers).and_then(token)
        };
        assert_eq!(shown(&format!("bearer {}", api.reveal())), Some(api.clone()));
        let ingest = Secret::mint(Kind::IngestKey).unwrap();
        for bad in [
            format!("Basic {}", api.reveal()),
            api.reveal().to_owned(),
            format!("Bearer {}", ingest.reveal()),
        ] {
            assert_eq!(shown(&bad), None, "{bad}");
        }
    }
}
