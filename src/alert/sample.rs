//! The figures of calls in the window before a tick, grown until it holds enough of them.

use crate::rollup::latency::Latency;
use crate::rollup::series::{Merge, Tally};
use crate::rollup::window::Minute;
use crate::signals::call::{Attempts, Class, Judged, finals, judge};
use crate::signals::telemetry::Nanos;

use super::rule::Measure;
use super::series::Series;
use super::verdict::reaches;
use crate::signals::signal::Signal;

/// How long an outcome counts as latest, and an endpoint as called.
pub const WEEK: Nanos = 7 * 86_400 * 1_000_000_000;

/// Figures of calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallSample {
    /// Minutes in the window, after it has grown.
    pub minutes: u32,
    /// Operations, weighted: they make the figure.
    pub judged: Judged,
    /// Operations as they came: they make the evidence.
    pub counted: Judged,
    /// Attempts as they came, by class.
    pub classes: [u64; Class::COUNT],
    /// Failed operations as they came, by class, most first.
    pub failures: Vec<(Class, u64)>,
    /// Records that the calls carried, and how many of them failed inside a good answer.
    pub records: (u64, u64),
    /// Operations that were given up because of throttling, as they came.
    pub exhausted: f64,
    /// Attempts, weighted, by class.
    weighted: [f64; Class::COUNT],
    /// Whether the latest operations of 7 days were good, newest first.
    pub latest: Vec<bool>,
    /// The percentile in seconds, where the signal is one.
    pub percentile: Option<f64>,
    /// Whether any minute at hand holds a call.
    pub has_calls: bool,
    /// Latest operation known, of whatever age.
    pub last_outcome: Option<Nanos>,
}

impl CallSample {
    /// The signal's value in base units.
    pub fn value(&self, signal: Signal) -> Option<f64> {
        let all: f64 = self.weighted.iter().sum();
        match signal {
            Signal::CallSuccessRate => self.judged.success_rate(),
            Signal::AttemptSuccessRate => {
                let tried = tried(&self.weighted);
                (tried > 0.0).then(|| good(&self.weighted) / tried)
            }
            Signal::CallThrottledShare => (all > 0.0).then(|| self.weighted[Class::Throttled as usize] / all),
            Signal::RecordSuccessRate => {
                let (all, failed) = self.records;
                (all > 0).then(|| 1.0 - failed.min(all) as f64 / all as f64)
            }
            Signal::CallRetryAmplification => {
                (self.judged.operations > 0.0).then(|| self.judged.attempts / self.judged.operations)
            }
            Signal::RetryExhausted => (all > 0.0).then_some(self.exhausted),
            Signal::CallRate => Some(self.judged.operations / f64::from(self.minutes.max(1))),
            _ => self.percentile,
        }
    }

    /// How many calls the value rests on, as they came.
    pub fn count(&self, signal: Signal) -> f64 {
        let classes = self.classes.map(|count| count as f64);
        match signal {
            Signal::CallSuccessRate => self.counted.good + self.counted.bad,
            Signal::AttemptSuccessRate => tried(&classes),
            Signal::CallThrottledShare => classes.iter().sum(),
            Signal::RecordSuccessRate => self.records.0 as f64,
            Signal::CallRate | Signal::CallRetryAmplification => self.counted.operations,
            Signal::RetryExhausted => classes.iter().sum(),
            _ => good(&classes),
        }
    }

    /// How many of them are bad, as they came.
    pub fn bad(&self, signal: Signal) -> f64 {
        let classes = self.classes.map(|count| count as f64);
        match signal {
            Signal::CallSuccessRate => self.counted.bad,
            Signal::AttemptSuccessRate => tried(&classes) - good(&classes),
            Signal::CallThrottledShare => classes[Class::Throttled as usize],
            Signal::RecordSuccessRate => self.records.1 as f64,
            Signal::RetryExhausted => self.exhausted,
            _ => 0.0,
        }
    }
}

fn good(classes: &[f64; Class::COUNT]) -> f64 {
    classes[Class::Ok as usize] + classes[Class::Partial as usize]
}

fn tried(classes: &[f64; Class::COUNT]) -> f64 {
    let left_out = [Class::Cancelled, Class::Ignored, Class::Rejected];
    classes.iter().sum::<f64>() - left_out.iter().map(|class| classes[*class as usize]).sum::<f64>()
}

/// One series' sum over the window so far.
#[derive(Clone)]
struct Sum {
    tally: Tally,
    /// How many of the series' rows lie before the window.
    before: usize,
}

