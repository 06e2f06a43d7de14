//! `/api/v1/signals`: what each signal said at the last tick.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};

use super::{Answer, Items, Problem};
use crate::health::value::Value;
use crate::signals::signal::{Label, Signal, Unit};
use crate::web::State;
use crate::web::asked::Asked;
use crate::web::format::rfc3339;

/// What may be asked for.
#[derive(Debug, Deserialize)]
pub struct Which {
    integration: Option<String>,
    environment: Option<String>,
    signal: Option<String>,
}

/// One value.
#[derive(Debug, Serialize)]
pub struct Item {
    signal: &'static str,
    unit: &'static str,
    value: f64,
    labels: BTreeMap<&'static str, Arc<str>>,
    at: String,
    why: Option<String>,
}

/// Values of the last tick. Things that several integrations share have no integration.
pub async fn list(Extract(state): Extract<State>, Asked(which): Asked<Which>) -> Answer<Items<Item>> {
    let signal = match which.signal.as_deref() {
        None => None,
        Some(name) => Some(Signal::from_name(name).ok_or_else(|| {
            Problem::parameter(format!("`signal` is the name of one, like work.missed; there is no {name}."))
        })?),
    };
    let mut values = state.store.values(which.integration.as_deref()).await?;
    values.retain(|value| {
        signal.is_none_or(|signal| value.signal == signal)
            && which.environment.as_deref().is_none_or(|one| value.label(Label::Environment) == one)
    });
    Ok(Json(Items { items: values.into_iter().map(item).collect() }))
}

fn item(value: Value) -> Item {
    Item {
        signal: value.signal.name(),
        unit: match value.signal.unit() {
            Unit::Share => "1",
            Unit::Duration => "s",
            Unit::Times => "{times}",
            Unit::Count(_) => "{count}",
            Unit::PerMinute => "1/min",
            Unit::Flag => "{yes}",
        },
        value: value.value,
        labels: value.labels.into_iter().map(|(label, text)| (label.name(), text)).collect(),
        at: rfc3339(value.at),
        why: (!value.why.is_empty()).then_some(value.why),
    }
}
