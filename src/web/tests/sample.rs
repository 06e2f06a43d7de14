//! A fleet of seven built by hand: what pages are tested with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::incident::{Change, Incident, Severity};
use crate::rollup::window::Part;
use crate::signals::call::Class;
use crate::signals::credential::SlotUpdate;
use crate::signals::observation::{
    Call, CallKey, Direction, Gauge, GaugeKey, IntegrationInfo, IntegrationKey, JobRun, Observations,
    ReconciliationRun, Source,
};
use crate::signals::telemetry::Nanos;
use crate::store::mail::{Kind, Mail, MailState, NewMail};

/// Monday, 24 November 2025, 10:00:30 UTC.
pub const NOW: Nanos = 1_763_978_430_000_000_000;
const SECOND: Nanos = 1_000_000_000;
const MINUTE: Nanos = 60 * SECOND;
const DAY: i64 = 86_400;

pub fn key(name: &str) -> IntegrationKey {
    IntegrationKey { environment: "production".into(), name: name.into() }
}

/// Adds what one request would: `build` fills it in.
pub fn say(part: &mut Part, build: impl FnOnce(&mut Observations)) {
    let mut seen = Observations::default();
    build(&mut seen);
    part.absorb(&seen, NOW);
}

pub fn register(part: &mut Part, name: &str, source: &str, destination: &str, tier: &str) {
    let info = IntegrationInfo {
        key: key(name),
        source: source.into(),
        destination: destination.into(),
        owner: "revenue-systems".into(),
        tier: tier.into(),
        version: "2.14.0".into(),
    };
    say(part, |seen| seen.integrations.push(info));
}

/// `count` attempts of `class` that end at `end` and take `ms`.
pub fn calls(part: &mut Part, name: &str, endpoint: &str, end: Nanos, class: Class, ms: u64, count: u64) {
    let series = CallKey {
        integration: key(name),
        direction: Direction::Outbound,
        peer: "api.example.com".into(),
        endpoint: endpoint.into(),
        source: Source::Span,
    };
    let call = |n: u64| Call {
        write: !endpoint.starts_with("GET"),
        records: 1,
        connection: Some((n % 2) as u32),
        ..Call::plain(0, end, ms * 1000 + 37 * n, class, (end as u64) ^ n)
    };
    say(part, |seen| {
        seen.series.push(series);
        seen.names = vec!["acct-1".into(), "acct-2".into()];
        seen.calls = (0..count).map(call).collect();
    });
}

pub fn queue(part: &mut Part, name: &str, metric: &str, time: Nanos, value: f64) {
    let key = GaugeKey {
        integration: key(name),
        metric: metric.into(),
        unit: "".into(),
        attributes: vec![("integration.queue.name".into(), "outbox".into())],
        additive: false,
        reporter: 1,
    };
    say(part, |seen| seen.gauges.push(Gauge { key, time, value }));
}

pub fn slot(part: &mut Part, name: &str, id: &str, renewal: &str, expires_in: Option<i64>) {
    let update = SlotUpdate {
        integration: key(name),
        credential: id.into(),
        time: NOW - MINUTE,
        kind: Some("refresh_token".into()),
        renewal: Some(renewal.into()),
        expiry: expires_in.is_none().then(|| "never".into()),
        owner_type: Some("person".into()),
        owner_name: None,
        provider: None,
        fingerprint: None,
        connection: None,
        expires_at: expires_in.map(|seconds| NOW / SECOND + seconds),
        issued_at: None,
        last_refreshed_at: None,
        last_used_at: None,
        rotation_due_at: None,
        idle_limit: None,
        retired: false,
    };
    say(part, |seen| seen.slots.push(update));
}

pub fn reconciliation(part: &mut Part, name: &str, expected: u64, matched: u64) {
    let end = NOW / SECOND / DAY * DAY;
    let run = ReconciliationRun {
        integration: key(name),
        name: "nightly".into(),
        entity: "order".into(),
        run_id: "2025-11-24".into(),
        time: NOW - 420 * MINUTE,
        window: Some((end - DAY, end)),
        expected,
        matched,
        missing: None,
        unexpected: 0,
        mismatched: 0,
        pending: 0,
        amount_expected: Some(48_210.50),
        amount_matched: Some(47_002.25),
        currency: "EUR".into(),
        net_only: false,
    };
    say(part, |seen| seen.reconciliations.push(run));
}

