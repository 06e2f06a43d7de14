//! `/setup`: the first admin, by a link that was printed where the server was started. There is no such page once there
//! is a user, the link's half hour has passed, or five wrong ones were tried.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::asked::Asked;
use super::gate::posted::Stranger;
use super::gate::who;
use super::page::{self, Error};
use super::{State, assets, login};
use crate::access::password;
use crate::access::person::{NewUser, check_name};
use crate::access::role::Role;
use crate::access::secret::{Kind, Secret};

/// The page.
#[derive(Template)]
#[template(path = "setup.html")]
pub struct Page {
    assets: &'static str,
    secret: String,
    name: String,
    problem: String,
}

/// What the page is asked with.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    token: Option<String>,
}

/// What its form sends.
#[derive(Debug, Deserialize)]
pub struct First {
    secret: String,
    name: String,
    password: String,
}

/// Shows the form to who has the link.
pub async fn show(Extract(state): Extract<State>, Asked(wanted): Asked<Wanted>) -> Result<Response, Error> {
    let secret = of(wanted.token.as_deref());
    let people = state.store.people();
    let now = (state.clock)();
    if !people.is_setup_open(now).await? {
        return Err(gone());
    }
    match secret {
        Some(secret) if people.try_setup(&secret.hash(), now).await? => {
            let (secret, name, problem) = (secret.reveal().to_owned(), String::new(), String::new());
            Ok(page::render(&Page { assets: assets::base(), secret, name, problem }))
        }
        _ => Err(gone()),
    }
}

/// Makes the first admin and signs them in.
pub async fn make(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    extensions: Extensions,
    Stranger(first): Stranger<First>,
) -> Result<Response, Error> {
    let people = state.store.people();
    let now = (state.clock)();
    let secret = of(Some(&first.secret)).ok_or_else(gone)?;
    // Before a password is hashed: that is for those alone who have the link.
    if !people.is_setup_open(now).await? || !people.try_setup(&secret.hash(), now).await? {
        return Err(gone());
    }
    let again = |status, problem: String| {
        let (secret, name) = (first.secret.clone(), first.name.clone());
        (status, page::render(&Page { assets: assets::base(), secret, name, problem })).into_response()
    };
    if let Err(problem) = check_name(&first.name).and_then(|()| password::check(&first.password, &first.name))
    {
        return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, problem));
    }
    let Ok(hash) = state.access.passwords.hash(&first.password).await else {
        return Ok(login::later(
            again(StatusCode::SERVICE_UNAVAILABLE, "Try again in a few seconds.".into()),
            5,
        ));
    };
    let (name, display) = (first.name.clone(), first.name.clone());
    let new = NewUser { name, display, role: Role::Admin, password: Some(hash), vouched: None };
    let address = who::address_of(&state, &headers, &extensions);
    match people.set_up(&secret.hash(), &new, &address.to_string(), now).await? {
        Some(user) => login::begin(&state, &user, &headers, address, "By the setup link.", "/").await,
        None => Err(gone()),
    }
}

fn of(token: Option<&str>) -> Option<Secret> {
    Secret::read(token?).filter(|(kind, _)| *kind == Kind::Invitation).map(|(_, secret)| secret)
}

/// The same whether there is no setup or the link is wrong.
fn gone() -> Error {
    let what =
        "There is nothing to set up here. `seamwatch users invite` prints a link while no user exists.";
    Error::NotFound(what.into())
}
