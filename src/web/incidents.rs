//! `/incidents` and `/incidents/{code}`: what is open, what was, and the evidence of one.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::response::Response;
use serde::Deserialize;

use super::asked::{Asked, Named};
use super::format::{self, Prose, When};
use super::gate::who::Who;
use super::page::{self, Error, Frame};
use super::view::badge::Badge;
use super::view::incident::{self, IncidentRow};
use super::view::pin::{self, PinRow};
use super::view::{figure, outbox, vendor};
use super::{RulesView, State, load, runbook};
use crate::alert::incident::Incident;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::store::mail::Mail;
use crate::store::pins::{Kind, Pin};

/// Pins that are shown.
const PINS: u32 = 100;

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Which {
    state: Option<String>,
}

/// The list.
#[derive(Template)]
#[template(path = "incidents.html")]
pub struct List {
    frame: Frame,
    lede: String,
    state: &'static str,
    with_integration: bool,
    caption: &'static str,
    incidents: Vec<IncidentRow>,
}

/// One incident.
#[derive(Template)]
#[template(path = "incident.html")]
pub struct Page {
    frame: Frame,
    badge: Badge,
    one: IncidentRow,
    opened: When,
    signal: String,
    level: String,
    rule: String,
    integration_href: String,
    vendor_status: String,
    subject: Vec<(String, String)>,
    evidence: Vec<(String, Prose)>,
    first_steps: Option<String>,
    mails: Vec<outbox::MailRow>,
    pins: Vec<PinRow>,
    logs: Vec<PinRow>,
    rule_text: String,
}

/// Lists them.
pub async fn list(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Asked(asked): Asked<Which>,
) -> Result<Response, Error> {
    let which = match asked.state.as_deref() {
        None | Some("all") => "all",
        Some("open") => "open",
        Some("resolved") => "resolved",
        Some(other) => {
            return Err(Error::BadParameter(format!("`state` is open, resolved or all, and not {other}.")));
        }
    };
    let incidents = state.store.incidents(false, load::INCIDENTS).await?;
    let frame = Frame::new(&state, &who, &incidents, "incidents", "Incidents");
    Ok(page::render(&listed(frame, incidents, which, (state.clock)())))
}

/// The list from plain values; `state` is `open`, `resolved` or `all`.
pub fn listed(frame: Frame, mut incidents: Vec<Incident>, state: &'static str, now: Nanos) -> List {
    let open = incidents.iter().filter(|incident| incident.resolved_at.is_none()).count();
    let resolved = incidents.len() - open;
    let lede = match (open, resolved) {
        (0, 0) => "No incident has opened yet.".to_owned(),
        (0, n) => format!("No incident is open. {} resolved.", format::capital(&format::spelled(n))),
        (1, n) => format!("One incident is open, {} resolved.", or_none(n)),
        (open, n) => {
            let open = format::capital(&format::spelled(open));
            format!("{open} incidents are open, {} resolved.", or_none(n))
        }
    };
    incident::sort(&mut incidents);
    incidents.retain(|one| state == "all" || (state == "open") == one.resolved_at.is_none());
    let rows = incidents.iter().map(|one| incident::row(one, now)).collect();
    List { frame, lede, state, with_integration: true, caption: "", incidents: rows }
}

/// A count in running text, `none` where there are none.
fn or_none(n: usize) -> String {
    if n == 0 { "none".into() } else { format::spelled(n) }
}

/// Shows one, by the code that people say or by its id.
pub async fn show(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(code): Named,
) -> Result<Response, Error> {
    let found = match state.store.incident(&code).await? {
        Some(found) => Some(found),
        None => state.store.incident(&code.to_uppercase()).await?,
    };
    let found = found.ok_or_else(|| Error::NotFound(format!("No incident has the code {code}.")))?;
    let mails = state.store.mails_of(&found.id).await?;
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let title = format!("{} {}", found.code, found.title);
    let frame = Frame::new(&state, &who, &open, "incidents", title);
    let rules = state.rules.borrow().clone();
    let now = (state.clock)();
    let mut page = shown(frame, &found, &mails, &rules, now);
    page.pin(&state.store.pins(&found.id, PINS).await?, now);
    let peer = found.labels.get("peer").map_or("", String::as_str);
    page.vendor_status = vendor::status_of(&state.settings.providers, peer);
    Ok(page::render(&page))
}

impl Page {
    /// Adds what is pinned of the incident.
    fn pin(&mut self, pins: &[Pin], now: Nanos) {
        self.pins = pin::rows(pins, Kind::Failure, now);
        self.logs = pin::rows(pins, Kind::Log, now);
        let rule = pins.iter().find(|pin| pin.kind == Kind::Rule);
        self.rule_text = rule.map(|pin| pin.content.text.clone()).unwrap_or_default();
    }
}

/// One incident from plain values.
pub fn shown(frame: Frame, incident: &Incident, mails: &[Mail], rules: &RulesView, now: Nanos) -> Page {
    let one = incident::row(incident, now);
    let label = |name: &str| incident.labels.get(name).map_or("", String::as_str);
    let key = IntegrationKey { environment: label("environment").into(), name: label("integration").into() };
    let integration_href = match (key.name.is_empty(), key.environment.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!("/integrations/{}", figure::encoded(&key.name)),
        (false, false) => figure::integration_href(&key),
    };
    let typeset_pair = |(what, value): &(String, String)| (format::capital(what), Prose::new(value, now));
    Page {
        badge: Badge(one.state),
        opened: When::new(incident.opened_at, now),
        signal: incident.signal.clone(),
        level: incident.level.clone(),
        rule: incident.rule.to_string(),
        integration_href,
        vendor_status: String::new(),
        subject: incident::subject(&incident.labels),
        evidence: incident.evidence.iter().map(typeset_pair).collect(),
        first_steps: rules.runbooks.get(&one.runbook).and_then(|text| runbook::first_steps(text)),
        mails: mails.iter().map(|mail| outbox::row(mail, now)).collect(),
        pins: Vec::new(),
        logs: Vec::new(),
        rule_text: String::new(),
        one,
        frame,
    }
}
