//! Pages of configured origins may send from a browser.

use super::*;
use crate::support::server::Answer;

fn preflight(server: &Server, path: &str, origin: &str) -> Answer {
    let request = format!(
        "OPTIONS {path} HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\naccess-control-request-method: POST\r\n\
         access-control-request-headers: content-type,x-api-key\r\n\r\n"
    );
    Raw::connect(&server.otlp_http).send(request).answer()
}

/// Whether a page of `PAGE` may read the answer, beacons with credentials included.
fn readable(answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), PAGE.1, "{}", answer.status);
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert!(answer.header("vary").to_ascii_lowercase().contains("origin"), "caches must not mix origins");
}

#[test]
fn c1_a_preflight_of_a_configured_origin_is_answered() {
    let server = server();
    for path in PATHS.into_iter().chain(["/report/c1"]) {
        let answer = preflight(&server, path, PAGE.1);
        assert!([200, 204].contains(&answer.status));
        readable(&answer);
        assert_eq!(answer.header("access-control-allow-methods"), "POST");
        let headers = answer.header("access-control-allow-headers").to_ascii_lowercase();
        let headers: Vec<&str> = headers.split(',').map(str::trim).collect();
        for wanted in ["content-type", "content-encoding", "traceparent", "x-api-key"] {
            assert!(headers.contains(&wanted), "{headers:?}");
        }
    }
}

#[test]
fn c2_answers_to_a_post_can_be_read_by_the_page() {
    let server = server();
    for path in PATHS {
        let answer = server.post(path, &[JSON, PAGE], "{}");
        assert_eq!(answer.status, 200);
        readable(&answer);
    }
}

#[test]
fn c3_errors_can_be_read_by_the_page_and_so_can_retry_after() {
    let server = server();
    for (status, answer) in [
        (400, server.post("/v1/traces", &[JSON, PAGE], "{")),
        (404, server.post("/v1/nothing", &[JSON, PAGE], "{}")),
        (415, server.post("/v1/traces", &[("content-type", "text/plain"), PAGE], "{}")),
    ] {
        assert_eq!(answer.status, status);
        readable(&answer);
    }
    let busy = busy("cors_origins = [\"https://app.example\"]");
    let answer = busy.post("/v1/traces", &[JSON, PAGE], "{}");
    assert_eq!(answer.status, 503);
    readable(&answer);
    assert_eq!(answer.header("access-control-expose-headers"), "retry-after");
}

#[test]
fn c4_no_other_origin_may_read() {
    let server = server();
    for origin in
        ["https://elsewhere.example", "https://app.example.evil.example", "http://app.example", "null"]
    {
        for answer in [
            preflight(&server, "/v1/traces", origin),
            server.post("/v1/traces", &[JSON, ("origin", origin)], "{}"),
        ] {
            assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        }
    }
    let closed = start("");
    assert_eq!(preflight(&closed, "/v1/traces", PAGE.1).status, 405);
    assert_eq!(closed.post("/v1/traces", &[JSON, PAGE], "{}").header("access-control-allow-origin"), "");
}

#[test]
fn c5_any_origin_is_any_without_credentials() {
    let server = start("cors_origins = [\"*\"]");
    for answer in [
        preflight(&server, "/v1/traces", "https://anywhere.example"),
        server.post("/v1/traces", &[JSON, ("origin", "https://anywhere.example")], "{}"),
    ] {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
}
