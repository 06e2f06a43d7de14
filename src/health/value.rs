//! One signal's value for one thing.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::signals::observation::IntegrationKey;
use crate::signals::signal::{Label, Signal};
use crate::signals::telemetry::Nanos;

/// One signal's value for one thing at a tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// Which signal, by its name.
    #[serde(serialize_with = "signal_name", deserialize_with = "signal_of_name")]
    pub signal: Signal,
    /// Of what: labels that the signal offers, ascending, none empty.
    #[serde(serialize_with = "label_names", deserialize_with = "labels_of_names")]
    pub labels: Vec<(Label, Arc<str>)>,
    /// In the signal's base unit.
    pub value: f64,
    /// When it was true: the latest of what it rests on.
    pub at: Nanos,
    /// What it rests on, as a sentence: `invalid_grant since 02:04, 31 calls`.
    pub why: String,
    /// Up to here it is within what is usual, where that counts: then no threshold is breached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<f64>,
}

impl Value {
    /// Of an integration's thing.
    pub fn of(signal: Signal, integration: &IntegrationKey, value: f64, at: Nanos) -> Value {
        let labels = vec![
            (Label::Integration, integration.name.clone()),
            (Label::Environment, integration.environment.clone()),
        ];
        // A negative zero reads as if something were less than none.
        Value { signal, labels, value: value + 0.0, at, why: String::new(), usual: None }
    }

    /// Of something that several integrations share.
    pub fn shared(signal: Signal, value: f64, at: Nanos) -> Value {
        Value { signal, labels: Vec::new(), value: value + 0.0, at, why: String::new(), usual: None }
    }

    /// With a label; an empty one is left out.
    #[must_use]
    pub fn with(mut self, label: Label, value: &str) -> Value {
        if !value.is_empty() {
            self.labels.push((label, Arc::from(value)));
            self.labels.sort();
        }
        self
    }

    /// With what it rests on.
    #[must_use]
    pub fn because(mut self, why: String) -> Value {
        self.why = why;
        self
    }

    /// With the value up to which it is within what is usual; none where that is not known.
    #[must_use]
    pub fn usually(mut self, usual: Option<f64>) -> Value {
        self.usual = usual;
        self
    }

    /// Whether it is within what is usual, so that no rule of fixed figures applies.
    pub fn is_usual(&self) -> bool {
        self.usual.is_some_and(|usual| self.value <= usual)
    }

    /// The value of a label, empty where it has none.
    pub fn label(&self, label: Label) -> &str {
        self.labels.iter().find(|(one, _)| *one == label).map_or("", |(_, value)| value)
    }
}

fn signal_name<S: Serializer>(signal: &Signal, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(signal.name())
}

fn signal_of_name<'d, D: Deserializer<'d>>(from: D) -> Result<Signal, D::Error> {
    let name = String::deserialize(from)?;
    Signal::from_name(&name).ok_or_else(|| serde::de::Error::custom(format!("there is no signal {name}")))
}

fn label_names<S: Serializer>(labels: &[(Label, Arc<str>)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(labels.iter().map(|(label, value)| (label.name(), value)))
}

fn labels_of_names<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<(Label, Arc<str>)>, D::Error> {
    let named = std::collections::BTreeMap::<String, Arc<str>>::deserialize(from)?;
    let mut labels = Vec::with_capacity(named.len());
    for (name, value) in named {
        let label = Label::from_name(&name);
        labels.push((
            label.ok_or_else(|| serde::de::Error::custom(format!("there is no label {name}")))?,
            value,
        ));
    }
    labels.sort();
    Ok(labels)
}
