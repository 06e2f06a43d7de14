//! The class of an attempt from its span: the table of vocabulary section 3, first line that applies. A vendor's own
//! table comes before the defaults.

use super::call::Class;
use super::lookup::Lookup;
use super::observation::Direction;
use super::provider::{Answer, Provider};
use super::telemetry::{Span, SpanKind, Status};
use super::vocabulary::Attr;

/// Whether a vendor's table may say otherwise than HTTP: a good answer without an error or a body is never looked up.
pub fn asks_provider(look: &Lookup<'_, '_>) -> bool {
    look.get(Attr::ErrorType).is_some()
        || look.get(Attr::Payload).is_some()
        || look.i64(Attr::HttpStatus).is_some_and(|status| status > LAST_GOOD)
}

/// Statuses above this are looked up in a vendor's table whatever else is known.
pub const LAST_GOOD: i64 = 206;

/// How an attempt ended. `provider` is the vendor that the peer belongs to, where [`asks_provider`].
pub fn classify(
    span: &Span<'_>,
    look: &Lookup<'_, '_>,
    direction: Direction,
    provider: Option<&Provider>,
) -> Class {
    if let Some(said) = look.str(Attr::Outcome).and_then(by_outcome) {
        return said;
    }
    let http = look.i64(Attr::HttpStatus);
    if let Some(provider) = provider {
        let answer = Answer {
            status: http,
            error: look.str(Attr::ErrorType).unwrap_or(""),
            body: look.str(Attr::Payload).unwrap_or(""),
            message: &span.status_message,
            look,
        };
        if let Some(class) = provider.class(&answer) {
            return class;
        }
    }
    let rpc = look.get(Attr::RpcStatus).and_then(|code| grpc_code(&code.text()));
    let error = look.str(Attr::ErrorType).unwrap_or("");
    let failed = span.status == Status::Error;
    if span.kind == SpanKind::Client
        && span.status == Status::Unset
        && http.is_none()
        && rpc.is_none()
        && error.is_empty()
        && look.get(Attr::HttpMethod).is_some()
    {
        return Class::Cancelled;
    }
    if let Some(status) = http {
        return by_http(status, look, direction, error, failed);
    }
    if let Some(code) = rpc {
        return by_grpc(code);
    }
    if let Some(class) = by_error(error) {
        return class;
    }
    match (failed, look.get(Attr::HttpMethod).is_some() && span.kind == SpanKind::Client) {
        (true, true) => Class::Network,
        (true, false) => Class::Failed,
        (false, _) => partial_or_ok(look),
    }
}

fn by_outcome(outcome: &str) -> Option<Class> {
    Some(match outcome {
        "success" => Class::Ok,
        "failure" => Class::Failed,
        "rejected" => Class::Rejected,
        "ignored" => Class::Ignored,
        other => Class::from_name(other)?,
    })
}

fn by_http(status: i64, look: &Lookup<'_, '_>, direction: Direction, error: &str, failed: bool) -> Class {
    if direction == Direction::Inbound && (400..500).contains(&status) {
        return Class::Rejected;
    }
    let method = look.str(Attr::HttpMethod).unwrap_or("");
    let reads = matches!(method, "GET" | "HEAD" | "DELETE");
    match status {
        429 => Class::Throttled,
        401 | 403 => Class::Auth,
        404 | 410 if reads => Class::AmbiguousRead,
        409 | 412 if !reads => Class::AmbiguousWrite,
        408 | 504 => Class::Timeout,
        400..500 if is_oauth_refusal(error) => Class::Auth,
        400..500 => Class::Validation,
        500..600 => Class::Server,
        // An answer that broke on the way: the status line was fine, the rest was not.
        _ if failed => by_error(error).unwrap_or(Class::Failed),
        _ => partial_or_ok(look),
    }
}

fn is_oauth_refusal(error: &str) -> bool {
    matches!(error, "invalid_grant" | "invalid_client")
}

fn partial_or_ok(look: &Lookup<'_, '_>) -> Class {
    if look.i64(Attr::RecordsFailed).is_some_and(|failed| failed > 0) { Class::Partial } else { Class::Ok }
}

fn by_grpc(code: u8) -> Class {
    match code {
        0 => Class::Ok,
        1 => Class::Cancelled,
        3 | 9 | 11 => Class::Validation,
        4 => Class::Timeout,
        5 => Class::AmbiguousRead,
        6 | 10 => Class::AmbiguousWrite,
        7 | 16 => Class::Auth,
        8 => Class::Throttled,
        _ => Class::Server,
    }
}

