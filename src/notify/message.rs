//! What a mail says: one sentence of what is wrong, what changed, the evidence, the first steps, links. How a mail begins
//! depends on what happened: it fired, it got worse, it is over, or its rule is gone.

use askama::Template;
use chrono::{FixedOffset, Offset, Utc};

use super::header::{safe, shortened};
use super::prose::{Speaker, block, first_steps, wrapped};
use crate::alert::incident::{Incident, Transition};
use crate::signals::telemetry::Nanos;
use crate::store::mail::{Kind, NewMail};
use look::{Look, is_over, look};

pub mod look;
pub mod rows;
pub mod subject;

/// So many others of a group are listed; the rest is counted.
const LISTED: usize = 10;
/// So many failing calls are shown.
const SAMPLES: usize = 3;
/// So many others who are told are named.
const OTHERS: usize = 6;
/// Longest sentence, name of an endpoint, and what a call said: a mail stays small whatever it is told.
const SENTENCE: usize = 600;
const NAME: usize = 100;
const DETAIL: usize = 240;
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
    /// What changed before it began, newest first: versions, credentials, contracts.
    pub changes: Vec<(Nanos, String)>,
    /// Failing calls, each of another kind.
    pub samples: Vec<Sample>,
    /// Who else is told, addresses.
    pub others: Vec<String>,
    /// When the next reminder comes, a sentence; empty where none does.
    pub next: String,
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
            changes: Vec::new(),
            samples: Vec::new(),
            others: Vec::new(),
            next: String::new(),
            report: None,
            vendor_status: String::new(),
            zone: Utc.fix(),
            now: 0,
        }
    }
}

/// A failing call.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// What was called, how it ended, after how long.
    pub line: String,
    /// What was said, redacted.
    pub detail: String,
    /// Where its trace is shown.
    pub link: String,
}

/// One recipient and the first mail of the incident that went to them.
#[derive(Clone, Debug, Default)]
pub struct Recipient {
    /// Address.
    pub address: String,
    /// Message-ID of the incident's first mail to this address.
    pub thread: Option<String>,
    /// Where they acknowledge it, and where they silence it; none where there is nothing to do.
    pub act: Option<(String, String)>,
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
    look: Look,
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
    /// Others that this mail tells of: (place, value).
    also: Vec<(String, String)>,
    more_also: String,
    samples: Vec<Sample>,
    /// (what, where it leads), the first the strongest.
    links: Vec<(&'static str, String)>,
    footer: String,
}

impl Body {
    /// What lists of mails show beside the subject.
    fn preheader(&self) -> String {
        shortened(&self.headline, 140)
    }

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
    recipients.iter().map(|recipient| one(transition, context, recipient)).collect()
}

fn one(transition: &Transition, context: &Context, recipient: &Recipient) -> NewMail {
    let incident = &transition.incident;
    let body = body(transition, context, recipient);
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
    NewMail {
        id: uuid::Uuid::now_v7().to_string(),
        incident_id: incident.id.clone(),
        kind: Kind::Alert(transition.change),
        channel: String::new(),
        recipient: recipient.address.clone(),
        from_name: safe(&format!("{} {}", body.integration, body.look.state)),
        subject: if recipient.thread.is_some() { format!("Re: {subject}") } else { subject },
        message_id: message_id(transition, &recipient.address),
        in_reply_to: recipient.thread.clone(),
        headers: headers(transition, &body.integration),
        text,
        html,
        created_at: context.now,
    }
}

/// What readers and programs filter by.
fn headers(transition: &Transition, integration: &str) -> Vec<(String, String)> {
    let incident = &transition.incident;
    let word = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
    };
    let state = if is_over(transition) { "resolved" } else { "firing" };
    [
        ("List-Id", format!("<{}.alerts.seamwatch>", word(integration))),
        ("X-Seamwatch-Rule", incident.rule.to_string()),
        ("X-Seamwatch-Severity", incident.severity.name().to_owned()),
        ("X-Seamwatch-State", state.to_owned()),
        ("X-Seamwatch-Incident", incident.code.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), safe(&value)))
    .into()
}

/// Fixed before the first try: the same transition to the same recipient always has the same id.
pub fn message_id(transition: &Transition, recipient: &str) -> String {
    let to = xxhash_rust::xxh3::xxh3_64(recipient.as_bytes());
    let change = format!("{:?}", transition.change).to_lowercase();
    format!("<{}.{}.{change}.{to:016x}@seamwatch>", transition.incident.id, transition.at.0)
}

