//! OTLP/JSON of a message, by the specification's mapping, in all the ways that senders write it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Map, Value, json};

use crate::support::Dice;

/// Writes JSON; the dice choose among the ways that mean the same.
pub struct Writer(pub Dice);

impl Writer {
    fn heads(&mut self) -> bool {
        self.0.next().is_multiple_of(2)
    }

    /// An object: what is a default may be missing, null, or written out.
    fn object<const N: usize>(&mut self, members: [(&str, Value); N]) -> Value {
        let mut object = Map::new();
        for (key, value) in members {
            let is_default =
                value.is_null() || value == "" || value == 0 || value == "0" || value == json!([]);
            if !is_default {
                object.insert(key.into(), value);
            } else if self.heads() {
                let written = if self.heads() { Value::Null } else { value };
                object.insert(key.into(), written);
            }
        }
        if self.heads() {
            object.insert("unknownField".into(), json!({"a": [1, {"b": null}], "c": "\u{1F600}"}));
        }
        object.into()
    }

    fn u64(&mut self, value: u64) -> Value {
        if self.heads() { value.into() } else { value.to_string().into() }
    }

    fn i64(&mut self, value: i64) -> Value {
        if self.heads() { value.into() } else { value.to_string().into() }
    }

    fn double(&mut self, value: f64) -> Value {
        match value {
            nan if nan.is_nan() => "NaN".into(),
            f64::INFINITY => "Infinity".into(),
            f64::NEG_INFINITY => "-Infinity".into(),
            plain if self.heads() => plain.to_string().into(),
            plain => plain.into(),
        }
    }

    fn doubles(&mut self, values: &[f64]) -> Value {
        values.iter().map(|value| self.double(*value)).collect()
    }

    fn optional(&mut self, value: Option<f64>) -> Value {
        value.map_or(Value::Null, |value| self.double(value))
    }

    fn hex(&mut self, id: &[u8]) -> Value {
        let upper = self.heads();
        let digits = |byte: &u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        id.iter().map(digits).collect::<String>().into()
    }

    /// An enum as its number or, which is not allowed and written all the same, as its name.
    fn name(&mut self, number: i32, prefix: &str, names: &[&str]) -> Value {
        let name = usize::try_from(number).ok().and_then(|at| names.get(at));
        match name {
            Some(name) if self.heads() => format!("{prefix}{name}").into(),
            _ => number.into(),
        }
    }

    fn value(&mut self, value: &AnyValue) -> Value {
        use any_value::Value::*;
        match &value.value {
            None | Some(StringValueStrindex(_)) => json!({}),
            Some(StringValue(text)) => json!({"stringValue": text}),
            Some(BoolValue(value)) => json!({"boolValue": value}),
            Some(IntValue(value)) => json!({"intValue": self.i64(*value)}),
            Some(DoubleValue(value)) => json!({"doubleValue": self.double(*value)}),
            Some(BytesValue(bytes)) => json!({"bytesValue": STANDARD.encode(bytes)}),
            Some(ArrayValue(array)) => {
                let values: Value = array.values.iter().map(|value| self.value(value)).collect();
                json!({"arrayValue": self.object([("values", values)])})
            }
            Some(KvlistValue(list)) => {
                let values = self.attributes(&list.values);
                json!({"kvlistValue": self.object([("values", values)])})
            }
        }
    }

    fn attributes(&mut self, list: &[KeyValue]) -> Value {
        let one = |pair: &KeyValue| {
            let value = pair.value.as_ref().map_or(Value::Null, |value| self.value(value));
            self.object([("value", value), ("key", pair.key.clone().into())])
        };
        list.iter().map(one).collect()
    }

    fn resource(&mut self, resource: &Option<Resource>) -> Value {
        let Some(resource) = resource else { return Value::Null };
        let attributes = self.attributes(&resource.attributes);
        self.object([("attributes", attributes)])
    }

    fn scope(&mut self, scope: &Option<InstrumentationScope>) -> Value {
        let Some(scope) = scope else { return Value::Null };
        let attributes = self.attributes(&scope.attributes);
        self.object([
            ("name", scope.name.clone().into()),
            ("version", "1".into()),
            ("attributes", attributes),
        ])
    }

    pub fn traces(&mut self, request: &ExportTraceServiceRequest) -> Value {
        let mut resources = Vec::new();
        for of_resource in &request.resource_spans {
            let mut scopes = Vec::new();
            for of_scope in &of_resource.scope_spans {
                let spans: Value = of_scope.spans.iter().map(|span| self.span(span)).collect();
                let scope = self.scope(&of_scope.scope);
                // JSON has no order: what the spans belong to stands behind them here.
                scopes.push(self.object([("spans", spans), ("scope", scope)]));
            }
            let resource = self.resource(&of_resource.resource);
            resources.push(self.object([("scopeSpans", scopes.into()), ("resource", resource)]));
        }
        self.object([("resourceSpans", resources.into())])
    }

