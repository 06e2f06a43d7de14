//! Requests at the edges of OTLP/HTTP, with the answers that the specification asks for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;

const CASES: &str = include_str!("../../../tests/data/otlp/edge/http-edge-cases.jsonl");

/// What is wrong with an answer, in words.
fn complaints(case: &Value, answer: &Answer, accepted: u64) -> Vec<String> {
    let expect = &case["expect"];
    let mut wrong = Vec::new();
    let status = u64::from(answer.status.as_u16());
    let statuses = expect["status"].as_array().cloned().unwrap_or_else(|| vec![expect["status"].clone()]);
    if !statuses.contains(&Value::from(status)) {
        wrong.push(format!("status {status}, not {}", expect["status"]));
    }
    if expect["accepted"].as_u64().is_some_and(|expected| expected != accepted) {
        wrong.push(format!("{accepted} accepted, not {}", expect["accepted"]));
    }
    if expect["body_len"].as_u64().is_some_and(|length| length != answer.body.len() as u64) {
        wrong.push(format!("{} bytes of body", answer.body.len()));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let rejected = ["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"]
        .iter()
        .find_map(|name| body["partialSuccess"][name].as_str()?.parse().ok());
    let expected = expect["rejected"].as_u64();
    // Where the case is silent on both, either answer will do.
    if rejected != expected && (expected.is_some() || expect["accepted"].is_u64()) {
        wrong.push(format!("{rejected:?} rejected, not {expected:?}"));
    }
    if status >= 400 && (body["message"].as_str().unwrap_or_default().is_empty() || !body["code"].is_u64()) {
        wrong.push(format!("the body is no google.rpc.Status: {body}"));
    }
    match expect["header"].as_str() {
        Some("Allow: POST") if answer.header("allow") != Some("POST") => {
            wrong.push("no Allow: POST".to_owned())
        }
        Some("Access-Control-Allow-*") if answer.header("access-control-allow-origin").is_none() => {
            wrong.push("no Access-Control-Allow-Origin".to_owned());
        }
        _ => {}
    }
    wrong
}

#[tokio::test]
async fn each_edge_case_gets_the_answer_it_must() {
    let settings = Settings { cors_origins: vec!["https://app.example".to_owned()], ..Settings::default() };
    let server = Setup { settings, ..Setup::default() }.start().await;
    let accepted = || ["accepted_spans", "accepted_points", "accepted_logs"].map(|name| server.count(name));
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let headers: Vec<(&str, &str)> = case["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let body = match (case["body"].as_str(), case["body_b64"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
            (None, None) => Vec::new(),
        };
        let method: Method = case["method"].as_str().unwrap().parse().unwrap();
        let before: u64 = accepted().iter().sum();
        let answer = server.request(method, case["path"].as_str().unwrap(), &headers, body).await;
        let gained = accepted().iter().sum::<u64>() - before;
        let complaints = complaints(&case, &answer, gained);
        if !complaints.is_empty() {
            wrong.push(format!("{}: {}", case["id"], complaints.join("; ")));
        }
        seen += 1;
    }
    assert_eq!(seen, 37);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
