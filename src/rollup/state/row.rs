//! States that share one table: a row a thing, merged by the flush. A new kind is a variant here and nothing elsewhere.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::series::Merge;
use super::super::window::Minute;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;

/// What kind of thing a state is of; its name is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    /// A connection that was closed on purpose; the name is its id.
    ConnectionClosed,
    /// The clock of a sender that is off; the name is the sender's hash.
    Skew,
}

impl StateKind {
    /// All.
    pub const ALL: &[StateKind] = &[StateKind::ConnectionClosed, StateKind::Skew];

    /// Its name where it is kept.
    pub const fn name(self) -> &'static str {
        match self {
            StateKind::ConnectionClosed => "connection_closed",
            StateKind::Skew => "skew",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<StateKind> {
        StateKind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// Which thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StateKey {
    /// Whose.
    pub integration: IntegrationKey,
    /// What kind.
    pub kind: StateKind,
    /// Its name among its kind.
    pub name: Arc<str>,
}

/// What is known of a thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing: the identity of merging.
    #[default]
    Nothing,
    /// A connection was closed on purpose, the last time then.
    ConnectionClosed(Nanos),
    /// The delays of a sender whose clock is off.
    Skew(Skew),
}

/// How late a sender's events came, minute by minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Skew {
    /// (minute of receipt, least delay in it), in order of receipt.
    pub least: Vec<(Minute, Nanos)>,
    /// When it was heard of last.
    pub at: Nanos,
}

impl Merge for State {
    fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, State::Nothing) => {}
            (State::Nothing, _) => self.clone_from(other),
            (State::ConnectionClosed(ours), State::ConnectionClosed(theirs)) => *ours = (*ours).max(*theirs),
            // What was heard last knows all that was heard before.
            (State::Skew(ours), State::Skew(theirs)) => {
                if (theirs.at, &theirs.least) > (ours.at, &ours.least) {
                    ours.clone_from(theirs);
                }
            }
            // A key has one kind of state.
            (_, _) => {}
        }
    }
}
