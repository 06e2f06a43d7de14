//! Values that cannot be, and more of everything than there may be: bounded, counted, named on the System page, and the
//! rest counts.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::metrics::v1::{Histogram, HistogramDataPoint, Metric, metric};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value;

use crate::support::faulty;
use crate::support::home::Home;
use crate::support::otlp::{self, Attempt, MINUTE, SECOND, attribute};
use crate::support::server::Server;
use crate::support::{SOON, wait_until};

const PROTOBUF: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];

/// How often something was noticed, by its words.
fn noticed(server: &Server, words: &str) -> u64 {
    let counters = server.json("/api/v1/system")["counters"].clone();
    let counters = counters.as_object().expect("counters");
    counters.iter().filter(|(name, _)| name.contains(words)).filter_map(|(_, count)| count.as_u64()).sum()
}

fn row(server: &Server, name: &str) -> Option<Value> {
    let all = server.json("/api/v1/integrations");
    all["items"].as_array()?.iter().find(|one| one["name"] == name).cloned()
}

/// A duration in another unit.
fn duration(unit: &str) -> Metric {
    let point = HistogramDataPoint {
        time_unix_nano: otlp::now(),
        count: 1,
        sum: Some(2.0),
        bucket_counts: vec![1, 0],
        explicit_bounds: vec![5.0],
        ..HistogramDataPoint::default()
    };
    let histogram = Histogram { data_points: vec![point], aggregation_temporality: 1 };
    Metric {
        name: "integration.webhook.delay".into(),
        unit: unit.into(),
        data: Some(metric::Data::Histogram(histogram)),
        ..Metric::default()
    }
}

#[test]
fn values_that_cannot_be_are_refused_with_the_reason_and_the_others_count() {
    let home = Home::new();
    let server = home.start();
    let queue =
        |value| otlp::gauge("integration.queue.depth", value, &[("integration.queue.name", "orders")]);
    let expiry = |slot: &str, at| {
        otlp::gauge("integration.credential.expires_at", at, &[("integration.credential.id", slot)])
    };
    let sent = otlp::metrics(
        "odd",
        vec![
            queue(-3.0),
            queue(f64::NAN),
            queue(f64::INFINITY),
            expiry("beyond", 253_402_300_800.0),
            expiry("negative", -1.0),
            expiry("nobody knows", f64::NAN),
            duration("parsec"),
            queue(4.0),
            expiry("last year", 1_700_000_000.0),
            expiry("year 9999", 253_402_300_799.0),
            duration("ms"),
            otlp::gauge("somebody.elses", f64::NAN, &[]),
        ],
    );
    let answer = server.post("/v1/metrics", &PROTOBUF, sent.encode_to_vec());
    assert_eq!(answer.status, 200);
    let said = ExportMetricsServiceResponse::decode(&*answer.body).expect("an export response");
    let partial = said.partial_success.expect("a partial success");
    assert_eq!(partial.rejected_data_points, 7, "{}", partial.error_message);
    for wanted in [
        "integration.queue.depth is -3, not a number of 0 or more",
        "integration.queue.depth is NaN",
        "integration.queue.depth is inf",
        "integration.credential.expires_at is 253402300800, not unix seconds up to the year 9999",
        "integration.webhook.delay in \"parsec\", which is no unit of time",
    ] {
        assert!(partial.error_message.contains(wanted), "no \"{wanted}\" in {}", partial.error_message);
    }
    let odd =
        wait_until("the good ones", SOON, || row(&server, "odd").filter(|row| !row["queue_depth"].is_null()));
    assert_eq!(odd["queue_depth"], 4.0);
    let expires = odd["token_expires_at"].as_str().unwrap_or_default();
    assert!(expires.starts_with("2023-11-14"), "an expiry in the past is one: {odd}");
    assert_eq!(noticed(&server, "no finite number"), 1);
    let page = server.get("/system").text();
    assert!(page.contains("no finite number") && page.contains("Rejected records"), "{page}");
}

#[test]
fn more_matched_than_expected_is_taken_and_named() {
    let home = Home::new();
    let server = home.start();
    let now = otlp::now() / SECOND;
    let (start, end) = ((now - 7200).to_string(), (now - 3600).to_string());
    let run = [
        ("integration.reconciliation.name", "orders"),
        ("integration.reconciliation.run_id", "r-1"),
        ("integration.reconciliation.window.start", &*start),
        ("integration.reconciliation.window.end", &*end),
        ("integration.reconciliation.expected", "9"),
        ("integration.reconciliation.matched", "12"),
    ];
    server.export("/v1/logs", &otlp::event("more", "integration.reconciliation.completed", &run));
    let more = wait_until("the run", SOON, || row(&server, "more").filter(|row| !row["expected"].is_null()));
    assert_eq!((&more["expected"], &more["reconciled"]), (&9.into(), &12.into()));
    assert_eq!(noticed(&server, "matched more than was expected"), 1);
    let empty = [run[0], run[1], (run[2].0, &*end), (run[3].0, &*start), run[4], run[5]];
    let answer = server.post(
        "/v1/logs",
        &PROTOBUF,
        otlp::event("more", "integration.reconciliation.completed", &empty).encode_to_vec(),
    );
    assert!(answer.text().contains("integration.reconciliation.window is empty"), "{}", answer.text());
}

