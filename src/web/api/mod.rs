//! `/api/v1`: the outside face. A field once here keeps its name and meaning.
//!
//! Times are RFC 3339 UTC, rates fractions of 1, unknown values null and never 0, errors problem+json (RFC 9457).

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store;

pub mod integrations;
pub mod metrics;
pub mod evidence;
pub mod incidents;
pub mod system;

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

/// A query string; what cannot be read is a problem and not a page.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Asked(asked)),
            Err(error) => Err(Problem::parameter(error.body_text())),
        }
    }
}

/// A path below `/api` that is none of ours.
pub async fn unknown(uri: Uri) -> Problem {
    Problem::not_found(format!("There is no {} in this API.", uri.path()))
}

/// A number of items: `limit=`, from 1 to `most`.
///
/// # Errors
/// A problem that names the parameter.
pub fn limit(asked: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(usual);
    if (1..=most).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::parameter(format!("`limit` is a number from 1 to {most}.")))
    }
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
