//! What `docs/low-code.md` shows, run as it stands there.

use std::process::Command;

use serde_json::Value;

use crate::support::home::Home;
use crate::support::otlp::{self, SECOND};
use crate::support::server::Server;
use crate::support::{SOON, wait_until};

/// The lines of the document's shell blocks.
fn shown() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/low-code.md");
    let text = std::fs::read_to_string(path).expect("the document is there");
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        match (line, inside) {
            ("```sh", _) => inside = true,
            ("```", _) => inside = false,
            (line, true) => lines.push(line.to_owned()),
            _ => {}
        }
    }
    lines
}

fn row(server: &Server, name: &str) -> Option<Value> {
    let all = server.json("/api/v1/integrations");
    all["items"].as_array()?.iter().find(|one| one["name"] == name).cloned()
}

/// The integration's row, once it is as wanted.
fn reported(server: &Server, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_until(name, SOON, || row(server, name).filter(|row| wanted(row)))
}

#[test]
fn every_line_that_the_document_shows_is_taken_and_means_what_it_says() {
    let home = Home::new();
    let server = home.start();
    let lines = shown();
    assert!(lines.len() >= 10, "{lines:?}");
    for line in &lines {
        assert!(line.contains("http://127.0.0.1:4318/report/"), "{line}");
        let line = line.replace("127.0.0.1:4318", &server.otlp_http);
        let output = Command::new("sh").arg("-c").arg(&line).output().expect("a shell");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && !said.contains("code"), "{line}\n{said}");
    }

    reported(&server, "nightly-export", |row| row["calls"] == 1.0 && row["success_rate"] == 1.0);
    let backup = reported(&server, "nightly-backup", |row| row["calls"] == 2.0);
    assert_eq!(backup["success_rate"], 0.5, "{backup}");
    let erp = reported(&server, "orders-to-erp", |row| !row["expected"].is_null());
    assert_eq!((&erp["expected"], &erp["reconciled"]), (&200.into(), &198.into()));
    assert!(erp["p50_ms"].as_f64().is_some_and(|ms| (5_200.0..5_400.0).contains(&ms)), "{erp}");
    reported(&server, "watchdog", |row| row["calls"] == 0.0);
    let endpoints = server.endpoints("zap-hubspot-sheets");
    assert_eq!(endpoints[0]["endpoint"], "append row", "{endpoints:?}");
    reported(&server, "make-orders", |row| row["success_rate"] == 0.0);
    let n8n = reported(&server, "n8n-invoices", |row| !row["token_expires_at"].is_null());
    assert!(
        n8n["token_expires_at"].as_str().is_some_and(|at| at.starts_with("2099-01-31T00:00:00")),
        "{n8n}"
    );
    reported(&server, "flow-approvals", |row| row["queue_depth"] == 3.0);
    let staging = server.json("/api/v1/integrations?environment=staging");
    assert_eq!(staging["items"][0]["name"], "orders-to-erp", "{staging}");
}

#[test]
fn each_field_is_honoured_in_both_ways_to_write_it() {
    let home = Home::new();
    let server = home.start();
    let next = otlp::now() / SECOND + 3600;
    let form = format!(
        "status=success&message=all+well&endpoint=sync&duration_ms=250&records=10&records_failed=1&expected=10&\
         reconciled=9&queue_depth=4&token_expires_at=4102444800&next_at={next}&connection=acme&environment=qa"
    );
    let json = serde_json::json!({
        "status": "success", "message": "all well", "endpoint": "sync", "duration_ms": 250, "records": 10,
        "records_failed": 1, "expected": "10", "reconciled": 9.0, "queue_depth": 4,
        "token_expires_at": "2100-01-01T00:00:00Z", "next_at": next, "connection": "acme", "environment": "qa",
    });
    for (name, media, body) in [
        ("by-form", "application/x-www-form-urlencoded", form),
        ("by-json", "application/json", json.to_string()),
    ] {
        let answer = server.post(&format!("/report/{name}"), &[("content-type", media)], body);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let row = reported(&server, name, |row| !row["token_expires_at"].is_null());
        assert_eq!(
            (&row["environment"], &row["expected"], &row["reconciled"]),
            (&"qa".into(), &10.into(), &9.into())
        );
        assert!(
            row["token_expires_at"].as_str().is_some_and(|at| at.starts_with("2100-01-01T00:00:00")),
            "{row}"
        );
        assert_eq!(row["queue_depth"], 4.0);
        let endpoint = server.counted(name, "sync", 1);
        assert_eq!(endpoint["classes"]["partial"], 1.0, "one record failed: {endpoint}");
        assert!(endpoint["p50_ms"].as_f64().is_some_and(|ms| (245.0..255.0).contains(&ms)), "{endpoint}");
        let page = server.get(&format!("/integrations/{name}?environment=qa")).text();
        assert!(page.contains("all well"), "{name}: no message on its page");
    }
    for (body, wanted) in [
        ("token_expires_at=1900000000000", "milliseconds"),
        ("next_at=tomorrow", "2027-01-31T00:00:00Z"),
        ("status=ok", "success or failure"),
        ("records=-1", "0 or more"),
    ] {
        let media = ("content-type", "application/x-www-form-urlencoded");
        let answer = server.post("/report/wrong", &[media], body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text().contains(wanted), "{body}: {}", answer.text());
    }
    assert!(row(&server, "wrong").is_none(), "what is refused makes no integration");
}
