//! What a vendor's documentation says, in words: beside its peers on an integration's page.

use std::collections::{BTreeMap, BTreeSet};

use crate::signals::call::Class;
use crate::signals::provider::{Citation, Meaning, Provider, Providers, RateLimit, Signature, Token};
use crate::web::format;

/// One vendor that the integration calls.
pub struct Vendor {
    /// As people say it.
    pub name: String,
    /// The hosts that are called.
    pub hosts: String,
    /// Where it tells of outages, empty where no file says.
    pub status: String,
    /// What is known of it.
    pub facts: Vec<Fact>,
}

/// One thing that its documentation says.
pub struct Fact {
    /// `Answers`, `Limit daily`, …
    pub what: String,
    /// In words.
    pub text: String,
    /// The page that says it.
    pub source: String,
    /// The day it was read.
    pub read: String,
}

/// The vendors whose hosts are among these peers, by name.
pub fn all<'p>(providers: &Providers, peers: impl Iterator<Item = &'p str>) -> Vec<Vendor> {
    let mut hosts: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for peer in peers {
        if let Some(at) = providers.index_of(peer) {
            hosts.entry(at).or_default().insert(peer);
        }
    }
    let vendor = |(at, hosts): (usize, BTreeSet<&str>)| {
        let provider = providers.at(at)?;
        Some(Vendor {
            name: provider.name.clone(),
            hosts: hosts.into_iter().collect::<Vec<_>>().join(", "),
            status: status(provider),
            facts: facts(provider),
        })
    };
    hosts.into_iter().filter_map(vendor).collect()
}

/// Where a peer's vendor tells of outages, empty where no file says.
pub fn status_of(providers: &Providers, peer: &str) -> String {
    providers.of(peer).map(status).unwrap_or_default()
}

fn status(provider: &Provider) -> String {
    provider.status_page.as_ref().map(|page| page.url.clone()).unwrap_or_default()
}

fn facts(provider: &Provider) -> Vec<Fact> {
    let fact = |what: &str, text: String, cited: &Citation| Fact {
        what: what.to_owned(),
        text,
        source: cited.source.clone(),
        read: cited.read.clone(),
    };
    let mut out: Vec<Fact> =
        provider.meanings.iter().map(|one| fact("Answer", meaning(one), &one.cited)).collect();
    out.extend(
        provider.rate_limits.iter().map(|one| fact(&format!("Limit {}", one.name), limit(one), &one.cited)),
    );
    out.extend(provider.tokens.iter().map(|one| {
        let kind = format::capital(&one.kind.replace('_', " "));
        fact(&kind, token(one), &one.cited)
    }));
    out.extend(provider.token_paths.iter().map(|one| fact("Tokens from", one.path.clone(), &one.cited)));
    out.extend(provider.signature.iter().map(|one| fact("Signature", signature(one), &one.cited)));
    out.extend(provider.delivery.iter().map(|one| {
        fact("Deliveries", format!("are to be answered within {}", one.answer_within.said), &one.cited)
    }));
    out
}

/// `403 with REQUEST_LIMIT_EXCEEDED: throttled, which is no failure until it is given up`.
fn meaning(meaning: &Meaning) -> String {
    let statuses: Vec<String> = meaning.status.iter().map(u16::to_string).collect();
    let mut with: Vec<String> = Vec::new();
    let codes: Vec<&str> = meaning.codes.iter().map(|code| code.name.as_str()).collect();
    if !codes.is_empty() {
        with.push(codes.join(" or "));
    }
    if let Some((key, value)) = &meaning.header {
        with.push(match value {
            Some(value) => format!("{}: {value}", key.name()),
            None => key.name().to_owned(),
        });
    }
    if let Some(words) = &meaning.says {
        with.push(format!("“{words}”"));
    }
    let what = match (statuses.is_empty(), with.is_empty()) {
        (true, _) => with.join(", "),
        (false, true) => statuses.join(" or "),
        (false, false) => format!("{} with {}", statuses.join(" or "), with.join(", ")),
    };
    format!("{what}: {}", counts_as(meaning.class))
}

/// What an answer of a class is, to people.
fn counts_as(class: Class) -> &'static str {
    match class {
        Class::Throttled => "throttled, which is no failure until it is given up",
        Class::AmbiguousRead | Class::AmbiguousWrite => "an answer that is shown and not judged",
        Class::Auth => "a refused credential",
        Class::Validation => "a rejected request",
        Class::Timeout => "a timeout",
        Class::Server => "a failure of the vendor's",
        Class::Network => "a network error",
        Class::Contract => "an unexpected answer",
        Class::Partial => "a success of a part of the records",
        Class::Ok => "a success",
        other => other.name(),
    }
}

/// `per user and hour: remaining in x-ratelimit-remaining, resets in x-ratelimit-reset (unix seconds)`.
fn limit(limit: &RateLimit) -> String {
    let mut parts: Vec<String> = Vec::new();
    if !limit.quota.is_empty() {
        parts.push(limit.quota.clone());
    }
    for (what, header) in &limit.headers {
        let unit = match *what {
            "resets" => format!(" ({})", limit.reset_is),
            _ => String::new(),
        };
        parts.push(format!("{what} in {header}{unit}"));
    }
    format!("per {}: {}", limit.per, parts.join(", "))
}

fn token(token: &Token) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(lifetime) = &token.lifetime {
        parts.push(format!("lasts {}", lifetime.said));
    }
    if let Some(idle) = &token.idle {
        parts.push(format!("is revoked if unused for {}", idle.said));
    }
    if !token.of.is_empty() {
        parts.push(format!("of {}", token.of));
    }
    parts.join(", ")
}

fn signature(signature: &Signature) -> String {
    let mut text = format!("{}, {}, in {}", signature.algorithm, signature.encoding, signature.header);
    if !signature.signed.is_empty() {
        text.push_str(&format!(", over {}", signature.signed));
    }
    if let Some(tolerance) = &signature.tolerance {
        text.push_str(&format!("; not older than {}", tolerance.said));
    }
    text
}
