//! The clock and the days off that an integration's work goes by.

use std::collections::BTreeSet;

use crate::rollup::window::Minute;

const DAY: i64 = 24 * 60;

/// An integration's zone and its declared holidays. By default UTC and none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {
    /// From a minute on local time is so many minutes ahead of UTC, ascending; before the first by as much as then.
    pub shifts: Vec<(Minute, i64)>,
    /// Days since the epoch, local, on which nobody works.
    pub holidays: BTreeSet<i64>,
}

impl Calendar {
    /// Minutes that local time is ahead of UTC.
    pub fn ahead(&self, minute: Minute) -> i64 {
        let after = self.shifts.partition_point(|(from, _)| *from <= minute);
        self.shifts.get(after.saturating_sub(1)).map_or(0, |(_, ahead)| *ahead)
    }

    /// Whether the minute lies on a declared holiday.
    pub fn is_holiday(&self, minute: Minute) -> bool {
        !self.holidays.is_empty() && self.holidays.contains(&(minute.0 + self.ahead(minute)).div_euclid(DAY))
    }

    /// The minute that by the clock on the wall was the same, so many weeks ago.
    pub fn weeks_ago(&self, minute: Minute, weeks: i64) -> Minute {
        let then = Minute(minute.0 - weeks * 7 * DAY);
        Minute(then.0 + self.ahead(minute) - self.ahead(then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_time_by_the_wall_clock_is_an_hour_apart_after_a_change() {
        let change = Minute(29_712_300);
        let berlin = Calendar { shifts: vec![(Minute(0), 120), (change, 60)], ..Calendar::default() };
        let after = Minute(change.0 + 3 * DAY);
        assert_eq!((berlin.ahead(Minute(change.0 - 1)), berlin.ahead(change)), (120, 60));
        assert_eq!(berlin.weeks_ago(after, 1), Minute(after.0 - 7 * DAY - 60), "summer's clock ran ahead");
        assert_eq!(Calendar::default().weeks_ago(after, 2), Minute(after.0 - 14 * DAY));
    }

    #[test]
    fn a_holiday_begins_at_local_midnight() {
        let berlin = Calendar { shifts: vec![(Minute(0), 60)], holidays: [10].into() };
        assert!(!berlin.is_holiday(Minute(10 * DAY - 61)));
        assert!(berlin.is_holiday(Minute(10 * DAY - 60)));
        assert!(!berlin.is_holiday(Minute(11 * DAY - 60)));
    }
}
