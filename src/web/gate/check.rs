//! The check before every route: does the request come from a page of ours, who asks, may they.

use axum::extract::{Request, State as Extract};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::who::{self, Means, Who};
use super::{Kind, Route, origin};
use crate::access::role::Role;
use crate::web::State;
use crate::web::api::Problem;
use crate::web::page;

/// Lets through who may, and tells the route who that is.
pub async fn check(
    Extract((state, route)): Extract<(State, Route)>,
    mut request: Request,
    next: Next,
) -> Response {
    if route.least.is_none() && route.kind == Kind::Machine {
        // Alive is alive, whatever becomes of the catalog.
        return next.run(request).await;
    }
    let headers = request.headers();
    let is_safe = request.method().is_safe() || who::bearer(headers).is_some();
    if !is_safe && !origin::is_ours(headers, &state.settings.public_host) {
        return refused(
            route,
            "This was not asked for from a page of this server. Open the page here and try again.",
        );
    }
    let who = match who::asks(&state, headers, request.extensions()).await {
        Ok(who) => who,
        Err(error) if route.kind.is_api() => return Problem::from(error).into_response(),
        Err(error) => return page::Error::from(error).into_response(),
    };
    let by_token = matches!(who, Some(Who { means: Means::Token(_), .. }));
    let is_persons = matches!(route.kind, Kind::Page | Kind::Form);
    match (route.least, &who) {
        (Some(_), None) => return unknown(route, &request),
        (Some(_), Some(_)) if by_token && is_persons => {
            return refused(route, "An API token opens the API and not the pages.");
        }
        (Some(least), Some(who)) if who.role < least => return refused(route, &too_little(who, least)),
        _ => {}
    }
    if let Some(who) = who {
        request.extensions_mut().insert(who);
    }
    next.run(request).await
}

/// Nobody knows who asks.
fn unknown(route: Route, request: &Request) -> Response {
    match route.kind {
        Kind::Page => {
            let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
            let query = match wanted {
                "/" => String::new(),
                wanted => format!("?next={}", crate::web::view::figure::encoded(wanted)),
            };
            Redirect::to(&format!("/login{query}")).into_response()
        }
        // What was typed is lost, and the page that it was typed into asks for a login too.
        Kind::Form => Redirect::to("/login").into_response(),
        Kind::Api | Kind::ApiMake | Kind::ApiEnd | Kind::Machine => {
            let what = "Show an API token as `Authorization: Bearer sw_api_…`; people make them on their account page.";
            let mut response = Problem::of(StatusCode::UNAUTHORIZED, what).into_response();
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
    }
}

fn too_little(who: &Who, least: Role) -> String {
    match &who.means {
        Means::Open => {
            "Who may come in is decided by an admin, and there is none yet. Run `seamwatch users invite` on \
                        this machine: it prints a link that makes the first one."
                .to_owned()
        }
        _ => format!(
            "This takes the role {least}, and {} has the role {}. An admin can change that.",
            who.name, who.role
        ),
    }
}

fn refused(route: Route, what: &str) -> Response {
    match route.kind {
        Kind::Api | Kind::ApiMake | Kind::ApiEnd | Kind::Machine => {
            Problem::of(StatusCode::FORBIDDEN, what).into_response()
        }
        Kind::Page | Kind::Form => page::sorry(StatusCode::FORBIDDEN, "Not allowed", what.to_owned()),
    }
}
