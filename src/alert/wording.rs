//! An incident in words through its life: opened, kept up to date, closed; the counts that show it.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_128;

use crate::rollup::gap::OpenGap;
use crate::rollup::window::Minute;
use crate::signals::call::Class;
use crate::signals::telemetry::Nanos;

use super::figure;
use super::incident::{Incident, InstanceKey, Severity};
use super::instant::written_seconds;
use super::judge::{Figures, Reading, Standing};
use super::rule::Rule;
use super::sentence;
use super::verdict::Verdict;
use crate::signals::signal::Signal;

/// Digits and letters that nobody mistakes for one another when a code is said aloud.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The incident that opens at a tick. `since` is the first breaching tick.
pub fn open(rule: &Rule, key: &InstanceKey, reading: &Reading, since: Minute, tick: Minute) -> Incident {
    let id = xxh3_128(&identity(key, tick));
    let mut incident = Incident {
        id: format!("{id:032x}"),
        code: code(id),
        rule: rule.id.clone(),
        labels: key.labels.clone(),
        title: rule.title_for(&key.labels),
        severity: Severity::Warning,
        level: String::new(),
        runbook: rule.runbook.clone(),
        signal: String::new(),
        since: began(reading, since),
        opened_at: tick.start(),
        resolved_at: None,
        value: String::new(),
        worst: String::new(),
        worst_raw: 0.0,
        threshold: String::new(),
        sentence: String::new(),
        evidence: Vec::new(),
        cause: String::new(),
        first_cause: String::new(),
        changed: String::new(),
        ending: String::new(),
        at_worst: None,
        withheld: None,
        also: Vec::new(),
        to: Vec::new(),
    };
    update(&mut incident, rule, reading);
    incident.first_cause.clone_from(&incident.cause);
    incident
}

/// Brings an open incident up to what a tick says; what is not known stays as it was. What breached stays on record
/// while it recovers: only a breach moves the level, the sentence and the evidence.
pub fn update(incident: &mut Incident, rule: &Rule, reading: &Reading) {
    if let Figures::Gone | Figures::Forgotten | Figures::Nothing = reading.figures {
        return;
    }
    let Some(standing) = &reading.standing else { return };
    let breaches = reading.verdict == Verdict::Breach;
    let changed_signal = incident.signal != standing.signal.name();
    incident.title = rule.title_for(&incident.labels);
    incident.runbook.clone_from(&rule.runbook);
    incident.to.clone_from(&rule.to);
    // Breached by the latest outcomes alone, with no call in the window: none of what is known succeeded.
    let value = standing.value.or(breaches.then_some(0.0));
    let is_worst = breaches
        && value.is_some_and(|value| {
            changed_signal || incident.worst.is_empty() || !standing.fire.is_worse(incident.worst_raw, value)
        });
    if let Some(value) = value.filter(|_| breaches || !changed_signal) {
        incident.value = value_text(standing.signal, value);
        if is_worst {
            incident.worst_raw = value;
            incident.worst.clone_from(&incident.value);
        }
    }
    match reading.verdict {
        Verdict::Unknown => {}
        Verdict::Hold | Verdict::Clear if changed_signal => {}
        Verdict::Hold | Verdict::Clear => {
            incident.ending = sentence::of(rule, &incident.labels, standing, reading);
        }
        Verdict::Breach => {
            incident.severity = standing.severity;
            incident.level.clone_from(&standing.name);
            incident.signal = standing.signal.name().to_owned();
            incident.threshold = sentence::threshold(standing);
            incident.sentence = sentence::of(rule, &incident.labels, standing, reading);
            incident.evidence = evidence(rule, standing, &reading.figures);
            incident.cause = cause(standing, &reading.figures).to_owned();
            incident.ending = String::new();
            if is_worst {
                incident.at_worst = Some((incident.sentence.clone(), incident.evidence.clone()));
            }
        }
    }
}

