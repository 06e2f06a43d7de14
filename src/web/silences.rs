//! `/silences`: what is withheld from being told, by whom, why and until when; maintenance windows to come.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::asked::{Asked, Named};
use super::format::When;
use super::gate::posted::{self, Posted};
use super::gate::who::Who;
use super::page::{self, Error, Frame};
use super::{State, load};
use crate::access::role::Role;
use crate::alert::incident::{Incident, InstanceKey};
use crate::alert::maintenance::Maintenance;
use crate::alert::overlay::{Matchers, Silence, matches};
use crate::signals::telemetry::Nanos;
use crate::store;

const HOUR: Nanos = 3_600_000_000_000;
/// As many as the list shows.
const SILENCES: u32 = 200;
/// As many openings of a window as are told.
const OPENINGS: usize = 3;
/// (hours, in words) to choose from.
const LENGTHS: [(i64, &str); 6] =
    [(1, "1 hour"), (8, "8 hours"), (24, "1 day"), (72, "3 days"), (168, "7 days"), (720, "30 days")];

/// The page.
#[derive(Template)]
#[template(path = "silences.html")]
pub struct Page {
    frame: Frame,
    lede: String,
    token: Option<String>,
    rows: Vec<Row>,
    windows: Vec<WindowRow>,
    typed: New,
    preview: Vec<String>,
    asked: bool,
    problem: String,
    lengths: [(i64, &'static str); 6],
}

struct Row {
    id: i64,
    what: String,
    author: String,
    reason: String,
    from: When,
    until: When,
    stands: bool,
    hides: usize,
}

struct WindowRow {
    name: String,
    reason: String,
    what: String,
    openings: Vec<String>,
}

/// A silence to be made, or to be looked at first.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct New {
    /// `name=value` a line.
    #[serde(default)]
    matchers: String,
    #[serde(default)]
    reason: String,
    #[serde(default, deserialize_with = "posted::number")]
    hours: i64,
    #[serde(default, rename = "do")]
    what: String,
}

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Which {
    incident: Option<String>,
}

/// Lists them; with an incident, the form is filled in for it.
pub async fn list(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Asked(which): Asked<Which>,
) -> Result<Response, Error> {
    let mut typed = New { hours: 1, ..New::default() };
    if let Some(code) = which.incident {
        let found = state.store.incident(&code).await?;
        let found = found.ok_or_else(|| Error::NotFound(format!("No incident has the code {code}.")))?;
        typed.matchers = lines(&of_incident(&found));
        typed.what = "preview".into();
    }
    shown(&state, &who, typed, String::new()).await
}

/// Makes one, or shows what it would hide.
pub async fn make(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Posted(new): Posted<New>,
) -> Result<Response, Error> {
    let read = read(&new.matchers);
    if new.what == "preview" {
        let problem = read.err().unwrap_or_default();
        return shown(&state, &who, new, problem).await;
    }
    let now = (state.clock)();
    let made = match read {
        Ok(matchers) => silence(&state, matchers, (&who.name, &new.reason), new.hours, now),
        Err(problem) => Err(store::Error::Unfit(problem)),
    };
    let made = match made {
        Ok(silence) => state.store.make_silence(&silence, &who.actor(), now).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(_) => Ok(Redirect::to("/silences").into_response()),
        Err(store::Error::Unfit(said)) => {
            let page = shown(&state, &who, new, said).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends one.
pub async fn end(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(id): Named,
    Posted(_): Posted<Nothing>,
) -> Result<Response, Error> {
    let id = id.parse().map_err(|_| Error::NotFound("There is no such silence.".into()))?;
    state.store.end_silence(id, &who.actor(), (state.clock)()).await?;
    Ok(Redirect::to("/silences").into_response())
}

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
pub struct Nothing {}

/// A silence from now on, for hours.
pub fn silence(
    state: &State,
    matchers: Matchers,
    (author, reason): (&str, &str),
    hours: i64,
    now: Nanos,
) -> Result<Silence, store::Error> {
    let author = author.to_owned();
    let reason: String = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    if reason.chars().count() > 400 {
        return Err(store::Error::Unfit("A reason has at most 400 characters.".into()));
    }
    let until = now.saturating_add(hours.saturating_mul(HOUR));
    let silence = Silence { id: 0, matchers, author, reason, from: now, until };
    silence.check((state.clock)()).map_err(store::Error::Unfit)?;
    Ok(silence)
}

/// What a silence of one incident matches: its rule and all its labels.
pub fn of_incident(incident: &Incident) -> Matchers {
    let labels = incident.labels.iter().filter(|(_, value)| !value.is_empty());
    let rule = [("rule".to_owned(), incident.rule.to_string())];
    labels.map(|(name, value)| (name.clone(), value.clone())).chain(rule).collect()
}

/// The open incidents that matchers hide.
pub fn hidden<'i>(matchers: &Matchers, open: &'i [Incident]) -> Vec<&'i Incident> {
    let hides = |incident: &&Incident| {
        let key = InstanceKey { rule: incident.rule.clone(), labels: incident.labels.clone() };
        incident.resolved_at.is_none() && matches(matchers, &key)
    };
    open.iter().filter(hides).collect()
}

async fn shown(state: &State, who: &Who, typed: New, problem: String) -> Result<Response, Error> {
    let now = (state.clock)();
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let silences = state.store.silences(SILENCES).await?;
    let stand = silences.iter().filter(|silence| silence.until > now).count();
    let lede = match stand {
        0 => "Nothing is silenced.".to_owned(),
        1 => "One silence stands.".to_owned(),
        n => format!("{n} silences stand."),
    };
    let row = |silence: Silence| Row {
        id: silence.id,
        what: said(&silence.matchers),
        hides: hidden(&silence.matchers, &open).len(),
        author: silence.author,
        reason: silence.reason,
        from: When::new(silence.from, now),
        until: When::new(silence.until, now),
        stands: silence.until > now,
    };
    let asked = typed.what == "preview" && !typed.matchers.is_empty() && problem.is_empty();
    let matchers = read(&typed.matchers).unwrap_or_default();
    let preview = if asked {
        let titled = |incident: &Incident| format!("{} {}", incident.code, incident.title);
        hidden(&matchers, &open).into_iter().map(titled).collect()
    } else {
        Vec::new()
    };
    let windows = state.rules.borrow().maintenance.iter().map(|one| window(one, now)).collect();
    let may = who.role >= Role::Operator;
    let page = Page {
        frame: Frame::new(state, who, &open, "silences", "Silences"),
        lede,
        token: may.then(|| state.access.signer.form_token(&who.form_key())),
        rows: silences.into_iter().map(row).collect(),
        windows,
        typed,
        preview,
        asked,
        problem,
        lengths: LENGTHS,
    };
    Ok(page::render(&page))
}

fn window(one: &Maintenance, now: Nanos) -> WindowRow {
    WindowRow {
        name: one.name.clone(),
        reason: one.reason.clone(),
        what: said(&one.matchers),
        openings: one.openings(now, OPENINGS).iter().map(|window| one.said(window)).collect(),
    }
}

/// `integration hubspot-crm, rule throttled`.
fn said(matchers: &Matchers) -> String {
    let parts: Vec<String> = matchers.iter().map(|(name, value)| format!("{name} {value}")).collect();
    parts.join(", ")
}

fn lines(matchers: &Matchers) -> String {
    let parts: Vec<String> = matchers.iter().map(|(name, value)| format!("{name}={value}")).collect();
    parts.join("\n")
}

/// Matchers as they are typed: `name=value` a line.
fn read(text: &str) -> Result<Matchers, String> {
    let mut matchers = Matchers::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once('=') else {
            return Err(format!("\"{line}\" is no matcher; write one a line, like integration=hubspot-crm."));
        };
        matchers.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(matchers)
}
