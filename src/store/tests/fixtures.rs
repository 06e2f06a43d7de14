//! Batches made from a number, so that a failing case can be told by it.

use std::sync::Arc;

use crate::decode::Batch;
use crate::decode::columns::{LogColumns, NO_CLASS, SpanColumns};
use crate::rollup::window::MINUTE;
use crate::signals::call::Class;
use crate::signals::credential::SlotUpdate;
use crate::signals::observation::{
    Call, CallKey, Direction, Gauge, GaugeKey, IntegrationInfo, IntegrationKey, JobRun, Observations,
    ReconciliationRun, Source,
};
use crate::signals::telemetry::Nanos;

/// 2025-02-20T12:00:00Z, which everything happens around.
pub const NOON: Nanos = 29_000_880 * MINUTE;

/// Numbers that look random, the same for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

pub fn integration(name: &str) -> IntegrationKey {
    IntegrationKey { environment: "production".into(), name: name.into() }
}

pub fn series(name: &str, endpoint: &str) -> CallKey {
    CallKey {
        integration: integration(name),
        direction: Direction::Outbound,
        peer: "api.example.com".into(),
        endpoint: endpoint.into(),
        source: Source::Span,
    }
}

pub fn call(series: u32, end: Nanos, class: Class, duration_us: u64) -> Call {
    Call::plain(series, end, duration_us, class, duration_us)
}

/// A batch with calls of one series.
pub fn calls(name: &str, ends: &[Nanos]) -> Batch {
    let observations = Observations {
        series: vec![series(name, "GET /v1/charges")],
        calls: ends.iter().map(|end| call(0, *end, Class::Ok, 1000)).collect(),
        ..Observations::default()
    };
    Batch { observations, received_at: NOON, ..Batch::default() }
}

/// A batch with a little of everything.
pub fn anything(seed: u64) -> Batch {
    let dice = &mut Dice(seed);
    let mut seen = Observations::default();
    let received_at = NOON + dice.roll(1000) as i64;
    for name in ["stripe", "hubspot"] {
        seen.series.push(series(name, "GET /a"));
        seen.series.push(series(name, "POST /b"));
        seen.integrations.push(IntegrationInfo {
            key: integration(name),
            source: ["", "CRM", "Shop"][dice.roll(3) as usize].into(),
            destination: "Ledger".into(),
            owner: String::new(),
            tier: String::new(),
            version: dice.roll(5).to_string(),
        });
    }
    seen.names = vec!["acct_1".into(), "acct_2".into(), "key".into()];
    for _ in 0..dice.roll(12) {
        let class = Class::ALL[dice.roll(Class::COUNT as u64) as usize];
        let end = NOON + dice.roll(4) as i64 * MINUTE + dice.roll(1000) as i64;
        let mut call = call(dice.roll(4) as u32, end, class, dice.roll(5_000_000));
        call.weight = 1.0 + dice.roll(8) as f64 / 4.0;
        call.supersedes = (dice.roll(4) == 0).then_some(Class::Server);
        call.unlinked_retry = dice.roll(4) == 0;
        call.exhausted = dice.roll(4) == 0;
        call.page_size = (dice.roll(3) == 0).then(|| dice.roll(100));
        call.connection = (dice.roll(2) == 0).then(|| dice.roll(2) as u32);
        call.credential = (dice.roll(2) == 0).then_some(2);
        call.operation = dice.roll(20);
        seen.calls.push(call);
    }
    for _ in 0..dice.roll(4) {
        let key = GaugeKey {
            integration: integration("stripe"),
            metric: "integration.queue.depth".into(),
            unit: "".into(),
            attributes: vec![("integration.queue.name".into(), "orders".into())],
            additive: dice.roll(2) == 0,
            reporter: u64::MAX - dice.roll(2),
        };
        let time = NOON + dice.roll(3) as i64 * MINUTE + dice.roll(5) as i64;
        seen.gauges.push(Gauge { key, time, value: dice.roll(1_000_003) as f64 / 7.0 });
    }
    for _ in 0..dice.roll(3) {
        let when = 1_700_000_000 + dice.roll(5) as i64;
        let expires_at = (dice.roll(2) == 0).then_some(when + 3600);
        seen.slots.push(slot(
            ["token", "key"][dice.roll(2) as usize],
            NOON + dice.roll(50) as i64,
            expires_at,
        ));
    }
    for _ in 0..dice.roll(3) {
        let run_id: Arc<str> = dice.roll(4).to_string().into();
        seen.reconciliations.push(ReconciliationRun {
            integration: integration("stripe"),
            name: "payouts".into(),
            entity: "".into(),
            run_id,
            time: NOON + dice.roll(1_000_000) as i64,
            window: (dice.roll(2) == 0).then_some((1, 2)),
            expected: dice.roll(100),
            matched: dice.roll(100),
            missing: None,
            unexpected: 0,
            mismatched: 0,
            pending: 0,
            amount_expected: Some(dice.roll(100) as f64 / 4.0),
            amount_matched: None,
            currency: "EUR".into(),
            net_only: false,
        });
    }
    for _ in 0..dice.roll(3) {
        seen.runs.push(run("nightly", NOON + dice.roll(1000) as i64));
    }
    Batch { received_at, observations: seen, ..Batch::default() }
}

