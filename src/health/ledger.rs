//! Records that did not come to the end of their way (semantics section 8).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::queue::clock;
use super::sight::Sight;
use super::value::Value;
use crate::rollup::ledger::{DAY, Reached, RecordKey, Way, bits, is_kept, reached};
use crate::rollup::state::row::{State, StateKey};
use crate::rollup::window::{Map, Minute};
use crate::signals::fact::Hop;
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::{Label, Signal};
use crate::signals::telemetry::Nanos;

/// A record is on its way for so many minutes before it counts as stopped.
pub const SETTLES: i64 = 15;
/// A hop that no record came to for so long is no longer told.
const ALIVE: i64 = 7 * DAY;
/// Records that are listed of one funnel, the oldest.
pub const LISTED: usize = 50;

/// Whose records, and their entity.
pub type RecordsOf = (IntegrationKey, Arc<str>);

/// The records of an integration's entity in a day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Funnel {
    /// How many came to each hop.
    pub hops: [u64; 5],
    /// How many stopped.
    pub stopped: u64,
    /// Those that stopped, the oldest first: [`LISTED`] at most.
    pub oldest: Vec<Stopped>,
    /// One in 2^bits is kept.
    pub bits: u8,
    reached: Option<Reached>,
}

/// A record that stopped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stopped {
    /// When it was heard of first.
    pub first: Nanos,
    /// The hash of its key.
    pub record: Arc<str>,
    /// The furthest hop it came to.
    pub hop: Hop,
    /// The hop it was due to come to.
    pub due: Hop,
    /// The trace that told of it last.
    pub trace: Option<u128>,
}

impl Funnel {
    fn stop(&mut self, stopped: Stopped) {
        self.stopped += 1;
        self.oldest.push(stopped);
        if self.oldest.len() >= 2 * LISTED {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.oldest.sort();
        self.oldest.truncate(LISTED);
    }
}

/// Funnels of the day before a tick, made record by record.
pub struct Funnels<'s> {
    states: &'s Map<StateKey, State>,
    tick: Minute,
    by: BTreeMap<RecordsOf, Funnel>,
}

