//! What reaches a server: a sink on a real socket that unpacks and decodes each request.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message;
use seamwatch_exporter::credential::{CredentialState, Kind, Renewal};
use seamwatch_exporter::error::Error;
use seamwatch_exporter::event::{Outcome, Reconciliation, Run};
use seamwatch_exporter::exporter::{Builder, Exporter, Tier};

struct Request {
    path: String,
    authorization: Option<String>,
    body: Vec<u8>,
}

/// Answers every request with `status` and hands it on.
fn sink(status: &'static str) -> (SocketAddr, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (out, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, out) = (stream.unwrap(), out.clone());
            std::thread::spawn(move || serve(stream, status, &out));
        }
    });
    (address, requests)
}

fn serve(mut stream: TcpStream, status: &str, out: &Sender<Request>) {
    let mut seen = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(n) => seen.extend_from_slice(&chunk[..n]),
            }
        };
        let head = String::from_utf8(seen.drain(..end + 4).collect()).unwrap();
        let headers: BTreeMap<String, String> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        while seen.len() < length {
            let mut chunk = [0; 4096];
            let n = stream.read(&mut chunk).unwrap();
            seen.extend_from_slice(&chunk[..n]);
        }
        let packed: Vec<u8> = seen.drain(..length).collect();
        assert_eq!(headers["content-encoding"], "gzip");
        let mut body = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut body).unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        out.send(Request { path, authorization: headers.get("authorization").cloned(), body }).unwrap();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}

fn builder(address: SocketAddr) -> Builder {
    Exporter::builder("stripe-accounting")
        .endpoint(format!("http://{address}/"))
        .environment("production")
        .source("Stripe")
        .destination("Xero")
        .owner("finance-systems")
        .tier(Tier::Critical)
        .version("2.14.0")
        .interval(Duration::from_secs(60))
}

fn text(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let value = |one: &KeyValue| match one.value.clone().and_then(|any| any.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(int)) => int.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|one| (one.key.clone(), value(one))).collect()
}

