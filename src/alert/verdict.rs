//! Four verdicts, and how figures come to one: semantics section 2.

use super::rule::Resolve;
use super::threshold::Threshold;

/// What a tick says of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// `fire` holds, with evidence.
    Breach,
    /// Neither `fire` nor `resolve` holds.
    Hold,
    /// `resolve` holds.
    Clear,
    /// Nothing can be said.
    Unknown,
}

/// A share of calls with what it rests on. Counts are as they came, not weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ratio<'l> {
    /// The share as a fraction of 1; none when nothing is judged.
    pub value: Option<f64>,
    /// Calls judged in the window.
    pub count: f64,
    /// Bad ones among them.
    pub bad: f64,
    /// Whether the latest operations of 7 days were good, newest first.
    pub latest: &'l [bool],
}

/// What a ratio rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Fewest calls that carry a verdict.
    pub min_count: u64,
    /// Fewest bad ones that carry a breach.
    pub min_bad: u64,
    /// So many of the latest all bad breach, all good clear; 0 = not asked.
    pub or_consecutive: usize,
}

/// Judges a ratio whose window has already grown as far as it may.
pub fn ratio(ratio: &Ratio<'_>, fire: &Threshold, resolve: &Resolve, evidence: Evidence) -> Verdict {
    let asked = evidence.or_consecutive;
    let latest = ratio.latest.get(..asked).filter(|latest| !latest.is_empty());
    if latest.is_some_and(|latest| latest.iter().all(|good| !good)) {
        return Verdict::Breach;
    }
    if reaches(ratio.count, evidence.min_count)
        && let Some(value) = ratio.value
    {
        return match plain(Some(value), fire, resolve) {
            // Too few bad ones: the value is under the limit, but it is no evidence and no recovery either.
            Verdict::Breach if !reaches(ratio.bad, evidence.min_bad) => Verdict::Hold,
            verdict => verdict,
        };
    }
    match latest {
        Some(latest) if latest.iter().all(|good| *good) => Verdict::Clear,
        _ => Verdict::Unknown,
    }
}

/// Judges a percentile: under `min_count` samples it says nothing.
pub fn percentile(
    value: Option<f64>,
    samples: f64,
    fire: &Threshold,
    resolve: &Resolve,
    min_count: u64,
) -> Verdict {
    plain(value.filter(|_| reaches(samples, min_count)), fire, resolve)
}

/// Judges a value that needs no evidence.
pub fn plain(value: Option<f64>, fire: &Threshold, resolve: &Resolve) -> Verdict {
    match value {
        None => Verdict::Unknown,
        Some(value) if fire.holds(value) => Verdict::Breach,
        Some(value) if is_over(value, resolve) => Verdict::Clear,
        Some(_) => Verdict::Hold,
    }
}

/// Whether `resolve` holds for a value that does not breach.
fn is_over(value: f64, resolve: &Resolve) -> bool {
    match resolve {
        Resolve::At(threshold) => threshold.holds(value),
        // Beyond the level: nothing else than a later expiry makes the value grow.
        Resolve::Renewed => true,
        Resolve::Matched => value <= 0.0,
    }
}

/// Joins branches, those left out that never had data: any breach breaches, all clear is clear.
pub fn any(verdicts: &[Verdict]) -> Verdict {
    let has = |verdict: Verdict| verdicts.contains(&verdict);
    if has(Verdict::Breach) {
        Verdict::Breach
    } else if has(Verdict::Hold) {
        Verdict::Hold
    } else if has(Verdict::Unknown) || verdicts.is_empty() {
        Verdict::Unknown
    } else {
        Verdict::Clear
    }
}

/// Whether a count of calls meets a minimum; weights leave rounding dust.
pub fn reaches(count: f64, least: u64) -> bool {
    count + 1e-6 >= least as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::signal::Signal;

    const EVIDENCE: Evidence = Evidence { min_count: 20, min_bad: 3, or_consecutive: 5 };

    fn judged(good: u32, bad: u32, latest: &[bool]) -> Verdict {
        let count = f64::from(good + bad);
        let value = (count > 0.0).then(|| f64::from(good) / count);
        let fire = Threshold::parse("< 95 %", Signal::CallSuccessRate).unwrap();
        let resolve = Resolve::At(Threshold::parse(">= 98 %", Signal::CallSuccessRate).unwrap());
        ratio(&Ratio { value, count, bad: f64::from(bad), latest }, &fire, &resolve, EVIDENCE)
    }

    #[test]
    fn a_ratio_is_judged_in_this_order() {
        const UP: [bool; 5] = [true; 5];
        const DOWN: [bool; 5] = [false; 5];
        const MIXED: [bool; 5] = [true, false, true, true, true];
        let cases = [
            ("one failure of two calls", judged(1, 1, &[false, true]), Verdict::Unknown),
            ("five bad in a row, whatever the traffic", judged(1000, 5, &DOWN), Verdict::Breach),
            ("five bad in a row, no call in the window", judged(0, 0, &DOWN), Verdict::Breach),
            ("four bad in a row are not five", judged(0, 4, &DOWN[..4]), Verdict::Unknown),
            ("twenty per cent of forty", judged(32, 8, &MIXED), Verdict::Breach),
            ("two bad of twenty-one are too few to breach", judged(19, 2, &MIXED), Verdict::Hold),
            ("between the thresholds", judged(97, 3, &MIXED), Verdict::Hold),
            ("over the upper threshold", judged(99, 1, &MIXED), Verdict::Clear),
            ("enough calls: five good in a row do not clear", judged(19, 1, &UP), Verdict::Hold),
            ("few calls: five good in a row clear", judged(3, 0, &UP), Verdict::Clear),
            ("nothing known", judged(0, 0, &[]), Verdict::Unknown),
        ];
        for (name, found, wanted) in cases {
            assert_eq!(found, wanted, "{name}");
        }
    }

    #[test]
    fn a_percentile_of_few_samples_says_nothing() {
        let fire = Threshold::parse("> 2 s", Signal::LatencyP95).unwrap();
        let resolve = Resolve::At(Threshold::parse("<= 1500 ms", Signal::LatencyP95).unwrap());
        let of = |value, samples| percentile(Some(value), samples, &fire, &resolve, 60);
        assert_eq!(of(9.0, 59.0), Verdict::Unknown);
        assert_eq!(of(9.0, 60.0), Verdict::Breach);
        assert_eq!(of(1.8, 60.0), Verdict::Hold);
        assert_eq!(of(1.5, 60.0), Verdict::Clear);
    }

    #[test]
    fn branches_join() {
        use Verdict::*;
        assert_eq!(any(&[Clear, Breach]), Breach);
        assert_eq!(any(&[Clear, Clear]), Clear);
        assert_eq!(any(&[Clear, Hold]), Hold);
        assert_eq!(any(&[Clear, Unknown]), Unknown);
        assert_eq!(any(&[]), Unknown);
    }
}
