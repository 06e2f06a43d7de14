//! What a mail says: one sentence of what is wrong, the evidence, since when, the first steps, three links.

use askama::Template;

use super::header::{safe, shortened};
use crate::alert::incident::{Change, Incident, Severity, Transition};
use crate::signals::telemetry::Nanos;
use crate::store::mail::NewMail;

/// Longest subject, in characters: what a phone shows.
const SUBJECT: usize = 70;
/// Columns of the text part.
const COLUMNS: usize = 72;
/// Longest piece of a runbook in a mail.
const STEPS: usize = 600;

/// What a mail needs beyond its incident.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Address of the dashboard, without a slash at its end.
    pub base_url: String,
    /// The runbook's Markdown.
    pub runbook: String,
    /// `HubSpot → CRM`, empty when not known.
    pub route: String,
    /// The trend: (share of the bar's height 0 to 1, whether it is bad), oldest first; empty where there is none.
    pub trend: Vec<(f64, bool)>,
    /// What a bar is: `success rate, five minutes a bar`.
    pub trend_of: String,
    /// Endpoints that fail: (name, failed, calls), worst first.
    pub endpoints: Vec<(String, u64, u64)>,
    /// Now.
    pub now: Nanos,
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

/// All that the templates show, in words.
struct Body {
    subject: String,
    state: &'static str,
    color: &'static str,
    integration: String,
    environment: String,
    route: String,
    title: String,
    sentence: String,
    sentence_wrapped: String,
    value: String,
    worst: String,
    threshold: String,
    since: String,
    lasted: String,
    evidence: Vec<(String, String)>,
    trend_text: String,
    trend_bars: Vec<(u32, bool)>,
    trend_of: String,
    endpoints: Vec<(String, u64, u64)>,
    steps: Vec<String>,
    steps_wrapped: Vec<String>,
    open_link: String,
    incident_link: String,
    runbook_link: String,
    rule: String,
    code: String,
}

/// Mails for one transition, one for each recipient.
pub fn compose(transition: &Transition, context: &Context, recipients: &[Recipient]) -> Vec<NewMail> {
    let incident = &transition.incident;
    let over = matches!(transition.change, Change::Resolved | Change::RuleRemoved)
        || (transition.change == Change::Settled && incident.resolved_at.is_some());
    let body = body(transition, context, over);
    let render = if over {
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

fn body(transition: &Transition, context: &Context, over: bool) -> Body {
    let incident = &transition.incident;
    let label = |name: &str| incident.labels.get(name).cloned().unwrap_or_default();
    let integration = label("integration");
    let (state, color) = match (over, transition.change, incident.severity) {
        (true, Change::RuleRemoved, _) => ("rule removed", "#2f8f5b"),
        (true, ..) => ("resolved", "#2f8f5b"),
        (_, Change::Flapping, _) => ("unsteady", "#a86400"),
        (_, _, Severity::Critical) => ("failing", "#c4321f"),
        (_, _, Severity::Warning) => ("degraded", "#a86400"),
        (_, _, Severity::Info) => ("notice", "#3b63c9"),
    };
    let end = incident.resolved_at.unwrap_or(context.now);
    let sentence = incident.sentence.trim_end_matches('.');
    let steps = first_steps(&context.runbook);
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
    Body {
        subject: subject(incident),
        state,
        color,
        environment: label("environment"),
        route: context.route.clone(),
        title: incident.title.clone(),
        sentence_wrapped: wrapped(&format!("{}: {}.", incident.title, sentence), COLUMNS, ""),
        sentence: sentence.to_owned(),
        value: incident.value.clone(),
        worst: incident.worst.clone(),
        threshold: incident.threshold.clone(),
        since: utc(incident.since),
        lasted: lasted(end - incident.since),
        evidence: incident.evidence.clone(),
        trend_text: context.trend.iter().map(|(share, _)| block(*share)).collect(),
        trend_bars: context
            .trend
            .iter()
            .map(|(share, bad)| (4 + (share.clamp(0.0, 1.0) * 32.0) as u32, *bad))
            .collect(),
        trend_of: context.trend_of.clone(),
        endpoints: context.endpoints.iter().take(5).cloned().collect(),
        steps_wrapped: steps.iter().map(|step| wrapped(step, COLUMNS, "   ")).collect(),
        steps,
        open_link: format!("{base}/integrations/{}?{range}", encoded(&integration)),
        incident_link: format!("{base}/incidents/{}", incident.code),
        runbook_link: format!("{base}/runbooks/{}", incident.runbook.trim_end_matches(".md")),
        rule: incident.rule.to_string(),
        code: incident.code.clone(),
        integration,
    }
}

/// The same for the whole life of an incident: cause, integration, where, code; no value, at most 70 characters.
fn subject(incident: &Incident) -> String {
    let label = |name: &str| incident.labels.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let cause =
        if incident.cause.is_empty() { incident.rule.to_string() } else { incident.cause.to_uppercase() };
    let place = ["endpoint", "credential", "queue", "reconciliation", "connection", "peer"]
        .into_iter()
        .find_map(label);
    let integration = shortened(label("integration").unwrap_or("integration"), 28);
    let room =
        SUBJECT.saturating_sub(cause.chars().count() + integration.chars().count() + incident.code.len() + 9);
    match place {
        Some(place) if room >= 6 => {
            format!("{cause} · {integration} · {} · {}", shortened(place, room), incident.code)
        }
        _ => format!("{cause} · {integration} · {}", incident.code),
    }
}

/// The lines of "First look" in a runbook, without their Markdown.
fn first_steps(runbook: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    let mut length = 0;
    let section = runbook.lines().skip_while(|line| !line.starts_with("## First look")).skip(1);
    for line in
        section.take_while(|line| !line.starts_with("## ")).map(str::trim).filter(|line| !line.is_empty())
    {
        let plain = without_links(&line.replace("**", "").replace('`', ""));
        length += plain.chars().count();
        if length > STEPS {
            break;
        }
        let starts = plain.starts_with(|c: char| c.is_ascii_digit()) || plain.starts_with(['-', '*']);
        match steps.last_mut() {
            Some(before) if !starts => {
                before.push(' ');
                before.push_str(&plain);
            }
            _ => steps.push(plain),
        }
    }
    steps
}

/// `[text](target)` as `text`.
fn without_links(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        match after.split_once("](").and_then(|(text, tail)| Some((text, tail.split_once(')')?.1))) {
            Some((text, tail)) => {
                plain.push_str(text);
                rest = tail;
            }
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

/// Lines of at most `columns` characters, those after the first indented.
fn wrapped(text: &str, columns: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { continue };
        if !line.trim().is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(format!("{indent}{word}"));
        } else {
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

fn block(share: f64) -> char {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    BLOCKS[((share.clamp(0.0, 1.0) * 7.0).round() as usize).min(7)]
}

fn utc(time: Nanos) -> String {
    chrono::DateTime::from_timestamp_nanos(time).format("%-d %B %Y, %H:%M UTC").to_string()
}

fn lasted(nanos: Nanos) -> String {
    let minutes = (nanos / 60_000_000_000).max(0);
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => "under a minute".into(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests;
