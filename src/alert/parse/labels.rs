//! What a rule file says of labels: by, where, group_by.

use super::super::check;
use super::super::document::{Document, Section};
use super::super::rule::{Clause, Filter};
use crate::signals::signal::{Label, Signal};

/// The labels that tell instances apart.
pub fn by(document: &mut Document<'_>, root: &Section<'_>) -> Vec<Label> {
    if !root.has("by") {
        document.problem(&(0..0), "by is missing: the labels that tell instances apart");
    }
    let mut out = Vec::new();
    for (name, place) in document.strings(root, "by").unwrap_or_default() {
        match Label::from_name(name) {
            Some(label) if out.contains(&label) => {
                document.problem(&place, format!("by: {name} stands there twice"));
            }
            Some(label) => out.push(label),
            None => document.problem(&place, format!("by: there is no label {name}")),
        }
    }
    out
}

/// The labels by which alerts are told together.
pub fn group_by(document: &mut Document<'_>, root: &Section<'_>, by: &[Label]) -> Vec<Label> {
    let mut out = Vec::new();
    for (name, place) in document.strings(root, "group_by").unwrap_or_default() {
        match Label::from_name(name).filter(|label| by.contains(label)) {
            Some(label) => out.push(label),
            None => document.problem(&place, format!("group_by: {name} is no label of this rule's by")),
        }
    }
    out
}

/// Which instances are judged.
pub fn filter(document: &mut Document<'_>, section: &Section<'_>, signals: &[Signal]) -> Filter {
    let Some(table) = document.section(section, "where") else { return Filter::default() };
    let mut filter = Filter::default();
    for (key, place) in table.names() {
        let (name, not) = key.strip_suffix("_not").map_or((key, false), |name| (name, true));
        let offered = |label: Label| {
            label == Label::Tier || signals.iter().all(|signal| signal.labels().contains(&label))
        };
        let Some(label) = Label::from_name(name).filter(|label| offered(*label)) else {
            document.problem(&place, check::not_offered("where", name, signals));
            continue;
        };
        let values = document.strings(&table, key).unwrap_or_default();
        for (value, place) in &values {
            check::label_value(document, place, label, value);
        }
        let values = values.into_iter().map(|(value, _)| value.to_owned()).collect();
        filter.clauses.push(Clause { label, values, not });
    }
    filter
}
