//! How figures went over time: a value for each column of a chart.

use std::collections::BTreeMap;

use super::calls::{self, EndpointKey, Endpoints, Seldom, Summary};
use crate::rollup::latency::Latency;
use crate::rollup::window::{Minute, Part};
use crate::signals::call::Judged;
use crate::web::chart::Columns;

/// As many judged calls as a rate of a column should rest on, and how many columns back it may reach for them.
const ENOUGH: f64 = 20.0;
const REACH: usize = 10;

/// Calls by endpoint for each column.
pub struct Course(Vec<Endpoints>);

impl Course {
    /// Reads a window once for all curves drawn from it.
    pub fn of(part: &Part, columns: Columns, with_durations: bool) -> Course {
        let window = (columns.from, columns.to);
        Course(calls::by_column(part, window, columns.count(), |minute| columns.at(minute), with_durations))
    }

    /// The success rate of the endpoints that pass, by column.
    pub fn rates(&self, seldom: &Seldom, pass: impl Fn(&EndpointKey) -> bool) -> Vec<Option<f64>> {
        let judged = |column: &Endpoints| Summary::over(column, seldom, &pass).judged;
        rates_of(&self.0.iter().map(judged).collect::<Vec<_>>())
    }

    /// Durations of ok and partial attempts of the endpoints that pass, by column.
    pub fn durations(&self, pass: impl Fn(&EndpointKey) -> bool) -> Vec<Latency> {
        self.0.iter().map(|column| Summary::over(column, &Seldom::new(), &pass).good).collect()
    }
}

/// A success rate for each column. One bad call of five is no fault of 20 %: a column that holds too few to say
/// reaches back until it holds enough, as the rules' windows do. A column without a call stays a gap.
fn rates_of(judged: &[Judged]) -> Vec<Option<f64>> {
    let count = |one: &Judged| one.good + one.bad;
    let rate = |at: usize| {
        let (own, earlier) = judged.get(..=at)?.split_last()?;
        if count(own) <= 0.0 {
            return None;
        }
        let mut sum = *own;
        for one in earlier.iter().rev().take(REACH) {
            if count(&sum) >= ENOUGH {
                break;
            }
            sum.add(one);
        }
        sum.success_rate()
    };
    (0..judged.len()).map(rate).collect()
}

/// A gauge by column: the latest in it.
pub fn latest(history: &BTreeMap<Minute, f64>, columns: Columns) -> Vec<Option<f64>> {
    let mut values = vec![None; columns.count()];
    for (minute, value) in history {
        if let Some(slot) = columns.at(*minute).and_then(|at| values.get_mut(at)) {
            *slot = Some(*value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(good: f64, bad: f64) -> Judged {
        Judged { good, bad, ..Judged::default() }
    }

    #[test]
    fn a_column_of_few_calls_reaches_back_and_a_full_one_does_not() {
        let sparse =
            [judged(5.0, 0.0), judged(5.0, 0.0), judged(0.0, 0.0), judged(6.0, 0.0), judged(3.0, 1.0)];
        assert_eq!(rates_of(&sparse), [Some(1.0), Some(1.0), None, Some(1.0), Some(0.95)]);
        let full = [judged(40.0, 0.0), judged(0.0, 20.0)];
        assert_eq!(rates_of(&full), [Some(1.0), Some(0.0)], "a real fault is not softened");
    }
}