fn spans(requests: &Receiver<Request>) -> (BTreeMap<String, String>, Vec<Span>) {
    let (mut resource, mut out) = (BTreeMap::new(), Vec::new());
    for request in requests.try_iter().filter(|request| request.path == "/v1/traces") {
        for group in ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap().resource_spans {
            resource = text(&group.resource.unwrap().attributes);
            out.extend(group.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    (resource, out)
}

#[test]
fn a_call_is_a_client_span_with_the_times_it_was_given() {
    let (address, requests) = sink("200 OK");
    let stripe = builder(address).build().unwrap();
    let start = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
    let end = start + Duration::from_millis(480);
    let attempt = stripe
        .call("GET", "api.stripe.com", "/v1/charges/{id}")
        .connection("acme")
        .credential("stripe-key")
        .resend_count(2)
        .started_at(start)
        .start();
    let traceparent = attempt.traceparent();
    attempt.answered(503).end_at(end);
    stripe.shutdown().unwrap();

    let (resource, spans) = spans(&requests);
    for (key, value) in [
        ("integration.name", "stripe-accounting"),
        ("deployment.environment.name", "production"),
        ("integration.source.name", "Stripe"),
        ("integration.destination.name", "Xero"),
        ("integration.owner.name", "finance-systems"),
        ("integration.tier", "critical"),
        ("service.version", "2.14.0"),
    ] {
        assert_eq!(resource.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert!(resource.contains_key("integration.sequence"), "batches are counted: {resource:?}");
    assert!(resource.contains_key("service.instance.id"), "by process: {resource:?}");
    let [span] = spans.as_slice() else { panic!("{} spans", spans.len()) };
    assert_eq!(span.kind, SpanKind::Client as i32);
    assert_eq!(span.start_time_unix_nano, 1_700_000_000_250_000_000);
    assert_eq!(span.end_time_unix_nano, 1_700_000_000_730_000_000);
    assert_eq!(span.status.as_ref().unwrap().code, StatusCode::Error as i32);
    let hex: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(traceparent.split('-').nth(2), Some(hex.as_str()));
    let attributes = text(&span.attributes);
    for (key, value) in [
        ("http.request.method", "GET"),
        ("server.address", "api.stripe.com"),
        ("url.template", "/v1/charges/{id}"),
        ("http.response.status_code", "503"),
        ("error.type", "503"),
        ("http.request.resend_count", "2"),
        ("integration.connection.id", "acme"),
        ("integration.credential.id", "stripe-key"),
    ] {
        assert_eq!(attributes.get(key).map(String::as_str), Some(value), "{key}");
    }
}

#[test]
fn a_rejected_delivery_is_no_error_of_ours_and_a_timeout_is_one_of_theirs() {
    let (address, requests) = sink("200 OK");
    let shopify = builder(address).build().unwrap();
    shopify
        .inbound("POST", "/webhooks/orders")
        .webhook("shopify", "orders/create")
        .start()
        .answered(401)
        .end();
    let delivery = shopify.inbound("POST", "/webhooks/orders/paid").start();
    let write = shopify.call("POST", "wms.example.com", "/orders").caused_by(delivery.context()).start();
    write.failed("timeout").end();
    delivery.answered(200).end();
    drop(shopify.call("GET", "wms.example.com", "/stock").start());
    shopify.shutdown().unwrap();

    let (_, spans) = spans(&requests);
    let find = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let inbound = find("POST /webhooks/orders");
    assert_eq!(inbound.kind, SpanKind::Server as i32);
    assert_eq!(text(&inbound.attributes)["http.route"], "/webhooks/orders");
    assert_eq!(text(&inbound.attributes)["integration.webhook.event_type"], "orders/create");
    assert_ne!(inbound.status.as_ref().map(|status| status.code), Some(StatusCode::Error as i32));
    let (delivery, write) = (find("POST /webhooks/orders/paid"), find("POST /orders"));
    assert_eq!((&write.trace_id, &write.parent_span_id), (&delivery.trace_id, &delivery.span_id));
    let timeout = text(&write.attributes);
    assert_eq!(timeout["error.type"], "timeout");
    assert!(!timeout.contains_key("http.response.status_code"));
    assert!(
        !text(&find("GET /stock").attributes).contains_key("error.type"),
        "abandoned is cancelled, not failed"
    );
}

#[test]
fn gauges_carry_the_latest_reading_only() {
    let (address, requests) = sink("200 OK");
    let push = builder(address).build().unwrap();
    push.queue("push").set(3, None);
    push.queue("push").set(41, Some(Duration::from_millis(1_500)));
    push.queue("gone").set(9, None);
    push.queue("gone").withdraw();
    let slot = push.credential("svc-etl");
    let state = |fingerprint: &str, expires: u64| CredentialState {
        kind: Some(Kind::ApiKey),
        renewal: Some(Renewal::Manual),
        issued_at: Some(UNIX_EPOCH + Duration::from_secs(1_000)),
        expires_at: Some(UNIX_EPOCH + Duration::from_secs(expires)),
        fingerprint: Some(fingerprint.into()),
        ..CredentialState::default()
    };
    slot.set(state("aa", 5_000));
    slot.set(state("bb", 9_000));
    push.shutdown().unwrap();

    let mut points = BTreeMap::new();
    for request in requests.try_iter().filter(|request| request.path == "/v1/metrics") {
        let decoded = ExportMetricsServiceRequest::decode(request.body.as_slice()).unwrap();
        for metric in
            decoded.resource_metrics.into_iter().flat_map(|r| r.scope_metrics).flat_map(|s| s.metrics)
        {
            let Some(Data::Gauge(gauge)) = metric.data else { panic!("{} is no gauge", metric.name) };
            for point in gauge.data_points {
                let value = match point.value.unwrap() {
                    number_data_point::Value::AsDouble(value) => value,
                    number_data_point::Value::AsInt(value) => value as f64,
                };
                points
                    .entry(metric.name.clone())
                    .or_insert_with(Vec::new)
                    .push((value, text(&point.attributes)));
            }
        }
    }
    let one = |name: &str| {
        let [point] = points[name].as_slice() else { panic!("{name}: {:?}", points[name]) };
        point.clone()
    };
    let (depth, attributes) = one("integration.queue.depth");
    assert_eq!((depth, attributes["integration.queue.name"].as_str()), (41.0, "push"));
    assert_eq!(one("integration.queue.oldest_age").0, 1.5);
    assert_eq!(one("integration.credential.expires_at").0, 9_000.0);
    assert_eq!(one("integration.credential.issued_at").0, 1_000.0);
    let info = one("integration.credential.info").1;
    for (key, value) in [
        ("integration.credential.id", "svc-etl"),
        ("integration.credential.kind", "api_key"),
        ("integration.credential.renewal", "manual"),
        ("integration.credential.expiry", "at"),
        ("integration.credential.fingerprint", "bb"),
    ] {
        assert_eq!(info.get(key).map(String::as_str), Some(value), "{key}");
    }
}

#[test]
fn runs_are_events_with_their_own_time_and_the_key_goes_along() {
    let (address, requests) = sink("200 OK");
    let orders = builder(address).bearer("sw_key").build().unwrap();
    let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds);
    let run = Reconciliation {
        name: "orders".into(),
        run_id: "r-1".into(),
        entity: Some("order".into()),
        window: (at(1_000), at(2_000)),
        expected: 1_071,
        matched: 857,
        missing: Some(214),
        unexpected: None,
        mismatched: None,
        pending: None,
    };
    orders.reconciliation_completed(&run, Some(at(2_500)));
    let nightly = Run {
        name: "nightly".into(),
        outcome: Outcome::Success,
        read: Some(10),
        written: Some(10),
        failed: None,
        watermark: Some(at(2_000)),
        next_at: None,
    };
    orders.run_completed(&nightly, None);
    orders.shutdown().unwrap();

    let mut records = Vec::new();
    for request in requests.try_iter() {
        assert_eq!(request.authorization.as_deref(), Some("Bearer sw_key"), "{}", request.path);
        if request.path == "/v1/logs" {
            let decoded = ExportLogsServiceRequest::decode(request.body.as_slice()).unwrap();
            records.extend(
                decoded.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records),
            );
        }
    }
    let gap = records.iter().find(|one| one.event_name == "integration.reconciliation.completed").unwrap();
    assert_eq!(gap.time_unix_nano, 2_500_000_000_000);
    let attributes = text(&gap.attributes);
    assert_eq!(attributes["integration.reconciliation.window.start"], "1000");
    assert_eq!(attributes["integration.reconciliation.expected"], "1071");
    assert_eq!(attributes["integration.reconciliation.missing"], "214");
    assert!(!attributes.contains_key("integration.reconciliation.unexpected"), "unknown is not nought");
    let job = records.iter().find(|one| one.event_name == "integration.run.completed").unwrap();
    assert_eq!(text(&job.attributes)["integration.outcome"], "success");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert!(now - job.time_unix_nano < 60_000_000_000);
}

#[test]
fn nothing_is_dropped_in_a_fast_replay() {
    let (address, requests) = sink("200 OK");
    let replay = builder(address).build().unwrap();
    for _ in 0..20_000 {
        replay.call("GET", "api.stripe.com", "/v1/charges/{id}").start().answered(200).end();
    }
    replay.force_flush().unwrap();
    assert_eq!(spans(&requests).1.len(), 20_000);
    replay.shutdown().unwrap();
}

#[test]
fn what_cannot_be_delivered_is_an_error_value() {
    let (address, _requests) = sink("401 Unauthorized");
    let refused = builder(address).build().unwrap();
    refused.call("GET", "api.stripe.com", "/v1/charges/{id}").start().answered(200).end();
    let Err(Error::Export(parts)) = refused.force_flush() else { panic!("it said all was well") };
    assert!(parts.iter().any(|part| part.starts_with("traces: ")), "{parts:?}");
}

#[test]
fn settings_that_cannot_work_are_refused_with_a_sentence() {
    for (endpoint, word) in [
        ("https://seamwatch.example.com", "plain HTTP"),
        ("localhost:4318", "http://host:port"),
        ("http://", "http://host:port"),
    ] {
        let Err(Error::Setting(why)) = Exporter::builder("x").endpoint(endpoint).build() else {
            panic!("{endpoint}")
        };
        assert!(why.contains(word), "{why}");
    }
    assert!(matches!(Exporter::builder(" ").build(), Err(Error::Setting(_))));
    assert!(matches!(Exporter::builder("x").interval(Duration::ZERO).build(), Err(Error::Setting(_))));
    let shown = format!("{:?}", Exporter::builder("x").bearer("sw_secret"));
    assert!(!shown.contains("sw_secret"));
}
