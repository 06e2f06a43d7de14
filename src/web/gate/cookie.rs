//! The cookie of a session: the one place that makes it.
//!
//! `__Host-` and `Secure` go on it always. Browsers take both over plain HTTP from this machine itself, which they
//! trust; from anywhere else only TLS brings them.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::access::secret::{Kind, Secret};
use crate::access::session::ABSOLUTE;

/// Its name. A browser takes a name that begins so from the host itself only, over a trusted connection.
pub const NAME: &str = "__Host-seamwatch";
const TICKET: &str = "__Host-seamwatch-login";
const FLAGS: &str = "Path=/; HttpOnly; Secure; SameSite=Lax";

/// Sets it.
pub fn set(secret: &Secret) -> HeaderValue {
    let seconds = ABSOLUTE / 1_000_000_000;
    let text = format!("{NAME}={}; {FLAGS}; Max-Age={seconds}", secret.reveal());
    // Letters and digits: always a header's value.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Takes it away.
pub fn clear() -> HeaderValue {
    HeaderValue::from_str(&format!("{NAME}=; {FLAGS}; Max-Age=0")).unwrap_or(HeaderValue::from_static(""))
}

/// Sets what a browser holds while it is at a provider to sign in: letters, digits and `-_.` alone.
pub fn set_ticket(text: &str) -> HeaderValue {
    let text = format!("{TICKET}={text}; {FLAGS}; Max-Age=600");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Takes that away.
pub fn clear_ticket() -> HeaderValue {
    HeaderValue::from_str(&format!("{TICKET}=; {FLAGS}; Max-Age=0")).unwrap_or(HeaderValue::from_static(""))
}

/// What a browser holds that comes back from a provider.
pub fn read_ticket(headers: &HeaderMap) -> Option<&str> {
    named(headers, TICKET)
}

/// The session that a request shows.
pub fn read(headers: &HeaderMap) -> Option<Secret> {
    let text = named(headers, NAME)?;
    Secret::read(text).filter(|(kind, _)| *kind == Kind::Session).map(|(_, secret)| secret)
}

fn named<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gatus_1689_the_cookie_is_for_this_host_and_for_no_script() {
        let secret = Secret::mint(Kind::Session).unwrap();
        for cookie in [set(&secret), clear()] {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.starts_with("__Host-seamwatch="), "{cookie}");
            for flag in ["Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age="] {
                assert!(cookie.split("; ").any(|one| one.starts_with(flag)), "{flag} in {cookie}");
            }
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
    }

    #[test]
    fn cve_2018_15727_what_was_not_minted_here_is_no_session() {
        let secret = Secret::mint(Kind::Session).unwrap();
        let token = Secret::mint(Kind::ApiToken).unwrap();
        let of = |text: String| read(&HeaderMap::from_iter([(header::COOKIE, text.parse().unwrap())]));
        assert_eq!(of(format!("a=b; {NAME}={}; c=d", secret.reveal())), Some(secret.clone()));
        for bad in [token.reveal(), "", "1", "admin", &secret.reveal()[1..]] {
            assert_eq!(of(format!("{NAME}={bad}")), None, "{bad}");
        }
        assert_eq!(
            of(format!("seamwatch={}", secret.reveal())),
            None,
            "another name, which any site may set"
        );
    }
}