    fn span(&mut self, span: &Span) -> Value {
        const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
        let mut events = Vec::new();
        for event in &span.events {
            let (time, attributes) = (self.u64(event.time_unix_nano), self.attributes(&event.attributes));
            events.push(self.object([
                ("timeUnixNano", time),
                ("name", event.name.clone().into()),
                ("attributes", attributes),
            ]));
        }
        let mut links = Vec::new();
        for link in &span.links {
            let (trace, id) = (self.hex(&link.trace_id), self.hex(&link.span_id));
            let attributes = self.attributes(&link.attributes);
            links.push(self.object([("traceId", trace), ("spanId", id), ("attributes", attributes)]));
        }
        let status = span.status.as_ref().map_or(Value::Null, |status| {
            let code = self.name(status.code, "STATUS_CODE_", &["UNSET", "OK", "ERROR"]);
            self.object([("message", status.message.clone().into()), ("code", code)])
        });
        let members = [
            ("traceId", self.hex(&span.trace_id)),
            ("spanId", self.hex(&span.span_id)),
            ("parentSpanId", self.hex(&span.parent_span_id)),
            ("traceState", span.trace_state.clone().into()),
            ("name", span.name.clone().into()),
            ("kind", self.name(span.kind, "SPAN_KIND_", &KINDS)),
            ("startTimeUnixNano", self.u64(span.start_time_unix_nano)),
            ("endTimeUnixNano", self.u64(span.end_time_unix_nano)),
            ("attributes", self.attributes(&span.attributes)),
            ("events", events.into()),
            ("links", links.into()),
            ("status", status),
            ("flags", span.flags.into()),
        ];
        self.object(members)
    }

    pub fn logs(&mut self, request: &ExportLogsServiceRequest) -> Value {
        let mut resources = Vec::new();
        for of_resource in &request.resource_logs {
            let mut scopes = Vec::new();
            for of_scope in &of_resource.scope_logs {
                let records: Value = of_scope.log_records.iter().map(|log| self.log(log)).collect();
                let scope = self.scope(&of_scope.scope);
                scopes.push(self.object([("scope", scope), ("logRecords", records)]));
            }
            let resource = self.resource(&of_resource.resource);
            resources.push(self.object([("resource", resource), ("scopeLogs", scopes.into())]));
        }
        self.object([("resourceLogs", resources.into())])
    }

    fn log(&mut self, log: &LogRecord) -> Value {
        let members = [
            ("timeUnixNano", self.u64(log.time_unix_nano)),
            ("observedTimeUnixNano", self.u64(log.observed_time_unix_nano)),
            ("severityNumber", log.severity_number.into()),
            ("severityText", log.severity_text.clone().into()),
            ("body", log.body.as_ref().map_or(Value::Null, |body| self.value(body))),
            ("attributes", self.attributes(&log.attributes)),
            ("traceId", self.hex(&log.trace_id)),
            ("spanId", self.hex(&log.span_id)),
            ("eventName", log.event_name.clone().into()),
        ];
        self.object(members)
    }

    pub fn metrics(&mut self, request: &ExportMetricsServiceRequest) -> Value {
        let mut resources = Vec::new();
        for of_resource in &request.resource_metrics {
            let mut scopes = Vec::new();
            for of_scope in &of_resource.scope_metrics {
                let metrics: Value = of_scope.metrics.iter().map(|metric| self.metric(metric)).collect();
                let scope = self.scope(&of_scope.scope);
                scopes.push(self.object([("metrics", metrics), ("scope", scope)]));
            }
            let resource = self.resource(&of_resource.resource);
            resources.push(self.object([("scopeMetrics", scopes.into()), ("resource", resource)]));
        }
        self.object([("resourceMetrics", resources.into())])
    }

