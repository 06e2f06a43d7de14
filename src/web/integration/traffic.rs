//! Calls on the integration's page: the charts and the endpoint tables.

use std::collections::BTreeSet;

use crate::alert::incident::{Incident, Severity};
use crate::alert::sentence;
use crate::rollup::series::CallsRow;
use crate::rollup::window::Part;
use crate::signals::call::{Class, finals};
use crate::signals::observation::{Direction, Facet};
use crate::signals::provider::Providers;
use crate::store::query::errors::ChangeRecord;
use crate::web::chart::{self, Bar, Columns, Plot};
use crate::web::format;
use crate::web::view::calls::{EndpointKey, Summary};
use crate::web::view::course::Course;
use crate::web::view::failures;
use crate::web::view::figure::{self, Figure};
use crate::web::view::health::{self, Health, Sources};
use crate::web::view::vendor;

/// One curve's name and colour.
pub struct Legend {
    /// `bad`, `warn` or `calm`.
    pub class: &'static str,
    /// What it shows.
    pub label: String,
}

/// Endpoints of one direction.
pub struct EndpointTable {
    /// `Calls to peers`, …
    pub title: &'static str,
    /// Worst first.
    pub rows: Vec<EndpointRow>,
    /// What a reader must know of the rows; empty where nothing.
    pub note: &'static str,
}

/// One endpoint.
pub struct EndpointRow {
    /// `PATCH`, empty where the endpoint does not start with a method.
    pub method: String,
    /// `/crm/v3/objects/contacts/{id}`.
    pub path: String,
    /// Host name.
    pub peer: String,
    /// Where the peer's vendor tells of outages; only where something fails and a file says.
    pub vendor_status: String,
    /// Operations.
    pub calls: String,
    /// Success rate.
    pub success: Figure,
    /// How much of it fails.
    pub bar: Option<Bar>,
    /// `server errors (5xx) 412, timeouts 3`, or what is excused.
    pub fails: String,
    /// Attempts to operations.
    pub attempts: String,
    /// p50, p95, p99.
    pub percentiles: [Figure; 3],
    /// The endpoint as it is named where its ambiguous answers can be classified; empty where it has none.
    pub ambiguous: String,
}

/// The endpoint of what is past the limit of endpoints, and what that means.
const OTHER: &str = "(other)";
const FOLDED: &str = "This integration has more endpoints than are told apart. The rest is counted together as \
                      (other): often a path holds an id that should be a template.";

/// Endpoints by direction; directions without a call are left out.
pub fn tables(one: &Health<'_>, sources: &Sources<'_>, providers: &Providers) -> Vec<EndpointTable> {
    let titles = [
        (Direction::Outbound, "Calls to peers"),
        (Direction::Inbound, "Calls from peers"),
        (Direction::Dependency, "Dependencies"),
    ];
    let table = |(direction, title)| {
        let mut rows: Vec<(f64, f64, EndpointRow)> = sources
            .endpoints
            .iter()
            .filter(|(key, _)| key.integration == one.key && key.direction == direction)
            .map(|(key, row)| {
                let summary = Summary::of(row, sources.seldom.contains(key));
                let mut shown = endpoint(key, row, &summary);
                if summary.judged.bad > 0.0 && direction == Direction::Outbound {
                    shown.vendor_status = vendor::status_of(providers, &key.peer);
                }
                (summary.judged.bad, summary.judged.operations, shown)
            })
            .collect();
        rows.sort_by(|a, b| (b.0, b.1).partial_cmp(&(a.0, a.1)).unwrap_or(std::cmp::Ordering::Equal));
        let folded = rows.iter().any(|(_, _, row)| row.path == OTHER);
        EndpointTable {
            title,
            rows: rows.into_iter().map(|(_, _, row)| row).collect(),
            note: if folded { FOLDED } else { "" },
        }
    };
    titles.into_iter().map(table).filter(|table| !table.rows.is_empty()).collect()
}

