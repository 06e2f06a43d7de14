//! What vendors say of their own interfaces: which answers mean what, which headers tell of limits, how deliveries are
//! signed, how long tokens last, where outages are told. Facts only; a peer's host name says whose apply.
//!
//! `crate::providers` reads them from files. Each fact says where it was read, and when.

use std::borrow::Cow;
use std::collections::HashMap;

use super::call::Class;
use super::lookup::Lookup;
use super::telemetry::Value;

/// Captured response headers stand under this name and their own in lower case.
const HEADERS: &str = "http.response.header.";

/// Where a fact was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citation {
    /// The vendor's page.
    pub source: String,
    /// Further pages that it stands on.
    pub also: Vec<String>,
    /// The day, as 2026-11-25.
    pub read: String,
}

/// A host, or all hosts below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `api.stripe.com`, or `*.my.salesforce.com`; in lower case.
    pub pattern: String,
    /// Where it was read.
    pub cited: Citation,
}

/// Where the vendor tells of outages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusPage {
    /// Its address.
    pub url: String,
    /// Where it was read.
    pub cited: Citation,
}

/// What an answer means where HTTP's own meaning is not the vendor's. All that is given must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// One of these statuses; any where empty.
    pub status: Vec<u16>,
    /// One of these error codes; any where empty.
    pub codes: Vec<Code>,
    /// A captured response header that is there, or has this value.
    pub header: Option<(HeaderKey, Option<String>)>,
    /// Words of the body or of the span's status message, in lower case.
    pub says: Option<String>,
    /// What it is then.
    pub class: Class,
    /// Where it was read.
    pub cited: Citation,
}

/// An error code, also as it stands in a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// `REQUEST_LIMIT_EXCEEDED`.
    pub name: String,
    /// The same in quotation marks.
    quoted: String,
}

/// A response header by the attribute that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderKey(String);

/// What the headers say of a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimit {
    /// Which of the vendor's limits.
    pub name: String,
    /// What shares it: `user and hour`.
    pub per: String,
    /// (what it tells, header): `limit`, `remaining`, `used of limit`, `resets at`, `wait`.
    pub headers: Vec<(&'static str, String)>,
    /// How the reset is told, in words; empty where no header tells it.
    pub reset_is: &'static str,
    /// The allowance itself where the vendor names one figure for all.
    pub quota: String,
    /// Where it was read.
    pub cited: Citation,
}

/// How deliveries are signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// Header that carries it.
    pub header: String,
    /// `hmac-sha256`.
    pub algorithm: String,
    /// `hex` or `base64`.
    pub encoding: String,
    /// What is signed, in words.
    pub signed: String,
    /// How old a delivery may be.
    pub tolerance: Option<Length>,
    /// Where it was read.
    pub cited: Citation,
}

/// How deliveries are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How long the vendor waits for an answer.
    pub answer_within: Length,
    /// Where it was read.
    pub cited: Citation,
}

/// How long a token lasts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// `access_token`, `refresh_token`, … as in `integration.credential.kind`.
    pub kind: String,
    /// Whose, where that matters.
    pub of: String,
    /// From issue to expiry.
    pub lifetime: Option<Length>,
    /// Revoked if unused this long.
    pub idle: Option<Length>,
    /// Where it was read.
    pub cited: Citation,
}

/// Where tokens are had and refreshed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPath {
    /// The path of the address: `/connect/token`.
    pub path: String,
    /// Where it was read.
    pub cited: Citation,
}

/// A length of time as the vendor says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Length {
    /// `6 months`.
    pub said: String,
    /// The same in seconds; a month has 30 days.
    pub seconds: u64,
}

/// One vendor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provider {
    /// The file's name without its ending.
    pub id: String,
    /// As people say it.
    pub name: String,
    /// Whose answers are judged by it.
    pub hosts: Vec<Host>,
    /// Where it tells of outages.
    pub status_page: Option<StatusPage>,
    /// What answers mean, the first that holds.
    pub meanings: Vec<Meaning>,
    /// Limits.
    pub rate_limits: Vec<RateLimit>,
    /// How its deliveries are signed.
    pub signature: Option<Signature>,
    /// How its deliveries are made.
    pub delivery: Option<Delivery>,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// Where they are had.
    pub token_paths: Vec<TokenPath>,
}

/// All vendors, found by a peer's host.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    all: Vec<Provider>,
    exact: HashMap<String, usize>,
    below: HashMap<String, usize>,
}

/// What of an answer a vendor's table is asked with.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'l, 'a> {
    /// The HTTP status.
    pub status: Option<i64>,
    /// `error.type`, empty where none.
    pub error: &'l str,
    /// The redacted body, empty where none came.
    pub body: &'l str,
    /// The span's status message.
    pub message: &'l str,
    /// Where captured headers are.
    pub look: &'l Lookup<'l, 'a>,
}

impl Code {
    /// A code of that name.
    pub fn new(name: &str) -> Code {
        Code { name: name.to_owned(), quoted: format!("\"{name}\"") }
    }
}

