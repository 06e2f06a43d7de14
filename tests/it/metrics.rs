//! Metrics from the wire to the API: what a real SDK sends, and counters that live through SIGKILL.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, metric, number_data_point,
};
use prost::Message;
use serde_json::Value;

use crate::support::home::Home;
use crate::support::otlp::{self, MINUTE, SECOND};
use crate::support::server::Server;
use crate::support::{Dice, SOON, wait_until};

const PROTOBUF: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];
const CAPTURED: &[u8] =
    include_bytes!("../data/otlp/captured/py-sdk-1.45.2_metrics_cumulative_hist+exphist+updown.pb");

/// Items of an integration's metrics in the last hour; none while it is not known.
fn metrics(server: &Server, integration: &str) -> Vec<Value> {
    let now = otlp::now() / SECOND;
    let path = format!("/api/v1/integrations/{integration}/metrics?from={}&to={}", now - 3600, now + 120);
    let answer = server.get(&path);
    match answer.status {
        404 => Vec::new(),
        200 => answer.json()["items"].as_array().expect("items is an array").clone(),
        status => panic!("GET {path}: {status} {}", answer.text()),
    }
}

fn item(server: &Server, integration: &str, metric: &str) -> Option<Value> {
    metrics(server, integration).into_iter().find(|item| item["metric"] == metric)
}

/// Moves what was captured into the last minute.
fn as_of_now(body: &[u8]) -> ExportMetricsServiceRequest {
    let mut message = ExportMetricsServiceRequest::decode(body).expect("it was captured whole");
    let now = otlp::now();
    let shift = |start: &mut u64, time: &mut u64| {
        let covered = if *start == 0 { 0 } else { *time - *start };
        (*time, *start) = (now, if *start == 0 { 0 } else { now - covered });
    };
    let all = message.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
    for metric in all.flat_map(|scope| &mut scope.metrics) {
        let (numbers, histograms, exponentials) = match metric.data.as_mut().expect("it has data") {
            metric::Data::Gauge(gauge) => (&mut gauge.data_points[..], &mut [][..], &mut [][..]),
            metric::Data::Sum(sum) => (&mut sum.data_points[..], &mut [][..], &mut [][..]),
            metric::Data::Histogram(one) => (&mut [][..], &mut one.data_points[..], &mut [][..]),
            metric::Data::ExponentialHistogram(one) => (&mut [][..], &mut [][..], &mut one.data_points[..]),
            metric::Data::Summary(_) => panic!("none was captured"),
        };
        numbers.iter_mut().for_each(|one| shift(&mut one.start_time_unix_nano, &mut one.time_unix_nano));
        histograms.iter_mut().for_each(|one| shift(&mut one.start_time_unix_nano, &mut one.time_unix_nano));
        exponentials.iter_mut().for_each(|one| shift(&mut one.start_time_unix_nano, &mut one.time_unix_nano));
    }
    message
}

#[test]
fn what_the_python_sdk_sends_is_in_the_api() {
    let home = Home::new();
    let server = home.start();
    server.export("/v1/metrics", &as_of_now(CAPTURED));
    let calls = wait_until("the counter", SOON, || item(&server, "py-client", "integ.calls"));
    assert_eq!(
        (&calls["kind"], &calls["value"], &calls["unit"]),
        (&"counter".into(), &3.into(), &"{call}".into())
    );
    assert_eq!((&calls["attributes"]["k"], &calls["environment"]), (&"v".into(), &"test".into()));
    assert_eq!(
        (&calls["stale"], &calls["count"], &calls["p50_ms"]),
        (&false.into(), &Value::Null, &Value::Null)
    );
    let level = item(&server, "py-client", "ud").expect("the updowncounter");
    assert_eq!((&level["kind"], &level["value"]), (&"gauge".into(), &(-2).into()));
    let explicit = item(&server, "py-client", "http.client.request.duration").expect("the histogram");
    assert_eq!((&explicit["kind"], &explicit["count"]), (&"histogram".into(), &5.into()));
    assert_eq!(explicit["estimated"], true);
    assert!(explicit["p50_ms"].is_f64() && explicit["p99_ms"].is_null(), "beyond the last bound: {explicit}");
    assert_eq!(explicit["over_count"], 1);
    let exponential = item(&server, "py-client", "exp.duration").expect("the exponential histogram");
    assert_eq!((&exponential["count"], &exponential["estimated"]), (&6.into(), &false.into()));
    assert!(exponential["p99_ms"].as_f64().is_some_and(|ms| (25e3..40e3).contains(&ms)), "{exponential}");
    // The calls that the histogram counts stand beside those of spans: no headline of them today.
    assert!(server.endpoints("py-client").is_empty());
    let missing = server.get("/api/v1/integrations/nobody/metrics");
    assert_eq!((missing.status, missing.header("content-type")), (404, "application/problem+json"));
    assert!(server.get("/metrics").text().contains("seamwatch_streams "));
}

/// One process' counts so far.
struct Process {
    start: u64,
    time: u64,
    total: i64,
    delta_total: i64,
    count: u64,
}

impl Process {
    fn begin() -> Process {
        let start = otlp::now() - MINUTE;
        Process { start, time: start, total: 0, delta_total: 0, count: 0 }
    }

