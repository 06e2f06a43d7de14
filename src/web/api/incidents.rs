//! `/api/v1/incidents`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};

use super::{Answer, Items, Problem, limit};
use crate::alert::incident::{Incident, Severity};
use crate::web::State;
use crate::web::asked::Asked;
use crate::web::format::rfc3339;

/// What may be asked for.
#[derive(Debug, Deserialize)]
pub struct Which {
    state: Option<String>,
    limit: Option<String>,
}

/// One incident.
#[derive(Debug, Serialize)]
pub struct Item {
    id: String,
    code: String,
    state: &'static str,
    rule: String,
    title: String,
    severity: Severity,
    level: Option<String>,
    labels: BTreeMap<String, String>,
    signal: String,
    value: String,
    worst: String,
    threshold: String,
    sentence: String,
    cause: Option<String>,
    evidence: BTreeMap<String, String>,
    since: String,
    opened_at: String,
    resolved_at: Option<String>,
    runbook: String,
}

/// Incidents, all unless `state` is `open` or `resolved`.
pub async fn list(Extract(state): Extract<State>, Asked(which): Asked<Which>) -> Answer<Items<Item>> {
    let limit = limit(which.limit.as_deref(), 100, 1000)?;
    let (open_only, resolved_only) = match which.state.as_deref() {
        None | Some("all") => (false, false),
        Some("open") => (true, false),
        Some("resolved") => (false, true),
        Some(_) => return Err(Problem::parameter("`state` is open, resolved or all.")),
    };
    let read = if resolved_only { 1000 } else { limit };
    let mut found = state.store.incidents(open_only, read).await?;
    if resolved_only {
        found.retain(|incident| incident.resolved_at.is_some());
        found.truncate(limit as usize);
    }
    Ok(Json(Items { items: found.into_iter().map(item).collect() }))
}

fn item(incident: Incident) -> Item {
    let said = |text: String| (!text.is_empty()).then_some(text);
    Item {
        state: if incident.resolved_at.is_none() { "open" } else { "resolved" },
        id: incident.id,
        code: incident.code,
        rule: incident.rule.to_string(),
        title: incident.title,
        severity: incident.severity,
        level: said(incident.level),
        labels: incident.labels,
        signal: incident.signal,
        value: incident.value,
        worst: incident.worst,
        threshold: incident.threshold,
        sentence: incident.sentence,
        cause: said(incident.cause),
        evidence: incident.evidence.into_iter().collect(),
        since: rfc3339(incident.since),
        opened_at: rfc3339(incident.opened_at),
        resolved_at: incident.resolved_at.map(rfc3339),
        runbook: incident.runbook,
    }
}
