//! One call of a member, healthy or as the story has it: the same for history and for real time.

use std::time::{Duration, SystemTime};

use seamwatch_exporter::integration::Integration;
use serde_json::json;

use super::fleet::{Endpoint, Member, WAREHOUSE_WRITE};
use super::rng::Rng;

/// Share of calls that fail on a healthy day.
pub const ERRORS: f64 = 0.002;

/// What is wrong with the fleet at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A third of HubSpot's contact updates is answered 500.
    pub contacts_fail: bool,
    /// Salesforce answers 401: the token has expired.
    pub token_expired: bool,
    /// The worker of the queue `push` stands still.
    pub queue_stalled: bool,
    /// Every fifth order is acknowledged and never written.
    pub orders_lost: bool,
}

/// Sends one operation of a member that ended at `end`; the number of spans it took. `nth` counts its operations.
pub fn operation(
    integration: &Integration,
    member: &Member,
    faults: Faults,
    rng: &mut Rng,
    nth: u64,
    end: SystemTime,
) -> u32 {
    let Some(endpoint) = pick(member, rng) else { return 0 };
    if endpoint.peer.is_empty() {
        return order(integration, endpoint, faults, rng, nth, end);
    }
    let contact_update = endpoint.method == "PATCH" && endpoint.peer == "api.hubapi.com";
    if contact_update && faults.contacts_fail && rng.chance(1.0 / 3.0) {
        return attempt(integration, endpoint, rng, end, Some(500), 0);
    }
    if faults.token_expired && endpoint.credential == "svc-etl" {
        return attempt(integration, endpoint, rng, end, Some(401), 0);
    }
    if !rng.chance(ERRORS) {
        return attempt(integration, endpoint, rng, end, Some(200), 0);
    }
    if rng.chance(0.5) {
        // Made good by a retry: an attempt failed, the operation did not.
        let first = end.checked_sub(Duration::from_secs(3)).unwrap_or(end);
        return attempt(integration, endpoint, rng, first, Some(503), 0)
            + attempt(integration, endpoint, rng, end, Some(200), 1);
    }
    let status = if rng.chance(0.5) { Some(500) } else { None };
    attempt(integration, endpoint, rng, end, status, 0)
}

fn pick<'m>(member: &'m Member, rng: &mut Rng) -> Option<&'m Endpoint> {
    let mut at = rng.unit();
    member
        .endpoints
        .iter()
        .find(|endpoint| {
            at -= endpoint.share;
            at < 0.0
        })
        .or(member.endpoints.last())
}

/// How long a call to the endpoint takes this time.
fn latency(endpoint: &Endpoint, rng: &mut Rng) -> Duration {
    Duration::from_secs_f64(rng.log_normal(endpoint.median_ms, endpoint.sigma).clamp(1.0, 30_000.0) / 1_000.0)
}

/// One outbound attempt; without a status it timed out.
fn attempt(
    integration: &Integration,
    endpoint: &Endpoint,
    rng: &mut Rng,
    end: SystemTime,
    status: Option<u16>,
    resend: u32,
) -> u32 {
    let took = if status.is_some() { latency(endpoint, rng) } else { Duration::from_secs(10) };
    let mut call = integration
        .call(endpoint.method, endpoint.peer, endpoint.template)
        .started_at(end.checked_sub(took).unwrap_or(end))
        .resend_count(resend);
    if !endpoint.credential.is_empty() {
        call = call.credential(endpoint.credential);
    }
    if resend > 0 {
        call = call.retry_of("server");
    }
    let attempt = call.start();
    let attempt = match status {
        Some(status) => attempt.answered(status),
        None => attempt.failed("timeout").raised("TimeoutError", "no answer within 10 s"),
    };
    match status.and_then(|status| refusal(endpoint.peer, status, rng)) {
        Some((payload, message)) => attempt.payload(payload).raised("HttpError", message).end_at(end),
        None => attempt.end_at(end),
    }
    1
}

/// What a vendor's answer says when it is no good, and what a client makes of it; none for a good one.
fn refusal(peer: &str, status: u16, rng: &mut Rng) -> Option<(String, String)> {
    if status < 400 {
        return None;
    }
    let request = (rng.unit() * 1e9) as u64;
    let (payload, why) = match (peer, status) {
        ("api.hubapi.com", _) => (
            json!({
                "status": "error", "message": "There was a problem with the request.",
                "category": "INTERNAL_ERROR", "correlationId": format!("{request:08x}-5d2c-4e0f-9a41-0c6b7d1e2f30"),
            }),
            "There was a problem with the request.",
        ),
        (_, 401) => (
            json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]),
            "Session expired or invalid",
        ),
        _ => (json!({"error": {"code": status, "message": "backend unavailable"}}), "backend unavailable"),
    };
    Some((payload.to_string(), format!("request {request} was answered {status}: {why}")))
}

/// An order arrives and is written into the warehouse, or is lost in between with every answer a 2xx.
fn order(
    integration: &Integration,
    endpoint: &Endpoint,
    faults: Faults,
    rng: &mut Rng,
    nth: u64,
    end: SystemTime,
) -> u32 {
    let write = latency(&WAREHOUSE_WRITE, rng);
    let before = latency(endpoint, rng);
    let start = end.checked_sub(write + before).unwrap_or(end);
    let delivery = integration
        .inbound(endpoint.method, endpoint.template)
        .webhook("shopify", "orders/create")
        .started_at(start)
        .start();
    let lost = faults.orders_lost && nth % 5 == 4;
    if !lost {
        let call = integration
            .call(WAREHOUSE_WRITE.method, WAREHOUSE_WRITE.peer, WAREHOUSE_WRITE.template)
            .credential(WAREHOUSE_WRITE.credential)
            .caused_by(delivery.context())
            .started_at(start + before);
        let status = if rng.chance(ERRORS) { 503 } else { 201 };
        call.start().answered(status).records(1, 0).end_at(end);
    }
    delivery.answered(200).end_at(end);
    if lost { 1 } else { 2 }
}
