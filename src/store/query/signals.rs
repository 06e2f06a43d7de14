//! What is usual, and what the signals said at the last tick.

use crate::health::value::Value;
use crate::rollup::state::row::{State, StateKey};
use crate::rollup::window::Map;
use crate::store::{Error, Store};
use crate::usual::Usual;

impl Store {
    /// What was learned when it was kept last.
    pub async fn usual(&self) -> Result<Usual, Error> {
        self.inner.catalog.usual().await
    }

    /// Keeps what is known of things that no telemetry tells of: what is merged into their rows comes of no request.
    pub async fn merge_states(&self, states: &Map<StateKey, State>) -> Result<(), Error> {
        self.inner.catalog.merge_states(states).await
    }

    /// What the signals said at the last tick, of an integration by name, or of all. Things that several integrations
    /// share stand under an empty name.
    pub async fn values(&self, integration: Option<&str>) -> Result<Vec<Value>, Error> {
        self.inner.catalog.values(integration).await
    }
}
