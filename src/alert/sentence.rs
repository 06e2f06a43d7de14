//! What a reading says in one sentence: its subject by name, the counts, the value against the threshold in words.

use std::collections::BTreeMap;

use crate::rollup::gap::OpenGap;
use crate::signals::call::Class;

use super::figure;
use super::instant::{written, written_seconds};
use super::judge::{Figures, Reading, Standing};
use super::rule::{Condition, Rule};
use super::sample::CallSample;
use super::saying;
use super::telling::{self, Told};
use super::threshold::Comparison;
use super::verdict::{Verdict, reaches};
use crate::signals::signal::Signal;

/// Label name → value.
type Labels = BTreeMap<String, String>;

/// The sentence; empty where there are no figures.
pub fn of(rule: &Rule, labels: &Labels, standing: &Standing, reading: &Reading) -> String {
    let verdict = reading.verdict;
    match &reading.figures {
        Figures::Calls(sample) => calls(rule, labels, standing, sample, verdict),
        Figures::Credential { expires_at, now } => credential(labels, standing, *expires_at, *now, verdict),
        Figures::Queue { depth, oldest_age, at } => {
            queue(labels, standing, (*depth, *oldest_age, *at), verdict)
        }
        Figures::Reconciliation(gap) => reconciliation(labels, standing, gap),
        Figures::Value { why, .. } => value(labels, standing, why, verdict),
        Figures::Forgotten | Figures::Gone | Figures::Nothing => String::new(),
    }
}

/// When the level or branch that stands breaches, in words: `under 95 %`, `over 0.1 % of the records`.
pub fn threshold(standing: &Standing) -> String {
    let Some(extra) = &standing.extra else {
        let words = standing.fire.words(standing.signal);
        return match standing.signal {
            Signal::CredentialExpiresIn if standing.fire.limit <= 0.0 => "at expiry".into(),
            Signal::CredentialExpiresIn => format!("{words} left"),
            _ => words,
        };
    };
    let words = extra.threshold.as_ref().map(|threshold| threshold.words(extra.signal)).unwrap_or_default();
    match extra.signal {
        Signal::ReconciliationGapShare => format!("{words} of the records"),
        Signal::ReconciliationOpenRuns => format!("{words} without an end"),
        Signal::ReconciliationAmountDiffers => "when amounts differ".into(),
        _ => extra.text.clone(),
    }
}

/// What the rule wants, as the end of a sentence: `the rule asks for at least 95 %`.
fn wanted(standing: &Standing) -> String {
    let (signal, fire) = (standing.signal, &standing.fire);
    if standing.extra.is_some() {
        return format!("the rule fires {}", threshold(standing));
    }
    let limit = figure::value(signal.unit(), fire.limit);
    match fire.comparison {
        Comparison::Below => format!("the rule asks for at least {limit}"),
        Comparison::AtMost => format!("the rule asks for more than {limit}"),
        Comparison::Above => format!("the rule allows {limit}"),
        Comparison::AtLeast if fire.limit <= 1.0 => "the rule allows none".into(),
        Comparison::AtLeast => format!("the rule allows fewer than {limit}"),
    }
}

/// A class of failures as people say it: `server errors (5xx)`.
pub const fn class(class: Class) -> &'static str {
    match class {
        Class::Ok => "successes",
        Class::Partial => "partial successes",
        Class::Rejected => "answers that refused the caller (4xx)",
        Class::Ignored => "ignored",
        Class::Cancelled => "cancelled",
        Class::Throttled => "throttled (429)",
        Class::Auth => "refused credentials (401, 403)",
        Class::AmbiguousRead => "not found (404, 410)",
        Class::AmbiguousWrite => "conflicts (409, 412)",
        Class::Validation => "rejected requests (4xx)",
        Class::Timeout => "timeouts",
        Class::Server => "server errors (5xx)",
        Class::Network => "network errors",
        Class::Contract => "unexpected answers",
        Class::Failed => "reported as failed",
    }
}

/// A cause as people say it; what is no class of calls stays as it is.
pub fn cause(name: &str) -> String {
    Class::from_name(name).map_or_else(|| name.replace('_', " "), |found| class(found).to_owned())
}

fn label<'l>(labels: &'l Labels, name: &str) -> &'l str {
    labels.get(name).map_or("", String::as_str)
}

/// ` to PATCH /contacts/{id} at api.hubapi.com`; empty where the rule judges an integration as a whole.
fn target(labels: &Labels) -> String {
    let inbound = label(labels, "direction") == "inbound";
    let by = |name: &str, word: &str| match label(labels, name) {
        "" => String::new(),
        value => format!(" {word} {value}"),
    };
    let mut text = by("endpoint", "to");
    text += &by(
        "peer",
        if inbound {
            "from"
        } else if text.is_empty() {
            "to"
        } else {
            "at"
        },
    );
    text += &by("connection", "for");
    text + &by("credential", "with")
}

