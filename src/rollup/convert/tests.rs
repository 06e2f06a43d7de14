use proptest::prelude::*;

use super::*;
use crate::rollup::measure::Quantile;

/// The bounds of semantic conventions, in seconds.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Two significant digits, on either side, and half a microsecond of rounding.
const OURS: f64 = 0.011;

fn exponential(scale: i32, values: &[f64]) -> Histogram {
    let mut buckets: std::collections::BTreeMap<i32, u64> = std::collections::BTreeMap::new();
    for value in values {
        let mut index = (value.log2() * f64::exp2(f64::from(scale))).ceil() as i32 - 1;
        // The logarithm is rounded; the bounds decide.
        let low = |index: i32| f64::exp2(f64::from(index) * f64::exp2(-f64::from(scale)));
        index += i32::from(*value > low(index + 1)) - i32::from(*value <= low(index));
        *buckets.entry(index).or_default() += 1;
    }
    let buckets =
        Buckets::Exponential { scale, zero_threshold: 0.0, zero: 0, buckets: buckets.into_iter().collect() };
    Histogram { count: values.len() as u64, sum: values.iter().sum(), min: None, max: None, buckets }
}

fn explicit(values: &[f64]) -> Histogram {
    let mut counts = vec![0; BOUNDS.len() + 1];
    for value in values {
        counts[BOUNDS.partition_point(|bound| bound < value)] += 1;
    }
    let buckets = Buckets::Explicit { bounds: BOUNDS.to_vec(), counts };
    Histogram { count: values.len() as u64, sum: values.iter().sum(), min: None, max: None, buckets }
}

fn about(row: &DurationRow, quantile: f64) -> f64 {
    match row.quantile(quantile) {
        Some(Quantile::About(us)) => us as f64 / 1e6,
        other => panic!("{other:?}"),
    }
}

/// The value that a share `quantile` of the values reach at most, by the rank that HDR histograms use.
fn exact(values: &[f64], quantile: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (quantile * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted[rank.min(sorted.len()) - 1]
}

fn seconds() -> impl Strategy<Value = Vec<f64>> {
    // 1 ms to 9 s, evenly by logarithm.
    prop::collection::vec((-3.0f64..0.95).prop_map(|power| 10f64.powf(power)), 1..300)
}

proptest! {
    #[test]
    fn an_exponential_histogram_is_off_by_half_a_bucket_and_our_digits(values in seconds(), scale in -1i32..9, q in 0.01f64..1.0) {
        let row = durations(&exponential(scale, &values), 1e6);
        prop_assert_eq!((row.count(), row.estimated), (values.len() as u64, false));
        let base = f64::exp2(f64::exp2(-f64::from(scale)));
        let off = (base - 1.0) / (base + 1.0) * (1.0 + OURS) + OURS;
        let (ours, theirs) = (about(&row, q), exact(&values, q));
        prop_assert!((ours - theirs).abs() <= theirs * off, "{ours} for {theirs} at scale {scale}");
    }

    #[test]
    fn an_explicit_histogram_is_off_by_its_bucket_at_most(values in seconds(), q in 0.01f64..1.0) {
        let row = durations(&explicit(&values), 1e6);
        prop_assert_eq!((row.count(), row.estimated), (values.len() as u64, true));
        let (ours, theirs) = (about(&row, q), exact(&values, q));
        let at = BOUNDS.partition_point(|bound| *bound < theirs);
        let high = BOUNDS[at];
        let low = if at == 0 { high / FIRST } else { BOUNDS[at - 1] };
        prop_assert!(ours <= high * (1.0 + OURS) && ours >= low.min(theirs) * (1.0 - OURS), "{ours} in ({low}, {high}]");
    }

    #[test]
    fn spreading_keeps_the_count_and_stays_inside(from in 1.0f64..1e9, times in 1.0f64..1e4, count in 0u64..100_000) {
        let mut latency = Latency::default();
        spread(&mut latency, from, from * times, count);
        prop_assert_eq!(latency.count(), count);
        for (low, _) in latency.iter() {
            prop_assert!(low as f64 >= from * (1.0 - OURS) - 1.0 && low as f64 <= from * times + 1.0);
        }
    }
}

#[test]
fn a_percentile_beyond_the_last_bound_is_at_least_that() {
    let mut values = vec![0.02; 90];
    values.extend(vec![30.0; 10]);
    let row = durations(&explicit(&values), 1e6);
    assert_eq!((row.count(), row.beyond.count()), (100, 10));
    assert!(matches!(row.quantile(0.5), Some(Quantile::About(_))));
    let Some(Quantile::AtLeast(least)) = row.quantile(0.95) else { panic!("{:?}", row.quantile(0.95)) };
    assert!((9_900_000..=10_000_000).contains(&least), "{least}");
}

#[test]
fn what_one_point_covers_is_held_to_its_least_and_greatest() {
    let values = vec![0.06; 50];
    let delta = Histogram { min: Some(0.06), max: Some(0.06), ..explicit(&values) };
    assert!((about(&durations(&delta, 1e6), 0.99) - 0.06).abs() < 0.001);
    assert!((about(&durations(&explicit(&values), 1e6), 0.5) - 0.061).abs() < 0.003, "else by logarithm");
}

#[test]
fn units_zero_and_the_ends_of_the_range() {
    let in_millis = Histogram {
        buckets: Buckets::Exponential { scale: 6, zero_threshold: 0.0, zero: 2, buckets: vec![(64 * 7, 3)] },
        count: 5,
        sum: 390.0,
        ..Histogram::default()
    };
    let row = durations(&in_millis, 1e3);
    assert_eq!((row.count(), row.sum_us), (5, 390_000.0));
    assert!((about(&row, 0.99) / 0.128 - 1.0).abs() < 0.02, "128 ms");
    assert!(about(&row, 0.2) <= 1e-6, "zero");
    for (scale, index) in [(-10, 0), (-10, -1), (0, i32::MAX), (0, i32::MIN), (31, i32::MAX), (31, i32::MIN)]
    {
        let buckets = Buckets::Exponential { scale, zero_threshold: 0.0, zero: 0, buckets: vec![(index, 1)] };
        let row = durations(&Histogram { count: 1, buckets, ..Histogram::default() }, 1e6);
        assert_eq!(row.count(), 1, "{scale} {index}");
    }
    let none = Histogram { count: 4, ..Histogram::default() };
    assert_eq!(
        durations(&none, 1e6).quantile(0.5),
        Some(Quantile::AtLeast(1)),
        "nothing is known but that there are 4"
    );
}
