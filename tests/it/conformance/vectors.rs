//! Bodies that others wrote: edge cases with their expected answers, what real clients sent, and the projects' own
//! examples. Each goes to the real server and is counted there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use serde_json::json;

use super::*;
use crate::support::grpc::{self, call, frame, message};
use crate::support::server::Answer;

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Records accepted by all doors so far.
fn accepted(server: &Server) -> u64 {
    let system = server.json("/api/v1/system");
    ["spans", "points", "logs"].iter().filter_map(|kind| system["accepted"][kind].as_u64()).sum()
}

/// A request as an edge case has it, on the wire.
fn request(case: &Value) -> Vec<u8> {
    let body = match (case["body"].as_str(), case["body_b64"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, base64) => STANDARD.decode(base64.unwrap_or("")).expect("base64"),
    };
    let text = |key: &str| case[key].as_str().expect("text");
    let mut head = format!("{} {} HTTP/1.1\r\nHost: x\r\n", text("method"), text("path"));
    for (name, value) in case["headers"].as_object().expect("headers") {
        head.push_str(&format!("{name}: {}\r\n", value.as_str().expect("text")));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [head.into_bytes(), body].concat()
}

/// What is wrong with the answer to an edge case, in words.
fn complaints(case: &Value, answer: &Answer, accepted: u64) -> Vec<String> {
    let expect = &case["expect"];
    let mut wrong = Vec::new();
    let statuses = expect["status"].as_array().cloned().unwrap_or_else(|| vec![expect["status"].clone()]);
    if !statuses.contains(&answer.status.into()) {
        wrong.push(format!("status {}, not {}", answer.status, expect["status"]));
    }
    if expect["accepted"].as_u64().is_some_and(|expected| expected != accepted) {
        wrong.push(format!("{accepted} accepted, not {}", expect["accepted"]));
    }
    if expect["body_len"].as_u64().is_some_and(|length| length != answer.body.len() as u64) {
        wrong.push(format!("{} bytes of body", answer.body.len()));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let rejected: Option<u64> = ["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"]
        .iter()
        .find_map(|name| body["partialSuccess"][name].as_str()?.parse().ok());
    let expected = expect["rejected"].as_u64();
    // Where the case is silent on both, either answer will do.
    if rejected != expected && (expected.is_some() || expect["accepted"].is_u64()) {
        wrong.push(format!("{rejected:?} rejected, not {expected:?}"));
    }
    let is_status = body["code"].is_u64() && body["message"].as_str().is_some_and(|said| !said.is_empty());
    if answer.status >= 400 && !is_status {
        wrong.push(format!("the body is no google.rpc.Status: {body}"));
    }
    match expect["header"].as_str() {
        Some("Allow: POST") if answer.header("allow") != "POST" => wrong.push("no Allow: POST".to_owned()),
        Some("Access-Control-Allow-*") if answer.header("access-control-allow-origin") != PAGE.1 => {
            wrong.push("no Access-Control-Allow-Origin".to_owned());
        }
        _ => {}
    }
    wrong
}

#[test]
fn v1_each_edge_case_gets_the_answer_it_must() {
    let server = start("cors_origins = [\"https://app.example\"]");
    let cases =
        std::fs::read_to_string(data("tests/data/otlp/edge/http-edge-cases.jsonl")).expect("the cases");
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).expect("JSON");
        let before = accepted(&server);
        let answer = Raw::connect(&server.otlp_http).send(request(&case)).answer();
        let complaints = complaints(&case, &answer, accepted(&server) - before);
        if !complaints.is_empty() {
            wrong.push(format!("{}: {}", case["id"], complaints.join("; ")));
        }
        seen += 1;
    }
    assert_eq!(seen, 37);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The door of a captured or published body, and the records that it holds.
struct Vector {
    name: String,
    path: &'static str,
    method: &'static str,
    is_json: bool,
    body: Vec<u8>,
    records: u64,
}

fn door(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "resourceSpans" => ("/v1/traces", grpc::TRACES),
        "resourceMetrics" => ("/v1/metrics", grpc::METRICS),
        "resourceLogs" => ("/v1/logs", grpc::LOGS),
        other => panic!("{other} is no signal"),
    }
}

/// Length of all arrays of these names, however deep.
fn length(value: &Value, names: &[&str]) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(|item| length(item, names)).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value {
                Value::Array(items) if names.contains(&name.as_str()) => items.len() as u64,
                value => length(value, names),
            })
            .sum(),
        _ => 0,
    }
}

fn in_json(name: String, body: Vec<u8>) -> Vector {
    let parsed: Value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
    let kind = parsed.as_object().and_then(|members| members.keys().next()).expect("a request").clone();
    let (path, method) = door(&kind);
    let records = length(&parsed, &["spans", "dataPoints", "logRecords"]);
    Vector { name, path, method, is_json: true, body, records }
}

fn in_protobuf(name: String, body: Vec<u8>) -> Vector {
    let (kind, records) = if name.contains("metrics") {
        let request = ExportMetricsServiceRequest::decode(&*body).expect("metrics");
        let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        let points = scopes.flat_map(|scope| scope.metrics).map(|metric| match metric.data {
            Some(Data::Gauge(data)) => data.data_points.len(),
            Some(Data::Sum(data)) => data.data_points.len(),
            Some(Data::Histogram(data)) => data.data_points.len(),
            Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
            Some(Data::Summary(data)) => data.data_points.len(),
            None => 0,
        });
        ("resourceMetrics", points.sum::<usize>())
    } else if name.contains("logs") {
        let request = ExportLogsServiceRequest::decode(&*body).expect("logs");
        let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        ("resourceLogs", scopes.map(|scope| scope.log_records.len()).sum())
    } else {
        let request = ExportTraceServiceRequest::decode(&*body).expect("traces");
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        ("resourceSpans", scopes.map(|scope| scope.spans.len()).sum())
    };
    let (path, method) = door(kind);
    Vector { name, path, method, is_json: false, body, records: records as u64 }
}

