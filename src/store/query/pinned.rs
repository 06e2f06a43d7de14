//! What is pinned already, and what error groups keep whole that an incident may take for its evidence.

use crate::signals::telemetry::Nanos;
use crate::store::pins::{Kind, NewPin};
use crate::store::{Error, Store};

/// A pin that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    /// What of its owner's it is.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

impl Pinned {
    /// Whether it holds a failure.
    pub fn is_failure(&self) -> bool {
        self.kind == Kind::Failure
    }

    /// Whether it holds a log record.
    pub fn is_log(&self) -> bool {
        self.kind == Kind::Log
    }
}

/// Which exemplars of error groups; every condition given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exemplars {
    /// Integration by name.
    pub integration: Option<String>,
    /// Environment by name.
    pub environment: Option<String>,
    /// `outbound` or `inbound`.
    pub direction: Option<String>,
    /// Peer by name.
    pub peer: Option<String>,
    /// Endpoint by name.
    pub endpoint: Option<String>,
    /// Failed at or after.
    pub from: Nanos,
    /// And before.
    pub to: Nanos,
}

impl Store {
    /// The names of all pins of an owner.
    pub async fn pinned_names(&self, owner: &str) -> Result<Vec<Pinned>, Error> {
        self.inner.catalog.pinned_names(owner).await
    }

    /// Exemplars that match, the latest first, as pins of their groups.
    pub async fn exemplars(&self, of: &Exemplars, limit: u32) -> Result<Vec<NewPin>, Error> {
        self.inner.catalog.exemplars(of, limit).await
    }
}
