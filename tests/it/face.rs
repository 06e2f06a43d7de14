//! The outside face: flags, the ready line, addresses, field names. What stands here may grow and never changes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use prost::Message;
use serde_json::{Value, json};

use crate::support::home::Home;
use crate::support::otlp::{self, Attempt};
use crate::support::server::{Server, seamwatch};
use crate::support::{SOON, story, wait_until};

fn has(object: &Value, fields: &[&str]) {
    let object = object.as_object().unwrap_or_else(|| panic!("no object: {object}"));
    let missing: Vec<_> = fields.iter().filter(|field| !object.contains_key(**field)).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {object:?}");
}

fn row(server: &Server, integration: &str) -> Option<Value> {
    let all = server.json("/api/v1/integrations");
    all["items"].as_array()?.iter().find(|item| item["name"] == integration).cloned()
}

#[test]
fn the_flags_are_there_and_an_unknown_one_is_refused() {
    let help = seamwatch().args(["serve", "--help"]).output().expect("the binary can be started");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for flag in [
        "--data",
        "--config",
        "--alerts",
        "--providers",
        "--web",
        "--otlp-http",
        "--otlp-grpc",
        "127.0.0.1:4380",
        "4318",
        "4317",
    ] {
        assert!(help.contains(flag), "no {flag} in\n{help}");
    }
    let commands = seamwatch().arg("--help").output().expect("the binary can be started");
    let commands = String::from_utf8_lossy(&commands.stdout).into_owned();
    for command in ["serve", "demo", "check", "test", "redact-test", "decrypt"] {
        assert!(commands.contains(command), "no {command} in\n{commands}");
    }
    let wrong = seamwatch().args(["serve", "--wbe", "x"]).output().expect("the binary can be started");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--wbe"));
}

#[test]
fn the_rules_that_ship_pass_their_own_check_and_their_own_tests() {
    let home = Home::new();
    for command in ["check", "test"] {
        let mut run = seamwatch();
        run.arg(command).arg("--config").arg(home.config()).arg("--alerts").arg(home.alerts());
        let output = run.output().expect("the binary can be started");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "seamwatch {command}: {said}");
    }
}

#[test]
fn a_server_that_is_ready_is_alive_and_counts_itself() {
    let home = Home::new();
    let server = home.start();
    for port in [&server.web, &server.otlp_http, &server.otlp_grpc] {
        TcpStream::connect(port).unwrap_or_else(|error| panic!("{port}: {error}"));
    }
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    story::fail(&server);
    let metrics = server.get("/metrics");
    assert!(metrics.header("content-type").starts_with("text/plain"), "{}", metrics.header("content-type"));
    let metrics = metrics.text();
    assert!(metrics.lines().any(|line| line == "seamwatch_accepted_spans_total 100"), "{metrics}");
    has(&server.json("/api/v1/system"), &["accepted", "refused", "duplicates", "late", "lag_ms"]);
}

#[test]
fn integrations_have_their_fields_and_unknown_is_null() {
    let home = Home::new();
    let server = home.start();
    assert_eq!(server.json("/api/v1/integrations"), json!({"items": []}));
    story::fleet(&server);
    let full = wait_until("a row with every figure", SOON, || {
        row(&server, "hubspot-crm")
            .filter(|row| row["expected"] == 200 && row["attempts"].as_f64() == Some(300.0))
    });
    has(
        &full,
        &[
            "name",
            "environment",
            "source",
            "destination",
            "tier",
            "state",
            "cause",
            "calls",
            "attempts",
            "success_rate",
            "p50_ms",
            "p95_ms",
            "p99_ms",
            "inbound_calls",
            "inbound_success_rate",
            "queue_depth",
            "token_expires_at",
            "expected",
            "reconciled",
            "open_incidents",
        ],
    );
    assert_eq!(full["environment"], "default");
    assert_eq!((full["queue_depth"].as_f64(), full["reconciled"].as_f64()), (Some(42.0), Some(198.0)));
    assert_eq!(full["success_rate"].as_f64(), Some(0.98), "a fraction of 1");
    assert_eq!(full["inbound_success_rate"], Value::Null);
    let expires = full["token_expires_at"].as_str().expect("an expiry");
    assert!(expires.len() >= 20 && expires.ends_with('Z') && expires.as_bytes()[10] == b'T', "{expires}");

    server.post("/report/bare", &[], "");
    let bare = wait_until("a bare row", SOON, || row(&server, "bare"));
    for unknown in [
        "success_rate",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "queue_depth",
        "token_expires_at",
        "expected",
        "reconciled",
    ] {
        assert_eq!(bare[unknown], Value::Null, "{unknown} is unknown: {bare}");
    }
    assert_eq!(server.json("/api/v1/integrations?environment=staging"), json!({"items": []}));
}