impl<'s> Funnels<'s> {
    /// Without a record.
    pub fn new(states: &'s Map<StateKey, State>, tick: Minute) -> Funnels<'s> {
        Funnels { states, tick, by: BTreeMap::new() }
    }

    /// Takes in a record.
    pub fn take(&mut self, key: &RecordKey, way: &Way) {
        let (states, tick) = (self.states, self.tick);
        let oldest = Minute(tick.0 - DAY).start();
        let Some(first) = way.first().filter(|first| *first >= oldest) else { return };
        let of = (key.integration.clone(), key.entity.clone());
        let funnel = self.by.entry(of).or_insert_with(|| Funnel {
            bits: bits(states, &key.integration, tick),
            reached: reached(states, key).cloned(),
            ..Funnel::default()
        });
        if !is_kept(&key.record, funnel.bits) {
            return;
        }
        for (count, at) in funnel.hops.iter_mut().zip(way.hops) {
            *count += u64::from(at.is_some());
        }
        let alive = Minute(tick.0 - ALIVE).start();
        let due = funnel.reached.as_ref().and_then(|reached| reached.due(first, alive));
        let (Some(hop), Some(due)) = (way.furthest(), due) else { return };
        if hop < due && first < Minute(tick.0 - SETTLES).start() {
            let trace = way.told.map(|(_, trace)| trace);
            funnel.stop(Stopped { first, record: key.record.clone(), hop, due, trace });
        }
    }

    /// All of them.
    pub fn all(mut self) -> BTreeMap<RecordsOf, Funnel> {
        self.by.values_mut().for_each(Funnel::settle);
        self.by
    }
}

/// `ledger.unconfirmed`: how many of a day's records stopped before the hop that others came to, as the sample tells.
pub fn values(sight: &Sight<'_>, out: &mut Vec<Value>) {
    let mut funnels = Funnels::new(&sight.part.states, sight.tick);
    sight.part.ledger.iter().for_each(|(key, way)| funnels.take(key, way));
    for ((integration, entity), funnel) in funnels.all() {
        let scale = f64::from(1u32 << funnel.bits.min(20));
        let why = match funnel.oldest.first() {
            Some(oldest) => {
                let sampled =
                    if funnel.bits > 0 { format!(", by one record in {scale:.0}") } else { String::new() };
                let (since, due) = (clock(Minute::of(oldest.first)), oldest.due.name());
                format!("not {due} within {SETTLES} min, the oldest since {since}{sampled}")
            }
            None => "all that are due came to the end of their way".into(),
        };
        let stopped = funnel.stopped as f64 * scale;
        let value = Value::of(Signal::LedgerUnconfirmed, &integration, stopped, sight.now());
        out.push(value.with(Label::Entity, &entity).because(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::feed::{Feed, shop};
    use crate::signals::fact::{Fact, RecordHop, Said};
    use crate::signals::observation::Observations;

    fn say(feed: &mut Feed, said: Said) {
        let fact = Fact { integration: shop(), time: feed.now.start() + 1, said };
        feed.take(&Observations { facts: vec![fact], ..Observations::default() });
    }

    fn hop(feed: &mut Feed, record: &str, hop: Hop) {
        let (key_hash, entity) = (record.into(), "order".into());
        say(feed, Said::Hop(RecordHop { key_hash, hop, entity, trace: [hop as u8 + 1; 16] }));
    }

    fn funnel(feed: &Feed) -> Funnel {
        let mut funnels = Funnels::new(&feed.part.states, feed.now);
        feed.part.ledger.iter().for_each(|(key, way)| funnels.take(key, way));
        funnels.all().into_values().next().unwrap()
    }

    /// Fifty records, a minute each; every fifth is not written.
    fn fifty() -> Feed {
        let mut feed = Feed::new();
        for n in 0..50 {
            let record = format!("record-{n}");
            hop(&mut feed, &record, Hop::Received);
            hop(&mut feed, &record, Hop::Processed);
            if n % 5 != 4 {
                hop(&mut feed, &record, Hop::Written);
            }
            feed.close();
        }
        feed
    }

    #[test]
    fn every_fifth_that_is_never_written_is_a_list_of_keys() {
        let mut feed = fifty();
        assert_eq!(feed.value(Signal::LedgerUnconfirmed).unwrap().value, 7.0, "the last may be on its way");
        (0..16).for_each(|_| feed.close());
        let value = feed.value(Signal::LedgerUnconfirmed).unwrap();
        assert_eq!((value.value, value.label(Label::Entity)), (10.0, "order"));
        assert_eq!(value.why, "not written within 15 min, the oldest since 00:04");
        let found = funnel(&feed);
        assert_eq!((found.hops, found.stopped), ([50, 0, 50, 40, 0], 10));
        let first = &found.oldest[0];
        assert_eq!((&*first.record, first.hop, first.due), ("record-4", Hop::Processed, Hop::Written));
        assert_eq!(first.trace, Some(u128::from_be_bytes([3; 16])));
        hop(&mut feed, "record-4", Hop::Written);
        feed.close();
        assert_eq!(feed.value(Signal::LedgerUnconfirmed).unwrap().value, 9.0);
        (0..DAY).for_each(|_| feed.close());
        assert!(feed.value(Signal::LedgerUnconfirmed).is_none_or(|value| value.value == 0.0));
    }

    #[test]
    fn what_is_told_again_hours_later_is_no_new_record_and_a_new_hop_stops_none_from_before() {
        let mut feed = fifty();
        (0..180).for_each(|_| feed.close());
        hop(&mut feed, "record-0", Hop::Received);
        hop(&mut feed, "fresh", Hop::Confirmed);
        (0..20).for_each(|_| feed.close());
        assert_eq!(feed.value(Signal::LedgerUnconfirmed).unwrap().value, 10.0);
        hop(&mut feed, "later", Hop::Written);
        (0..20).for_each(|_| feed.close());
        assert_eq!(feed.value(Signal::LedgerUnconfirmed).unwrap().value, 11.0);
    }

    #[test]
    fn a_sample_is_scaled_and_says_so() {
        let mut feed = fifty();
        (0..16).for_each(|_| feed.close());
        let day = feed.now.0.div_euclid(DAY);
        say(&mut feed, Said::Sampled { day, bits: 1 });
        let kept = (0..50).filter(|n| n % 5 == 4 && is_kept(&format!("record-{n}"), 1)).count();
        let value = feed.value(Signal::LedgerUnconfirmed).unwrap();
        assert_eq!(value.value, 2.0 * kept as f64);
        assert!(kept == 0 || value.why.ends_with("by one record in 2"), "{}", value.why);
    }
}
