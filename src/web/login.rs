//! `/login`: a name and a password, and the same answer whatever was wrong with them. `/logout` ends it.

use std::net::IpAddr;

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::asked::Asked;
use super::gate::posted::{Posted, Stranger};
use super::gate::who::{self, Means, Who};
use super::gate::{cookie, next};
use super::page::{self, Error};
use super::{State, assets};
use crate::access::audit::Actor;
use crate::access::password::Busy;
use crate::access::person::{Session, User};
use crate::access::secret::{Kind, Secret};
use crate::access::session::ABSOLUTE;
use crate::store;

/// Seconds after which to come again when too many sign in at once.
const BUSY: u64 = 5;

/// The page.
#[derive(Default, Template)]
#[template(path = "login.html")]
pub struct Page {
    assets: &'static str,
    next: String,
    name: String,
    problem: String,
    nobody: bool,
    oidc: bool,
}

/// What the page is asked with.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    next: Option<String>,
}

/// What its form sends.
#[derive(Debug, Deserialize)]
pub struct Login {
    name: String,
    password: String,
    next: Option<String>,
}

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
pub struct Nothing {}

/// Shows it. Who is known already goes on.
pub async fn show(
    Extract(state): Extract<State>,
    who: Option<Extension<Who>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Error> {
    let next = next::path(wanted.next.as_deref());
    if who.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    let oidc = state.oidc.is_some();
    let nobody =
        !oidc && !state.store.people().access().await?.users && state.access.proxies.user_header.is_none();
    Ok(page::render(&Page { next: next.to_owned(), nobody, oidc, assets: assets::base(), ..Page::default() }))
}

/// Signs in.
pub async fn sign_in(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    extensions: Extensions,
    Stranger(login): Stranger<Login>,
) -> Result<Response, Error> {
    let address = who::address_of(&state, &headers, &extensions);
    let next = next::path(login.next.as_deref());
    let again = |status, problem: String| {
        let (next, name) = (next.to_owned(), login.name.chars().take(64).collect());
        let oidc = state.oidc.is_some();
        let page = Page { next, name, problem, assets: assets::base(), nobody: false, oidc };
        (status, page::render(&page)).into_response()
    };
    let now = (state.clock)();
    if let Err(seconds) = state.access.ask(&login.name, address, now) {
        let minutes = seconds.div_ceil(60);
        let said = format!("Too many tries. Try again in {minutes} min.");
        return Ok(later(again(StatusCode::TOO_MANY_REQUESTS, said), seconds));
    }
    let people = state.store.people();
    let user = people.user_named(&login.name).await?;
    let kept =
        user.as_ref().filter(|user| user.disabled_at.is_none()).and_then(|user| user.password.as_deref());
    let is_right = match state.access.passwords.matches(kept, &login.password).await {
        Ok(is_right) => is_right,
        Err(Busy) => {
            let said = "Many are signing in at this moment. Try again in a few seconds.".to_owned();
            return Ok(later(again(StatusCode::SERVICE_UNAVAILABLE, said), BUSY));
        }
    };
    let Some(user) = user.as_ref().filter(|_| is_right) else {
        // A name that is nobody's may be a password in the wrong field, so it is not written down.
        let name = user.map_or_else(|| "-".to_owned(), |user| user.name);
        let by = Actor { name: "-".into(), address: address.to_string() };
        people.note(&by.did(now, "login.failed", name, String::new())).await?;
        return Ok(again(StatusCode::UNAUTHORIZED, "Name or password is wrong.".into()));
    };
    state.access.good(&user.name, address);
    begin(&state, user, &headers, address, "By password.", next).await
}

/// Signs out.
pub async fn sign_out(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Error> {
    if let Means::Session(hash, _) = &who.means {
        let entry = who.did((state.clock)(), "logout", &who.name, "");
        state.store.people().end_session(hash, &entry).await?;
    }
    let mut response = Redirect::to("/login").into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie::clear());
    Ok(response)
}

/// Begins a session and goes on to a page of ours. The session that the browser had before ends with it.
pub async fn begin(
    state: &State,
    user: &User,
    headers: &HeaderMap,
    address: IpAddr,
    how: &str,
    next: &str,
) -> Result<Response, Error> {
    let secret = Secret::mint(Kind::Session).map_err(|said| Error::Store(store::Error::Busy(said)))?;
    let now = (state.clock)();
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let session = Session {
        hash: secret.hash(),
        user: user.id,
        made_at: now,
        seen_at: now,
        ends_at: now.saturating_add(ABSOLUTE),
        address: address.to_string(),
        agent: agent.chars().take(200).collect(),
    };
    let by = Actor { name: user.name.clone(), address: address.to_string() };
    let entry = by.did(now, "login.ok", user.name.clone(), how.to_owned());
    let before = cookie::read(headers).map(|secret| secret.hash());
    state.store.people().open_session(&session, user.version, before.as_ref(), &entry).await?;
    let mut response = Redirect::to(next).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie::set(&secret));
    Ok(response)
}

/// An answer that says when to come again.
pub fn later(mut response: Response, seconds: u64) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
