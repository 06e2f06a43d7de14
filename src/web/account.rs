//! `/account`: the own password, API tokens, and where one is signed in.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::format::{self, When};
use super::gate::cookie;
use super::gate::posted::Posted;
use super::gate::who::{Means, Who};
use super::login::{self, Nothing};
use super::page::{self, Error, Frame};
use super::{State, load};
use crate::access::password::{self, Busy};
use crate::access::person::{Change, Session, Token, User};
use crate::access::role::Role;
use crate::access::secret::{Kind, Secret};
use crate::access::session::is_open;
use crate::signals::telemetry::Nanos;
use crate::store;

const DAY: Nanos = 24 * 3_600_000_000_000;
/// The longest that a token lasts, in days.
const LONGEST: i64 = 366;

/// The page.
#[derive(Template)]
#[template(path = "account.html")]
pub struct Page {
    frame: Frame,
    user: Option<Shown>,
    roles: Vec<Role>,
    tokens: Vec<TokenRow>,
    sessions: Vec<SessionRow>,
    made: Option<(String, String)>,
    problem: Problem,
}

/// Who signed in here.
struct Shown {
    display: String,
    role: Role,
    issuer: String,
}

/// What could not be done, beside the form that asked for it.
#[derive(Default)]
struct Problem {
    password: String,
    token: String,
}

struct TokenRow {
    id: i64,
    name: String,
    tail: String,
    role: Role,
    made: When,
    used: Option<When>,
    ends: String,
    over: bool,
}

struct SessionRow {
    agent: String,
    address: String,
    made: When,
    seen: When,
    this: bool,
}

/// A password to be changed.
#[derive(Debug, Deserialize)]
pub struct NewPassword {
    current: String,
    password: String,
}

/// A token to be made.
#[derive(Debug, Deserialize)]
pub struct NewToken {
    name: String,
    role: String,
    days: String,
}

/// A token to be revoked.
#[derive(Debug, Deserialize)]
pub struct Which {
    id: String,
}

/// Shows it.
pub async fn show(Extract(state): Extract<State>, Extension(who): Extension<Who>) -> Result<Response, Error> {
    shown(&state, &who, None, Problem::default()).await
}

async fn shown(
    state: &State,
    who: &Who,
    made: Option<(String, String)>,
    problem: Problem,
) -> Result<Response, Error> {
    let now = (state.clock)();
    let incidents = state.store.incidents(true, load::INCIDENTS).await?;
    let people = state.store.people();
    let (tokens, sessions) = match who.user() {
        Some(user) => (people.tokens_of(user.id).await?, people.sessions_of(user.id).await?),
        None => (Vec::new(), Vec::new()),
    };
    let this = match &who.means {
        Means::Session(hash, _) => Some(*hash),
        _ => None,
    };
    let session = |session: Session| SessionRow {
        this: Some(session.hash) == this,
        made: When::new(session.made_at, now),
        seen: When::new(session.seen_at, now),
        agent: browser(&session.agent),
        address: session.address,
    };
    let token = |token: Token| TokenRow {
        over: !token.is_good(now),
        made: When::new(token.made_at, now),
        used: token.last_used_at.map(|at| When::new(at, now)),
        ends: token.expires_at.map(|at| format::stamp(at, "%-d %b %Y")).unwrap_or_default(),
        id: token.id,
        name: token.name,
        tail: token.tail,
        role: token.role,
    };
    let user = |user: &User| Shown {
        display: user.display.clone(),
        role: user.role,
        issuer: user.vouched.clone().map(|(issuer, _)| issuer).unwrap_or_default(),
    };
    Ok(page::render(&Page {
        frame: Frame::new(state, who, &incidents, "account", "Account"),
        user: who.user().map(user),
        roles: Role::ALL.into_iter().filter(|role| *role <= who.role).collect(),
        tokens: tokens.into_iter().map(token).collect(),
        sessions: sessions.into_iter().filter(|session| is_open(session, now)).map(session).collect(),
        made,
        problem,
    }))
}

