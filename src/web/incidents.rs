//! `/incidents` and `/incidents/{code}`: what is open, what was, and the evidence of one.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::asked::{Asked, Named};
use super::format::{self, Prose, When};
use super::gate::posted::{self, Posted};
use super::gate::who::Who;
use super::page::{self, Error, Frame};
use super::silences::Nothing;
use super::view::badge::Badge;
use super::view::incident::{self, IncidentRow};
use super::view::pin::{self, PinRow};
use super::view::{figure, outbox, vendor};
use super::{RulesView, State, load, runbook};
use crate::access::audit::Actor;
use crate::access::role::Role;
use crate::alert::incident::Incident;
use crate::alert::overlay::{Ack, LONGEST_ACK, Withheld};
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::store;
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
    withheld: String,
    ack: Option<AckRow>,
    /// What forms carry; none for who may not act, or where it is over.
    token: Option<String>,
    first_steps: Option<String>,
    mails: Vec<outbox::MailRow>,
    pins: Vec<PinRow>,
    logs: Vec<PinRow>,
    rule_text: String,
}

/// Who looks at one.
pub struct AckRow {
    by: String,
    note: String,
    at: When,
    until: When,
}

/// What is said when somebody looks at one.
#[derive(Debug, Deserialize)]
pub struct Looks {
    #[serde(default)]
    note: String,
    #[serde(default, deserialize_with = "posted::number")]
    hours: i64,
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
    let found = find(&state, &code).await?;
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
    let (_, acks) = state.store.overlays(now).await?;
    page.ack = acks.get(&found.id).map(|ack| AckRow {
        by: ack.by.clone(),
        note: ack.note.clone(),
        at: When::new(ack.at, now),
        until: When::new(ack.until, now),
    });
    let may = who.role >= Role::Operator && found.resolved_at.is_none();
    page.token = may.then(|| state.access.signer.form_token(&who.form_key()));
    Ok(page::render(&page))
}

async fn find(state: &State, code: &str) -> Result<Incident, Error> {
    let found = match state.store.incident(code).await? {
        Some(found) => Some(found),
        None => state.store.incident(&code.to_uppercase()).await?,
    };
    found.ok_or_else(|| Error::NotFound(format!("No incident has the code {code}.")))
}

/// Somebody says that they look at one.
pub async fn acknowledge(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(code): Named,
    Posted(said): Posted<Looks>,
) -> Result<Response, Error> {
    let found = find(&state, &code).await?;
    look_at(&state, &found, (&who.name, &who.actor()), &said.note, said.hours).await?;
    Ok(Redirect::to(&format!("/incidents/{}", found.code)).into_response())
}

/// Somebody looks at one no more.
pub async fn release(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(code): Named,
    Posted(_): Posted<Nothing>,
) -> Result<Response, Error> {
    let found = find(&state, &code).await?;
    let now = (state.clock)();
    let ack = Ack { by: who.name.clone(), note: String::new(), at: now, until: now };
    state.store.acknowledge(&found.id, &ack, &who.actor()).await?;
    Ok(Redirect::to(&format!("/incidents/{}", found.code)).into_response())
}

/// Keeps that somebody looks at an incident for some hours, a day at most; what was done, as a sentence. Said again by
/// the same person it changes nothing.
pub async fn look_at(
    state: &State,
    incident: &Incident,
    (by, actor): (&str, &Actor),
    note: &str,
    hours: i64,
) -> Result<String, store::Error> {
    let now = (state.clock)();
    let note: String = note.split_whitespace().collect::<Vec<_>>().join(" ");
    if incident.resolved_at.is_some() {
        return Err(store::Error::Unfit("It is over; nobody needs to look at it any more.".into()));
    }
    if note.chars().count() > 400 {
        return Err(store::Error::Unfit("A note has at most 400 characters.".into()));
    }
    let until = now + (hours.clamp(1, 24) * 3_600_000_000_000).min(LONGEST_ACK);
    let (_, acks) = state.store.overlays(now).await?;
    let same = |ack: &&Ack| ack.by == by && ack.note == note && until - ack.until < 3_600_000_000_000;
    if acks.get(&incident.id).filter(same).is_some() {
        return Ok("You acknowledged it already.".into());
    }
    let ack = Ack { by: by.to_owned(), note, at: now, until };
    state.store.acknowledge(&incident.id, &ack, actor).await?;
    let told = state.store.mails_of(&incident.id).await?;
    let channels: Vec<String> = told.into_iter().map(|mail| mail.mail.channel).collect();
    state.store.write_mails(&(state.looked_at)(incident, by, &channels, now)).await?;
    Ok("You acknowledged it: no reminder comes, and nobody else is told, until then or until it gets worse."
        .into())
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
        withheld: incident.withheld.as_ref().map(Withheld::sentence).unwrap_or_default(),
        ack: None,
        token: None,
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
