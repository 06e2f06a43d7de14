//! `/integrations/{name}`: what is wrong with one integration, and the evidence by endpoint, credential, queue and run.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::response::Response;
use serde::Deserialize;

use self::contract::ContractRow;
use self::evidence::{CredentialRow, QueuePanel, ReconciliationRow, RunRow};
use self::parts::{ConnectionRow, LimitRow, WebhookRow};
use self::traffic::{EndpointTable, Legend};
use super::asked::{Asked, Named};
use super::chart::{Columns, Plot};
use super::format::{self, When};
use super::gate::who::Who;
use super::load::Loaded;
use super::page::{self, Error, Frame};
use super::period::{self, Period};
use super::view::badge::Badge;
use super::view::course::Course;
use super::view::failures::{self, ChangeRow, ErrorRow};
use super::view::figure::{self, Figure};
use super::view::health::{self, Health, Sources};
use super::view::incident::{self, IncidentRow};
use super::view::signal;
use super::view::vendor::{self, Vendor};
use super::{Settings, State, errors, load};
use crate::signals::observation::Direction;
use crate::signals::signal::Family;
use crate::signals::telemetry::Nanos;
use crate::store::Detail;
use crate::store::query::errors::ErrorQuery;

pub mod traffic;
pub mod evidence;
pub mod contract;
pub mod decide;
pub mod parts;

/// Error groups that are read, of all environments.
const ERRORS: u32 = 50;
/// Of these the most frequent are shown.
const TOP: usize = 5;
/// Changes that are read.
const CHANGES: u32 = 50;
/// Changes are listed for as long at least, though the charts show less.
const WEEK: Nanos = 7 * 86_400_000_000_000;

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Which {
    environment: Option<String>,
    from: Option<String>,
    to: Option<String>,
    range: Option<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "integration.html")]
