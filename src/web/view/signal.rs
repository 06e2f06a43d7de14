//! What the signals of an integration said at the last tick, as rows: those that say something is wrong first.

use super::super::format::{Prose, When};
use crate::alert::figure;
use crate::health::value::Value;
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::{Label, Unit};
use crate::signals::telemetry::Nanos;

/// One signal of one thing.
#[derive(Clone, Debug)]
pub struct Row {
    /// `Work missed`.
    pub title: String,
    /// Its name in rules.
    pub name: &'static str,
    /// Of what, where it is not the integration as a whole.
    pub of: String,
    /// The value with its unit.
    pub value: String,
    /// What it rests on.
    pub why: Option<Prose>,
    /// When it was true.
    pub at: When,
}

/// Rows of an integration; a count or a share of what goes wrong that is 0 says only that it is looked at, and is told in
/// one line for all.
pub fn rows(values: &[Value], key: &IntegrationKey, now: Nanos) -> (Vec<Row>, Vec<String>) {
    let own = values.iter().filter(|value| {
        value.label(Label::Integration) == &*key.name && value.label(Label::Environment) == &*key.environment
    });
    let (mut rows, mut quiet): (Vec<Row>, Vec<String>) = (Vec::new(), Vec::new());
    for value in own {
        if is_quiet(value) {
            let title = value.signal.title();
            if !quiet.contains(&title) {
                quiet.push(title);
            }
            continue;
        }
        rows.push(row(value, now));
    }
    quiet.retain(|title| rows.iter().all(|row| row.title != *title));
    (rows, quiet)
}

/// Whether a value says only that nothing is wrong: none of what is bad, or all of what is good.
fn is_quiet(value: &Value) -> bool {
    match (value.signal.low_is_bad(), value.signal.unit()) {
        (_, Unit::PerMinute) => false,
        (true, unit) => unit == Unit::Share && value.value >= 1.0,
        (false, _) => value.value == 0.0,
    }
}

fn row(value: &Value, now: Nanos) -> Row {
    let of =
        value.labels.iter().filter(|(label, _)| !matches!(label, Label::Integration | Label::Environment));
    Row {
        title: value.signal.title(),
        name: value.signal.name(),
        of: of.map(|(_, text)| &**text).collect::<Vec<_>>().join(" · "),
        value: figure::typeset(&figure::value(value.signal.unit(), value.value)),
        why: (!value.why.is_empty()).then(|| Prose::new(&value.why, now)),
        at: When::new(value.at, now),
    }
}
