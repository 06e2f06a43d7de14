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
    ["lag_ms", "judged_ago_ms", "watermark", "hot_bytes", "inbox_bytes", "inbox_files", "connections"];

/// What a figure is, by its name or by the prefix that it shares with others.
const HELP: [(&str, &str); 14] = [
    ("accepted_", "Records of this kind that were acknowledged, since the start."),
    (
        "rejected_",
        "Records refused for this reason while the rest of their request was taken, since the start.",
    ),
    ("refused_", "Requests refused for this reason, since the start."),
    ("duplicates", "Requests that came again within an hour and were not counted again."),
    ("late", "Records that belong to a minute which was judged already."),
    ("lag_ms", "Milliseconds from the receipt of the latest request to its place on the dashboard."),
    ("judged_ago_ms", "Milliseconds since the end of the last minute that the rules have judged."),
    ("folded", "Calls counted under the endpoint (other) because their integration has too many."),
    ("flush_failures", "Flushes into the catalog that failed and were tried again."),
    ("inbox_bytes", "Bytes in the inbox that the catalog does not hold yet."),
    ("inbox_files", "Files of the inbox."),
    ("inbox_failures", "Writes to the inbox that failed."),
    ("notice_", "How often this was noticed in what senders send."),
    ("watermark", "Sequence number up to which the catalog holds everything."),
];

fn help(name: &str) -> &'static str {
    let named = HELP
        .iter()
        .find(|(prefix, _)| name == *prefix || (prefix.ends_with('_') && name.starts_with(prefix)));
    named.map_or("A figure of this server.", |(_, text)| text)
}

/// `accepted_spans` → `seamwatch_accepted_spans_total`.
fn exposition(counters: &[(String, u64)]) -> String {
    let mut text = String::new();
    for (name, value) in counters {
        let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let (suffix, kind) = if GAUGES.contains(&&*clean) { ("", "gauge") } else { ("_total", "counter") };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "# HELP seamwatch_{clean}{suffix} {}\n# TYPE seamwatch_{clean}{suffix} {kind}\nseamwatch_{clean}{suffix} {value}\n",
            help(&clean)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_become_prometheus_text() {
        let text = exposition(&[
            ("accepted_spans".into(), 5),
            ("lag_ms".into(), 7),
            ("judged_ago_ms".into(), 9),
            ("refused_bad gzip".into(), 1),
        ]);
        assert!(
            text.contains("# TYPE seamwatch_judged_ago_ms gauge\nseamwatch_judged_ago_ms 9\n"),
            "it falls"
        );
        assert_eq!(text.matches("# HELP ").count(), 4);
        assert!(text.contains("# HELP seamwatch_accepted_spans_total Records of this kind"), "{text}");
        assert!(
            text.contains(
                "# TYPE seamwatch_accepted_spans_total counter\nseamwatch_accepted_spans_total 5\n"
            )
        );
        assert!(text.contains("# TYPE seamwatch_lag_ms gauge\nseamwatch_lag_ms 7\n"));
        assert!(text.contains("seamwatch_refused_bad_gzip_total 1\n"));
    }
}
