//! The dashboard and the JSON API: every page is a sentence before it is a chart.
//!
//! A request is one read of the store, one walk through [`view`] (pure), one template. Pages work without JavaScript;
//! `static/live.js` fetches the page again when [`live`] says that something changed, and puts the difference in place.
//! Nothing here writes but what people and their sessions need. Who may open a route is one table, [`gate`]. All that comes from outside is escaped by askama; a policy on every answer forbids inline
//! script and style and everything from elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::from_fn_with_state;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::alert::incident::{Incident, Severity};
use crate::alert::maintenance::Maintenance;
use crate::clock::Clock;
use crate::signals::classified::Classified;
use crate::signals::provider::Providers;
use crate::signals::signal::Signal;
use crate::signals::telemetry::Nanos;
use crate::store::Store;
use crate::store::mail::NewMail;

pub mod overview;
pub mod integration;
pub mod incidents;
pub mod errors;
pub mod readiness;
pub mod runbook;
pub mod silences;
pub mod link;
pub mod mail;
pub mod system;
pub mod login;
pub mod sso;
pub mod setup;
pub mod password;
pub mod account;
pub mod people;
pub mod keys;
pub mod audit;
pub mod gate;
pub mod api;
pub mod live;
pub mod probes;
pub mod assets;
pub mod page;
pub mod asked;
pub mod host;
pub mod load;
pub mod period;
pub mod view;
pub mod chart;
pub mod format;

/// What stands on every page while no user and no key exist and the ports are on loopback.
pub const OPEN_TO_ALL: &str = "Open to everyone on this machine: no user and no key exist yet.";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// What a page may use of the machine it is shown on: nothing.
const PERMISSIONS: &str = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), bluetooth=(), \
                           display-capture=(), browsing-topics=()";

/// The longest form, in bytes.
const FORM: usize = 64 << 10;

/// Counters as they stand: `accepted_spans`, `rejected_<records>`, `refused_<reason>`, `duplicates`, `late`, `lag_ms` …
pub type Counters = Arc<dyn Fn() -> Vec<(String, u64)> + Send + Sync>;

/// Something that does not work now, as a sentence; gone once it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When it began.
    pub since: Nanos,
    /// Whether senders are refused meanwhile.
    pub refuses: bool,
    /// What does not work, what that means, and what still works.
    pub sentence: String,
}

/// The troubles of this moment.
pub type Troubles = Arc<dyn Fn() -> Vec<Trouble> + Send + Sync>;

/// Messages that tell channels besides e-mail that somebody looks at an incident: (incident, who, channels that were told
/// of it, now).
pub type LookedAt = Arc<dyn Fn(&Incident, &str, &[String], Nanos) -> Vec<NewMail> + Send + Sync>;

/// What the pages are made from.
#[derive(Clone)]
pub struct State {
    /// Where everything is read from.
    pub store: Store,
    /// The present.
    pub clock: Clock,
    /// The rules in force, their runbooks, and what is wrong with the files.
    pub rules: watch::Receiver<Arc<RulesView>>,
    /// Counters of the whole server.
    pub counters: Counters,
    /// What does not work now.
    pub troubles: Troubles,
    /// Goes up whenever something that pages show has changed.
    pub live: watch::Receiver<u64>,
    /// Ends every open stream.
    pub stop: CancellationToken,
    /// How mail leaves.
    pub mail: MailInfo,
    /// Where people may sign in beside here.
    pub oidc: Option<Arc<sso::Sso>>,
    /// What is told when somebody looks at an incident.
    pub looked_at: LookedAt,
    /// What ambiguous answers were said to be.
    pub classified: Arc<Classified>,
    /// Who may come in.
    pub access: Arc<gate::access::Access>,
    /// What the operator says.
    pub settings: Arc<Settings>,
}

/// The rules as the pages see them.
#[derive(Clone, Debug, Default)]
pub struct RulesView {
    /// In force.
    pub rules: Vec<RuleView>,
    /// Runbook key (`success-rate-low`) → Markdown.
    pub runbooks: BTreeMap<String, String>,
    /// Maintenance windows.
    pub maintenance: Vec<Maintenance>,
    /// What is wrong with the files as they are now, each `alerts/x.toml:14:11 …`.
    pub problems: Vec<String>,
    /// When the rules in force were read.
    pub loaded_at: Nanos,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct RuleView {
    /// `success-rate-low`.
    pub id: String,
    /// `{peer} {endpoint} success rate`.
    pub title: String,
    /// The worst it can be.
    pub severity: Severity,
    /// Runbook file name.
    pub runbook: String,
    /// `call.success_rate`.
    pub signal: String,
    /// Every signal that it speaks of.
    pub signals: Vec<Signal>,
}

/// How mail leaves.
#[derive(Clone, Debug, Default)]
pub struct MailInfo {
    /// `smtp` or `file`.
    pub transport: String,
    /// Where `.eml` files are written, with `file`.
    pub folder: Option<String>,
    /// The sender's address.
    pub from: String,
}

/// What the operator says of integrations and of this server.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Environments that notify nobody.
    pub non_production: Vec<String>,
    /// Integration → (tier, owner); an empty text leaves what its telemetry says.
    pub overrides: view::health::Overrides,
    /// Integrations that are shown in no list and judged by no rule.
    pub retired: BTreeSet<String>,
    /// Sentences that stand on every page, such as [`OPEN_TO_ALL`].
    pub notices: Vec<String>,
    /// The host of `public_url`, empty where none is configured: the one name beside this machine's own.
    pub public_host: String,
    /// What vendors say of their interfaces.
    pub providers: Arc<Providers>,
    /// The key that inbox and segments are encrypted with; none where they are not.
    pub encrypted_with: Option<String>,
    /// Where people reach this server, without a slash at its end.
    pub base_url: String,
    /// Where OTLP over HTTP is taken, for the snippet on an empty page: `http://127.0.0.1:4318`.
    pub otlp_http: String,
}

/// Every route, behind its check.
pub fn router(state: State) -> Router {
    let header = |name: &'static str, value: &'static str| {
        // `if_not_present`: a framed mail has a stricter policy of its own.
        SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    gate::router(&state)
        .fallback(page::nowhere)
        .method_not_allowed_fallback(page::not_this_way)
        .layer(DefaultBodyLimit::max(FORM))
        .layer(from_fn_with_state(state.clone(), host::only_ours))
        .with_state(state)
        .layer(CatchPanicLayer::custom(page::panicked))
        .layer(header(header::CONTENT_SECURITY_POLICY.as_str(), POLICY))
        .layer(header("x-content-type-options", "nosniff"))
        // Nothing to other sites. With `no-referrer` browsers would keep the origin of a form from us too.
        .layer(header("referrer-policy", "same-origin"))
        .layer(header("cross-origin-opener-policy", "same-origin"))
        .layer(header("cross-origin-resource-policy", "same-origin"))
        .layer(header("permissions-policy", PERMISSIONS))
        .layer(header("cache-control", "no-store"))
}

/// The same where the port speaks TLS: a browser that was here once never asks in the clear again.
pub fn only_over_tls(router: Router) -> Router {
    let a_year = HeaderValue::from_static("max-age=31536000");
    router.layer(SetResponseHeaderLayer::if_not_present(header::STRICT_TRANSPORT_SECURITY, a_year))
}

#[cfg(test)]
mod tests;
