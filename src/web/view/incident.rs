//! Incidents as lists and pages show them.

use std::collections::BTreeMap;

use crate::alert::figure::typeset;
use crate::alert::incident::{Incident, Severity};
use crate::alert::sentence;
use crate::signals::telemetry::Nanos;
use crate::web::format::{self, Prose, When};
use crate::web::view::badge::Badge;

/// One incident, worded.
#[derive(Clone, Debug)]
pub struct IncidentRow {
    /// `K7Q2`.
    pub code: String,
    /// Its rule's title.
    pub title: String,
    /// `critical`, `warning` or `info` while open, `resolved` after: names shape and colour.
    pub state: &'static str,
    /// `critical`, `warning` or `info`.
    pub severity: &'static str,
    /// Whose; empty where it is of no integration.
    pub integration: String,
    /// Its environment, empty where the rule does not tell them apart.
    pub environment: String,
    /// `Server errors (5xx)`, empty where unknown.
    pub cause: String,
    /// What is wrong, or was at its worst.
    pub sentence: Prose,
    /// How it is since it does not breach any more, or why it is over; empty while it breaches.
    pub ending: Prose,
    /// What last changed about it as a whole.
    pub changed: Prose,
    /// First breaching minute.
    pub since: When,
    /// How long it lasted, or has lasted.
    pub lasted: String,
    /// When it resolved.
    pub resolved: Option<When>,
    /// Latest value.
    pub value: String,
    /// Worst value.
    pub worst: String,
    /// `under 95 %`.
    pub threshold: String,
    /// Key of its runbook.
    pub runbook: String,
}

impl IncidentRow {
    /// Its state as shape, word and colour.
    pub fn state_badge(&self) -> Badge {
        Badge(self.state)
    }
}

/// The words for an incident as of `now`.
pub fn row(incident: &Incident, now: Nanos) -> IncidentRow {
    let label = |name: &str| incident.labels.get(name).cloned().unwrap_or_default();
    IncidentRow {
        code: incident.code.clone(),
        title: incident.title.clone(),
        state: if incident.resolved_at.is_some() { "resolved" } else { incident.severity.name() },
        severity: incident.severity.name(),
        integration: label("integration"),
        environment: label("environment"),
        cause: format::capital(&sentence::cause(&incident.cause)),
        sentence: Prose::new(&incident.sentence, now),
        ending: Prose::new(&incident.ending, now),
        changed: Prose::new(&incident.changed, now),
        since: When::new(incident.since, now),
        lasted: format::between(incident.since, incident.resolved_at.unwrap_or(now)),
        resolved: incident.resolved_at.map(|at| When::new(at, now)),
        value: typeset(&incident.value),
        worst: typeset(&incident.worst),
        threshold: typeset(&incident.threshold),
        runbook: runbook_key(&incident.runbook).to_owned(),
    }
}

/// `success-rate-low.md` → `success-rate-low`.
pub fn runbook_key(file: &str) -> &str {
    file.strip_suffix(".md").unwrap_or(file)
}

/// Open before resolved, then worst, then latest.
pub fn sort(incidents: &mut [Incident]) {
    incidents.sort_by(|a, b| {
        let key = |one: &Incident| (one.resolved_at.is_some(), std::cmp::Reverse(one.severity));
        match (a.resolved_at, b.resolved_at) {
            (Some(ended_a), Some(ended_b)) => ended_b.cmp(&ended_a),
            _ => key(a).cmp(&key(b)).then(b.opened_at.cmp(&a.opened_at)),
        }
    });
}

/// The worst severity of incidents that stood at some time of [from, to).
pub fn worst_in<'i>(
    incidents: impl Iterator<Item = &'i Incident>,
    from: Nanos,
    to: Nanos,
) -> Option<Severity> {
    incidents
        .filter(|one| one.since < to && one.resolved_at.is_none_or(|resolved| resolved > from))
        .map(|one| one.severity)
        .max()
}

/// The labels that say what of the integration it is about, in words.
pub fn subject(labels: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let told = |name: &str| matches!(name, "integration" | "environment");
    let pairs = labels.iter().filter(|(name, value)| !told(name) && !value.is_empty());
    pairs.map(|(name, value)| (format::capital(&format::words(name)), value.clone())).collect()
}
