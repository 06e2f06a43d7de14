//! Reconciliation runs from the event, or from gauges of the same run (vocabulary sections 4 and 5).

use std::collections::HashMap;
use std::sync::Arc;

use super::fact::Missing;
use super::lookup::Lookup;
use super::observation::{IntegrationKey, ReconciliationRun};
use super::observe::hash;
use super::telemetry::{Log, Nanos, Point, PointValue, Refusal, Value};
use super::vocabulary::{Attr, Metric};

/// Reads `integration.reconciliation.completed`.
pub fn event(
    integration: IntegrationKey,
    look: &Lookup<'_, '_>,
    time: Nanos,
) -> Result<ReconciliationRun, Refusal> {
    let start = look
        .i64(Attr::ReconciliationWindowStart)
        .ok_or(Refusal::Borrowed("no integration.reconciliation.window.start"))?;
    let end = look
        .i64(Attr::ReconciliationWindowEnd)
        .ok_or(Refusal::Borrowed("no integration.reconciliation.window.end"))?;
    if start >= end {
        return Err(format!("integration.reconciliation.window is empty: {start} to {end}").into());
    }
    let count = |attr: Attr| match look.get(attr) {
        None => Ok(None),
        Some(value) => match value.as_i64().and_then(|n| u64::try_from(n).ok()) {
            Some(n) => Ok(Some(n)),
            None => Err(Refusal::Owned(format!("{} is \"{}\", not a count", attr.name(), value.text()))),
        },
    };
    let needed = |attr: Attr| count(attr)?.ok_or_else(|| Refusal::Owned(format!("no {}", attr.name())));
    let mut run = empty(integration, look, time)?;
    run.window = Some((start, end));
    run.expected = needed(Attr::ReconciliationExpected)?;
    run.matched = needed(Attr::ReconciliationMatched)?;
    run.missing = count(Attr::ReconciliationMissing)?;
    run.unexpected = count(Attr::ReconciliationUnexpected)?.unwrap_or(0);
    run.mismatched = count(Attr::ReconciliationMismatched)?.unwrap_or(0);
    run.pending = count(Attr::ReconciliationPending)?.unwrap_or(0);
    run.amount_expected = look.get(Attr::ReconciliationAmountExpected).and_then(|value| value.as_f64());
    run.amount_matched = look.get(Attr::ReconciliationAmountMatched).and_then(|value| value.as_f64());
    run.currency = look.str(Attr::ReconciliationCurrency).unwrap_or("").chars().take(8).collect();
    Ok(run)
}

/// Keys that a list of missing records keeps.
const KEYS: usize = 100;