    fn metric(&mut self, metric: &Metric) -> Value {
        let temporality = |writer: &mut Writer, number| {
            writer.name(number, "AGGREGATION_TEMPORALITY_", &["UNSPECIFIED", "DELTA", "CUMULATIVE"])
        };
        let none = (Value::Null, Value::Null);
        let (kind, points, (temporality, monotonic)) = match &metric.data {
            None => ("gauge", Value::Null, none),
            Some(metric::Data::Gauge(gauge)) => {
                ("gauge", gauge.data_points.iter().map(|point| self.number(point)).collect(), none)
            }
            Some(metric::Data::Sum(sum)) => (
                "sum",
                sum.data_points.iter().map(|point| self.number(point)).collect(),
                (temporality(self, sum.aggregation_temporality), sum.is_monotonic.into()),
            ),
            Some(metric::Data::Histogram(histogram)) => (
                "histogram",
                histogram.data_points.iter().map(|point| self.histogram(point)).collect(),
                (temporality(self, histogram.aggregation_temporality), Value::Null),
            ),
            Some(metric::Data::ExponentialHistogram(histogram)) => (
                "exponentialHistogram",
                histogram.data_points.iter().map(|point| self.exponential(point)).collect(),
                (temporality(self, histogram.aggregation_temporality), Value::Null),
            ),
            Some(metric::Data::Summary(summary)) => {
                ("summary", summary.data_points.iter().map(|point| self.summary(point)).collect(), none)
            }
        };
        let data = self.object([
            ("dataPoints", points),
            ("aggregationTemporality", temporality),
            ("isMonotonic", monotonic),
        ]);
        let data = if metric.data.is_none() { Value::Null } else { data };
        // Not through `object`: an empty kind is a kind all the same.
        let mut object =
            self.object([("name", metric.name.clone().into()), ("unit", metric.unit.clone().into())]);
        object[kind] = data;
        object
    }

    fn number(&mut self, point: &NumberDataPoint) -> Value {
        let value = match &point.value {
            Some(number_data_point::Value::AsDouble(value)) => ("asDouble", self.double(*value)),
            Some(number_data_point::Value::AsInt(value)) => ("asInt", self.i64(*value)),
            None => ("asInt", Value::Null),
        };
        let members = [
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.u64(point.start_time_unix_nano)),
            ("timeUnixNano", self.u64(point.time_unix_nano)),
            ("flags", point.flags.into()),
        ];
        let mut object = self.object(members);
        // A oneof that is set to its default is set.
        object[value.0] = value.1;
        object
    }

    fn histogram(&mut self, point: &HistogramDataPoint) -> Value {
        let counts: Value = point.bucket_counts.iter().map(|count| self.u64(*count)).collect();
        let members = [
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.u64(point.start_time_unix_nano)),
            ("timeUnixNano", self.u64(point.time_unix_nano)),
            ("flags", point.flags.into()),
            ("count", self.u64(point.count)),
            ("bucketCounts", counts),
            ("explicitBounds", self.doubles(&point.explicit_bounds)),
        ];
        let mut object = self.object(members);
        self.put_range(&mut object, point.sum, point.min, point.max);
        object
    }

    fn exponential(&mut self, point: &ExponentialHistogramDataPoint) -> Value {
        let members = [
            ("attributes", self.attributes(&point.attributes)),
            ("startTimeUnixNano", self.u64(point.start_time_unix_nano)),
            ("timeUnixNano", self.u64(point.time_unix_nano)),
            ("flags", point.flags.into()),
            ("count", self.u64(point.count)),
            ("zeroCount", self.u64(point.zero_count)),
            ("scale", point.scale.into()),
            ("positive", self.buckets(&point.positive)),
            ("negative", self.buckets(&point.negative)),
            ("zeroThreshold", self.double(point.zero_threshold)),
        ];
        let mut object = self.object(members);
        self.put_range(&mut object, point.sum, point.min, point.max);
        object
    }

    fn put_range(&mut self, object: &mut Value, sum: Option<f64>, min: Option<f64>, max: Option<f64>) {
        for (key, value) in [("sum", sum), ("min", min), ("max", max)] {
            object[key] = self.optional(value);
        }
    }

    fn buckets(&mut self, buckets: &Option<Buckets>) -> Value {
        let Some(buckets) = buckets else { return Value::Null };
        let counts: Value = buckets.bucket_counts.iter().map(|count| self.u64(*count)).collect();
        self.object([("offset", buckets.offset.into()), ("bucketCounts", counts)])
    }

    fn summary(&mut self, point: &SummaryDataPoint) -> Value {
        let quantiles: Vec<Value> = point
            .quantile_values
            .iter()
            .map(|at| {
                let members = [("quantile", self.double(at.quantile)), ("value", self.double(at.value))];
                self.object(members)
            })
            .collect();
        let members = [
            ("quantileValues", quantiles.into()),
            ("attributes", self.attributes(&point.attributes)),
            ("timeUnixNano", self.u64(point.time_unix_nano)),
            ("count", self.u64(point.count)),
            ("sum", self.double(point.sum)),
            ("flags", point.flags.into()),
        ];
        self.object(members)
    }
}