/// Closes an incident at a tick: the words that say why stand apart from those that say how bad it was.
pub fn close(incident: &mut Incident, rule: &Rule, reading: &Reading, tick: Minute) {
    incident.resolved_at = Some(tick.start());
    let calls = incident.signal.starts_with("call.") || incident.signal.starts_with("attempt.");
    let of_it = place(&incident.labels);
    match reading.figures {
        Figures::Gone if incident.signal == Signal::CredentialExpiresIn.name() => {
            let name = incident.labels.get("credential").map_or("", String::as_str);
            incident.ending = format!(
                "The credential {name} was retired, or says of itself that it needs no renewal by hand."
            );
        }
        Figures::Gone => incident.ending = format!("The rule does not judge {of_it} any more."),
        Figures::Forgotten if calls => incident.ending = format!("Nobody has called {of_it} for 7 d."),
        Figures::Forgotten => incident.ending = format!("Nothing has been reported of {of_it} for 7 d."),
        Figures::Nothing => {
            incident.ending =
                format!("Nothing is known of {of_it} any more, which this rule takes for well.");
        }
        _ => update(incident, rule, reading),
    }
    settle(incident);
}

/// Closes an incident whose rule is gone: nobody judges it, so nobody knows that it is well.
pub fn orphan(incident: &mut Incident, tick: Minute) {
    incident.resolved_at = Some(tick.start());
    incident.ending = format!(
        "The rule {} was removed or changed its labels; nothing says that this is well.",
        incident.rule
    );
    settle(incident);
}

/// Ends an incident of an integration that is retired.
pub fn retire(incident: &mut Incident, tick: Minute) {
    incident.resolved_at = Some(tick.start());
    incident.ending = "The integration was retired; nothing says that this is well.".into();
    settle(incident);
}

/// Opens an incident again.
pub fn reopen(incident: &mut Incident, rule: &Rule, reading: &Reading, tick: Minute) {
    let ended = incident.resolved_at.take();
    update(incident, rule, reading);
    let pause = ended.map(|ended| figure::duration(tick.start().saturating_sub(ended) as f64 / 1e9));
    incident.changed =
        pause.map_or_else(String::new, |pause| format!("It is back {pause} after it had ended."));
}

/// What a closed incident tells of is its worst moment.
fn settle(incident: &mut Incident) {
    if let Some((sentence, evidence)) = &incident.at_worst {
        incident.sentence.clone_from(sentence);
        incident.evidence.clone_from(evidence);
    }
}

/// A level as a change of levels names it.
pub struct Rung {
    severity: Severity,
    threshold: String,
}

impl Rung {
    /// The level that an incident stands at.
    pub fn of(incident: &Incident) -> Rung {
        Rung { severity: incident.severity, threshold: incident.threshold.clone() }
    }

    /// `Now critical: under 3 min left. Before: a warning, under 10 min left.`
    pub fn to(&self, now: &Rung) -> String {
        if self.severity == now.severity {
            return format!("Now {}. Before: {}.", now.threshold, self.threshold);
        }
        let word = |severity| match severity {
            Severity::Critical => "critical",
            Severity::Warning => "a warning",
            Severity::Info => "a notice",
        };
        let (after, before) = (word(now.severity), word(self.severity));
        format!("Now {after}: {}. Before: {before}, {}.", now.threshold, self.threshold)
    }
}

/// What the hash of an incident is made of: unambiguous, since no label holds a zero byte's length.
fn identity(key: &InstanceKey, tick: Minute) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut push = |text: &str| {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    push(&key.rule);
    for (label, value) in &key.labels {
        push(label);
        push(value);
    }
    bytes.extend_from_slice(&tick.0.to_le_bytes());
    bytes
}

fn code(id: u128) -> String {
    (0..4).map(|at| char::from(ALPHABET[(id >> (5 * at)) as usize & 31])).collect()
}

