//! What a page reads from the store, in one place.

use super::State;
use super::period::Period;
use super::view::calls::{self, Endpoints, Seldom};
use super::view::health::Sources;
use crate::alert::incident::Incident;
use crate::rollup::window::Part;
use crate::signals::telemetry::Nanos;
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
    pub states: Part,
    /// Open incidents and the latest resolved ones.
    pub incidents: Vec<Incident>,
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
            overrides: &state.settings.overrides,
            now,
        }
    }
}

/// Reads a window of one integration by name, or of all.
///
/// # Errors
/// What the store says.
pub async fn window(state: &State, period: Period, name: Option<&str>) -> Result<Loaded, Error> {
    let window = state.store.window(period.from, period.to, name, Detail::Full).await?;
    let endpoints = calls::endpoints(&window, period.from, period.to);
    let suspects = calls::suspects(&endpoints);
    let seldom = if suspects.is_empty() {
        Seldom::new()
    } else {
        // Seven days are read only where the verdict hangs on them.
        let before = period.days_before(7);
        let past = state.store.window(before.from, before.to, name, Detail::Counts).await?;
        calls::seldom(&suspects, &calls::endpoints(&past, before.from, before.to))
    };
    Ok(Loaded {
        endpoints,
        seldom,
        window,
        states: state.store.states().await?,
        incidents: state.store.incidents(false, INCIDENTS).await?,
    })
}
