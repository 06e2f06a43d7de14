//! Messages with every field set in every way, for property tests.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::*;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::option;
use proptest::prelude::*;

use super::NOW;

/// Text that no rule takes for a secret. Names begin with a k, or have no letter behind m: none is a secret's.
fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z/ .é☃_\n-]{0,12}"
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => NOW - 3_600_000_000_000..NOW,
        1 => Just(0),
        1 => Just(u64::MAX),
        1 => any::<u64>(),
    ]
}

/// An id, mostly as it must be.
fn id(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => prop::collection::vec(any::<u8>(), bytes),
        1 => prop::collection::vec(any::<u8>(), 0..bytes + 3),
        1 => Just(vec![0; bytes]),
    ]
}

pub fn value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::StringValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        2 => any::<i64>().prop_map(Value::IntValue),
        2 => prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY)].prop_map(Value::DoubleValue),
        1 => prop::collection::vec(any::<u8>(), 0..8).prop_map(Value::BytesValue),
    ];
    let leaf = option::weighted(0.9, leaf).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 4, |inner| {
        let pair = (text().prop_map(|name| format!("k{name}")), option::weighted(0.9, inner.clone()));
        let pair = pair.prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() });
        let tree = prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            prop::collection::vec(pair, 0..4).prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ];
        tree.prop_map(|value| AnyValue { value: Some(value) })
    })
}

/// Attributes that mean something to a signal, and others.
pub fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let said = |key: &str, value: Value| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    };
    let words = prop::sample::select(vec![
        ("http.request.method", "POST"),
        ("server.address", "api.example.com"),
        ("rpc.method", "Get"),
        ("url.full", "https://api.example.com/v1/things/42"),
        ("integration.endpoint", "sync"),
        ("integration.name", "shop"),
        ("service.name", "worker"),
        ("deployment.environment.name", "test"),
        ("integration.queue.name", "orders"),
        ("integration.credential.id", "main"),
        ("error.type", "timeout"),
        ("integration.reconciliation.name", "r"),
        ("integration.reconciliation.run_id", "1"),
        ("integration.run.name", "nightly"),
        ("integration.outcome", "failure"),
        ("db.system.name", "sql"),
    ]);
    let numbers = prop::sample::select(vec![
        "http.response.status_code",
        "http.request.resend_count",
        "integration.records.count",
        "server.port",
        "integration.reconciliation.expected",
        "integration.reconciliation.matched",
        "integration.reconciliation.window.start",
        "integration.reconciliation.window.end",
    ]);
    let one = prop_oneof![
        3 => words.prop_map(move |(key, word)| said(key, Value::StringValue(word.into()))),
        1 => (numbers, -2i64..600).prop_map(move |(key, n)| said(key, Value::IntValue(n))),
        2 => ("[a-m.]{0,9}", option::of(value()))
            .prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() }),
    ];
    prop::collection::vec(one, 0..5)
}

prop_compose! {
    fn event()(time_unix_nano in time(), name in text(), attributes in attributes(), dropped in any::<u32>()) -> Event {
        Event { time_unix_nano, name, attributes, dropped_attributes_count: dropped }
    }
}

prop_compose! {
    fn link()(
        trace_id in id(16), span_id in id(8), trace_state in text(), attributes in attributes(), flags in any::<u32>(),
    ) -> Link {
        Link { trace_id, span_id, trace_state, attributes, flags, dropped_attributes_count: 1 }
    }
}

prop_compose! {
    pub fn span()(
        (trace_id, span_id, parent_span_id) in (id(16), id(8), id(8)), (name, trace_state) in (text(), text()),
        (kind, start, end) in (prop_oneof![0i32..7, any::<i32>()], time(), time()), flags in any::<u32>(),
        attributes in attributes(), events in prop::collection::vec(event(), 0..3),
        links in prop::collection::vec(link(), 0..3), status in option::of((text(), prop_oneof![0i32..4, any::<i32>()])),
    ) -> Span {
        Span {
            trace_id, span_id, parent_span_id, name, trace_state, kind, flags, attributes, events, links,
            start_time_unix_nano: start, end_time_unix_nano: end,
            status: status.map(|(message, code)| Status { message, code }),
            dropped_attributes_count: 2, dropped_events_count: 3, dropped_links_count: 4,
        }
    }
}

prop_compose! {
    pub fn log()(
        (time, observed) in (time(), time()), severity in prop_oneof![0i32..30, any::<i32>()],
        severity_text in text(), body in option::of(value()), attributes in attributes(),
        (trace_id, span_id) in (id(16), id(8)), flags in any::<u32>(),
        event_name in prop::sample::select(vec![
            "", "other", "integration.run.completed", "integration.reconciliation.completed",
            "integration.credential.retired",
        ]),
    ) -> LogRecord {
        LogRecord {
            time_unix_nano: time, observed_time_unix_nano: observed, severity_number: severity, severity_text, body,
            attributes, trace_id, span_id, flags, event_name: event_name.into(), dropped_attributes_count: 5,
        }
    }
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0f64..1e9, 1 => any::<f64>(), 1 => Just(f64::NAN), 1 => Just(f64::NEG_INFINITY)]
}

fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    let one = (attributes(), id(8), double()).prop_map(|(filtered_attributes, span_id, value)| Exemplar {
        filtered_attributes,
        span_id,
        value: Some(exemplar::Value::AsDouble(value)),
        ..Exemplar::default()
    });
    prop::collection::vec(one, 0..2)
}

fn flags() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(0u32), 1 => Just(1u32), 1 => any::<u32>()]
}

