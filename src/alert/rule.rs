//! A rule as it is judged, after its file was read and found whole.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::incident::Severity;
use super::maintenance::Maintenance;
use super::overrides::Override;
use super::threshold::Threshold;
use super::tier::Tier;
use crate::signals::signal::{Label, Signal};

/// What is wrong in a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as the caller names it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// A sentence.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{} {}", self.file, self.line, self.column, self.message)
    }
}

/// All rules, with their runbooks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    /// Ascending by id.
    pub rules: Vec<Rule>,
    /// Runbook file name → Markdown.
    pub runbooks: BTreeMap<String, String>,
    /// Schedules of maintenance, by name.
    pub maintenance: Vec<Maintenance>,
    /// What is asked of some instances otherwise, the most specific last.
    pub overrides: Vec<Override>,
}

impl RuleSet {
    /// The runbook of a rule for an instance, the most specific that there is: of the integration, of the vendor, of
    /// the rule.
    pub fn runbook_for(&self, rule: &Rule, integration: &str, provider: &str) -> String {
        let of = |whom: &str| {
            let name = format!("{}--{}", slug(whom), rule.runbook);
            (!whom.is_empty() && self.runbooks.contains_key(&name)).then_some(name)
        };
        of(integration).or_else(|| of(provider)).unwrap_or_else(|| rule.runbook.clone())
    }

    /// The rule of that id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| &*rule.id == id)
    }
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The file's name without `.toml`.
    pub id: Arc<str>,
    /// Title with `{label}` fields, labels of `by` only.
    pub title: String,
    /// Runbook file name.
    pub runbook: String,
    /// What an instance is told apart by.
    pub by: Vec<Label>,
    /// Which instances are judged.
    pub filter: Filter,
    /// What must be so.
    pub condition: Condition,
    /// Severity by tier where the level does not say: index = tier's place in [`Tier::ALL`].
    pub severity: [Severity; 3],
    /// The state machine's times.
    pub times: Times,
    /// What an unknown verdict means to what fires.
    pub no_data: NoData,
    /// Ids of rules whose alerts are the cause of this one's.
    pub explained_by: Vec<String>,
    /// Alerts with the same values of these labels are told together; empty where each is told by itself.
    pub group_by: Vec<Label>,
    /// Told again every so many ticks while it stands and nobody looks at it; 0 = never.
    pub repeat: u32,
    /// The second list of recipients is told after so many ticks; 0 = never.
    pub escalate: u32,
    /// Who is told instead of the owner; empty where the owner is.
    pub to: Vec<String>,
}

/// The state machine's times, in ticks (minutes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How long it must breach before it fires.
    pub hold_for: u32,
    /// How long it must be clear before it resolves.
    pub keep_firing_for: u32,
    /// A new firing this soon after closing reopens the incident.
    pub reopen_within: u32,
}

/// What an unknown verdict means to what fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoData {
    /// Nothing: the incident stays open, its timers stand still.
    Hold,
    /// As good as clear.
    Resolve,
}

/// Which instances a rule or a level judges: all clauses must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// The clauses.
    pub clauses: Vec<Clause>,
}

/// One label's allowed or excluded values.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// Which label.
    pub label: Label,
    /// The values.
    pub values: Vec<String>,
    /// The values are excluded, not allowed.
    pub not: bool,
}

impl Filter {
    /// Whether all clauses hold; a label without a value reads as `unknown`.
    pub fn admits<'v>(&self, value: impl Fn(Label) -> &'v str) -> bool {
        self.clauses.iter().all(|clause| clause.admits(value(clause.label)))
    }

    /// Whether any clause speaks of the label.
    pub fn names(&self, label: Label) -> bool {
        self.clauses.iter().any(|clause| clause.label == label)
    }

    /// Whether a clause allows this very value by name.
    pub fn names_value(&self, label: Label, value: &str) -> bool {
        self.clauses.iter().any(|clause| {
            clause.label == label && !clause.not && clause.values.iter().any(|one| one == value)
        })
    }
}

impl Clause {
    /// Whether the clause holds for a value; empty reads as `unknown`.
    pub fn admits(&self, value: &str) -> bool {
        let value = if value.is_empty() { "unknown" } else { value };
        self.values.iter().any(|one| one == value) != self.not
    }
}

/// What must be so for a rule to fire.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// One signal with one or more levels, mildest first.
    Levels(Measure, Vec<Level>),
    /// Any of several.
    Any(Vec<Branch>),
}

impl Condition {
    /// All measures in it.
    pub fn measures(&self) -> Vec<&Measure> {
        match self {
            Condition::Levels(measure, _) => vec![measure],
            Condition::Any(branches) => branches.iter().map(|branch| &branch.measure).collect(),
        }
    }
}

