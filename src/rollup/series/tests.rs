use proptest::prelude::*;

use super::*;

/// Weights are whole or quarters, so that adding them in any order gives the same float.
fn weight() -> impl Strategy<Value = f64> {
    (0u32..4000).prop_map(|n| f64::from(n) / 4.0)
}

prop_compose! {
    fn tally()(
        attempts in prop::array::uniform15(weight()),
        unweighted in prop::array::uniform15(0u64..1000),
        superseded in prop::array::uniform15(weight()),
        (retries_unlinked, exhausted) in (weight(), weight()),
        numbers in prop::array::uniform6(0u64..1_000_000),
        page_max in (0u64..5, 0u64..5),
        durations in (0u64..1_000_000, 0u64..1_000_000),
    ) -> Tally {
        let [writes, writes_keyed, replayed, records, records_failed, pages] = numbers;
        Tally {
            attempts, unweighted, superseded, retries_unlinked, exhausted, writes, writes_keyed, replayed,
            records, records_failed, pages,
            // No page of size 0 is ever counted, so the empty row is the identity.
            page_max: if page_max.0 == 0 { (0, 0) } else { page_max },
            duration_sum_us: durations.0, duration_max_us: durations.1,
        }
    }
}

prop_compose! {
    fn calls()(tally in tally(), good in prop::collection::vec(1u64..10_000_000, 0..20),
               bad in prop::collection::vec(1u64..10_000_000, 0..20)) -> CallsRow {
        let mut row = CallsRow { tally, ..CallsRow::default() };
        good.iter().for_each(|us| row.good.record(*us, 1));
        bad.iter().for_each(|us| row.bad.record(*us, 1));
        row
    }
}

prop_compose! {
    fn gauge()(points in prop::collection::vec((0i64..50, -5i32..5), 0..5)) -> GaugeRow {
        points.iter().fold(GaugeRow::default(), |row, (time, value)| {
            joined(&row, &GaugeRow::of(*time, f64::from(*value)))
        })
    }
}

prop_compose! {
    fn outcomes()(points in prop::collection::vec((0i64..50, 0u64..12, any::<bool>()), 0..12)) -> Outcomes {
        let mut outcomes = Outcomes::default();
        outcomes.record_all(&mut points.clone());
        outcomes
    }
}

fn joined<T: Merge + Clone>(a: &T, b: &T) -> T {
    let mut merged = a.clone();
    merged.merge(b);
    merged
}

fn laws<T: Merge + Clone + PartialEq + std::fmt::Debug>(a: &T, b: &T, c: &T) -> Result<(), TestCaseError> {
    prop_assert_eq!(joined(a, b), joined(b, a));
    prop_assert_eq!(joined(&joined(a, b), c), joined(a, &joined(b, c)));
    prop_assert_eq!(&joined(a, &T::default()), a);
    Ok(())
}

proptest! {
    #[test]
    fn calls_merge_lawfully(a in calls(), b in calls(), c in calls()) { laws(&a, &b, &c)?; }

    #[test]
    fn gauges_merge_lawfully(a in gauge(), b in gauge(), c in gauge()) { laws(&a, &b, &c)?; }

    #[test]
    fn outcomes_merge_lawfully(a in outcomes(), b in outcomes(), c in outcomes()) { laws(&a, &b, &c)?; }

    #[test]
    fn a_tally_survives_its_encoding(tally in tally(), odd in any::<f64>()) {
        let mut tally = tally;
        if odd.is_finite() { tally.exhausted = odd; }
        let mut bytes = Vec::new();
        tally.encode(&mut bytes);
        let mut rest = &bytes[..];
        prop_assert_eq!(Tally::decode(&mut rest), Some(tally));
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Tally::decode(&mut &bytes[..]);
    }
}
