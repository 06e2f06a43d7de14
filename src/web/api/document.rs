//! `/api/v1/openapi.json`: what the API takes and gives, as OpenAPI 3.1. `tests/it/openapi.rs` holds it to what the
//! handlers give, and to the table of routes.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// The document.
pub const TEXT: &str = include_str!("../../../docs/openapi.json");

/// Shows it.
pub async fn show() -> Response {
    let mut response = TEXT.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
