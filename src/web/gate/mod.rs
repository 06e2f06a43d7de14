//! Who may open what: one table, from which the router is made. Deny by default: a route that is not here does not
//! exist, and none can be registered without the check that its row asks for.

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};

use super::{
    State, account, api, assets, audit, errors, incidents, integration, keys, link, live, login, mail,
    overview, password, people, probes, readiness, runbook, setup, silences, sso, system,
};
use crate::access::role::Role;
use Kind::{Api, ApiEnd, ApiMake, Form, Machine, Page};

pub mod access;
pub mod check;
pub mod cookie;
pub mod next;
pub mod origin;
pub mod posted;
pub mod who;

/// What asks for a route, and so how it is told that it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person: sent to the login. API tokens do not open it.
    Page,
    /// A person who changes something; the same.
    Form,
    /// A program that asks for data: told by a problem.
    Api,
    /// A program that makes something; the same.
    ApiMake,
    /// A program that ends something; the same.
    ApiEnd,
    /// A program that runs or watches this one, or a page for its parts.
    Machine,
}

impl Kind {
    /// Whether a program asks the API.
    pub const fn is_api(self) -> bool {
        matches!(self, Api | ApiMake | ApiEnd)
    }
}

/// A route.
#[derive(Clone, Copy)]
pub struct Route {
    /// As the router has it: `/integrations/{name}`.
    pub path: &'static str,
    /// What asks for it.
    pub kind: Kind,
    /// The least role that opens it; none opens to everyone.
    pub least: Option<Role>,
    /// What answers.
    handler: fn() -> MethodRouter<State>,
}

impl Route {
    /// How it is asked for.
    pub const fn method(&self) -> Method {
        match self.kind {
            Form | ApiMake => Method::POST,
            ApiEnd => Method::DELETE,
            Page | Api | Machine => Method::GET,
        }
    }
}

const fn route(
    kind: Kind,
    path: &'static str,
    least: Option<Role>,
    handler: fn() -> MethodRouter<State>,
) -> Route {
    Route { path, kind, least, handler }
}

const EVERYONE: Option<Role> = None;
const VIEWER: Option<Role> = Some(Role::Viewer);
const OPERATOR: Option<Role> = Some(Role::Operator);
const ADMIN: Option<Role> = Some(Role::Admin);

