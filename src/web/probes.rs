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

/// Ready: not stopping, requests are taken in, and the catalog answers. Why it is not is for those who may see it: the
/// sentences name paths of this machine, and everybody may ask.
pub async fn readyz(Extract(state): Extract<State>) -> Response {
    if state.stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "The server is stopping.\n").into_response();
    }
    let is_refusing = (state.troubles)().iter().any(|trouble| trouble.refuses);
    if !is_refusing && state.store.watermark().await.is_ok() {
        return "ready\n".into_response();
    }
    let what = "Nothing is taken in or read at the moment; the System page and the log say why.\n";
    (StatusCode::SERVICE_UNAVAILABLE, what).into_response()
}

/// Counters in Prometheus' text format.
pub async fn metrics(Extract(state): Extract<State>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], exposition(&(state.counters)())).into_response()
}

/// Names of figures that rise and fall; all others only rise.
const GAUGES: [&str; 11] = [
    "lag_ms",
    "judged_ago_ms",
    "watermark",
    "hot_bytes",
    "in_flight_bytes",
    "inbox_bytes",
    "inbox_files",
    "connections",
    "claims",
    "set_aside",
    "streams",
];

/// What figures are, by how their names start.
const HELP: [(&str, &str); 26] = [
    ("clock_corrected", "Records of senders whose clock is off, by their corrected time."),
    ("accepted_", "Records accepted, by signal."),
    ("rejected_", "Records left out of accepted requests, by signal."),
    ("refused_", "Requests refused, by reason."),
    ("redacted_", "Secrets taken out of what was read, by kind."),
    ("requests", "Requests to the OTLP ports."),
    ("bytes", "Bytes of accepted bodies, decompressed."),
    ("duplicates", "Requests whose body had been counted within the last hour."),
    ("late", "Calls of minutes that were already judged."),
    ("lag_ms", "Milliseconds from the receipt of the latest request to its being counted."),
    ("judged_ago_ms", "Milliseconds since the end of the last minute that rules have judged."),
    ("folded", "Series past their limit, counted under (other) or left out."),
    ("flush_failures", "Flushes that failed and were tried again."),
    ("inbox_", "Requests on disk that are not in the catalog yet."),
    ("notice", "Oddities in what was received."),
    ("connections_crowded_out", "Waiting connections that made room for others."),
    ("connections_slow", "Connections closed for taking too long over a head or a TLS handshake."),
    ("connections_handshake_failed", "Connections whose TLS handshake failed."),
    ("connections", "Open connections."),
    ("in_flight_bytes", "Bytes of requests that are received, decoded or waiting to be counted."),
    ("hot_bytes", "Bytes in memory that no flush has committed."),
    ("streams", "Metric streams whose next point is expected."),
    ("claims", "Bodies whose copies are known."),
    ("key_", "What came with each ingest key, by its number."),
    ("set_aside", "Requests that could not be counted and are kept in inbox/aside."),
    ("defects", "Times that judging a minute or writing a mail failed by a defect of the server."),
];

/// `accepted_spans` → `seamwatch_accepted_spans_total`.
fn exposition(counters: &[(String, u64)]) -> String {
    let mut text = String::new();
    // A name that a sender chose is no name of a figure.
    for (name, value) in counters.iter().filter(|(name, _)| !name.starts_with("clock of ")) {
        let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let (suffix, kind) = if GAUGES.contains(&&*clean) { ("", "gauge") } else { ("_total", "counter") };
        // Writing to a String cannot fail.
        if let Some((_, help)) = HELP.iter().find(|(start, _)| clean.starts_with(start)) {
            let _ = writeln!(text, "# HELP seamwatch_{clean}{suffix} {help}");
        }
        let _ = write!(text, "# TYPE seamwatch_{clean}{suffix} {kind}\nseamwatch_{clean}{suffix} {value}\n");
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
        assert!(
            text.contains(
                "# TYPE seamwatch_accepted_spans_total counter\nseamwatch_accepted_spans_total 5\n"
            )
        );
        assert!(text.contains("# TYPE seamwatch_lag_ms gauge\nseamwatch_lag_ms 7\n"));
        assert!(text.contains("# HELP seamwatch_accepted_spans_total Records accepted, by signal.\n# TYPE"));
        let judged = exposition(&[("judged_ago_ms".into(), 61_000)]);
        assert!(judged.ends_with("# TYPE seamwatch_judged_ago_ms gauge\nseamwatch_judged_ago_ms 61000\n"));
        assert!(text.contains("seamwatch_refused_bad_gzip_total 1\n"));
    }
}
