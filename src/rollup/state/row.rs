//! States that share one table: a row a thing, merged by the flush. A new kind is a variant here and nothing elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::series::Merge;
use super::super::window::Minute;
use super::Timed;
use super::probe::Tries;
use super::refreshes::Refreshes;
use super::runs::Runs;
use super::shapes::Shapes;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;

/// What kind of thing a state is of; its name is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    /// A connection that was closed on purpose; the name is its id.
    ConnectionClosed,
    /// A job's latest runs; the name is the job's.
    Runs,
    /// The keys that a reconciliation run did not find; the name is [`of_run`]'s.
    MissingKeys,
    /// A person wrote a window's gap off; the name is [`of_run`]'s.
    WrittenOff,
    /// When a reconciliation runs next; the name is its own.
    NextRun,
    /// The shapes of an endpoint's messages; the name is [`for_endpoint`]'s.
    Shapes,
    /// A person accepted an endpoint's shapes as they are; the same name.
    Accepted,
    /// Versions of an integration; the name is empty.
    Versions,
    /// What a vendor announced; the name says of what.
    Announced,
    /// How refreshes of a credential went; the name is its id.
    Refreshes,
    /// What a probe met; the name is its own.
    Probe,
    /// The clock of a sender that is off; the name is the sender's hash.
    Skew,
    /// A person said what ambiguous answers of an endpoint are; the name is `signals::classified::name`'s.
    Classified,
}

impl StateKind {
    /// All.
    pub const ALL: &[StateKind] = &[
        StateKind::ConnectionClosed,
        StateKind::Refreshes,
        StateKind::Probe,
        StateKind::Skew,
        StateKind::Runs,
        StateKind::MissingKeys,
        StateKind::WrittenOff,
        StateKind::NextRun,
        StateKind::Shapes,
        StateKind::Accepted,
        StateKind::Versions,
        StateKind::Announced,
        StateKind::Classified,
    ];

    /// Its name where it is kept.
    pub const fn name(self) -> &'static str {
        match self {
            StateKind::ConnectionClosed => "connection_closed",
            StateKind::Runs => "runs",
            StateKind::MissingKeys => "missing_keys",
            StateKind::WrittenOff => "written_off",
            StateKind::NextRun => "next_run",
            StateKind::Shapes => "shapes",
            StateKind::Accepted => "accepted",
            StateKind::Versions => "versions",
            StateKind::Announced => "announced",
            StateKind::Refreshes => "refreshes",
            StateKind::Probe => "probe",
            StateKind::Skew => "skew",
            StateKind::Classified => "classified",
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
    /// The latest runs of a job.
    Runs(Runs),
    /// Record keys, ascending, at most [`KEYS`].
    MissingKeys(Vec<String>),
    /// By whom, and why.
    WrittenOff(Word),
    /// Unix seconds.
    NextRun(Timed<i64>),
    /// By fingerprint.
    Shapes(Shapes),
    /// By whom.
    Accepted(Word),
    /// When each was seen first.
    Versions(BTreeMap<String, Nanos>),
    /// What was said last.
    Announced(Announced),
    /// How refreshes of a credential went.
    Refreshes(Refreshes),
    /// What a probe met.
    Probe(Tries),
    /// The delays of a sender whose clock is off.
    Skew(Skew),
    /// `good`, `failure`, or an empty word that takes it back, as the reason.
    Classified(Word),
}

/// How late a sender's events came, minute by minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Skew {
    /// (minute of receipt, least delay in it), in order of receipt.
    pub least: Vec<(Minute, Nanos)>,
    /// When it was heard of last.
    pub at: Nanos,
}

/// Keys that are kept of one run.
pub const KEYS: usize = 100;

/// The name of a reconciliation run among its kind.
pub fn of_run(name: &str, entity: &str, run_id: &str) -> Arc<str> {
    // A separator that no name has: it is cut out of what is sent.
    Arc::from([name, entity, run_id].join("\u{1f}"))
}

/// Versions that are kept, the latest.
const VERSIONS: usize = 8;

/// The name of an endpoint's messages among their kind.
pub fn for_endpoint(message: &str, endpoint: &str) -> Arc<str> {
    Arc::from([message, endpoint].join("\u{1f}"))
}

/// (message, endpoint) of such a name.
pub fn of_endpoint(name: &str) -> (&str, &str) {
    name.split_once('\u{1f}').unwrap_or(("", name))
}

/// Something that a vendor will end.
#[derive(Clone, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Announced {
    /// When it was said.
    pub at: Nanos,
    /// Unix seconds of the end.
    pub effective_at: i64,
    /// Host that it is of.
    pub peer: String,
    /// Endpoint that it is of; empty for all.
    pub endpoint: String,
    /// What ends.
    pub text: String,
}

/// What a person decided, the last time then.
#[derive(Clone, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Word {
    /// When.
    pub at: Nanos,
    /// Who: a login name.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
}

impl Merge for Word {
    fn merge(&mut self, other: &Self) {
        if *other > *self {
            self.clone_from(other);
        }
    }
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
            (State::Runs(ours), State::Runs(theirs)) => ours.merge(theirs),
            (State::MissingKeys(ours), State::MissingKeys(theirs)) => {
                ours.extend(theirs.iter().cloned());
                ours.sort();
                ours.dedup();
                ours.truncate(KEYS);
            }
            (State::WrittenOff(ours), State::WrittenOff(theirs)) => ours.merge(theirs),
            (State::NextRun(ours), State::NextRun(theirs)) => ours.take(theirs),
            (State::Shapes(ours), State::Shapes(theirs)) => ours.merge(theirs),
            (State::Accepted(ours), State::Accepted(theirs)) => ours.merge(theirs),
            (State::Classified(ours), State::Classified(theirs)) => ours.merge(theirs),
            (State::Versions(ours), State::Versions(theirs)) => {
                for (version, first) in theirs {
                    let known = ours.entry(version.clone()).or_insert(*first);
                    *known = (*known).min(*first);
                }
                while ours.len() > VERSIONS {
                    let oldest = ours.iter().min_by_key(|(_, at)| **at).map(|(name, _)| name.clone());
                    oldest.and_then(|oldest| ours.remove(&oldest));
                }
            }
            (State::Announced(ours), State::Announced(theirs)) => {
                if theirs > ours {
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
        State::Runs(_) => 5,
        State::MissingKeys(_) => 6,
        State::WrittenOff(_) => 7,
        State::NextRun(_) => 8,
        State::Shapes(_) => 9,
        State::Accepted(_) => 10,
        State::Versions(_) => 11,
        State::Announced(_) => 12,
        State::Classified(_) => 13,
    }
}
