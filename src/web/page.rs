//! What all pages share: the frame around them, and errors as pages.

use std::any::Any;

use askama::Template;
use axum::extract::State as Extract;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};

use super::assets;
use super::format::When;
use super::{RulesView, State, Trouble};
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
    /// The page's own stylesheet, without its ending.
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
}

impl Frame {
    /// The frame of a page. `incidents` may hold resolved ones too.
    pub fn new(state: &State, incidents: &[Incident], here: &'static str, title: impl Into<String>) -> Frame {
        let rules = state.rules.borrow().clone();
        let now = (state.clock)();
        let shown = |trouble: Trouble| (trouble.sentence, When::new(trouble.since, now));
        let troubles = (state.troubles)().into_iter().map(shown).collect();
        Frame { troubles, ..Frame::of(&state.settings.notices, &rules, incidents, here, title.into(), now) }
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
            css: here,
            open: open().count(),
            critical: open().any(|incident| incident.severity == Severity::Critical),
            notices: notices.to_vec(),
            troubles: Vec::new(),
            problems: rules.problems.clone(),
            rules_of: When::new(rules.loaded_at, now),
            assets: assets::base(),
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

/// There is no such page.
pub async fn nowhere(Extract(_): Extract<State>, uri: Uri) -> Response {
    let what = format!("There is no page at {}. The overview has a row for each integration.", uri.path());
    Error::NotFound(what).into_response()
}

/// There is such a page, but it is only read.
pub async fn not_this_way(method: Method, uri: Uri) -> Response {
    let what = format!("{} takes GET and not {method}: nothing can be changed there.", uri.path());
    let mut response = sorry(StatusCode::METHOD_NOT_ALLOWED, "Read only", what);
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
    response
}

/// A handler panicked: the request fails, the server stays.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("A page panicked; the line before this one says where.");
    let what = "This page failed. The server goes on; its log says where it failed.".into();
    sorry(StatusCode::INTERNAL_SERVER_ERROR, "Not shown", what)
}
