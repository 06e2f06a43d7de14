//! `/a/mail/{token}`: the signed links of mails. Opening one shows what it would do; only sending the form does it, so that
//! a program that looks into mails changes nothing. It acknowledges or silences an incident and gives no session.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::asked::Named;
use super::format::When;
use super::gate::posted::{self, Stranger};
use super::gate::who;
use super::page::{self, Error};
use super::{State, assets, incidents, login, silences};
use crate::access::audit::Actor;
use crate::access::mail_link::{Act, MailLink};
use crate::alert::incident::Incident;
use crate::signals::telemetry::Nanos;

/// The page.
#[derive(Template)]
#[template(path = "link.html")]
pub struct Page {
    assets: &'static str,
    link: String,
    silences: bool,
    recipient: String,
    code: String,
    title: String,
    sentence: String,
    since: When,
    over: bool,
    /// What stands already, a sentence.
    stands: String,
    /// What was done, a sentence; empty before.
    done: String,
    problem: String,
}

/// What its form sends.
#[derive(Debug, Default, Deserialize)]
pub struct Sent {
    #[serde(default)]
    note: String,
    #[serde(default)]
    reason: String,
    #[serde(default, deserialize_with = "posted::number")]
    hours: i64,
}

/// Shows what it would do.
pub async fn show(
    Extract(state): Extract<State>,
    Named(token): Named,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, Error> {
    match opened(&state, &token).await? {
        Some((link, incident)) => {
            Ok(page::render(&page_of(&state, token, &link, &incident, [String::new(), String::new()]).await?))
        }
        None => refused(&state, &headers, &extensions),
    }
}

/// Does it.
pub async fn act(
    Extract(state): Extract<State>,
    Named(token): Named,
    headers: HeaderMap,
    extensions: Extensions,
    Stranger(sent): Stranger<Sent>,
) -> Result<Response, Error> {
    let Some((link, incident)) = opened(&state, &token).await? else {
        return refused(&state, &headers, &extensions);
    };
    let address = who::address_of(&state, &headers, &extensions);
    let account = format!("link {}", link.recipient);
    let now = (state.clock)();
    if let Err(seconds) = state.access.ask(&account, address, now) {
        return Ok(login::later(too_many(seconds), seconds));
    }
    let by = Actor { name: format!("mail link sent to {}", link.recipient), address: address.to_string() };
    let done = match link.act {
        Act::Acknowledge => {
            incidents::look_at(&state, &incident, (&link.recipient, &by), &sent.note, sent.hours).await
        }
        Act::Silence => silence(&state, &incident, &link, &by, &sent).await,
    };
    match done {
        Ok(done) => {
            state.access.good(&account, address);
            Ok(page::render(&page_of(&state, token, &link, &incident, [done, String::new()]).await?))
        }
        Err(crate::store::Error::Unfit(said)) => {
            let page = page_of(&state, token, &link, &incident, [String::new(), said]).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page::render(&page)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// Silences an incident, once: who sends the form again finds it done.
async fn silence(
    state: &State,
    incident: &Incident,
    link: &MailLink,
    by: &Actor,
    sent: &Sent,
) -> Result<String, crate::store::Error> {
    let now = (state.clock)();
    let matchers = silences::of_incident(incident);
    let (standing, _) = state.store.overlays(now).await?;
    if standing.iter().any(|one| one.matchers == matchers && one.author == link.recipient) {
        return Ok("You silenced it already.".into());
    }
    let hours = if sent.hours == 8 { 8 } else { 1 };
    let silence = silences::silence(state, matchers, (&link.recipient, &sent.reason), hours, now)?;
    state.store.make_silence(&silence, by, now).await?;
    let hours = if hours == 1 { "an hour" } else { "8 hours" };
    Ok(format!("It is silent for {hours}. What still stands then is told."))
}

async fn page_of(
    state: &State,
    link: String,
    said: &MailLink,
    incident: &Incident,
    [done, problem]: [String; 2],
) -> Result<Page, Error> {
    let now: Nanos = (state.clock)();
    let (_, acks) = state.store.overlays(now).await?;
    let ack = acks.get(&incident.id);
    Ok(Page {
        assets: assets::base(),
        link,
        silences: said.act == Act::Silence,
        recipient: said.recipient.clone(),
        code: incident.code.clone(),
        title: incident.title.clone(),
        sentence: incident.sentence.clone(),
        since: When::new(incident.since, now),
        over: incident.resolved_at.is_some(),
        stands: ack.map(|ack| format!("{} looks at it.", ack.by)).unwrap_or_default(),
        done,
        problem,
    })
}

async fn opened(state: &State, token: &str) -> Result<Option<(MailLink, Incident)>, Error> {
    let Some(link) = state.access.signer.read_mail_link(token, (state.clock)()) else { return Ok(None) };
    let incident = state.store.incident(&link.incident).await?;
    Ok(incident.map(|incident| (link, incident)))
}

/// A link that is none is counted like a password that is wrong.
fn refused(state: &State, headers: &HeaderMap, extensions: &Extensions) -> Result<Response, Error> {
    let address = who::address_of(state, headers, extensions);
    if let Err(seconds) = state.access.ask(&format!("link from {address}"), address, (state.clock)()) {
        return Ok(login::later(too_many(seconds), seconds));
    }
    let what = "This link does not open any more: it is older than a week, or it is not whole. The incident's page does \
                the same for who signs in.";
    Err(Error::NotFound(what.into()))
}

fn too_many(seconds: u64) -> Response {
    let what = format!("Too many tries. Try again in {} min.", seconds.div_ceil(60));
    page::sorry(StatusCode::TOO_MANY_REQUESTS, "Not now", what)
}
