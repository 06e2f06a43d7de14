//! Data points of every kind: the same in either encoding, and what makes one refused.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1 as proto;
use prost::Message;
use proto::exponential_histogram_data_point::Buckets;
use proto::summary_data_point::ValueAtQuantile;

use super::{json, read};
use crate::decode::{Encoding, Signal};

const START: u64 = 1_700_000_000_000_000_000;
const TIME: u64 = 1_700_000_060_000_000_000;

fn exponential() -> proto::ExponentialHistogramDataPoint {
    proto::ExponentialHistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 9,
        sum: Some(12.5),
        scale: -1,
        zero_count: 2,
        zero_threshold: 0.25,
        positive: Some(Buckets { offset: -3, bucket_counts: vec![1, 0, 4] }),
        negative: Some(Buckets { offset: 1, bucket_counts: vec![2] }),
        min: Some(-5.0),
        max: Some(8.0),
        ..Default::default()
    }
}

#[test]
fn every_kind_of_point_reads_the_same_in_both_encodings() {
    let number = proto::NumberDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        value: Some(proto::number_data_point::Value::AsInt(7)),
        ..Default::default()
    };
    let sum = |temporality, is_monotonic| {
        let data_points = vec![number.clone()];
        proto::metric::Data::Sum(proto::Sum {
            data_points,
            aggregation_temporality: temporality,
            is_monotonic,
        })
    };
    let histogram = proto::HistogramDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 3,
        sum: Some(1.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        min: Some(0.1),
        max: Some(0.9),
        ..Default::default()
    };
    let summary = proto::SummaryDataPoint {
        start_time_unix_nano: START,
        time_unix_nano: TIME,
        count: 4,
        sum: 2.5,
        quantile_values: vec![ValueAtQuantile { quantile: 0.5, value: 0.6 }],
        ..Default::default()
    };
    let ended = proto::NumberDataPoint { time_unix_nano: TIME, flags: 1, ..Default::default() };
    let ended = proto::Sum { data_points: vec![ended], aggregation_temporality: 2, is_monotonic: true };
    let metric = |name: &str, unit: &str, data| proto::Metric {
        name: name.into(),
        unit: unit.into(),
        data: Some(data),
        ..Default::default()
    };
    let of_histogram = proto::Histogram { data_points: vec![histogram], aggregation_temporality: 1 };
    let of_exponential =
        proto::ExponentialHistogram { data_points: vec![exponential()], aggregation_temporality: 2 };
    let metrics = vec![
        metric("a", "1", sum(1, true)),
        metric("b", "1", sum(2, false)),
        metric("c", "s", proto::metric::Data::Histogram(of_histogram)),
        metric("d", "By", proto::metric::Data::ExponentialHistogram(of_exponential)),
        metric("e", "s", proto::metric::Data::Summary(proto::Summary { data_points: vec![summary] })),
        metric("a", "1", proto::metric::Data::Sum(ended)),
    ];
    let scope = InstrumentationScope { name: "s".into(), version: "2".into(), ..Default::default() };
    let scope_metrics = vec![proto::ScopeMetrics { scope: Some(scope), metrics, ..Default::default() }];
    let message = ExportMetricsServiceRequest {
        resource_metrics: vec![proto::ResourceMetrics { scope_metrics, ..Default::default() }],
    };
    let times = format!(r#""startTimeUnixNano":"{START}","timeUnixNano":"{TIME}""#);
    let text = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"scope":{{"name":"s","version":"2"}},"metrics":[
        {{"name":"a","unit":"1","sum":{{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{{{times},"asInt":"7"}}]}}}},
        {{"name":"b","unit":"1","sum":{{"aggregationTemporality":2,"dataPoints":[{{{times},"asInt":7}}]}}}},
        {{"name":"c","unit":"s","histogram":{{"aggregationTemporality":1,"dataPoints":[{{{times},"count":"3","sum":1.5,
            "bucketCounts":["1",2],"explicitBounds":["0.5"],"min":0.1,"max":0.9}}]}}}},
        {{"name":"d","unit":"By","exponentialHistogram":{{"aggregationTemporality":2,"dataPoints":[{{{times},"count":9,"sum":12.5,
            "scale":-1,"zeroCount":2,"zeroThreshold":0.25,"positive":{{"offset":-3,"bucketCounts":[1,"0",4]}},
            "negative":{{"offset":1,"bucketCounts":[2]}},"min":-5,"max":8}}]}}}},
        {{"name":"e","unit":"s","summary":{{"dataPoints":[{{{times},"count":4,"sum":2.5,"quantileValues":[{{"quantile":0.5,"value":0.6}}]}}]}}}},
        {{"name":"a","unit":"1","sum":{{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{{"timeUnixNano":"{TIME}","flags":1}}]}}}}
        ]}}]}}]}}"#
    );
    let binary = read(Signal::Metrics, Encoding::Protobuf, &message.encode_to_vec()).unwrap();
    let text = json(Signal::Metrics, &text).unwrap();
    assert_eq!((binary.rejected.count, &binary.rejected.message[..]), (0, ""));
    assert_eq!(binary.batch.observations, text.batch.observations);
    // The summary is a count, a sum and a quantile; its end, and that of every sum, ends three streams.
    assert_eq!(binary.batch.observations.points.len(), 10);
    assert_eq!(binary.batch.observations.gauges.len(), 2);
}