#[test]
fn endpoints_have_their_fields_and_names_are_percent_encoded() {
    let home = Home::new();
    let server = home.start();
    let attempt = Attempt {
        peer: "api.example.com:8443",
        method: "GET",
        template: "/v1/ü/{id}",
        status: 200,
        end: otlp::now() / otlp::MINUTE * otlp::MINUTE - otlp::SECOND,
        duration: 1_234_567,
    };
    let name = "a/b ü?";
    server.export(
        "/v1/traces",
        &otlp::traces(name, &[("deployment.environment.name", "sandbox")], vec![attempt.span()]),
    );
    let encoded = "a%2Fb%20%C3%BC%3F";
    let item = server.counted(encoded, "GET /v1/ü/{id}", 1);
    has(
        &item,
        &[
            "environment",
            "direction",
            "peer",
            "endpoint",
            "calls",
            "attempts",
            "failures",
            "classes",
            "success_rate",
            "p50_ms",
            "p90_ms",
            "p95_ms",
            "p99_ms",
            "p999_ms",
            "max_ms",
        ],
    );
    assert_eq!(
        (item["environment"].as_str(), item["peer"].as_str()),
        (Some("sandbox"), Some("api.example.com"))
    );
    // [from, to) in whole minutes, as unix seconds and as RFC 3339.
    let minute = attempt.end / otlp::MINUTE * 60;
    let items = |query: &str| {
        let found = server.json(&format!("/api/v1/integrations/{encoded}/endpoints?{query}"));
        found["items"].as_array().expect("items").len()
    };
    assert_eq!(items(&format!("from={}&to={}", minute + 59, minute + 60)), 1);
    assert_eq!(items(&format!("from={}&to={}", minute + 60, minute + 120)), 0);
    assert_eq!(items(&format!("from={}&to={}", minute - 60, minute)), 0);
    let rfc = |seconds: u64| {
        chrono::DateTime::from_timestamp(seconds as i64, 0).expect("a time").format("%Y-%m-%dT%H:%M:%SZ")
    };
    assert_eq!(items(&format!("from={}&to={}", rfc(minute), rfc(minute + 60))), 1);
    assert_eq!(items("environment=sandbox"), 1);
    assert_eq!(
        server.get(&format!("/api/v1/integrations/{encoded}/endpoints?environment=production")).status,
        404
    );
}

#[test]
fn evidence_can_be_asked_for() {
    let home = Home::new();
    let server = home.start();
    story::fail(&server);
    let failed = wait_until("failing spans", SOON, || {
        let found =
            server.json(&format!("/api/v1/traces?integration={}&status=failed&limit=5", story::INTEGRATION));
        found["items"].as_array().filter(|items| items.len() == 5).cloned()
    });
    let id = failed[0]["trace_id"].as_str().expect("a trace id");
    let trace = server.json(&format!("/api/v1/traces/{id}"));
    has(&trace["items"][0], &["trace_id", "span_id", "attributes", "events", "links"]);
    let run = [("integration.run.name", "nightly"), ("integration.outcome", "success")];
    server.export("/v1/logs", &otlp::event("stripe-accounting", "integration.run.completed", &run));
    wait_until("the log record", SOON, || {
        let found = server.json("/api/v1/logs?integration=stripe-accounting&limit=10");
        found["items"].as_array().filter(|items| items.len() == 1).map(|_| ())
    });
    assert_eq!(server.json("/api/v1/incidents")["items"], json!([]));
}

