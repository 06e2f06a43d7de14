//! OTLP histograms as our durations.
//!
//! An exponential bucket (lo, hi] stands at 2·lo·hi/(lo+hi), which no value in it is farther from, by proportion, than
//! (b−1)/(b+1) with b = hi/lo. Of an explicit bucket only the mass is known: it is spread evenly over the logarithm,
//! and no percentile is farther off than the bucket is wide. What lies beyond the last bound has no estimate, only a
//! least value.

use super::latency::{Latency, MAX_US, lowest_of, slot_of};
use super::measure::DurationRow;
use crate::signals::measure::{Buckets, Histogram};

/// A first bucket reaches down to a tenth of its bound, where nothing says how far.
const FIRST: f64 = 10.0;

/// The durations of a histogram; the factor makes microseconds of its unit.
pub fn durations(histogram: &Histogram, to_micros: f64) -> DurationRow {
    let mut row = DurationRow { sum_us: histogram.sum * to_micros, ..DurationRow::default() };
    match &histogram.buckets {
        Buckets::Exponential { scale, zero, buckets, .. } => {
            row.histogram.record(0, *zero);
            let width = f64::exp2(-f64::from(*scale));
            for (index, count) in buckets {
                row.histogram.record(rounded(middle(*index, width) * to_micros), *count);
            }
        }
        Buckets::Explicit { bounds, counts } => {
            row.estimated = histogram.count > 0;
            // Without buckets all that is known is how many there are.
            let counts = if counts.is_empty() { std::slice::from_ref(&histogram.count) } else { counts };
            explicit(&mut row, bounds, counts, histogram, to_micros);
        }
    }
    row
}

/// The representative of bucket `index`, whose bounds are 2^(index·width) and 2^((index+1)·width).
fn middle(index: i32, width: f64) -> f64 {
    let low = f64::exp2(f64::from(index) * width);
    let base = f64::exp2(width);
    // At the lowest scales the upper bound is beyond a double.
    if base.is_finite() { low * (2.0 * base / (1.0 + base)) } else { 2.0 * low }
}

fn explicit(row: &mut DurationRow, bounds: &[f64], counts: &[u64], of: &Histogram, to_micros: f64) {
    let known = |end: Option<f64>| end.filter(|end| end.is_finite() && *end > 0.0);
    let (min, max) = (known(of.min), known(of.max));
    let mut low = 0.0f64;
    for (at, count) in counts.iter().enumerate() {
        let high = bounds.get(at).copied().unwrap_or(f64::INFINITY);
        if *count > 0 && high == f64::INFINITY {
            row.beyond.record(rounded(low.max(min.unwrap_or(0.0)) * to_micros), *count);
        } else if *count > 0 {
            let first = if low > 0.0 { low } else { min.unwrap_or(high / FIRST) };
            // What this point alone covers says how far its outermost values reach.
            let from = first.max(min.unwrap_or(first)).min(high);
            let to = high.min(max.unwrap_or(high)).max(from);
            spread(&mut row.histogram, from * to_micros, to * to_micros, *count);
        }
        low = low.max(high);
    }
}

/// Spreads `count` durations of (from, to] microseconds over the slots between, evenly by logarithm.
pub fn spread(into: &mut Latency, from: f64, to: f64, count: u64) {
    let (from, to) = (from.clamp(1.0, MAX_US as f64), to.clamp(1.0, MAX_US as f64));
    let width = (to / from).ln();
    if count == 0 || width.is_nan() || width <= 0.0 {
        into.record(rounded(to), count);
        return;
    }
    let (first, last) = (slot_of(from as u64), slot_of(to as u64));
    let mut given = 0u64;
    for slot in first..=last {
        let upto = if slot == last {
            count
        } else {
            let edge = (lowest_of(slot + 1) as f64).min(to);
            let share = ((edge / from).ln() / width).clamp(0.0, 1.0);
            ((count as f64 * share).round() as u64).clamp(given, count)
        };
        into.record(lowest_of(slot), upto - given);
        given = upto;
    }
}

fn rounded(us: f64) -> u64 {
    us.clamp(0.0, MAX_US as f64).round() as u64
}

#[cfg(test)]
mod tests;