prop_compose! {
    fn number()(
        attributes in attributes(), (start, time) in (time(), time()), exemplars in exemplars(), flags in flags(),
        value in option::weighted(0.9, prop_oneof![
            double().prop_map(number_data_point::Value::AsDouble), any::<i64>().prop_map(number_data_point::Value::AsInt),
        ]),
    ) -> NumberDataPoint {
        NumberDataPoint { attributes, start_time_unix_nano: start, time_unix_nano: time, exemplars, flags, value }
    }
}

prop_compose! {
    fn histogram()(
        attributes in attributes(), (start, time) in (time(), time()), exemplars in exemplars(), flags in flags(),
        counts in prop::collection::vec(0u64..9, 0..5), mut bounds in prop::collection::vec(0.0f64..10.0, 0..5),
        (fits, off) in (prop::bool::weighted(0.8), 0u64..2), (sum, min, max) in (option::of(double()), option::of(double()), option::of(double())),
    ) -> HistogramDataPoint {
        if fits {
            bounds.sort_by(f64::total_cmp);
            bounds.resize(counts.len().saturating_sub(1), 20.0);
        }
        HistogramDataPoint {
            attributes, start_time_unix_nano: start, time_unix_nano: time, exemplars, flags, sum, min, max,
            count: counts.iter().sum::<u64>() + if fits { 0 } else { off }, bucket_counts: counts, explicit_bounds: bounds,
        }
    }
}

fn buckets() -> impl Strategy<Value = Buckets> {
    (any::<i32>(), prop::collection::vec(prop_oneof![0u64..9, any::<u64>()], 0..5))
        .prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts })
}

prop_compose! {
    fn exponential()(
        attributes in attributes(), (start, time) in (time(), time()), exemplars in exemplars(), flags in flags(),
        (count, zero_count, scale) in (any::<u64>(), any::<u64>(), any::<i32>()),
        (sum, min, max) in (option::of(double()), option::of(double()), option::of(double())),
        (positive, negative) in (option::of(buckets()), option::of(buckets())),
    ) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            attributes, start_time_unix_nano: start, time_unix_nano: time, exemplars, flags, count, zero_count, scale,
            sum, min, max, positive, negative, zero_threshold: 0.5,
        }
    }
}

prop_compose! {
    fn summary()(attributes in attributes(), time in time(), (count, sum) in (any::<u64>(), double()), flags in flags()) -> SummaryDataPoint {
        let quantile_values = vec![summary_data_point::ValueAtQuantile { quantile: 0.5, value: sum }];
        SummaryDataPoint { attributes, time_unix_nano: time, count, sum, flags, quantile_values, ..SummaryDataPoint::default() }
    }
}

fn metric() -> impl Strategy<Value = Metric> {
    let temporality = || prop_oneof![4 => 1i32..3, 1 => 0i32..4, 1 => any::<i32>()];
    let data = prop_oneof![
        3 => prop::collection::vec(number(), 0..3)
            .prop_map(|data_points| metric::Data::Gauge(Gauge { data_points })),
        3 => (prop::collection::vec(number(), 0..3), temporality(), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)|
            metric::Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })),
        2 => (prop::collection::vec(histogram(), 0..3), temporality()).prop_map(
            |(data_points, aggregation_temporality)|
            metric::Data::Histogram(Histogram { data_points, aggregation_temporality })),
        2 => (prop::collection::vec(exponential(), 0..3), temporality()).prop_map(
            |(data_points, aggregation_temporality)|
            metric::Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })),
        1 => prop::collection::vec(summary(), 0..3)
            .prop_map(|data_points| metric::Data::Summary(Summary { data_points })),
    ];
    let name = prop::sample::select(vec![
        "integration.queue.depth",
        "integration.queue.oldest_age",
        "integration.credential.expires_at",
        "integration.credential.info",
        "integration.reconciliation.expected",
        "integration.heartbeat",
        "http.client.request.duration",
        "other",
        "",
    ]);
    (name, text(), attributes(), option::weighted(0.95, data)).prop_map(|(name, unit, metadata, data)| {
        Metric { name: name.into(), description: "what it is".into(), unit, metadata, data }
    })
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    option::of(attributes().prop_map(|attributes| Resource { attributes, ..Resource::default() }))
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    let scope = (text(), attributes()).prop_map(|(name, attributes)| InstrumentationScope {
        name,
        version: "1".into(),
        attributes,
        dropped_attributes_count: 6,
    });
    option::of(scope)
}

pub fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scopes = (scope(), prop::collection::vec(span(), 0..3)).prop_map(|(scope, spans)| ScopeSpans {
        scope,
        spans,
        schema_url: "s".into(),
    });
    let resources = (resource(), prop::collection::vec(scopes, 0..3))
        .prop_map(|(resource, scope_spans)| ResourceSpans { resource, scope_spans, schema_url: "s".into() });
    prop::collection::vec(resources, 0..3)
        .prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

pub fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scopes = (scope(), prop::collection::vec(log(), 0..3)).prop_map(|(scope, log_records)| ScopeLogs {
        scope,
        log_records,
        schema_url: "s".into(),
    });
    let resources = (resource(), prop::collection::vec(scopes, 0..3))
        .prop_map(|(resource, scope_logs)| ResourceLogs { resource, scope_logs, schema_url: "s".into() });
    prop::collection::vec(resources, 0..3)
        .prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

pub fn metrics() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    let scopes = (scope(), prop::collection::vec(metric(), 0..4)).prop_map(|(scope, metrics)| ScopeMetrics {
        scope,
        metrics,
        schema_url: "s".into(),
    });
    let resources =
        (resource(), prop::collection::vec(scopes, 0..3)).prop_map(|(resource, scope_metrics)| {
            ResourceMetrics { resource, scope_metrics, schema_url: "s".into() }
        });
    prop::collection::vec(resources, 0..3)
        .prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}
