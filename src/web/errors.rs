//! `/errors` and `/errors/{fingerprint}`: what fails, by what it says, and the failing calls that are kept whole.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::response::Response;
use serde::Deserialize;

use super::asked::{Asked, Named};
use super::chart::{self, Columns, Plot};
use super::format::{self, When};
use super::gate::who::Who;
use super::integration::Choice;
use super::page::{self, Error, Frame};
use super::period::{self, Period};
use super::view::failures::{self, ErrorRow};
use super::view::figure;
use super::view::pin::{self, PinRow};
use super::{State, load};
use crate::rollup::errors::HOUR;
use crate::rollup::window::Minute;
use crate::signals::telemetry::Nanos;
use crate::store::pins::{Kind, Pin};
use crate::store::query::errors::{ErrorQuery, ErrorRecord};

/// Groups on the list.
const GROUPS: u32 = 200;
/// Failures of a group that are shown whole.
const PINS: u32 = 60;

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Which {
    integration: Option<String>,
    environment: Option<String>,
    q: Option<String>,
    range: Option<String>,
}

/// The list.
#[derive(Template)]
#[template(path = "errors.html")]
pub struct List {
    frame: Frame,
    lede: String,
    ranges: Vec<Choice>,
    range: String,
    integration: String,
    environment: String,
    text: String,
    with_integration: bool,
    caption: &'static str,
    errors: Vec<ErrorRow>,
}