/// The hosts that it calls.
pub fn peers<'s>(one: &'s Health<'_>, sources: &'s Sources<'_>) -> impl Iterator<Item = &'s str> {
    let of_it = move |key: &&EndpointKey| key.integration == one.key && key.direction == Direction::Outbound;
    sources.endpoints.keys().filter(of_it).map(|key| &*key.peer)
}

fn endpoint(key: &EndpointKey, row: &CallsRow, summary: &Summary) -> EndpointRow {
    let (method, path) = match key.endpoint.split_once(' ') {
        Some((method, path)) if method.bytes().all(|byte| byte.is_ascii_uppercase()) => (method, path),
        _ => ("", &*key.endpoint),
    };
    let mut success = figure::rate(summary);
    let judged = summary.judged;
    let share = if judged.good + judged.bad > 0.0 { judged.bad / (judged.good + judged.bad) } else { 0.0 };
    if success.class.is_empty() && share >= 0.01 {
        success.class = if share >= 0.05 { "bad" } else { "warn" };
    }
    EndpointRow {
        method: method.to_owned(),
        path: path.to_owned(),
        peer: key.peer.to_string(),
        vendor_status: String::new(),
        calls: format::count(judged.operations),
        success,
        bar: (judged.bad > 0.0).then(|| chart::bar("bad", share)),
        fails: fails(row, summary),
        attempts: format::ratio(summary.attempts_per_call()),
        percentiles: [0.5, 0.95, 0.99].map(|quantile| figure::quantile_of(summary, quantile)),
        ambiguous: if is_ambiguous(row) { key.endpoint.to_string() } else { String::new() },
    }
}

/// Whether any answer could mean either.
fn is_ambiguous(row: &CallsRow) -> bool {
    let finals = finals(&row.tally.counts());
    [Class::AmbiguousRead, Class::AmbiguousWrite].iter().any(|class| finals[*class as usize] > 0.0)
}

/// What fails, most first; where nothing does, what was excused.
fn fails(row: &CallsRow, summary: &Summary) -> String {
    let last = finals(&row.tally.counts());
    let mut bad: Vec<(f64, &str)> = Class::ALL
        .into_iter()
        .filter(|class| class.is_bad())
        .map(|class| (last[class as usize], sentence::class(class)))
        .chain([(row.tally.exhausted, "throttled (429) until given up")])
        .filter(|(count, _)| *count > 0.0)
        .collect();
    let gone = last[Class::AmbiguousRead as usize];
    let excused: f64 =
        [Class::AmbiguousRead, Class::AmbiguousWrite].map(|class| last[class as usize]).iter().sum();
    let counted: f64 = bad.iter().map(|(count, _)| count).sum();
    if summary.judged.bad > counted + 0.5 {
        bad.push((gone, "gone (404 or 410)"));
    }
    bad.sort_by(|a, b| b.0.total_cmp(&a.0));
    if !bad.is_empty() {
        let named: Vec<String> =
            bad.iter().take(3).map(|(n, class)| format!("{class} {}", format::count(*n))).collect();
        return named.join(", ");
    }
    let mut notes = Vec::new();
    if excused > 0.0 && summary.judged.operations > 0.0 {
        let share = format::percent(Some(excused / summary.judged.operations));
        notes.push(format!("404, 409 and the like on {share}, excused"));
    }
    let throttled = row.tally.attempts[Class::Throttled as usize];
    if throttled > 0.0 {
        notes.push(format!("{} throttled, none given up", format::count(throttled)));
    }
    if row.tally.records_failed > 0 {
        let (failed, all) =
            (format::count(row.tally.records_failed as f64), format::count(row.tally.records as f64));
        notes.push(format!("{failed} of {all} records refused inside 2xx"));
    }
    notes.join("; ")
}

