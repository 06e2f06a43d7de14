//! `/api/v1/silences`: what is withheld from being told. Listed, made and ended.

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::{Answer, Items, Problem};
use crate::alert::overlay::{Matchers, Silence};
use crate::signals::telemetry::Nanos;
use crate::store;
use crate::web::asked::Named;
use crate::web::format::rfc3339;
use crate::web::gate::who::Who;
use crate::web::{State, load, silences};

/// As many as are listed.
const SILENCES: u32 = 500;

/// One silence.
#[derive(Debug, Serialize)]
pub struct Item {
    id: i64,
    matchers: Matchers,
    author: String,
    reason: String,
    from: String,
    until: String,
    active: bool,
    open_incidents: usize,
}

/// One to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    matchers: Matchers,
    reason: String,
    until: String,
}

/// Lists them, the latest made first, ended ones too.
pub async fn list(Extract(state): Extract<State>) -> Answer<Items<Item>> {
    let now = (state.clock)();
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let found = state.store.silences(SILENCES).await?;
    let hides = |one: &Silence| silences::hidden(&one.matchers, &open).len();
    Ok(Json(Items {
        items: found.into_iter().map(|one| (hides(&one), one)).map(|(n, one)| item(one, n, now)).collect(),
    }))
}

/// Makes one.
pub async fn make(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<Response, Problem> {
    let new: New = serde_json::from_slice(&body).map_err(|error| {
        Problem::parameter(format!(
            "The body is no silence ({error}); send {{\"matchers\": {{\"integration\": \"crm\"}}, \"reason\": \"…\", \"until\": \"2026-01-01T00:00:00Z\"}}."
        ))
    })?;
    let until =
        chrono::DateTime::parse_from_rfc3339(&new.until).ok().and_then(|time| time.timestamp_nanos_opt());
    let until =
        until.ok_or_else(|| Problem::parameter(format!("`until` is RFC 3339, and not {}.", new.until)))?;
    let now = (state.clock)();
    let (matchers, reason) = (new.matchers, new.reason.trim().to_owned());
    let silence = Silence { id: 0, matchers, author: who.name.clone(), reason, from: now, until };
    let made = state.store.make_silence(&silence, &who.actor(), now).await.map_err(unfit)?;
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let hides = silences::hidden(&made.matchers, &open).len();
    Ok((StatusCode::CREATED, Json(item(made, hides, now))).into_response())
}

/// Ends one.
pub async fn end(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(id): Named,
) -> Result<StatusCode, Problem> {
    let missing = || Problem::not_found(format!("There is no silence {id}."));
    let number = id.parse().map_err(|_| missing())?;
    match state.store.end_silence(number, &who.actor(), (state.clock)()).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(store::Error::Unfit(said)) => Err(Problem::not_found(said)),
        Err(error) => Err(error.into()),
    }
}

fn item(silence: Silence, open_incidents: usize, now: Nanos) -> Item {
    Item {
        id: silence.id,
        matchers: silence.matchers,
        author: silence.author,
        reason: silence.reason,
        from: rfc3339(silence.from),
        until: rfc3339(silence.until),
        active: silence.from <= now && now < silence.until,
        open_incidents,
    }
}

fn unfit(error: store::Error) -> Problem {
    match error {
        store::Error::Unfit(said) => Problem::of(StatusCode::UNPROCESSABLE_ENTITY, said),
        error => error.into(),
    }
}
