//! Telemetry minute by minute, as the corridor would take it in, learn from it and look at it. For tests only.

use std::sync::Arc;

use super::sight::{Context, Sight};
use super::value::Value;
use crate::rollup::series::{GaugeRow, Merge};
use crate::rollup::window::{MINUTE, Minute, Part, received};
use crate::signals::measure::{Aspect, CounterKey, SeriesKey};
use crate::signals::observation::{GaugeKey, IntegrationInfo, IntegrationKey, Observations};
use crate::signals::signal::Signal;
use crate::usual::Usual;
use crate::usual::learn::Scene;

/// Monday 2026-06-01, 00:00 UTC.
pub const MONDAY: Minute = Minute(1_780_272_000 / 60);

/// A corridor without anything around it.
pub struct Feed {
    /// The minutes at hand, and all states.
    pub part: Part,
    /// What was learned.
    pub usual: Usual,
    /// What the operator says.
    pub context: Context,
    /// The minute that runs.
    pub now: Minute,
    /// Whether an incident is open.
    pub excluded: bool,
}

/// The integration that tests speak of.
pub fn shop() -> IntegrationKey {
    IntegrationKey { environment: "production".into(), name: "shop".into() }
}

impl Feed {
    /// From Monday on.
    pub fn new() -> Feed {
        let mut feed = Feed {
            part: Part::default(),
            usual: Usual::default(),
            context: Context::default(),
            now: MONDAY,
            excluded: false,
        };
        let none = String::new;
        let (source, destination, owner, tier, version) = (none(), none(), none(), none(), none());
        let key = shop();
        let info = IntegrationInfo { key, source, destination, owner, tier, version };
        feed.take(&Observations { integrations: vec![info], ..Observations::default() });
        feed
    }

    /// Observations of the minute that runs.
    pub fn take(&mut self, seen: &Observations) {
        self.part.absorb(seen, self.now.start());
    }

    /// Telemetry was received.
    pub fn heard(&mut self) {
        let key = (self.now, Arc::new(received(&shop())));
        self.part.counters.entry(key).or_default().sum += 1.0;
    }

    /// A level in the minute that runs.
    pub fn level(&mut self, metric: &str, attributes: &[(&str, &str)], value: f64) {
        let key = GaugeKey {
            integration: shop(),
            metric: metric.into(),
            unit: "".into(),
            attributes: attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            additive: false,
            reporter: 1,
        };
        let row = GaugeRow::of(self.now.start() + MINUTE / 2, value);
        self.part.gauges.entry((self.now, Arc::new(key))).or_default().merge(&row);
    }

    /// An increment in the minute that runs.
    pub fn count(&mut self, metric: &str, attributes: &[(&str, &str)], more: f64) {
        let series = SeriesKey {
            integration: shop(),
            metric: metric.into(),
            unit: "".into(),
            attributes: attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        };
        let key = (self.now, Arc::new(CounterKey { series, aspect: Aspect::Value }));
        self.part.counters.entry(key).or_default().sum += more;
    }

    /// Ends the minute that runs.
    pub fn close(&mut self) {
        let excluded = self.excluded;
        let (calendars, down) = (&self.context.calendars, self.context.down);
        let scene = Scene { part: &self.part, excluded: &|_| excluded, calendars, down };
        self.usual.learn(&scene, self.now);
        self.now = Minute(self.now.0 + 1);
        self.part.forget_before(Minute(self.now.0 - 130));
    }

    /// Minutes since Monday.
    pub fn minute(&self) -> i64 {
        self.now.0 - MONDAY.0
    }

    /// All values now.
    pub fn values(&self) -> Vec<Value> {
        let (part, usual, context) = (&self.part, &self.usual, &self.context);
        super::values(&Sight { part, usual, context, tick: self.now })
    }

    /// The only value of a signal.
    pub fn value(&self, signal: Signal) -> Option<Value> {
        let mut of_signal = self.values().into_iter().filter(|value| value.signal == signal);
        let first = of_signal.next();
        assert!(of_signal.next().is_none(), "{} of several things", signal.name());
        first
    }
}
