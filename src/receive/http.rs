//! The OTLP/HTTP port: `/v1/traces`, `/v1/metrics`, `/v1/logs` and `/report/{integration}`. It takes gRPC too.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tokio_util::sync::CancellationToken;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::decode::Rejected;

use super::Settings;
use super::answer::{self, Code, Status};
use super::auth::API_KEY;
use super::body::{Arriving, Encoding};
use super::connections::Sender;
use super::grpc;
use super::intake::{self, Door, Incoming, Intake};
use super::listen::{Port, listen};
use super::refusal::Refusal;
use super::report::report;

/// Serves until `stop`; HTTP/1 and HTTP/2.
pub async fn serve_http(port: impl Into<Port>, intake: Arc<Intake>, stop: CancellationToken) {
    let settings = intake.settings().clone();
    let counters = intake.counters();
    listen(port, router(intake), settings, counters, stop).await;
}

/// Every route of the port.
pub(super) fn router(intake: Arc<Intake>) -> Router {
    let cors = cors(intake.settings());
    // People configure a base address with a slash at its end, so paths are taken with one too.
    let router = Router::new()
        .route("/v1/traces", any(traces))
        .route("/v1/traces/", any(traces))
        .route("/v1/metrics", any(metrics))
        .route("/v1/metrics/", any(metrics))
        .route("/v1/logs", any(logs))
        .route("/v1/logs/", any(logs))
        .route("/report/{integration}", any(report))
        .route("/report/{integration}/", any(report))
        .fallback(nothing)
        .with_state(intake);
    match cors {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

async fn traces(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    otlp(Door::Traces, &intake, request).await
}

async fn metrics(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    otlp(Door::Metrics, &intake, request).await
}

async fn logs(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    otlp(Door::Logs, &intake, request).await
}

/// No path of this port: a mistake, or gRPC, which vanilla SDKs speak to whatever endpoint they are given.
async fn nothing(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    if media_type(request.headers()).starts_with("application/grpc") {
        return grpc::call(State(intake), request).await;
    }
    let wire = Wire::of(request.headers()).unwrap_or(Wire::Json);
    let refusal = Refusal::NoSuchPath(request.uri().path().to_owned());
    answer(Door::Traces, wire, Err(refusal), &intake, request).await
}

async fn otlp(door: Door, intake: &Intake, request: Request) -> Response {
    let wire = Wire::of(request.headers());
    let content_type = wire.as_ref().map(|wire| wire.media_type()).map_err(Refusal::clone);
    // The wrong method is the plainer mistake: a browser's GET has no content type either.
    let content_type = is_post(&request).and(content_type);
    answer(door, wire.unwrap_or(Wire::Json), content_type, intake, request).await
}

pub(super) fn is_post(request: &Request) -> Result<(), Refusal> {
    let method = request.method();
    if method == Method::POST { Ok(()) } else { Err(Refusal::NotPost(method.to_string())) }
}

/// Puts a request through, unless its head was refused already, and answers it.
pub(super) async fn answer(
    door: Door,
    wire: Wire,
    content_type: Result<&'static str, Refusal>,
    intake: &Intake,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let mut body = Arriving::new(&head.headers, body);
    let settings = intake.settings();
    let result = intake::guarded(async {
        let content_type = content_type?;
        let pass = intake.admit(&head.headers)?;
        let encoding = text(&head.headers, &CONTENT_ENCODING);
        let encoding =
            Encoding::parse(encoding).ok_or_else(|| Refusal::ContentEncoding(encoding.to_owned()))?;
        let sender = Sender::of(&head.extensions).with_key(pass.id());
        let (body, held) =
            body.collect(intake.budget(), sender, settings.max_body, settings.body_timeout).await?;
        intake.accept(Incoming { door: door.clone(), content_type, encoding, body, held, pass }).await
    });
    let result = result.await;
    if let Err(refusal) = &result {
        body.discard_after(refusal, settings);
    }
    respond(intake, wire, &door, result)
}

/// How the request is written, and so its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Protobuf,
    Json,
}

impl Wire {
    fn of(headers: &HeaderMap) -> Result<Wire, Refusal> {
        match media_type(headers).as_str() {
            "application/x-protobuf" => Ok(Wire::Protobuf),
            "application/json" => Ok(Wire::Json),
            other => {
                let wanted = "application/x-protobuf or application/json";
                Err(Refusal::ContentType(other.to_owned(), wanted))
            }
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Wire::Protobuf => "application/x-protobuf",
            Wire::Json => "application/json",
        }
    }
}

/// The content type in lower case, without parameters such as charset.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = text(headers, &CONTENT_TYPE);
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap_or("(not text)"))
}