impl HeaderKey {
    /// The header of that name.
    pub fn new(name: &str) -> HeaderKey {
        HeaderKey(format!("{HEADERS}{}", name.to_ascii_lowercase()))
    }

    /// The header's own name.
    pub fn name(&self) -> &str {
        self.0.strip_prefix(HEADERS).unwrap_or(&self.0)
    }
}

impl Meaning {
    fn holds(&self, answer: &Answer<'_, '_>) -> bool {
        let same_status = |status: &u16| answer.status == Some(i64::from(*status));
        if !self.status.is_empty() && !self.status.iter().any(same_status) {
            return false;
        }
        let named = |code: &Code| {
            answer.error.eq_ignore_ascii_case(&code.name) || answer.body.contains(&*code.quoted)
        };
        if !self.codes.is_empty() && !self.codes.iter().any(named) {
            return false;
        }
        if let Some((key, wanted)) = &self.header {
            let found = answer.look.own.named(&key.0);
            let Some(found) = found else { return false };
            if wanted.as_ref().is_some_and(|wanted| first_of(found) != *wanted) {
                return false;
            }
        }
        self.says.as_ref().is_none_or(|words| {
            [answer.body, answer.message].iter().any(|text| text.to_ascii_lowercase().contains(&**words))
        })
    }
}

/// A captured header is a list of values as JSON text, mostly of one.
fn first_of<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Str(text) | Value::Json(text) => {
            let inside = text.trim().trim_start_matches('[');
            let first = inside.split(',').next().unwrap_or(inside);
            Cow::Borrowed(first.trim_end_matches(']').trim().trim_matches('"'))
        }
        other => other.text(),
    }
}

impl Provider {
    /// What the vendor's own table says of an answer; none where it says nothing.
    pub fn class(&self, answer: &Answer<'_, '_>) -> Option<Class> {
        self.meanings.iter().find(|meaning| meaning.holds(answer)).map(|meaning| meaning.class)
    }
}

impl Providers {
    /// These vendors. Where two claim one host the first has it; the reader of the files refuses that.
    pub fn new(all: Vec<Provider>) -> Providers {
        let mut providers = Providers { all, ..Providers::default() };
        for (at, provider) in providers.all.iter().enumerate() {
            for host in &provider.hosts {
                let (names, name) = match host.pattern.strip_prefix("*.") {
                    Some(below) => (&mut providers.below, below),
                    None => (&mut providers.exact, &*host.pattern),
                };
                names.entry(name.to_owned()).or_insert(at);
            }
        }
        providers
    }

    /// All of them, by id.
    pub fn all(&self) -> &[Provider] {
        &self.all
    }

    /// Whose host that is: the host itself if somebody names it, else the longest name that it lies below.
    pub fn of(&self, host: &str) -> Option<&Provider> {
        self.index_of(host).and_then(|at| self.at(at))
    }

    /// The same as a place, for those who remember it.
    pub fn index_of(&self, host: &str) -> Option<usize> {
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.index_of(&host.to_ascii_lowercase());
        }
        let below = || {
            let dots = host.bytes().enumerate().filter(|(_, byte)| *byte == b'.');
            dots.filter_map(|(at, _)| host.get(at + 1..)).find_map(|name| self.below.get(name))
        };
        self.exact.get(host).or_else(below).copied()
    }

    /// The one at a place.
    pub fn at(&self, at: usize) -> Option<&Provider> {
        self.all.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor(id: &str, hosts: &[&str]) -> Provider {
        let host = |pattern: &&str| Host { pattern: (*pattern).to_owned(), cited: Citation::default() };
        Provider { id: id.into(), hosts: hosts.iter().map(host).collect(), ..Provider::default() }
    }

    #[test]
    fn the_nearest_name_has_the_host() {
        let all = vec![
            vendor("wide", &["*.example.com"]),
            vendor("near", &["*.eu.example.com", "api.example.com"]),
        ];
        let providers = Providers::new(all);
        let whose = |host| providers.of(host).map(|found| found.id.as_str());
        assert_eq!(whose("shop.example.com"), Some("wide"));
        assert_eq!(whose("a.b.example.com"), Some("wide"));
        assert_eq!(whose("x.eu.example.com"), Some("near"));
        assert_eq!(whose("API.example.com"), Some("near"), "hosts know no case");
        assert_eq!(whose("example.com"), None, "a pattern is of what lies below");
        assert_eq!(whose("badexample.com"), None);
        assert_eq!(whose("example.com.evil.test"), None);
        assert_eq!(whose(""), None);
        assert_eq!(whose("."), None);
    }

    #[test]
    fn a_captured_header_is_read_from_its_list() {
        let value = |text: &'static str| Value::Json(Cow::Borrowed(text));
        assert_eq!(first_of(&value("[\"0\"]")), "0");
        assert_eq!(first_of(&value("[\"0\",\"5\"]")), "0");
        assert_eq!(first_of(&Value::Str(Cow::Borrowed("60"))), "60");
        assert_eq!(first_of(&Value::Int(0)), "0");
        assert_eq!(first_of(&value("[]")), "");
    }
}
