//! `/api/v1/traces`, `/api/v1/traces/{trace_id}` and `/api/v1/logs`: the kept spans and log records.

use axum::Json;
use axum::extract::State as Extract;
use serde::Deserialize;

use super::{Answer, Items, Problem, limit};
use crate::store::{LogQuery, LogRecord, SpanQuery, SpanRecord};
use crate::web::State;
use crate::web::asked::{Asked, Named};
use crate::web::period::Period;

/// Which spans.
#[derive(Debug, Deserialize)]
pub struct WhichSpans {
    integration: Option<String>,
    environment: Option<String>,
    endpoint: Option<String>,
    status: Option<String>,
    min_ms: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
}

/// Which log records.
#[derive(Debug, Deserialize)]
pub struct WhichLogs {
    q: Option<String>,
    integration: Option<String>,
    environment: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<String>,
}

/// Spans that match, latest first. `status` is `ok` or `failed`; the last hour unless `from` and `to` say otherwise.
pub async fn traces(
    Extract(state): Extract<State>,
    Asked(which): Asked<WhichSpans>,
) -> Answer<Items<SpanRecord>> {
    let now = (state.clock)();
    let failed = match which.status.as_deref() {
        None => None,
        Some("ok") => Some(false),
        Some("failed" | "error") => Some(true),
        Some(_) => return Err(Problem::parameter("`status` is ok or failed.")),
    };
    let period =
        Period::between(which.from.as_deref(), which.to.as_deref(), 60, now).map_err(Problem::parameter)?;
    let min_ms = which.min_ms.map(|text| text.parse::<f64>().ok().filter(|ms| ms.is_finite() && *ms >= 0.0));
    let min_ms =
        min_ms.map(|ms| ms.ok_or_else(|| Problem::parameter("`min_ms` is a number of milliseconds.")));
    let query = SpanQuery {
        integration: which.integration,
        environment: which.environment,
        endpoint: which.endpoint,
        failed,
        min_ms: min_ms.transpose()?,
        from: period.from.start(),
        to: period.to.start(),
        limit: limit(which.limit.as_deref(), 100, 1000)? as usize,
    };
    Ok(Json(Items { items: state.store.spans(query).await? }))
}

/// All spans of one trace.
pub async fn trace(Extract(state): Extract<State>, Named(id): Named) -> Answer<Items<SpanRecord>> {
    let bytes = trace_id(&id).ok_or_else(|| Problem::parameter("A trace id is 32 hex digits."))?;
    let spans = state.store.trace(bytes).await?;
    if spans.is_empty() {
        return Err(Problem::not_found(format!("No span of the trace {id} is kept.")));
    }
    Ok(Json(Items { items: spans }))
}

fn trace_id(text: &str) -> Option<[u8; 16]> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)).flatten()
}

/// Log records that match, latest first.
pub async fn logs(
    Extract(state): Extract<State>,
    Asked(which): Asked<WhichLogs>,
) -> Answer<Items<LogRecord>> {
    let now = (state.clock)();
    let period =
        Period::between(which.from.as_deref(), which.to.as_deref(), 60, now).map_err(Problem::parameter)?;
    let query = LogQuery {
        text: which.q,
        integration: which.integration,
        environment: which.environment,
        from: period.from.start(),
        to: period.to.start(),
        limit: limit(which.limit.as_deref(), 100, 1000)? as usize,
    };
    Ok(Json(Items { items: state.store.logs(query).await? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_id_is_sixteen_bytes() {
        assert_eq!(trace_id(&"0f".repeat(16)), Some([15; 16]));
        for bad in ["", "0f", &"0g".repeat(16), &"+f".repeat(16), &"é".repeat(16)] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }
}