pub struct Page {
    frame: Frame,
    badge: Badge,
    name: String,
    tier: String,
    worst: Option<IncidentRow>,
    trouble: Option<(&'static str, String)>,
    facts: Vec<(&'static str, String)>,
    last_seen: Option<When>,
    ranges: Vec<Choice>,
    environments: Vec<Choice>,
    rate: Option<Plot>,
    rate_now: Figure,
    legend: Vec<Legend>,
    heat: Option<Plot>,
    heat_head: Vec<(&'static str, Figure)>,
    inbound_headline: bool,
    tables: Vec<EndpointTable>,
    vendors: Vec<Vendor>,
    credentials: Vec<CredentialRow>,
    queues: Vec<QueuePanel>,
    connections: Vec<ConnectionRow>,
    more_connections: usize,
    limits: Vec<LimitRow>,
    webhooks: Vec<WebhookRow>,
    reconciliations: Vec<ReconciliationRow>,
    contracts: Vec<ContractRow>,
    runs: Vec<RunRow>,
    errors: Vec<ErrorRow>,
    errors_href: String,
    changes: Vec<ChangeRow>,
    readiness: String,
    environment: String,
    signals: Vec<signal::Row>,
    quiet: Vec<String>,
    incidents: Vec<IncidentRow>,
}

/// A link that shows the page otherwise.
pub struct Choice {
    /// What stands on it.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// Whether that is what is shown.
    pub chosen: bool,
}

impl Choice {
    /// A link.
    pub fn new(label: &str, href: String, chosen: bool) -> Choice {
        Choice { label: label.to_owned(), href, chosen }
    }
}

/// Which stretch is shown: a range to now, or [from, to).
pub struct Shown {
    /// The stretch.
    pub period: Period,
    /// `1h`, empty for a stretch of its own.
    pub range: String,
}

/// Shows it.
pub async fn show(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(name): Named,
    Asked(asked): Asked<Which>,
) -> Result<Response, Error> {
    let now = (state.clock)();
    let shown = stretch(&asked, now).map_err(Error::BadParameter)?;
    let mut loaded = load::window(&state, shown.period, Some(&name)).await?;
    let failed = errors::hours(shown.period);
    let failed = ErrorQuery { integration: Some(name.clone()), limit: ERRORS, ..failed };
    loaded.errors = state.store.errors(&failed).await?;
    loaded.changes = state.store.changes(&name, None, marked(shown.period), CHANGES).await?;
    // What several integrations share stands under no name.
    loaded.values.extend(state.store.values(Some("")).await?);
    if loaded.values.iter().any(|value| value.signal.family() == Family::Webhook) {
        let hour = Period::last(60, now);
        loaded.deliveries = state.store.window(hour.from, hour.to, Some(&name), Detail::Measures).await?;
    }
    let frame = Frame::new(&state, &who, &loaded.incidents, "integration", name.clone());
    let sources = loaded.sources(&state, now);
    let page = build(frame, &sources, &loaded, &shown, &name, asked.environment.as_deref(), &state.settings)
        .ok_or_else(|| Error::NotFound(missing(&name, asked.environment.as_deref())))?;
    Ok(page::render(&page))
}

/// From when to when changes are listed.
fn marked(period: Period) -> (Nanos, Nanos) {
    let to = period.to.start();
    (period.from.start().min(to.saturating_sub(WEEK)), to)
}

/// The sentence for an integration that is not there.
pub fn missing(name: &str, environment: Option<&str>) -> String {
    let place = environment.map_or_else(String::new, |environment| format!(" in {environment}"));
    format!("No integration is named {name}{place}. Its first telemetry makes its page.")
}

fn stretch(asked: &Which, now: Nanos) -> Result<Shown, String> {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let range = text(&asked.range).unwrap_or_else(|| "1h".into());
    let minutes = period::length("range", &range)?;
    match (text(&asked.from), text(&asked.to)) {
        (None, None) => Ok(Shown { period: Period::last(minutes, now), range }),
        (from, to) => {
            let period = Period::between(from.as_deref(), to.as_deref(), minutes, now)?;
            Ok(Shown { period, range: String::new() })
        }
    }
}

/// The page from plain values; none where no integration has that name there.
pub fn build(
    frame: Frame,
    sources: &Sources<'_>,
    loaded: &Loaded,
    shown: &Shown,
    name: &str,
    environment: Option<&str>,
    settings: &Settings,
) -> Option<Page> {
    let now = sources.now;
    let mut all: Vec<Health<'_>> =
        health::all(sources).into_iter().filter(|one| &*one.key.name == name).collect();
    all.sort_by_key(|one| settings.non_production.iter().any(|other| **other == *one.key.environment));
    let one = all.iter().find(|one| environment.is_none_or(|asked| asked == &*one.key.environment))?;
    let columns = Columns::of(shown.period.from, shown.period.to);
    let here = |environment: &str| environment == &*one.key.environment;
    let changes: Vec<_> = loaded.changes.iter().filter(|change| here(&change.environment)).cloned().collect();
    let groups: Vec<_> =
        loaded.errors.iter().filter(|group| here(&group.environment)).take(TOP).cloned().collect();
    let course = Course::of(sources.window, columns, true);
    let direction = if one.outbound.judged.attempts > 0.0 || one.inbound.judged.attempts == 0.0 {
        Direction::Outbound
    } else {
        Direction::Inbound
    };
    let headline = if direction == Direction::Outbound { &one.outbound } else { &one.inbound };
    let (rate, legend) = traffic::rate_chart(one, sources, &course, (columns, &changes), direction);
    let link = |environment: &str, range: &str| {
        let key = crate::signals::observation::IntegrationKey {
            environment: environment.into(),
            ..one.key.clone()
        };
        let range = if range.is_empty() { String::new() } else { format!("&range={range}") };
        format!("{}{range}", figure::integration_href(&key))
    };
    let ranges =
        [("1 hour", "1h"), ("6 hours", "6h"), ("24 hours", "24h"), ("7 days", "7d")].map(|(label, range)| {
            Choice {
                label: label.into(),
                href: link(&one.key.environment, range),
                chosen: range == shown.range,
            }
        });
    let elsewhere = all.iter().map(|other| Choice {
        label: other.key.environment.to_string(),
        href: link(&other.key.environment, &shown.range),
        chosen: other.key == one.key,
    });
    let mut own: Vec<_> =
        loaded.incidents.iter().filter(|incident| health::is_of(incident, &one.key)).cloned().collect();
    incident::sort(&mut own);
    let (connections, more_connections) = parts::connections(one, sources.window, now);
    let (signals, quiet) = signal::rows(&loaded.values, &one.key, now);
    let readiness = figure::integration_href(&one.key).replacen('?', "/readiness?", 1);
    Some(Page {
        readiness,
        environment: one.key.environment.to_string(),
        signals,
        quiet,
        badge: Badge(one.state.name()),
        name: name.to_owned(),
        tier: one.tier.clone(),
        trouble: one.trouble.as_ref().map(|cause| (cause.kind.title(), cause.evidence.clone())),
        worst: one.incidents.first().map(|worst| incident::row(worst, now)),
        facts: facts(one, sources),
        last_seen: one.last_seen.map(|at| When::new(at, now)),
        ranges: ranges.into(),
        environments: if all.len() > 1 { elsewhere.collect() } else { Vec::new() },
        rate,
        rate_now: figure::rate(headline),
        legend,
        heat: traffic::heat_chart(one, &course, columns, direction),
        heat_head: [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)]
            .map(|(label, quantile)| (label, figure::quantile_of(headline, quantile)))
            .into(),
        inbound_headline: direction == Direction::Inbound,
        vendors: vendor::all(&settings.providers, traffic::peers(one, sources)),
        tables: traffic::tables(one, sources, &settings.providers),
        credentials: evidence::credentials(one, sources),
        queues: evidence::queues(one, columns),
        connections,
        more_connections,
        limits: parts::limits(one, loaded, &settings.providers, now),
        webhooks: parts::webhooks(one, &loaded.deliveries, &loaded.values, now),
        reconciliations: evidence::reconciliations(one, sources),
        contracts: contract::contracts(&one.key, sources),
        runs: evidence::runs(one, sources),
        errors: failures::rows(&groups, now),
        errors_href: format!(
            "/errors?integration={}&environment={}",
            figure::encoded(name),
            figure::encoded(&one.key.environment)
        ),
        changes: failures::changes(&changes, now).into_iter().take(2 * TOP).collect(),
        incidents: own.iter().take(20).map(|incident| incident::row(incident, now)).collect(),
        frame,
    })
}

fn facts(one: &Health<'_>, sources: &Sources<'_>) -> Vec<(&'static str, String)> {
    let connections = traffic::connections(one, sources.window);
    let connections = match connections {
        0 => String::new(),
        1 => "1 connection".into(),
        n => format!("{} connections", format::count(n as f64)),
    };
    let all = [
        ("", crate::alert::figure::route(&one.source, &one.destination)),
        ("Owner", one.owner.clone()),
        ("Environment", one.key.environment.to_string()),
        ("Version", one.version.clone()),
        ("", connections),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}