/// How a figure is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Which figure.
    pub signal: Signal,
    /// Minutes before the tick; 0 where the signal has no window.
    pub window: u32,
    /// How far the window may grow until it holds `min_count`; = window where it may not.
    pub widen_to: u32,
    /// Fewest calls that carry a verdict.
    pub min_count: u64,
    /// Fewest bad ones that carry a breach.
    pub min_bad: u64,
    /// This many of the latest operations all bad breach, all good clear; 0 = not asked.
    pub or_consecutive: usize,
}

/// When it is over.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolve {
    /// The value meets this.
    At(Threshold),
    /// The credential was renewed beyond every level, or is gone.
    Renewed,
    /// No window is open any more.
    Matched,
}

/// One level of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Its name; empty where the rule has but one for each instance.
    pub name: String,
    /// Which instances it applies to.
    pub filter: Filter,
    /// How bad it is; none = the rule's severity.
    pub severity: Option<Severity>,
    /// When it breaches.
    pub fire: Threshold,
    /// These must hold as well.
    pub and: Vec<Extra>,
    /// Any of these breaches too.
    pub or: Vec<Extra>,
    /// When it is over.
    pub resolve: Resolve,
}

/// One branch of `[[any]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// The figure.
    pub measure: Measure,
    /// When it breaches.
    pub fire: Threshold,
    /// When it is over.
    pub resolve: Resolve,
    /// It counts only while this holds.
    pub only_if: Option<Extra>,
    /// It must have breached for so many ticks before, the rule's own `for` apart.
    pub held_for: u32,
}

/// A further condition: `reconciliation.gap_share > 0.1 %`, or a signal that is yes or no.
#[derive(Clone, Debug, PartialEq)]
pub struct Extra {
    /// Which signal.
    pub signal: Signal,
    /// None for a signal that is yes or no.
    pub threshold: Option<Threshold>,
    /// As the rule writes it.
    pub text: String,
}

impl Extra {
    /// Whether it holds for the signal's value; an unknown value does not.
    pub fn holds(&self, value: Option<f64>) -> bool {
        match (&self.threshold, value) {
            (Some(threshold), Some(value)) => threshold.holds(value),
            (None, Some(value)) => value > 0.0,
            (_, None) => false,
        }
    }
}

impl Rule {
    /// Every signal that it speaks of, in its measures and in their further conditions.
    pub fn signals(&self) -> impl Iterator<Item = Signal> {
        let extras: Vec<Signal> = match &self.condition {
            Condition::Levels(_, levels) => levels
                .iter()
                .flat_map(|level| level.and.iter().chain(&level.or))
                .map(|extra| extra.signal)
                .collect(),
            Condition::Any(branches) => branches
                .iter()
                .filter_map(|branch| branch.only_if.as_ref())
                .map(|extra| extra.signal)
                .collect(),
        };
        self.condition.measures().into_iter().map(|measure| measure.signal).chain(extras)
    }

    /// Severity of an instance of that tier, a level apart.
    pub fn severity_for(&self, tier: Tier) -> Severity {
        self.severity[tier as usize]
    }

    /// The worst that an instance can be, of any tier and at any level.
    pub fn at_worst(&self) -> Severity {
        let levels = match &self.condition {
            Condition::Levels(_, levels) => levels.as_slice(),
            Condition::Any(_) => &[],
        };
        // The rule's own severity stands where some level does not say.
        let own = levels.is_empty() || levels.iter().any(|level| level.severity.is_none());
        let own = self.severity.into_iter().filter(|_| own);
        own.chain(levels.iter().filter_map(|level| level.severity)).max().unwrap_or(Severity::Info)
    }

    /// The title with the labels filled in.
    pub fn title_for(&self, labels: &BTreeMap<String, String>) -> String {
        let mut title = String::new();
        for piece in pieces(&self.title) {
            match piece {
                Piece::Text(text) => title.push_str(text),
                Piece::Field(field) => match labels.get(field).map(String::as_str) {
                    // An empty label must leave no hole: "orders : records" reads "orders: records".
                    None | Some("") => title.truncate(title.trim_end().len()),
                    Some(value) => title.push_str(value),
                },
            }
        }
        title.trim_start_matches([':', ',', ' ']).trim_end().to_owned()
    }
}

/// A name as it stands in a file's name: `Stripe → Xero` is `stripe-xero`.
pub fn slug(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            out.push(letter);
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

/// A stretch of a title.
pub enum Piece<'t> {
    /// As it stands.
    Text(&'t str),
    /// The name between braces.
    Field(&'t str),
}

/// Cuts a title template into text and fields; an unclosed brace is text.
pub fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((field, behind)) = after.split_once('}') else { break };
        out.push(Piece::Text(before));
        out.push(Piece::Field(field));
        rest = behind;
    }
    out.push(Piece::Text(rest));
    out
}
