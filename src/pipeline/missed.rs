//! Minutes that were judged late, several at once: what of their transitions is still worth a mail.

use std::collections::BTreeMap;

use crate::alert::incident::{Change, Transition};

/// What is left to tell after several missed ticks: what fired and resolved meanwhile is on the page, not in a mail.
pub fn net(transitions: Vec<Transition>) -> Vec<Transition> {
    let mut by_incident: BTreeMap<String, Vec<Transition>> = BTreeMap::new();
    for transition in transitions {
        by_incident.entry(transition.incident.id.clone()).or_default().push(transition);
    }
    let mut kept = Vec::new();
    for mut of_one in by_incident.into_values() {
        let first = of_one.first().map(|transition| transition.change);
        let was_closed = matches!(first, Some(Change::Fired | Change::Reopened));
        let told = of_one.iter().any(|transition| transition.notify);
        let Some(mut last) = of_one.pop() else { continue };
        let closed = last.incident.resolved_at.is_some();
        if was_closed && !closed {
            last.change = Change::Fired;
        }
        last.notify = match (was_closed, closed) {
            (true, true) => false,
            (false, false) => told && !matches!(last.change, Change::Eased | Change::Reopened),
            _ => told,
        };
        kept.push(last);
    }
    kept
}
