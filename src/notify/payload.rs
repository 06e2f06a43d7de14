//! What channels besides e-mail are told, as each wants it written.

use serde_json::{Value, json};

use super::header::shortened;
use super::message::Context;
use super::message::look::{is_over, lead, look};
use super::prose::Speaker;
use crate::alert::incident::{Incident, Transition};
use crate::alert::instant;
use crate::signals::telemetry::Nanos;

/// As long as PagerDuty takes a summary.
const SUMMARY: usize = 1024;
/// So many others of a group are told.
const LISTED: usize = 50;

/// JSON of ours: all that the incident says, times in UTC.
pub fn webhook(transition: &Transition, context: &Context) -> Value {
    let incident = &transition.incident;
    let also: Vec<Value> = incident
        .also
        .iter()
        .take(LISTED)
        .map(|(place, value)| json!({ "place": place, "value": value }))
        .collect();
    json!({
        "type": format!("incident.{}", change(transition)),
        "timestamp": instant::written(transition.at.start()),
        "data": {
            "id": incident.id,
            "code": incident.code,
            "rule": *incident.rule,
            "title": incident.title,
            "severity": incident.severity.name(),
            "state": if is_over(transition) { "resolved" } else { "firing" },
            "labels": incident.labels,
            "sentence": incident.sentence,
            "ending": incident.ending,
            "cause": incident.cause,
            "value": incident.value,
            "worst": incident.worst,
            "threshold": incident.threshold,
            "since": instant::written(incident.since),
            "opened_at": instant::written(incident.opened_at),
            "resolved_at": incident.resolved_at.map(instant::written),
            "also": also,
            "owner": context.owner,
            "links": { "incident": incident_link(incident, context), "runbook": runbook_link(incident, context) },
        }
    })
}

/// Slack's form: the state, the sentence, what is also meant, links.
pub fn slack(transition: &Transition, context: &Context) -> Value {
    let incident = &transition.incident;
    let look = look(transition);
    let whose = incident.labels.get("integration").or(incident.labels.get("peer")).map_or("", String::as_str);
    let said = escaped(&said(transition, context));
    let also = match incident.also.len() {
        0 => String::new(),
        1 => "\nOne other of the same.".into(),
        others => format!("\n{others} others of the same."),
    };
    let text = format!(
        "{} *{} {}* · {}\n{said}{also}\n<{}|Incident> · <{}|Runbook>",
        look.mark,
        escaped(whose),
        look.state,
        incident.code,
        incident_link(incident, context),
        runbook_link(incident, context),
    );
    json!({ "text": text, "unfurl_links": false })
}

/// PagerDuty's form, without the routing key.
pub fn pagerduty(transition: &Transition, context: &Context) -> Value {
    let incident = &transition.incident;
    let action = if is_over(transition) { "resolve" } else { "trigger" };
    let label = |name: &str| incident.labels.get(name).map_or("", String::as_str);
    let source = if label("integration").is_empty() { label("peer") } else { label("integration") };
    let details: serde_json::Map<String, Value> =
        incident.evidence.iter().map(|(what, figure)| (what.clone(), json!(figure))).collect();
    json!({
        "event_action": action,
        "dedup_key": incident.id,
        "payload": {
            "summary": shortened(&format!("{}: {}", source, said(transition, context)), SUMMARY),
            "source": if source.is_empty() { "seamwatch" } else { source },
            "severity": incident.severity.name(),
            "timestamp": instant::written(incident.since),
            "component": label("endpoint"),
            "group": label("environment"),
            "class": *incident.rule,
            "custom_details": details,
        },
        "links": [
            { "href": incident_link(incident, context), "text": "Incident" },
            { "href": runbook_link(incident, context), "text": "Runbook" },
        ],
    })
}

/// The same for an incident that somebody looks at.
pub fn pagerduty_acknowledged(incident: &Incident, by: &str) -> Value {
    json!({
        "event_action": "acknowledge",
        "dedup_key": incident.id,
        "payload": {
            "summary": shortened(&format!("{by} looks at it: {}", incident.title), SUMMARY),
            "source": "seamwatch",
            "severity": incident.severity.name(),
        },
    })
}

/// `fired`, `rule_removed`: the name of a change in JSON.
fn change(transition: &Transition) -> String {
    let named = serde_json::to_value(transition.change).ok();
    named.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn said(transition: &Transition, context: &Context) -> String {
    let incident = &transition.incident;
    let speaker = Speaker { zone: context.zone, now: context.now };
    let end: Nanos = incident.resolved_at.unwrap_or(context.now);
    let of = if is_over(transition) && !incident.ending.is_empty() {
        &incident.ending
    } else {
        &incident.sentence
    };
    format!("{} {}", lead(transition, end, &speaker), speaker.sentence(of)).trim().to_owned()
}

fn incident_link(incident: &Incident, context: &Context) -> String {
    format!("{}/incidents/{}", context.base_url, incident.code)
}

fn runbook_link(incident: &Incident, context: &Context) -> String {
    format!("{}/runbooks/{}", context.base_url, incident.runbook.trim_end_matches(".md"))
}

/// What Slack takes for a mention or a link stays text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
