//! One file on a vendor into a [`Provider`], or all that is wrong with it.

use std::collections::BTreeMap;

use crate::alert::document::{Document, Place, Section, nearest};
use crate::alert::rule::Problem;
use crate::signals::call::Class;
use crate::signals::classify::LAST_GOOD;
use crate::signals::provider::{
    Citation, Code, Delivery, HeaderKey, Host, Length, Meaning, Provider, RateLimit, Signature, StatusPage,
    Token, TokenPath,
};

/// What every fact has.
const CITED: [&str; 3] = ["source", "also", "read"];
/// The kinds of credentials of the vocabulary.
const KINDS: [&str; 6] =
    ["access_token", "refresh_token", "api_key", "webhook_secret", "certificate", "password"];
/// Longest `says` or code, so that a failing body is looked through quickly.
const LONGEST: usize = 100;

/// Reads one file. `claimed` knows which file has each host, and learns this one's.
pub fn parse(
    file: &str,
    text: &str,
    claimed: &mut BTreeMap<String, String>,
) -> Result<Provider, Vec<Problem>> {
    let mut document = Document::new(file, text);
    let Some(table) = document.parse() else { return Err(document.finish()) };
    let root = Section::root(&table);
    document.keys(
        &root,
        &[
            "name",
            "host",
            "status_page",
            "class",
            "rate_limit",
            "signature",
            "delivery",
            "token",
            "token_path",
        ],
        &[],
    );
    let name = document.required(&root, "name", "the vendor as people say it");
    let hosts = hosts(&mut document, &root, file, claimed);
    if !root.has("host") {
        document.problem(&(0..0), "there is no [[host]]: the file would never apply");
    }
    let meanings = document.sections(&root, "class");
    let meanings = meanings.iter().filter_map(|section| meaning(&mut document, section)).collect();
    let limits = document.sections(&root, "rate_limit");
    let rate_limits = limits.iter().map(|section| rate_limit(&mut document, section)).collect();
    let tokens = document.sections(&root, "token");
    let tokens = tokens.iter().map(|section| token(&mut document, section)).collect();
    let paths = document.sections(&root, "token_path");
    let token_paths = paths.iter().filter_map(|section| token_path(&mut document, section)).collect();
    let status_page = document.section(&root, "status_page").and_then(|at| status_page(&mut document, &at));
    let signature = document.section(&root, "signature").map(|at| signature(&mut document, &at));
    let delivery = document.section(&root, "delivery").and_then(|at| delivery(&mut document, &at));
    let base = file.rsplit('/').next().unwrap_or(file);
    match name {
        Some((name, _)) if document.is_clean() => Ok(Provider {
            id: base.trim_end_matches(".toml").to_owned(),
            name: name.to_owned(),
            hosts,
            status_page,
            meanings,
            rate_limits,
            signature,
            delivery,
            tokens,
            token_paths,
        }),
        _ => Err(document.finish()),
    }
}

/// Refuses keys that a fact does not have.
fn keys(document: &mut Document<'_>, section: &Section<'_>, own: &[&str]) {
    let known: Vec<&str> = own.iter().copied().chain(CITED).collect();
    document.keys(section, &known, &[]);
}

/// Where and when a fact was read: without both it is hearsay.
fn cited(document: &mut Document<'_>, section: &Section<'_>) -> Citation {
    let source = document.required(section, "source", "the page of the vendor's documentation that says it");
    if let Some((url, place)) = &source {
        address(document, "source", url, place);
    }
    let also = document.strings(section, "also").unwrap_or_default();
    also.iter().for_each(|(url, place)| address(document, "also", url, place));
    if !section.has("read") {
        document.problem(&section.place_of("read"), "read is missing: the day it was read, like 2026-11-25");
    }
    Citation {
        source: source.map(|(url, _)| url.to_owned()).unwrap_or_default(),
        also: also.iter().map(|(url, _)| (*url).to_owned()).collect(),
        read: document.day(section, "read").unwrap_or_default(),
    }
}

/// Only links that a browser may follow: they stand on pages and in mails.
fn address(document: &mut Document<'_>, key: &str, url: &str, place: &Place) {
    let host = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let good = host.is_some_and(is_host) && url.bytes().all(|byte| byte.is_ascii_graphic());
    if !good {
        document.problem(place, format!("{key}: \"{url}\" is not an address that starts with https://"));
    }
}

fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
    };
    name.contains('.') && name.split('.').all(label)
}

