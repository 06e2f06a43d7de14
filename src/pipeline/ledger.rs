//! How much of the record ledger is kept: every record up to a rate, beyond it one in two, four, eight … by the hash of
//! its key. The sample stays as fine as it became until the next day is over, so that a record that is looked at has all
//! its hops.

use crate::rollup::ledger::{DAY, KEPT, RATE, RECORDS, RecordKey, Sampled, Way, bits, is_kept};
use crate::rollup::series::Merge;
use crate::rollup::state::row::State;
use crate::rollup::window::{Map, Minute, Part};
use crate::signals::fact::{Fact, Said};
use crate::signals::observation::{IntegrationKey, Observations};
use crate::signals::telemetry::Nanos;
use crate::store::{Error, Store};

/// One in 2^20 is as good as none.
const MOST: u8 = 20;

#[derive(Clone, Debug, Default)]
struct Rate {
    minute: i64,
    hops: u64,
    sampled: Sampled,
}

impl Rate {
    /// Makes the sample finer by half, and says so.
    fn halve(&mut self, integration: &IntegrationKey, at: Nanos) -> Option<Fact> {
        let day = Minute::of(at).0.div_euclid(DAY);
        let bits = self.sampled.bits(day) + 1;
        if bits > MOST {
            return None;
        }
        self.sampled.merge(&Sampled::of(day, bits));
        self.hops /= 2;
        let said = Said::Sampled { day, bits };
        Some(Fact { integration: integration.clone(), time: at, said })
    }
}

/// What is sampled of whom.
#[derive(Debug, Default)]
pub struct Sampler {
    rates: Map<IntegrationKey, Rate>,
}

impl Sampler {
    /// As it was when the server stopped, and the records of the last day that are in the sample.
    pub async fn resume(store: &Store, recent: &mut Part, now: Nanos) -> Result<Sampler, Error> {
        let kept = recent.states.iter().filter_map(|(key, state)| match state {
            State::Sampled(sampled) => {
                Some((key.integration.clone(), Rate { sampled: sampled.clone(), ..Rate::default() }))
            }
            _ => None,
        });
        let rates = kept.collect();
        let (now, states, ledger) = (Minute::of(now), &recent.states, &mut recent.ledger);
        let take = |key: RecordKey, way| {
            if is_kept(&key.record, bits(states, &key.integration, now)) {
                ledger.insert(key, way);
            }
        };
        store.ledger(None, Minute(now.0 - KEPT).start(), take).await?;
        Ok(Sampler { rates })
    }

    /// Leaves out the hops of records that are not in the sample, and says so where the sample became finer. Where
    /// too many records are in memory it becomes finer for all, and those that are no longer in it go.
    pub fn apply(&mut self, seen: &mut Observations, ledger: &mut Map<RecordKey, Way>, received_at: Nanos) {
        let minute = Minute::of(received_at).0;
        let day = minute.div_euclid(DAY);
        let mut told = Vec::new();
        if ledger.len() > RECORDS {
            for key in ledger.keys() {
                if !self.rates.contains_key(&key.integration) {
                    self.rates.insert(key.integration.clone(), Rate::default());
                }
            }
            told.extend(self.rates.iter_mut().filter_map(|(key, rate)| rate.halve(key, received_at)));
            let bits = |key: &RecordKey| self.rates.get(&key.integration).map(|rate| rate.sampled.bits(day));
            ledger.retain(|key, _| is_kept(&key.record, bits(key).unwrap_or(0)));
        }
        seen.facts.retain(|fact| {
            let Said::Hop(hop) = &fact.said else { return true };
            let rate = self.rates.entry(fact.integration.clone()).or_default();
            if rate.minute != minute {
                (rate.minute, rate.hops) = (minute, 0);
            }
            let kept = is_kept(&hop.key_hash, rate.sampled.bits(day));
            rate.hops += u64::from(kept);
            if rate.hops > RATE {
                told.extend(rate.halve(&fact.integration, received_at));
            }
            kept
        });
        seen.facts.extend(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::fact::{Hop, RecordHop};

    const MINUTE: Nanos = 60_000_000_000;

    fn shop() -> IntegrationKey {
        IntegrationKey { environment: "default".into(), name: "shop".into() }
    }

    fn hops(count: u32) -> Observations {
        let fact = |n: u32| {
            let key_hash = n.to_string().into();
            let hop = RecordHop { key_hash, hop: Hop::Received, entity: "".into(), trace: [0; 16] };
            Fact { integration: shop(), time: 1, said: Said::Hop(hop) }
        };
        Observations { facts: (0..count).map(fact).collect(), ..Observations::default() }
    }

    /// The keys that are kept, and the finest sample that is told of.
    fn after(sampler: &mut Sampler, count: u32, at: Nanos) -> (Vec<String>, u8) {
        let mut seen = hops(count);
        sampler.apply(&mut seen, &mut Map::default(), at);
        let (mut keys, mut finest) = (Vec::new(), 0);
        for fact in &seen.facts {
            match &fact.said {
                Said::Hop(hop) => keys.push(hop.key_hash.to_string()),
                Said::Sampled { bits, .. } => finest = finest.max(*bits),
                _ => {}
            }
        }
        (keys, finest)
    }

    #[test]
    fn up_to_a_rate_all_are_kept_and_beyond_it_a_sample_that_says_so() {
        let mut sampler = Sampler::default();
        let (keys, bits) = after(&mut sampler, 200, 0);
        assert_eq!((keys.len(), bits), (200, 0));
        let (keys, bits) = after(&mut sampler, 20_000, MINUTE);
        assert!((4..=9).contains(&bits), "{bits}");
        assert!(keys.len() < 3_000, "{}", keys.len());
        let (keys, finer) = after(&mut sampler, 20_000, 2 * MINUTE);
        assert!(finer <= bits + 2 && keys.len() < 500, "{finer} {}", keys.len());
        let now = bits.max(finer);
        // The next day looks back on this one, so that it is sampled alike; the day after begins with all.
        let (keys, _) = after(&mut sampler, 100, DAY * MINUTE);
        let wanted: Vec<String> =
            (0..100).map(|n: u32| n.to_string()).filter(|key| is_kept(key, now)).collect();
        assert_eq!(keys, wanted);
        assert_eq!(after(&mut sampler, 100, 2 * DAY * MINUTE).0.len(), 100);
    }

    #[test]
    fn the_records_in_memory_are_bounded_and_those_that_stay_are_the_sample() {
        let record = |n: usize| {
            let (entity, record) = ("".into(), n.to_string().into());
            (RecordKey { integration: shop(), entity, record }, Way::of(Hop::Received, 1, [0; 16]))
        };
        let mut ledger: Map<RecordKey, Way> = (0..RECORDS + 1).map(record).collect();
        let (mut sampler, mut seen) = (Sampler::default(), hops(0));
        sampler.apply(&mut seen, &mut ledger, 5);
        assert!((RECORDS * 4 / 10..RECORDS * 6 / 10).contains(&ledger.len()), "{}", ledger.len());
        assert!(ledger.keys().all(|key| is_kept(&key.record, 1)));
        let said = Said::Sampled { day: 0, bits: 1 };
        assert_eq!(seen.facts, [Fact { integration: shop(), time: 5, said }]);
        let mut seen = hops(0);
        sampler.apply(&mut seen, &mut ledger, 6);
        assert!(seen.facts.is_empty(), "once is enough");
    }
}
