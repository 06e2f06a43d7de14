//! Peer and endpoint of a call, and the path normaliser (vocabulary section 3).

use std::borrow::Cow;

use super::lookup::Lookup;
use super::observation::Direction;
use super::telemetry::{Span, SpanKind};
use super::vocabulary::Attr;

/// Longest endpoint or peer, in bytes.
const LONGEST: usize = 200;
/// Most segments of a normalised path.
const SEGMENTS: usize = 8;

/// Which way a span goes; none for a span that serves traces only.
pub fn direction(span: &Span<'_>, look: &Lookup<'_, '_>) -> Option<Direction> {
    if look.get(Attr::DbSystem).is_some() {
        return (span.kind != SpanKind::Unspecified && span.kind != SpanKind::Internal)
            .then_some(Direction::Dependency);
    }
    match span.kind {
        SpanKind::Client => {
            let calls = [Attr::HttpMethod, Attr::RpcSystem, Attr::RpcMethod, Attr::UrlFull, Attr::Endpoint];
            let known = calls.into_iter().any(|attr| look.get(attr).is_some());
            Some(if known { Direction::Outbound } else { Direction::Dependency })
        }
        SpanKind::Server | SpanKind::Consumer => Some(Direction::Inbound),
        SpanKind::Producer => Some(Direction::Dependency),
        SpanKind::Internal => span.attributes.get(Attr::Endpoint).map(|_| Direction::Outbound),
        SpanKind::Unspecified => None,
    }
}

/// The host of the other side and its port, where known.
pub fn peer<'l>(look: &'l Lookup<'_, '_>) -> (Cow<'l, str>, Option<u16>) {
    let port = || look.i64(Attr::ServerPort).and_then(|port| u16::try_from(port).ok());
    if let Some(address) = look.str(Attr::ServerAddress).or_else(|| look.str(Attr::HttpHost)) {
        let (host, inside) = split_port(address);
        return (Cow::Borrowed(cut(host)), inside.or_else(port));
    }
    if let Some((scheme, host)) = look.str(Attr::UrlFull).and_then(host_of) {
        let (host, inside) = split_port(host);
        let by_scheme = if scheme == "https" { 443 } else { 80 };
        return (Cow::Borrowed(cut(host)), inside.or_else(port).or(Some(by_scheme)));
    }
    (Cow::Borrowed(cut(look.str(Attr::PeerService).unwrap_or(""))), port())
}

/// Writes the endpoint's name, the first rule that applies, over what is there; [`cut`] it before it is kept.
pub fn write(into: &mut String, span: &Span<'_>, look: &Lookup<'_, '_>) {
    into.clear();
    if let Some(endpoint) = look.str(Attr::Endpoint) {
        into.push_str(endpoint);
    } else if let Some(method) = look.str(Attr::HttpMethod) {
        into.push_str(method);
        into.push(' ');
        if span.kind == SpanKind::Server { server_path(into, look) } else { client_path(into, look) }
    } else {
        into.push_str(&named(look).unwrap_or_else(|| span.name.to_string()));
    }
}

fn named(look: &Lookup<'_, '_>) -> Option<String> {
    if let Some(method) = look.str(Attr::RpcMethod) {
        return Some(match look.str(Attr::RpcService) {
            Some(service) if !method.contains('/') => format!("{service}/{method}"),
            _ => method.to_owned(),
        });
    }
    if let Some(operation) = look.str(Attr::MessagingOperationType) {
        let operation = match operation {
            "publish" => "send",
            "deliver" => "process",
            current => current,
        };
        let template = look.str(Attr::MessagingDestinationTemplate);
        let destination = template.or_else(|| look.str(Attr::MessagingDestination)).unwrap_or("*");
        return Some(format!("{operation} {destination}"));
    }
    if let Some(operation) = look.str(Attr::DbOperation) {
        return Some(format!("{operation} {}", look.str(Attr::DbCollection).unwrap_or("*")));
    }
    let trigger = look.str(Attr::FaasTrigger)?;
    Some(format!("{trigger} {}", look.str(Attr::FaasName).unwrap_or("*")))
}

fn client_path(into: &mut String, look: &Lookup<'_, '_>) {
    if let Some(template) = look.str(Attr::UrlTemplate) {
        return into.push_str(path_of(template));
    }
    raw_path(into, look, [Attr::UrlFull, Attr::UrlPath, Attr::HttpTarget]);
}