pub fn incident(code: &str, name: &str, severity: Severity, minutes: i64) -> Incident {
    let labels = [
        ("integration", name),
        ("environment", "production"),
        ("endpoint", "PATCH /crm/v3/objects/contacts/{id}"),
    ];
    Incident {
        id: format!("{code:0>32}"),
        code: code.into(),
        rule: "success-rate-low".into(),
        labels: labels.map(|(label, value)| (label.to_owned(), value.to_owned())).into(),
        title: "api.example.com PATCH /crm/v3/objects/contacts/{id} success rate".into(),
        severity,
        level: "critical".into(),
        runbook: "success-rate-low.md".into(),
        signal: "call.success_rate".into(),
        since: NOW - minutes * MINUTE,
        opened_at: NOW - (minutes - 5) * MINUTE,
        resolved_at: None,
        value: "68.9 %".into(),
        worst: "64.1 %".into(),
        worst_raw: 0.641,
        threshold: "< 95 %".into(),
        sentence: "31 % of contact updates answer 401: 412 of 1,326 failed in the last 5 min.".into(),
        evidence: vec![
            ("operations".into(), "1,326".into()),
            ("bad".into(), "412, of these 412 auth".into()),
        ],
        cause: "auth".into(),
        first_cause: String::new(),
        changed: String::new(),
        ending: String::new(),
        at_worst: None,
        withheld: None,
        also: Vec::new(),
        to: Vec::new(),
    }
}

pub fn mail(id: &str, state: MailState) -> Mail {
    Mail {
        mail: NewMail {
            id: id.into(),
            incident_id: format!("{:0>32}", "K7Q2"),
            kind: Kind::Alert(Change::Fired),
            channel: String::new(),
            headers: Vec::new(),
            recipient: "oncall@example.com".into(),
            from_name: "Seamwatch".into(),
            subject: "[critical] hubspot-crm: success rate 68.9 %".into(),
            message_id: "<k7q2.1@seamwatch.example.com>".into(),
            in_reply_to: None,
            text: "hubspot-crm is failing.\n\n31 % of contact updates answer 401.".into(),
            html: "<h1>hubspot-crm is failing</h1><script>alert(1)</script>".into(),
            created_at: NOW - 40 * MINUTE,
        },
        state,
        attempts: 1,
        next_try_at: NOW + MINUTE,
        error: if state == MailState::Sent { String::new() } else { "451 try again later".into() },
        sent_at: (state == MailState::Sent).then_some(NOW - 39 * MINUTE),
        detail: if state == MailState::Sent { "250 2.0.0 queued as 4F2".into() } else { String::new() },
    }
}

pub fn incidents() -> Vec<Incident> {
    let mut queue = incident("M3XA", "hubspot-crm", Severity::Critical, 30);
    queue.signal = "queue.oldest_age".into();
    queue.rule = "queue-behind".into();
    queue.cause = String::new();
    queue.labels =
        BTreeMap::from([("integration".into(), "hubspot-crm".into()), ("queue".into(), "outbox".into())]);
    queue.title = "outbox is behind".into();
    queue.sentence = "The oldest of 1,204 ready items waits for 22 min.".into();
    (queue.value, queue.worst, queue.threshold) = ("22 min".into(), "22 min".into(), "> 15 min".into());
    let mut expiry = incident("P9TR", "salesforce-nightly", Severity::Warning, 90);
    expiry.signal = "credential.expires_in".into();
    expiry.cause = String::new();
    expiry.labels.remove("endpoint");
    expiry.title = "svc-etl expires".into();
    expiry.sentence = "svc-etl, which nothing renews, expires in 6 d.".into();
    (expiry.value, expiry.worst, expiry.threshold) = ("6 d".into(), "6 d".into(), "< 7 d".into());
    let mut gap = incident("C4WD", "shopify-orders", Severity::Critical, 420);
    gap.signal = "reconciliation.gap".into();
    gap.cause = String::new();
    gap.labels.remove("endpoint");
    gap.title = "nightly order gap".into();
    gap.sentence = "214 of 1,071 orders never reached the warehouse.".into();
    (gap.value, gap.worst, gap.threshold) =
        ("214 records".into(), "214 records".into(), ">= 1 record".into());
    let mut past = incident("A2BC", "klaviyo-push", Severity::Warning, 900);
    past.resolved_at = Some(NOW - 850 * MINUTE);
    vec![incident("K7Q2", "hubspot-crm", Severity::Critical, 48), queue, expiry, gap, past]
}

