//! What the API tells of an integration's parts: connections, rate limits, webhooks.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};

use super::{Answer, Count, Items, Problem};
use crate::rollup::window::Part;
use crate::signals::observation::IntegrationKey;
use crate::store::Detail;
use crate::web::asked::{Asked, Named};
use crate::web::format::rfc3339;
use crate::web::period::Period;
use crate::web::view::{connection, delivery, limit};
use crate::web::{State, integration};

/// So many connections are told of, the worst first.
const MOST: usize = 1_000;

/// What may be asked for.
#[derive(Debug, Deserialize)]
pub struct Which {
    environment: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// One connection.
#[derive(Debug, Serialize)]
pub struct Connection {
    environment: String,
    connection: String,
    calls: Count,
    failures: Count,
    success_rate: Option<f64>,
    failing: bool,
    fails: Option<&'static str>,
    last_at: String,
}

/// One rate limit.
#[derive(Debug, Serialize)]
pub struct Limit {
    environment: String,
    provider: String,
    account: String,
    limit: String,
    remaining: Option<Count>,
    allowed: Option<Count>,
    resets_at: Option<String>,
    headroom: Option<f64>,
    exhausts_in_s: Option<f64>,
    foreign_share: Option<f64>,
    reported_at: Option<String>,
}

/// The deliveries of one event type.
#[derive(Debug, Serialize)]
pub struct Webhook {
    environment: String,
    provider: Option<String>,
    event_type: String,
    received: Count,
    accepted: Count,
    rejected: Count,
    duplicate: Count,
    out_of_order: Count,
    dead_lettered: Count,
    reasons: BTreeMap<String, Count>,
    last_at: Option<String>,
    missed: Option<f64>,
}

/// `/api/v1/integrations/{name}/connections`, those that fail first.
pub async fn connections(
    Extract(state): Extract<State>,
    Named(name): Named,
    Asked(which): Asked<Which>,
) -> Answer<Items<Connection>> {
    let (window, whose) = read(&state, &name, &which, Detail::Counts).await?;
    let mut items = Vec::new();
    for key in &whose {
        let of_it = connection::connections(&window, key).into_iter();
        items.extend(of_it.map(|one| Connection {
            environment: key.environment.to_string(),
            calls: Count(one.judged.operations),
            failures: Count(one.judged.bad),
            success_rate: one.judged.success_rate(),
            failing: one.is_failing(),
            fails: one.fails.map(|class| class.name()),
            last_at: rfc3339(one.last.start()),
            connection: one.id,
        }));
    }
    items.sort_by_key(|one| !one.failing);
    items.truncate(MOST);
    Ok(Json(Items { items }))
}

/// `/api/v1/integrations/{name}/rate-limits`.
pub async fn rate_limits(
    Extract(state): Extract<State>,
    Named(name): Named,
    Asked(which): Asked<Which>,
) -> Answer<Items<Limit>> {
    let (window, whose) = read(&state, &name, &which, Detail::Full).await?;
    let shared = state.store.values(Some("")).await?;
    let mut items = Vec::new();
    for key in &whose {
        let of_it = limit::limits(&window, &shared, &state.settings.providers, key).into_iter();
        let seconds = |at: f64| rfc3339((at as i64).saturating_mul(1_000_000_000));
        items.extend(of_it.map(|one| Limit {
            environment: key.environment.to_string(),
            remaining: one.remaining.map(|(_, left)| Count(left)),
            allowed: one.of.map(|(_, of)| Count(of)),
            resets_at: one.resets_at.map(|(_, at)| seconds(at)),
            headroom: one.headroom,
            exhausts_in_s: one.exhausts_in,
            foreign_share: one.foreign,
            reported_at: one.remaining.map(|(at, _)| rfc3339(at)),
            provider: one.provider,
            account: one.account,
            limit: one.limit,
        }));
    }
    Ok(Json(Items { items }))
}

/// `/api/v1/integrations/{name}/webhooks`.
pub async fn webhooks(
    Extract(state): Extract<State>,
    Named(name): Named,
    Asked(which): Asked<Which>,
) -> Answer<Items<Webhook>> {
    let (window, whose) = read(&state, &name, &which, Detail::Measures).await?;
    let values = state.store.values(Some(&name)).await?;
    let mut items = Vec::new();
    for key in &whose {
        let of_it = delivery::deliveries(&window, &values, key).into_iter();
        items.extend(of_it.map(|one| Webhook {
            environment: key.environment.to_string(),
            received: Count(one.received()),
            accepted: Count(one.of("accepted")),
            rejected: Count(one.of("rejected")),
            duplicate: Count(one.of("duplicate")),
            out_of_order: Count(one.of("out_of_order")),
            dead_lettered: Count(one.of("dead_lettered")),
            reasons: one.reasons.into_iter().map(|(reason, count)| (reason, Count(count))).collect(),
            last_at: one.last.map(|last| rfc3339(last.start())),
            missed: one.missed,
            provider: Some(one.provider).filter(|provider| !provider.is_empty()),
            event_type: one.event_type,
        }));
    }
    Ok(Json(Items { items }))
}

/// The window that is asked for, the last hour unless given, and the integrations of that name.
async fn read(
    state: &State,
    name: &str,
    which: &Which,
    detail: Detail,
) -> Result<(Part, BTreeSet<IntegrationKey>), Problem> {
    let now = (state.clock)();
    let period = match (which.from.as_deref(), which.to.as_deref()) {
        (None, None) => Period::last(60, now),
        (from, to) => Period::between(from, to, 60, now).map_err(Problem::parameter)?,
    };
    let environment = which.environment.as_deref();
    let is_it = |key: &&IntegrationKey| {
        *key.name == *name && environment.is_none_or(|environment| *environment == *key.environment)
    };
    let known = state.store.states().await?;
    let whose: BTreeSet<IntegrationKey> = known.integrations.keys().filter(is_it).cloned().collect();
    if whose.is_empty() {
        return Err(Problem::not_found(integration::missing(name, environment)));
    }
    Ok((state.store.window(period.from, period.to, Some(name), detail).await?, whose))
}
