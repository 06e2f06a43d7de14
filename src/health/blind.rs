//! What nobody would see of an integration: which of the signals that a person needs arrive, and which rules judge them.

use super::day::Day;
use super::readiness::{Evidence, says};
use crate::signals::signal::{Family, Signal};
use crate::signals::vocabulary::Metric;

/// One of the six signals that a person must be able to see.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// Which.
    pub title: &'static str,
    /// Whether telemetry of it arrives.
    pub arrives: bool,
    /// Rules that judge it.
    pub rules: Vec<String>,
    /// What makes it arrive; empty where it does.
    pub fix: &'static str,
}

/// The six signals: which arrive, and which rules judge them.
pub fn blind_spots(evidence: &Evidence<'_>) -> Vec<Sight> {
    let day = Day::of(evidence);
    let judged_by = |judges: &dyn Fn(Signal) -> bool| -> Vec<String> {
        let named = evidence.rules.iter().filter(|(_, signals)| signals.iter().any(|signal| judges(*signal)));
        named.map(|(id, _)| id.clone()).collect()
    };
    let slots = evidence.states.slots.keys().any(|key| key.integration == *evidence.key);
    let reconciled = evidence.states.reconciliations.keys().any(|key| key.integration == *evidence.key);
    let calls = day.calls.0 > 0.0;
    let sight = |title, arrives: bool, rules: Vec<String>, fix| Sight {
        title,
        arrives,
        rules,
        fix: if arrives { "" } else { fix },
    };
    vec![
        sight(
            "Success rate by endpoint",
            calls,
            judged_by(&|signal| signal == Signal::CallSuccessRate),
            "Any OpenTelemetry HTTP client instrumentation sends it.",
        ),
        sight(
            "Latency percentiles",
            calls,
            judged_by(&|signal| signal.quantile().is_some() || signal == Signal::LatencyShift),
            "The same spans carry it.",
        ),
        sight(
            "Token health",
            slots,
            judged_by(&|signal| signal.family() == Family::Credential),
            "integration.credential.expires_at, a gauge in unix seconds by integration.credential.id.",
        ),
        sight(
            "Queue depth",
            day.has(Metric::QueueDepth),
            judged_by(&|signal| signal.family() == Family::Queue),
            "integration.queue.depth, a gauge by integration.queue.name.",
        ),
        sight(
            "Records reconciled against expected",
            reconciled,
            judged_by(&|signal| signal.family() == Family::Reconciliation),
            "curl -d expected=120 -d reconciled=118 http://HOST:4318/report/NAME",
        ),
        sight(
            "Telemetry itself",
            says(evidence, Family::Work),
            judged_by(&|signal| signal.family() == Family::Work),
            "It is known once telemetry has come for a while.",
        ),
    ]
}
