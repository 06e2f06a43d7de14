//! `[[metric]]`: a metric of others that means the same as one of ours.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::values::Problem;
use crate::signals::mapping::{Mapping, State};
use crate::signals::metric::is_duration;
use crate::signals::vocabulary::{Attr, Metric as Ours};

/// The states that a queue's items may have.
const STATES: [&str; 4] = ["ready", "delayed", "in_flight", "dead_letter"];

/// One entry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metric {
    /// The metric's name as it is sent.
    pub from: String,
    /// Attributes that must have these values.
    #[serde(rename = "where")]
    pub matching: BTreeMap<String, String>,
    /// The metric of the vocabulary that it is here.
    pub to: String,
    /// Attributes that name the queue, joined with a slash.
    pub queue: Names,
    /// The queue's name where no attribute says it.
    pub queue_name: String,
    /// The state of what is counted.
    pub state: Said,
    /// Attributes of the vocabulary from those that are sent.
    pub attributes: BTreeMap<String, String>,
    /// Makes our unit of theirs.
    pub scale: Option<f64>,
    /// Attributes whose values are added up.
    pub sum_over: Names,
    /// Where the metric is documented.
    pub source: String,
}

/// One name, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Names {
    One(String),
    Many(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Names::Many(Vec::new())
    }
}

impl Names {
    fn list(&self) -> Vec<String> {
        match self {
            Names::One(name) => vec![name.clone()],
            Names::Many(names) => names.clone(),
        }
    }
}

/// A state, or the attribute that says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Said {
    Fixed(String),
    By { attribute: String, values: BTreeMap<String, String> },
}

impl Default for Said {
    fn default() -> Self {
        Said::Fixed(String::new())
    }
}

impl Metric {
    /// What the entry says, or (text to look for in the file, what is wrong and what to do).
    pub fn mapping(&self) -> Result<Mapping, Problem> {
        let wrong = |needle: &str, problem: String| {
            Err((format!("\"{needle}\""), format!("metric \"{}\": {problem}", self.from)))
        };
        if self.from.is_empty() {
            let problem = "a [[metric]] has no from; name the metric as it is sent.";
            return Err(("[[metric]]".into(), problem.into()));
        }
        if Ours::from_wire(&self.from).is_some() {
            return wrong(&self.from, "it is one of ours already and needs no mapping.".into());
        }
        let named = Ours::from_wire(&self.to).filter(|to| to.name().starts_with("integration."));
        let Some(to) = named.filter(|to| !is_duration(*to)) else {
            let needle = if self.to.is_empty() { &self.from } else { &self.to };
            let problem = format!(
                "to = \"{}\" is no level or count of ours; those of queues are integration.queue.depth, .oldest_age, \
                 .enqueued, .dequeued and .dead_lettered.",
                self.to
            );
            return wrong(needle, problem);
        };
        let is_queue = to.name().starts_with("integration.queue.");
        let queue = self.queue.list();
        let names_queue = !queue.is_empty() || !self.queue_name.is_empty();
        if is_queue != names_queue {
            let problem = match is_queue {
                true => {
                    "name the queue: queue = \"ATTRIBUTE\", or queue_name where there is only one.".into()
                }
                false => format!("{} is no queue's; leave queue and queue_name out.", to.name()),
            };
            return wrong(&self.from, problem);
        }
        let (state, states) = self.state();
        if !states.is_empty() && to != Ours::QueueDepth {
            return wrong(&self.from, "only integration.queue.depth has states; leave state out.".into());
        }
        if let Some(other) = states.iter().find(|state| !STATES.contains(&state.as_str())) {
            return wrong(other, format!("state \"{other}\" is not one of {}.", STATES.join(", ")));
        }
        let attributes = self.attributes()?;
        if to.name().starts_with("integration.credential.")
            && !attributes.iter().any(|(attr, _)| *attr == Attr::CredentialId)
        {
            let problem =
                "name the credential: attributes = { \"integration.credential.id\" = \"ATTRIBUTE\" }.";
            return wrong(&self.from, problem.into());
        }
        let scale = self.scale.unwrap_or(1.0);
        if !scale.is_finite() || scale <= 0.0 {
            return wrong(&self.from, format!("scale = {scale} must be a number above 0."));
        }
        let sum_over = self.sum_over.list();
        if !sum_over.is_empty()
            && !matches!(to, Ours::QueueDepth | Ours::RateLimitLimit | Ours::RateLimitRemaining)
        {
            return wrong(&self.from, format!("{} cannot be added up; leave sum_over out.", to.name()));
        }
        let matching = self.matching.clone().into_iter().collect();
        let (from, queue_name) = (self.from.clone(), self.queue_name.clone());
        Ok(Mapping { from, matching, to, queue, queue_name, state, attributes, scale, sum_over })
    }

