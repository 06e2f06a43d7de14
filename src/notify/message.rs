//! What a mail says: one sentence of what is wrong, what changed, the evidence, the first steps, three links. How a
//! mail begins depends on what happened: it fired, it got worse, it is over, or its rule is gone.

use askama::Template;
use chrono::{FixedOffset, Offset, Utc};

use super::header::{safe, shortened};
use super::prose::{Speaker, block, first_steps, lasted, wrapped};
use crate::alert::incident::{Change, Incident, Severity, Transition};
use crate::alert::sentence;
use crate::signals::telemetry::Nanos;
use crate::store::mail::NewMail;

/// Longest subject, in characters: what a phone shows.
const SUBJECT: usize = 70;
/// Columns of the text part.
const COLUMNS: usize = 72;

/// What a mail needs beyond its incident.
#[derive(Clone, Debug)]
pub struct Context {
    /// Address of the dashboard, without a slash at its end.
    pub base_url: String,
    /// The runbook's Markdown.
    pub runbook: String,
    /// `HubSpot → CRM`, empty when not known.
    pub route: String,
    /// Who owns the integration, empty when nobody says.
    pub owner: String,
    /// Why the recipients get it, a sentence.
    pub reason: String,
    /// The trend: (share of 1, whether it is bad), oldest first, none where nothing is known; empty without a trend.
    pub trend: Vec<Option<(f64, bool)>>,
    /// What the trend shows: `Success rate of the last two hours, 5 minutes a bar.`
    pub trend_of: String,
    /// The same figure before it began, in words; empty when not known.
    pub before: String,
    /// Endpoints that fail: (name, failed, calls), worst first.
    pub endpoints: Vec<(String, u64, u64)>,
    /// A failing call: what was called and how it ended, and what was said.
    pub failing_call: Option<(String, String)>,
    /// What the integration said of its last failed run, and when.
    pub report: Option<(Nanos, String)>,
    /// Where the vendor tells of outages: `GitHub, https://…`; empty when not known.
    pub vendor_status: String,
    /// The server's zone.
    pub zone: FixedOffset,
    /// Now.
    pub now: Nanos,
}

impl Default for Context {
    fn default() -> Context {
        Context {
            base_url: String::new(),
            runbook: String::new(),
            route: String::new(),
            owner: String::new(),
            reason: String::new(),
            trend: Vec::new(),
            trend_of: String::new(),
            before: String::new(),
            endpoints: Vec::new(),
            failing_call: None,
            report: None,
            vendor_status: String::new(),
            zone: Utc.fix(),
            now: 0,
        }
    }
}

/// One recipient and the first mail of the incident that went to them.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// Address.
    pub address: String,
    /// Message-ID of the incident's first mail to this address.
    pub thread: Option<String>,
}

#[derive(Template)]
#[template(path = "email/firing/body.txt", escape = "none")]
struct FiringText<'b> {
    b: &'b Body,
}

#[derive(Template)]
#[template(path = "email/firing/body.html")]
struct FiringHtml<'b> {
    b: &'b Body,
}

#[derive(Template)]
#[template(path = "email/firing/subject.txt", escape = "none")]
struct FiringSubject<'b> {
    b: &'b Body,
}

#[derive(Template)]
#[template(path = "email/resolved/body.txt", escape = "none")]
struct ResolvedText<'b> {
    b: &'b Body,
}

#[derive(Template)]
#[template(path = "email/resolved/body.html")]
struct ResolvedHtml<'b> {
    b: &'b Body,
}

#[derive(Template)]
#[template(path = "email/resolved/subject.txt", escape = "none")]
struct ResolvedSubject<'b> {
    b: &'b Body,
}

/// A bar of the trend: its height in pixels and its colour.
struct Bar {
    height: u32,
    color: &'static str,
}

/// All that the templates show, in words.
struct Body {
    subject: String,
    integration: String,
    route: String,
    /// `failing`, for the sender's name.
    state: &'static str,
    /// `bad`, `warn`, `ok`, `info` or `soft`: the class that a dark scheme recolours.
    tone: &'static str,
    color: &'static str,
    mark: &'static str,
    /// `Failing since 19:42 UTC, critical`.
    status: String,
    headline: String,
    /// What stands under the headline: (what, text), in order.
    rows: Vec<(String, String)>,
    trend_text: String,
    trend_bars: Vec<Bar>,
    trend_of: String,
    endpoints: Vec<(String, u64, u64)>,
    steps: Vec<String>,
    more_steps: String,
    failing_call: Option<(String, String)>,
    open_link: String,
    incident_link: String,
    runbook_link: String,
    footer: String,
}