/// The answer, counted.
fn respond(intake: &Intake, wire: Wire, door: &Door, result: Result<Rejected, Refusal>) -> Response {
    let counters = intake.counters();
    counters.request();
    let refusal = match result {
        Ok(rejected) => {
            let body = match wire {
                Wire::Protobuf => answer::exported_protobuf(&rejected),
                Wire::Json => answer::exported_json(door, &rejected),
            };
            return response(StatusCode::OK, wire, body);
        }
        Err(refusal) => refusal,
    };
    counters.refused(&refusal);
    let (http, code) = status_of(&refusal);
    let retry_after = refusal.retry_after();
    let status = Status { code, message: refusal.sentence(), retry_after };
    let body = match wire {
        Wire::Protobuf => status.protobuf(),
        Wire::Json => status.json(),
    };
    let mut response = response(http, wire, body);
    if let Some(delay) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(delay.as_secs()));
    }
    if http == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"seamwatch\""));
    }
    if http == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

fn response(status: StatusCode, wire: Wire, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(wire.media_type()));
    response
}

/// The table of refusals for HTTP. Clients retry 429 and 503, and drop the data on everything else that is here.
fn status_of(refusal: &Refusal) -> (StatusCode, Code) {
    match refusal {
        Refusal::NoSuchPath(_) | Refusal::NoSuchMethod(_) => (StatusCode::NOT_FOUND, Code::NotFound),
        Refusal::NotPost(_) => (StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
        Refusal::ContentType(..) | Refusal::ContentEncoding(_) => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument)
        }
        Refusal::Origin(_) | Refusal::Outside(_) => (StatusCode::FORBIDDEN, Code::PermissionDenied),
        Refusal::NoKey | Refusal::UnknownKey(_) | Refusal::ExpiredKey(..) | Refusal::RevokedKey(..) => {
            (StatusCode::UNAUTHORIZED, Code::Unauthenticated)
        }
        Refusal::TooFast(..) => (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted),
        Refusal::Malformed(_) => (StatusCode::BAD_REQUEST, Code::InvalidArgument),
        Refusal::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted),
        Refusal::Busy
        | Refusal::Slow(_)
        | Refusal::Broken(_)
        | Refusal::Full
        | Refusal::Disk
        | Refusal::Stopping
        | Refusal::KeysUnread
        | Refusal::Panicked => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
    }
}

/// None without configured origins: then no page of another site may read an answer.
fn cors(settings: &Settings) -> Option<CorsLayer> {
    let origins = &settings.cors_origins;
    let headers = [AUTHORIZATION, API_KEY, CONTENT_TYPE, CONTENT_ENCODING].into_iter();
    let tracing = ["traceparent", "tracestate"].map(HeaderName::from_static);
    let configured = settings.cors_headers.iter().filter_map(|name| name.parse().ok());
    let layer = CorsLayer::new()
        .allow_methods([Method::POST])
        .allow_headers(headers.chain(tracing).chain(configured).collect::<Vec<HeaderName>>())
        .expose_headers([RETRY_AFTER])
        .max_age(Duration::from_secs(3600));
    if origins.is_empty() {
        return None;
    }
    if origins.iter().any(|origin| origin == "*") {
        return Some(layer.allow_origin(AllowOrigin::any()));
    }
    // Browsers send beacons with credentials, which needs an origin by name and this header.
    let named = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    Some(layer.allow_origin(AllowOrigin::list(named)).allow_credentials(true))
}
