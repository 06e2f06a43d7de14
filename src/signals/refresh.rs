//! Token refreshes as their spans show them (vocabulary section 6), and the event of one that failed.

use std::borrow::Cow;
use std::sync::Arc;

use super::call::Class;
use super::endpoint;
use super::fact::{RefreshFailed, Said};
use super::lookup::Lookup;
use super::provider::Provider;
use super::telemetry::{Refusal, Span, SpanKind};
use super::vocabulary::Attr;

/// Refreshes that were derived from spans are counted under a name of their own, never on top of those that an
/// integration counts itself as `integration.credential.refreshes`.
pub const DERIVED: &str = "integration.credential.span_refreshes";

/// What a token endpoint answers with (RFC 6749, section 5.2).
const ERRORS: [&str; 6] = [
    "invalid_grant",
    "invalid_client",
    "unauthorized_client",
    "invalid_request",
    "unsupported_grant_type",
    "invalid_scope",
];

/// Whether a span is a call to a token endpoint: `/token` below an OAuth path, or where the peer's vendor says.
pub fn is_one(span: &Span<'_>, look: &Lookup<'_, '_>, provider: Option<&Provider>) -> bool {
    if span.kind != SpanKind::Client || look.str(Attr::HttpMethod) != Some("POST") {
        return false;
    }
    let from = [Attr::UrlTemplate, Attr::UrlPath, Attr::UrlFull, Attr::HttpTarget];
    let path = endpoint::path_of(from.into_iter().find_map(|attr| look.str(attr)).unwrap_or(""));
    let path = path.trim_end_matches('/');
    let is_oauth = |segment: &str| segment.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("oauth"));
    path.strip_suffix("/token").is_some_and(|before| before.split('/').any(is_oauth))
        || provider.is_some_and(|vendor| vendor.token_paths.iter().any(|known| known.path == path))
}

/// Whether an endpoint's name is that of a token endpoint: `POST /oauth/v1/token` and the like.
pub fn is_endpoint(endpoint: &str) -> bool {
    endpoint.strip_prefix("POST ").is_some_and(|path| path.ends_with("/token") && path.contains("oauth"))
}

/// Whose refresh it was: a credential, else a connection's, else a peer's.
pub fn slot<'l>(look: &Lookup<'l, '_>, peer: &str) -> Cow<'l, str> {
    match (look.str(Attr::CredentialId), look.str(Attr::ConnectionId)) {
        (Some(id), _) => Cow::Borrowed(endpoint::cut(id)),
        (None, Some(connection)) => Cow::Owned(endpoint::cut(&format!("connection:{connection}")).to_owned()),
        (None, None) => Cow::Owned(endpoint::cut(&format!("peer:{peer}")).to_owned()),
    }
}

/// (`integration.outcome`, `error.type`) of a refresh; none for one that was cancelled.
pub fn outcome<'l>(look: &Lookup<'l, '_>, class: Class) -> Option<(&'static str, Cow<'l, str>)> {
    if class.is_good() {
        return Some(("success", Cow::Borrowed("")));
    }
    if matches!(class, Class::Cancelled | Class::Ignored) {
        return None;
    }
    let body = look.str(Attr::Payload).unwrap_or("");
    let said = look.str(Attr::ErrorType).unwrap_or("");
    let known = ERRORS.iter().find(|error| said == **error || body.contains(&format!("\"{error}\"")));
    let status = || look.i64(Attr::HttpStatus).map(|status| Cow::Owned(status.to_string()));
    let error = match known {
        Some(error) => Cow::Borrowed(*error),
        None if !said.is_empty() => Cow::Borrowed(endpoint::cut(said)),
        None => status().unwrap_or(Cow::Borrowed(class.name())),
    };
    Some(("failure", error))
}

