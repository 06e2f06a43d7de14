//! What kind of mail it is, as its reader sees it first: the sender's name, the line of state, the first sentence.

use crate::alert::incident::{Change, Severity, Transition};
use crate::notify::prose::{Speaker, lasted};
use crate::signals::telemetry::Nanos;

const MINUTE: Nanos = 60_000_000_000;

/// How a mail looks: it is read in black and white too.
pub struct Look {
    /// `failing`, `still failing`, `resolved`: stands in the sender's name.
    pub state: String,
    /// `bad`, `warn`, `ok`, `info` or `soft`: the class that a dark scheme recolours.
    pub tone: &'static str,
    /// The same on white.
    pub color: &'static str,
    /// A shape.
    pub mark: &'static str,
}

/// The look of a transition's mail.
pub fn look(transition: &Transition) -> Look {
    let (word, tone, color, mark) = match (is_over(transition), transition.change) {
        (true, Change::RuleRemoved) => ("rule removed", "soft", "#5d6166", "◌"),
        (true, _) => ("resolved", "ok", "#23784a", "●"),
        (_, Change::Flapping) => ("unsteady", "warn", "#915600", "▲"),
        _ => match transition.incident.severity {
            Severity::Critical => ("failing", "bad", "#c4321f", "■"),
            Severity::Warning => ("degraded", "warn", "#915600", "▲"),
            Severity::Info => ("notice", "info", "#3459bd", "○"),
        },
    };
    let state = match transition.change {
        _ if is_over(transition) => word.to_owned(),
        Change::Fired if is_late(transition) => format!("{word}, told late"),
        Change::Reopened => format!("{word} again"),
        Change::Escalated => format!("{word}, got worse"),
        Change::Reminder => format!("still {word}"),
        Change::Unacknowledged => format!("{word}, unacknowledged"),
        Change::Joined => format!("{word}, more began"),
        Change::Settled => format!("{word}, steady again"),
        _ => word.to_owned(),
    };
    Look { state, tone, color, mark }
}

/// Whether there is nothing left to do.
pub fn is_over(transition: &Transition) -> bool {
    matches!(transition.change, Change::Resolved | Change::RuleRemoved)
        || (transition.change == Change::Settled && transition.incident.resolved_at.is_some())
}

/// Whether it fired a while ago and is told only now: it was withheld, or this server was down.
fn is_late(transition: &Transition) -> bool {
    transition.change == Change::Fired && transition.at.start() - transition.incident.opened_at > MINUTE
}

/// The sentence before the one that says what is wrong: why there is this mail. Empty where that is plain.
pub fn lead(transition: &Transition, end: Nanos, speaker: &Speaker) -> String {
    let incident = &transition.incident;
    let open_for = lasted(end - incident.since);
    match transition.change {
        Change::Fired if is_late(transition) => {
            format!("This began at {} and is told only now.", speaker.say(incident.since))
        }
        Change::Fired | Change::Eased | Change::RuleRemoved => String::new(),
        Change::Reopened => "It is back.".into(),
        Change::Escalated => format!("It got worse and is {} now.", incident.severity.name()),
        Change::Reminder => {
            format!("Still open after {open_for}, and nobody has said that they look at it.")
        }
        Change::Unacknowledged => {
            format!(
                "Open for {open_for}, and nobody has said that they look at it: you are the second to be told."
            )
        }
        Change::Joined => match incident.also.len() {
            0 | 1 => "More of the same began.".into(),
            others => format!("More of the same began: {others} others by now."),
        },
        Change::Flapping => "It begins and ends too often to be told each time.".into(),
        Change::Settled if is_over(transition) => "It has held still for half an hour and is over.".into(),
        Change::Settled => "It has held still for half an hour, and it stands.".into(),
        Change::Resolved => "It is over.".into(),
    }
}

/// `Failing since 19:42 UTC, critical`; `Resolved at 19:55 UTC after 13 min`.
pub fn status(transition: &Transition, state: &str, end: Nanos, speaker: &Speaker) -> String {
    let incident = &transition.incident;
    let (since, ended) = (speaker.say(incident.since), speaker.say(end));
    let took = lasted(end - incident.since);
    let severity = incident.severity.name();
    let state =
        state.chars().next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>())
            + state.get(1..).unwrap_or_default();
    match transition.change {
        Change::Escalated => format!("Escalated to {severity}, open since {since}"),
        Change::Reminder => format!("Reminder: open since {since}, {severity}"),
        Change::Unacknowledged => format!("Unacknowledged since {since}, {severity}"),
        Change::Joined => format!("More began; the first since {since}, {severity}"),
        Change::RuleRemoved => format!("Rule removed at {ended}, {took} after it began"),
        _ if is_over(transition) => format!("Resolved at {ended} after {took}"),
        _ => format!("{state} since {since}, {severity}"),
    }
}
