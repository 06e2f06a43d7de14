//! Numbered batches of senders: what never came (`integration.sequence`, semantics section 5).
//!
//! A minute keeps the least and the greatest number of each sender as a level, and how many came as an increment, both
//! under the attribute's own name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::series::{GaugeRow, Merge};
use super::window::{Minute, Part};
use crate::signals::measure::{Aspect, CounterKey, SeriesKey};
use crate::signals::observation::{GaugeKey, IntegrationKey, Numbered};
use crate::signals::telemetry::Nanos;
use crate::signals::vocabulary::Attr;

/// Batches that were numbered, and how many of them never came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sent {
    /// Numbers that were given.
    pub given: f64,
    /// Of these, not received.
    pub missing: f64,
}

/// Takes a batch's number in, in the minute in which it was received.
pub fn absorb(part: &mut Part, batch: &Numbered, received_at: Nanos) {
    let (minute, metric) = (Minute::of(received_at), Attr::Sequence.name());
    let gauge = GaugeKey {
        integration: batch.integration.clone(),
        metric: metric.into(),
        unit: "".into(),
        attributes: Vec::new(),
        additive: false,
        reporter: batch.sender,
    };
    let row = GaugeRow::of(received_at, batch.number as f64);
    part.gauges.entry((minute, Arc::new(gauge))).or_default().merge(&row);
    let sender = Arc::from(format!("{:016x}", batch.sender));
    let series = SeriesKey {
        integration: batch.integration.clone(),
        metric: metric.into(),
        unit: "{batch}".into(),
        attributes: vec![(Arc::from(Attr::ServiceInstanceId.name()), sender)],
    };
    let key = (minute, Arc::new(CounterKey { series, aspect: Aspect::Value }));
    part.counters.entry(key).or_default().sum += 1.0;
}

/// What came of each sender in a stretch: (least, greatest, how many).
#[derive(Clone, Copy, Debug)]
struct Came(f64, f64, f64);

impl Came {
    /// A sender that began again at 0 leaves a span that its batches do not nearly fill; then it says nothing.
    fn sent(self) -> Option<Sent> {
        let given = self.1 - self.0 + 1.0;
        let plausible = given <= self.2 * 20.0 + 50.0;
        plausible.then(|| Sent { given, missing: (given - self.2).max(0.0) })
    }

    fn join(&mut self, other: Came) {
        *self = Came(self.0.min(other.0), self.1.max(other.1), self.2 + other.2);
    }
}

/// By integration: the batches of minutes from `from` up to and with `to`.
pub fn sent(part: &Part, from: Minute, to: Minute) -> BTreeMap<&IntegrationKey, Sent> {
    let within = |minute: Minute| (from..=to).contains(&minute);
    let mut counted: BTreeMap<(&IntegrationKey, &str, Minute), f64> = BTreeMap::new();
    for ((minute, key), row) in part.counters.iter().filter(|((minute, _), _)| within(*minute)) {
        let series = &key.series;
        if &*series.metric == Attr::Sequence.name()
            && let Some((_, sender)) = series.attributes.first()
        {
            *counted.entry((&series.integration, sender, *minute)).or_insert(0.0) += row.sum;
        }
    }
    let mut senders: BTreeMap<(&IntegrationKey, u64), Vec<Came>> = BTreeMap::new();
    for ((minute, key), row) in part.gauges.iter().filter(|((minute, _), _)| within(*minute)) {
        if &*key.metric == Attr::Sequence.name() {
            let sender = format!("{:016x}", key.reporter);
            let count = counted.get(&(&key.integration, sender.as_str(), *minute)).copied().unwrap_or(0.0);
            senders.entry((&key.integration, key.reporter)).or_default().push(Came(row.min, row.max, count));
        }
    }
    let mut out: BTreeMap<&IntegrationKey, Sent> = BTreeMap::new();
    for ((integration, _), minutes) in senders {
        let whole = minutes.iter().copied().reduce(|mut all, minute| {
            all.join(minute);
            all
        });
        // A sender that began again is judged by the minute.
        let judged = match whole.and_then(Came::sent) {
            Some(sent) => vec![sent],
            None => minutes.into_iter().filter_map(Came::sent).collect(),
        };
        let total = out.entry(integration).or_default();
        for sent in judged {
            total.given += sent.given;
            total.missing += sent.missing;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::window::MINUTE;

    fn of(numbers: impl IntoIterator<Item = (i64, i64)>) -> Sent {
        let integration = IntegrationKey { environment: "production".into(), name: "shop".into() };
        let mut part = Part::default();
        for (minute, number) in numbers {
            let batch = Numbered { integration: integration.clone(), sender: 7, number };
            absorb(&mut part, &batch, minute * MINUTE);
        }
        sent(&part, Minute(0), Minute(14)).get(&integration).copied().unwrap_or_default()
    }

    #[test]
    fn numbers_that_never_came_are_missing() {
        let all = (0..150).map(|number| (number / 10, number));
        assert_eq!(of(all.clone()), Sent { given: 150.0, missing: 0.0 });
        let some = all.clone().filter(|(_, number)| number % 50 != 7);
        assert_eq!(of(some), Sent { given: 150.0, missing: 3.0 });
        assert_eq!(of(all.rev()), Sent { given: 150.0, missing: 0.0 }, "in any order");
    }

    #[test]
    fn a_sender_that_begins_again_lost_nothing() {
        let again =
            (0..150).map(|number| (number / 10, if number < 70 { 900_000 + number } else { number - 70 }));
        assert_eq!(of(again).missing, 0.0);
    }
}