fn hosts(
    document: &mut Document<'_>,
    root: &Section<'_>,
    file: &str,
    claimed: &mut BTreeMap<String, String>,
) -> Vec<Host> {
    let mut out = Vec::new();
    for section in document.sections(root, "host") {
        keys(document, &section, &["pattern"]);
        let cited = cited(document, &section);
        let wanted = "a host like api.example.com, or *.example.com for all below one";
        let Some((pattern, place)) = document.required(&section, "pattern", wanted) else { continue };
        if !is_host(pattern.strip_prefix("*.").unwrap_or(pattern)) {
            document.problem(&place, format!("pattern: \"{pattern}\" is not {wanted}, in lower case"));
            continue;
        }
        match claimed.get(pattern) {
            Some(other) => {
                document.problem(&place, format!("pattern: \"{pattern}\" is a host of {other} too"));
            }
            None => {
                claimed.insert(pattern.to_owned(), file.to_owned());
                out.push(Host { pattern: pattern.to_owned(), cited });
            }
        }
    }
    out
}

fn meaning(document: &mut Document<'_>, section: &Section<'_>) -> Option<Meaning> {
    keys(document, section, &["status", "codes", "header", "value", "says", "class"]);
    let status: Vec<u16> = document
        .integers(section, "status", 100, 599)
        .into_iter()
        .filter_map(|status| u16::try_from(status).ok())
        .collect();
    let codes = document.strings(section, "codes").unwrap_or_default();
    for (code, place) in &codes {
        if code.is_empty() || code.len() > LONGEST || code.contains(['"', '\\']) {
            document.problem(place, format!("codes: \"{code}\" is no error code of up to {LONGEST} letters"));
        }
    }
    let header = header(document, section, "header");
    let value = document.string(section, "value").map(|(value, _)| value.to_owned());
    if value.is_some() && header.is_none() {
        document.problem(&section.place_of("value"), "value is the header's: name the header too");
    }
    let says = document.read(section, "says", |words| match words.len() {
        3..=LONGEST => Ok(words.to_ascii_lowercase()),
        _ => Err(format!("these must be 3 to {LONGEST} letters")),
    });
    let by_words = !codes.is_empty() || says.is_some();
    if status.is_empty() && !by_words && header.is_none() {
        document.problem(
            &section.place_of("class"),
            "this holds for every answer; add status, codes, header or says",
        );
    }
    let good = status.is_empty() || status.iter().any(|status| i64::from(*status) <= LAST_GOOD);
    if good && !by_words && (header.is_some() || !status.is_empty()) {
        let problem = "a good answer is judged by what is in it: add codes or says, or a status above 206";
        document.problem(&section.place_of("class"), problem);
    }
    let cited = cited(document, section);
    if !section.has("class") {
        document.required(section, "class", "what the answer is then");
    }
    let class = document.read(section, "class", class)?.0;
    Some(Meaning {
        status,
        codes: codes.iter().map(|(code, _)| Code::new(code)).collect(),
        header: header.map(|name| (HeaderKey::new(&name), value)),
        says: says.map(|(words, _)| words),
        class,
        cited,
    })
}

/// A class that an answer may have: what only the integration itself can know is none.
fn class(name: &str) -> Result<Class, String> {
    let only_ours = [Class::Rejected, Class::Ignored, Class::Cancelled];
    let names: Vec<&str> =
        Class::ALL.into_iter().filter(|class| !only_ours.contains(class)).map(Class::name).collect();
    Class::from_name(name).filter(|class| !only_ours.contains(class)).ok_or_else(|| {
        match nearest(name, &names) {
            Some(near) => format!("\"{name}\" is no class of an answer; did you mean \"{near}\"?"),
            None => format!("\"{name}\" is no class of an answer; these are {}", names.join(", ")),
        }
    })
}

fn header(document: &mut Document<'_>, section: &Section<'_>, key: &str) -> Option<String> {
    let name = document.read(section, key, |name| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        match !name.is_empty() && name.bytes().all(plain) {
            true => Ok(name.to_owned()),
            false => Err(format!("\"{name}\" is no header's name in lower case")),
        }
    });
    name.map(|(name, _)| name)
}

