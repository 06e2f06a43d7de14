//! What a data point means: a gauge, a slot, a reconciliation, or a point of a stream that is counted.

use std::sync::Arc;

use crate::signals::classified::Whose;
use crate::signals::lookup::Lookup;
use crate::signals::measure::{
    Aspect, Buckets, CounterKey, DurationKey, Histogram, Measured, MeasuredCalls, Reading, SeriesKey, Target,
    micros,
};
use crate::signals::metric::{ATTRIBUTES, expect, is_duration, series, spans_of, unit_of};
use crate::signals::observation::{CallKey, Direction, Gauge, GaugeKey, IntegrationKey, Source};
use crate::signals::telemetry::{
    Nanos, Origin, Point, PointValue, Refusal, Span, SpanKind, Status, Temporality,
};
use crate::signals::vocabulary::{Attr, Metric};
use crate::signals::{classify, credential, endpoint, heartbeat, queue, reconciliation, stream};

use super::{Observer, Rules};

impl Observer {
    /// Takes a data point in: as what it is here where it is another's name for one of ours.
    pub fn point(&mut self, origin: &Origin<'_, '_>, point: &Point<'_, '_>) -> Result<(), Refusal> {
        let look = Lookup { own: point.attributes, scope: origin.scope, resource: origin.resource };
        let Some(mapped) = self.rules.mappings.of(point.metric, &look) else {
            return self.point_of(origin, point, None);
        };
        let value = mapped.value(&point.value);
        if let PointValue::Gauge(value) = value
            && !value.is_finite()
        {
            self.notice("metric points that are no finite number");
            return Ok(());
        }
        let ours = Point {
            metric: mapped.metric.name(),
            unit: "",
            start: point.start,
            time: point.time,
            attributes: &mapped.attributes,
            value,
        };
        self.point_of(origin, &ours, mapped.share)
    }

    /// A point under a name of ours or of nobody's; `share` tells apart what is added up.
    fn point_of(
        &mut self,
        origin: &Origin<'_, '_>,
        point: &Point<'_, '_>,
        share: Option<u64>,
    ) -> Result<(), Refusal> {
        let look = Lookup { own: point.attributes, scope: origin.scope, resource: origin.resource };
        let (peer, port) = endpoint::peer(&look);
        let at = self.integration(origin, &look, &peer)?;
        let whose = self.seen.integrations[at].key.clone();
        let time = self.time(point.time);
        match Metric::from_wire(point.metric) {
            Some(
                metric @ (Metric::QueueDepth
                | Metric::QueueOldestAge
                | Metric::RateLimitLimit
                | Metric::RateLimitRemaining
                | Metric::RateLimitResetsAt
                | Metric::ReconciliationNextRunAt),
            ) => {
                let resource = self.resource(origin);
                let mut key = queue::series(metric, whose, &look, point, resource as u64)?;
                if let Some(share) = share {
                    (key.additive, key.reporter) = (true, share);
                }
                let value = queue::value(metric, point)?;
                self.level(stream::identity(resource, origin, point), key, point, time, value);
            }
            Some(
                metric @ (Metric::CredentialInfo
                | Metric::CredentialExpiresAt
                | Metric::CredentialIssuedAt
                | Metric::CredentialLastRefreshedAt
                | Metric::CredentialLastUsedAt
                | Metric::CredentialRotationDueAt
                | Metric::CredentialIdleLimit),
            ) => {
                if let Some(update) = credential::update(metric, whose, &look, point, time)? {
                    credential::join(&mut self.seen.slots, &mut self.slots, update);
                }
            }
            Some(
                metric @ (Metric::ReconciliationExpected
                | Metric::ReconciliationMatched
                | Metric::ReconciliationMissing
                | Metric::ReconciliationUnexpected
                | Metric::ReconciliationMismatched
                | Metric::ReconciliationPending),
            ) => {
                let (runs, known) = (&mut self.seen.reconciliations, &mut self.runs);
                reconciliation::gauge(metric, runs, known, whose, &look, point, time)?;
            }
            metric => {
                let own = port.is_some_and(|port| self.is_own(&peer, port));
                let is_call = metric.is_some_and(|metric| spans_of(metric).is_some());
                // How we are sent to is no work of the integration.
                if own && is_call {
                    return Ok(());
                }
                if metric == Some(Metric::Heartbeat) {
                    self.seen.beats.push(heartbeat::beat(whose.clone(), &look, time));
                }
                let peer = peer.into_owned();
                let series = series(metric, whose, &look, point, &peer)?;
                self.stream(metric, series, &look, origin, point, &peer, time)?;
            }
        }
        Ok(())
    }

