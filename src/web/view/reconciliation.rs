//! Reconciliation runs: the latest of each (name, entity) and the gaps that are still open (semantics section 8).

use std::collections::BTreeMap;

use crate::rollup::gap::{Beside, OpenGap, gap, open_gap};
use crate::rollup::window::Part;
use crate::signals::observation::{IntegrationKey, ReconciliationRun};

/// The runs of one (name, entity).
#[derive(Clone, Debug, PartialEq)]
pub struct Reconciliation {
    /// The latest run.
    pub latest: ReconciliationRun,
    /// Records that do not agree in the latest run.
    pub gap: u64,
    /// What is open over all runs.
    pub open: OpenGap,
    /// All runs that are known.
    pub runs: Vec<ReconciliationRun>,
}

/// The reconciliations of an integration, by name and entity.
pub fn reconciliations(states: &Part, integration: &IntegrationKey) -> Vec<Reconciliation> {
    latest(states, states.reconciliations.values().filter(|run| run.integration == *integration))
}

/// The same of the runs of one integration.
pub fn latest<'p>(states: &Part, runs: impl Iterator<Item = &'p ReconciliationRun>) -> Vec<Reconciliation> {
    let mut groups: BTreeMap<(&str, &str), Vec<ReconciliationRun>> = BTreeMap::new();
    for run in runs {
        groups.entry((&run.name, &run.entity)).or_default().push(run.clone());
    }
    let read = |runs: Vec<ReconciliationRun>| {
        let latest = runs.iter().max_by_key(|run| (run.time, run.run_id.clone()))?.clone();
        Some(Reconciliation {
            gap: gap(&latest),
            open: open_gap(&runs, &Beside::of(&states.states, &runs)),
            runs,
            latest,
        })
    };
    groups.into_values().filter_map(read).collect()
}

/// (expected, matched, records still open) summed over the latest runs; none where there is no run.
pub fn sums(all: &[Reconciliation]) -> Option<(u64, u64, u64)> {
    (!all.is_empty()).then(|| {
        all.iter().fold((0u64, 0u64, 0u64), |(expected, matched, open), one| {
            (
                expected.saturating_add(one.latest.expected),
                matched.saturating_add(one.latest.matched),
                open.saturating_add(one.open.records),
            )
        })
    })
}