impl Body {
    fn wrap(&self, text: &str) -> String {
        wrapped(text, COLUMNS, "")
    }

    fn wrap_row(&self, what: &str, text: &str) -> String {
        wrapped(&format!("{what}: {text}"), COLUMNS, "  ")
    }

    fn wrap_step(&self, step: &str) -> String {
        wrapped(step, COLUMNS, "   ")
    }
}

/// Mails for one transition, one for each recipient.
pub fn compose(transition: &Transition, context: &Context, recipients: &[Recipient]) -> Vec<NewMail> {
    let incident = &transition.incident;
    let body = body(transition, context);
    let render = if is_over(transition) {
        [
            ResolvedSubject { b: &body }.render(),
            ResolvedText { b: &body }.render(),
            ResolvedHtml { b: &body }.render(),
        ]
    } else {
        [
            FiringSubject { b: &body }.render(),
            FiringText { b: &body }.render(),
            FiringHtml { b: &body }.render(),
        ]
    };
    // Rendering into a string cannot fail; an empty part would still be a mail that says where to look.
    let [subject, text, html] = render.map(Result::unwrap_or_default);
    let subject = safe(&subject);
    let one = |recipient: &Recipient| NewMail {
        id: uuid::Uuid::now_v7().to_string(),
        incident_id: incident.id.clone(),
        change: transition.change,
        recipient: recipient.address.clone(),
        from_name: safe(&format!("{} {}", body.integration, body.state)),
        subject: if recipient.thread.is_some() { format!("Re: {subject}") } else { subject.clone() },
        message_id: message_id(transition, &recipient.address),
        in_reply_to: recipient.thread.clone(),
        text: text.clone(),
        html: html.clone(),
        created_at: context.now,
    };
    recipients.iter().map(one).collect()
}

/// Fixed before the first try: the same transition to the same recipient always has the same id.
fn message_id(transition: &Transition, recipient: &str) -> String {
    let to = xxhash_rust::xxh3::xxh3_64(recipient.as_bytes());
    let change = format!("{:?}", transition.change).to_lowercase();
    format!("<{}.{}.{change}.{to:016x}@seamwatch>", transition.incident.id, transition.at.0)
}

fn is_over(transition: &Transition) -> bool {
    matches!(transition.change, Change::Resolved | Change::RuleRemoved)
        || (transition.change == Change::Settled && transition.incident.resolved_at.is_some())
}

/// (state, class, colour on white, mark): a mail is read in black and white too.
fn look(transition: &Transition) -> (&'static str, &'static str, &'static str, &'static str) {
    match (is_over(transition), transition.change, transition.incident.severity) {
        (true, Change::RuleRemoved, _) => ("rule removed", "soft", "#5d6166", "◌"),
        (true, ..) => ("resolved", "ok", "#23784a", "●"),
        (_, Change::Flapping, _) => ("unsteady", "warn", "#915600", "▲"),
        (_, _, Severity::Critical) => ("failing", "bad", "#c4321f", "■"),
        (_, _, Severity::Warning) => ("degraded", "warn", "#915600", "▲"),
        (_, _, Severity::Info) => ("notice", "info", "#3459bd", "○"),
    }
}

/// `Failing since 19:42 UTC, critical`; `Resolved at 19:55 UTC after 13 min`.
fn status(transition: &Transition, state: &str, end: Nanos, speaker: &Speaker) -> String {
    let incident = &transition.incident;
    let (since, ended) = (speaker.say(incident.since), speaker.say(end));
    let took = lasted(end - incident.since);
    let severity = incident.severity.name();
    let state =
        state.chars().next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>())
            + state.get(1..).unwrap_or_default();
    match transition.change {
        Change::Escalated => format!("Escalated to {severity}, open since {since}"),
        Change::Reopened => format!("{state} again since {since}, {severity}"),
        Change::RuleRemoved => format!("Rule removed at {ended}, {took} after it began"),
        _ if is_over(transition) => format!("Resolved at {ended} after {took}"),
        _ => format!("{state} since {since}, {severity}"),
    }
}

