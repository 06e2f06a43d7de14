//! Reconciliation runs, from the event (one atomic record a run) or from gauges gathered by run.

use std::collections::HashMap;

use super::endpoint;
use super::instant;
use super::observation::{IntegrationKey, ReconciliationRun};
use super::queue;
use super::required;
use super::telemetry::{Log, Nanos, Origin, Point, Refusal};
use super::vocabulary::{Attr, Metric};

/// A run without figures, for its fields to be set.
pub fn empty(integration: &IntegrationKey, name: &str, entity: &str, run_id: &str) -> ReconciliationRun {
    ReconciliationRun {
        integration: integration.clone(),
        name: endpoint::cap(name).into(),
        entity: endpoint::cap(entity).into(),
        run_id: endpoint::cap(run_id).into(),
        time: 0,
        window: None,
        expected: 0,
        matched: 0,
        missing: None,
        unexpected: 0,
        mismatched: 0,
        pending: 0,
        amount_expected: None,
        amount_matched: None,
        currency: String::new(),
        net_only: false,
    }
}

/// Reads `integration.reconciliation.completed`; its required attributes have been checked.
pub fn completed(
    origin: &Origin<'_, '_>,
    log: &Log<'_>,
    integration: &IntegrationKey,
    time: Nanos,
) -> Result<ReconciliationRun, Refusal> {
    let attributes = &log.attributes;
    let text =
        |attr| required::lookup(origin, attributes, attr).map(|value| value.text()).unwrap_or_default();
    let count = |attr: Attr| match attributes.get(attr) {
        None => Ok(None),
        Some(value) => {
            let count = value.as_i64().and_then(|n| u64::try_from(n).ok());
            count.map(Some).ok_or_else(|| Refusal::Owned(format!("{} is no count of records", attr.name())))
        }
    };
    let amount = |attr: Attr| match attributes.get(attr) {
        None => Ok(None),
        Some(value) => match value.as_f64().filter(|amount| amount.is_finite()) {
            Some(amount) => Ok(Some(amount)),
            None => Err(Refusal::Owned(format!("{} is not a number", attr.name()))),
        },
    };
    let edge = |attr: Attr| {
        let seconds = instant::optional_seconds(attr.name(), required::lookup(origin, attributes, attr))?;
        seconds.ok_or_else(|| Refusal::Owned(format!("no {}", attr.name())))
    };
    let (start, end) = (edge(Attr::ReconciliationWindowStart)?, edge(Attr::ReconciliationWindowEnd)?);
    if end <= start {
        return Err(Refusal::Borrowed("its window ends before it starts"));
    }
    let (name, entity, run_id) =
        (text(Attr::ReconciliationName), text(Attr::Entity), text(Attr::ReconciliationRunId));
    Ok(ReconciliationRun {
        time,
        window: Some((start, end)),
        expected: count(Attr::ReconciliationExpected)?.unwrap_or(0),
        matched: count(Attr::ReconciliationMatched)?.unwrap_or(0),
        missing: count(Attr::ReconciliationMissing)?,
        unexpected: count(Attr::ReconciliationUnexpected)?.unwrap_or(0),
        mismatched: count(Attr::ReconciliationMismatched)?.unwrap_or(0),
        pending: count(Attr::ReconciliationPending)?.unwrap_or(0),
        amount_expected: amount(Attr::ReconciliationAmountExpected)?,
        amount_matched: amount(Attr::ReconciliationAmountMatched)?,
        currency: endpoint::cap(&text(Attr::ReconciliationCurrency)).to_owned(),
        ..empty(integration, &name, &entity, &run_id)
    })
}

/// The runs that one request's gauges speak of.
#[derive(Debug, Default)]
pub struct Gauges {
    runs: Vec<Gathered>,
    index: HashMap<(u32, String, String, String), usize>,
}

#[derive(Debug)]
struct Gathered {
    run: ReconciliationRun,
    expected: bool,
    /// Matched or missing: either says what became of the expected.
    settled: bool,
}

/// Whether a metric's points make up a run.
pub fn is_run_metric(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::ReconciliationExpected
            | Metric::ReconciliationMatched
            | Metric::ReconciliationMissing
            | Metric::ReconciliationUnexpected
            | Metric::ReconciliationMismatched
            | Metric::ReconciliationPending
    )
}

impl Gauges {
    /// Takes a point in; its required attributes have been checked.
    pub fn point(
        &mut self,
        origin: &Origin<'_, '_>,
        point: &Point<'_, '_>,
        metric: Metric,
        (index, integration): (u32, &IntegrationKey),
        time: Nanos,
    ) -> Result<(), Refusal> {
        let Some((value, _)) = queue::level(point)? else { return Ok(()) };
        if value < 0.0 || value >= u64::MAX as f64 {
            return Err(Refusal::Borrowed("its value is no count of records"));
        }
        let text = |attr| {
            let value = required::lookup(origin, point.attributes, attr);
            value.map(|value| endpoint::cap(&value.text()).to_owned()).unwrap_or_default()
        };
        let key =
            (index, text(Attr::ReconciliationName), text(Attr::Entity), text(Attr::ReconciliationRunId));
        let at = match self.index.get(&key) {
            Some(at) => *at,
            None => {
                let run = empty(integration, &key.1, &key.2, &key.3);
                self.runs.push(Gathered { run, expected: false, settled: false });
                self.index.insert(key, self.runs.len() - 1);
                self.runs.len() - 1
            }
        };
        let Gathered { run, expected, settled } = &mut self.runs[at];
        if time < run.time {
            return Ok(());
        }
        run.time = time;
        let records = value.round() as u64;
        match metric {
            Metric::ReconciliationExpected => (run.expected, *expected) = (records, true),
            Metric::ReconciliationMatched => (run.matched, *settled) = (records, true),
            Metric::ReconciliationMissing => (run.missing, *settled) = (Some(records), true),
            Metric::ReconciliationUnexpected => run.unexpected = records,
            Metric::ReconciliationMismatched => run.mismatched = records,
            _ => run.pending = records,
        }
        Ok(())
    }

    /// The runs that say both what was expected and what became of it, and how many do not.
    ///
    /// An expected count alone would read as a gap of all of it.
    pub fn finish(self) -> (Vec<ReconciliationRun>, u64) {
        let (whole, torn): (Vec<_>, Vec<_>) =
            self.runs.into_iter().partition(|gathered| gathered.expected && gathered.settled);
        (whole.into_iter().map(|gathered| gathered.run).collect(), torn.len() as u64)
    }
}