/// Reads `integration.credential.refresh_failed`.
pub fn failed(look: &Lookup<'_, '_>) -> Result<Said, Refusal> {
    let id = look.str(Attr::CredentialId).ok_or(Refusal::Borrowed("no integration.credential.id"))?;
    let error = look.str(Attr::ErrorType).ok_or(Refusal::Borrowed("no error.type"))?;
    Ok(Said::RefreshFailed(RefreshFailed {
        credential: Arc::from(endpoint::cut(id)),
        kind: endpoint::cut(look.str(Attr::CredentialKind).unwrap_or("")).to_owned(),
        error: endpoint::cut(error).to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::provider::{Citation, TokenPath};
    use crate::signals::telemetry::{Attributes, Value};

    fn with<T>(
        pairs: &[(&'static str, &'static str)],
        read: impl FnOnce(&Span<'_>, &Lookup<'_, '_>) -> T,
    ) -> T {
        let mut span = Span { kind: SpanKind::Client, ..Span::default() };
        span.attributes.push("http.request.method".into(), Value::Str("POST".into()));
        for (key, value) in pairs {
            let value = value.parse().map_or(Value::Str((*value).into()), Value::Int);
            span.attributes.push((*key).into(), value);
        }
        let none = Attributes::default();
        read(&span, &Lookup { own: &span.attributes, scope: &none, resource: &none })
    }

    #[test]
    fn a_token_endpoint_is_known_by_its_path_or_by_its_vendor() {
        let path = TokenPath { path: "/connect/token".into(), cited: Citation::default() };
        let vendor = Provider { token_paths: vec![path], ..Provider::default() };
        let is = |url, vendor: Option<&Provider>| {
            with(&[("url.full", url)], |span, look| is_one(span, look, vendor))
        };
        for url in [
            "https://login.example/oauth/token",
            "https://api.hubapi.com/oauth/v1/token?x=1",
            "https://login.microsoftonline.com/common/oauth2/v2.0/token/",
            "https://eu.example/services/OAuth2/token",
        ] {
            assert!(is(url, None), "{url}");
        }
        for url in
            ["https://a.example/token", "https://a.example/oauth/tokens", "https://a.example/oauth/authorize"]
        {
            assert!(!is(url, Some(&vendor)), "{url}");
        }
        assert!(is("https://identity.example/connect/token", Some(&vendor)));
        assert!(!is("https://identity.example/connect/token", None));
    }

    #[test]
    fn a_failure_says_what_the_token_endpoint_said() {
        let of = |pairs: &[(&'static str, &'static str)], class| {
            with(pairs, |_, look| outcome(look, class).map(|(outcome, error)| (outcome, error.into_owned())))
        };
        let failed = |error: &str| Some(("failure", error.to_owned()));
        assert_eq!(of(&[], Class::Ok), Some(("success", String::new())));
        assert_eq!(of(&[], Class::Cancelled), None, "nothing is known of it");
        assert_eq!(of(&[("error.type", "invalid_grant")], Class::Auth), failed("invalid_grant"));
        let body = ("integration.payload", "{\"error\":\"invalid_grant\",\"error_description\":\"gone\"}");
        let status = ("http.response.status_code", "400");
        assert_eq!(of(&[status, ("error.type", "400x"), body], Class::Validation), failed("invalid_grant"));
        assert_eq!(of(&[status], Class::Validation), failed("400"));
        assert_eq!(of(&[("error.type", "ReadTimeout")], Class::Timeout), failed("ReadTimeout"));
        assert_eq!(of(&[], Class::Network), failed("network"));
    }

    #[test]
    fn a_refresh_belongs_to_its_credential_else_its_connection_else_its_peer() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            with(pairs, |_, look| slot(look, "api.example").into_owned())
        };
        let connection = ("integration.connection.id", "acme");
        assert_eq!(of(&[("integration.credential.id", "crm"), connection]), "crm");
        assert_eq!(of(&[connection]), "connection:acme");
        assert_eq!(of(&[]), "peer:api.example");
    }

    #[test]
    fn the_event_needs_its_slot_and_its_error() {
        let (id, error) = (("integration.credential.id", "crm"), ("error.type", "invalid_grant"));
        let of = |pairs: &[(&'static str, &'static str)]| with(pairs, |_, look| failed(look));
        let said = of(&[id, error, ("integration.credential.kind", "refresh_token")]);
        let wanted = RefreshFailed {
            credential: "crm".into(),
            kind: "refresh_token".into(),
            error: "invalid_grant".into(),
        };
        assert_eq!(said, Ok(Said::RefreshFailed(wanted)));
        assert_eq!(of(&[error]), Err("no integration.credential.id".into()));
        assert_eq!(of(&[id]), Err("no error.type".into()));
    }
}
