//! The door for what cannot speak OTLP.

use super::*;

#[tokio::test]
async fn a_form_json_or_nothing_is_a_report() {
    let mut server = Setup { decoder: picky_about_nothing, ..Setup::default() }.start().await;
    let bodies = [
        (Some("application/x-www-form-urlencoded"), "status=success&records=3"),
        (Some("application/json; charset=utf-8"), "{\"status\":\"success\"}"),
        (None, ""),
        (Some("text/plain"), ""),
    ];
    for (content_type, body) in bodies {
        let headers: Vec<_> = content_type.map(|kind| ("content-type", kind)).into_iter().collect();
        let answer = server.post("/report/nightly%20sync%2Feu", &headers, body).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, serde_json::json!({})),
            "{content_type:?}"
        );
        server.delivered.recv().await.unwrap();
    }
    let kept = server.kept();
    assert!(kept.iter().all(|record| record.path == "/report/nightly sync/eu"), "{kept:?}");
    let types: Vec<_> = kept.iter().map(|record| record.content_type.as_str()).collect();
    assert_eq!(types, ["application/x-www-form-urlencoded", JSON, "", ""]);
    assert_eq!(server.count("accepted_reports"), 4);
}

/// Reads each report as an empty request, so that these tests say nothing of how a report is read.
fn picky_about_nothing(
    path: &str,
    _: &str,
    _: &[u8],
    received_at: i64,
    rules: &Arc<crate::signals::observe::Rules>,
    limits: &decode::Limits,
) -> Result<decode::Decoded, decode::Malformed> {
    assert!(path.starts_with("/report/"));
    decode::record("/v1/logs", JSON, b"{}", received_at, rules, limits)
}

#[tokio::test]
async fn what_is_no_report_is_refused() {
    let server = Server::start().await;
    let refused = async |method, path: &str, headers: &[(&str, &str)], body: &'static str, status: u16| {
        let answer = server.request(method, path, headers, body).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {answer:?}");
        assert!(answer.json()["message"].as_str().unwrap().ends_with('.'));
    };
    refused(Method::GET, "/report/a", &[], "", 405).await;
    refused(Method::POST, "/report/a", &[("content-type", "text/plain")], "hello", 415).await;
    refused(Method::POST, "/report/a", &[("content-type", JSON), ("content-encoding", "br")], "{}", 415)
        .await;
    refused(Method::POST, "/report/%20", &[], "", 400).await;
    refused(Method::POST, "/report/%ff", &[], "", 400).await;
    refused(Method::POST, &format!("/report/{}", "a".repeat(121)), &[], "", 400).await;
    refused(Method::POST, "/report", &[], "", 404).await;
    // A form needs no preflight: pages of other sites must not report from somebody's browser.
    refused(Method::POST, "/report/a", &[("origin", "https://evil.example")], "", 403).await;
    assert_eq!(server.count("accepted_reports"), 0);
    assert_eq!(server.kept(), []);
}