    /// A point that is read with what its stream said before.
    #[allow(clippy::too_many_arguments)]
    fn stream(
        &mut self,
        metric: Option<Metric>,
        series: SeriesKey,
        look: &Lookup<'_, '_>,
        origin: &Origin<'_, '_>,
        point: &Point<'_, '_>,
        peer: &str,
        at: Nanos,
    ) -> Result<(), Refusal> {
        let resource = self.resource(origin);
        let stream = stream::identity(resource, origin, point);
        let ours = metric.filter(|metric| metric.name().starts_with("integration."));
        if let Some(metric) = ours {
            expect(metric, &point.value)?;
        }
        let to_micros = unit_of(metric, point).and_then(micros);
        let is_end = matches!(point.value, PointValue::NoValue(_));
        if let Some(metric) = metric.filter(|metric| is_duration(*metric) && to_micros.is_none() && !is_end) {
            return Err(format!("{} in \"{}\", which is no unit of time", metric.name(), point.unit).into());
        }
        let counter = |aspect| Target::Counter(CounterKey { series: series.clone(), aspect });
        let (target, reading) = match &point.value {
            PointValue::Gauge(_) | PointValue::Sum { monotonic: false, .. } => {
                let value = match point.value {
                    PointValue::Gauge(value) | PointValue::Sum { value, .. } => value,
                    _ => f64::NAN,
                };
                // It is valid on the wire, and nothing can be made of it.
                if !value.is_finite() {
                    self.notice("metric points that are no finite number");
                    return Ok(());
                }
                let key = GaugeKey {
                    integration: series.integration,
                    metric: series.metric,
                    unit: series.unit,
                    attributes: series.attributes,
                    additive: matches!(point.value, PointValue::Sum { .. }),
                    reporter: resource as u64,
                };
                self.level(stream, key, point, at, Some(value));
                return Ok(());
            }
            PointValue::Sum { value, temporality, .. } => {
                (counter(Aspect::Value), Reading::Sum(*value, *temporality))
            }
            PointValue::Histogram { count, sum, min, max, counts, bounds, temporality } => {
                let buckets = match to_micros {
                    Some(_) => Buckets::Explicit { bounds: bounds.to_vec(), counts: counts.to_vec() },
                    None => Buckets::default(),
                };
                let sum = sum.unwrap_or(0.0);
                let histogram = Histogram { count: *count, sum, min: *min, max: *max, buckets };
                (durations(&series, to_micros), Reading::Histogram(histogram, *temporality))
            }
            PointValue::ExponentialHistogram {
                count,
                sum,
                min,
                max,
                scale,
                zero_count,
                zero_threshold,
                negative,
                offset,
                counts,
                temporality,
            } => {
                if to_micros.is_some() && *negative > 0 {
                    return Err(format!("{negative} durations below zero").into());
                }
                let buckets = match to_micros {
                    Some(_) => Buckets::Exponential {
                        scale: *scale,
                        zero_threshold: *zero_threshold,
                        zero: *zero_count,
                        buckets: sparse(*offset, counts),
                    },
                    None => Buckets::default(),
                };
                let sum = sum.unwrap_or(0.0);
                let histogram = Histogram { count: *count, sum, min: *min, max: *max, buckets };
                (durations(&series, to_micros), Reading::Histogram(histogram, *temporality))
            }
            PointValue::Summary { count, sum, quantiles } => {
                self.quantiles(stream, &series, resource as u64, point, at, quantiles);
                let mut push = |aspect, name, value: f64| {
                    let reading = Reading::Sum(value, Temporality::Cumulative);
                    self.push(stream::derived(stream, name), counter(aspect), point, at, reading, None);
                };
                push(Aspect::Count, "count", *count as f64);
                if *sum >= 0.0 {
                    push(Aspect::Sum, "sum", *sum);
                }
                return Ok(());
            }
            PointValue::NoValue(_) => {
                // A summary's figures have streams of their own.
                for derived in ["count", "sum"].map(|name| stream::derived(stream, name)) {
                    self.push(derived, counter(Aspect::Value), point, at, Reading::End, None);
                }
                (counter(Aspect::Value), Reading::End)
            }
        };
        let calls = match (metric, &target) {
            (Some(metric), Target::Durations(..)) => {
                calls(metric, look, &series.integration, peer, &self.rules)
            }
            _ => None,
        };
        self.push(stream, target, point, at, reading, calls);
        Ok(())
    }