    /// The next export: a cumulative counter, a delta counter and a cumulative histogram.
    fn export(&mut self, dice: &mut Dice) -> Vec<u8> {
        let before = self.time;
        self.time = otlp::now().max(before + 1);
        let added = dice.between(0, 9) as i64;
        self.total += added;
        self.delta_total += added;
        self.count += added as u64;
        let number = |start, value| NumberDataPoint {
            start_time_unix_nano: start,
            time_unix_nano: self.time,
            value: Some(number_data_point::Value::AsInt(value)),
            ..NumberDataPoint::default()
        };
        let sum = |name: &str, temporality, point| {
            let sum =
                Sum { data_points: vec![point], aggregation_temporality: temporality, is_monotonic: true };
            Metric { name: name.into(), data: Some(metric::Data::Sum(sum)), ..Metric::default() }
        };
        let point = HistogramDataPoint {
            start_time_unix_nano: self.start,
            time_unix_nano: self.time,
            count: self.count,
            sum: Some(self.count as f64 * 0.2),
            bucket_counts: vec![0, self.count, 0],
            explicit_bounds: vec![0.1, 0.5],
            ..HistogramDataPoint::default()
        };
        let histogram = Histogram { data_points: vec![point], aggregation_temporality: 2 };
        let metrics = vec![
            sum("cumulative", 2, number(self.start, self.total)),
            sum("delta", 1, number(before, added)),
            Metric {
                name: "durations".into(),
                unit: "s".into(),
                data: Some(metric::Data::Histogram(histogram)),
                ..Metric::default()
            },
        ];
        otlp::metrics("counted", metrics).encode_to_vec()
    }
}

#[test]
fn what_is_wrong_with_points_is_told() {
    let home = Home::new();
    let server = home.start();
    let mut dice = Dice(7);
    let mut process = Process::begin();
    let mut bodies: Vec<Vec<u8>> = (0..3).map(|_| process.export(&mut dice)).collect();
    bodies.swap(1, 2);
    for body in bodies {
        assert_eq!(server.post("/v1/metrics", &PROTOBUF, body).status, 200);
    }
    let counters = wait_until("the notices", SOON, || {
        let system = server.json("/api/v1/system");
        let counters = system["counters"].clone();
        (counters["notice: metric points out of order"] == 2).then_some(counters)
    });
    // Three streams: the delta's late point counted.
    assert_eq!(counters["streams"], 3);
    let text = server.get("/metrics").text();
    assert!(text.contains("seamwatch_notice__metric_points_out_of_order_total 2"), "{text}");
    let wanted = process.total;
    wait_until("the late delta", SOON, || {
        item(&server, "counted", "delta").filter(|item| item["value"] == wanted)
    });
    // A counter that fell below zero is refused, and the rest of the request is taken.
    process.total = -1_000;
    let answer = server.post("/v1/metrics", &PROTOBUF, process.export(&mut dice));
    assert_eq!(answer.status, 200);
    assert!(
        answer.text().contains("point of \"cumulative\": a sum that only grows is -"),
        "{}",
        answer.text()
    );
}

/// Sends until it is acknowledged, over a server that is killed in between.
#[test]
fn counters_are_exact_through_kills() {
    let mut dice = Dice::thrown("counters_are_exact_through_kills");
    let home = Home::new();
    let mut server = home.start();
    let mut process = Process::begin();
    // What earlier processes came to.
    let (mut totals, mut kills) = (0, 0);
    for round in 0..60 {
        let body = process.export(&mut dice);
        if dice.between(0, 8) == 0 {
            kills += 1;
            // Before it can answer, or after it did and before it counted: the sender cannot know, and sends again.
            if dice.between(0, 2) == 0 {
                let answer = server.post("/v1/metrics", &PROTOBUF, body.clone());
                assert_eq!(answer.status, 200, "{}", answer.text());
                server.signal("KILL");
            } else {
                server.signal("KILL");
                let _ = server.try_post("/v1/metrics", &PROTOBUF, body.clone());
            }
            drop(server);
            server = home.start();
        }
        let answer = server.post("/v1/metrics", &PROTOBUF, body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        if round % 25 == 24 {
            // Its successor starts from nothing.
            totals += process.total;
            let delta_total = process.delta_total;
            process = Process::begin();
            process.start = otlp::now();
            process.time = process.start;
            process.delta_total = delta_total;
        }
    }
    assert!(kills > 0, "the seed kills nobody");
    totals += process.total;
    let check = |server: &Server| {
        for (metric, figure, wanted) in [
            ("cumulative", "value", totals),
            ("delta", "value", process.delta_total),
            ("durations", "count", totals),
        ] {
            let mut last = Value::Null;
            wait_until(&format!("{metric} of {wanted}"), SOON, || {
                last = item(server, "counted", metric)?;
                let seen = last[figure].as_i64().unwrap_or_else(|| panic!("no {figure} in {last}"));
                assert!(seen <= wanted, "{metric}: {seen} of {wanted}");
                (seen == wanted).then_some(())
            });
        }
    };
    check(&server);
    server.signal("TERM");
    server.wait(SOON);
    check(&home.start());
}
