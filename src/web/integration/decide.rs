//! What an operator decides on an integration's page: a gap that is right and stays, shapes that are as they should be.

use axum::Extension;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::figure::integration_href;
use crate::rollup::state::row::{State as Row, StateKey, StateKind, Word, for_endpoint, of_run};
use crate::signals::observation::IntegrationKey;
use crate::web::State;
use crate::web::asked::Named;
use crate::web::gate::posted::Posted;
use crate::web::gate::who::Who;
use crate::web::page::Error;

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
