//! `/`: one row for each integration, worst first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State as Extract};
use axum::response::Response;
use serde::Deserialize;

use super::chart::{self, Columns, Spark, Strip};
use super::format::{self, Prose, When};
use super::page::{self, Error, Frame};
use super::period::Period;
use super::view::badge::Badge;
use super::view::calls::{EndpointKey, Summary, endpoints};
use super::view::course::Course;
use super::view::figure::{self, Figure};
use super::view::health::{self, Health, Sources};
use super::view::incident;
use super::{Settings, State, load};
use crate::alert::incident::{Incident, Severity};
use crate::alert::sentence;
use crate::rollup::window::{MINUTE, Minute, Part};
use crate::signals::observation::{Direction, IntegrationKey};
use crate::signals::telemetry::Nanos;
use crate::store::Detail;

/// Half hours of the strip.
const CELLS: i64 = 48;

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
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
pub async fn show(Extract(state): Extract<State>, Query(asked): Query<Asked>) -> Result<Response, Error> {
    let now = (state.clock)();
    let loaded = load::window(&state, Period::last(60, now), None).await?;
    let day = Period { from: day_start(now), to: Minute(Minute::of(now).0 + 1) };
    let day = state.store.window(day.from, day.to, None, Detail::Counts).await?;
    let frame = Frame::new(&state, &loaded.incidents, "overview", "Overview");
    let sources = loaded.sources(&state, now);
    Ok(page::render(&build(frame, &sources, &day, &state.settings, asked.environment.as_deref())))
}

/// The page from plain values. `day` holds the counts of the last 24 hours.
pub fn build(
    frame: Frame,
    sources: &Sources<'_>,
    day: &Part,
    settings: &Settings,
    environment: Option<&str>,
) -> Overview {
    let all = health::all(sources);
    let named: BTreeSet<&Arc<str>> = all.iter().map(|one| &one.key.environment).collect();
    let environments: Vec<String> = named.into_iter().map(|name| name.to_string()).collect();
    let is_production =
        |one: &Health<'_>| !settings.non_production.iter().any(|name| **name == *one.key.environment);
    let mut shown: Vec<&Health<'_>> =
        all.iter().filter(|one| environment.is_none_or(|name| *name == *one.key.environment)).collect();
    shown.sort_by_key(|one| !is_production(one));
    let busy = busy_minutes(day);
    let counted = endpoints(day, day_start(sources.now), Minute(Minute::of(sources.now).0 + 1));
    let calls = Summary::over(&counted, sources.seldom, |key| key.direction != Direction::Dependency);
    let lede = lede(&shown, &is_production, calls.judged.operations);
    let many = environments.len() > 1;
    let hour = Minute(Minute::of(sources.now).0 + 1);
    let columns = Columns { from: Minute(hour.0 - 60), to: hour, step: 2 };
    let course = Course::of(sources.window, columns, false);
    Overview {
        lede,
        rows: shown.iter().map(|one| row(one, sources, &busy, &course, many)).collect(),
        environments: if many { choices(&environments, environment) } else { Vec::new() },
        otlp_http: settings.otlp_http.clone(),
        frame,
    }
}

fn day_start(now: Nanos) -> Minute {
    Minute(Minute::of(now).0.div_euclid(30) * 30 - 30 * (CELLS - 1))
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

/// In which half hours an integration was heard of.
type Busy<'p> = BTreeMap<&'p IntegrationKey, BTreeSet<i64>>;

fn busy_minutes(day: &Part) -> Busy<'_> {
    let mut busy = Busy::new();
    let calls = day.calls.keys().map(|(minute, key)| (minute, &key.integration));
    let gauges = day.gauges.keys().map(|(minute, key)| (minute, &key.integration));
    for (minute, key) in calls.chain(gauges) {
        busy.entry(key).or_default().insert(minute.0.div_euclid(30));
    }
    busy
}

fn row(one: &Health<'_>, sources: &Sources<'_>, busy: &Busy<'_>, course: &Course, many: bool) -> Row {
    let now = sources.now;
    let worst = one.incidents.first();
    let environment = one.key.environment.to_string();
    Row {
        badge: Badge(one.state.name()),
        name: one.key.name.to_string(),
        href: figure::integration_href(&one.key),
        environment: if many { environment } else { String::new() },
        tier: one.tier.clone(),
        route: crate::alert::figure::route(&one.source, &one.destination),
        cause: worst.map_or_else(String::new, |worst| format::capital(&sentence::cause(&worst.cause))),
        since: worst.map(|worst| When::new(worst.since, now)),
        sentence: worst.map_or_else(Prose::default, |worst| Prose::new(&said(worst), now)),
        strip: strip(one, sources, busy),
        spark: spark(one, sources, course),
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
fn spark(one: &Health<'_>, sources: &Sources<'_>, course: &Course) -> Option<Spark> {
    let of_it = |key: &EndpointKey| key.integration == one.key && key.direction == Direction::Outbound;
    let class = match figure::colour(one, &["call.success_rate", "attempt.", "slo."]) {
        "" => "calm",
        colour => colour,
    };
    chart::spark(&course.rates(sources.seldom, of_it), class)
}

/// A mark for each half hour: the worst incident that stood in it, else whether anything was heard.
fn strip(one: &Health<'_>, sources: &Sources<'_>, busy: &Busy<'_>) -> Strip {
    let first = day_start(sources.now).0.div_euclid(30);
    let own = || sources.incidents.iter().filter(|incident| health::is_of(incident, &one.key));
    let cells: Vec<&'static str> = (first..first + CELLS)
        .map(|half_hour| {
            let from = half_hour.saturating_mul(30 * MINUTE);
            let heard = busy.get(&one.key).is_some_and(|heard| heard.contains(&half_hour));
            match incident::worst_in(own(), from, from + 30 * MINUTE) {
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
