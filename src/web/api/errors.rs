//! `/api/v1/errors`, `/api/v1/errors/{fingerprint}` and `/api/v1/incidents/{id}/evidence`: what fails, by what it says,
//! and what is kept whole of it.

use axum::Json;
use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Items, Problem, limit};
use crate::rollup::errors::HOUR;
use crate::store::pins::{Kind, Pin};
use crate::store::query::errors::{ErrorQuery, ErrorRecord};
use crate::web::State;
use crate::web::asked::{Asked, Named};
use crate::web::errors::{hours, missing};
use crate::web::format::rfc3339;
use crate::web::period::Period;
use crate::web::view::pin::Told;

/// Failures of a group, or evidence of an incident, that are given at once.
const PINS: u32 = 500;
/// Minutes looked at unless `from` and `to` say otherwise.
const A_DAY: i64 = 1_440;

/// Which groups.
#[derive(Debug, Deserialize)]
pub struct Which {
    integration: Option<String>,
    environment: Option<String>,
    q: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
}

/// Which hours of a group.
#[derive(Debug, Deserialize)]
pub struct When {
    from: Option<String>,
    to: Option<String>,
}

/// One group.
#[derive(Debug, Serialize)]
pub struct Group {
    fingerprint: String,
    environment: String,
    integration: String,
    direction: Option<String>,
    peer: Option<String>,
    endpoint: Option<String>,
    r#type: String,
    message: String,
    latest_message: String,
    failures: u64,
    first_seen: String,
    first_version: Option<String>,
    last_seen: String,
    exemplar_count: u64,
}

/// One group with all that is known of it.
#[derive(Debug, Serialize)]
pub struct Whole {
    #[serde(flatten)]
    group: Group,
    hours: Vec<Hour>,
    exemplars: Vec<Item>,
}

/// An hour in which it failed.
#[derive(Debug, Serialize)]
pub struct Hour {
    hour: String,
    failures: u64,
}

/// What is kept whole of a failure, a log record around it, or a rule.
#[derive(Debug, Serialize)]
pub struct Item {
    kind: Kind,
    fingerprint: Option<String>,
    time: String,
    trace_id: Option<String>,
    span_id: Option<String>,
    peer: Option<String>,
    endpoint: Option<String>,
    class: Option<String>,
    status: Option<String>,
    message: Option<String>,
    payload: Option<String>,
    span: Option<Value>,
    log: Option<Value>,
    trace: Vec<Value>,
    rule: Option<String>,
}

/// Groups that failed in the period, those that failed most first.
pub async fn list(Extract(state): Extract<State>, Asked(which): Asked<Which>) -> Answer<Items<Group>> {
    let now = (state.clock)();
    let period = Period::between(which.from.as_deref(), which.to.as_deref(), A_DAY, now);
    let query = ErrorQuery {
        integration: which.integration,
        environment: which.environment,
        text: which.q,
        limit: limit(which.limit.as_deref(), 100, 1000)?,
        ..hours(period.map_err(Problem::parameter)?)
    };
    let groups = state.store.errors(&query).await?;
    Ok(Json(Items { items: groups.into_iter().map(group).collect() }))
}

/// One group, its hours and the failures that are kept whole.
pub async fn show(
    Extract(state): Extract<State>,
    Named(fingerprint): Named,
    Asked(when): Asked<When>,
) -> Answer<Whole> {
    let now = (state.clock)();
    let period = Period::between(when.from.as_deref(), when.to.as_deref(), A_DAY, now);
    let fingerprint = fingerprint.to_ascii_lowercase();
    if fingerprint.len() != 32 || !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Problem::parameter("A fingerprint is 32 hex digits."));
    }
    let query = hours(period.map_err(Problem::parameter)?);
    let query = ErrorQuery { fingerprint: Some(fingerprint.clone()), limit: 1, ..query };
    let found = state.store.errors(&query).await?.pop();
    let found = found.ok_or_else(|| Problem::not_found(missing(&fingerprint)))?;
    let counts = state.store.error_hours(&fingerprint, query.from_hour, query.to_hour).await?;
    let hour = |(hour, failures): (i64, u64)| Hour { hour: rfc3339(hour.saturating_mul(HOUR)), failures };
    Ok(Json(Whole {
        group: group(found),
        hours: counts.into_iter().map(hour).collect(),
        exemplars: state.store.pins(&fingerprint, PINS).await?.iter().map(item).collect(),
    }))
}

/// What is pinned of an incident, the latest first.
pub async fn evidence(Extract(state): Extract<State>, Named(id): Named) -> Answer<Items<Item>> {
    let found = state.store.incident(&id).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("No incident has the id or code {id}.")))?;
    let pins = state.store.pins(&found.id, PINS).await?;
    Ok(Json(Items { items: pins.iter().map(item).collect() }))
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn group(group: ErrorRecord) -> Group {
    Group {
        direction: given(&group.direction),
        peer: given(&group.peer),
        endpoint: given(&group.endpoint),
        fingerprint: group.fingerprint,
        environment: group.environment,
        integration: group.integration,
        r#type: group.kind,
        message: group.message,
        latest_message: group.said,
        failures: group.failures,
        first_seen: rfc3339(group.first_seen),
        first_version: given(&group.first_version),
        last_seen: rfc3339(group.last_seen),
        exemplar_count: group.exemplars,
    }
}

fn item(pin: &Pin) -> Item {
    let told = Told::of(pin);
    let is_rule = pin.kind == Kind::Rule;
    Item {
        kind: pin.kind,
        fingerprint: given(&pin.fingerprint),
        time: rfc3339(pin.at),
        trace_id: given(told.trace_id),
        span_id: given(told.span_id),
        peer: given(told.peer),
        endpoint: given(told.endpoint),
        class: given(told.class),
        status: given(told.status),
        message: given(told.message).filter(|_| !is_rule),
        payload: given(&pin.payload),
        span: pin.content.span.clone(),
        log: pin.content.log.clone(),
        trace: pin.content.trace.clone(),
        rule: given(&pin.content.text).filter(|_| is_rule),
    }
}