/// One group.
#[derive(Template)]
#[template(path = "errors_one.html")]
pub struct Page {
    frame: Frame,
    kind: String,
    message: String,
    said: String,
    integration: String,
    integration_href: String,
    facts: Vec<(&'static str, String)>,
    first: When,
    version: String,
    last: When,
    ranges: Vec<Choice>,
    failures: String,
    plot: Plot,
    pins: Vec<PinRow>,
    logs: Vec<PinRow>,
}

/// Lists them.
pub async fn list(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Asked(asked): Asked<Which>,
) -> Result<Response, Error> {
    let now = (state.clock)();
    let (range, period) = stretch(&asked, now)?;
    let query = ErrorQuery {
        integration: asked.integration.clone(),
        environment: asked.environment.clone(),
        text: asked.q.clone(),
        limit: GROUPS,
        ..hours(period)
    };
    let groups = state.store.errors(&query).await?;
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let frame = Frame::new(&state, &who, &open, "errors", "Errors");
    Ok(page::render(&listed(frame, &groups, &asked, range, now)))
}

/// The list from plain values.
pub fn listed(frame: Frame, groups: &[ErrorRecord], asked: &Which, range: String, now: Nanos) -> List {
    let failures: u64 = groups.iter().map(|group| group.failures).sum();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (integration, environment, q) = (text(&asked.integration), text(&asked.environment), text(&asked.q));
    let of = if integration.is_empty() { String::new() } else { format!(" of {integration}") };
    let lede = match (groups.len(), q.is_empty()) {
        (0, true) => format!("No call{of} failed in this stretch, and no exception was told."),
        (0, false) => format!("No failure{of} in this stretch says “{q}”."),
        (n, _) => {
            let kinds = if n == 1 { "way" } else { "ways" };
            let count = format::count(failures as f64);
            let noun = if failures == 1 { "failure" } else { "failures" };
            format!("{count} {noun}{of} in {} {kinds}, the most frequent first.", format::spelled(n))
        }
    };
    let link = |range: &str| {
        let mut href = format!("/errors?range={range}");
        for (name, value) in [("integration", &integration), ("environment", &environment), ("q", &q)] {
            if !value.is_empty() {
                href += &format!("&{name}={}", figure::encoded(value));
            }
        }
        href
    };
    List {
        frame,
        lede,
        ranges: choices(&range, link),
        range,
        integration: integration.clone(),
        environment: environment.clone(),
        text: q.clone(),
        with_integration: true,
        caption: "",
        errors: failures::rows(groups, now),
    }
}

/// Shows one.
pub async fn show(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(fingerprint): Named,
    Asked(asked): Asked<Which>,
) -> Result<Response, Error> {
    let now = (state.clock)();
    let (range, period) = stretch(&asked, now)?;
    let fingerprint = fingerprint.to_ascii_lowercase();
    let query = ErrorQuery { fingerprint: Some(fingerprint.clone()), limit: 1, ..hours(period) };
    let found = state.store.errors(&query).await?.pop();
    let found = found.ok_or_else(|| Error::NotFound(missing(&fingerprint)))?;
    let counts = state.store.error_hours(&fingerprint, query.from_hour, query.to_hour).await?;
    let pins = state.store.pins(&fingerprint, PINS).await?;
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let frame = Frame::new(&state, &who, &open, "errors", format!("{} {}", found.kind, found.endpoint));
    Ok(page::render(&shown(frame, &found, &counts, &pins, (&range, period), now)))
}

/// The sentence for a group that is not there.
pub fn missing(fingerprint: &str) -> String {
    format!("No error group has the fingerprint {fingerprint}: it never was, or its time is over.")
}

/// One group from plain values.
pub fn shown(
    frame: Frame,
    group: &ErrorRecord,
    counts: &[(i64, u64)],
    pins: &[Pin],
    (range, period): (&str, Period),
    now: Nanos,
) -> Page {
    let row = failures::rows(std::slice::from_ref(group), now).pop();
    let href = pin::href(&group.fingerprint);
    let mut pins_of_group = pin::rows(pins, Kind::Failure, now);
    pins_of_group.iter_mut().for_each(|pin| pin.group.clear());
    let facts = [
        ("", failures::place(group)),
        ("Environment", group.environment.clone()),
        ("", if group.direction.is_empty() { "no call".into() } else { String::new() }),
    ];
    Page {
        frame,
        kind: group.kind.clone(),
        message: group.message.clone(),
        said: if group.said == group.message { String::new() } else { group.said.clone() },
        integration: group.integration.clone(),
        integration_href: row.map(|row| row.integration_href).unwrap_or_default(),
        facts: facts.into_iter().filter(|(_, fact)| !fact.is_empty()).collect(),
        first: When::new(group.first_seen, now),
        version: group.first_version.clone(),
        last: When::new(group.last_seen, now),
        ranges: choices(range, |range| format!("{href}?range={range}")),
        failures: format::count(group.failures as f64),
        plot: plot(counts, period),
        pins: pins_of_group,
        logs: pin::rows(pins, Kind::Log, now),
    }
}

/// Failures by hour, or by day where hours would be too many.
fn plot(counts: &[(i64, u64)], period: Period) -> Plot {
    let step = if period.to.0 - period.from.0 > 7 * 1440 { 1440 } else { 60 };
    let from = Minute(period.from.0.div_euclid(step) * step);
    let columns = Columns { from, to: period.to, step };
    let mut values = vec![Some(0.0); columns.count()];
    for (hour, count) in counts {
        let column = columns.at(Minute(hour * 60)).and_then(|column| values.get_mut(column));
        if let Some(Some(value)) = column {
            *value += *count as f64;
        }
    }
    let says = if step == 60 { "Failures by hour" } else { "Failures by day" };
    chart::amounts(says.into(), columns, vec![("bad", "failures".into(), values)], format::count)
}

fn stretch(asked: &Which, now: Nanos) -> Result<(String, Period), Error> {
    let range = asked.range.clone().unwrap_or_else(|| "24h".into());
    let minutes = period::length("range", &range).map_err(Error::BadParameter)?;
    Ok((range, Period::last(minutes, now)))
}

/// A query of a period, widened to whole hours.
pub fn hours(period: Period) -> ErrorQuery {
    let (from, to) = (period.from.start(), period.to.start());
    let to_hour = to.div_euclid(HOUR) + i64::from(to.rem_euclid(HOUR) != 0);
    ErrorQuery { from_hour: from.div_euclid(HOUR), to_hour, ..ErrorQuery::default() }
}

fn choices(chosen: &str, href: impl Fn(&str) -> String) -> Vec<Choice> {
    let ranges = [("24 hours", "24h"), ("7 days", "7d"), ("30 days", "30d"), ("400 days", "400d")];
    ranges.map(|(label, range)| Choice::new(label, href(range), range == chosen)).into()
}