/// Changes the own password: all sessions end, and the browser that asked gets a new one.
pub async fn change_password(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Posted(new): Posted<NewPassword>,
) -> Result<Response, Error> {
    let user = who.user().ok_or_else(elsewhere)?;
    let refused = async |status: StatusCode, said: String| {
        let page = shown(&state, &who, None, Problem { password: said, ..Problem::default() }).await?;
        Ok((status, page).into_response())
    };
    let now = (state.clock)();
    // Who found a browser open can guess here too.
    if let Err(seconds) = state.access.ask(&user.name, who.address, now) {
        let said = format!("Too many tries. Try again in {} min.", seconds.div_ceil(60));
        return refused(StatusCode::TOO_MANY_REQUESTS, said).await.map(|page| login::later(page, seconds));
    }
    let busy = |Busy| Error::Store(store::Error::Busy("Many are signing in at this moment.".into()));
    let passwords = &state.access.passwords;
    if !passwords.matches(user.password.as_deref(), &new.current).await.map_err(busy)? {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "The current password is another.".into()).await;
    }
    if let Err(said) = password::check(&new.password, &user.name) {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, said).await;
    }
    let change = Change::Password(passwords.hash(&new.password).await.map_err(busy)?);
    let edition = Some(user.version);
    let user =
        state.store.people().change_user(user.id, edition, &change, &who.actor(), who.role, now).await?;
    state.access.good(&user.name, who.address);
    login::begin(&state, &user, &headers, who.address, "After a new password.", "/account").await
}

/// Makes a token and shows it once.
pub async fn make_token(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Posted(new): Posted<NewToken>,
) -> Result<Response, Error> {
    let user = who.user().ok_or_else(elsewhere)?;
    let now = (state.clock)();
    let name = new.name.trim();
    let days = new.days.parse::<i64>().ok().filter(|days| (1..=LONGEST).contains(days));
    let role = new.role.parse::<Role>();
    let (role, days) = match (role, days) {
        _ if name.is_empty() || name.chars().count() > 80 => {
            Err("Name the token after what uses it, in 1 to 80 letters.".into())
        }
        (Err(said), _) => Err(said),
        (_, None) => Err(format!("A token lasts 1 to {LONGEST} days.")),
        (Ok(role), Some(days)) => Ok((role, days)),
    }
    .map_err(Error::BadParameter)?;
    let secret = Secret::mint(Kind::ApiToken).map_err(|said| Error::Store(store::Error::Busy(said)))?;
    let token = Token {
        id: 0,
        user: user.id,
        name: name.to_owned(),
        tail: secret.tail().to_owned(),
        role,
        made_at: now,
        expires_at: Some(now.saturating_add(days.saturating_mul(DAY))),
        last_used_at: None,
        revoked_at: None,
    };
    let entry = who.did(now, "token.made", name, format!("As {role}, for {days} days, …{}.", token.tail));
    match state.store.people().add_token(&token, user.version, &secret.hash(), &entry).await {
        Err(store::Error::Unfit(token)) => {
            let page = shown(&state, &who, None, Problem { token, ..Problem::default() }).await?;
            Ok((StatusCode::CONFLICT, page).into_response())
        }
        Err(error) => Err(error.into()),
        Ok(()) => {
            shown(&state, &who, Some((name.to_owned(), secret.reveal().to_owned())), Problem::default()).await
        }
    }
}

/// Revokes a token of one's own.
pub async fn revoke_token(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Posted(which): Posted<Which>,
) -> Result<Response, Error> {
    let user = who.user().ok_or_else(elsewhere)?;
    let missing = || Error::NotFound("You have no such token.".into());
    let id = which.id.parse().map_err(|_| missing())?;
    let people = state.store.people();
    let tokens = people.tokens_of(user.id).await?;
    let token = tokens.into_iter().find(|token| token.id == id).ok_or_else(missing)?;
    let entry = who.did((state.clock)(), "token.revoked", token.name, format!("…{}.", token.tail));
    people.revoke_token(user.id, id, &entry).await?;
    Ok(Redirect::to("/account").into_response())
}

/// Ends all sessions, this one too.
pub async fn sign_out_everywhere(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Error> {
    let user = who.user().ok_or_else(elsewhere)?;
    let entry = who.did((state.clock)(), "logout.everywhere", &user.name, "");
    state.store.people().end_sessions(user.id, &entry).await?;
    let mut response = Redirect::to("/login").into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie::clear());
    Ok(response)
}

fn elsewhere() -> Error {
    Error::BadParameter(
        "Whoever signed you in keeps your account; there is nothing of it here to change.".into(),
    )
}

/// `Firefox on Linux`: enough to know one's own browsers by.
fn browser(agent: &str) -> String {
    // In this order, since each calls itself by the names of those after it too.
    let find = |names: &[(&'static str, &'static str)]| {
        names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name)
    };
    let name = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (name, system) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) => name.to_owned(),
        (None, _) if agent.is_empty() => "A program without a name".to_owned(),
        (None, _) => agent.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_are_known_by_their_own_name() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Linux");
        assert_eq!(browser(&format!("{chrome} Edg/131.0")), "Edge on Linux");
        assert_eq!(browser("curl/8.9"), "curl/8.9");
        assert_eq!(browser(""), "A program without a name");
    }
}