/// What stands under the headline.
fn rows(transition: &Transition, context: &Context, speaker: &Speaker, end: Nanos) -> Vec<(String, String)> {
    let incident = &transition.incident;
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut push = |what: &str, text: String| {
        if !text.is_empty() {
            rows.push((what.to_owned(), text));
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
        Change::Fired if !context.before.is_empty() => format!("Before {since}: {}.", context.before),
        _ => String::new(),
    };
    push("What changed", changed);
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
        for (what, figure) in &incident.evidence {
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

fn body(transition: &Transition, context: &Context) -> Body {
    let incident = &transition.incident;
    let label = |name: &str| incident.labels.get(name).cloned().unwrap_or_default();
    let integration = label("integration");
    let speaker = Speaker { zone: context.zone, now: context.now };
    let (state, tone, color, mark) = look(transition);
    let end = incident.resolved_at.unwrap_or(context.now);
    let over = is_over(transition);
    let (steps, left) = first_steps(&context.runbook);
    let query = |pairs: &[(&str, String)]| {
        let pairs: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        pairs.join("&")
    };
    let from = (incident.since - 1_800_000_000_000) / 1_000_000_000;
    let range = query(&[
        ("environment", label("environment")),
        ("from", from.to_string()),
        ("to", (end / 1_000_000_000 + 60).to_string()),
    ]);
    let base = &context.base_url;
    let said = if over && !incident.ending.is_empty() { &incident.ending } else { &incident.sentence };
    let bar = |bar: &Option<(f64, bool)>| match bar {
        None => Bar { height: 2, color: "#b9bcc0" },
        Some((share, bad)) => Bar {
            height: 4 + (share.clamp(0.0, 1.0) * 32.0) as u32,
            color: if *bad { "#d2432f" } else { "#8fbfa2" },
        },
    };
    let environment = label("environment");
    let environment =
        if environment.is_empty() { String::new() } else { format!(", environment {environment}") };
    Body {
        subject: subject(incident),
        route: safe(&context.route),
        state,
        tone,
        color,
        mark,
        status: status(transition, state, end, &speaker),
        headline: speaker.sentence(said),
        rows: rows(transition, context, &speaker, end),
        trend_text: context.trend.iter().map(|bar| block(bar.map(|(share, _)| share))).collect(),
        trend_bars: context.trend.iter().map(bar).collect(),
        trend_of: context.trend_of.clone(),
        endpoints: context.endpoints.iter().take(5).cloned().collect(),
        steps: steps
            .iter()
            .map(|step| step.replace("=NAME", &format!("={}", encoded(&integration))))
            .collect(),
        more_steps: match left {
            0 => String::new(),
            1 => "One more step is in the runbook.".into(),
            left => format!("{left} more steps are in the runbook."),
        },
        failing_call: context.failing_call.clone(),
        open_link: format!("{base}/integrations/{}?{range}", encoded(&integration)),
        incident_link: format!("{base}/incidents/{}", incident.code),
        runbook_link: format!("{base}/runbooks/{}", incident.runbook.trim_end_matches(".md")),
        footer: format!(
            "Rule {}{environment}, incident {}. {}",
            incident.rule, incident.code, context.reason
        ),
        integration: safe(&integration),
    }
}

/// The same for the whole life of an incident, so that a thread stays one: integration, what, where, code; no value,
/// at most 70 characters.
fn subject(incident: &Incident) -> String {
    let label = |name: &str| incident.labels.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let integration = shortened(label("integration").unwrap_or("integration"), 28);
    let room = SUBJECT.saturating_sub(integration.chars().count() + incident.code.len() + 5);
    let place = ["endpoint", "credential", "queue", "reconciliation", "connection", "peer"]
        .into_iter()
        .find_map(label)
        .unwrap_or_default();
    let cause = sentence::cause(&incident.first_cause);
    // The status codes are in the sentence.
    let cause = cause.split(" (").next().unwrap_or_default();
    let what = match (cause, place) {
        ("", _) => incident.title.clone(),
        (cause, "") => cause.to_owned(),
        (cause, place) => format!("{cause}, {place}"),
    };
    format!("{integration}: {} · {}", shortened(&what, room), incident.code)
}

fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests;
