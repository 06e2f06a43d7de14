//! The main promise: what real clients send over real sockets is what the API says. Counts are exact, percentiles
//! within the histogram's error.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use seamwatch_exporter::exporter::{Exporter, Tier};
use serde_json::{Value, json};

use crate::support::clients;
use crate::support::home::Home;
use crate::support::server::Server;
use crate::support::{Dice, SOON, wait_until};

/// Two significant digits, and a microsecond for rounding.
fn close(said_ms: f64, exact_ns: u64) -> bool {
    let exact_ms = exact_ns as f64 / 1e6;
    (said_ms - exact_ms).abs() <= exact_ms * 0.01 + 0.001
}

/// The nearest-rank quantile of sorted values.
fn quantile(sorted: &[u64], q: f64) -> u64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Compares every endpoint of an integration with what a client says that it sent.
fn compare(server: &Server, integration: &str, sent: &Value) {
    let sent = sent.as_array().expect("a client prints a list of spans");
    let mut endpoints: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for span in sent {
        endpoints.entry(span["endpoint"].as_str().expect("an endpoint")).or_default().push(span);
    }
    assert!(endpoints.len() >= 2, "the client sent too little: {endpoints:?}");
    assert!(sent.iter().any(|span| span["class"] != "ok"), "a journey without a failure shows half");
    for (endpoint, spans) in &endpoints {
        let item = server.counted(integration, endpoint, spans.len() as u64);
        let mut classes: BTreeMap<&str, u64> = BTreeMap::new();
        for span in spans {
            *classes.entry(span["class"].as_str().expect("a class")).or_default() += 1;
        }
        let (ok, failed) = (classes["ok"], spans.len() as u64 - classes["ok"]);
        let figure = |name: &str| item[name].as_f64().unwrap_or_else(|| panic!("no {name} in {item}"));
        assert_eq!(figure("calls"), spans.len() as f64, "{item}");
        assert_eq!(figure("failures"), failed as f64, "{item}");
        let rate = ok as f64 / spans.len() as f64;
        assert!((figure("success_rate") - rate).abs() < 1e-9, "success_rate is not {rate}: {item}");
        let said: BTreeMap<&str, u64> = item["classes"]
            .as_object()
            .expect("classes are a map")
            .iter()
            .map(|(class, count)| (class.as_str(), count.as_f64().unwrap_or(-1.0) as u64))
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(said, classes, "{item}");
        assert_eq!(
            (item["peer"].as_str(), item["direction"].as_str()),
            (spans[0]["peer"].as_str(), Some("outbound"))
        );
        let of_ok = spans.iter().filter(|span| span["class"] == "ok");
        let mut durations: Vec<u64> =
            of_ok.map(|span| span["duration_ns"].as_u64().expect("a duration")).collect();
        durations.sort_unstable();
        for (name, q) in
            [("p50_ms", 0.5), ("p90_ms", 0.9), ("p95_ms", 0.95), ("p99_ms", 0.99), ("p999_ms", 0.999)]
        {
            let exact = quantile(&durations, q);
            assert!(
                close(figure(name), exact),
                "{integration} {endpoint}: {name} {} for {exact} ns",
                figure(name)
            );
        }
    }
    let known: BTreeSet<&str> = endpoints.keys().copied().collect();
    // A client's own metrics give a row at peer level beside these.
    let more: Vec<Value> = server
        .endpoints(integration)
        .into_iter()
        .filter(|item| !known.contains(item["endpoint"].as_str().unwrap_or("")))
        .collect();
    assert!(
        more.iter().all(|item| item["endpoint"].as_str().is_some_and(|name| name.ends_with(" *"))),
        "{more:?}"
    );
    headline(server, integration, sent);
    a_trace_can_be_read(server, &sent[0]);
}

/// The row of the overview is the sum of its endpoints.
fn headline(server: &Server, integration: &str, sent: &[Value]) {
    let all = server.json("/api/v1/integrations");
    let items = all["items"].as_array().expect("items");
    let row = items
        .iter()
        .find(|item| item["name"] == integration)
        .unwrap_or_else(|| panic!("no {integration} in {all}"));
    let ok = sent.iter().filter(|span| span["class"] == "ok").count();
    assert_eq!(row["attempts"].as_f64(), Some(sent.len() as f64), "{row}");
    let rate = row["success_rate"].as_f64().expect("a rate");
    assert!((rate - ok as f64 / sent.len() as f64).abs() < 1e-9, "{row}");
}

