//! What a page reads from the store, in one place.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;

use super::State;
use super::period::Period;
use super::view::calls::{self, Endpoints, Seldom};
use super::view::health::Sources;
use crate::alert::incident::Incident;
use crate::health::value::Value;
use crate::rollup::series::Merge;
use crate::rollup::window::Part;
use crate::signals::telemetry::Nanos;
use crate::store::query::errors::{ChangeRecord, ErrorRecord};
use crate::store::{Detail, Error};

/// As many incidents as any list shows.
pub const INCIDENTS: u32 = 500;

/// A window with all that health is read from.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Calls by endpoint.
    pub endpoints: Endpoints,
    /// Endpoints that seldom answered 404 before.
    pub seldom: Seldom,
    /// The window as it was read.
    pub window: Part,
    /// Slots, reconciliations, registrations, outcomes, runs.
    pub states: Arc<Part>,
    /// Open incidents and the latest resolved ones.
    pub incidents: Vec<Incident>,
    /// What the signals said at the last tick.
    pub values: Vec<Value>,
    /// Counters of the last hour, where they are shown.
    pub deliveries: Part,
    /// Error groups of the window, those that failed most first.
    pub errors: Vec<ErrorRecord>,
    /// What changed, the latest first.
    pub changes: Vec<ChangeRecord>,
}

impl Loaded {
    /// What health is read from.
    pub fn sources<'s>(&'s self, state: &'s State, now: Nanos) -> Sources<'s> {
        Sources {
            endpoints: &self.endpoints,
            seldom: &self.seldom,
            window: &self.window,
            states: &self.states,
            incidents: &self.incidents,
            values: &self.values,
            overrides: &state.settings.overrides,
            providers: &state.settings.providers,
            now,
        }
    }
}

/// What the pages that show every integration are made from.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// The last hour; its window holds gauges only.
    pub loaded: Loaded,
    /// The last hour, in pieces.
    pub hour: Vec<Arc<Part>>,
    /// Counts of the last day by half hour, in pieces.
    pub day: Vec<Arc<Part>>,
}

/// Reads the last hour and day of every integration.
///
/// # Errors
/// What the store says.
pub async fn fleet(state: &State, now: Nanos) -> Result<Fleet, Error> {
    let (hour, day) = (Period::last(60, now), Period::day(now));
    let lately = state.store.lately(hour.from, day.from, hour.to).await?;
    let mut window = Part::default();
    for part in &lately.minutes {
        for ((minute, key), row) in &part.gauges {
            window.gauges.entry((*minute, key.clone())).or_default().merge(row);
        }
    }
    let endpoints = calls::endpoints(&lately.minutes, hour.from, hour.to);
    Ok(Fleet {
        loaded: Loaded {
            seldom: seldom(state, &endpoints, hour).await?,
            endpoints,
            window,
            states: lately.states,
            incidents: state.store.incidents(false, INCIDENTS).await?,
            values: state.store.values(None).await?,
            deliveries: Part::default(),
            errors: Vec::new(),
            changes: Vec::new(),
        },
        hour: lately.minutes,
        day: lately.half_hours,
    })
}

/// Reads a window of one integration by name, or of all.
///
/// # Errors
/// What the store says.
pub async fn window(state: &State, period: Period, name: Option<&str>) -> Result<Loaded, Error> {
    let window = state.store.window(period.from, period.to, name, Detail::Full).await?;
    let endpoints = calls::endpoints(slice::from_ref(&window), period.from, period.to);
    Ok(Loaded {
        seldom: seldom(state, &endpoints, period).await?,
        endpoints,
        window,
        states: Arc::new(state.store.states().await?),
        incidents: state.store.incidents(false, INCIDENTS).await?,
        values: state.store.values(name).await?,
        deliveries: Part::default(),
        errors: Vec::new(),
        changes: Vec::new(),
    })
}

/// Seven days are read only where a verdict hangs on them, and only of the integrations whose it is.
async fn seldom(state: &State, endpoints: &Endpoints, period: Period) -> Result<Seldom, Error> {
    let suspects = calls::suspects(endpoints);
    let names: BTreeSet<Arc<str>> = suspects.iter().map(|key| key.integration.name.clone()).collect();
    let before = period.days_before(7);
    let mut past = Vec::with_capacity(names.len());
    for name in names {
        past.push(state.store.window(before.from, before.to, Some(&*name), Detail::Counts).await?);
    }
    Ok(calls::seldom(&suspects, &calls::endpoints(&past, before.from, before.to)))
}
