//! `/a/{token}`: choosing a password by a signed link that an admin handed out. Opening it shows what it would do;
//! only sending the form does it, so that a program that looks into mails changes nothing.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::asked::Named;
use super::gate::posted::Stranger;
use super::gate::who;
use super::page::{self, Error};
use super::{State, assets, login};
use crate::access::audit::Actor;
use crate::access::link::{Link, Scope};
use crate::access::password;
use crate::access::person::{Change, User};
use crate::access::role::Role;
use crate::signals::telemetry::Nanos;

/// How long a link opens.
pub const LASTS: Nanos = 24 * 3_600_000_000_000;

/// The page.
#[derive(Template)]
#[template(path = "password.html")]
pub struct Page {
    assets: &'static str,
    link: String,
    name: String,
    is_first: bool,
    problem: String,
}

/// What its form sends.
#[derive(Debug, Deserialize)]
pub struct Chosen {
    password: String,
}

/// The link by which a user chooses a password, until they have chosen one or were changed otherwise.
pub fn link_for(state: &State, user: &User) -> String {
    let expires_at = (state.clock)().saturating_add(LASTS);
    let link = Link { scope: Scope::Password, object: user.id, edition: user.version, expires_at };
    format!("{}/a/{}", state.settings.base_url, state.access.signer.link(&link))
}

/// Shows what it would do.
pub async fn show(Extract(state): Extract<State>, Named(token): Named) -> Result<Response, Error> {
    let (_, user) = opened(&state, &token).await?;
    Ok(page::render(&page_of(token, &user, String::new())))
}

/// Does it, and signs in.
pub async fn choose(
    Extract(state): Extract<State>,
    Named(token): Named,
    headers: HeaderMap,
    extensions: Extensions,
    Stranger(chosen): Stranger<Chosen>,
) -> Result<Response, Error> {
    let (link, user) = opened(&state, &token).await?;
    if let Err(problem) = password::check(&chosen.password, &user.name) {
        let page = page::render(&page_of(token, &user, problem));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let Ok(hash) = state.access.passwords.hash(&chosen.password).await else {
        let page = page::render(&page_of(token, &user, "Try again in a few seconds.".into()));
        return Ok(login::later((StatusCode::SERVICE_UNAVAILABLE, page).into_response(), 5));
    };
    let address = who::address_of(&state, &headers, &extensions);
    let by = Actor { name: user.name.clone(), address: address.to_string() };
    let (edition, change) = (Some(link.edition), Change::PasswordByLink(hash));
    let now = (state.clock)();
    let user = state.store.people().change_user(user.id, edition, &change, &by, Role::Viewer, now).await?;
    login::begin(&state, &user, &headers, address, "By a link.", "/").await
}

fn page_of(link: String, user: &User, problem: String) -> Page {
    Page { assets: assets::base(), link, name: user.name.clone(), is_first: user.password.is_none(), problem }
}

async fn opened(state: &State, token: &str) -> Result<(Link, User), Error> {
    let gone = || {
        let what = "This link does not open any more: it was used, it is older than a day, or the account was changed \
                    since. An admin can make another one.";
        Error::NotFound(what.into())
    };
    let link = state.access.signer.read(token, (state.clock)()).ok_or_else(gone)?;
    let Scope::Password = link.scope;
    let user = state.store.people().user(link.object).await?;
    let is_good = |user: &User| user.version == link.edition && user.disabled_at.is_none();
    user.filter(is_good).map(|user| (link, user)).ok_or_else(gone)
}
