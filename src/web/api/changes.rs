//! `/api/v1/integrations/{name}/changes`: versions and told changes, to see failures against.

use axum::Json;
use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};

use super::{Answer, Items, Problem, limit};
use crate::store::query::errors::ChangeRecord;
use crate::web::State;
use crate::web::asked::{Asked, Named};
use crate::web::format::rfc3339;
use crate::web::period::Period;

/// Minutes looked at unless `from` and `to` say otherwise.
const A_MONTH: i64 = 30 * 1_440;

/// Which changes.
#[derive(Debug, Deserialize)]
pub struct Which {
    environment: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
}

/// One change.
#[derive(Debug, Serialize)]
pub struct Item {
    environment: String,
    kind: String,
    text: String,
    at: String,
    effective_at: Option<String>,
}

/// Changes of an integration, the latest first; those of the last 30 days unless `from` and `to` say otherwise.
pub async fn list(
    Extract(state): Extract<State>,
    Named(name): Named,
    Asked(which): Asked<Which>,
) -> Answer<Items<Item>> {
    let now = (state.clock)();
    let period = Period::between(which.from.as_deref(), which.to.as_deref(), A_MONTH, now);
    let period = period.map_err(Problem::parameter)?;
    let limit = limit(which.limit.as_deref(), 100, 1000)?;
    let (from, to) = (period.from.start(), period.to.start());
    let changes = state.store.changes(&name, which.environment.as_deref(), (from, to), limit).await?;
    Ok(Json(Items { items: changes.into_iter().map(item).collect() }))
}

fn item(change: ChangeRecord) -> Item {
    Item {
        environment: change.environment,
        kind: change.kind,
        text: change.text,
        at: rfc3339(change.at),
        effective_at: change.effective_at.map(|at| rfc3339(at.saturating_mul(1_000_000_000))),
    }
}
