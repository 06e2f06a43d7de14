//! What an alert is while it lives: an instance of a rule, and the incident it opens.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::overlay::Withheld;
use crate::rollup::window::Minute;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

impl Severity {
    /// `info`, `warning` or `critical`.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// A rule and the values of its `by` labels: never a value, a time or a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceKey {
    /// The rule's id.
    pub rule: Arc<str>,
    /// Label name → value (`integration`, `environment`, `peer`, `endpoint`, …).
    pub labels: BTreeMap<String, String>,
}

/// Where the state machine stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Phase {
    #[default]
    Inactive,
    Pending,
    Firing,
    Recovering,
}

/// What recipients were last told of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Heard {
    #[default]
    Nothing,
    Firing,
    Resolved,
    Flapping,
}

/// The state of one instance, complete: with it and the stored data a restart continues where it stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Which.
    pub key: InstanceKey,
    /// Where it stands.
    pub phase: Phase,
    /// First breaching tick of the present pending or firing stretch, moved by unknown time.
    pub since: Option<Minute>,
    /// First clear tick while recovering, moved by unknown time.
    pub clear_since: Option<Minute>,
    /// First of the present run of unknown ticks.
    pub unknown_since: Option<Minute>,
    /// Last tick judged.
    pub last_tick: Minute,
    /// The incident that is open, or was last.
    pub incident: Option<Incident>,
    /// When that incident was last closed.
    pub closed_at: Option<Minute>,
    /// Ticks of recent fired and resolved transitions.
    pub flips: Vec<Minute>,
    /// Since when it flaps and its last change was withheld.
    pub flapping_since: Option<Minute>,
    /// What recipients were last told.
    pub heard: Heard,
    /// The tick at which they were told last.
    #[serde(default)]
    pub told_at: Option<Minute>,
    /// The tick at which they were first told that it stands.
    #[serde(default)]
    pub told_since: Option<Minute>,
    /// The second list was told, since nobody said that they look at it.
    #[serde(default)]
    pub escalated: bool,
    /// The tick at which it last got worse: who looked at it before that did not see this.
    #[serde(default)]
    pub worse_at: Option<Minute>,
    /// The last tick at which a cause explained it.
    #[serde(default)]
    pub explained_at: Option<Minute>,
    /// The worst value up to that tick, in the signal's base unit.
    #[serde(default)]
    pub explained_worst: Option<f64>,
}

/// One incident: opens at firing, ends resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// 32 hex digits, the same for the same rule, labels and opening tick.
    pub id: String,
    /// Four letters and digits that people say: `K7Q2`.
    pub code: String,
    /// The rule's id.
    pub rule: Arc<str>,
    /// Labels of its instance.
    pub labels: BTreeMap<String, String>,
    /// The rule's title with its labels filled in; never a value.
    pub title: String,
    /// How bad it is now: that of the level that stands.
    pub severity: Severity,
    /// Name of the level that stands, empty where the rule has none.
    pub level: String,
    /// Runbook file name (`success-rate-low.md`).
    pub runbook: String,
    /// The signal that breached (`call.success_rate`).
    pub signal: String,
    /// First breaching minute.
    pub since: Nanos,
    /// When it fired.
    pub opened_at: Nanos,
    /// When it resolved; none while open.
    pub resolved_at: Option<Nanos>,
    /// Latest value as a person reads it: `68.9 %`, `18 min`.
    pub value: String,
    /// Worst value so far, likewise.
    pub worst: String,
    /// `worst` in the signal's base unit, to compare.
    pub worst_raw: f64,
    /// When the level that stands breaches, in words: `under 95 %`.
    pub threshold: String,
    /// One sentence: what is wrong, with the counts that show it. Of the latest breach while open, of the worst after.
    /// Instants in it are RFC 3339, for whoever shows it to say in the reader's zone.
    pub sentence: String,
    /// The counts behind it: (what, figure) in order, for the mail and the page.
    pub evidence: Vec<(String, String)>,
    /// The class that most failures have, where the signal counts calls (`auth`, `server`, …).
    pub cause: String,
    /// The same when it opened: what mails are filed under for its whole life.
    #[serde(default)]
    pub first_cause: String,
    /// What last changed about it as a whole, a sentence: another level stands, or it is back. Else empty.
    #[serde(default)]
    pub changed: String,
    /// How it is since it does not breach any more, a sentence; once closed, why it is over. Empty while it breaches.
    #[serde(default)]
    pub ending: String,
    /// Sentence and counts at its worst.
    #[serde(default)]
    pub at_worst: Option<(String, Vec<(String, String)>)>,
    /// Why nobody is told of it; none where they are.
    #[serde(default)]
    pub withheld: Option<Withheld>,
    /// Who is told instead of the owner, by an override.
    #[serde(default)]
    pub to: Vec<String>,
    /// Others that its mails tell of: (place, value).
    #[serde(default)]
    pub also: Vec<(String, String)>,
}

impl Incident {
    /// Whose it is; none where it is of something that several integrations share.
    pub fn integration(&self) -> Option<IntegrationKey> {
        let label = |name: &str| self.labels.get(name).map(|value| Arc::from(value.as_str()));
        Some(IntegrationKey { environment: label("environment")?, name: label("integration")? })
    }
}

/// Why a transition happened; also the kind of the mail it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A new incident opened.
    Fired,
    /// The last incident opened again within `reopen_within`.
    Reopened,
    /// A higher level of the rule stands now.
    Escalated,
    /// A lower level stands now; not mailed.
    Eased,
    /// It ended.
    Resolved,
    /// The rule was removed while it was open.
    RuleRemoved,
    /// It changes too often: one mail, then silence until it holds still.
    Flapping,
    /// It held still again; the incident says in which state.
    Settled,
    /// It still stands, and nobody said that they look at it.
    Reminder,
    /// The same for the second list of recipients, after the time that the rule gives the first.
    Unacknowledged,
    /// Others of its group began.
    Joined,
}

/// A change of an instance at a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The tick.
    pub at: Minute,
    /// Why.
    pub change: Change,
    /// The incident as it stands after it.
    pub incident: Incident,
    /// Whether recipients are told.
    pub notify: bool,
}
