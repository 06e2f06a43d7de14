//! The OTLP/gRPC port: unary Export of three services, framed by hand over hyper's HTTP/2.
//!
//! Four rules of gRPC are all that is needed: a message is a flag byte, its length in four bytes and its bytes; a
//! good answer ends with the trailer `grpc-status: 0`; an error is a head without a body; `-bin` headers are base64.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf, Bytes};
use http::header::{ALLOW, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use tokio_util::sync::CancellationToken;

use crate::decode::Rejected;

use super::answer::{self, Code, Status};
use super::body::{Arriving, Encoding};
use super::connections::Sender;
use super::http::media_type;
use super::intake::{self, Door, Incoming, Intake};
use super::listen::{Port, listen};
use super::refusal::Refusal;

/// Bytes before each message: the flag and the length.
const FRAME_HEAD: usize = 5;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const RETRY_INFO: HeaderName = HeaderName::from_static("google.rpc.retryinfo-bin");

/// Serves until `stop`.
pub async fn serve_grpc(port: impl Into<Port>, intake: Arc<Intake>, stop: CancellationToken) {
    let settings = intake.settings().clone();
    let counters = intake.counters();
    listen(port, router(intake), settings, counters, stop).await;
}

pub(super) fn router(intake: Arc<Intake>) -> Router {
    Router::new().fallback(call).with_state(intake)
}

/// One call.
pub(super) async fn call(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let counters = intake.counters();
    counters.request();
    let not_grpc = not_grpc(&request);
    let (head, body) = request.into_parts();
    let mut body = Arriving::new(&head.headers, body);
    if let Some(answer) = not_grpc {
        let refusal = Refusal::ContentType(media_type(&head.headers), "application/grpc");
        counters.refused(&refusal);
        body.discard_after(&refusal, intake.settings());
        return answer;
    }
    match intake::guarded(export(&intake, &head, &mut body)).await {
        Ok(rejected) => exported(&rejected),
        Err(refusal) => {
            counters.refused(&refusal);
            body.discard_after(&refusal, intake.settings());
            refused(&refusal)
        }
    }
}

async fn export(intake: &Intake, head: &Parts, body: &mut Arriving) -> Result<Rejected, Refusal> {
    let door = door(head.uri.path()).ok_or_else(|| Refusal::NoSuchMethod(head.uri.path().to_owned()))?;
    let media = media_type(&head.headers);
    if !matches!(media.as_str(), "application/grpc" | "application/grpc+proto") {
        return Err(Refusal::ContentType(media, "application/grpc, with protobuf messages"));
    }
    let pass = intake.admit(&head.headers)?;
    let settings = intake.settings();
    let limit = settings.max_body.saturating_add(FRAME_HEAD);
    let sender = Sender::of(&head.extensions).with_key(pass.id());
    let (frame, held) =
        body.collect(intake.budget(), sender, limit, settings.body_timeout).await.map_err(|refusal| {
            match refusal {
                // The frame's head is no part of the limit that a sender knows of.
                Refusal::TooLarge(_) => Refusal::TooLarge(settings.max_body),
                other => other,
            }
        })?;
    let (compressed, message) = unframe(frame)?;
    let encoding = if compressed { message_encoding(&head.headers)? } else { Encoding::Identity };
    // Protobuf in both transports, so that the same body is the same record.
    let content_type = "application/x-protobuf";
    intake.accept(Incoming { door, content_type, encoding, body: message, held, pass }).await
}

fn door(path: &str) -> Option<Door> {
    match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Door::Traces),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Door::Metrics),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Door::Logs),
        _ => None,
    }
}

fn message_encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let name = headers.get(&GRPC_ENCODING).map_or("", |value| value.to_str().unwrap_or("(not text)"));
    match Encoding::parse(name) {
        Some(Encoding::Identity) => {
            let sentence = "The message is flagged as compressed, but grpc-encoding does not say how.";
            Err(Refusal::Malformed(sentence.to_owned()))
        }
        Some(encoding) => Ok(encoding),
        None => Err(Refusal::ContentEncoding(name.to_owned())),
    }
}

