//! `/api/v1/integrations/{name}/metrics`: the metrics of an integration as they were counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};

use super::{Answer, Count, Items, Problem};
use crate::rollup::measure::{DurationRow, Quantile};
use crate::rollup::series::{GaugeRow, Merge};
use crate::rollup::stream::Stream;
use crate::rollup::window::Part;
use crate::signals::measure::{Aspect, SeriesKey, micros, series_hash};
use crate::signals::metric;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::signals::vocabulary::Metric;
use crate::store::Detail;
use crate::web::asked::{Asked, Named};
use crate::web::period::Period;
use crate::web::{State, format, integration};

/// A reporter whose latest point is so much older than the newest has left.
const GONE: Nanos = 300_000_000_000;

/// What may be asked for.
#[derive(Debug, Deserialize)]
pub struct Which {
    environment: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

/// One series of a metric.
#[derive(Debug, Serialize)]
pub struct Item {
    environment: String,
    metric: String,
    kind: &'static str,
    unit: Option<String>,
    attributes: BTreeMap<String, String>,
    /// Of a counter what was added, of a gauge the latest level.
    value: Option<Count>,
    count: Option<Count>,
    sum: Option<Count>,
    p50_ms: Option<f64>,
    p90_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    p999_ms: Option<f64>,
    /// Durations of which only the least is known, and that least: a percentile among them is null.
    over_count: Option<u64>,
    over_ms: Option<f64>,
    /// Whether percentiles are only as exact as the sender's buckets are wide.
    estimated: Option<bool>,
    last_at: Option<String>,
    stale: Option<bool>,
}

/// The series of one integration.
pub async fn list(
    Extract(state): Extract<State>,
    Named(name): Named,
    Asked(which): Asked<Which>,
) -> Answer<Items<Item>> {
    let now = (state.clock)();
    let period = match (which.from.as_deref(), which.to.as_deref()) {
        (None, None) => Period::last(60, now),
        (from, to) => Period::between(from, to, 60, now).map_err(Problem::parameter)?,
    };
    let environment = which.environment.as_deref();
    let is_it = |key: &IntegrationKey| {
        *key.name == *name && environment.is_none_or(|environment| *environment == *key.environment)
    };
    let known = state.store.states().await?;
    if !known.integrations.keys().any(is_it) {
        return Err(Problem::not_found(integration::missing(&name, environment)));
    }
    let window = state.store.window(period.from, period.to, Some(&name), Detail::Measures).await?;
    let streams = state.store.streams(Some(&name)).await?;
    let mut fed: BTreeMap<u64, Vec<&Stream>> = BTreeMap::new();
    for stream in streams.streams.values().flatten() {
        fed.entry(stream.series).or_default().push(stream);
    }
    let series = gather(&window, is_it);
    let items = series.into_iter().map(|(key, figures)| {
        let hash = series_hash(&key.integration, &key.metric, &key.attributes);
        item(&key, &figures, fed.get(&hash).map_or(&[][..], Vec::as_slice), now)
    });
    Ok(Json(Items { items: items.collect() }))
}

/// What a window holds of one series.
#[derive(Debug, Default)]
struct Figures {
    value: Option<f64>,
    count: Option<f64>,
    sum: Option<f64>,
    durations: Option<DurationRow>,
    levels: BTreeMap<(bool, u64), GaugeRow>,
}

fn gather(part: &Part, is_it: impl Fn(&IntegrationKey) -> bool) -> BTreeMap<SeriesKey, Figures> {
    let mut all: BTreeMap<SeriesKey, Figures> = BTreeMap::new();
    for ((_, key), row) in part.counters.iter().filter(|((_, key), _)| is_it(&key.series.integration)) {
        let figures = all.entry(key.series.clone()).or_default();
        let figure = match key.aspect {
            Aspect::Value => &mut figures.value,
            Aspect::Count => &mut figures.count,
            Aspect::Sum => &mut figures.sum,
        };
        *figure.get_or_insert_default() += row.sum;
    }
    for ((_, key), row) in part.durations.iter().filter(|((_, key), _)| is_it(&key.series.integration)) {
        let figures = all.entry(key.series.clone()).or_default();
        figures.durations.get_or_insert_default().merge(row);
    }
    for ((_, key), row) in part.gauges.iter().filter(|((_, key), _)| is_it(&key.integration)) {
        let unit = match Metric::from_wire(&key.metric) {
            Some(metric) => Arc::from(metric::unit(metric)),
            None => key.unit.clone(),
        };
        let (integration, metric) = (key.integration.clone(), key.metric.clone());
        let series = SeriesKey { integration, metric, unit, attributes: key.attributes.clone() };
        let levels = &mut all.entry(series).or_default().levels;
        levels.entry((key.additive, key.reporter)).or_default().merge(row);
    }
    all
}

/// The latest of any reporter; where reporters are added up, the sum of those that still report.
fn level(levels: &BTreeMap<(bool, u64), GaugeRow>) -> Option<f64> {
    let newest = |((_, _), row): &(&(bool, u64), &GaugeRow)| row.last_at;
    let ((additive, _), row) = levels.iter().max_by_key(newest)?;
    if !additive {
        return Some(row.last);
    }
    let alive = levels.iter().filter(|((additive, _), each)| *additive && row.last_at - each.last_at <= GONE);
    Some(alive.map(|(_, each)| each.last).sum())
}

fn item(key: &SeriesKey, figures: &Figures, streams: &[&Stream], now: Nanos) -> Item {
    let durations = figures.durations.as_ref();
    let millis = |quantile| match durations.and_then(|row| row.quantile(quantile)) {
        Some(Quantile::About(us)) => Some(us as f64 / 1e3),
        Some(Quantile::AtLeast(_)) | None => None,
    };
    let over = durations.map(|row| &row.beyond).filter(|beyond| beyond.count() > 0);
    let last = streams.iter().map(|stream| stream.last).max();
    let kind = match (figures.value, figures.levels.is_empty()) {
        (Some(_), _) => "counter",
        (None, false) => "gauge",
        (None, true) => "histogram",
    };
    let sum = durations.map(|row| row.sum_us / micros(&key.unit).unwrap_or(1.0));
    Item {
        environment: key.integration.environment.to_string(),
        metric: key.metric.to_string(),
        kind,
        unit: (!key.unit.is_empty()).then(|| key.unit.to_string()),
        attributes: key
            .attributes
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        value: figures.value.or_else(|| level(&figures.levels)).map(Count),
        count: durations.map(|row| row.count() as f64).or(figures.count).map(Count),
        sum: sum.or(figures.sum).map(Count),
        p50_ms: millis(0.5),
        p90_ms: millis(0.9),
        p95_ms: millis(0.95),
        p99_ms: millis(0.99),
        p999_ms: millis(0.999),
        over_count: over.map(|beyond| beyond.count()),
        over_ms: over.and_then(|beyond| beyond.iter().next()).map(|(least, _)| least as f64 / 1e3),
        estimated: durations.map(|row| row.estimated),
        last_at: last.map(format::rfc3339),
        stale: (!streams.is_empty()).then(|| streams.iter().all(|stream| stream.is_stale(now))),
    }
}
