//! `/`: one row for each integration, worst first.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::response::Response;
use serde::Deserialize;

use super::asked::Asked;
use super::chart::{self, Columns, Spark, Strip};
use super::format::{self, Prose, When};
use super::gate::who::Who;
use super::page::{self, Error, Frame};
use super::period::{HALF_HOURS, Period};
use super::view::badge::Badge;
use super::view::calls::{Summary, endpoints, rates};
use super::view::figure::{self, Figure};
use super::view::health::{self, Health, Sources};
use super::view::incident;
use super::{Settings, State, load};
use crate::alert::incident::{Incident, Severity};
use crate::alert::sentence;
use crate::rollup::window::{MINUTE, Minute, Part};
use crate::signals::observation::{Direction, IntegrationKey};
use crate::signals::telemetry::Nanos;

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Which {
    environment: Option<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "overview.html")]
pub struct Overview {
    frame: Frame,
    lede: Lede,
    rows: Vec<Row>,
    environments: Vec<Choice>,
    /// Whether nothing has ever arrived: then the page says how to send.
    nothing: bool,
    otlp_http: String,
}

/// The sentence at the top.
#[derive(Debug, Default, PartialEq)]
pub struct Lede {
    /// Printed strong: `Four of seven`.
    pub strong: String,
    /// The rest.
    pub rest: String,
}

/// One way to narrow the page down.
pub struct Choice {
    label: String,
    href: String,
    chosen: bool,
}

/// One integration.
pub struct Row {
    badge: Badge,
    name: String,
    href: String,
    environment: String,
    tier: String,
    route: String,
    cause: String,
    since: Option<When>,
    sentence: Prose,
    strip: Strip,
    spark: Option<Spark>,
    success: Figure,
    percentiles: [Figure; 3],
    queue: Figure,
    expiry: Figure,
    reconciled: Figure,
    incidents: usize,
}

/// Shows it.
pub async fn show(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Asked(asked): Asked<Which>,
) -> Result<Response, Error> {
    let now = (state.clock)();
    let fleet = load::fleet(&state, now).await?;
    let frame = Frame::new(&state, &who, &fleet.loaded.incidents, "overview", "Overview");
    let sources = fleet.loaded.sources(&state, now);
    let pieces = Pieces { hour: &fleet.hour, day: &fleet.day };
    Ok(page::render(&build(frame, &sources, &pieces, &state.settings, asked.environment.as_deref())))
}

/// Rows in pieces: a row may be in several, to be merged.
pub struct Pieces<'p, P> {
    /// Calls of the last hour.
    pub hour: &'p [P],
    /// Counts of the last 24 hours, by half hour or finer.
    pub day: &'p [P],
}

/// The page from plain values.
pub fn build<P: Borrow<Part>>(
    frame: Frame,
    sources: &Sources<'_>,
    pieces: &Pieces<'_, P>,
    settings: &Settings,
    environment: Option<&str>,
) -> Overview {
    let mut all = health::all(sources);
    all.retain(|one| !settings.retired.contains(&*one.key.name));
    let named: BTreeSet<&Arc<str>> = all.iter().map(|one| &one.key.environment).collect();
    let environments: Vec<String> = named.into_iter().map(|name| name.to_string()).collect();
    let is_production =
        |one: &Health<'_>| !settings.non_production.iter().any(|name| **name == *one.key.environment);
    let mut shown: Vec<&Health<'_>> =
        all.iter().filter(|one| environment.is_none_or(|name| *name == *one.key.environment)).collect();
    shown.sort_by_key(|one| !is_production(one));
    let is_shown = |key: &IntegrationKey| environment.is_none_or(|name| *name == *key.environment);
    let day = Period::day(sources.now);
    let counted = endpoints(pieces.day, day.from, day.to);
    let calls = Summary::over(&counted, sources.seldom, |key| {
        key.direction != Direction::Dependency && is_shown(&key.integration)
    });
    let lede = match environment.filter(|_| shown.is_empty() && !all.is_empty()) {
        Some(name) => {
            Lede { strong: format!("No integration is in environment {name}."), rest: String::new() }
        }
        None => lede(&shown, &is_production, calls.judged.operations),
    };
    let many = environments.len() > 1;
    let to = Minute(Minute::of(sources.now).0 + 1);
    let columns = Columns { from: Minute(to.0 - 60), to, step: 2 };
    let course = Course {
        heard: heard(pieces.day),
        stood: health::by_name(sources.incidents.iter()),
        rates: rates(pieces.hour, columns.count(), |minute| columns.at(minute), sources.seldom),
    };
    Overview {
        lede,
        rows: shown.iter().map(|one| row(one, sources.now, &course, many)).collect(),
        environments: if many || environment.is_some() {
            choices(&environments, environment)
        } else {
            Vec::new()
        },
        nothing: all.is_empty(),
        otlp_http: settings.otlp_http.clone(),
        frame,
    }
}