fn a_trace_can_be_read(server: &Server, span: &Value) {
    let id = span["trace_id"].as_str().expect("a trace id");
    let trace = wait_until("the trace", SOON, || {
        let answer = server.get(&format!("/api/v1/traces/{id}"));
        (answer.status == 200).then(|| answer.json())
    });
    let spans = trace["items"].as_array().expect("a trace is a list of spans");
    assert!(spans.iter().any(|one| one["span_id"] == span["span_id"]), "{trace}");
}

fn python_sdk(transport: &str, integration: &str, address: impl Fn(&Server) -> String) {
    let home = Home::new();
    let server = home.start();
    let mut client = clients::python("sdk.py");
    client.args([transport, &format!("http://{}", address(&server)), integration]);
    compare(&server, integration, &clients::run(client));
}

#[test]
fn the_python_sdk_by_grpc() {
    python_sdk("grpc", "python-grpc", |server| server.otlp_grpc.clone());
}

#[test]
fn the_python_sdk_by_http() {
    python_sdk("http", "python-http", |server| server.otlp_http.clone());
}

#[test]
fn a_python_program_that_knows_nothing_of_opentelemetry() {
    let home = Home::new();
    let server = home.start();
    let mut client = clients::instrumented_python("auto_requests.py");
    client.env("OTEL_SERVICE_NAME", "orders-sync");
    client.env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    client.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", server.otlp_http));
    compare(&server, "orders-sync", &clients::run(client));
}

fn node_sdk(encoding: &str, integration: &str) {
    let home = Home::new();
    let server = home.start();
    let mut client = clients::node("sdk.mjs");
    client.args([encoding, &format!("http://{}", server.otlp_http), integration]);
    compare(&server, integration, &clients::run(client));
}

#[test]
fn the_node_sdk_in_json() {
    node_sdk("json", "node-json");
}

#[test]
fn the_node_sdk_in_protobuf() {
    node_sdk("proto", "node-proto");
}

#[test]
fn our_own_exporter() {
    let home = Home::new();
    let server = home.start();
    let integration = Exporter::builder("rust-exporter")
        .endpoint(format!("http://{}", server.otlp_http))
        .source("Stripe")
        .destination("Xero")
        .tier(Tier::Critical)
        .build()
        .expect("an exporter can be made");
    let mut dice = Dice(11);
    let now = SystemTime::now();
    let mut sent = Vec::new();
    for (method, template, count, every_nth_fails) in
        [("GET", "/v1/invoices/{id}", 457, 23), ("POST", "/v1/payments", 163, 9)]
    {
        for n in 0..count {
            let duration = Duration::from_nanos(dice.between(1_000_000, 900_000_000));
            // Over several minutes, so that the answer is merged from several windows.
            let end = now - Duration::from_nanos(dice.between(0, 240_000_000_000));
            let status = if n % every_nth_fails == 0 { 503 } else { 200 };
            let call = integration.call(method, "api.xero.com", template).started_at(end - duration).start();
            let call = call.answered(status);
            sent.push(json!({
                "peer": "api.xero.com",
                "endpoint": format!("{method} {template}"),
                "class": if status == 200 { "ok" } else { "server" },
                "duration_ns": duration.as_nanos() as u64,
                "trace_id": call.context().trace_id().to_string(),
                "span_id": call.context().span_id().to_string(),
            }));
            call.end_at(end);
        }
    }
    integration.queue("invoices").set(12, None);
    integration.shutdown().expect("everything is sent");
    compare(&server, "rust-exporter", &Value::Array(sent));
    let all = server.json("/api/v1/integrations");
    let row = &all["items"][0];
    assert_eq!(
        (row["source"].as_str(), row["destination"].as_str()),
        (Some("Stripe"), Some("Xero")),
        "{row}"
    );
    assert_eq!((row["tier"].as_str(), row["queue_depth"].as_f64()), (Some("critical"), Some(12.0)), "{row}");
}
