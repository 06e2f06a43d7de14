//! What machines ask: alive, ready, and the counters as Prometheus text.

use std::fmt::Write as _;

use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::State;

/// Alive.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready: not stopping, requests are taken in, and the catalog answers.
pub async fn readyz(Extract(state): Extract<State>) -> Response {
    if state.stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.\n").into_response();
    }
    if let Some(trouble) = (state.troubles)().into_iter().find(|trouble| trouble.refuses) {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", trouble.sentence)).into_response();
    }
    match state.store.watermark().await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// Counters in Prometheus' text format.
pub async fn metrics(Extract(state): Extract<State>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], exposition(&(state.counters)())).into_response()
}

/// Names of figures that rise and fall; all others only rise.
const GAUGES: [&str; 7] =
    ["lag_ms", "watermark", "hot_bytes", "inbox_bytes", "inbox_files", "connections", "streams"];

/// `accepted_spans` → `seamwatch_accepted_spans_total`.
fn exposition(counters: &[(String, u64)]) -> String {
    let mut text = String::new();
    for (name, value) in counters {
        let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let (suffix, kind) = if GAUGES.contains(&&*clean) { ("", "gauge") } else { ("_total", "counter") };
        // Writing to a String cannot fail.
        let _ = write!(text, "# TYPE seamwatch_{clean}{suffix} {kind}\nseamwatch_{clean}{suffix} {value}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_become_prometheus_text() {
        let text =
            exposition(&[("accepted_spans".into(), 5), ("lag_ms".into(), 7), ("refused_bad gzip".into(), 1)]);
        assert!(
            text.contains(
                "# TYPE seamwatch_accepted_spans_total counter\nseamwatch_accepted_spans_total 5\n"
            )
        );
        assert!(text.contains("# TYPE seamwatch_lag_ms gauge\nseamwatch_lag_ms 7\n"));
        assert!(text.contains("seamwatch_refused_bad_gzip_total 1\n"));
    }
}
