//! Durations as a sparse HDR histogram: 1 µs to 1 h, two significant digits, so within 1 %.
//!
//! A minute of an endpoint fills a few dozen of the 2,000-odd slots, so a part holds (slot, count) pairs. Slots
//! are the HDR histogram's own (256 sub-buckets, unit 1 µs); percentiles come from the `hdrhistogram` crate.

use hdrhistogram::Histogram;

/// One hour, the highest value that is told apart.
pub const MAX_US: u64 = 3_600_000_000;
/// Sub-buckets of two significant digits: values under 256 µs stand alone.
const SUB_BITS: u32 = 8;
const HALF: u64 = 1 << (SUB_BITS - 1);

/// A mergeable histogram of durations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latency {
    /// (slot, count), ascending by slot, no count 0.
    slots: Vec<(u16, u64)>,
}

impl Latency {
    /// Adds `count` durations of `us` microseconds; those out of range count at its ends.
    pub fn record(&mut self, us: u64, count: u64) {
        if count == 0 {
            return;
        }
        let slot = slot_of(us.clamp(1, MAX_US));
        match self.slots.binary_search_by_key(&slot, |(at, _)| *at) {
            Ok(at) => self.slots[at].1 = self.slots[at].1.saturating_add(count),
            Err(at) => self.slots.insert(at, (slot, count)),
        }
    }

    /// Adds another histogram to this one.
    pub fn merge(&mut self, other: &Latency) {
        if other.slots.is_empty() {
            return;
        }
        if self.slots.is_empty() {
            self.slots.clone_from(&other.slots);
            return;
        }
        let mut merged = Vec::with_capacity(self.slots.len() + other.slots.len());
        let (mut left, mut right) = (self.slots.iter().peekable(), other.slots.iter().peekable());
        while let (Some(&&a), Some(&&b)) = (left.peek(), right.peek()) {
            if a.0 <= b.0 {
                left.next();
            }
            if b.0 <= a.0 {
                right.next();
            }
            merged.push(match a.0.cmp(&b.0) {
                std::cmp::Ordering::Less => a,
                std::cmp::Ordering::Greater => b,
                std::cmp::Ordering::Equal => (a.0, a.1.saturating_add(b.1)),
            });
        }
        merged.extend(left);
        merged.extend(right);
        self.slots = merged;
    }

    /// How many durations it holds.
    pub fn count(&self) -> u64 {
        self.slots.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The duration in microseconds under which a share `quantile` (0 to 1) lies; none when empty.
    pub fn quantile_us(&self, quantile: f64) -> Option<u64> {
        if self.slots.is_empty() {
            return None;
        }
        let mut dense = Histogram::<u64>::new_with_bounds(1, MAX_US, 2).ok()?;
        for (slot, count) in &self.slots {
            dense.saturating_record_n(lowest_of(*slot), *count);
        }
        Some(dense.value_at_quantile(quantile).min(MAX_US))
    }

    /// (lowest value of the slot in µs, count), ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.slots.iter().map(|(slot, count)| (lowest_of(*slot), *count))
    }

    /// Varint pairs (slot − previous slot, count).
    pub fn encode(&self, into: &mut Vec<u8>) {
        write_varint(into, self.slots.len() as u64);
        let mut before = 0;
        for (slot, count) in &self.slots {
            write_varint(into, u64::from(*slot - before));
            write_varint(into, *count);
            before = *slot;
        }
    }

    /// Reads what [`Latency::encode`] wrote and moves `from` past it; none when it is damaged.
    pub fn decode(from: &mut &[u8]) -> Option<Latency> {
        let n = read_varint(from)?;
        let mut latency = Latency::default();
        let mut slot = 0u16;
        for at in 0..n {
            let step = u16::try_from(read_varint(from)?).ok()?;
            if at > 0 && step == 0 {
                return None;
            }
            slot = slot.checked_add(step).filter(|slot| *slot <= slot_of(MAX_US))?;
            latency.slots.push((slot, read_varint(from).filter(|count| *count > 0)?));
        }
        Some(latency)
    }
}

/// The HDR slot of a value in 1..=MAX_US.
pub(super) fn slot_of(us: u64) -> u16 {
    let bucket = (64 - SUB_BITS).saturating_sub((us | (2 * HALF - 1)).leading_zeros());
    let sub = us >> bucket;
    (u64::from(bucket) * HALF + sub) as u16
}

/// The lowest value of a slot, in microseconds.
pub(super) fn lowest_of(slot: u16) -> u64 {
    let slot = u64::from(slot);
    if slot < 2 * HALF {
        return slot;
    }
    let bucket = slot / HALF - 1;
    (slot - bucket * HALF) << bucket
}

/// The least duration that is not told apart from this one, in microseconds.
pub fn floor_of(us: u64) -> u64 {
    lowest_of(slot_of(us.clamp(1, MAX_US)))
}

/// LEB128.
pub fn write_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// LEB128; none when it is cut short or longer than 64 bits.
pub fn read_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Latency {
        let mut latency = Latency::default();
        for value in values {
            latency.record(*value, 1);
        }
        latency
    }

    proptest! {
        #[test]
        fn quantiles_are_the_hdr_histograms_own(values in prop::collection::vec(1u64..4_000_000_000, 1..200), q in 0.0f64..1.0) {
            let mut reference = Histogram::<u64>::new_with_bounds(1, MAX_US, 2).unwrap();
            for value in &values {
                reference.saturating_record((*value).min(MAX_US));
            }
            let wanted = reference.value_at_quantile(q).min(MAX_US);
            prop_assert_eq!(of(&values).quantile_us(q), Some(wanted));
        }

        #[test]
        fn a_slot_is_within_one_per_cent(value in 1u64..=MAX_US) {
            let low = lowest_of(slot_of(value));
            prop_assert!(low <= value && (value - low) as f64 <= value as f64 / 100.0);
        }

        #[test]
        fn merging_any_partition_in_any_order_equals_the_whole(
            values in prop::collection::vec(1u64..4_000_000_000, 0..100), cut in 0usize..100,
        ) {
            let cut = cut.min(values.len());
            let (mut left, mut right) = (of(&values[..cut]), of(&values[cut..]));
            let whole = of(&values);
            let kept = left.clone();
            left.merge(&right);
            right.merge(&kept);
            prop_assert_eq!(&left, &whole);
            prop_assert_eq!(&right, &whole);
        }

        #[test]
        fn it_survives_its_encoding(values in prop::collection::vec(1u64..4_000_000_000, 0..100)) {
            let latency = of(&values);
            let mut bytes = Vec::new();
            latency.encode(&mut bytes);
            let mut rest = &bytes[..];
            prop_assert_eq!(Latency::decode(&mut rest), Some(latency));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(latency) = Latency::decode(&mut &bytes[..]) {
                prop_assert!(latency.iter().all(|(lowest, count)| lowest <= MAX_US && count > 0));
                let _ = latency.quantile_us(0.5);
            }
        }
    }

    #[test]
    fn a_slot_that_no_duration_has_is_damage() {
        let one = |slot: u64, count: u64| {
            let mut bytes = Vec::new();
            [1, slot, count].into_iter().for_each(|value| write_varint(&mut bytes, value));
            Latency::decode(&mut &bytes[..])
        };
        let last = u64::from(slot_of(MAX_US));
        assert_eq!(one(last, 1).map(|latency| latency.count()), Some(1));
        assert_eq!((one(last + 1, 1), one(65_535, 1), one(7, 0)), (None, None, None));
    }
}
