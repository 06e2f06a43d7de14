//! OTLP requests from plain values, by the reference implementation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

pub const SECOND: u64 = 1_000_000_000;
pub const MINUTE: u64 = 60 * SECOND;

/// Nanoseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
    u64::try_from(since.as_nanos()).expect("the clock is before 2554")
}

/// The middle of the last minute that any tick from now on has behind it.
pub fn settled_minute() -> u64 {
    now() / MINUTE * MINUTE - MINUTE - MINUTE / 2
}

/// Eight bytes that no other span of this run has.
fn fresh_id() -> [u8; 8] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut dice = super::Dice(now() ^ NEXT.fetch_add(1, Ordering::Relaxed).rotate_left(40));
    dice.next().to_be_bytes()
}

/// An attribute; what reads as a whole number is sent as one.
pub fn attribute(key: &str, value: &str) -> KeyValue {
    let value = match value.parse() {
        Ok(number) => any_value::Value::IntValue(number),
        Err(_) => any_value::Value::StringValue(value.to_owned()),
    };
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn attributes(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    pairs.iter().map(|(key, value)| attribute(key, value)).collect()
}

fn resource(integration: &str, more: &[(&str, &str)]) -> Option<Resource> {
    let mut all = attributes(&[("service.name", "test"), ("integration.name", integration)]);
    all.extend(attributes(more));
    Some(Resource { attributes: all, ..Resource::default() })
}

/// One attempt towards a peer's endpoint.
#[derive(Clone)]
pub struct Attempt<'a> {
    pub peer: &'a str,
    pub method: &'a str,
    pub template: &'a str,
    pub status: i64,
    pub end: u64,
    pub duration: u64,
}

impl Attempt<'_> {
    /// A vanilla HTTP client span in a trace of its own.
    pub fn span(&self) -> Span {
        let status = self.status.to_string();
        Span {
            trace_id: [fresh_id(), fresh_id()].concat(),
            span_id: fresh_id().to_vec(),
            name: self.method.to_owned(),
            kind: 3,
            start_time_unix_nano: self.end - self.duration,
            end_time_unix_nano: self.end,
            attributes: attributes(&[
                ("http.request.method", self.method),
                ("url.template", self.template),
                ("url.full", &format!("https://{}{}", self.peer, self.template)),
                ("server.address", self.peer),
                ("http.response.status_code", &status),
            ]),
            status: Some(Status { code: if self.status >= 400 { 2 } else { 0 }, ..Status::default() }),
            ..Span::default()
        }
    }
}

/// Spans of one integration.
pub fn traces(integration: &str, more: &[(&str, &str)], spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource = resource(integration, more);
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

/// One point of a gauge.
pub fn gauge(name: &str, value: f64, pairs: &[(&str, &str)]) -> Metric {
    let point = NumberDataPoint {
        attributes: attributes(pairs),
        time_unix_nano: now(),
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    };
    let data = Some(metric::Data::Gauge(Gauge { data_points: vec![point] }));
    Metric { name: name.to_owned(), data, ..Metric::default() }
}

/// Metrics of one integration.
pub fn metrics(integration: &str, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource = resource(integration, &[]);
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

/// One event of one integration.
pub fn event(integration: &str, name: &str, pairs: &[(&str, &str)]) -> ExportLogsServiceRequest {
    let record = LogRecord {
        event_name: name.to_owned(),
        time_unix_nano: now(),
        attributes: attributes(pairs),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource = resource(integration, &[]);
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }],
    }
}
