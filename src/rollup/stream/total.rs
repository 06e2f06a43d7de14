//! What a cumulative point adds to the one before it.

use crate::signals::measure::{Buckets, Histogram};

/// A running total.
pub trait Total: Clone {
    /// What was added since `before`; none when it cannot be of the same count any more: it started again.
    fn since(&self, before: &Self) -> Option<Self>;

    /// Numbers it is kept as.
    fn size(&self) -> usize;
}

impl Total for f64 {
    fn since(&self, before: &f64) -> Option<f64> {
        (self >= before).then(|| self - before)
    }

    fn size(&self) -> usize {
        1
    }
}

impl Total for Histogram {
    fn since(&self, before: &Histogram) -> Option<Histogram> {
        let buckets = match (&self.buckets, &before.buckets) {
            (Buckets::Explicit { bounds, counts }, Buckets::Explicit { bounds: old, counts: earlier }) => {
                if bounds != old || counts.len() != earlier.len() {
                    return None;
                }
                let added = counts.iter().zip(earlier).map(|(now, then)| now.checked_sub(*then));
                Buckets::Explicit { bounds: bounds.clone(), counts: added.collect::<Option<_>>()? }
            }
            (
                Buckets::Exponential { scale, zero_threshold, zero, buckets },
                Buckets::Exponential {
                    scale: finer,
                    zero_threshold: narrower,
                    zero: zeros,
                    buckets: earlier,
                },
            ) => {
                // A scale that rises or a zero bucket that shrinks cannot come of one count.
                let shift = u32::try_from(finer.checked_sub(*scale)?).ok()?;
                if narrower > zero_threshold {
                    return None;
                }
                let mut then = downscaled(earlier, shift);
                let swallowed = swallow(&mut then, *scale, *zero_threshold);
                Buckets::Exponential {
                    scale: *scale,
                    zero_threshold: *zero_threshold,
                    zero: zero.checked_sub(zeros.checked_add(swallowed)?)?,
                    buckets: subtract(buckets, &then)?,
                }
            }
            _ => return None,
        };
        // The least and greatest of a cumulative point are of all its time, not of what was added.
        let count = self.count.checked_sub(before.count)?;
        Some(Histogram { count, sum: self.sum - before.sum, min: None, max: None, buckets })
    }

    fn size(&self) -> usize {
        5 + match &self.buckets {
            Buckets::Explicit { bounds, counts } => bounds.len() + counts.len(),
            Buckets::Exponential { buckets, .. } => 2 * buckets.len() + 3,
        }
    }
}

/// The same counts at a scale that is lower by `shift`: bucket i becomes i >> shift.
pub fn downscaled(buckets: &[(i32, u64)], shift: u32) -> Vec<(i32, u64)> {
    let mut merged: Vec<(i32, u64)> = Vec::with_capacity(buckets.len());
    for (index, count) in buckets {
        let index = index >> shift.min(31);
        match merged.last_mut() {
            Some((last, sum)) if *last == index => *sum = sum.saturating_add(*count),
            _ => merged.push((index, *count)),
        }
    }
    merged
}

/// Takes out the buckets that lie in the zero bucket and says how many values they hold.
fn swallow(buckets: &mut Vec<(i32, u64)>, scale: i32, zero_threshold: f64) -> u64 {
    let width = f64::exp2(-f64::from(scale));
    let mut swallowed = 0u64;
    buckets.retain(|(index, count)| {
        let inside = f64::exp2((f64::from(*index) + 1.0) * width) <= zero_threshold;
        if inside {
            swallowed = swallowed.saturating_add(*count);
        }
        !inside
    });
    swallowed
}

/// Bucket by bucket; none when one has become less.
fn subtract(now: &[(i32, u64)], then: &[(i32, u64)]) -> Option<Vec<(i32, u64)>> {
    let mut added = Vec::with_capacity(now.len());
    let mut earlier = then.iter().peekable();
    for (index, count) in now {
        let mut left = *count;
        match earlier.peek() {
            Some((before, _)) if before < index => return None,
            Some((before, held)) if before == index => {
                left = count.checked_sub(*held)?;
                earlier.next();
            }
            _ => {}
        }
        if left > 0 {
            added.push((*index, left));
        }
    }
    earlier.next().is_none().then_some(added)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(scale: i32, zero: u64, buckets: &[(i32, u64)]) -> Histogram {
        let count = zero + buckets.iter().map(|(_, count)| count).sum::<u64>();
        let buckets = Buckets::Exponential { scale, zero_threshold: 0.0, zero, buckets: buckets.to_vec() };
        Histogram { count, sum: count as f64, min: Some(0.0), max: Some(9.0), buckets }
    }

    fn explicit(bounds: &[f64], counts: &[u64]) -> Histogram {
        let count = counts.iter().sum();
        let buckets = Buckets::Explicit { bounds: bounds.to_vec(), counts: counts.to_vec() };
        Histogram { count, sum: 0.0, min: None, max: None, buckets }
    }

    #[test]
    fn a_number_that_falls_started_again() {
        assert_eq!(5.0.since(&3.0), Some(2.0));
        assert_eq!(3.0.since(&3.0), Some(0.0));
        assert_eq!(2.0.since(&3.0), None);
    }

    #[test]
    fn explicit_buckets_are_subtracted_one_by_one_and_other_bounds_are_another_count() {
        let (before, after) = (explicit(&[1.0, 2.0], &[1, 2, 3]), explicit(&[1.0, 2.0], &[1, 4, 4]));
        assert_eq!(after.since(&before), Some(explicit(&[1.0, 2.0], &[0, 2, 1])));
        assert_eq!(before.since(&after), None);
        assert_eq!(explicit(&[1.0, 3.0], &[1, 4, 4]).since(&before), None, "other bounds");
        assert_eq!(explicit(&[1.0, 2.0], &[0, 9, 9]).since(&before), None, "one bucket less, the count more");
    }

    #[test]
    fn a_lowered_scale_merges_what_was_before_and_a_raised_one_started_again() {
        // collector-contrib, exponential/1.test "expo.downscale": 1 | 2 3 | 4 5 at scale 2 is 3 7 5 at scale 1.
        assert_eq!(downscaled(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)], 1), [(0, 3), (1, 7), (2, 5)]);
        assert_eq!(
            downscaled(&[(-3, 1), (-2, 2), (-1, 3)], 1),
            [(-2, 1), (-1, 5)],
            "below zero it rounds down"
        );
        let before = exponential(2, 1, &[(0, 1), (1, 2), (2, 3)]);
        let after = exponential(1, 2, &[(0, 4), (1, 3), (7, 1)]);
        let added = after.since(&before).unwrap();
        assert_eq!(added.buckets, exponential(1, 1, &[(0, 1), (7, 1)]).buckets);
        assert_eq!((added.count, added.min, added.max), (3, None, None));
        assert_eq!(before.since(&after), None, "raised");
    }

    #[test]
    fn a_widened_zero_bucket_swallows_what_lies_in_it() {
        let before = exponential(0, 2, &[(-2, 3), (0, 5)]);
        let mut after = exponential(0, 6, &[(0, 5)]);
        if let Buckets::Exponential { zero_threshold, .. } = &mut after.buckets {
            *zero_threshold = 0.5;
        }
        let Some(Histogram { count, buckets: Buckets::Exponential { zero, buckets, .. }, .. }) =
            after.since(&before)
        else {
            panic!("it is the same count");
        };
        assert_eq!((count, zero, buckets), (1, 1, vec![]));
    }
}