/// When it began, as well as the figures know it.
fn began(reading: &Reading, since: Minute) -> Nanos {
    match &reading.figures {
        Figures::Reconciliation(OpenGap { since: Some(since), .. }) => *since,
        // The tick judges minutes before it; the last of them made the window breach.
        Figures::Calls(_) => Minute(since.0 - 1).start(),
        _ => since.start(),
    }
}

fn value_text(signal: Signal, value: f64) -> String {
    match signal {
        Signal::CredentialExpiresIn if value <= 0.0 => format!("expired {} ago", figure::duration(value)),
        _ => figure::value(signal.unit(), value),
    }
}

/// The class that most failures have, where the signal counts calls.
fn cause(standing: &Standing, figures: &Figures) -> &'static str {
    match (figures, standing.signal) {
        (Figures::Calls(_), Signal::CallThrottledShare | Signal::RetryExhausted) => Class::Throttled.name(),
        (Figures::Calls(sample), Signal::CallSuccessRate | Signal::AttemptSuccessRate) => {
            sample.failures.first().map_or("", |(class, _)| class.name())
        }
        _ => "",
    }
}

fn evidence(rule: &Rule, standing: &Standing, figures: &Figures) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut push = |what: &str, text: String| out.push((what.to_owned(), text));
    match figures {
        Figures::Calls(sample) => {
            let (count, bad) = (sample.count(standing.signal), sample.bad(standing.signal));
            push("Calls", figure::exact(count.round() as u64));
            if standing.signal.is_ratio_of_calls() {
                let what = if standing.signal == Signal::CallThrottledShare { "Throttled" } else { "Failed" };
                push(what, figure::exact(bad.round() as u64));
            }
            if !sample.failures.is_empty() {
                let by_class: Vec<String> = sample
                    .failures
                    .iter()
                    .map(|(class, count)| format!("{} {}", figure::exact(*count), sentence::class(*class)))
                    .collect();
                push("By cause", by_class.join(", "));
            }
            if let Some((_, asked @ 1..)) = sentence::measure_at(rule, standing.at)
                && let Some(latest) = sample.latest.get(..asked)
            {
                let bad = latest.iter().filter(|good| !**good).count();
                push(&format!("Latest {asked}"), format!("{bad} failed"));
            }
            push("Window", figure::duration(f64::from(sample.minutes) * 60.0));
        }
        Figures::Credential { expires_at, .. } => {
            push("Expires", written_seconds(*expires_at));
        }
        Figures::Queue { depth, oldest_age, .. } => {
            if let Some(age) = oldest_age {
                push("Oldest ready item", figure::duration(*age));
            }
            if let Some(depth) = depth {
                push("Items", figure::exact(depth.max(0.0) as u64));
            }
        }
        Figures::Reconciliation(gap) => {
            push("Do not agree", figure::exact(gap.records));
            push("Of these", sentence::kinds(gap));
            push("Expected in the open windows", figure::exact(gap.expected));
            push("Further runs", figure::exact(gap.runs_since));
            push(
                "Amounts",
                if gap.amount_differs { "differ" } else { "agree or are not reported" }.to_owned(),
            );
        }
        Figures::Value { why, .. } => push("Because", why.clone()),
        Figures::Forgotten | Figures::Gone | Figures::Nothing => {}
    }
    out
}

/// Labels as a person reads them, in the rule's order: `hubspot-crm · POST /contacts`.
pub fn place(labels: &BTreeMap<String, String>) -> String {
    let order = [
        "integration",
        "provider",
        "account",
        "limit",
        "peer",
        "endpoint",
        "path",
        "connection",
        "credential",
        "webhook_provider",
        "event_type",
        "reason",
        "probe",
        "queue",
        "run",
        "reconciliation",
        "entity",
    ];
    let parts: Vec<&str> = order
        .iter()
        .filter_map(|label| labels.get(*label))
        .map(String::as_str)
        .filter(|value| !value.is_empty())
        .collect();
    parts.join(" · ")
}

#[cfg(test)]
mod tests;
