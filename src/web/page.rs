//! What all pages share: the frame around them, and errors as pages.

use std::any::Any;

use askama::Template;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};

use super::api::{self, Problem};
use super::asked::is_api;
use super::assets;
use super::format::When;
use super::gate::{self, who::Means, who::Who};
use super::{OPEN_TO_ALL, RulesView, State, Trouble};
use crate::access::role::Role;
use crate::alert::incident::{Incident, Severity};
use crate::signals::telemetry::Nanos;
use crate::store;

/// The frame: navigation, banners, assets.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Title of the page.
    pub title: String,
    /// Which entry of the navigation is this page's.
    pub here: &'static str,
    /// The page's own stylesheet, without its ending; empty where it has none.
    pub css: &'static str,
    /// How many incidents are open.
    pub open: usize,
    /// Whether one of them is critical.
    pub critical: bool,
    /// Sentences that stand on every page.
    pub notices: Vec<String>,
    /// What does not work now, and since when.
    pub troubles: Vec<(String, When)>,
    /// What is wrong with the rule files.
    pub problems: Vec<String>,
    /// When the rules in force were read.
    pub rules_of: When,
    /// Where assets are: `/static/<hash>`.
    pub assets: &'static str,
    /// Who sees it; none while nobody is told from another.
    pub me: Option<Me>,
}

/// Who sees a page.
#[derive(Clone, Debug)]
pub struct Me {
    /// What they sign in with.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// What their forms carry.
    pub token: String,
    /// Whether they signed in here, and so can sign out.
    pub signed_in: bool,
}

impl Me {
    fn of(state: &State, who: &Who) -> Option<Me> {
        let token = state.access.signer.form_token(&who.form_key());
        let signed_in = matches!(who.means, Means::Session(..));
        let known = !matches!(who.means, Means::Open);
        known.then(|| Me { name: who.name.clone(), role: who.role, token, signed_in })
    }

    /// Whether they may write off, accept and the like.
    pub fn may_operate(&self) -> bool {
        self.role >= Role::Operator
    }

    /// Whether the pages of admins are theirs.
    pub fn is_admin(&self) -> bool {
        self.role >= Role::Admin
    }
}

impl Frame {
    /// The frame of a page. `incidents` may hold resolved ones too.
    pub fn new(
        state: &State,
        who: &Who,
        incidents: &[Incident],
        here: &'static str,
        title: impl Into<String>,
    ) -> Frame {
        let rules = state.rules.borrow().clone();
        let now = (state.clock)();
        let shown = |trouble: Trouble| (trouble.sentence, When::new(trouble.since, now));
        let troubles = (state.troubles)().into_iter().map(shown).collect();
        let mut notices = state.settings.notices.clone();
        if matches!(who.means, Means::Open) && notices.is_empty() {
            notices.push(OPEN_TO_ALL.to_owned());
        }
        let me = Me::of(state, who);
        Frame { troubles, me, ..Frame::of(&notices, &rules, incidents, here, title.into(), now) }
    }

    /// The same from plain values.
    pub fn of(
        notices: &[String],
        rules: &RulesView,
        incidents: &[Incident],
        here: &'static str,
        title: String,
        now: Nanos,
    ) -> Frame {
        let open = || incidents.iter().filter(|incident| incident.resolved_at.is_none());
        Frame {
            title,
            here,
            css: if assets::has_style(here) { here } else { "" },
            open: open().count(),
            critical: open().any(|incident| incident.severity == Severity::Critical),
            notices: notices.to_vec(),
            troubles: Vec::new(),
            problems: rules.problems.clone(),
            rules_of: When::new(rules.loaded_at, now),
            assets: assets::base(),
            me: None,
        }
    }
}

/// Why a page cannot be shown.
#[derive(Debug)]
pub enum Error {
    /// What was asked for is not there.
    NotFound(String),
    /// A parameter cannot be read.
    BadParameter(String),
    /// The store cannot be read now.
    Store(store::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        Error::Store(error)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match self {
            Error::Store(store::Error::Unfit(what)) => sorry(StatusCode::CONFLICT, "Not done", what),
            Error::NotFound(what) => sorry(StatusCode::NOT_FOUND, "Not here", what),
            Error::BadParameter(what) => sorry(StatusCode::BAD_REQUEST, "Not understood", what),
            Error::Store(error) => {
                tracing::error!(%error, "A page cannot be shown: {error}");
                let what = format!("{error} Reload in a moment; if it lasts, the server's log says more.");
                sorry(StatusCode::SERVICE_UNAVAILABLE, "Not now", what)
            }
        }
    }
}

/// The result of a page.
pub type Shown<T> = Result<Html<T>, Error>;

/// Renders a page.
pub fn render(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "A template failed: {error}");
            let what = "This page could not be put together. The server's log says why.".into();
            sorry(StatusCode::INTERNAL_SERVER_ERROR, "Not shown", what)
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct Sorry {
    title: &'static str,
    what: String,
    assets: &'static str,
}

/// A page that says why there is none.
pub fn sorry(status: StatusCode, title: &'static str, what: String) -> Response {
    let page = Sorry { title, what, assets: assets::base() };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => (status, page.what).into_response(),
    }
}

/// There is no such page, and no such question to the API.
pub async fn nowhere(uri: Uri) -> Response {
    if is_api(&uri) {
        return Problem::not_found(format!("There is no {} in this API.", uri.path())).into_response();
    }
    let what = format!("There is no page at {}. The overview has a row for each integration.", uri.path());
    Error::NotFound(what).into_response()
}

/// There is such a page, but it is not asked for in this way.
pub async fn not_this_way(method: Method, uri: Uri) -> Response {
    if is_api(&uri) {
        return api::not_this_way(method, uri).await;
    }
    let allowed = gate::allowed(uri.path());
    let what = match allowed {
        "POST" => format!("{} takes POST and not {method}: a form of another page sends to it.", uri.path()),
        allowed => {
            format!("{} takes {allowed} and not {method}: nothing can be changed there that way.", uri.path())
        }
    };
    let mut response = sorry(StatusCode::METHOD_NOT_ALLOWED, "Not this way", what);
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    response
}

/// A handler panicked: the request fails, the server stays.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("A page panicked; the line before this one says where.");
    let what = "This page failed. The server goes on; its log says where it failed.".into();
    sorry(StatusCode::INTERNAL_SERVER_ERROR, "Not shown", what)
}
