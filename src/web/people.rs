//! `/people`: who may come in, and as what.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::asked::Named;
use super::format::When;
use super::gate::posted::Posted;
use super::gate::who::Who;
use super::page::{self, Error, Frame};
use super::{State, load, password};
use crate::access::person::{Change, NewUser, User, check_name};
use crate::access::role::Role;
use crate::store;

/// The page.
#[derive(Template)]
#[template(path = "people.html")]
pub struct Page {
    frame: Frame,
    lede: String,
    rows: Vec<Row>,
    link: Option<(String, String)>,
    problem: String,
    typed: Typed,
}

struct Row {
    id: i64,
    name: String,
    display: String,
    role: Role,
    how: &'static str,
    made: When,
    made_by: String,
    disabled: Option<When>,
    is_me: bool,
}

/// What was typed into the form that could not be done.
#[derive(Default)]
struct Typed {
    name: String,
    display: String,
}

/// Somebody to be let in.
#[derive(Debug, Deserialize)]
pub struct New {
    name: String,
    display: String,
    role: String,
}

/// What is to be done with somebody: `role`, `disable`, `enable` or `link`.
#[derive(Debug, Deserialize)]
pub struct Done {
    #[serde(rename = "do")]
    what: String,
    role: Option<String>,
}

/// Lists them.
pub async fn list(Extract(state): Extract<State>, Extension(who): Extension<Who>) -> Result<Response, Error> {
    shown(&state, &who, None, String::new(), Typed::default()).await
}

async fn shown(
    state: &State,
    who: &Who,
    link: Option<(String, String)>,
    problem: String,
    typed: Typed,
) -> Result<Response, Error> {
    let now = (state.clock)();
    let incidents = state.store.incidents(true, load::INCIDENTS).await?;
    let users = state.store.people().users().await?;
    let of = |role| users.iter().filter(|user| user.role == role && user.disabled_at.is_none()).count();
    let lede = match (of(Role::Admin), of(Role::Operator), of(Role::Viewer)) {
        (1, 0, 0) => "You alone may come in.".to_owned(),
        (admins, operators, viewers) => {
            let plural = |n: usize, role: &str| format!("{n} {role}{}", if n == 1 { "" } else { "s" });
            format!(
                "{}, {}, {}.",
                plural(admins, "admin"),
                plural(operators, "operator"),
                plural(viewers, "viewer")
            )
        }
    };
    let row = |user: User| Row {
        is_me: who.user().is_some_and(|me| me.id == user.id),
        how: match (&user.vouched, &user.password) {
            (Some(_), _) => "by single sign-on",
            (None, Some(_)) => "by password",
            (None, None) => "has not chosen a password yet",
        },
        made: When::new(user.made_at, now),
        made_by: user.made_by,
        disabled: user.disabled_at.map(|at| When::new(at, now)),
        id: user.id,
        name: user.name,
        display: user.display,
        role: user.role,
    };
    let frame = Frame::new(state, who, &incidents, "people", "People");
    let rows = users.into_iter().map(row).collect();
    Ok(page::render(&Page { frame, lede, rows, link, problem, typed }))
}

/// Makes a user and shows the link by which they choose their password.
pub async fn add(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Posted(new): Posted<New>,
) -> Result<Response, Error> {
    let (name, display) = (new.name.trim().to_owned(), new.display.trim().to_owned());
    let made = async {
        check_name(&name).map_err(store::Error::Unfit)?;
        let role = new.role.parse::<Role>().map_err(store::Error::Unfit)?;
        if display.chars().count() > 120 || display.chars().any(char::is_control) {
            return Err(store::Error::Unfit("How somebody is called has at most 120 letters.".into()));
        }
        let display = if display.is_empty() { name.clone() } else { display.clone() };
        let new = NewUser { name: name.clone(), display, role, password: None, vouched: None };
        state.store.people().add_user(&new, &who.actor(), who.role, (state.clock)()).await
    };
    match made.await {
        Ok(user) => {
            let link = Some((user.name.clone(), password::link_for(&state, &user)));
            shown(&state, &who, link, String::new(), Typed::default()).await
        }
        Err(store::Error::Unfit(said)) => {
            let page = shown(&state, &who, None, said, Typed { name, display }).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// Changes what somebody may do, or makes a link for them.
pub async fn change(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(id): Named,
    Posted(done): Posted<Done>,
) -> Result<Response, Error> {
    let people = state.store.people();
    let missing = || Error::NotFound("There is no such user.".into());
    let user = people.user(id.parse().map_err(|_| missing())?).await?.ok_or_else(missing)?;
    let now = (state.clock)();
    let change = match done.what.as_str() {
        "role" => Change::Role(done.role.unwrap_or_default().parse().map_err(Error::BadParameter)?),
        "disable" => Change::Disabled,
        "enable" => Change::Enabled,
        "link" if user.vouched.is_none() && user.disabled_at.is_none() => {
            let link = Some((user.name.clone(), password::link_for(&state, &user)));
            people.note(&who.did(now, "link.made", &user.name, "To choose a password, for a day.")).await?;
            return shown(&state, &who, link, String::new(), Typed::default()).await;
        }
        _ => return Err(Error::BadParameter("Nothing of the kind can be done with this user.".into())),
    };
    match people.change_user(user.id, None, &change, &who.actor(), who.role, now).await {
        Ok(_) => Ok(Redirect::to("/people").into_response()),
        Err(store::Error::Unfit(said)) => {
            let page = shown(&state, &who, None, said, Typed::default()).await?;
            Ok((StatusCode::CONFLICT, page).into_response())
        }
        Err(error) => Err(error.into()),
    }
}
