//! What several tests want to have happened: a fleet that is seen, and an endpoint that fails until a rule fires.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::Value;

use super::home::Home;
use super::otlp::{self, Attempt, MINUTE, SECOND};
use super::server::Server;
use super::{A_TICK, wait_until};

pub const INTEGRATION: &str = "stripe-accounting";
pub const ENDPOINT: &str = "POST /v1/invoices/{id}";
/// What the failing endpoint answers.
pub const PAYLOAD: &str = r#"{"error":{"type":"api_error","message":"upstream pool is empty"}}"#;
pub const RUNBOOK: &str = "success-rate-low";

/// A rule that fires at its first tick and resolves at its first clear one.
pub const QUICK_RULE: &str = r#"
schema   = 1
id       = "success-rate-low"
title    = "{peer} {endpoint} success rate"
runbook  = "success-rate-low.md"
severity = "critical"
signal   = "call.success_rate"
by       = ["integration", "environment", "direction", "peer", "endpoint"]
window   = "5m"
fire     = "< 95 %"
resolve  = ">= 98 %"
min_count = 20
min_bad   = 3
"#;

pub const QUICK_RUNBOOK: &str = "# Success rate low

## What it means
Calls to one endpoint fail more often than the business can bear.

## First look (2 minutes)
1. Open the endpoint on the integration's page and read which class fails.
2. Ask the vendor's status page before touching the code.

## Fix
Send again what failed, once the endpoint answers.

## If that fails
Call whoever owns the integration.

## Why this threshold
Under 95 % a customer notices.
";

/// A home whose only rule is quick.
pub fn quick_home() -> Home {
    Home::new()
        .with_rules(&[("success-rate-low.toml", QUICK_RULE), ("runbooks/success-rate-low.md", QUICK_RUNBOOK)])
}

fn attempts(bad: u64, good: u64, end: u64) -> ExportTraceServiceRequest {
    let one = |n: u64| Attempt {
        peer: "api.stripe.com",
        method: "POST",
        template: "/v1/invoices/{id}",
        status: if n < bad { 503 } else { 200 },
        // All in one minute, so that a window holds all or none.
        end: end + n % 20 * SECOND / 10,
        duration: (20 + n % 80) * 1_000_000,
    };
    let spans = (0..bad + good).map(|n| {
        let mut span = one(n).span();
        if n < bad {
            span.attributes.push(otlp::attribute("integration.payload", PAYLOAD));
        }
        span
    });
    let resource = [("integration.tier", "critical"), ("service.version", "2.14.0")];
    otlp::traces(INTEGRATION, &resource, spans.collect())
}

/// 40 of 100 calls fail: 60 %.
pub fn fail(server: &Server) {
    server.export("/v1/traces", &attempts(40, 60, otlp::settled_minute()));
}

/// So many calls succeed that the failures are under 2 %.
pub fn heal(server: &Server) {
    server.export("/v1/traces", &attempts(0, 3000, otlp::now() / MINUTE * MINUTE - 10 * SECOND));
}

/// Waits for an incident in the API, in this state (`open`, `resolved`).
pub fn incident(server: &Server, state: &str) -> Value {
    wait_until(&format!("an incident that is {state}"), A_TICK, || {
        let items = server.json(&format!("/api/v1/incidents?state={state}"));
        items["items"].as_array().and_then(|items| items.first().cloned())
    })
}

/// An integration with a queue, a token, a reconciliation and calls: a full row on every page.
pub fn fleet(server: &Server) {
    let (now, end) = (otlp::now() / SECOND, otlp::now());
    for (integration, peer, template) in [
        ("hubspot-crm", "api.hubapi.com", "/crm/v3/objects/contacts"),
        ("shopify-webhooks", "shop.example.com", "/admin/orders/{id}"),
    ] {
        let attempt = |n: u64| Attempt {
            peer,
            method: "GET",
            template,
            status: if n.is_multiple_of(50) { 500 } else { 200 },
            end: end - n % 30 * MINUTE,
            duration: (10 + n) * 1_000_000,
        };
        let spans = (0..300).map(|n| attempt(n).span()).collect();
        server.export("/v1/traces", &otlp::traces(integration, &[], spans));
        let token =
            [("integration.credential.id", "oauth"), ("integration.credential.kind", "refresh_token")];
        let queue = [("integration.queue.name", "outbox")];
        let gauges = vec![
            otlp::gauge("integration.queue.depth", 42.0, &queue),
            otlp::gauge("integration.queue.oldest_age", 90.0, &queue),
            otlp::gauge("integration.credential.info", 1.0, &token),
            otlp::gauge("integration.credential.expires_at", (now + 5 * 86_400) as f64, &token),
        ];
        server.export("/v1/metrics", &otlp::metrics(integration, gauges));
        let (from, to) = ((now - 86_400).to_string(), now.to_string());
        let run = [
            ("integration.reconciliation.name", "orders"),
            ("integration.reconciliation.run_id", "run-1"),
            ("integration.reconciliation.window.start", &from),
            ("integration.reconciliation.window.end", &to),
            ("integration.reconciliation.expected", "200"),
            ("integration.reconciliation.matched", "198"),
            ("integration.reconciliation.missing", "2"),
        ];
        server.export("/v1/logs", &otlp::event(integration, "integration.reconciliation.completed", &run));
    }
}