    /// The state, and all that are named in it.
    fn state(&self) -> (State, Vec<String>) {
        match &self.state {
            Said::Fixed(state) if state.is_empty() => (State::Unsaid, Vec::new()),
            Said::Fixed(state) => (State::Fixed(state.clone()), vec![state.clone()]),
            Said::By { attribute, values } => {
                let pairs: Vec<(String, String)> = values.clone().into_iter().collect();
                let states = pairs.iter().map(|(_, state)| state.clone()).collect();
                (State::Of { attribute: attribute.clone(), values: pairs }, states)
            }
        }
    }

    fn attributes(&self) -> Result<Vec<(Attr, String)>, Problem> {
        let one = |(ours, theirs): (&String, &String)| match Attr::from_wire(ours) {
            Some((attr, true)) => Ok((attr, theirs.clone())),
            _ => {
                let problem = format!(
                    "metric \"{}\": attributes: \"{ours}\" is no attribute of ours; write \"OURS\" = \"THEIRS\".",
                    self.from
                );
                Err((format!("\"{ours}\""), problem))
            }
        };
        self.attributes.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    #[track_caller]
    fn refused(entry: &str, wanted: &str) {
        let text = format!("[server]\n\n[[metric]]\nfrom = \"jobs\"\n{entry}");
        match Config::parse("c.toml", &text) {
            Err(problem) => assert!(problem.starts_with("c.toml:") && problem.contains(wanted), "{problem}"),
            Ok(_) => panic!("taken: {text}"),
        }
    }

    const DEPTH: &str = "to = \"integration.queue.depth\"\n";

    #[test]
    fn an_entry_is_read_whole() {
        let text = "[[metric]]\nfrom = \"jobs\"\nto = \"integration.queue.depth\"\nqueue = [\"vhost\", \"queue\"]\n\
                    where = { kind = \"live\" }\nstate = { attribute = \"s\", values = { wait = \"ready\" } }\n\
                    scale = 0.5\nsum_over = \"partition\"\nsource = \"https://x.example\"\n";
        let config = Config::parse("c.toml", text).expect("it is right");
        let mapping = config.metric[0].mapping().expect("it was checked");
        assert_eq!((mapping.queue.len(), mapping.sum_over.len(), mapping.scale), (2, 1, 0.5));
        assert_eq!(mapping.matching, [("kind".to_owned(), "live".to_owned())]);
    }

    #[test]
    fn each_mistake_is_named_with_its_line() {
        refused("to = \"integration.queue.dept\"\nqueue = \"q\"\n", "c.toml:5: metric \"jobs\": to = ");
        refused("to = \"integration.webhook.delay\"\n", "is no level or count of ours");
        refused(DEPTH, "c.toml:4: metric \"jobs\": name the queue");
        refused(
            &format!("{DEPTH}queue = \"q\"\nstate = \"waiting\"\n"),
            "c.toml:7: metric \"jobs\": state \"waiting\"",
        );
        refused(&format!("{DEPTH}queue = \"q\"\nscale = 0.0\n"), "scale = 0 must be");
        refused(&format!("{DEPTH}queue = \"q\"\nqeue = \"q\"\n"), "unknown field `qeue`");
        refused("to = \"integration.queue.enqueued\"\nqueue = \"q\"\nstate = \"ready\"\n", "leave state out");
        refused(
            "to = \"integration.queue.enqueued\"\nqueue = \"q\"\nsum_over = \"p\"\n",
            "cannot be added up",
        );
        refused("to = \"integration.credential.expires_at\"\n", "name the credential");
        refused("to = \"integration.rate_limit.limit\"\nqueue = \"q\"\n", "is no queue's");
        let odd = "to = \"integration.rate_limit.limit\"\nattributes = { \"account\" = \"a\" }\n";
        refused(odd, "\"account\" is no attribute of ours");
        let ours = "[[metric]]\nfrom = \"integration.queue.depth\"\nto = \"integration.queue.depth\"\n";
        assert!(Config::parse("c.toml", ours).is_err_and(|problem| problem.contains("one of ours already")));
    }
}
