//! What the specification leaves to HTTP: methods, types, paths.

use super::*;

/// A request without a body, and its answer.
fn bare(server: &Server, method: &str, path: &str) -> crate::support::server::Answer {
    Raw::connect(&server.otlp_http).send(format!("{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n")).answer()
}

#[test]
fn x1_another_method_than_post_is_405_with_allow() {
    let server = server();
    for path in PATHS.into_iter().chain(["/report/x"]) {
        for method in ["GET", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
            let answer = bare(&server, method, path);
            assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{method} {path}");
            let said = answer.json()["message"].as_str().unwrap_or("").to_owned();
            assert!(said.contains(method), "{said}");
        }
    }
}

#[test]
fn x2_a_type_or_encoding_that_is_not_read_is_415_and_names_those_that_are() {
    let server = server();
    for content_type in ["text/plain", "application/octet-stream", "application/json-lines", "", "é"] {
        let answer = server.post("/v1/traces", &[("content-type", content_type)], "{}");
        assert_eq!(answer.status, 415, "{content_type}");
        assert!(answer.text().contains("application/x-protobuf or application/json"), "{}", answer.text());
    }
    assert_eq!(server.post("/v1/traces", &[], "{}").status, 415);
    for encoding in ["br", "snappy", "gzip, gzip", "lz4"] {
        let answer = server.post("/v1/traces", &[JSON, ("content-encoding", encoding)], "{}");
        assert_eq!(answer.status, 415, "{encoding}");
        assert!(answer.text().contains("gzip, deflate, zstd or identity"), "{}", answer.text());
    }
}

#[test]
fn x3_another_path_is_404_and_names_those_that_are_there() {
    let server = server();
    for path in ["/", "/v1", "/v1/trace", "/v1/traces/v1/traces", "//v1/traces", "/v1/Traces", "/report"] {
        let answer = server.post(path, &[JSON], "{}");
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("/v1/traces, /v1/metrics or /v1/logs"), "{}", answer.text());
    }
    assert_eq!(bare(&server, "GET", "/").status, 404);
}

#[test]
fn x4_a_report_from_a_page_that_is_not_allowed_is_403() {
    let server = server();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let foreign = ("origin", "https://elsewhere.example");
    assert_eq!(server.post("/report/x4", &[form, foreign], "status=success").status, 403);
    assert_eq!(server.post("/report/x4", &[form, PAGE], "status=success").status, 200);
}