/// A call to a path of words, for a customer.
fn call(path: &str, connection: &str) -> Span {
    let (end, duration) = (otlp::now(), SECOND / 100);
    let attempt =
        Attempt { peer: "api.example.com", method: "GET", template: path, status: 200, end, duration };
    let mut span = attempt.span();
    span.attributes.push(attribute("integration.connection.id", connection));
    span
}

/// A number in letters: digits would be an id of the path.
fn word(mut number: usize) -> String {
    let mut word = String::new();
    for _ in 0..5 {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    word
}

#[test]
fn a_hundred_thousand_paths_and_connections_are_a_few_rows_and_lose_no_call() {
    let home = Home::new();
    let mut server = home.start();
    let (requests, each) = (50, 2_000);
    for request in 0..requests {
        let spans = (0..each).map(|n| request * each + n).map(|n| call(&format!("/{}", word(n)), &word(n)));
        server.export("/v1/traces", &otlp::traces("wide", &[], spans.collect()));
    }
    let all = (requests * each) as f64;
    let endpoints = wait_until("all of them", SOON, || {
        let endpoints = server.endpoints("wide");
        let attempts: f64 = endpoints.iter().filter_map(|one| one["attempts"].as_f64()).sum();
        (attempts == all).then_some(endpoints)
    });
    assert!(endpoints.len() <= 201, "{} rows", endpoints.len());
    assert!(endpoints.iter().any(|one| one["endpoint"] == "(other)"));
    let (paths, names) =
        (noticed(&server, "endpoints past the limit"), noticed(&server, "connections and credentials past"));
    assert!(paths >= 90_000, "{paths}");
    assert!(names >= 90_000, "{names}");
    let page = server.get("/system").text();
    for wanted in ["ndpoints past the limit, counted as (other)", "onnections and credentials past the limit"]
    {
        assert!(page.contains(wanted), "no {wanted} in {page}");
    }
    assert!(server.get("/integrations/wide").text().contains("(other)"));
    assert!(server.is_up());
}

#[test]
fn an_attribute_of_a_megabyte_is_cut_and_named_and_its_span_counts() {
    let home = Home::new();
    let server = home.start();
    let mut span = call("/large", "acme");
    let trace: String = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    span.attributes.push(attribute("note", &"words ".repeat(175_000)));
    span.attributes.extend((0..1_500).map(|n| attribute(&format!("k{n}"), "v")));
    server.export("/v1/traces", &otlp::traces("large", &[], vec![span]));
    server.counted("large", "GET /large", 1);
    let trace = wait_until("the trace", SOON, || {
        let answer = server.get(&format!("/api/v1/traces/{trace}"));
        (answer.status == 200).then(|| answer.text())
    });
    assert!(trace.len() < 200_000 && trace.contains("words words"), "{} bytes", trace.len());
    assert_eq!(noticed(&server, "longer than 64 KiB"), 1);
    assert!(noticed(&server, "past the limit of a record") >= 500);
    let page = server.get("/system").text();
    assert!(page.contains("onger than 64 KiB, cut"), "{page}");
}

#[test]
fn a_clock_that_is_twenty_minutes_slow_is_found_corrected_and_shown_also_across_restarts() {
    let home = Home::new();
    let late = 20 * MINUTE;
    let attempts = |server: &Server, from: u64, to: u64| -> f64 {
        let (from, to) = (from / SECOND, to / SECOND);
        let items = server.get(&format!("/api/v1/integrations/slow/endpoints?from={from}&to={to}"));
        let items = items.json()["items"].clone();
        items.as_array().into_iter().flatten().filter_map(|one| one["attempts"].as_f64()).sum()
    };
    // A server each minute of its own clock: what was learned must outlive each of them.
    for minute in 0..6 {
        let server = faulty::start(&home, &["--ahead", &(minute * 60).to_string()]).expect("it starts");
        let now = otlp::now() + minute * MINUTE;
        let (end, duration) = (now - late, SECOND / 100);
        let attempt =
            Attempt { peer: "api.example.com", method: "GET", template: "/late", status: 200, end, duration };
        let host = [("host.name", "worker-7")];
        server.export("/v1/traces", &otlp::traces("slow", &host, vec![attempt.span()]));
        let corrected = minute.saturating_sub(3);
        wait_until("the calls are where they belong", SOON, || {
            let recent = attempts(&server, now - 3 * MINUTE, now + 2 * MINUTE);
            let old = attempts(&server, now - 40 * MINUTE, now - 10 * MINUTE);
            (recent == corrected as f64 && old == (minute + 1 - corrected) as f64).then_some(())
        });
        let page = server.get("/system").text();
        assert_eq!(
            page.contains("Clock of slow (default) is behind by"),
            corrected > 0,
            "minute {minute}: {page}"
        );
        server.signal("TERM");
    }
}