/// Success by endpoint: those that an incident names are coloured, the others together are grey.
pub fn rate_chart(
    one: &Health<'_>,
    sources: &Sources<'_>,
    course: &Course,
    (columns, changes): (Columns, &[ChangeRecord]),
    direction: Direction,
) -> (Option<Plot>, Vec<Legend>) {
    let of_it = |key: &EndpointKey| key.integration == one.key && key.direction == direction;
    let stood: Vec<&Incident> = sources
        .incidents
        .iter()
        .filter(|incident| health::is_of(incident, &one.key))
        .filter(|incident| {
            incident.since < columns.to.start()
                && incident.resolved_at.is_none_or(|resolved| resolved > columns.from.start())
        })
        .collect();
    let names = |incident: &&Incident, key: &EndpointKey| {
        incident.signal.starts_with("call.success_rate")
            && incident.labels.get("endpoint").is_some_and(|endpoint| *endpoint == *key.endpoint)
            && incident.labels.get("peer").is_none_or(|peer| *peer == *key.peer)
    };
    let all: Vec<&EndpointKey> = sources.endpoints.keys().filter(|key| of_it(key)).collect();
    let sick: BTreeSet<&EndpointKey> =
        all.iter().copied().filter(|key| stood.iter().any(|incident| names(incident, key))).take(4).collect();
    let mut series = vec![(
        "calm",
        match (sick.len(), all.len() - sick.len()) {
            (0, 1) => all.first().map_or_else(String::new, |key| key.endpoint.to_string()),
            (0, 2) => "both endpoints together".into(),
            (0, n) => format!("all {} endpoints together", format::spelled(n)),
            (_, 1) => "the other endpoint".into(),
            (_, 2) => "both other endpoints together".into(),
            (_, n) => format!("{} other endpoints together", format::spelled(n)),
        },
        course.rates(sources.seldom, |key| of_it(key) && !sick.contains(key)),
    )];
    for key in &sick {
        let worst =
            stood.iter().filter(|incident| names(incident, key)).map(|incident| incident.severity).max();
        let class = worst.map_or("calm", class_of);
        series.push((class, key.endpoint.to_string(), course.rates(sources.seldom, |other| other == *key)));
    }
    series.retain(|(_, _, values)| values.iter().any(Option::is_some));
    if series.is_empty() {
        return (None, Vec::new());
    }
    let legend =
        series.iter().rev().map(|(class, label, _)| Legend { class, label: label.clone() }).collect();
    let marks: Vec<chart::Stood> = stood
        .iter()
        .take(4)
        .map(|incident| {
            let cause = sentence::cause(&incident.cause);
            // The status codes are in the sentence; the label is short.
            let what = cause.split(" (").next().filter(|what| !what.is_empty()).unwrap_or(&incident.rule);
            let end = incident.resolved_at.unwrap_or_else(|| columns.to.start());
            (class_of(incident.severity), incident.since, end, format!("{what} {}", incident.code))
        })
        .chain(
            changes
                .iter()
                .filter(|change| drawn(change, columns))
                .take(4)
                .map(|change| ("deploy", change.at, change.at, failures::label(change))),
        )
        .collect();
    (Some(chart::rates("Success rate by endpoint".into(), columns, series, &marks)), legend)
}

/// Whether a change lies in what is drawn.
fn drawn(change: &ChangeRecord, columns: Columns) -> bool {
    (columns.from.start()..columns.to.start()).contains(&change.at)
}

/// The colour of a severity.
const fn class_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "bad",
        Severity::Warning => "warn",
        Severity::Info => "info",
    }
}

/// Durations of ok and partial attempts.
pub fn heat_chart(one: &Health<'_>, course: &Course, columns: Columns, direction: Direction) -> Option<Plot> {
    let durations = course.durations(|key| key.integration == one.key && key.direction == direction);
    chart::heatmap("Durations of successful calls, with their 95th percentile".into(), columns, &durations)
}

/// How many customers' accounts it called for.
pub fn connections(one: &Health<'_>, window: &Part) -> usize {
    let of_it = window
        .facets
        .keys()
        .filter(|(_, key)| key.integration == one.key && key.facet == Facet::Connection)
        .map(|(_, key)| &*key.id);
    of_it.collect::<BTreeSet<&str>>().len()
}