fn calls(rule: &Rule, labels: &Labels, standing: &Standing, sample: &CallSample, verdict: Verdict) -> String {
    let signal = standing.signal;
    let span = figure::duration(f64::from(sample.minutes) * 60.0);
    let (count, bad) = (sample.count(signal).round() as u64, sample.bad(signal).round() as u64);
    let (all, failed) = (figure::exact(count), figure::exact(bad));
    let to = target(labels);
    let noun = |noun: &str| format!("{}{to}", figure::plural(noun, count as f64));
    let breaches = verdict == Verdict::Breach;
    let value =
        || standing.value.map_or_else(|| "unknown".into(), |value| figure::value(signal.unit(), value));
    match signal {
        Signal::CallSuccessRate | Signal::AttemptSuccessRate => {
            let noun = noun(if signal == Signal::CallSuccessRate { "call" } else { "attempt" });
            let measure = measure_at(rule, standing.at);
            let asked = measure.map_or(0, |(_, asked)| asked);
            let latest = sample.latest.get(..asked).filter(|latest| !latest.is_empty());
            let enough = measure.is_some_and(|(least, _)| reaches(sample.count(signal), least));
            let against = if breaches { format!(", {}", wanted(standing)) } else { String::new() };
            match latest {
                Some(latest) if breaches && latest.iter().all(|good| !good) => {
                    let tail = match bad {
                        0 => String::new(),
                        _ => format!("; in {span} {failed} of {all} failed{}", mostly(sample, bad)),
                    };
                    format!("The latest {asked} calls{to} all failed{tail}.")
                }
                Some(latest) if !enough && latest.iter().all(|good| *good) => {
                    format!("The latest {asked} calls{to} all succeeded.")
                }
                _ if count == 0 => format!("No {noun} in {span}."),
                _ if bad == 0 => format!("All {all} {noun} succeeded in {span}."),
                _ => format!(
                    "{failed} of {all} {noun} failed in {span}{}: {} succeeded{against}.",
                    mostly(sample, bad),
                    value()
                ),
            }
        }
        Signal::CallThrottledShare => {
            let were = if bad == 1 { "was" } else { "were" };
            let against =
                if breaches { format!(": {}, {}", value(), wanted(standing)) } else { String::new() };
            format!("{failed} of {all} {} {were} throttled in {span}{against}.", noun("attempt"))
        }
        Signal::RecordSuccessRate => {
            let records = figure::plural("record", count as f64);
            let against = if breaches { format!(", {}", wanted(standing)) } else { String::new() };
            format!(
                "{failed} of {all} {records} sent{to} failed in {span} inside good answers: {} succeeded{against}.",
                value()
            )
        }
        Signal::CallRetryAmplification => {
            let against = if breaches { format!(", {}", wanted(standing)) } else { String::new() };
            format!("Each of {all} {} took {} attempts in {span}{against}.", noun("operation"), value())
        }
        Signal::RetryExhausted if bad == 0 => format!("No operation{to} was given up in {span}."),
        Signal::RetryExhausted => {
            let (operations, were) =
                (figure::plural("operation", bad as f64), if bad == 1 { "was" } else { "were" });
            format!("{failed} {operations}{to} {were} given up in {span} because of throttling.")
        }
        Signal::CallRate => {
            let against = if breaches { format!(", {}", wanted(standing)) } else { String::new() };
            format!("{all} {} in {span}: {}{against}.", noun("call"), value())
        }
        _ => {
            let percentile = signal.name().rsplit('.').next().unwrap_or_default().replace('_', ".");
            let against = if breaches { format!(", {}", wanted(standing)) } else { String::new() };
            format!("The {percentile} of {all} {} was {} over {span}{against}.", noun("call"), value())
        }
    }
}

/// `min_count` and `or_consecutive` of the level's or branch's measure.
pub fn measure_at(rule: &Rule, at: usize) -> Option<(u64, usize)> {
    let measure = match &rule.condition {
        Condition::Levels(measure, _) => Some(measure),
        Condition::Any(branches) => branches.get(at).map(|branch| &branch.measure),
    };
    measure.map(|measure| (measure.min_count, measure.or_consecutive))
}

