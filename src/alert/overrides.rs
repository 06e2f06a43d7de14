//! `alerts/overrides.toml`: what the rules ask of some integrations otherwise, each with its reason.
//!
//! An override changes a rule for the instances that its `where` names; it is no copy, so the rule's later versions reach
//! them too. The more an override names, the later it is applied, so the most specific one has the last word.

use std::borrow::Cow;

use super::document::{Document, Place, Section, nearest};
use super::incident::Severity;
use super::rule::{Condition, Filter, Problem, Resolve, Rule};
use super::threshold::{Threshold, whole_minutes};
use crate::signals::signal::{Label, Signal};

/// Keys of an override.
pub const KEYS: &[&str] = &[
    "rule",
    "where",
    "reason",
    "signal",
    "level",
    "fire",
    "resolve",
    "severity",
    "for",
    "keep_firing_for",
    "repeat",
    "escalate",
    "runbook",
    "to",
    "off",
];

/// One override.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The rule's id.
    pub rule: String,
    /// For which instances.
    pub filter: Filter,
    /// Why.
    pub reason: String,
    /// `alerts/overrides.toml:12`, for who reads what is in force.
    pub place: String,
    /// Of which of the rule's branches, where it has several.
    pub signal: Option<Signal>,
    /// Of which of its levels, where they have names.
    pub level: Option<String>,
    /// When it breaches.
    pub fire: Option<Threshold>,
    /// When it is over.
    pub resolve: Option<Threshold>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// How long it must breach, in minutes.
    pub hold_for: Option<u32>,
    /// How long it must be clear, in minutes.
    pub keep_firing_for: Option<u32>,
    /// Told again after so many minutes.
    pub repeat: Option<u32>,
    /// The second list is told after so many minutes.
    pub escalate: Option<u32>,
    /// Another runbook's file name.
    pub runbook: Option<String>,
    /// Who is told instead.
    pub to: Vec<String>,
    /// These instances are not judged at all.
    pub off: bool,
}

/// Reads the file against the rules that it changes.
///
/// # Errors
/// All that is wrong with it, and where.
pub fn parse(file: &str, text: &str, rules: &[Rule]) -> Result<Vec<Override>, Vec<Problem>> {
    let mut document = Document::new(file, text);
    let Some(table) = document.parse() else { return Err(document.finish()) };
    let root = Section::root(&table);
    document.keys(&root, &["schema", "override"], &[]);
    document.integer(&root, "schema", 1, 1);
    let sections = document.sections(&root, "override");
    let mut found: Vec<Override> =
        sections.iter().filter_map(|section| one(&mut document, section, rules, file, text)).collect();
    if !document.is_clean() {
        return Err(document.finish());
    }
    found.sort_by_key(|one| one.filter.clauses.len());
    Ok(found)
}

fn one(
    document: &mut Document<'_>,
    section: &Section<'_>,
    rules: &[Rule],
    file: &str,
    text: &str,
) -> Option<Override> {
    document.keys(section, KEYS, &[]);
    let (id, place) = document.required(section, "rule", "the id of the rule that is changed")?;
    let reason = document.required(section, "reason", "why, for who wonders in a year");
    let Some(rule) = rules.iter().find(|rule| *rule.id == *id) else {
        let ids: Vec<&str> = rules.iter().map(|rule| &*rule.id).collect();
        let near = nearest(id, &ids).map_or_else(String::new, |near| format!("; did you mean {near}?"));
        document.problem(&place, format!("rule: there is no rule {id}{near}"));
        return None;
    };
    if !section.has("where") {
        document.problem(&place, "where is missing: for what, like where = { integration = [\"stripe-xero\"] }; to change a rule for everything, edit its file");
    }
    let filter = filter(document, section, rule);
    let signal = match document.string(section, "signal") {
        None => rule.condition.measures().first().map(|measure| measure.signal)?,
        Some((name, place)) => {
            let of_rule = rule.condition.measures().into_iter().map(|measure| measure.signal);
            let Some(signal) = of_rule.clone().find(|signal| signal.name() == name) else {
                let names: Vec<&str> = of_rule.map(Signal::name).collect();
                document.problem(&place, format!("signal: {id} judges {}, not {name}", names.join(", ")));
                return None;
            };
            signal
        }
    };
    let fire = document.read(section, "fire", |text| Threshold::parse(text, signal)).map(|(fire, _)| fire);
    let resolve = document.read(section, "resolve", |text| Threshold::parse(text, signal));
    if let (Some(fire), Some((resolve, place))) = (&fire, &resolve)
        && resolve.overlaps(fire)
    {
        document.problem(place, format!("resolve: \"{resolve}\" lies inside what fires, \"{fire}\""));
    }
    let mut minutes = |key: &str| document.read(section, key, whole_minutes).map(|(minutes, _)| minutes);
    let (hold_for, keep_firing_for) = (minutes("for"), minutes("keep_firing_for"));
    let (repeat, escalate) = (minutes("repeat"), minutes("escalate"));
    let severity = document.read(section, "severity", super::parse::severity).map(|(severity, _)| severity);
    let level = document.string(section, "level");
    if let Some((level, place)) = &level {
        level_is_there(document, rule, level, place);
    }
    let changed = Override {
        rule: id.to_owned(),
        filter,
        reason: reason?.0.to_owned(),
        place: format!("{file}:{}", line_of(text, &place)),
        signal: section.has("signal").then_some(signal),
        level: level.map(|(level, _)| level.to_owned()),
        fire,
        resolve: resolve.map(|(resolve, _)| resolve),
        severity,
        hold_for,
        keep_firing_for,
        repeat,
        escalate,
        runbook: document.string(section, "runbook").map(|(name, _)| name.to_owned()),
        to: document
            .strings(section, "to")
            .unwrap_or_default()
            .into_iter()
            .map(|(to, _)| to.to_owned())
            .collect(),
        off: document.boolean(section, "off").unwrap_or(false),
    };
    if changed.says().is_empty() {
        document.problem(
            &place,
            "override: it changes nothing; write fire, severity, for, to, runbook or off = true",
        );
    }
    Some(changed)
}

