//! `POST /report/{integration}`: a form, JSON or nothing, for what cannot speak OTLP.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::header::ORIGIN;
use http_body::Body as _;

use crate::decode::report::NAME_BYTES;

use super::http::{Wire, answer, is_post, media_type};
use super::intake::{Door, Intake};
use super::refusal::Refusal;

/// The handler. It answers in JSON.
pub(super) async fn report(
    State(intake): State<Arc<Intake>>,
    integration: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let (name, content_type) = match integration {
        Ok(Path(name)) => {
            let content_type = check(&name, &intake, &request);
            (name, content_type)
        }
        Err(_) => {
            let sentence = "The integration's name in the path is not UTF-8 once percent-decoded.";
            (String::new(), Err(Refusal::Malformed(sentence.to_owned())))
        }
    };
    answer(Door::Report(name), Wire::Json, content_type, &intake, request).await
}

/// The content type, if all that comes before the body is right.
fn check(name: &str, intake: &Intake, request: &Request) -> Result<&'static str, Refusal> {
    is_post(request)?;
    // A form needs no preflight, so a page of any site could post one from a browser that reaches this port.
    if let Some(origin) = request.headers().get(ORIGIN) {
        let origin = origin.to_str().unwrap_or("(not text)");
        let allowed = &intake.settings().cors_origins;
        if !allowed.iter().any(|allowed| allowed == origin || allowed == "*") {
            return Err(Refusal::Origin(origin.to_owned()));
        }
    }
    if name.trim().is_empty() || name.len() > NAME_BYTES {
        let sentence = format!("The integration's name in the path must have 1 to {NAME_BYTES} bytes.");
        return Err(Refusal::Malformed(sentence));
    }
    content_type(request)
}

fn content_type(request: &Request) -> Result<&'static str, Refusal> {
    match media_type(request.headers()).as_str() {
        "application/json" => Ok("application/json"),
        "application/x-www-form-urlencoded" => Ok("application/x-www-form-urlencoded"),
        _ if request.body().is_end_stream() => Ok(""),
        other => {
            let wanted = "application/json, application/x-www-form-urlencoded, or no body at all";
            Err(Refusal::ContentType(other.to_owned(), wanted))
        }
    }
}
