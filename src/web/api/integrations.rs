//! `/api/v1/integrations` and `/api/v1/integrations/{name}/endpoints`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};

use super::{Answer, Count, Items, Problem};
use crate::alert::tier::Tier;
use crate::rollup::series::CallsRow;
use crate::signals::call::Class;
use crate::signals::observation::Direction;
use crate::web::asked::{Asked, Named};
use crate::web::format;
use crate::web::period::{self, Period};
use crate::web::view::calls::{EndpointKey, Summary};
use crate::web::view::health::{self, Health};
use crate::web::view::queue;
use crate::web::{State, integration, load};

/// What may be asked for.
#[derive(Debug, Deserialize)]
pub struct Which {
    window: Option<String>,
    environment: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// What an integration's trouble is.
#[derive(Debug, Serialize)]
pub struct Trouble {
    kind: &'static str,
    evidence: String,
}

/// One integration in one environment.
#[derive(Debug, Serialize)]
pub struct Integration {
    name: String,
    environment: String,
    source: Option<String>,
    destination: Option<String>,
    tier: String,
    state: &'static str,
    cause: Option<String>,
    trouble: Option<Trouble>,
    calls: Count,
    attempts: Count,
    success_rate: Option<f64>,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    inbound_calls: Count,
    inbound_success_rate: Option<f64>,
    queue_depth: Option<Count>,
    token_expires_at: Option<String>,
    expected: Option<u64>,
    reconciled: Option<u64>,
    open_incidents: usize,
}

/// One endpoint.
#[derive(Debug, Serialize)]
pub struct Endpoint {
    environment: String,
    direction: Direction,
    peer: Option<String>,
    endpoint: String,
    calls: Count,
    attempts: Count,
    failures: Count,
    classes: BTreeMap<&'static str, Count>,
    success_rate: Option<f64>,
    p50_ms: Option<f64>,
    p90_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    p999_ms: Option<f64>,
    max_ms: Option<f64>,
}

/// Integrations with their headline figures, worst first.
pub async fn list(Extract(state): Extract<State>, Asked(which): Asked<Which>) -> Answer<Items<Integration>> {
    let now = (state.clock)();
    let minutes = match &which.window {
        Some(text) => period::length("window", text).map_err(Problem::parameter)?,
        None => 60,
    };
    let loaded = match minutes {
        60 => load::fleet(&state, now).await?.loaded,
        _ => load::window(&state, Period::last(minutes, now), None).await?,
    };
    let all = health::all(&loaded.sources(&state, now));
    let shown = all
        .iter()
        .filter(|one| !state.settings.retired.contains(&*one.key.name))
        .filter(|one| which.environment.as_deref().is_none_or(|name| *name == *one.key.environment));
    Ok(Json(Items { items: shown.map(item).collect() }))
}

fn item(one: &Health<'_>) -> Integration {
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let headline = &one.outbound;
    Integration {
        name: one.key.name.to_string(),
        environment: one.key.environment.to_string(),
        source: said(&one.source),
        destination: said(&one.destination),
        tier: if one.tier.is_empty() { Tier::default().name().to_owned() } else { one.tier.clone() },
        state: one.state.name(),
        cause: said(one.cause()),
        trouble: one
            .trouble
            .as_ref()
            .map(|cause| Trouble { kind: cause.kind.name(), evidence: cause.evidence.clone() }),
        calls: Count(headline.judged.operations),
        attempts: Count(headline.judged.attempts),
        success_rate: headline.judged.success_rate(),
        p50_ms: millis(headline, 0.5),
        p95_ms: millis(headline, 0.95),
        p99_ms: millis(headline, 0.99),
        inbound_calls: Count(one.inbound.judged.operations),
        inbound_success_rate: one.inbound.judged.success_rate(),
        queue_depth: queue::ready(&one.queues).map(Count),
        token_expires_at: one.expiry.at().map(|at| format::rfc3339(at.saturating_mul(1_000_000_000))),
        expected: one.reconciled.map(|(expected, _, _)| expected),
        reconciled: one.reconciled.map(|(_, matched, _)| matched),
        open_incidents: one.incidents.len(),
    }
}

/// Endpoints of one integration.
pub async fn endpoints(
    Extract(state): Extract<State>,
    Named(name): Named,
    Asked(which): Asked<Which>,
) -> Answer<Items<Endpoint>> {
    let now = (state.clock)();
    let minutes = match &which.window {
        Some(text) => period::length("window", text).map_err(Problem::parameter)?,
        None => 60,
    };
    let period = match (which.from.as_deref(), which.to.as_deref()) {
        (None, None) => Period::last(minutes, now),
        (from, to) => Period::between(from, to, minutes, now).map_err(Problem::parameter)?,
    };
    let environment = which.environment.as_deref();
    let loaded = load::window(&state, period, Some(&name)).await?;
    let is_it = |key: &crate::signals::observation::IntegrationKey| {
        *key.name == *name && environment.is_none_or(|environment| *environment == *key.environment)
    };
    let known = health::all(&loaded.sources(&state, now)).iter().any(|one| is_it(&one.key));
    if !known {
        return Err(Problem::not_found(integration::missing(&name, environment)));
    }
    let of_it = loaded.endpoints.iter().filter(|(key, _)| is_it(&key.integration));
    Ok(Json(Items {
        items: of_it.map(|(key, row)| endpoint(key, row, loaded.seldom.contains(key))).collect(),
    }))
}

fn endpoint(key: &EndpointKey, row: &CallsRow, seldom: bool) -> Endpoint {
    let summary = Summary::of(row, seldom);
    let classes = Class::ALL.into_iter().map(|class| (class.name(), row.tally.attempts[class as usize]));
    Endpoint {
        environment: key.integration.environment.to_string(),
        direction: key.direction,
        peer: (!key.peer.is_empty()).then(|| key.peer.to_string()),
        endpoint: key.endpoint.to_string(),
        calls: Count(summary.judged.operations),
        attempts: Count(summary.judged.attempts),
        failures: Count(summary.judged.bad),
        classes: classes
            .filter(|(_, count)| *count > 0.0)
            .map(|(class, count)| (class, Count(count)))
            .collect(),
        success_rate: summary.judged.success_rate(),
        p50_ms: millis(&summary, 0.5),
        p90_ms: millis(&summary, 0.9),
        p95_ms: millis(&summary, 0.95),
        p99_ms: millis(&summary, 0.99),
        p999_ms: millis(&summary, 0.999),
        max_ms: summary.max_us().map(|us| us as f64 / 1e3),
    }
}

fn millis(summary: &Summary, quantile: f64) -> Option<f64> {
    summary.quantile_us(quantile).map(|us| us as f64 / 1e3)
}
