//! What an operator decides on an integration's page: a gap that is right and stays, shapes that are as they should be.

use axum::Extension;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::figure::integration_href;
use crate::rollup::state::row::{State as Row, StateKey, StateKind, Word, for_endpoint, of_run};
use crate::signals::classified::{self, Whose};
use crate::signals::observation::IntegrationKey;
use crate::store::Detail;
use crate::web::State;
use crate::web::asked::Named;
use crate::web::gate::posted::Posted;
use crate::web::gate::who::Who;
use crate::web::page::Error;
use crate::web::period::Period;

/// Longest reason.
const REASON: usize = 500;

/// A window whose gap is written off.
#[derive(Debug, Deserialize)]
pub struct Window {
    environment: String,
    reconciliation: String,
    #[serde(default)]
    entity: String,
    run: String,
    reason: String,
}

/// Closes a window of a reconciliation, with a reason.
pub async fn write_off(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(name): Named,
    Posted(window): Posted<Window>,
) -> Result<Response, Error> {
    let integration = IntegrationKey { environment: window.environment.into(), name: name.into() };
    let states = state.store.states().await?;
    let is_meant = |run: &&crate::signals::observation::ReconciliationRun| {
        run.integration == integration
            && *run.name == *window.reconciliation
            && *run.entity == *window.entity
            && *run.run_id == *window.run
    };
    if states.reconciliations.values().find(is_meant).is_none() {
        return Err(Error::NotFound("There is no such run of this reconciliation.".into()));
    }
    let reason: String = window.reason.trim().chars().take(REASON).collect();
    if reason.is_empty() {
        return Err(Error::BadParameter("Say why: the reason is kept with what is written off.".into()));
    }
    let name = of_run(&window.reconciliation, &window.entity, &window.run);
    let (at, object) =
        ((state.clock)(), format!("{} {} {}", window.reconciliation, window.entity, window.run));
    let key = StateKey { integration, kind: StateKind::WrittenOff, name };
    let word = Word { at, by: who.name.clone(), reason: reason.clone() };
    let detail = format!("{}: {reason}", key.integration.name);
    let entry = who.did(at, "gap.written_off", object, detail);
    state.store.decide(&key, &Row::WrittenOff(word), &entry).await?;
    Ok(Redirect::to(&integration_href(&key.integration)).into_response())
}

/// An endpoint whose shapes are accepted.
#[derive(Debug, Deserialize)]
pub struct Shape {
    environment: String,
    message: String,
    endpoint: String,
}

/// Accepts the shapes of an endpoint as they are now: what differs from before is no drift any more.
pub async fn accept(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(name): Named,
    Posted(shape): Posted<Shape>,
) -> Result<Response, Error> {
    let integration = IntegrationKey { environment: shape.environment.into(), name: name.into() };
    let (kind, name) = (StateKind::Shapes, for_endpoint(&shape.message, &shape.endpoint));
    let key = StateKey { integration, kind, name };
    if !state.store.states().await?.states.contains_key(&key) {
        return Err(Error::NotFound("No shapes of this endpoint are known.".into()));
    }
    let at = (state.clock)();
    let word = Word { at, by: who.name.clone(), reason: String::new() };
    let object = format!("{} {}", shape.message, shape.endpoint);
    let entry = who.did(at, "shape.accepted", object, key.integration.name.to_string());
    let key = StateKey { kind: StateKind::Accepted, ..key };
    state.store.decide(&key, &Row::Accepted(word), &entry).await?;
    Ok(Redirect::to(&integration_href(&key.integration)).into_response())
}

/// An endpoint whose ambiguous answers somebody knows the meaning of.
#[derive(Debug, Deserialize)]
pub struct Meaning {
    environment: String,
    peer: String,
    endpoint: String,
    /// `good`, `failure`, or nothing to take it back.
    #[serde(default)]
    means: String,
}

/// Classifies the ambiguous answers of an endpoint for good: what comes from now on counts so.
pub async fn classify(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(name): Named,
    Posted(meaning): Posted<Meaning>,
) -> Result<Response, Error> {
    let good = classified::good(&meaning.means);
    if good.is_none() && !meaning.means.is_empty() {
        return Err(Error::BadParameter("An ambiguous answer is good or a failure.".into()));
    }
    let integration = IntegrationKey { environment: meaning.environment.into(), name: name.into() };
    let name = classified::name(&meaning.peer, &meaning.endpoint);
    let Some(whose) = classified::named(&integration, &name) else {
        return Err(Error::BadParameter("Name the endpoint.".into()));
    };
    let at = (state.clock)();
    let day = Period::last(24 * 60, at);
    let calls = state.store.window(day.from, day.to, Some(&*integration.name), Detail::Counts).await?.calls;
    let is_called = calls.keys().any(|(_, key)| Whose::of(key) == whose);
    if !is_called && state.classified.of(&whose).is_none() {
        return Err(Error::NotFound("No such endpoint was called in the last day.".into()));
    }
    let object = format!("{} {}", meaning.peer, meaning.endpoint);
    let said = if meaning.means.is_empty() { "open again" } else { &meaning.means };
    let entry = who.did(at, "endpoint.classified", object, format!("{}: {said}", integration.name));
    let key = StateKey { integration, kind: StateKind::Classified, name: name.into() };
    let word = Word { at, by: who.name.clone(), reason: meaning.means };
    state.store.decide(&key, &Row::Classified(word), &entry).await?;
    state.classified.click(whose, good);
    Ok(Redirect::to(&integration_href(&key.integration)).into_response())
}