fn line_of(text: &str, place: &Place) -> usize {
    text.get(..place.start).map_or(1, |before| before.matches('\n').count() + 1)
}

fn level_is_there(document: &mut Document<'_>, rule: &Rule, level: &str, place: &Place) {
    let names: Vec<&str> = match &rule.condition {
        Condition::Levels(_, levels) => levels.iter().map(|level| level.name.as_str()).collect(),
        Condition::Any(_) => Vec::new(),
    };
    if !names.contains(&level) {
        document
            .problem(place, format!("level: {} has no level {level}; it has {}", rule.id, names.join(", ")));
    }
}

/// Labels that tell the rule's instances apart, and the tier: nothing else is known of an instance.
fn filter(document: &mut Document<'_>, section: &Section<'_>, rule: &Rule) -> Filter {
    let all: Vec<Signal> = rule.signals().collect();
    let filter = super::parse::labels::filter(document, section, &all);
    for clause in
        filter.clauses.iter().filter(|clause| clause.label != Label::Tier && !rule.by.contains(&clause.label))
    {
        let message = format!("where: {} does not tell instances of {} apart", clause.label.name(), rule.id);
        document.problem(&section.place_of("where"), message);
    }
    filter
}

impl Override {
    /// What it changes, in words: `fires < 80 %`, `severity warning`.
    pub fn says(&self) -> Vec<String> {
        let minutes = |what: &str, minutes: Option<u32>| minutes.map(|minutes| format!("{what} {minutes}m"));
        let all = [
            self.off.then(|| "off".to_owned()),
            self.fire.as_ref().map(|fire| format!("fires {fire}")),
            self.resolve.as_ref().map(|resolve| format!("resolves {resolve}")),
            self.severity.map(|severity| format!("severity {}", severity.name())),
            minutes("for", self.hold_for),
            minutes("keep_firing_for", self.keep_firing_for),
            minutes("repeat", self.repeat),
            minutes("escalate", self.escalate),
            self.runbook.as_ref().map(|runbook| format!("runbook {runbook}")),
            (!self.to.is_empty()).then(|| format!("to {}", self.to.join(", "))),
        ];
        all.into_iter().flatten().collect()
    }

    /// For what, in words: `integration = stripe-xero, tier = critical`.
    pub fn whom(&self) -> String {
        let clause = |clause: &super::rule::Clause| {
            format!(
                "{} {} {}",
                clause.label.name(),
                if clause.not { "≠" } else { "=" },
                clause.values.join(" or ")
            )
        };
        self.filter.clauses.iter().map(clause).collect::<Vec<_>>().join(", ")
    }

    fn change(&self, rule: &mut Rule) {
        let severity = |own: &mut Option<Severity>| *own = self.severity.or(*own);
        match &mut rule.condition {
            Condition::Levels(_, levels) => {
                let meant = levels
                    .iter_mut()
                    .filter(|level| self.level.as_ref().is_none_or(|name| *name == level.name));
                for level in meant {
                    if let Some(fire) = &self.fire {
                        level.fire.clone_from(fire);
                    }
                    if let Some(resolve) = &self.resolve {
                        level.resolve = Resolve::At(resolve.clone());
                    }
                    severity(&mut level.severity);
                }
            }
            Condition::Any(branches) => {
                for branch in branches {
                    if self.signal.is_none_or(|signal| signal == branch.measure.signal) {
                        if let Some(fire) = &self.fire {
                            branch.fire.clone_from(fire);
                        }
                        if let Some(resolve) = &self.resolve {
                            branch.resolve = Resolve::At(resolve.clone());
                        }
                    }
                }
            }
        }
        if let Some(severity) = self.severity {
            rule.severity = [severity; 3];
        }
        rule.times.hold_for = self.hold_for.unwrap_or(rule.times.hold_for);
        rule.times.keep_firing_for = self.keep_firing_for.unwrap_or(rule.times.keep_firing_for);
        rule.repeat = self.repeat.unwrap_or(rule.repeat);
        rule.escalate = self.escalate.unwrap_or(rule.escalate);
        if let Some(runbook) = &self.runbook {
            rule.runbook.clone_from(runbook);
        }
        if !self.to.is_empty() {
            rule.to.clone_from(&self.to);
        }
    }
}

/// The rule as it stands for an instance with these labels; none where it is off for it.
pub fn effective<'r, 'v>(
    rule: &'r Rule,
    overrides: &[Override],
    value: impl Fn(Label) -> &'v str,
) -> Option<Cow<'r, Rule>> {
    let mut found = Cow::Borrowed(rule);
    for one in overrides.iter().filter(|one| *one.rule == *rule.id && one.filter.admits(&value)) {
        if one.off {
            return None;
        }
        one.change(found.to_mut());
    }
    Some(found)
}

#[cfg(test)]
mod tests;
