//! Stylesheets, the script and the font, compiled in. Their URL holds a hash of all of them, so that a browser may keep
//! them for ever and still sees the next version at once.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use xxhash_rust::xxh3::Xxh3;

const CSS: &str = "text/css; charset=utf-8";

/// (name, content type, bytes).
const ASSETS: &[(&str, &str, &[u8])] = &[
    ("base.css", CSS, include_bytes!("../../static/base.css")),
    ("overview.css", CSS, include_bytes!("../../static/overview.css")),
    ("integration.css", CSS, include_bytes!("../../static/integration.css")),
    ("incidents.css", CSS, include_bytes!("../../static/incidents.css")),
    ("errors.css", CSS, include_bytes!("../../static/errors.css")),
    ("readiness.css", CSS, include_bytes!("../../static/readiness.css")),
    ("runbook.css", CSS, include_bytes!("../../static/runbook.css")),
    ("mail.css", CSS, include_bytes!("../../static/mail.css")),
    ("system.css", CSS, include_bytes!("../../static/system.css")),
    ("audit.css", CSS, include_bytes!("../../static/audit.css")),
    ("live.js", "text/javascript; charset=utf-8", include_bytes!("../../static/live.js")),
    ("inter.woff2", "font/woff2", include_bytes!("../../static/inter-latin-wght-normal.woff2")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../static/icon.svg")),
];

static BASE: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Xxh3::new();
    for (name, _, bytes) in ASSETS {
        hash.update(name.as_bytes());
        hash.update(bytes);
    }
    format!("/static/{:016x}", hash.digest())
});

/// Whether a page has a stylesheet of its own.
pub fn has_style(page: &str) -> bool {
    ASSETS.iter().any(|(name, _, _)| name.strip_suffix(".css") == Some(page))
}

/// Where the assets of this version are: `/static/<hash>`.
pub fn base() -> &'static str {
    &BASE
}

/// One asset. Under the hash of another version it is served too, but not to be kept.
pub async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    let Some((_, kind, bytes)) = ASSETS.iter().find(|(known, _, _)| *known == name) else {
        return (StatusCode::NOT_FOUND, "There is no such file.").into_response();
    };
    let current = base().strip_prefix("/static/") == Some(&*hash);
    let keep = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    (headers, *bytes).into_response()
}

/// The icon under the name that browsers ask for by themselves.
pub async fn favicon() -> Response {
    serve(Path((String::new(), "icon.svg".to_owned()))).await
}