/// Takes the figures of a group of series in the window that ends at `tick`.
///
/// `gone_before`: the incident that is open says that reads are answered "not found" since it began.
pub fn take(series: &[&Series<'_>], measure: &Measure, tick: Minute, gone_before: bool) -> CallSample {
    let mut sums: Vec<Sum> = series
        .iter()
        .map(|series| Sum { tally: Tally::default(), before: rows_before(series, tick) })
        .collect();
    let mut sample = CallSample::default();
    let mut minutes = 0;
    let enough = |sample: &CallSample| reaches(sample.count(measure.signal), measure.min_count);
    while minutes < measure.widen_to && (minutes < measure.window || !enough(&sample)) {
        minutes = if minutes < measure.window { measure.window } else { minutes + 1 };
        let from = Minute(tick.0 - i64::from(minutes));
        let grown =
            series.iter().zip(&mut sums).fold(false, |grown, (series, sum)| grow(series, sum, from) || grown);
        if grown {
            sample = judged(series, &sums, gone_before);
        }
    }
    sample.minutes = minutes;
    sample.has_calls = series.iter().any(|series| rows_before(series, tick) > 0);
    outcomes(&mut sample, series, tick);
    if let Some(quantile) = measure.signal.quantile() {
        let mut all = Latency::default();
        for (series, sum) in series.iter().zip(&sums) {
            let rows = series.rows.get(sum.before..rows_before(series, tick)).unwrap_or_default();
            rows.iter().filter_map(|row| row.good).for_each(|good| all.merge(good));
        }
        sample.percentile = all.quantile_us(quantile).map(|us| us as f64 / 1e6);
    }
    sample
}

fn rows_before(series: &Series<'_>, tick: Minute) -> usize {
    series.rows.partition_point(|row| row.minute < tick)
}

/// Takes the rows from a minute on into the sum; says whether there were any.
fn grow(series: &Series<'_>, sum: &mut Sum, from: Minute) -> bool {
    let old = sum.before;
    while let Some(row) = sum.before.checked_sub(1).and_then(|at| series.rows.get(at))
        && row.minute >= from
    {
        sum.tally.merge(row.tally);
        sum.before -= 1;
    }
    sum.before < old
}

/// Judges each endpoint and adds up.
fn judged(series: &[&Series<'_>], sums: &[Sum], gone_before: bool) -> CallSample {
    let mut sample = CallSample::default();
    let mut failed = [0.0; Class::COUNT];
    for (series, sum) in series.iter().zip(sums) {
        let (weighted, plain) = (sum.tally.counts(), unweighted(&sum.tally));
        let suspicious = weighted.attempts[Class::AmbiguousRead as usize] >= 19.0;
        let seldom =
            suspicious && (gone_before || series.seldom.unwrap_or_else(|| seldom_before(series, sum.before)));
        sample.judged.add(&judge(&weighted, seldom));
        let counted = judge(&plain, seldom);
        sample.counted.add(&counted);
        let finals = finals(&plain);
        for class in Class::ALL {
            let at = class as usize;
            sample.classes[at] += sum.tally.unweighted[at];
            sample.weighted[at] += sum.tally.attempts[at];
            if class.is_bad() {
                failed[at] += finals[at];
            }
        }
        failed[Class::Throttled as usize] += plain.exhausted;
        sample.exhausted += plain.exhausted;
        sample.records.0 = sample.records.0.saturating_add(sum.tally.records);
        sample.records.1 = sample.records.1.saturating_add(sum.tally.records_failed);
        let explained: f64 =
            Class::ALL.into_iter().filter(|class| class.is_bad()).map(|class| finals[class as usize]).sum();
        failed[Class::AmbiguousRead as usize] += (counted.bad - explained - plain.exhausted).max(0.0);
    }
    sample.failures = Class::ALL
        .into_iter()
        .map(|class| (class, failed[class as usize].round() as u64))
        .filter(|(_, count)| *count > 0)
        .collect();
    sample.failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    sample
}

/// Whether an endpoint answered "not found" to under half of at least 20 operations before the window.
fn seldom_before(series: &Series<'_>, before: usize) -> bool {
    let mut tally = Tally::default();
    series.rows.iter().take(before).for_each(|row| tally.merge(row.tally));
    let counts = tally.counts();
    let operations = judge(&counts, false).operations;
    operations >= 20.0 && finals(&counts)[Class::AmbiguousRead as usize] < 0.5 * operations
}

/// Counts as they came. What is only kept weighted is scaled by its class.
fn unweighted(tally: &Tally) -> Attempts {
    let scale = |at: usize| {
        if tally.attempts[at] > 0.0 { tally.unweighted[at] as f64 / tally.attempts[at] } else { 1.0 }
    };
    let all: f64 = tally.attempts.iter().sum();
    let came: u64 = tally.unweighted.iter().sum();
    let overall = if all > 0.0 { came as f64 / all } else { 1.0 };
    Attempts {
        attempts: tally.unweighted.map(|count| count as f64),
        superseded: std::array::from_fn(|at| tally.superseded[at] * scale(at)),
        retries_unlinked: tally.retries_unlinked * overall,
        exhausted: tally.exhausted * scale(Class::Throttled as usize),
    }
}

/// The latest operations before the tick, over all series of the group.
fn outcomes(sample: &mut CallSample, series: &[&Series<'_>], tick: Minute) {
    let mut latest: Vec<(Nanos, u64, bool)> = series
        .iter()
        .filter_map(|series| series.outcomes)
        .flat_map(|outcomes| outcomes.latest.iter().copied())
        .filter(|(time, _, _)| *time < tick.start())
        .collect();
    latest.sort_unstable_by(|a, b| b.cmp(a));
    sample.last_outcome = latest.first().map(|(time, _, _)| *time);
    let oldest = tick.start().saturating_sub(WEEK);
    sample.latest =
        latest.into_iter().take_while(|(time, _, _)| *time >= oldest).map(|(_, _, good)| good).collect();
}
