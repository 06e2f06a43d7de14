//! `/login/oidc`: signing in at a provider of identities, and coming back from there. Somebody who comes for the first
//! time is made a user; what they may do is what the provider says each time.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State as Extract;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::asked::Asked;
use super::gate::{cookie, next, who};
use super::page::{self, Error};
use super::{State, login};
use crate::access::audit::Actor;
use crate::access::oidc::Identity;
use crate::access::person::{Change, NewUser, User, check_name};
use crate::access::role::Role;
use crate::access::secret::{Kind, Secret};
use crate::access::throttle::Throttle;
use crate::oidc::provider::{self, Provider};
use crate::oidc::waiting::Waiting;
use crate::signals::telemetry::Nanos;
use crate::store;
use crate::store::catalog::sqlite::people::People;

/// The provider, and those who are there to sign in.
pub struct Sso {
    provider: Arc<Provider>,
    waiting: Waiting,
    /// Counts logins that came to nothing: anybody can make as many as they like, and each entry of the audit log is a
    /// write that others wait for.
    failed: Mutex<Throttle>,
}

impl Sso {
    /// With a provider.
    pub fn new(provider: Arc<Provider>) -> Arc<Sso> {
        Arc::new(Sso { provider, waiting: Waiting::default(), failed: Mutex::default() })
    }

    /// Whether a login from an address that came to nothing is written down, and not one too many.
    fn is_noted(&self, address: IpAddr, now: Nanos) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.ask(&address.to_string(), address, now).is_ok()
    }
}

/// What the login page asks with.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    next: Option<String>,
}

/// What the provider sends the browser back with.
#[derive(Debug, Deserialize)]
pub struct Back {
    state: Option<String>,
    code: Option<String>,
}

/// Sends the browser to the provider.
pub async fn begin(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    extensions: Extensions,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Error> {
    let sso = state.oidc.as_ref().ok_or_else(none)?;
    let (url, pending) = match sso.provider.start().await {
        Ok(begun) => begun,
        Err(error) => return Ok(refused(&error)),
    };
    let ticket = Secret::mint(Kind::Session).map_err(|said| Error::Store(store::Error::Busy(said)))?;
    let address = who::address_of(&state, &headers, &extensions);
    sso.waiting.keep(ticket.reveal(), address, pending);
    // Where to go on to travels with the browser; it is checked when it comes back.
    let next = URL_SAFE_NO_PAD.encode(next::path(wanted.next.as_deref()));
    let mut response = Redirect::to(&url).into_response();
    let held = cookie::set_ticket(&format!("{}.{next}", ticket.reveal()));
    response.headers_mut().insert(header::SET_COOKIE, held);
    Ok(response)
}

/// Signs in who comes back.
pub async fn come_back(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    extensions: Extensions,
    Asked(back): Asked<Back>,
) -> Result<Response, Error> {
    let sso = state.oidc.as_ref().ok_or_else(none)?;
    let address = who::address_of(&state, &headers, &extensions);
    let (ticket, next) =
        cookie::read_ticket(&headers).and_then(|held| held.split_once('.')).unwrap_or_default();
    let next = URL_SAFE_NO_PAD.decode(next).ok().and_then(|next| String::from_utf8(next).ok());
    let next = next::path(next.as_deref());
    let other = || {
        provider::Error::Login(
            "This login was not begun in this browser, or too long ago; begin it again.".into(),
        )
    };
    let finished = match (sso.waiting.take(ticket), back.state, back.code) {
        (Some(pending), Some(said), Some(code)) => sso.provider.finish(pending, &said, &code).await,
        (Some(_), _, _) => Err(provider::Error::Refused("The provider did not sign you in.".into())),
        (None, _, _) => Err(other()),
    };
    let people = state.store.people();
    let now = (state.clock)();
    let mut response = match finished {
        Ok(identity) => {
            let user = user_of(&people, &identity, address, now).await?;
            if user.disabled_at.is_some() {
                refused(&provider::Error::Refused("This account may not sign in any more.".into()))
            } else {
                login::begin(&state, &user, &headers, address, "By single sign-on.", next).await?
            }
        }
        Err(error) => {
            if sso.is_noted(address, now) {
                let by = Actor { name: "-".into(), address: address.to_string() };
                let why = format!("By single sign-on: {error}");
                people.note(&by.did(now, "login.failed", "-".into(), why)).await?;
            }
            refused(&error)
        }
    };
    response.headers_mut().append(header::SET_COOKIE, cookie::clear_ticket());
    Ok(response)
}

/// The user that the provider vouches for, made where they come for the first time, with the role that they have there
/// now.
///
/// The audit log names them as this server does: what they are called elsewhere may be anybody's name here.
async fn user_of(
    people: &People,
    identity: &Identity,
    address: IpAddr,
    now: Nanos,
) -> Result<User, store::Error> {
    let Identity { issuer, subject, role, .. } = identity;
    let by = |name: &str| Actor { name: name.to_owned(), address: address.to_string() };
    match people.user_vouched(issuer, subject).await? {
        Some(user) if user.role == *role => Ok(user),
        Some(user) => {
            let by = by(&user.name);
            people.change_user(user.id, None, &Change::Role(*role), &by, Role::Admin, now).await
        }
        None => {
            let vouched = Some((issuer.clone(), subject.clone()));
            let name = free_name(people, identity).await?;
            let display = identity.name.chars().filter(|letter| !letter.is_control()).take(120).collect();
            let new = NewUser { name, display, role: *role, password: None, vouched };
            people.add_user(&new, &by(&new.name), Role::Admin, now).await
        }
    }
}

/// A name that nobody has: it is to be read, and who somebody is hangs on issuer and subject alone.
async fn free_name(people: &People, identity: &Identity) -> Result<String, store::Error> {
    let plain = |text: &str| -> String {
        let letters = text.chars().map(|letter| if letter.is_whitespace() { '.' } else { letter });
        letters.filter(|letter| letter.is_alphanumeric() || ".-_@+".contains(*letter)).take(56).collect()
    };
    let wished = [identity.email.as_deref().unwrap_or_default(), &identity.name].map(plain);
    let base = wished.into_iter().find(|name| check_name(name).is_ok()).unwrap_or_else(|| "user".into());
    for n in 1..1000 {
        let name = if n == 1 { base.clone() } else { format!("{base}-{n}") };
        if people.user_named(&name).await?.is_none() {
            return Ok(name);
        }
    }
    Err(store::Error::Unfit(format!("A thousand users are named {base} already.")))
}

fn none() -> Error {
    Error::NotFound("No provider of identities is configured here.".into())
}

fn refused(error: &provider::Error) -> Response {
    let (status, title) = match error {
        provider::Error::Provider(_) => {
            tracing::warn!(%error, "Somebody could not sign in: {error}");
            (StatusCode::BAD_GATEWAY, "Not signed in")
        }
        provider::Error::Login(_) | provider::Error::Refused(_) => (StatusCode::FORBIDDEN, "Not signed in"),
    };
    page::sorry(status, title, error.to_string())
}