fn vectors(folder: &Path) -> Vec<Vector> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files: BTreeMap<String, PathBuf> =
        entries.filter_map(|path| Some((path.file_name()?.to_string_lossy().into_owned(), path))).collect();
    let read = |(name, path): (String, PathBuf)| {
        let body = std::fs::read(path).expect("a file");
        if name.ends_with(".json") { in_json(name, body) } else { in_protobuf(name, body) }
    };
    files.into_iter().map(read).collect()
}

/// Sends each; all of it must be taken, by gRPC too where it is protobuf.
fn all_taken(server: &Server, vectors: &[Vector]) {
    for Vector { name, path, method, is_json, body, records } in vectors {
        assert!(*records > 0, "{name} is empty");
        let before = accepted(server);
        let answer = server.post(path, &[if *is_json { JSON } else { PROTOBUF }], body.clone());
        let nothing = if *is_json { "{}" } else { "" };
        assert_eq!((answer.status, answer.text().as_str()), (200, nothing), "{name}");
        assert_eq!(accepted(server) - before, *records, "{name}");
        if !is_json {
            let answer = call(&server.otlp_grpc, method, &[], &frame(0, body));
            assert_eq!(message(&answer), b"", "{name}");
            assert_eq!(accepted(server) - before, 2 * records, "{name}");
        }
    }
}

#[test]
fn v2_what_real_clients_sent_is_taken_whole() {
    let captured = vectors(&data("tests/data/otlp/captured"));
    assert_eq!(captured.len(), 11);
    all_taken(&start(""), &captured);
}

/// A folder that lies beside some working copies; others have no copy of other projects' data.
fn beside(name: &str) -> Option<PathBuf> {
    let folder = data("../shared/data/otlp").join(name);
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
    }
    folder.is_dir().then_some(folder)
}

#[test]
fn v3_the_examples_of_opentelemetrys_own_repositories_are_taken_whole() {
    let server = start("");
    for (folder, files) in [("opentelemetry-proto", 4), ("opentelemetry-rust", 12)] {
        let Some(folder) = beside(folder) else { continue };
        let found = vectors(&folder);
        assert_eq!(found.len(), files);
        let (broken, whole): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|vector| vector.name == WITHOUT_VALUES);
        all_taken(&server, &whole);
        without_values(&server, broken);
    }
}

/// Written by a serializer that lost the values of integers (`asInt`); docs/adr/0012 has the reasons.
const WITHOUT_VALUES: &str = "serialized_metrics.json";

fn without_values(server: &Server, broken: Vec<Vector>) {
    for Vector { path, body, .. } in broken {
        let answer = server.post(path, &[JSON], body);
        let partial = answer.json()["partialSuccess"].clone();
        assert_eq!((answer.status, &partial["rejectedDataPoints"]), (200, &"2".into()));
        assert!(partial["errorMessage"].as_str().is_some_and(|said| said.contains("no value")), "{partial}");
    }
}

fn sent(server: &Server, metric: Value) {
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).to_string();
    all_taken(server, &[in_json("collector-contrib".to_owned(), body.into_bytes())]);
}

/// The collector's cases for streams are no requests; each becomes one. Which points then count is decided behind
/// the door: an old or late point is acknowledged, because sending it again would not make it younger.
#[test]
fn v4_the_streams_of_the_collectors_tests_are_taken_whole() {
    let Some(folder) = beside("collector-contrib") else { return };
    let server = start("");
    let text = std::fs::read_to_string(folder.join("deltatocumulative_exponential_1.json")).expect("a file");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 2);
    for case in cases {
        let buckets = |side: &Value| json!({"offset": side["offset"], "bucketCounts": side["counts"]});
        let points = case["in"].as_array().expect("points").iter().map(|point| {
            let counts = total(point);
            json!({"timeUnixNano": point["t"].to_string(), "scale": point["scale"], "zeroCount": point["zeroCount"],
                "count": counts, "positive": buckets(&point["pos"]), "negative": buckets(&point["neg"])})
        });
        let data = json!({"aggregationTemporality": 1, "dataPoints": points.collect::<Vec<_>>()});
        sent(&server, json!({"name": case["name"], "exponentialHistogram": data}));
    }
    let text = std::fs::read_to_string(folder.join("deltatocumulative_timestamps_1.test")).expect("a file");
    let points: Vec<Value> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.split_once(',').filter(|_| line.contains(' ')))
        .map(|(start, time)| json!({"startTimeUnixNano": start, "timeUnixNano": time, "asInt": "1"}))
        .collect();
    assert_eq!(points.len(), 5, "the points that go in");
    let data = json!({"aggregationTemporality": 1, "isMonotonic": true, "dataPoints": points});
    sent(&server, json!({"name": "timestamps.1", "sum": data}));
}

fn total(point: &Value) -> u64 {
    let sum = |side: &str| {
        point[side]["counts"].as_array().map_or(0, |counts| counts.iter().filter_map(Value::as_u64).sum())
    };
    point["zeroCount"].as_u64().unwrap_or(0) + sum("pos") + sum("neg")
}