/// Every route of the dashboard and of the API.
pub const ROUTES: &[Route] = &[
    route(Page, "/", VIEWER, || get(overview::show)),
    route(Page, "/integrations/{name}", VIEWER, || get(integration::show)),
    route(Form, "/integrations/{name}/write-off", OPERATOR, || post(integration::decide::write_off)),
    route(Form, "/integrations/{name}/accept", OPERATOR, || post(integration::decide::accept)),
    route(Form, "/integrations/{name}/classify", OPERATOR, || post(integration::decide::classify)),
    route(Page, "/integrations/{name}/readiness", VIEWER, || get(readiness::show)),
    route(Page, "/incidents", VIEWER, || get(incidents::list)),
    route(Page, "/incidents/{code}", VIEWER, || get(incidents::show)),
    route(Page, "/errors", VIEWER, || get(errors::list)),
    route(Page, "/errors/{fingerprint}", VIEWER, || get(errors::show)),
    route(Form, "/incidents/{code}/acknowledge", OPERATOR, || post(incidents::acknowledge)),
    route(Form, "/incidents/{code}/release", OPERATOR, || post(incidents::release)),
    route(Page, "/silences", VIEWER, || get(silences::list)),
    route(Form, "/silences", OPERATOR, || post(silences::make)),
    route(Form, "/silences/{id}/end", OPERATOR, || post(silences::end)),
    route(Page, "/runbooks", VIEWER, || get(runbook::list)),
    route(Page, "/runbooks/{name}", VIEWER, || get(runbook::show)),
    route(Page, "/mail", VIEWER, || get(mail::list)),
    route(Page, "/mail/{id}", VIEWER, || get(mail::show)),
    route(Page, "/mail/{id}/html", VIEWER, || get(mail::html)),
    route(Page, "/system", VIEWER, || get(system::show)),
    route(Page, "/account", VIEWER, || get(account::show)),
    route(Form, "/account/password", VIEWER, || post(account::change_password)),
    route(Form, "/account/tokens", VIEWER, || post(account::make_token)),
    route(Form, "/account/tokens/revoke", VIEWER, || post(account::revoke_token)),
    route(Form, "/account/sessions/end", VIEWER, || post(account::sign_out_everywhere)),
    route(Form, "/logout", VIEWER, || post(login::sign_out)),
    route(Page, "/people", ADMIN, || get(people::list)),
    route(Form, "/people", ADMIN, || post(people::add)),
    route(Form, "/people/{id}", ADMIN, || post(people::change)),
    route(Page, "/keys", ADMIN, || get(keys::list)),
    route(Form, "/keys", ADMIN, || post(keys::make)),
    route(Form, "/keys/{id}", ADMIN, || post(keys::change)),
    route(Page, "/audit", ADMIN, || get(audit::show)),
    route(Form, "/audit/export", ADMIN, || post(audit::export)),
    route(Page, "/login", EVERYONE, || get(login::show)),
    route(Form, "/login", EVERYONE, || post(login::sign_in)),
    route(Page, "/login/oidc", EVERYONE, || get(sso::begin)),
    route(Page, "/login/oidc/callback", EVERYONE, || get(sso::come_back)),
    route(Page, "/setup", EVERYONE, || get(setup::show)),
    route(Form, "/setup", EVERYONE, || post(setup::make)),
    route(Page, "/a/{token}", EVERYONE, || get(password::show)),
    route(Form, "/a/{token}", EVERYONE, || post(password::choose)),
    route(Page, "/a/mail/{token}", EVERYONE, || get(link::show)),
    route(Form, "/a/mail/{token}", EVERYONE, || post(link::act)),
    route(Api, "/api/v1/integrations", VIEWER, || get(api::integrations::list)),
    route(Api, "/api/v1/integrations/{name}/endpoints", VIEWER, || get(api::integrations::endpoints)),
    route(Api, "/api/v1/integrations/{name}/metrics", VIEWER, || get(api::metrics::list)),
    route(Api, "/api/v1/integrations/{name}/connections", VIEWER, || get(api::parts::connections)),
    route(Api, "/api/v1/integrations/{name}/rate-limits", VIEWER, || get(api::parts::rate_limits)),
    route(Api, "/api/v1/integrations/{name}/webhooks", VIEWER, || get(api::parts::webhooks)),
    route(Api, "/api/v1/integrations/{name}/readiness", VIEWER, || get(readiness::answer)),
    route(Api, "/api/v1/integrations/{name}/changes", VIEWER, || get(api::changes::list)),
    route(Api, "/api/v1/errors", VIEWER, || get(api::errors::list)),
    route(Api, "/api/v1/errors/{fingerprint}", VIEWER, || get(api::errors::show)),
    route(Api, "/api/v1/traces", VIEWER, || get(api::evidence::traces)),
    route(Api, "/api/v1/traces/{trace_id}", VIEWER, || get(api::evidence::trace)),
    route(Api, "/api/v1/logs", VIEWER, || get(api::evidence::logs)),
    route(Api, "/api/v1/incidents", VIEWER, || get(api::incidents::list)),
    route(Api, "/api/v1/incidents/{id}/evidence", VIEWER, || get(api::errors::evidence)),
    route(Api, "/api/v1/signals", VIEWER, || get(api::signals::list)),
    route(Api, "/api/v1/silences", VIEWER, || get(api::silences::list)),
    route(ApiMake, "/api/v1/silences", OPERATOR, || post(api::silences::make)),
    route(ApiEnd, "/api/v1/silences/{id}", OPERATOR, || delete(api::silences::end)),
    route(Api, "/api/v1/system", VIEWER, || get(api::system::show)),
    route(Api, "/api/v1/openapi.json", VIEWER, || get(api::document::show)),
    route(Machine, "/live", VIEWER, || get(live::stream)),
    route(Machine, "/metrics", VIEWER, || get(probes::metrics)),
    route(Machine, "/healthz", EVERYONE, || get(probes::healthz)),
    route(Machine, "/readyz", EVERYONE, || get(probes::readyz)),
    route(Machine, "/static/{hash}/{name}", EVERYONE, || get(assets::serve)),
    route(Machine, "/favicon.ico", EVERYONE, || get(assets::favicon)),
];

/// The router of the table: each route behind the check of its row.
pub fn router(state: &State) -> Router<State> {
    ROUTES.iter().fold(Router::new(), |router, route| {
        let check = from_fn_with_state((state.clone(), *route), check::check);
        router.route(route.path, (route.handler)().route_layer(check))
    })
}

/// How a path is asked for, as `Allow` says it.
pub fn allowed(path: &str) -> &'static str {
    let asked =
        |method: Method| ROUTES.iter().any(|route| next::is_of(route.path, path) && route.method() == method);
    match (asked(Method::GET), asked(Method::POST), asked(Method::DELETE)) {
        (_, _, true) => "DELETE",
        (false, true, _) => "POST",
        (true, true, _) => "GET, HEAD, POST",
        (_, false, _) => "GET, HEAD",
    }
}

/// The table as it stands in the documentation.
pub fn markdown() -> String {
    let head = "| route | asked for by | least role |\n|---|---|---|\n".to_owned();
    ROUTES.iter().fold(head, |text, route| {
        let least = route.least.map_or("everyone", Role::name);
        let kind = match route.kind {
            Page => "person",
            Form => "person, by a form",
            Api => "program",
            ApiMake | ApiEnd => "program, to change something",
            Machine => "machine",
        };
        text + &format!("| `{} {}` | {kind} | {least} |\n", route.method(), route.path)
    })
}