/// The flag and the message of a body that holds exactly one.
pub fn unframe(mut frame: Bytes) -> Result<(bool, Bytes), Refusal> {
    let malformed = |sentence: &str| Refusal::Malformed(sentence.to_owned());
    if frame.len() < FRAME_HEAD {
        return Err(malformed("The body has no gRPC message."));
    }
    let flag = frame.get_u8();
    let length = frame.get_u32() as usize;
    if flag > 1 {
        return Err(malformed("The flag before the gRPC message is neither 0 nor 1."));
    }
    if frame.len() < length {
        return Err(malformed("The gRPC message is shorter than its frame says."));
    }
    if frame.len() > length {
        return Err(malformed("The body has more than one gRPC message; Export takes one."));
    }
    Ok((flag == 1, frame))
}

fn exported(rejected: &Rejected) -> Response {
    let message = answer::exported_protobuf(rejected);
    let mut frame = Vec::with_capacity(FRAME_HEAD + message.len());
    frame.push(0);
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(&message);
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(Bytes::from(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// An error without a body. Clients differ in where they look for the delay, so it is in both places.
fn refused(refusal: &Refusal) -> Response {
    let code = code_of(refusal);
    let retry_after = refusal.retry_after();
    let status = Status { code, message: refusal.sentence(), retry_after };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(GRPC_STATUS, HeaderValue::from(code as u16));
    let mut put = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    put(GRPC_MESSAGE, percent_encoded(&status.message));
    put(STATUS_DETAILS, STANDARD_NO_PAD.encode(status.protobuf()));
    if let Some(delay) = retry_after {
        put(RETRY_INFO, STANDARD_NO_PAD.encode(answer::retry_info(delay)));
    }
    if matches!(refusal, Refusal::ContentEncoding(_)) {
        put(GRPC_ACCEPT_ENCODING, "gzip, deflate, zstd, identity".to_owned());
    }
    response
}

/// The table of refusals for gRPC. Clients retry UNAVAILABLE, and RESOURCE_EXHAUSTED where RetryInfo comes with it; the
/// other codes here are final.
fn code_of(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::NoSuchPath(_)
        | Refusal::NoSuchMethod(_)
        | Refusal::NotPost(_)
        | Refusal::ContentType(..)
        | Refusal::ContentEncoding(_) => Code::Unimplemented,
        Refusal::Origin(_) | Refusal::Outside(_) => Code::PermissionDenied,
        Refusal::NoKey | Refusal::UnknownKey(_) | Refusal::ExpiredKey(..) | Refusal::RevokedKey(..) => {
            Code::Unauthenticated
        }
        Refusal::Malformed(_) => Code::InvalidArgument,
        Refusal::TooLarge(_) | Refusal::TooFast(..) => Code::ResourceExhausted,
        Refusal::Busy
        | Refusal::Slow(_)
        | Refusal::Broken(_)
        | Refusal::Full
        | Refusal::Disk
        | Refusal::Stopping
        | Refusal::KeysUnread
        | Refusal::Panicked => Code::Unavailable,
    }
}

/// The answer to what is no gRPC at all, most often OTLP/HTTP sent to this port. Its statuses are final, so that the
/// sender's log shows them.
fn not_grpc(request: &Request) -> Option<Response> {
    let media = media_type(request.headers());
    let is_grpc = media == "application/grpc" || media.starts_with("application/grpc+");
    if is_grpc && request.version() == Version::HTTP_2 && request.method() == Method::POST {
        return None;
    }
    let text = "This port speaks OTLP over gRPC, which needs HTTP/2, POST and application/grpc. \
                OTLP over HTTP has a port of its own, 4318 unless configured otherwise.\n";
    let mut response = Response::new(Body::from(text));
    let wrong_method = is_grpc && request.method() != Method::POST;
    *response.status_mut() =
        if wrong_method { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::UNSUPPORTED_MEDIA_TYPE };
    if wrong_method {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Some(response)
}

/// As gRPC wants its message: printable ASCII stays, the rest and the percent sign are encoded.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