    /// A gauge, an updowncounter, or the end of one.
    fn level(&mut self, stream: u128, key: GaugeKey, point: &Point<'_, '_>, at: Nanos, value: Option<f64>) {
        let reading = match (value, &point.value) {
            (None, _) => Reading::End,
            (Some(value), PointValue::Sum { temporality: Temporality::Delta, .. }) => Reading::Change(value),
            (Some(value), _) => {
                self.seen.gauges.push(Gauge { key: key.clone(), time: at, value });
                Reading::Level
            }
        };
        self.push(stream, Target::Level(key), point, at, reading, None);
    }

    fn quantiles(
        &mut self,
        stream: u128,
        series: &SeriesKey,
        reporter: u64,
        point: &Point<'_, '_>,
        at: Nanos,
        quantiles: &[(f64, f64)],
    ) {
        for (quantile, value) in quantiles.iter().filter(|(_, value)| value.is_finite()).take(ATTRIBUTES) {
            let text = quantile.to_string();
            let mut attributes = series.attributes.clone();
            attributes.push((Arc::from("quantile"), Arc::from(text.as_str())));
            attributes.sort();
            let (integration, metric, unit) =
                (series.integration.clone(), series.metric.clone(), series.unit.clone());
            let key = GaugeKey { integration, metric, unit, attributes, additive: false, reporter };
            self.level(stream::derived(stream, &text), key, point, at, Some(*value));
        }
    }

    fn push(
        &mut self,
        stream: u128,
        target: Target,
        point: &Point<'_, '_>,
        at: Nanos,
        reading: Reading,
        calls: Option<MeasuredCalls>,
    ) {
        let (start, time) = (point.start, point.time);
        self.seen.points.push(Measured { stream, target, start, time, at, reading, calls });
    }

    /// The hash of a record's resource, made once for the points that come from it.
    pub(super) fn resource(&mut self, origin: &Origin<'_, '_>) -> u128 {
        match self.resource {
            Some((index, hash)) if index == origin.resource_index => hash,
            _ => {
                let hash = stream::resource_hash(origin.resource);
                self.resource = Some((origin.resource_index, hash));
                hash
            }
        }
    }
}

fn durations(series: &SeriesKey, to_micros: Option<f64>) -> Target {
    match to_micros {
        Some(factor) => Target::Durations(DurationKey { series: series.clone() }, factor),
        None => Target::Counter(CounterKey { series: series.clone(), aspect: Aspect::Count }),
    }
}

/// The calls that a duration metric counts, at its path, or at peer level where it has none (vocabulary section 3).
fn calls(
    metric: Metric,
    look: &Lookup<'_, '_>,
    integration: &IntegrationKey,
    peer: &str,
    rules: &Rules,
) -> Option<MeasuredCalls> {
    let (direction, kind) = spans_of(metric)?;
    let answered = look.get(Attr::HttpStatus).is_some() || look.get(Attr::RpcStatus).is_some();
    // A metric has no span status: an error says that it failed, and so does a call of ours without an answer.
    let failed = look.str(Attr::ErrorType).is_some() || (!answered && kind == SpanKind::Client);
    let status = if failed { Status::Error } else { Status::Unset };
    let span = Span { kind, status, ..Span::default() };
    let mut endpoint = String::new();
    endpoint::write(&mut endpoint, &span, look);
    let endpoint = if endpoint.is_empty() { "*" } else { endpoint::cut(&endpoint) };
    let key = CallKey {
        integration: integration.clone(),
        direction,
        peer: Arc::from(if direction == Direction::Inbound { "" } else { peer }),
        endpoint: endpoint.into(),
        source: Source::Metric,
    };
    let write = matches!(look.str(Attr::HttpMethod), Some("POST" | "PUT" | "PATCH" | "DELETE"));
    let asks = direction == Direction::Outbound && classify::asks_provider(look);
    let provider = if asks { rules.providers.of(peer) } else { None };
    let class = classify::classify(&span, look, direction, provider);
    Some(MeasuredCalls { class: rules.classified.class(class, || Some(Whose::of(&key))), key, write })
}

/// Buckets that hold something, by their index.
fn sparse(offset: i32, counts: &[u64]) -> Vec<(i32, u64)> {
    let indexed = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    indexed.filter_map(|(at, count)| Some((offset.checked_add(i32::try_from(at).ok()?)?, *count))).collect()
}
