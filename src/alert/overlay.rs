//! What keeps an alert from being told though it fires, and who said that they look at it. An overlay never changes
//! the state of an instance: what is withheld is recorded and shown, and told once nothing withholds it any more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::incident::InstanceKey;
use super::maintenance::Window;
use crate::signals::signal::Label;
use crate::signals::telemetry::Nanos;

/// The shortest reason that tells anybody anything.
const LEAST_REASON: usize = 8;
/// The longest silence: nothing is silent for ever.
pub const LONGEST_SILENCE: Nanos = 30 * 24 * 3_600_000_000_000;
/// An acknowledgement stands no longer than this.
pub const LONGEST_ACK: Nanos = 24 * 3_600_000_000_000;

/// Label name, or `rule`, → the value it must have.
pub type Matchers = BTreeMap<String, String>;

/// Whether all matchers hold for an instance; without any, none is meant.
pub fn matches(matchers: &Matchers, key: &InstanceKey) -> bool {
    !matchers.is_empty()
        && matchers.iter().all(|(name, wanted)| match name.as_str() {
            "rule" => *wanted == *key.rule,
            name => key.labels.get(name).is_some_and(|value| value == wanted),
        })
}

/// Somebody wants to hear nothing of some instances for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// Its number.
    pub id: i64,
    /// Which instances.
    pub matchers: Matchers,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// From when.
    pub from: Nanos,
    /// Until when; always set.
    pub until: Nanos,
}

impl Silence {
    /// Whether there can be such a silence.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub fn check(&self, now: Nanos) -> Result<(), String> {
        if self.matchers.is_empty() {
            return Err(
                "A silence must name what it silences: a rule, an integration, a peer or another label."
                    .into(),
            );
        }
        let unknown = self.matchers.keys().find(|name| *name != "rule" && Label::from_name(name).is_none());
        if let Some(name) = unknown {
            return Err(format!(
                "{name} is no label; a silence names a rule, an integration, a peer and the like."
            ));
        }
        if self.reason.trim().chars().count() < LEAST_REASON {
            return Err(format!(
                "Say why, in {LEAST_REASON} characters at least: who reads it at night was not there."
            ));
        }
        if self.until <= self.from || self.until <= now {
            return Err("A silence ends after it begins, and not in the past.".into());
        }
        if self.until - self.from.max(now) > LONGEST_SILENCE {
            return Err("A silence ends within 30 days; make another then, if it is still meant.".into());
        }
        Ok(())
    }
}

/// Somebody said that they look at an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who.
    pub by: String,
    /// What they said, may be empty.
    pub note: String,
    /// When.
    pub at: Nanos,
    /// It stands until then at the latest.
    pub until: Nanos,
}

/// Why nobody is told of what fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Withheld {
    /// A silence.
    Silence {
        /// Its number.
        id: i64,
        /// Who made it.
        author: String,
        /// Why.
        reason: String,
        /// Until when.
        until: Nanos,
    },
    /// A maintenance window.
    Maintenance {
        /// Its name.
        name: String,
        /// Until when, its grace included.
        until: Nanos,
    },
    /// Another alert is the cause.
    Cause {
        /// The rule of the cause.
        rule: String,
        /// Where: its labels as a person reads them.
        place: String,
        /// The code of its incident; empty while it is pending.
        code: String,
    },
    /// Another incident's mails tell of it.
    Group {
        /// The id of that incident.
        lead: String,
        /// Its code.
        code: String,
    },
    /// It is a notice: the digest tells of it.
    Digest,
}

impl Withheld {
    /// As the end of a sentence that begins with "Not mailed: ".
    pub fn sentence(&self) -> String {
        match self {
            Withheld::Silence { author, reason, .. } => format!("silenced by {author} ({reason})"),
            Withheld::Maintenance { name, .. } => format!("the maintenance window {name} is open"),
            Withheld::Cause { rule, place, code } if code.is_empty() => {
                format!("{rule} of {place} is about to fire and explains it")
            }
            Withheld::Cause { rule, place, code } => {
                format!("{rule} of {place} explains it, incident {code}")
            }
            Withheld::Group { code, .. } => format!("the mails of incident {code} tell of it"),
            Withheld::Digest => "it is a notice, which the digest tells of".into(),
        }
    }

    /// Whether its end is not told either: somebody asked for silence.
    pub fn is_silence(&self) -> bool {
        matches!(self, Withheld::Silence { .. })
    }
}

/// All that stands at a tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlays {
    /// Silences that have not ended.
    pub silences: Vec<Silence>,
    /// Maintenance windows that are open, or in their grace.
    pub windows: Vec<Window>,
    /// By incident id.
    pub acks: BTreeMap<String, Ack>,
}

impl Overlays {
    /// What a person or a window withholds.
    pub fn withhold(&self, key: &InstanceKey, at: Nanos) -> Option<Withheld> {
        let silence = self
            .silences
            .iter()
            .filter(|silence| silence.from <= at && at < silence.until && matches(&silence.matchers, key))
            .max_by_key(|silence| silence.until);
        if let Some(Silence { id, author, reason, until, .. }) = silence {
            let (author, reason) = (author.clone(), reason.clone());
            return Some(Withheld::Silence { id: *id, author, reason, until: *until });
        }
        let window = self.windows.iter().find(|window| window.holds(at) && matches(&window.matchers, key));
        window.map(|window| Withheld::Maintenance { name: window.name.clone(), until: window.until })
    }

    /// Whether somebody looks at an incident.
    pub fn is_acked(&self, incident: &str, at: Nanos) -> bool {
        self.acks.get(incident).is_some_and(|ack| at < ack.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(labels: &[(&str, &str)]) -> InstanceKey {
        let labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        InstanceKey { rule: "throttled".into(), labels: labels.collect() }
    }

    fn matchers(pairs: &[(&str, &str)]) -> Matchers {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn all_matchers_must_hold_and_none_mean_nothing() {
        let one = key(&[("integration", "crm"), ("peer", "api.example")]);
        assert!(matches(&matchers(&[("integration", "crm")]), &one));
        assert!(matches(&matchers(&[("integration", "crm"), ("rule", "throttled")]), &one));
        assert!(!matches(&matchers(&[("integration", "crm"), ("rule", "slo-burn")]), &one));
        assert!(!matches(&matchers(&[("queue", "crm")]), &one));
        assert!(!matches(&Matchers::new(), &one), "a silence of everything is a mistake");
    }

    #[test]
    fn a_silence_holds_from_its_beginning_until_before_its_end() {
        let silence = Silence {
            id: 7,
            matchers: matchers(&[("integration", "crm")]),
            author: "operator".into(),
            reason: "known outage".into(),
            from: 10,
            until: 20,
        };
        let overlays = Overlays { silences: vec![silence], ..Overlays::default() };
        let at = |at| overlays.withhold(&key(&[("integration", "crm")]), at).is_some();
        assert_eq!([at(9), at(10), at(19), at(20)], [false, true, true, false]);
        assert!(overlays.withhold(&key(&[("integration", "other")]), 15).is_none());
    }
}
