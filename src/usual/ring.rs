//! The latest values of something at evenly spaced places: hours or days since the epoch.

use std::collections::VecDeque;

/// Values at ascending places without a gap; one that is not known is NaN.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    first: i64,
    values: VecDeque<f32>,
}

impl PartialEq for Ring {
    fn eq(&self, other: &Self) -> bool {
        let bits = |ring: &Ring| ring.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        self.first == other.first && bits(self) == bits(other)
    }
}

impl Ring {
    /// Puts a value at a place, and keeps `most` places up to the last. A place before the first is left out.
    pub fn put(&mut self, at: i64, value: f32, most: usize) {
        if self.values.is_empty() {
            self.first = at;
        }
        let Ok(place) = usize::try_from(at - self.first) else { return };
        // A long absence: nothing of before is within reach.
        if place >= self.values.len() + most {
            self.values.clear();
            self.first = at;
            return self.values.push_back(value);
        }
        while self.values.len() <= place {
            self.values.push_back(f32::NAN);
        }
        if let Some(kept) = self.values.get_mut(place) {
            *kept = value;
        }
        while self.values.len() > most {
            self.values.pop_front();
            self.first += 1;
        }
    }

    /// The value at a place, where it is known.
    pub fn get(&self, at: i64) -> Option<f64> {
        let place = usize::try_from(at - self.first).ok()?;
        self.values.get(place).copied().filter(|value| !value.is_nan()).map(f64::from)
    }

    /// Known values at places from `from` on, with their places.
    pub fn since(&self, from: i64) -> impl Iterator<Item = (i64, f64)> {
        let known = (self.first..).zip(self.values.iter().copied());
        known
            .filter(move |(at, value)| *at >= from && !value.is_nan())
            .map(|(at, value)| (at, f64::from(value)))
    }

    /// The largest known value at places from `from` on.
    pub fn largest_since(&self, from: i64) -> Option<f64> {
        self.since(from).map(|(_, value)| value).reduce(f64::max)
    }

    /// Bytes: first place, how many, values.
    pub fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.first.to_le_bytes());
        into.extend_from_slice(&(self.values.len() as u32).to_le_bytes());
        for value in &self.values {
            into.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// Reads what [`Ring::encode`] wrote and moves past it; none when it is damaged.
    pub fn decode(from: &mut &[u8]) -> Option<Ring> {
        let (first, rest) = from.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let bytes = (u32::from_le_bytes(*count) as usize).checked_mul(4)?;
        let (values, rest) = rest.split_at_checked(bytes)?;
        *from = rest;
        let values = values.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Some(Ring { first: i64::from_le_bytes(*first), values })
    }
}

/// The middle of some values: of an even number the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = values.get(half).copied()?;
    match values.len() % 2 {
        0 => values.get(half.checked_sub(1)?).map(|lower| (lower + upper) / 2.0),
        _ => Some(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_places_are_kept_and_gaps_are_unknown() {
        let mut ring = Ring::default();
        ring.put(10, 1.0, 4);
        ring.put(12, 3.0, 4);
        assert_eq!((ring.get(10), ring.get(11), ring.get(12)), (Some(1.0), None, Some(3.0)));
        ring.put(14, 5.0, 4);
        assert_eq!((ring.get(10), ring.get(12), ring.get(14)), (None, Some(3.0), Some(5.0)));
        ring.put(3, 9.0, 4);
        assert_eq!(ring.since(0).collect::<Vec<_>>(), [(12, 3.0), (14, 5.0)]);
        assert_eq!(ring.largest_since(13), Some(5.0));
        ring.put(100, 7.0, 4);
        assert_eq!(ring.since(0).collect::<Vec<_>>(), [(100, 7.0)]);
    }

    #[test]
    fn bytes_come_back() {
        let mut ring = Ring::default();
        ring.put(-3, 1.5, 9);
        ring.put(2, 2.5, 9);
        let mut bytes = Vec::new();
        ring.encode(&mut bytes);
        let mut from = bytes.as_slice();
        assert_eq!(Ring::decode(&mut from), Some(ring));
        assert!(from.is_empty());
        for end in 0..bytes.len() {
            assert_eq!(Ring::decode(&mut bytes.get(..end).unwrap()), None);
        }
    }

    #[test]
    fn the_middle_of_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
