//! `/api/v1/system`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Extract;
use serde::Serialize;

use super::Answer;
use crate::web::State;
use crate::web::format::rfc3339;
use crate::web::system::with_prefix;

/// What the server says of itself. Counts are since its start; null is what it does not count.
#[derive(Debug, Serialize)]
pub struct System {
    accepted: BTreeMap<String, u64>,
    rejected: BTreeMap<String, u64>,
    refused: BTreeMap<String, u64>,
    redacted: BTreeMap<String, u64>,
    duplicates: Option<u64>,
    late: Option<u64>,
    lag_ms: Option<u64>,
    watermark: u64,
    rules: Rules,
    troubles: Vec<TroubleItem>,
    counters: BTreeMap<String, u64>,
}

/// What does not work now.
#[derive(Debug, Serialize)]
struct TroubleItem {
    since: String,
    sentence: String,
}

/// The rules in force and what is wrong with their files.
#[derive(Debug, Serialize)]
struct Rules {
    count: usize,
    loaded_at: String,
    problems: Vec<String>,
}

/// All of it.
pub async fn show(Extract(state): Extract<State>) -> Answer<System> {
    let counters = (state.counters)();
    let watermark = state.store.watermark().await?;
    let rules = state.rules.borrow().clone();
    let group =
        |prefix: &str| with_prefix(&counters, prefix).map(|(name, count)| (name.to_owned(), count)).collect();
    let one = |wanted: &str| counters.iter().find(|(name, _)| name == wanted).map(|(_, count)| *count);
    Ok(Json(System {
        accepted: group("accepted_"),
        rejected: group("rejected_"),
        refused: group("refused_"),
        redacted: group("redacted_"),
        duplicates: one("duplicates"),
        late: one("late"),
        lag_ms: one("lag_ms"),
        watermark,
        rules: Rules {
            count: rules.rules.len(),
            loaded_at: rfc3339(rules.loaded_at),
            problems: rules.problems.clone(),
        },
        troubles: (state.troubles)()
            .into_iter()
            .map(|trouble| TroubleItem { since: rfc3339(trouble.since), sentence: trouble.sentence })
            .collect(),
        counters: counters.into_iter().collect(),
    }))
}