fn rate_limit(document: &mut Document<'_>, section: &Section<'_>) -> RateLimit {
    let own =
        ["name", "per", "limit", "remaining", "used_of_limit", "reset", "reset_is", "retry_after", "quota"];
    keys(document, section, &own);
    let told = [
        ("limit", "limit"),
        ("remaining", "remaining"),
        ("used of limit", "used_of_limit"),
        ("resets", "reset"),
        ("wait", "retry_after"),
    ];
    let headers: Vec<(&'static str, String)> =
        told.into_iter().filter_map(|(what, key)| Some((what, header(document, section, key)?))).collect();
    let reset_is = document.read(section, "reset_is", |unit| match unit {
        "seconds" => Ok("seconds from now"),
        "unix_seconds" => Ok("unix seconds"),
        "unix_milliseconds" => Ok("unix milliseconds"),
        _ => Err(format!("\"{unit}\" is not seconds, unix_seconds or unix_milliseconds")),
    });
    if section.has("reset") != section.has("reset_is") {
        document.problem(&section.place_of("reset"), "reset and reset_is stand together");
    }
    if headers.is_empty() && !section.has("quota") {
        document.problem(&section.place_of("name"), "this says nothing: name a header, or the quota");
    }
    let text = |found: Option<(&str, Place)>| found.map(|(text, _)| text.to_owned()).unwrap_or_default();
    RateLimit {
        name: text(document.required(section, "name", "which of the vendor's limits")),
        per: text(document.required(section, "per", "what shares it, like \"user and hour\"")),
        headers,
        reset_is: reset_is.map_or("", |(unit, _)| unit),
        quota: text(document.string(section, "quota")),
        cited: cited(document, section),
    }
}

fn signature(document: &mut Document<'_>, section: &Section<'_>) -> Signature {
    keys(document, section, &["header", "algorithm", "encoding", "signed", "tolerance"]);
    let one_of = |wanted: &'static [&'static str]| {
        move |text: &str| match wanted.contains(&text) {
            true => Ok(text.to_owned()),
            false => Err(format!("\"{text}\" is not one of {}", wanted.join(", "))),
        }
    };
    for key in ["header", "algorithm", "encoding"] {
        if !section.has(key) {
            document.problem(&section.place_of(key), format!("{key} is missing"));
        }
    }
    let algorithm =
        document.read(section, "algorithm", one_of(&["hmac-sha256", "hmac-sha1", "hmac-sha512", "ed25519"]));
    let encoding = document.read(section, "encoding", one_of(&["hex", "base64"]));
    Signature {
        header: header(document, section, "header").unwrap_or_default(),
        algorithm: algorithm.map(|(name, _)| name).unwrap_or_default(),
        encoding: encoding.map(|(name, _)| name).unwrap_or_default(),
        signed: document.string(section, "signed").map(|(text, _)| text.to_owned()).unwrap_or_default(),
        tolerance: length(document, section, "tolerance"),
        cited: cited(document, section),
    }
}

fn delivery(document: &mut Document<'_>, section: &Section<'_>) -> Option<Delivery> {
    keys(document, section, &["answer_within"]);
    document.required(section, "answer_within", "how long the vendor waits, like \"10 seconds\"");
    let cited = cited(document, section);
    Some(Delivery { answer_within: length(document, section, "answer_within")?, cited })
}

fn status_page(document: &mut Document<'_>, section: &Section<'_>) -> Option<StatusPage> {
    keys(document, section, &["url"]);
    let cited = cited(document, section);
    let (url, place) = document.required(section, "url", "where the vendor tells of outages")?;
    address(document, "url", url, &place);
    Some(StatusPage { url: url.to_owned(), cited })
}

fn token(document: &mut Document<'_>, section: &Section<'_>) -> Token {
    keys(document, section, &["kind", "of", "lifetime", "idle"]);
    document.required(section, "kind", "access_token, refresh_token, …");
    let kind = document.read(section, "kind", |kind| match KINDS.contains(&kind) {
        true => Ok(kind.to_owned()),
        false => Err(format!("\"{kind}\" is not one of {}", KINDS.join(", "))),
    });
    if !section.has("lifetime") && !section.has("idle") {
        document.problem(&section.place_of("kind"), "this says nothing: add lifetime or idle");
    }
    Token {
        kind: kind.map(|(kind, _)| kind).unwrap_or_default(),
        of: document.string(section, "of").map(|(text, _)| text.to_owned()).unwrap_or_default(),
        lifetime: length(document, section, "lifetime"),
        idle: length(document, section, "idle"),
        cited: cited(document, section),
    }
}

fn token_path(document: &mut Document<'_>, section: &Section<'_>) -> Option<TokenPath> {
    keys(document, section, &["path"]);
    let cited = cited(document, section);
    let (path, place) = document.required(section, "path", "where tokens are had, like \"/oauth/token\"")?;
    if !path.starts_with('/') || path.contains(['?', '#']) || path.len() > LONGEST {
        document
            .problem(&place, format!("path: \"{path}\" is not the path of an address, like /oauth/token"));
        return None;
    }
    Some(TokenPath { path: path.to_owned(), cited })
}

fn length(document: &mut Document<'_>, section: &Section<'_>, key: &str) -> Option<Length> {
    let read = |text: &str| {
        let wrong = || format!("\"{text}\" is no length of time, like \"8 hours\" or \"6 months\"");
        let (count, unit) = text.split_once(' ').ok_or_else(wrong)?;
        let count: u64 =
            count.parse().ok().filter(|count| (1..=100_000).contains(count)).ok_or_else(wrong)?;
        let seconds = match unit.trim_end_matches('s') {
            "second" => 1,
            "minute" => 60,
            "hour" => 3_600,
            "day" => 86_400,
            "month" => 30 * 86_400,
            "year" => 365 * 86_400,
            _ => return Err(wrong()),
        };
        Ok(Length { said: text.to_owned(), seconds: count * seconds })
    };
    document.read(section, key, read).map(|(length, _)| length)
}
