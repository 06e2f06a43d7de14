//! `/integrations/{name}/readiness`: how well an integration is built to run unattended, as far as its telemetry shows,
//! and what nobody would see; the same in the API.

use askama::Template;
use axum::extract::State as Extract;
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::api::{Answer, Problem};
use super::asked::{Asked, Named};
use super::gate::who::Who;
use super::integration::missing;
use super::page::{self, Error, Frame};
use super::period::Period;
use super::view::figure;
use super::{State, load};
use crate::health::blind::{Sight, blind_spots};
use crate::health::readiness::{Evidence, Line, Verdict, checklist};
use crate::health::value::Value;
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::{Label, Signal};
use crate::store;
use crate::store::{Detail, SpanQuery};

/// So many failing calls of the day are looked at.
const FAILING: usize = 200;

/// What may be asked for.
#[derive(Debug, Deserialize)]
pub struct Which {
    environment: Option<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "readiness.html")]
pub struct Page {
    frame: Frame,
    name: String,
    environment: String,
    href: String,
    met: usize,
    asked: usize,
    lines: Vec<Line>,
    sights: Vec<Sight>,
}

/// What is known of an integration's readiness.
struct Found {
    key: IntegrationKey,
    lines: Vec<Line>,
    sights: Vec<Sight>,
}

/// Shows it.
pub async fn show(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(name): Named,
    Asked(which): Asked<Which>,
) -> Result<Response, Error> {
    let incidents = state.store.incidents(true, load::INCIDENTS).await?;
    let frame = Frame::new(&state, &who, &incidents, "readiness", format!("{name}: readiness"));
    let found = find(&state, &name, which.environment.as_deref()).await?;
    let found = found.ok_or_else(|| Error::NotFound(missing(&name, which.environment.as_deref())))?;
    let count = |verdict| found.lines.iter().filter(|line| line.verdict == verdict).count();
    Ok(page::render(&Page {
        frame,
        met: count(Verdict::Met),
        asked: found.lines.len() - count(Verdict::NotNeeded),
        href: figure::integration_href(&found.key),
        environment: found.key.environment.to_string(),
        name,
        lines: found.lines,
        sights: found.sights,
    }))
}

/// The same for programs.
#[derive(Debug, Serialize)]
pub struct Item {
    environment: String,
    checklist: Vec<CheckItem>,
    signals: Vec<SightItem>,
}

/// A line of the checklist.
#[derive(Debug, Serialize)]
struct CheckItem {
    title: &'static str,
    verdict: &'static str,
    evidence: String,
    fix: Option<&'static str>,
}

/// One of the six signals.
#[derive(Debug, Serialize)]
struct SightItem {
    title: &'static str,
    arrives: bool,
    rules: Vec<String>,
    fix: Option<&'static str>,
}

/// Answers it.
pub async fn answer(
    Extract(state): Extract<State>,
    Named(name): Named,
    Asked(which): Asked<Which>,
) -> Answer<Item> {
    let found = find(&state, &name, which.environment.as_deref()).await?;
    let found = found.ok_or_else(|| Problem::not_found(missing(&name, which.environment.as_deref())))?;
    let said = |text: &'static str| (!text.is_empty()).then_some(text);
    Ok(Json(Item {
        environment: found.key.environment.to_string(),
        checklist: found
            .lines
            .into_iter()
            .map(|line| CheckItem {
                title: line.title,
                verdict: line.verdict.name(),
                evidence: line.evidence,
                fix: said(line.fix),
            })
            .collect(),
        signals: found
            .sights
            .into_iter()
            .map(|sight| SightItem {
                title: sight.title,
                arrives: sight.arrives,
                rules: sight.rules,
                fix: said(sight.fix),
            })
            .collect(),
    }))
}

/// Reads a day of an integration; none where there is none of that name. Without an environment, production-like ones
/// come first.
async fn find(state: &State, name: &str, environment: Option<&str>) -> Result<Option<Found>, store::Error> {
    let now = (state.clock)();
    let states = state.store.states().await?;
    let mut keys: Vec<&IntegrationKey> =
        states.integrations.keys().filter(|key| &*key.name == name).collect();
    keys.sort_by_key(|key| {
        let other = state.settings.non_production.iter().any(|other| **other == *key.environment);
        (other, key.environment.clone())
    });
    let found = keys.into_iter().find(|key| environment.is_none_or(|asked| asked == &*key.environment));
    let Some(key) = found.cloned() else { return Ok(None) };
    let day = Period::last(24 * 60, now);
    let mut rows = state.store.window(day.from, day.to, Some(name), Detail::Counts).await?;
    rows.counters = state.store.window(day.from, day.to, Some(name), Detail::Measures).await?.counters;
    let failing = state
        .store
        .spans(SpanQuery {
            integration: Some(name.to_owned()),
            environment: Some(key.environment.to_string()),
            failed: Some(true),
            from: day.from.start(),
            to: now,
            limit: FAILING,
            ..SpanQuery::default()
        })
        .await?;
    let with = failing.iter().filter(|span| span.attributes.contains_key("integration.payload")).count();
    let values = state.store.values(Some(name)).await?;
    let own: Vec<&Value> =
        values.iter().filter(|value| value.label(Label::Environment) == &*key.environment).collect();
    let rules: Vec<(String, Vec<Signal>)> =
        state.rules.borrow().rules.iter().map(|rule| (rule.id.clone(), rule.signals.clone())).collect();
    let evidence = Evidence {
        key: &key,
        day: &rows,
        states: &states,
        values: &own,
        failures: (failing.len() as u64, with as u64),
        rules: &rules,
    };
    let (lines, sights) = (checklist(&evidence), blind_spots(&evidence));
    Ok(Some(Found { key, lines, sights }))
}