fn server_path(into: &mut String, look: &Lookup<'_, '_>) {
    if let Some(route) = look.str(Attr::HttpRoute) {
        return into.push_str(route);
    }
    raw_path(into, look, [Attr::UrlPath, Attr::HttpTarget, Attr::UrlFull]);
}

fn raw_path(into: &mut String, look: &Lookup<'_, '_>, from: [Attr; 3]) {
    match from.into_iter().find_map(|attr| look.str(attr)) {
        Some(raw) => normalise(into, raw),
        None => into.push('*'),
    }
}

/// Adds the path of a URL or path with ids replaced by `{id}`: no query, fragment, host or user info, eight segments.
pub fn normalise(into: &mut String, url: &str) {
    let before = into.len();
    for segment in path_of(url).split('/').filter(|segment| !segment.is_empty()).take(SEGMENTS) {
        into.push('/');
        into.push_str(if is_id(segment) { "{id}" } else { segment });
    }
    if into.len() == before {
        into.push('/');
    }
}

/// The path of a URL or of a path with a query.
pub fn path_of(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = url.get(..end).unwrap_or(url);
    match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => url,
    }
}

/// Whether a path segment names one thing rather than a kind of thing.
fn is_id(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == bytes.len() {
        return true;
    }
    if segment.starts_with('{') || is_version(segment) {
        return false;
    }
    let hex = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    (hex && digits > 0 && bytes.len() >= 8)
        || is_ulid(bytes)
        || segment.contains('@')
        || segment.contains('%')
        // What stood here was taken out: an address, a token.
        || segment.contains("[email")
        || segment.contains("[redacted]")
        || is_date(bytes)
        || (bytes.len() >= 12 && digits >= 2)
}

fn is_version(segment: &str) -> bool {
    let digits = segment.strip_prefix('v').unwrap_or("");
    !digits.is_empty()
        && digits.len() <= 3
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn is_ulid(bytes: &[u8]) -> bool {
    bytes.len() == 26 && bytes.iter().all(u8::is_ascii_alphanumeric) && bytes[0].is_ascii_digit()
}

fn is_date(bytes: &[u8]) -> bool {
    bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() })
}

fn host_of(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    (!host.is_empty()).then_some((scheme, host))
}

fn split_port(address: &str) -> (&str, Option<u16>) {
    match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (address, None),
        },
        _ => (address, None),
    }
}

/// At most 200 bytes, at a character's end.
pub fn cut(text: &str) -> &str {
    if text.len() <= LONGEST {
        return text;
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_templates_and_words_stay() {
        let cases = [
            ("https://user:pw@api.example:8443/v1/charges/42?expand=x#top", "/v1/charges/{id}"),
            ("/people/[email 0a1b2c3d4e]/orders", "/people/{id}/orders"),
            ("https://hooks.slack.example/services/[redacted]", "/services/{id}"),
            ("/crm/v3/objects/contacts/901", "/crm/v3/objects/contacts/{id}"),
            ("/users/3fa85f64-5717-4562-b3fc-2c963f66afa6/orders", "/users/{id}/orders"),
            ("/u/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/u/{id}"),
            ("/commits/deadbeef1", "/commits/{id}"),
            ("/cafe/decade", "/cafe/decade"),
            ("/people/ana@example.com", "/people/{id}"),
            ("/files/a%20b", "/files/{id}"),
            ("/days/2026-11-24", "/days/{id}"),
            ("/orders/order_8a7b6c5d4e", "/orders/{id}"),
            ("/v2/invoices", "/v2/invoices"),
            ("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h"),
            ("https://api.example", "/"),
            ("", "/"),
        ];
        for (url, wanted) in cases {
            let mut path = String::new();
            normalise(&mut path, url);
            assert_eq!(path, wanted, "{url}");
        }
    }

    #[test]
    fn a_port_inside_an_address_is_split_off() {
        assert_eq!(split_port("127.0.0.1:15002"), ("127.0.0.1", Some(15002)));
        assert_eq!(split_port("[::1]:80"), ("[::1]", Some(80)));
        assert_eq!(split_port("::1"), ("::1", None));
        assert_eq!(split_port("api.example"), ("api.example", None));
    }

    #[test]
    fn a_long_name_is_cut_at_a_characters_end() {
        let long = "é".repeat(300);
        assert!(cut(&long).len() <= LONGEST && cut(&long).chars().all(|c| c == 'é'));
    }
}