#[test]
fn points_that_cannot_be_are_refused_in_both_encodings() {
    let point = |kind: &str, unit: &str, point: &str| {
        let body = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m","unit":"{unit}","{kind}":{{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{{"timeUnixNano":"{TIME}",{point}}}]}}}}]}}]}}]}}"#
        );
        // A request of nothing but records that cannot be read is refused whole.
        json(Signal::Metrics, &body).map_or_else(|problem| problem.0, |decoded| decoded.rejected.message)
    };
    let cases = [
        ("sum", "1", r#""asDouble":-1"#, "a sum that only grows is -1"),
        ("sum", "1", r#""asDouble":"NaN""#, "a sum that is NaN"),
        (
            "histogram",
            "s",
            r#""count":3,"bucketCounts":[1,1],"explicitBounds":[1]"#,
            "hold 2 of a count of 3",
        ),
        ("histogram", "s", r#""count":2,"bucketCounts":[1,1,0],"explicitBounds":[2,1]"#, "do not ascend"),
        (
            "histogram",
            "s",
            r#""count":2,"bucketCounts":[1,1,0],"explicitBounds":["NaN","NaN"]"#,
            "do not ascend",
        ),
        ("histogram", "s", r#""count":1,"sum":"Infinity""#, "its sum is inf"),
        (
            "exponentialHistogram",
            "s",
            r#""count":3,"zeroCount":1,"positive":{"bucketCounts":[1]}"#,
            "hold 2 of a count of 3",
        ),
        ("exponentialHistogram", "s", r#""count":1,"scale":40,"zeroCount":1"#, "a scale of 40"),
        (
            "exponentialHistogram",
            "s",
            r#""count":1,"scale":0,"positive":{"offset":1024,"bucketCounts":[1]}"#,
            "beyond a double",
        ),
        (
            "exponentialHistogram",
            "s",
            r#""count":1,"scale":2,"positive":{"offset":-2147483648,"bucketCounts":[1]}"#,
            "beyond a double",
        ),
        (
            "exponentialHistogram",
            "s",
            r#""count":1,"zeroCount":1,"zeroThreshold":"NaN""#,
            "a zero threshold of NaN",
        ),
        (
            "exponentialHistogram",
            "s",
            r#""count":1,"negative":{"bucketCounts":[1]}"#,
            "1 durations below zero",
        ),
    ];
    for (kind, unit, data, wanted) in cases {
        let told = point(kind, unit, data);
        assert!(told.contains(wanted), "{kind} {data}: {told:?}");
    }
    assert_eq!(point("exponentialHistogram", "By", r#""count":1,"negative":{"bucketCounts":[1]}"#), "");
    let many = |n: usize| {
        let counts = vec!["0"; n].join(",");
        point(
            "exponentialHistogram",
            "s",
            &format!(r#""count":0,"scale":10,"positive":{{"bucketCounts":[{counts}]}}"#),
        )
    };
    assert_eq!(many(16_384), "");
    assert!(many(16_385).contains("more than 16384 buckets"));
    let mut crowded = exponential();
    crowded.positive = Some(Buckets { offset: 0, bucket_counts: vec![0; 100_000] });
    let data_points = vec![crowded];
    let data = proto::ExponentialHistogram { data_points, aggregation_temporality: 2 };
    let data = Some(proto::metric::Data::ExponentialHistogram(data));
    let metrics = vec![proto::Metric { name: "m".into(), data, ..Default::default() }];
    let scope_metrics = vec![proto::ScopeMetrics { metrics, ..Default::default() }];
    let resource_metrics = vec![proto::ResourceMetrics { scope_metrics, ..Default::default() }];
    let body = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
    let problem = read(Signal::Metrics, Encoding::Protobuf, &body).unwrap_err();
    assert!(problem.0.contains("more than 16384 buckets"), "{problem}");
}

#[test]
fn a_metric_of_the_vocabulary_needs_its_attributes_and_its_shape() {
    let point = |name: &str, monotonic: bool, attributes: &[(&str, &str)]| {
        let attributes: Vec<String> = attributes
            .iter()
            .map(|(key, value)| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#))
            .collect();
        let body = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"{name}","sum":{{"aggregationTemporality":2,"isMonotonic":{monotonic},"dataPoints":[{{"timeUnixNano":"{TIME}","asInt":1,"attributes":[{}]}}]}}}}]}}]}}]}}"#,
            attributes.join(",")
        );
        json(Signal::Metrics, &body).unwrap().rejected.message
    };
    let (event, result) =
        (("integration.webhook.event_type", "order"), ("integration.webhook.result", "accepted"));
    assert_eq!(point("integration.webhook.deliveries", true, &[event, result]), "");
    assert!(
        point("integration.webhook.deliveries", true, &[event]).contains("no integration.webhook.result")
    );
    assert!(point("integration.queue.enqueued", true, &[]).contains("no integration.queue.name"));
    assert!(
        point("integration.queue.enqueued", false, &[("integration.queue.name", "q")])
            .contains("not a counter")
    );
    assert!(point("integration.webhook.delay", true, &[]).contains("not a histogram"));
}
