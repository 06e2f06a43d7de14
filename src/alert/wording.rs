//! An incident in words: the title, the value against the threshold, one sentence, the counts that show it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use xxhash_rust::xxh3::xxh3_128;

use crate::rollup::state::OpenGap;
use crate::rollup::window::Minute;
use crate::signals::call::Class;
use crate::signals::telemetry::Nanos;

use super::figure;
use super::incident::{Incident, InstanceKey};
use super::judge::{Figures, Reading, Standing};
use super::rule::{Condition, Rule};
use super::sample::CallSample;
use super::signal::Signal;
use super::verdict::{Verdict, reaches};

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
        severity: super::incident::Severity::Warning,
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
    };
    update(&mut incident, rule, reading);
    incident
}

/// Brings an open incident up to what a tick says; what is not known stays as it was.
pub fn update(incident: &mut Incident, rule: &Rule, reading: &Reading) {
    if let Figures::Gone | Figures::Forgotten | Figures::Nothing = reading.figures {
        return;
    }
    let Some(standing) = &reading.standing else { return };
    let changed_signal = incident.signal != standing.signal.name();
    incident.title = rule.title_for(&incident.labels);
    incident.runbook.clone_from(&rule.runbook);
    incident.severity = standing.severity;
    incident.level.clone_from(&standing.name);
    incident.signal = standing.signal.name().to_owned();
    incident.threshold.clone_from(&standing.fire.text);
    // Breached by the latest outcomes alone, with no call in the window: none of what is known succeeded.
    let value = standing.value.or((reading.verdict == Verdict::Breach).then_some(0.0));
    if let Some(value) = value {
        incident.value = value_text(standing.signal, value);
        if changed_signal || standing.fire.is_worse(value, incident.worst_raw) {
            incident.worst_raw = value;
            incident.worst.clone_from(&incident.value);
        }
    }
    if reading.verdict == Verdict::Unknown {
        return;
    }
    incident.sentence = sentence(rule, standing, reading);
    incident.evidence = evidence(rule, standing, &reading.figures);
    if reading.verdict == Verdict::Breach {
        incident.cause = cause(standing, &reading.figures).to_owned();
    }
}

/// Closes an incident at a tick, with the words that say why.
pub fn close(incident: &mut Incident, rule: &Rule, reading: &Reading, tick: Minute) {
    incident.resolved_at = Some(tick.start());
    let calls = incident.signal.starts_with("call.") || incident.signal.starts_with("attempt.");
    match reading.figures {
        Figures::Gone if incident.signal == Signal::CredentialExpiresIn.name() => {
            incident.sentence =
                "The credential was retired, or says of itself that it needs no renewal by hand".into();
        }
        Figures::Gone => incident.sentence = "The rule does not judge it any more".into(),
        Figures::Forgotten if calls => incident.sentence = "Nobody has called it for 7 d".into(),
        Figures::Forgotten => incident.sentence = "Nothing has been reported of it for 7 d".into(),
        Figures::Nothing => {
            incident.sentence = "Nothing is known of it any more, which this rule takes for well".into()
        }
        _ => update(incident, rule, reading),
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
        (Figures::Calls(_), Signal::CallThrottledShare) => Class::Throttled.name(),
        (Figures::Calls(sample), Signal::CallSuccessRate | Signal::AttemptSuccessRate) => {
            sample.failures.first().map_or("", |(class, _)| class.name())
        }
        _ => "",
    }
}

fn sentence(rule: &Rule, standing: &Standing, reading: &Reading) -> String {
    match &reading.figures {
        Figures::Calls(sample) => calls(rule, standing, sample, reading.verdict),
        Figures::Credential { expires_at, now } => credential(*expires_at, *now, reading.verdict),
        Figures::Queue { depth, oldest_age } => queue(standing.signal, *depth, *oldest_age),
        Figures::Reconciliation(gap) => reconciliation(gap),
        Figures::Forgotten | Figures::Gone | Figures::Nothing => String::new(),
    }
}

fn calls(rule: &Rule, standing: &Standing, sample: &CallSample, verdict: Verdict) -> String {
    let signal = standing.signal;
    let span = figure::duration(f64::from(sample.minutes) * 60.0);
    let (count, bad) = (sample.count(signal).round() as u64, sample.bad(signal).round() as u64);
    let (all, failed) = (figure::exact(count), figure::exact(bad));
    let noun = |noun: &str| figure::plural(noun, count as f64);
    match signal {
        Signal::CallSuccessRate | Signal::AttemptSuccessRate => {
            let noun = noun(if signal == Signal::CallSuccessRate { "call" } else { "attempt" });
            let measure = measure_at(rule, standing.at);
            let asked = measure.map_or(0, |(_, asked)| asked);
            let latest = sample.latest.get(..asked).filter(|latest| !latest.is_empty());
            let enough = measure.is_some_and(|(least, _)| reaches(sample.count(signal), least));
            match latest {
                Some(latest) if verdict == Verdict::Breach && latest.iter().all(|good| !good) => {
                    let head = format!("The latest {asked} calls all failed");
                    let tail = if bad > 0 {
                        format!("; {failed} of {all} in {span}{}", mostly(sample, bad))
                    } else {
                        String::new()
                    };
                    head + &tail
                }
                Some(latest) if !enough && latest.iter().all(|good| *good) => {
                    format!("The latest {asked} calls all succeeded")
                }
                _ if count == 0 => format!("No {noun} in {span}"),
                _ if bad == 0 => format!("All {all} {noun} succeeded in {span}"),
                _ => format!("{failed} of {all} {noun} failed in {span}{}", mostly(sample, bad)),
            }
        }
        Signal::CallThrottledShare => {
            format!(
                "{failed} of {all} {} {} throttled in {span}",
                noun("attempt"),
                if bad == 1 { "was" } else { "were" }
            )
        }
        Signal::CallRate => format!("{all} {} in {span}", noun("call")),
        _ => {
            let percentile = signal.name().rsplit('.').next().unwrap_or_default().replace('_', ".");
            let value = standing.value.map_or_else(|| "unknown".into(), figure::duration);
            format!("{percentile} of {all} {} was {value} over {span}", noun("call"))
        }
    }
}