fn body(transition: &Transition, context: &Context, recipient: &Recipient) -> Body {
    let incident = &transition.incident;
    let label = |name: &str| incident.labels.get(name).cloned().unwrap_or_default();
    let integration = label("integration");
    let shown = if integration.is_empty() { label("peer") } else { integration.clone() };
    let speaker = Speaker { zone: context.zone, now: context.now };
    let look = look(transition);
    let end = incident.resolved_at.unwrap_or(context.now);
    let over = is_over(transition);
    let (steps, left) = first_steps(&context.runbook);
    let said = if over && !incident.ending.is_empty() { &incident.ending } else { &incident.sentence };
    let headline = format!("{} {}", look::lead(transition, end, &speaker), speaker.sentence(said));
    let bar = |bar: &Option<(f64, bool)>| match bar {
        None => Bar { height: 2, color: "#b9bcc0" },
        Some((share, bad)) => Bar {
            height: 4 + (share.clamp(0.0, 1.0) * 32.0) as u32,
            color: if *bad { "#d2432f" } else { "#8fbfa2" },
        },
    };
    let steps = steps.iter().map(|step| step.replace("=NAME", &format!("={}", encoded(&integration))));
    let also = &incident.also;
    let endpoint = |(name, failed, calls): &(String, u64, u64)| (shortened(name, NAME), *failed, *calls);
    let bounded = |one: &Sample| Sample {
        line: shortened(&one.line, NAME + 60),
        detail: shortened(&one.detail, DETAIL),
        link: one.link.clone(),
    };
    Body {
        subject: subject::of(incident),
        route: safe(&context.route),
        status: look::status(transition, &look.state, end, &speaker),
        headline: shortened(headline.trim(), SENTENCE),
        rows: rows::of(transition, context, &speaker, end),
        trend_text: context.trend.iter().map(|bar| block(bar.map(|(share, _)| share))).collect(),
        trend_bars: context.trend.iter().map(bar).collect(),
        trend_of: trend_of(context),
        endpoints: context.endpoints.iter().take(5).map(endpoint).collect(),
        steps: steps.collect(),
        more_steps: match left {
            0 => String::new(),
            1 => "One more step is in the runbook.".into(),
            left => format!("{left} more steps are in the runbook."),
        },
        also: also
            .iter()
            .take(LISTED)
            .map(|(place, value)| (shortened(&safe(place), NAME), shortened(&safe(value), 40)))
            .collect(),
        more_also: match also.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!("And {more} more; the incident's page lists them."),
        },
        samples: if over { Vec::new() } else { context.samples.iter().take(SAMPLES).map(bounded).collect() },
        links: links(incident, context, recipient, end),
        footer: footer(incident, context),
        integration: safe(&shown),
        look,
    }
}

/// What the trend shows, with its lowest and highest: no colour has to be seen.
fn trend_of(context: &Context) -> String {
    let shares: Vec<f64> = context.trend.iter().flatten().map(|(share, _)| *share).collect();
    let (low, high) =
        shares.iter().fold((1.0f64, 0.0f64), |(low, high), one| (low.min(*one), high.max(*one)));
    let percent = crate::alert::figure::percent;
    format!("{}, from {} to {}.", context.trend_of.trim_end_matches('.'), percent(low), percent(high))
}

fn links(
    incident: &Incident,
    context: &Context,
    recipient: &Recipient,
    end: Nanos,
) -> Vec<(&'static str, String)> {
    let label = |name: &str| incident.labels.get(name).map_or("", String::as_str);
    let base = &context.base_url;
    let incident_link = format!("{base}/incidents/{}", incident.code);
    let mut links = match label("integration") {
        "" => vec![("Open", incident_link)],
        integration => {
            let (from, to) = ((incident.since - 1_800_000_000_000) / 1_000_000_000, end / 1_000_000_000 + 60);
            let environment = encoded(label("environment"));
            let range = format!("environment={environment}&from={from}&to={to}");
            let open = format!("{base}/integrations/{}?{range}", encoded(integration));
            vec![("Open", open), ("Incident", incident_link)]
        }
    };
    if let Some((acknowledge, silence)) = &recipient.act {
        links.push(("Acknowledge", acknowledge.clone()));
        links.push(("Silence", silence.clone()));
    }
    links.push(("Runbook", format!("{base}/runbooks/{}", incident.runbook.trim_end_matches(".md"))));
    links
}

/// `Rule success-rate-low, incident K7Q2. You get this because … Also told: …`
fn footer(incident: &Incident, context: &Context) -> String {
    let environment = match incident.labels.get("environment").map_or("", String::as_str) {
        "" => String::new(),
        environment => format!(", environment {environment}"),
    };
    let others = match context.others.as_slice() {
        [] => String::new(),
        others if others.len() > OTHERS => {
            let named: Vec<&str> = others.iter().take(OTHERS).map(String::as_str).collect();
            format!(" Also told: {} and {} more.", named.join(", "), others.len() - OTHERS)
        }
        others => format!(" Also told: {}.", others.join(", ")),
    };
    let next = if context.next.is_empty() { String::new() } else { format!(" {}", context.next) };
    format!(
        "Rule {}{environment}, incident {}. {}{others}{next}",
        incident.rule, incident.code, context.reason
    )
}

fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests;