/// gRPC's code from its number or its name.
fn grpc_code(text: &str) -> Option<u8> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let by_name = || NAMES.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|at| at as u8);
    text.parse().ok().or_else(by_name)
}

/// What the words of an `error.type` say.
fn by_error(error: &str) -> Option<Class> {
    if error.is_empty() {
        return None;
    }
    if is_oauth_refusal(error) {
        return Some(Class::Auth);
    }
    let words = error.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if has(&["timeout", "timedout", "timed_out", "etimedout", "deadline"]) {
        return Some(Class::Timeout);
    }
    let broken = [
        "dns",
        "enotfound",
        "eai_again",
        "connect",
        "econn",
        "epipe",
        "tls",
        "ssl",
        "certificate",
        "reset",
        "socket",
    ];
    if has(&broken) {
        return Some(Class::Network);
    }
    has(&["contract", "schema"]).then_some(Class::Contract)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::signals::telemetry::{Attributes, Value};

    fn class(
        kind: SpanKind,
        status: Status,
        pairs: &[(&'static str, &'static str)],
        direction: Direction,
    ) -> Class {
        let mut span = Span { kind, status, ..Span::default() };
        for (key, value) in pairs {
            let value = value.parse().map_or(Value::Str(Cow::Borrowed(*value)), Value::Int);
            span.attributes.push(Cow::Borrowed(*key), value);
        }
        let none = Attributes::default();
        let look = Lookup { own: &span.attributes, scope: &none, resource: &none };
        classify(&span, &look, direction, None)
    }

    #[test]
    fn the_table_of_classes() {
        use Class::*;
        let get: (&str, &str) = ("http.request.method", "GET");
        let post: (&str, &str) = ("http.request.method", "POST");
        let status = |code: &'static str| ("http.response.status_code", code);
        let rpc = |code: &'static str| ("rpc.grpc.status_code", code);
        let error = |name: &'static str| ("error.type", name);
        let out = |status, pairs: &[(&'static str, &'static str)]| {
            class(SpanKind::Client, status, pairs, Direction::Outbound)
        };
        assert_eq!(out(Status::Unset, &[get, status("200")]), Ok);
        assert_eq!(out(Status::Unset, &[get, status("302")]), Ok);
        assert_eq!(out(Status::Error, &[get, status("429")]), Throttled);
        assert_eq!(out(Status::Error, &[get, status("403")]), Auth);
        assert_eq!(out(Status::Error, &[get, status("404")]), AmbiguousRead);
        assert_eq!(out(Status::Error, &[post, status("404")]), Validation);
        assert_eq!(out(Status::Error, &[post, status("409")]), AmbiguousWrite);
        assert_eq!(out(Status::Error, &[get, status("409")]), Validation);
        assert_eq!(out(Status::Error, &[post, status("400"), error("invalid_grant")]), Auth);
        assert_eq!(out(Status::Error, &[get, status("408")]), Timeout);
        assert_eq!(out(Status::Error, &[get, status("504")]), Timeout);
        assert_eq!(out(Status::Error, &[get, status("503"), error("503")]), Server);
        assert_eq!(out(Status::Error, &[get]), Network, "vanilla Python on a refused connection");
        assert_eq!(out(Status::Error, &[get, error("ECONNREFUSED")]), Network);
        assert_eq!(out(Status::Error, &[get, error("ReadTimeout")]), Timeout);
        assert_eq!(out(Status::Unset, &[get]), Cancelled);
        assert_eq!(out(Status::Unset, &[rpc("14")]), Server);
        assert_eq!(out(Status::Unset, &[rpc("UNAUTHENTICATED")]), Auth);
        assert_eq!(out(Status::Unset, &[rpc("1")]), Cancelled);
        assert_eq!(out(Status::Unset, &[post, status("200"), ("integration.records.failed", "3")]), Partial);
        assert_eq!(out(Status::Error, &[post, status("500"), ("integration.outcome", "success")]), Ok);
        assert_eq!(
            out(Status::Unset, &[("http.method", "GET"), ("http.status_code", "500")]),
            Server,
            "old names"
        );
        let inbound =
            |code| class(SpanKind::Server, Status::Unset, &[post, status(code)], Direction::Inbound);
        assert_eq!(inbound("401"), Rejected);
        assert_eq!(inbound("500"), Server);
        assert_eq!(class(SpanKind::Consumer, Status::Error, &[], Direction::Inbound), Failed);
    }
}
