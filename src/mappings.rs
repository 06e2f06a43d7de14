//! Metrics of others that are known by name: those that ship, and over them the operator's.

use serde::Deserialize;

use crate::config::metric::Metric;
use crate::signals::mapping::{Mapping, Mappings};

/// The file that ships.
pub const SHIPPED: &str = include_str!("../mappings/queues.toml");

#[derive(Deserialize)]
struct File {
    metric: Vec<Metric>,
}

/// The operator's entries, then those that ship: of one name the first that holds counts. The operator's were checked
/// when they were read, and a test checks those that ship.
pub fn load(own: &[Metric]) -> Result<Mappings, String> {
    let shipped: File = toml::from_str(SHIPPED).map_err(|error| format!("shipped/queues.toml: {error}"))?;
    let all = own.iter().chain(&shipped.metric).map(Metric::mapping);
    let all: Result<Vec<Mapping>, _> = all.collect();
    all.map(Mappings::new).map_err(|(_, problem)| problem)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Arc;

    use super::*;
    use crate::signals::observation::Observations;
    use crate::signals::observe::{Observer, Rules};
    use crate::signals::telemetry::{Attributes, Origin, Point, PointValue, Temporality, Value};

    const NOW: i64 = 1_800_000_000_000_000_000;

    fn list(pairs: &[(&'static str, &'static str)]) -> Attributes<'static> {
        let mut list = Attributes::default();
        for (key, value) in pairs {
            list.push(Cow::Borrowed(*key), Value::Str(Cow::Borrowed(*value)));
        }
        list
    }

    type Own<'o> = &'o [(&'static str, &'static str)];

    /// What points come to of which resource: (metric, attributes, value).
    fn read(resource: Own<'_>, points: &[(&str, Own<'_>, PointValue<'_>)]) -> Observations {
        let rules = Rules { mappings: Arc::new(load(&[]).expect("what ships is right")), ..Rules::default() };
        let mut observer = Observer::new(Arc::new(rules), NOW);
        let (resource, none) = (list(resource), Attributes::default());
        let origin = Origin { resource_index: 0, resource: &resource, scope_name: "", scope: &none };
        for (metric, own, value) in points {
            let own = list(own);
            let (start, value) = (NOW - 60_000_000_000, value.clone());
            let point = Point { metric, unit: "1", start, time: NOW, attributes: &own, value };
            observer.point(&origin, &point).expect("it is taken");
        }
        observer.finish()
    }

    /// "metric queue state value" of each level.
    fn levels(seen: &Observations) -> Vec<String> {
        let said = |gauge: &crate::signals::observation::Gauge| {
            let of = |name| gauge.key.attribute(name).unwrap_or("-").to_owned();
            let metric = gauge.key.metric.trim_start_matches("integration.queue.").to_owned();
            format!(
                "{metric} {} {} {}",
                of("integration.queue.name"),
                of("integration.queue.state"),
                gauge.value
            )
        };
        seen.gauges.iter().map(said).collect()
    }

    fn cumulative(value: f64, monotonic: bool) -> PointValue<'static> {
        PointValue::Sum { value, monotonic, temporality: Temporality::Cumulative }
    }

    #[test]
    fn every_entry_names_its_source() {
        let shipped: File = toml::from_str(SHIPPED).expect("it is TOML");
        assert!(shipped.metric.len() > 20);
        for metric in &shipped.metric {
            assert!(metric.source.starts_with("https://github.com/"), "{}: no source", metric.from);
            assert!(metric.mapping().is_ok(), "{}: {:?}", metric.from, metric.mapping());
        }
    }

    #[test]
    fn rabbitmqs_messages_are_ready_or_in_flight() {
        let seen = read(
            &[("rabbitmq.queue.name", "orders"), ("rabbitmq.vhost.name", "/"), ("rabbitmq.node.name", "a")],
            &[
                ("rabbitmq.message.current", &[("state", "ready")], cumulative(12.0, false)),
                ("rabbitmq.message.current", &[("state", "unacknowledged")], cumulative(3.0, false)),
                ("rabbitmq.message.published", &[], cumulative(900.0, true)),
                ("rabbitmq.consumer.count", &[], cumulative(2.0, false)),
            ],
        );
        let wanted = ["depth orders ready 12", "depth orders in_flight 3", "rabbitmq.consumer.count - - 2"];
        assert_eq!(levels(&seen), wanted);
        assert!(!seen.gauges[0].key.additive, "two collectors see the same queue");
        assert_eq!(seen.points.len(), 4);
    }

    #[test]
    fn kafkas_partitions_are_added_up_and_a_second_collector_adds_nothing() {
        let lag = |partition| [("group", "billing"), ("topic", "orders"), ("partition", partition)];
        let points: Vec<_> = ["0", "1"].map(lag).into();
        let points: Vec<(&str, Own<'_>, PointValue<'_>)> = points
            .iter()
            .map(|own| ("kafka.consumer_group.lag", &own[..], PointValue::Gauge(40.0)))
            .collect();
        let one = read(&[("host.name", "a")], &points);
        let two = read(&[("host.name", "b")], &points);
        assert_eq!(levels(&one), ["depth billing/orders ready 40"; 2]);
        assert!(one.gauges[0].key.additive && one.gauges[0].key.reporter != one.gauges[1].key.reporter);
        let keys =
            |seen: &Observations| seen.gauges.iter().map(|gauge| gauge.key.reporter).collect::<Vec<_>>();
        assert_eq!(keys(&one), keys(&two));
    }

    #[test]
    fn cloudwatchs_summaries_are_levels_under_both_names() {
        let quantiles = [(0.0, 4.0), (1.0, 9.0)];
        let summary = || PointValue::Summary { count: 2, sum: 13.0, quantiles: &quantiles };
        let queue: Own<'_> = &[("QueueName", "mail")];
        let seen = read(
            &[("service.name", "SQS")],
            &[
                ("ApproximateNumberOfMessagesVisible", queue, summary()),
                ("amazonaws.com/AWS/SQS/ApproximateAgeOfOldestMessage", queue, summary()),
                ("ApproximateNumberOfMessagesNotVisible", queue, summary()),
            ],
        );
        assert_eq!(levels(&seen), ["depth mail ready 9", "oldest_age mail - 9", "depth mail in_flight 9"]);
    }

    #[test]
    fn job_queues_by_their_exporters() {
        let bull = |state| [("queue", "mail"), ("state", state)];
        let states = ["waiting", "prioritized", "active", "failed", "completed"].map(bull);
        let mut points: Vec<(&str, Own<'_>, PointValue<'_>)> =
            states.iter().map(|own| ("bullmq_job_count", &own[..], PointValue::Gauge(5.0))).collect();
        points.push(("celery_queue_length", &[("queue_name", "celery")], PointValue::Gauge(8.0)));
        points.push(("sidekiq_queue_latency_seconds", &[("name", "default")], PointValue::Gauge(1.5)));
        points.push(("sidekiq_dead_jobs", &[], PointValue::Gauge(2.0)));
        let seen = read(&[("service.name", "jobs")], &points);
        let wanted = [
            "depth mail ready 5",
            "depth mail ready 5",
            "depth mail in_flight 5",
            "depth mail dead_letter 5",
            "bullmq_job_count - - 5",
            "depth celery ready 8",
            "oldest_age default - 1.5",
            "depth sidekiq dead dead_letter 2",
        ];
        assert_eq!(levels(&seen), wanted);
        let [waiting, prioritized, ..] = &seen.gauges[..] else { panic!("too few") };
        assert_ne!(waiting.key.reporter, prioritized.key.reporter, "added up, not the one for the other");
    }

    #[test]
    fn the_operators_entry_comes_first_and_a_bad_value_is_told() {
        let own = Metric {
            from: "celery_queue_length".into(),
            to: "integration.queue.depth".into(),
            queue_name: "mine".into(),
            ..Metric::default()
        };
        let rules = Rules { mappings: Arc::new(load(&[own]).expect("it is right")), ..Rules::default() };
        let mut observer = Observer::new(Arc::new(rules), NOW);
        let none = Attributes::default();
        let origin = Origin { resource_index: 0, resource: &none, scope_name: "", scope: &none };
        for value in [4.0, f64::NAN] {
            let value = PointValue::Gauge(value);
            let point = Point {
                metric: "celery_queue_length",
                unit: "",
                start: 0,
                time: NOW,
                attributes: &none,
                value,
            };
            observer.point(&origin, &point).expect("nothing to refuse");
        }
        let seen = observer.finish();
        assert_eq!(levels(&seen), ["depth mine ready 4"]);
        assert!(seen.notices.contains(&("metric points that are no finite number", 1)));
    }
}
