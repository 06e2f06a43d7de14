//! What stands under the headline: what changed, the figures against the threshold, the counts behind them.

use super::Context;
use super::look::is_over;
use crate::alert::incident::{Change, Transition};
use crate::notify::header::shortened;
use crate::notify::prose::{Speaker, lasted};
use crate::signals::telemetry::Nanos;

/// Longest name and text of a row: a mail stays small whatever it is told.
const NAME: usize = 60;
const TEXT: usize = 220;
const SENTENCE: usize = 600;
/// So many counts are shown.
const COUNTS: usize = 8;

/// (what, text), in order.
pub fn of(
    transition: &Transition,
    context: &Context,
    speaker: &Speaker,
    end: Nanos,
) -> Vec<(String, String)> {
    let incident = &transition.incident;
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut push = |what: &str, text: String| {
        if !text.is_empty() {
            let most = if ["Was", "Last known", "What changed"].contains(&what) { SENTENCE } else { TEXT };
            rows.push((shortened(what, NAME), shortened(&text, most)));
        }
    };
    let since = speaker.say(incident.since);
    let changed = match transition.change {
        Change::Flapping => {
            "It begins and ends so often that no more mails are written until it has held still \
                             for 30 min."
                .into()
        }
        Change::Settled => "It has held still for 30 min; mails are written again.".into(),
        Change::Escalated | Change::Reopened => incident.changed.clone(),
        _ => String::new(),
    };
    push("What changed", changed);
    if !is_over(transition) {
        for (at, what) in &context.changes {
            push("Just before", format!("{what} at {}", speaker.say(*at)));
        }
        if !context.before.is_empty() {
            push("Before", format!("{}, until {since}", context.before));
        }
    }
    if is_over(transition) {
        let was = if transition.change == Change::RuleRemoved { "Last known" } else { "Was" };
        push(was, speaker.sentence(&incident.sentence));
        push("Worst", format!("{}; the rule fires {}", incident.worst, incident.threshold));
        push("Lasted", format!("{}, from {since} to {}", lasted(end - incident.since), speaker.say(end)));
    } else {
        push("Now", format!("{}; the rule fires {}", incident.value, incident.threshold));
        if incident.worst != incident.value {
            push("Worst so far", incident.worst.clone());
        }
        push("Open for", lasted(end - incident.since));
        for (what, figure) in incident.evidence.iter().take(COUNTS) {
            push(what, speaker.sentence(figure));
        }
    }
    if let Some((at, message)) = &context.report {
        push("It reported", format!("\"{message}\" at {}", speaker.say(*at)));
    }
    push("Vendor status", context.vendor_status.clone());
    push("Owner", context.owner.clone());
    rows
}
