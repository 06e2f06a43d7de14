//! States that share one table: a row a thing, merged by the flush. A new kind is a variant here and nothing elsewhere.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::series::Merge;
use super::super::window::Minute;
use super::probe::Tries;
use super::refreshes::Refreshes;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;

/// What kind of thing a state is of; its name is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    /// A connection that was closed on purpose; the name is its id.
    ConnectionClosed,
    /// How refreshes of a credential went; the name is its id.
    Refreshes,
    /// What a probe met; the name is its own.
    Probe,
    /// The clock of a sender that is off; the name is the sender's hash.
    Skew,
}

impl StateKind {
    /// All.
    pub const ALL: &[StateKind] =
        &[StateKind::ConnectionClosed, StateKind::Refreshes, StateKind::Probe, StateKind::Skew];

    /// Its name where it is kept.
    pub const fn name(self) -> &'static str {
        match self {
            StateKind::ConnectionClosed => "connection_closed",
            StateKind::Refreshes => "refreshes",
            StateKind::Probe => "probe",
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
    /// How refreshes of a credential went.
    Refreshes(Refreshes),
    /// What a probe met.
    Probe(Tries),
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
            (State::Refreshes(ours), State::Refreshes(theirs)) => ours.merge(theirs),
            (State::Probe(ours), State::Probe(theirs)) => ours.merge(theirs),
            // What was heard last knows all that was heard before.
            (State::Skew(ours), State::Skew(theirs)) => {
                if (theirs.at, &theirs.least) > (ours.at, &ours.least) {
                    ours.clone_from(theirs);
                }
            }
            // One key has one kind of state; were it not so, the order of arrival must not matter.
            (ours, theirs) => {
                if rank(theirs) > rank(ours) {
                    ours.clone_from(theirs);
                }
            }
        }
    }
}

fn rank(state: &State) -> u8 {
    match state {
        State::Nothing => 0,
        State::ConnectionClosed(_) => 1,
        State::Refreshes(_) => 2,
        State::Probe(_) => 3,
        State::Skew(_) => 4,
    }
}
