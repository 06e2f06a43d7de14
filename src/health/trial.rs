//! A trial: telemetry minute by minute with a time of its own, learned and looked at as the corridor does it.

use std::sync::Arc;

use super::sight::{Context, Sight};
use super::value::Value;
use super::values;
use crate::rollup::measure::Deltas;
use crate::rollup::window::{Minute, Part, received};
use crate::signals::call::Class;
use crate::signals::measure::{Aspect, CounterKey, SeriesKey};
use crate::signals::observation::{
    Call, CallKey, Direction, Gauge, GaugeKey, IntegrationInfo, IntegrationKey, Observations, Source,
};
use crate::signals::signal::{Label, Signal};
use crate::usual::Usual;
use crate::usual::learn::Scene;

/// The first minute of every trial: a Monday, 00:00 UTC.
pub const MONDAY: Minute = Minute(2_946_240 * 10 + 4_320);

/// What one minute says.
#[derive(Default)]
pub struct Said {
    /// Observations.
    pub seen: Observations,
    /// What counters add.
    pub deltas: Deltas,
}

impl Said {
    /// Calls of a class, evenly over the minute; gives their places among the calls.
    pub fn calls(&mut self, now: Minute, key: &CallKey, class: Class, count: u64) -> std::ops::Range<usize> {
        let known = self.seen.series.iter().position(|one| one == key);
        let series = known.unwrap_or_else(|| {
            self.seen.series.push(key.clone());
            self.seen.series.len() - 1
        }) as u32;
        let first = self.seen.calls.len();
        for at in 0..count {
            let offset = i64::try_from(at * 60_000_000_000 / count.max(1)).unwrap();
            let operation = (now.0 as u64) << 24 | (first as u64 + at);
            self.seen.calls.push(Call::plain(series, now.start() + offset, 100_000, class, operation));
        }
        first..self.seen.calls.len()
    }

    /// The place of a name that calls point to.
    pub fn name(&mut self, name: &str) -> u32 {
        let known = self.seen.names.iter().position(|one| &**one == name);
        known.unwrap_or_else(|| {
            self.seen.names.push(Arc::from(name));
            self.seen.names.len() - 1
        }) as u32
    }

    /// An increment of a counter.
    pub fn count(
        &mut self,
        now: Minute,
        whose: &IntegrationKey,
        metric: &str,
        labels: &[(&str, &str)],
        sum: f64,
    ) {
        let series = SeriesKey {
            integration: whose.clone(),
            metric: Arc::from(metric),
            unit: Arc::from(""),
            attributes: attributes(labels),
        };
        self.deltas.counters.push((now, CounterKey { series, aspect: Aspect::Value }, sum));
    }

    /// A gauge in the middle of the minute.
    pub fn gauge(
        &mut self,
        now: Minute,
        whose: &IntegrationKey,
        metric: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let key = GaugeKey {
            integration: whose.clone(),
            metric: Arc::from(metric),
            unit: Arc::from(""),
            attributes: attributes(labels),
            additive: false,
            reporter: 1,
        };
        self.seen.gauges.push(Gauge { key, time: now.start() + 30_000_000_000, value });
    }
}

fn attributes(labels: &[(&str, &str)]) -> Vec<(Arc<str>, Arc<str>)> {
    let mut all: Vec<(Arc<str>, Arc<str>)> =
        labels.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value))).collect();
    all.sort();
    all
}

/// An integration.
pub fn whose(name: &str) -> IntegrationKey {
    IntegrationKey { environment: Arc::from("production"), name: Arc::from(name) }
}

/// Outbound calls of an integration, as spans.
pub fn outbound(name: &str, peer: &str, endpoint: &str) -> CallKey {
    CallKey {
        integration: whose(name),
        direction: Direction::Outbound,
        peer: Arc::from(peer),
        endpoint: Arc::from(endpoint),
        source: Source::Span,
    }
}

/// The world of a trial.
pub struct Trial {
    /// The minutes at hand and all states.
    pub part: Part,
    /// What is usual.
    pub usual: Usual,
    /// What the operator and the vendors say.
    pub context: Context,
    /// The next minute.
    pub now: Minute,
    /// Whether what goes on now is an incident's.
    pub excluded: bool,
}

impl Default for Trial {
    fn default() -> Trial {
        Trial::new()
    }
}

impl Trial {
    /// A world without a past.
    pub fn new() -> Trial {
        Trial {
            part: Part::default(),
            usual: Usual::default(),
            context: Context::default(),
            now: MONDAY,
            excluded: false,
        }
    }

    /// Lives through a minute in which `integrations` are heard.
    pub fn minute(&mut self, integrations: &[IntegrationKey], say: impl FnOnce(Minute, &mut Said)) {
        let now = self.now;
        let mut said = Said::default();
        for key in integrations {
            let none = String::new;
            said.seen.integrations.push(IntegrationInfo {
                key: key.clone(),
                source: none(),
                destination: none(),
                owner: none(),
                tier: none(),
                version: none(),
            });
            said.deltas.counters.push((now, received(key), 1.0));
        }
        say(now, &mut said);
        self.part.absorb(&said.seen, now.start());
        self.part.absorb_deltas(&said.deltas);
        let excluded = self.excluded;
        let (calendars, down) = (&self.context.calendars, self.context.down);
        let scene = Scene { part: &self.part, excluded: &|_| excluded, calendars, down };
        self.usual.learn(&scene, now);
        self.now = Minute(now.0 + 1);
        if self.now.0 % 10 == 0 {
            self.part.forget_before(Minute(self.now.0 - 130));
        }
    }

    /// All values now.
    pub fn values(&self) -> Vec<Value> {
        let sight = Sight { part: &self.part, usual: &self.usual, tick: self.now, context: &self.context };
        values(&sight)
    }

    /// The values of a signal, with the value of a label each.
    pub fn of(&self, signal: Signal, label: Label) -> Vec<(String, f64)> {
        let values = self.values();
        let of = values.iter().filter(|value| value.signal == signal);
        of.map(|value| (value.label(label).to_owned(), value.value)).collect()
    }

    /// The only value of a signal; none where there is none.
    pub fn only(&self, signal: Signal) -> Option<f64> {
        let all = self.of(signal, Label::Integration);
        assert!(all.len() < 2, "{all:?}");
        all.first().map(|(_, value)| *value)
    }

    /// What the only value of a signal rests on.
    pub fn why(&self, signal: Signal) -> String {
        let values = self.values();
        values.iter().find(|value| value.signal == signal).map(|value| value.why.clone()).unwrap_or_default()
    }
}