/// `Four of seven integrations need somebody.` Those that notify nobody are counted apart.
fn lede(shown: &[&Health<'_>], is_production: &impl Fn(&Health<'_>) -> bool, calls: f64) -> Lede {
    let counts = |production: bool| {
        let of_it = || shown.iter().filter(|one| is_production(one) == production);
        (of_it().filter(|one| one.state.needs_somebody()).count(), of_it().count())
    };
    let ((need, all), (need_elsewhere, elsewhere)) = (counts(true), counts(false));
    let (need, all) = if all == 0 { (need_elsewhere, elsewhere) } else { (need, all) };
    let (strong, mut rest) = match (need, all) {
        (_, 0) => ("Nothing has arrived yet.".to_owned(), String::new()),
        (0, 1) => ("The one integration".into(), " is well.".to_owned()),
        (0, all) => (format!("All {}", format::spelled(all)), " integrations are well.".into()),
        (1, 1) => ("The one integration".into(), " needs somebody.".into()),
        (need, all) => {
            let verb = if need == 1 { "needs" } else { "need" };
            let strong = format!("{} of {}", format::capital(&format::spelled(need)), format::spelled(all));
            (strong, format!(" integrations {verb} somebody."))
        }
    };
    if all > 0 {
        rest += &format!(" {} calls in 24 hours.", format::count(calls));
    }
    Lede { strong, rest }
}

fn choices(environments: &[String], chosen: Option<&str>) -> Vec<Choice> {
    let every = Choice { label: "All environments".into(), href: "/".into(), chosen: chosen.is_none() };
    let one = |name: &String| Choice {
        label: name.clone(),
        href: format!("/?environment={}", figure::encoded(name)),
        chosen: chosen == Some(name),
    };
    std::iter::once(every).chain(environments.iter().map(one)).collect()
}

/// How things went, by integration.
struct Course<'p> {
    /// In which half hours it was heard of.
    heard: BTreeMap<&'p IntegrationKey, BTreeSet<i64>>,
    /// Its incidents, by its name.
    stood: BTreeMap<&'p str, Vec<&'p Incident>>,
    /// Success over the last hour.
    rates: BTreeMap<IntegrationKey, Vec<Option<f64>>>,
}

fn heard<P: Borrow<Part>>(day: &[P]) -> BTreeMap<&IntegrationKey, BTreeSet<i64>> {
    let mut heard: BTreeMap<&IntegrationKey, BTreeSet<i64>> = BTreeMap::new();
    for part in day {
        let part: &Part = part.borrow();
        // A piece has many rows of the same few half hours and integrations.
        let calls = part.calls.keys().map(|(minute, key)| (&key.integration, minute.0.div_euclid(30)));
        let gauges = part.gauges.keys().map(|(minute, key)| (&key.integration, minute.0.div_euclid(30)));
        let distinct: HashSet<(&IntegrationKey, i64)> = calls.chain(gauges).collect();
        for (key, half_hour) in distinct {
            heard.entry(key).or_default().insert(half_hour);
        }
    }
    heard
}

fn row(one: &Health<'_>, now: Nanos, course: &Course<'_>, many: bool) -> Row {
    let worst = one.incidents.first();
    let environment = one.key.environment.to_string();
    Row {
        badge: Badge(one.state.name()),
        name: one.key.name.to_string(),
        href: figure::integration_href(&one.key),
        environment: if many { environment } else { String::new() },
        tier: one.tier.clone(),
        route: crate::alert::figure::route(&one.source, &one.destination),
        cause: match (&one.trouble, worst) {
            (Some(trouble), _) => trouble.kind.title().to_owned(),
            (None, Some(worst)) => format::capital(&sentence::cause(&worst.cause)),
            (None, None) => String::new(),
        },
        since: worst.map(|worst| When::new(worst.since, now)),
        sentence: worst.map_or_else(Prose::default, |worst| Prose::new(&said(worst), now)),
        strip: strip(one, now, course),
        spark: course.rates.get(&one.key).and_then(|rates| spark(one, rates)),
        success: figure::success(one),
        percentiles: [0.5, 0.95, 0.99].map(|quantile| figure::percentile(one, quantile)),
        queue: figure::queue(one),
        expiry: figure::expiry(one, now),
        reconciled: figure::reconciled(one),
        incidents: one.incidents.len(),
    }
}

/// What is wrong, and how it is since it does not breach any more.
fn said(incident: &Incident) -> String {
    match incident.ending.as_str() {
        "" => incident.sentence.clone(),
        ending => format!("{} Recovering: {ending}", incident.sentence),
    }
}

/// Success over the last hour, two minutes a point.
fn spark(one: &Health<'_>, rates: &[Option<f64>]) -> Option<Spark> {
    let class = match figure::colour(one, &["call.success_rate", "attempt.", "slo."]) {
        "" => "calm",
        colour => colour,
    };
    chart::spark(rates, class)
}

/// A mark for each half hour: the worst incident that stood in it, else whether anything was heard.
fn strip(one: &Health<'_>, now: Nanos, course: &Course<'_>) -> Strip {
    let first = Period::day(now).from.0.div_euclid(30);
    let heard = course.heard.get(&one.key);
    let stood = course.stood.get(&*one.key.name).into_iter().flatten();
    let own: Vec<&Incident> = stood.copied().filter(|incident| health::is_of(incident, &one.key)).collect();
    let cells: Vec<&'static str> = (first..first + HALF_HOURS)
        .map(|half_hour| {
            let from = half_hour.saturating_mul(30 * MINUTE);
            let heard = heard.is_some_and(|heard| heard.contains(&half_hour));
            match incident::worst_in(own.iter().copied(), from, from + 30 * MINUTE) {
                Some(Severity::Critical) => "bad",
                Some(Severity::Warning) => "warn",
                _ if heard => "ok",
                _ => "quiet",
            }
        })
        .collect();
    let hours = |class: &str| cells.iter().filter(|cell| **cell == class).count() as f64 * 1800.0;
    let says = format!(
        "Last 24 hours, a mark for each half hour: critical {}, warning {}, nothing heard {}",
        format::seconds(hours("bad")),
        format::seconds(hours("warn")),
        format::seconds(hours("quiet")),
    );
    chart::strip(says, cells)
}