/// The fleet.
pub fn fleet() -> Part {
    let mut part = Part::default();
    for (name, source, destination, tier) in [
        ("hubspot-crm", "HubSpot", "CRM", "critical"),
        ("shopify-orders", "Shopify", "warehouse", "critical"),
        ("salesforce-nightly", "Salesforce", "data mart", "standard"),
        ("klaviyo-push", "Shop", "Klaviyo", "standard"),
        ("sheets-export", "Reports", "Google Sheets", "simple"),
        ("stripe-accounting", "Stripe", "Xero", "critical"),
        ("erp-bridge", "ERP", "Shopify", ""),
    ] {
        register(&mut part, name, source, destination, tier);
    }
    for minute in 0..1440i64 {
        let end = NOW - minute * MINUTE;
        let wave = (minute * 7919 % 13) as u64;
        calls(
            &mut part,
            "hubspot-crm",
            "GET /crm/v3/objects/contacts/{id}",
            end,
            Class::Ok,
            80 + wave * 9,
            6,
        );
        let patch = "PATCH /crm/v3/objects/contacts/{id}";
        calls(&mut part, "hubspot-crm", patch, end, Class::Ok, 140 + wave * 20, 6);
        if minute < 48 {
            calls(&mut part, "hubspot-crm", patch, end, Class::Auth, 38, 2 + wave % 3);
        }
        calls(&mut part, "shopify-orders", "POST /fulfillments", end, Class::Ok, 60 + wave * 5, 3);
        calls(&mut part, "klaviyo-push", "POST /api/profiles", end, Class::Ok, 120 + wave * 30, 4);
        if minute % 37 == 0 {
            calls(&mut part, "klaviyo-push", "POST /api/profiles", end, Class::Server, 900, 1);
        }
        calls(&mut part, "stripe-accounting", "GET /v1/charges/{id}", end, Class::Ok, 180 + wave * 4, 2);
        if minute % 240 < 20 {
            calls(&mut part, "sheets-export", "PUT /v4/spreadsheets/{id}", end, Class::Ok, 600, 1);
        }
    }
    calls(&mut part, "salesforce-nightly", "POST /services/data/query", NOW - 9 * MINUTE, Class::Ok, 1300, 9);
    for minute in 0..60i64 {
        let end = NOW - minute * MINUTE;
        let depth = (1204 - minute * 24).max(12) as f64;
        queue(&mut part, "hubspot-crm", "integration.queue.depth", end, depth);
        queue(
            &mut part,
            "hubspot-crm",
            "integration.queue.oldest_age",
            end,
            (1320 - minute * 40).max(3) as f64,
        );
        queue(&mut part, "klaviyo-push", "integration.queue.depth", end, 17.0);
    }
    slot(&mut part, "hubspot-crm", "crm-oauth", "manual", Some(-3000));
    slot(&mut part, "hubspot-crm", "access", "automatic", Some(1400));
    slot(&mut part, "hubspot-crm", "webhook secret", "manual", Some(41 * DAY));
    slot(&mut part, "hubspot-crm", "private app key", "manual", None);
    slot(&mut part, "salesforce-nightly", "svc-etl", "manual", Some(6 * DAY + 4000));
    slot(&mut part, "klaviyo-push", "api key", "manual", None);
    slot(&mut part, "sheets-export", "google", "automatic", Some(1800));
    reconciliation(&mut part, "shopify-orders", 1071, 857);
    reconciliation(&mut part, "hubspot-crm", 10_240, 10_240);
    let run = JobRun {
        integration: key("salesforce-nightly"),
        name: Arc::from("nightly"),
        time: NOW - 420 * MINUTE,
        outcome: "partial".into(),
        read: Some(48_210),
        written: Some(48_200),
        failed: Some(10),
        watermark: None,
        next_at: Some(NOW / SECOND + 61_000),
        message: "10 rows refused".into(),
    };
    say(&mut part, |seen| seen.runs.push(run));
    part
}
