//! `/keys`: who may send. A key is shown once, when it is made; two of the same patterns are good at a time, so that a
//! sender can be moved from one to the next.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::asked::Named;
use super::format::{self, When};
use super::gate::posted::Posted;
use super::gate::who::Who;
use super::page::{self, Error, Frame};
use super::{State, load};
use crate::access::key::{IngestKey, NewKey, Verdict};
use crate::signals::scope::Pattern;
use crate::signals::telemetry::Nanos;
use crate::store;

const DAY: Nanos = 24 * 3_600_000_000_000;

/// The page.
#[derive(Template)]
#[template(path = "keys.html")]
pub struct Page {
    frame: Frame,
    good: usize,
    otlp_http: String,
    rows: Vec<Row>,
    made: Option<(String, String)>,
    problem: String,
    typed: Typed,
}

struct Row {
    id: u64,
    name: String,
    tail: String,
    integration: String,
    environment: String,
    made: When,
    made_by: String,
    used: Option<When>,
    ends: String,
    verdict: Said,
    /// What a successor would be called; empty where there can be none.
    next: String,
}

/// Whether a key opens, to be shown.
enum Said {
    Good,
    Flagged(When),
    Ended,
    Revoked(When),
}

/// What was typed into the form that could not be done.
#[derive(Default)]
struct Typed {
    name: String,
    integration: String,
    environment: String,
}

/// A key to be made.
#[derive(Debug, Deserialize)]
pub struct New {
    name: String,
    integration: String,
    environment: String,
    days: String,
}

/// What is to be done with a key: `now` or `flag` to revoke it, `rotate` to make its successor.
#[derive(Debug, Deserialize)]
pub struct Done {
    #[serde(rename = "do")]
    what: String,
}

/// Lists them.
pub async fn list(Extract(state): Extract<State>, Extension(who): Extension<Who>) -> Result<Response, Error> {
    shown(&state, &who, None, String::new(), Typed::default()).await
}

async fn shown(
    state: &State,
    who: &Who,
    made: Option<(String, String)>,
    problem: String,
    typed: Typed,
) -> Result<Response, Error> {
    let now = (state.clock)();
    let incidents = state.store.incidents(true, load::INCIDENTS).await?;
    let mut keys = state.store.keys().await?;
    // Those that open before those that did.
    keys.sort_by_key(|key| (!key.verdict(now).is_open(), std::cmp::Reverse(key.id)));
    let good = keys.iter().filter(|key| key.verdict(now).is_open()).count();
    let row = |key: &IngestKey| Row {
        verdict: match key.verdict(now) {
            Verdict::Good => Said::Good,
            Verdict::Flagged(until) => Said::Flagged(When::new(until, now)),
            Verdict::Expired(_) => Said::Ended,
            Verdict::Revoked(at) => Said::Revoked(When::new(at, now)),
        },
        next: if key.verdict(now).is_open() { successor(&key.name, &keys) } else { String::new() },
        id: key.id,
        name: key.name.clone(),
        tail: key.tail.clone(),
        integration: key.integration.to_string(),
        environment: key.environment.to_string(),
        made: When::new(key.made_at, now),
        made_by: key.made_by.clone(),
        used: key.last_used_at.map(|at| When::new(at, now)),
        ends: key.expires_at.map(|at| format::stamp(at, "%-d %b %Y")).unwrap_or_default(),
    };
    let rows = keys.iter().map(row).collect();
    let frame = Frame::new(state, who, &incidents, "keys", "Keys");
    let otlp_http = state.settings.otlp_http.clone();
    Ok(page::render(&Page { frame, good, otlp_http, rows, made, problem, typed }))
}

/// Makes a key and shows it once.
pub async fn make(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Posted(new): Posted<New>,
) -> Result<Response, Error> {
    let pattern = |text: &str| text.trim().parse::<Pattern>().map_err(|said| said.to_string());
    let read = || {
        let expires_at = match new.days.as_str() {
            "" => None,
            days => {
                let days = days.parse::<i64>().ok().filter(|days| (1..=3660).contains(days));
                let days = days.ok_or("A key lasts 1 to 3660 days, or for ever.")?;
                Some((state.clock)().saturating_add(days.saturating_mul(DAY)))
            }
        };
        let (integration, environment) = (pattern(&new.integration)?, pattern(&new.environment)?);
        let name = new.name.trim().to_owned();
        Ok::<_, String>(NewKey { name, integration, environment, expires_at, rate: None, byte_rate: None })
    };
    let typed = || Typed {
        name: new.name.clone(),
        integration: new.integration.clone(),
        environment: new.environment.clone(),
    };
    match read() {
        Ok(key) => made(&state, &who, &key, typed).await,
        Err(said) => {
            let page = shown(&state, &who, None, said, typed()).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

/// Revokes a key, or makes its successor.
pub async fn change(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(id): Named,
    Posted(done): Posted<Done>,
) -> Result<Response, Error> {
    let now = (state.clock)();
    let keys = state.store.keys().await?;
    let key = id.parse().ok().and_then(|id: u64| keys.iter().find(|key| key.id == id));
    let key = key.ok_or_else(|| Error::NotFound("There is no such key.".into()))?;
    let flagged_until = match done.what.as_str() {
        "now" => None,
        "flag" => Some(now.saturating_add(DAY)),
        "rotate" => {
            // As long from now as the old one was made for.
            let expires_at = key.expires_at.map(|end| now.saturating_add(end.saturating_sub(key.made_at)));
            let next = NewKey {
                name: successor(&key.name, &keys),
                integration: key.integration.clone(),
                environment: key.environment.clone(),
                expires_at,
                rate: key.rate,
                byte_rate: key.byte_rate,
            };
            return made(&state, &who, &next, Typed::default).await;
        }
        _ => return Err(Error::BadParameter("Nothing of the kind can be done with a key.".into())),
    };
    match state.store.revoke_key(key.id, flagged_until, &who.actor(), now).await {
        Ok(_) => Ok(Redirect::to("/keys").into_response()),
        Err(store::Error::Unfit(said)) => {
            let page = shown(&state, &who, None, said, Typed::default()).await?;
            Ok((StatusCode::CONFLICT, page).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

async fn made(
    state: &State,
    who: &Who,
    new: &NewKey,
    typed: impl FnOnce() -> Typed,
) -> Result<Response, Error> {
    match state.store.make_key(new, &who.actor(), (state.clock)()).await {
        Ok((key, secret)) => {
            let made = Some((key.name, secret.reveal().to_owned()));
            shown(state, who, made, String::new(), Typed::default()).await
        }
        Err(store::Error::Unfit(said)) => {
            let page = shown(state, who, None, said, typed()).await?;
            Ok((StatusCode::CONFLICT, page).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// `shop` → `shop-2`, `shop-2` → `shop-3`: the first that no key ever had.
fn successor(name: &str, keys: &[IngestKey]) -> String {
    let (base, from) = match name.rsplit_once('-') {
        Some((base, number)) if number.parse::<u32>().is_ok() => (base, number.parse().unwrap_or(1)),
        _ => (name, 1u32),
    };
    let next = |n: &u32| keys.iter().all(|key| key.name != format!("{base}-{n}"));
    let number = (from.saturating_add(1)..).find(next).unwrap_or(u32::MAX);
    format!("{base}-{number}")
}