/// `min_count` and `or_consecutive` of the level's or branch's measure.
fn measure_at(rule: &Rule, at: usize) -> Option<(u64, usize)> {
    let measure = match &rule.condition {
        Condition::Levels(measure, _) => Some(measure),
        Condition::Any(branches) => branches.get(at).map(|branch| &branch.measure),
    };
    measure.map(|measure| (measure.min_count, measure.or_consecutive))
}

fn mostly(sample: &CallSample, bad: u64) -> String {
    match sample.failures.first() {
        Some((class, count)) if *count >= bad => format!(", all of them {}", class_text(*class)),
        Some((class, count)) => format!(", mostly {} ({})", class_text(*class), figure::exact(*count)),
        None => String::new(),
    }
}

fn class_text(class: Class) -> &'static str {
    match class {
        Class::AmbiguousRead => "not found",
        Class::AmbiguousWrite => "conflict",
        class => class.name(),
    }
}

fn credential(expires_at: i64, now: i64, verdict: Verdict) -> String {
    let left = expires_at.saturating_sub(now);
    let when = DateTime::<Utc>::from_timestamp(expires_at, 0)
        .map_or_else(String::new, |at| format!(", on {}", at.format("%-d %b %Y at %H:%M UTC")));
    let span = figure::duration(left as f64);
    match (left, verdict) {
        (..=0, _) => format!("It expired {span} ago{when}"),
        (_, Verdict::Clear) => format!("Renewed: it now expires in {span}{when}"),
        _ => format!("It expires in {span}{when}, and nothing renews it by itself"),
    }
}

fn queue(signal: Signal, depth: Option<f64>, oldest_age: Option<f64>) -> String {
    let items = depth.map(|depth| format!("{} {}", figure::count(depth), figure::plural("item", depth)));
    let age = oldest_age.map(figure::duration);
    match (signal, items, age) {
        (Signal::QueueOldestAge, Some(items), Some(age)) => {
            format!("The oldest ready item has waited {age}; the queue holds {items}")
        }
        (Signal::QueueOldestAge, None, Some(age)) => format!("The oldest ready item has waited {age}"),
        (_, Some(items), Some(age)) => format!("The queue holds {items}; the oldest has waited {age}"),
        (_, Some(items), None) => format!("The queue holds {items}"),
        _ => String::new(),
    }
}

fn reconciliation(gap: &OpenGap) -> String {
    if gap.records == 0 {
        return "Clean runs cover every window that was open".into();
    }
    let further = match gap.runs_since {
        0 => String::new(),
        runs => {
            format!("; still so after {} further {}", figure::exact(runs), figure::plural("run", runs as f64))
        }
    };
    let noun = figure::plural("record", gap.expected as f64);
    let verb = if gap.records == 1 { "does" } else { "do" };
    if gap.amount_differs && gap.records == 1 {
        return format!(
            "The amounts of {} expected {noun} differ though the counts may agree{further}",
            figure::exact(gap.expected)
        );
    }
    format!(
        "{} of {} expected {noun} {verb} not agree{further}",
        figure::exact(gap.records),
        figure::exact(gap.expected)
    )
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
                    .map(|(class, count)| format!("{} {}", class_text(*class), figure::exact(*count)))
                    .collect();
                push("By cause", by_class.join(", "));
            }
            if let Some((_, asked @ 1..)) = measure_at(rule, standing.at)
                && let Some(latest) = sample.latest.get(..asked)
            {
                let bad = latest.iter().filter(|good| !**good).count();
                push(&format!("Latest {asked}"), format!("{bad} failed"));
            }
            push("Window", figure::duration(f64::from(sample.minutes) * 60.0));
        }
        Figures::Credential { expires_at, .. } => {
            if let Some(at) = DateTime::<Utc>::from_timestamp(*expires_at, 0) {
                push("Expires", at.format("%Y-%m-%d %H:%M UTC").to_string());
            }
        }
        Figures::Queue { depth, oldest_age } => {
            if let Some(age) = oldest_age {
                push("Oldest ready item", figure::duration(*age));
            }
            if let Some(depth) = depth {
                push("Items", figure::exact(depth.max(0.0) as u64));
            }
        }
        Figures::Reconciliation(gap) => {
            push("Do not agree", figure::exact(gap.records));
            push("Expected in the open windows", figure::exact(gap.expected));
            push("Further runs", figure::exact(gap.runs_since));
            push(
                "Amounts",
                if gap.amount_differs { "differ" } else { "agree or are not reported" }.to_owned(),
            );
        }
        Figures::Forgotten | Figures::Gone | Figures::Nothing => {}
    }
    out
}

/// Labels as a person reads them, in the rule's order: `hubspot-crm · POST /contacts`.
pub fn place(labels: &BTreeMap<String, String>) -> String {
    let order =
        ["integration", "peer", "endpoint", "connection", "credential", "queue", "reconciliation", "entity"];
    let parts: Vec<&str> = order
        .iter()
        .filter_map(|label| labels.get(*label))
        .map(String::as_str)
        .filter(|value| !value.is_empty())
        .collect();
    parts.join(" · ")
}
