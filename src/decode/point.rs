//! A data point as it stands on the wire, and what makes it valid in either encoding.

use crate::signals::stream::StreamKind;
use crate::signals::telemetry::{Attributes, PointValue, Refusal, Temporality};

/// At scale −10 one bucket reaches over all doubles above 1.
const MIN_SCALE: i32 = -10;
/// Above it neighbouring buckets are closer than doubles can tell in practice; SDKs start at 20.
const MAX_SCALE: i32 = 31;

/// Which kind of data a metric holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    #[default]
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

/// A data point as it stands on the wire, before it is judged.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct RawPoint<'a> {
    pub kind: Kind,
    pub attributes: Attributes<'a>,
    pub start: i64,
    pub time: i64,
    pub flags: u64,
    pub number: Option<f64>,
    pub count: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub counts: Vec<u64>,
    pub bounds: Vec<f64>,
    pub scale: i32,
    pub zero_count: u64,
    pub zero_threshold: f64,
    pub offset: i32,
    pub negative: u64,
    pub quantiles: Vec<(f64, f64)>,
    pub temporality: u64,
    pub monotonic: bool,
}

impl RawPoint<'_> {
    /// The point's value, or why it is refused (metrics data model; metrics.proto).
    pub fn value(&self) -> Result<PointValue<'_>, Refusal> {
        if self.time == 0 {
            return Err(Refusal::Borrowed("no time_unix_nano"));
        }
        let temporality = match self.temporality {
            1 => Some(Temporality::Delta),
            2 => Some(Temporality::Cumulative),
            _ => None,
        };
        if self.flags & 1 != 0 {
            return Ok(PointValue::NoValue(match self.kind {
                Kind::Gauge => StreamKind::GAUGE,
                Kind::Sum => StreamKind::sum(temporality, self.monotonic),
                Kind::Histogram => StreamKind::histogram(temporality),
                Kind::ExponentialHistogram => StreamKind::exponential(temporality),
                Kind::Summary => StreamKind::SUMMARY,
            }));
        }
        let temporality = || temporality.ok_or(Refusal::Borrowed("no aggregation temporality"));
        let number = || self.number.ok_or(Refusal::Borrowed("no value"));
        let (count, sum, min, max) = (self.count, self.sum, self.min, self.max);
        Ok(match self.kind {
            Kind::Gauge => PointValue::Gauge(number()?),
            Kind::Sum => {
                let (value, temporality) = (number()?, temporality()?);
                if !value.is_finite() {
                    return Err(format!("a sum that is {value}").into());
                }
                if self.monotonic && value < 0.0 {
                    return Err(format!("a sum that only grows is {value}").into());
                }
                PointValue::Sum { value, monotonic: self.monotonic, temporality }
            }
            Kind::Histogram => {
                self.check_buckets()?;
                self.check_sum()?;
                let (counts, bounds) = (&*self.counts, &*self.bounds);
                PointValue::Histogram { count, sum, min, max, counts, bounds, temporality: temporality()? }
            }
            Kind::ExponentialHistogram => {
                self.check_exponential()?;
                self.check_sum()?;
                PointValue::ExponentialHistogram {
                    count,
                    sum,
                    min,
                    max,
                    scale: self.scale,
                    zero_count: self.zero_count,
                    zero_threshold: self.zero_threshold,
                    negative: self.negative,
                    offset: self.offset,
                    counts: &self.counts,
                    temporality: temporality()?,
                }
            }
            Kind::Summary => {
                self.check_sum()?;
                PointValue::Summary { count, sum: sum.unwrap_or(0.0), quantiles: &self.quantiles }
            }
        })
    }

    fn check_sum(&self) -> Result<(), Refusal> {
        match self.sum {
            Some(sum) if !sum.is_finite() => Err(format!("its sum is {sum}").into()),
            _ => Ok(()),
        }
    }

    fn check_buckets(&self) -> Result<(), Refusal> {
        let (counts, bounds) = (self.counts.len(), self.bounds.len());
        if counts + bounds > 0 && counts != bounds + 1 {
            return Err(format!("{counts} bucket counts for {bounds} bounds").into());
        }
        if !self.bounds.is_sorted_by(|a, b| a < b) || self.bounds.iter().any(|bound| bound.is_nan()) {
            return Err(Refusal::Borrowed("bucket bounds that do not ascend"));
        }
        if counts > 0 {
            self.check_count(self.counts.iter().copied())?;
        }
        Ok(())
    }

    fn check_count(&self, buckets: impl Iterator<Item = u64>) -> Result<(), Refusal> {
        let held = buckets.fold(0u64, u64::saturating_add);
        if held != self.count {
            return Err(format!("buckets that hold {held} of a count of {}", self.count).into());
        }
        Ok(())
    }

    /// Buckets whose bounds a double cannot hold are refused (data model, consumer recommendations); none of them is
    /// ever looked up by its index.
    fn check_exponential(&self) -> Result<(), Refusal> {
        self.check_count(self.counts.iter().copied().chain([self.zero_count, self.negative]))?;
        if !(MIN_SCALE..=MAX_SCALE).contains(&self.scale) {
            return Err(format!("a scale of {}, not of {MIN_SCALE} to {MAX_SCALE}", self.scale).into());
        }
        if !(self.zero_threshold >= 0.0 && self.zero_threshold.is_finite()) {
            return Err(format!("a zero threshold of {}", self.zero_threshold).into());
        }
        let width = f64::exp2(-f64::from(self.scale));
        let (first, end) = (f64::from(self.offset), f64::from(self.offset) + self.counts.len() as f64);
        // Exponents of two: the least positive double is 2^-1074, the greatest just under 2^1024.
        if !self.counts.is_empty() && (first * width < -1075.0 || (end - 1.0) * width >= 1024.0) {
            return Err(format!(
                "buckets from {} on at scale {} are beyond a double",
                self.offset, self.scale
            )
            .into());
        }
        Ok(())
    }
}
