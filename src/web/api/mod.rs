//! `/api/v1`: the outside face. A field once here keeps its name and meaning.
//!
//! Times are RFC 3339 UTC, rates fractions of 1, unknown values null and never 0, errors problem+json (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::store;

pub mod integrations;
pub mod metrics;
pub mod parts;
pub mod evidence;
pub mod incidents;
pub mod errors;
pub mod changes;
pub mod signals;
pub mod silences;
pub mod system;
pub mod document;

/// `{"items": […]}`.
#[derive(Debug, Serialize)]
pub struct Items<T> {
    /// What was asked for.
    pub items: Vec<T>,
}

/// The answer to a question.
pub type Answer<T> = Result<Json<T>, Problem>;

/// Why a question has no answer.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    /// 400: a parameter cannot be read.
    pub fn parameter(detail: impl Into<String>) -> Problem {
        Problem { status: StatusCode::BAD_REQUEST, detail: detail.into() }
    }

    /// 404: what was asked for is not there.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem { status: StatusCode::NOT_FOUND, detail: detail.into() }
    }

    /// Another status.
    pub fn of(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into() }
    }

    /// 421: the server has another name.
    pub fn misdirected(detail: impl Into<String>) -> Problem {
        Problem { status: StatusCode::MISDIRECTED_REQUEST, detail: detail.into() }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Problem {
        tracing::error!(%error, "A question to the API has no answer: {error}");
        Problem { status: StatusCode::SERVICE_UNAVAILABLE, detail: error.to_string() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            r#type: &'static str,
            title: &'static str,
            status: u16,
            detail: String,
        }
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = Body { r#type: "about:blank", title, status: self.status.as_u16(), detail: self.detail };
        let mut response = (self.status, Json(body)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// There is such a path, but it is only read.
pub async fn not_this_way(method: Method, uri: Uri) -> Response {
    let detail = format!("{} takes GET and not {method}: nothing can be changed there.", uri.path());
    let mut response = Problem { status: StatusCode::METHOD_NOT_ALLOWED, detail }.into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// A number of items: `limit=`, from 1 to `most`.
///
/// # Errors
/// A problem that names the parameter.
pub fn limit(asked: Option<&str>, usual: u32, most: u32) -> Result<u32, Problem> {
    let limit = asked.map_or(Some(usual), |text| text.parse().ok());
    limit
        .filter(|limit| (1..=most).contains(limit))
        .ok_or_else(|| Problem::parameter(format!("`limit` is a whole number from 1 to {most}.")))
}

/// A number of things. Whole ones go out as integers; weighted ones may have a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count(pub f64);

impl serde::Serialize for Count {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < 9.0e15 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}