#[test]
fn errors_are_problems() {
    let home = Home::new();
    let server = home.start();
    for (path, status) in [
        ("/api/v1/nothing", 404),
        ("/api/v1/integrations/nobody/endpoints", 404),
        ("/api/v1/integrations?window=soon", 400),
        ("/api/v1/integrations/x/endpoints?from=yesterday", 400),
        ("/api/v1/traces/xyz", 400),
        ("/api/v1/traces/00000000000000000000000000000001", 404),
        ("/api/v1/traces?limit=many", 400),
        ("/api/v1/incidents?state=strange", 400),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        has(&answer.json(), &["title", "status", "detail"]);
        assert_eq!(answer.json()["status"], status);
    }
}

#[test]
fn a_report_is_a_form_or_json_or_nothing() {
    let home = Home::new();
    let server = home.start();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let sent = server.post(
        "/report/nightly-sync",
        &[form],
        "status=success&expected=120&reconciled=119&queue_depth=7",
    );
    assert_eq!(sent.status, 200, "{}", sent.text());
    let body = r#"{"status":"failure","endpoint":"export","duration_ms":250,"token_expires_at":4102444800}"#;
    assert_eq!(server.post("/report/sheets", &[("content-type", "application/json")], body).status, 200);
    assert_eq!(server.post("/report/beat", &[], "").status, 200);
    let nightly = wait_until("the form", SOON, || {
        row(&server, "nightly-sync").filter(|row| !row["expected"].is_null())
    });
    assert_eq!((nightly["expected"].as_f64(), nightly["reconciled"].as_f64()), (Some(120.0), Some(119.0)));
    assert_eq!(nightly["queue_depth"].as_f64(), Some(7.0));
    let sheets = wait_until("the JSON", SOON, || {
        row(&server, "sheets").filter(|row| !row["token_expires_at"].is_null())
    });
    assert!(
        sheets["token_expires_at"].as_str().is_some_and(|at| at.starts_with("2100-01-01T00:00:00")),
        "{sheets}"
    );
    wait_until("the heartbeat", SOON, || row(&server, "beat"));
}

#[test]
fn the_same_request_counts_once() {
    let home = Home::new();
    let server = home.start();
    let attempt = Attempt {
        peer: "api.example.com",
        method: "PUT",
        template: "/v1/once",
        status: 200,
        end: otlp::now(),
        duration: 9_000_000,
    };
    let body = otlp::traces("twice", &[], vec![attempt.span(); 1]).encode_to_vec();
    for _ in 0..3 {
        let answer = server.post("/v1/traces", &[("content-type", "application/x-protobuf")], body.clone());
        assert_eq!(answer.status, 200);
    }
    // What comes after them is absorbed after them.
    server.export("/v1/traces", &otlp::traces("after", &[], vec![attempt.span()]));
    server.counted("after", "PUT /v1/once", 1);
    server.counted("twice", "PUT /v1/once", 1);
    wait_until("two duplicates are counted", SOON, || {
        (server.json("/api/v1/system")["duplicates"] == 2).then_some(())
    });
}

#[test]
fn sigterm_ends_it_within_ten_seconds_with_a_stream_open_and_nothing_lost() {
    let home = Home::new();
    let mut server = home.start();
    let mut stream = TcpStream::connect(&server.web).expect("the web port takes connections");
    stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    stream
        .write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        .expect("a request can be sent");
    let mut first = [0; 512];
    let read = stream.read(&mut first).expect("the stream begins");
    assert!(String::from_utf8_lossy(&first[..read]).starts_with("HTTP/1.1 200"));
    // Acknowledged a moment before the end, so not flushed yet.
    story::fail(&server);
    let asked = Instant::now();
    server.signal("TERM");
    let status = server.wait(Duration::from_secs(20));
    let took = asked.elapsed();
    assert_eq!(status.code(), Some(0));
    // The promise of the outside face; everything else about time is not asserted.
    assert!(took < Duration::from_secs(10), "stopping took {took:?}");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the stream ends");
    let server = home.start();
    server.counted(story::INTEGRATION, story::ENDPOINT, 100);
}
