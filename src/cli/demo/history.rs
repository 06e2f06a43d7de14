//! A day of healthy history through the same OTLP door that the story uses, in seconds.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use seamwatch_exporter::integration::Integration;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::fleet::{ENVIRONMENT, Member};
use super::post::post;
use super::rng::Rng;
use super::schedule::{due, minute_of_day};
use super::traffic::{Faults, operation};

/// Minutes of history.
pub const MINUTES: u32 = 1_440;
/// Spans between two flushes: a request's worth, since the SDK gives a flush five seconds.
const FLUSH_EVERY: u32 = 1_900;
const MINUTE: Duration = Duration::from_secs(60);

/// Sends the day before `now` for all members; how many spans it took.
pub async fn replay(to: SocketAddr, fleet: &[(Member, Integration)], now: SystemTime) -> anyhow::Result<u64> {
    let mut workers = JoinSet::new();
    for (seed, (member, integration)) in fleet.iter().cloned().enumerate() {
        workers.spawn_blocking(move || fill(&integration, &member, now, seed as u64));
    }
    for (member, _) in fleet.iter().filter(|(member, _)| !member.queue.is_empty()) {
        post(to, "/v1/metrics", &queue_points(member, now))
            .await
            .with_context(|| format!("the queue history of {} was not taken", member.name))?;
    }
    let mut spans = 0;
    while let Some(done) = workers.join_next().await {
        spans += u64::from(done.context("a replay stopped early")??);
    }
    Ok(spans)
}

/// The minutes of the day before `now`, oldest first, each by its beginning.
fn minutes(now: SystemTime) -> impl Iterator<Item = SystemTime> {
    let this = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 60;
    (0..=u64::from(MINUTES))
        .map(move |at| UNIX_EPOCH + Duration::from_secs((this + at).saturating_sub(MINUTES.into()) * 60))
}

/// One member's day. Blocks while it is delivered.
fn fill(integration: &Integration, member: &Member, now: SystemTime, seed: u64) -> anyhow::Result<u32> {
    let undelivered = || format!("the history of {} was not delivered", member.name);
    let mut rng = Rng::new(seed);
    let total: f64 = minutes(now).map(|minute| member.shape.weight(minute_of_day(minute))).sum();
    let (mut spans, mut flushed, mut nth) = (0, 0, 0);
    for minute in minutes(now) {
        let mean = member.per_day * member.shape.weight(minute_of_day(minute)) / total;
        for _ in 0..rng.about(mean) {
            let end = minute + MINUTE.mul_f64(rng.unit());
            if end < now {
                spans += operation(integration, member, Faults::default(), &mut rng, nth, end);
                nth += 1;
            }
        }
        due(integration, member, Faults::default(), minute);
        if spans - flushed >= FLUSH_EVERY {
            integration.force_flush().with_context(undelivered)?;
            flushed = spans;
        }
    }
    integration.force_flush().with_context(undelivered)?;
    Ok(spans)
}

/// Depth and age of a member's queue, minute by minute, as one OTLP/JSON request.
fn queue_points(member: &Member, now: SystemTime) -> Value {
    let mut rng = Rng::new(97);
    let attributes = json!([text("integration.queue.name", member.queue)]);
    let (mut depths, mut ages) = (Vec::new(), Vec::new());
    for minute in minutes(now) {
        let time = minute.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string();
        let (depth, age) = healthy_queue(&mut rng, member.shape.weight(minute_of_day(minute)));
        depths.push(json!({"timeUnixNano": time, "asInt": depth.to_string(), "attributes": attributes}));
        ages.push(json!({"timeUnixNano": time, "asDouble": age.as_secs_f64(), "attributes": attributes}));
    }
    json!({"resourceMetrics": [{
        "resource": {"attributes": [
            text("integration.name", member.name),
            text("service.name", member.name),
            text("deployment.environment.name", ENVIRONMENT),
            text("integration.source.name", member.source),
            text("integration.destination.name", member.destination),
            text("integration.owner.name", member.owner),
            text("integration.tier", member.tier.name()),
            text("service.version", member.version),
        ]},
        "scopeMetrics": [{"scope": {"name": "seamwatch-demo"}, "metrics": [
            {"name": "integration.queue.depth", "unit": "{message}", "gauge": {"dataPoints": depths}},
            {"name": "integration.queue.oldest_age", "unit": "s", "gauge": {"dataPoints": ages}},
        ]}],
    }]})
}

/// Depth and oldest age of a queue whose worker keeps up.
pub fn healthy_queue(rng: &mut Rng, busy: f64) -> (u64, Duration) {
    (
        rng.log_normal(1.0 + 8.0 * busy, 0.4) as u64,
        Duration::from_secs_f64(rng.log_normal(1.0 + 2.0 * busy, 0.3)),
    )
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

#[cfg(test)]
mod tests {
    use super::super::fleet::KLAVIYO;
    use super::*;

    #[test]
    fn the_day_ends_in_the_minute_of_now() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_030);
        let all: Vec<_> = minutes(now).collect();
        assert_eq!(all.first(), Some(&(UNIX_EPOCH + Duration::from_secs(1_800_000_000 - 86_400))));
        assert_eq!(all.last(), Some(&(UNIX_EPOCH + Duration::from_secs(1_800_000_000))));
    }

    #[test]
    fn queue_history_is_a_point_a_minute_and_never_behind() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_030);
        let request = queue_points(&KLAVIYO, now);
        let metrics = &request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
        let ages = metrics[1]["gauge"]["dataPoints"].as_array().unwrap();
        assert_eq!(ages.len(), 1_441);
        assert!(ages.iter().all(|point| point["asDouble"].as_f64().is_some_and(|age| age < 30.0)));
    }
}