fn mostly(sample: &CallSample, bad: u64) -> String {
    match sample.failures.first() {
        Some((first, count)) if *count >= bad && bad == 1 => format!(" ({})", class(*first)),
        Some((first, count)) if *count >= bad => format!(", all of them {}", class(*first)),
        Some((first, count)) => format!(", {} of them {}", figure::exact(*count), class(*first)),
        None => String::new(),
    }
}

fn credential(labels: &Labels, standing: &Standing, expires_at: i64, now: i64, verdict: Verdict) -> String {
    let left = expires_at.saturating_sub(now);
    let name = label(labels, "credential");
    let name = if name.is_empty() { "A credential".to_owned() } else { format!("The credential {name}") };
    let (span, at) = (figure::duration(left as f64), written_seconds(expires_at));
    match (left, verdict) {
        (..=0, _) => format!("{name} expired {span} ago, at {at}: calls with it are refused."),
        (_, Verdict::Clear) => format!("{name} was renewed: it now expires in {span}, at {at}."),
        _ => {
            let limit = figure::duration(standing.fire.limit);
            let warns = if standing.fire.limit > 0.0 && verdict == Verdict::Breach {
                format!("; the rule warns under {limit}")
            } else {
                String::new()
            };
            format!("{name} expires in {span}, at {at}, and nothing renews it by itself{warns}.")
        }
    }
}

/// A queue moves on between two ticks, so the sentence says when its figure was true.
fn queue(
    labels: &Labels,
    standing: &Standing,
    (depth, oldest_age, at): (Option<f64>, Option<f64>, i64),
    verdict: Verdict,
) -> String {
    let name = label(labels, "queue");
    let name = if name.is_empty() { "the queue" } else { name };
    let at = written(at);
    let against = if verdict == Verdict::Breach { format!("; {}", wanted(standing)) } else { String::new() };
    match (standing.signal, depth, oldest_age) {
        (Signal::QueueDepth, Some(depth), _) => {
            let items = figure::plural("item", depth);
            let name = if name == "the queue" { "The queue" } else { name };
            format!("{name} held {} ready {items} at {at}{against}.", figure::count(depth))
        }
        (_, _, Some(age)) => {
            let age = figure::duration(age);
            match verdict {
                Verdict::Clear => format!("The oldest item ready in {name} had waited only {age} at {at}."),
                _ => format!("The oldest item ready in {name} had waited {age} at {at}{against}."),
            }
        }
        _ => String::new(),
    }
}

/// `work.missed is 31 events; the rule allows fewer than 14: no call since 02:04.`
fn value(labels: &Labels, standing: &Standing, why: &str, verdict: Verdict) -> String {
    let Some(value) = standing.value else { return String::new() };
    let told = Told { labels, signal: standing.signal, value, why, verdict };
    if let Some(sentence) = telling::of(&told) {
        return sentence;
    }
    let by_name = || format!("{}: {}", standing.signal.title(), figure::value(standing.signal.unit(), value));
    let said = saying::of(labels, standing, verdict).unwrap_or_else(by_name);
    let against = if verdict == Verdict::Breach { format!("; {}", wanted(standing)) } else { String::new() };
    let because = if why.is_empty() { String::new() } else { format!(": {why}") };
    format!("{said}{against}{because}.")
}

fn reconciliation(labels: &Labels, standing: &Standing, gap: &OpenGap) -> String {
    let name = label(labels, "reconciliation");
    let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
    if gap.records == 0 {
        return format!("{name}clean runs cover every window that was open.");
    }
    let entity = match label(labels, "entity") {
        "" => String::new(),
        entity => format!("{entity} "),
    };
    let noun = figure::plural("record", gap.expected as f64);
    let of = format!("{} expected {entity}{noun}", figure::exact(gap.expected));
    let further = match gap.runs_since {
        0 => String::new(),
        runs => {
            format!(", still so after {} further {}", figure::exact(runs), figure::plural("run", runs as f64))
        }
    };
    let wanted = wanted(standing);
    if gap.amount_differs && gap.records == 1 {
        return format!("{name}the amounts of {of} differ though the counts may agree{further}; {wanted}.");
    }
    let verb = if gap.records == 1 { "does" } else { "do" };
    let kinds = kinds(gap);
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({kinds})") };
    format!("{name}{} of {of} {verb} not agree{kinds}{further}; {wanted}.", figure::exact(gap.records))
}

/// `214 missing, 3 unexpected, 2 differing`: what kind of gap it is says where to look.
pub fn kinds(gap: &OpenGap) -> String {
    [(gap.missing, "missing"), (gap.unexpected, "unexpected"), (gap.mismatched, "differing")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{} {kind}", figure::exact(count)))
        .collect::<Vec<_>>()
        .join(", ")
}