pub fn slot(credential: &str, time: Nanos, expires_at: Option<i64>) -> SlotUpdate {
    SlotUpdate {
        integration: integration("stripe"),
        credential: credential.into(),
        time,
        kind: Some("api_key".into()),
        renewal: None,
        expiry: None,
        owner_type: None,
        owner_name: None,
        provider: None,
        fingerprint: None,
        connection: None,
        expires_at,
        issued_at: None,
        last_refreshed_at: None,
        last_used_at: None,
        rotation_due_at: None,
        idle_limit: None,
        retired: false,
    }
}

pub fn run(name: &str, time: Nanos) -> JobRun {
    JobRun {
        integration: integration("stripe"),
        name: name.into(),
        time,
        outcome: "success".into(),
        read: Some(5),
        written: None,
        failed: None,
        watermark: None,
        next_at: None,
        message: "fine".into(),
    }
}

/// One span of a trace; `n` tells it from others.
pub struct Span {
    pub trace: u8,
    pub n: u8,
    pub end: Nanos,
    pub integration: &'static str,
    pub endpoint: &'static str,
    pub class: Option<Class>,
    pub ms: i64,
}

impl Default for Span {
    fn default() -> Self {
        Span {
            trace: 1,
            n: 1,
            end: NOON,
            integration: "stripe",
            endpoint: "GET /a",
            class: Some(Class::Ok),
            ms: 10,
        }
    }
}

pub fn spans(spans: &[Span]) -> Batch {
    let mut columns = SpanColumns::default();
    for span in spans {
        columns.trace_id.push([span.trace; 16]);
        columns.span_id.push([span.n; 8]);
        columns.parent_span_id.push(if span.n == 1 { [0; 8] } else { [1; 8] });
        columns.start.push(span.end - span.ms * 1_000_000);
        columns.end.push(span.end);
        columns.received.push(span.end + 5);
        columns.kind.push(3);
        columns.status.push(2);
        columns.class.push(span.class.map_or(NO_CLASS, |class| class as u8));
        columns.status_message.push(columns.texts.add("boom – kaputt"));
        columns.name.push(columns.texts.add("GET"));
        columns.environment.push(columns.texts.add("production"));
        columns.integration.push(columns.texts.add(span.integration));
        columns.peer.push(columns.texts.add("api.example.com"));
        columns.endpoint.push(columns.texts.add(span.endpoint));
        columns.scope.push(columns.texts.add("requests"));
        let pairs = [("http.request.method", "GET"), ("n", &*span.n.to_string())];
        let pairs = pairs.map(|(key, value)| (columns.texts.add(key), columns.texts.add(value)));
        columns.attributes.push(pairs.into_iter());
        columns.resource.push(0);
        let (events, links) = match span.n {
            1 => (
                r#"[{"time":1,"name":"exception","attributes":{"a":"b"}}]"#,
                r#"[{"trace_id":"00","span_id":"01","attributes":{}}]"#,
            ),
            _ => ("", ""),
        };
        columns.events.push(columns.texts.add(events));
        columns.links.push(columns.texts.add(links));
    }
    columns.resources.push([(columns.texts.add("service.name"), columns.texts.add("billing"))].into_iter());
    Batch { spans: columns, received_at: NOON, ..Batch::default() }
}

pub fn logs(records: &[(Nanos, &str, &str)]) -> Batch {
    let mut columns = LogColumns::default();
    for (time, integration, body) in records {
        columns.time.push(*time);
        columns.received.push(*time + 5);
        columns.trace_id.push([7; 16]);
        columns.span_id.push([0; 8]);
        columns.severity.push(17);
        columns.severity_text.push(columns.texts.add("ERROR"));
        columns.event_name.push(columns.texts.add("integration.change"));
        columns.body.push(columns.texts.add(body));
        columns.environment.push(columns.texts.add("production"));
        columns.integration.push(columns.texts.add(integration));
        columns.scope.push(columns.texts.add("logger"));
        columns.attributes.push([(columns.texts.add("k"), columns.texts.add("v"))].into_iter());
        columns.resource.push(0);
    }
    columns.resources.push([(columns.texts.add("service.name"), columns.texts.add("billing"))].into_iter());
    Batch { logs: columns, received_at: NOON, ..Batch::default() }
}