/// Reads `integration.reconciliation.missing`; true where its list was longer than is kept.
pub fn missing(look: &Lookup<'_, '_>, log: &Log<'_>) -> Result<(Missing, bool), Refusal> {
    let text = |attr: Attr| look.get(attr).map(|value| Arc::from(super::endpoint::cut(&value.text())));
    let name =
        text(Attr::ReconciliationName).ok_or(Refusal::Borrowed("no integration.reconciliation.name"))?;
    let run_id =
        text(Attr::ReconciliationRunId).ok_or(Refusal::Borrowed("no integration.reconciliation.run_id"))?;
    let keys: Vec<String> = match &log.body {
        Value::Json(list) => {
            let items: Vec<serde_json::Value> = serde_json::from_str(list)
                .map_err(|_| Refusal::Borrowed("its body is not a list of record keys"))?;
            let key = |item: serde_json::Value| match item {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            items.into_iter().map(key).collect()
        }
        // A line for each, from those whose SDK has no lists in bodies.
        other => other.text().lines().map(|line| line.trim().to_owned()).collect(),
    };
    let mut keys: Vec<String> = keys.into_iter().filter(|key| !key.is_empty()).collect();
    if keys.is_empty() {
        return Err(Refusal::Borrowed("its body names no record"));
    }
    let cut = keys.len() > KEYS;
    keys.truncate(KEYS);
    keys.iter_mut().for_each(|key| key.truncate(super::endpoint::cut(key).len()));
    let entity = text(Attr::Entity).unwrap_or_else(|| Arc::from(""));
    Ok((Missing { name, entity, run_id, keys }, cut))
}

/// Takes one gauge point into the run of the same id; `places` knows where each run stands.
pub fn gauge(
    metric: Metric,
    runs: &mut Vec<ReconciliationRun>,
    places: &mut HashMap<u64, usize>,
    integration: IntegrationKey,
    look: &Lookup<'_, '_>,
    point: &Point<'_, '_>,
    time: Nanos,
) -> Result<(), Refusal> {
    let value = match point.value {
        PointValue::Gauge(value) | PointValue::Sum { value, .. } => value,
        PointValue::NoValue(_) => return Ok(()),
        _ => return Err(format!("{} is not a gauge", metric.name()).into()),
    };
    if !(0.0..9.0e15).contains(&value) {
        return Err(format!("{} is {value}, not a count", metric.name()).into());
    }
    let fresh = empty(integration, look, time)?;
    let place = hash(&(&fresh.integration, &fresh.name, &fresh.entity, &fresh.run_id));
    let at = *places.entry(place).or_insert_with(|| {
        runs.push(fresh);
        runs.len() - 1
    });
    let Some(run) = runs.get_mut(at) else { return Ok(()) };
    let count = value as u64;
    match metric {
        Metric::ReconciliationExpected => run.expected = count,
        Metric::ReconciliationMatched => run.matched = count,
        Metric::ReconciliationMissing => run.missing = Some(count),
        Metric::ReconciliationUnexpected => run.unexpected = count,
        Metric::ReconciliationMismatched => run.mismatched = count,
        Metric::ReconciliationPending => run.pending = count,
        _ => {}
    }
    run.time = run.time.max(time);
    Ok(())
}

/// A run that says nothing yet.
pub fn empty(
    integration: IntegrationKey,
    look: &Lookup<'_, '_>,
    time: Nanos,
) -> Result<ReconciliationRun, Refusal> {
    let text = |attr: Attr| look.get(attr).map(|value| super::endpoint::cut(&value.text()).to_owned());
    let name =
        text(Attr::ReconciliationName).ok_or(Refusal::Borrowed("no integration.reconciliation.name"))?;
    let run_id =
        text(Attr::ReconciliationRunId).ok_or(Refusal::Borrowed("no integration.reconciliation.run_id"))?;
    Ok(of(integration, &name, &text(Attr::Entity).unwrap_or_default(), &run_id, time))
}

/// A run of these names that says nothing yet.
pub fn of(
    integration: IntegrationKey,
    name: &str,
    entity: &str,
    run_id: &str,
    time: Nanos,
) -> ReconciliationRun {
    ReconciliationRun {
        integration,
        name: Arc::from(name),
        entity: Arc::from(entity),
        run_id: Arc::from(run_id),
        time,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::telemetry::Attributes;

    fn read(body: Value<'static>, with_run: bool) -> Result<(Missing, bool), Refusal> {
        let mut log = Log { body, ..Log::default() };
        log.attributes.push("integration.reconciliation.name".into(), Value::Str("orders".into()));
        if with_run {
            log.attributes.push("integration.reconciliation.run_id".into(), Value::Str("r1".into()));
        }
        let none = Attributes::default();
        missing(&Lookup { own: &log.attributes, scope: &none, resource: &none }, &log)
    }

    #[test]
    fn the_keys_of_missing_records_are_a_list_or_lines_and_a_hundred_at_most() {
        let of = |body| read(body, true);
        let (said, cut) = of(Value::Json(r#"["a", 7, "", "b"]"#.into())).unwrap();
        assert_eq!((said.keys, cut), (vec!["a".to_owned(), "7".into(), "b".into()], false));
        assert_eq!(of(Value::Str("a\n b \n".into())).unwrap().0.keys, ["a", "b"]);
        let many: Vec<usize> = (0..300).collect();
        let (said, cut) = of(Value::Json(serde_json::to_string(&many).unwrap().into())).unwrap();
        assert_eq!((said.keys.len(), cut), (100, true));
        let (said, _) = of(Value::Str("é".repeat(500).into())).unwrap();
        assert!(said.keys[0].len() <= 200);
        assert_eq!(of(Value::Json("{}".into())).unwrap_err(), "its body is not a list of record keys");
        assert_eq!(of(Value::Empty).unwrap_err(), "its body names no record");
        let why = read(Value::Str("a".into()), false).unwrap_err();
        assert_eq!(why, "no integration.reconciliation.run_id");
    }
}
