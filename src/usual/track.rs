//! What is known of the past of one thing: hourly values of four weeks, daily peaks, and the wait that goes on now.

use super::calendar::Calendar;
use super::ring::{Ring, median};
use crate::rollup::window::Minute;

/// Hours and days that are kept: four weeks.
const HOURS: usize = 28 * 24;
const DAYS: usize = 28;
/// How long a thing of which nothing is heard keeps its past.
pub const MINUTES_OF_FOUR_WEEKS: u32 = 28 * 24 * 60;
/// Hours of a week.
const WEEK: i64 = 168;
/// So many of the last four weeks must be known before they say what is usual at an hour.
const WEEKS_KNOWN: usize = 3;
/// Peaks say what is usual after so many days.
const PEAKS_KNOWN: i64 = 3;

/// The hour since the epoch that a minute lies in.
pub fn hour_of(minute: Minute) -> i64 {
    minute.0.div_euclid(60)
}

/// The day since the epoch that a minute lies in.
pub fn day_of(minute: Minute) -> i64 {
    minute.0.div_euclid(24 * 60)
}

/// The past of one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The first minute that was learned.
    pub since: Minute,
    /// The last minute in which anything was there.
    pub seen: Minute,
    /// Values by hour: a sum of events, or a mean of levels.
    pub hours: Ring,
    /// The largest by day: of a level, or of what was expected in a wait between events.
    pub days: Ring,
    /// The hour that runs: which, the sum so far, over how many minutes.
    running: (i64, f64, u32),
    /// The minute of the last event.
    pub last_event: Option<Minute>,
    /// Events expected since the last one.
    pub expected: f64,
    /// Minutes of that wait in which an event would have been seen.
    pub waited: u32,
    /// The first minute at which events were expected by what is usual.
    pub expects_since: Option<Minute>,
    /// The level that was there before what is new.
    pub floor: Option<f64>,
}

impl Track {
    /// Of a thing that appears now.
    pub fn new(minute: Minute) -> Track {
        Track {
            since: minute,
            seen: minute,
            hours: Ring::default(),
            days: Ring::default(),
            running: (hour_of(minute), 0.0, 0),
            last_event: None,
            expected: 0.0,
            waited: 0,
            expects_since: None,
            floor: None,
        }
    }

    /// A minute with so many events. Without any, `waits` says whether the minute counts as waiting: telemetry came,
    /// so an event would have been seen, and nobody had a day off. `excluded`: what is unusual now is no measure of
    /// what is usual.
    pub fn events(&mut self, minute: Minute, count: f64, waits: bool, excluded: bool, calendar: &Calendar) {
        self.add(minute, count);
        if self.expects_since.is_none() && self.baseline(minute, calendar).is_some() {
            self.expects_since = Some(minute);
        }
        if count > 0.0 {
            if self.expected > 0.0 && !excluded {
                self.peak(minute, self.expected);
            }
            (self.last_event, self.expected, self.seen) = (Some(minute), 0.0, minute);
            self.waited = 0;
        } else if waits
            && self.last_event.is_some()
            && let Some(usual) = self.baseline(minute, calendar)
        {
            self.expected += usual;
            self.waited += 1;
        }
    }

    /// A minute with an event of which the largest gap counts, in minutes; `outside` of it was nobody's fault.
    pub fn gap(&mut self, minute: Minute, outside: impl Fn(Minute, Minute) -> i64, excluded: bool) {
        if let Some(last) = self.last_event.filter(|last| *last < minute && !excluded) {
            let gap = minute.0 - last.0 - outside(last, minute);
            self.peak(minute, gap.max(0) as f64);
        }
        (self.last_event, self.seen) = (Some(minute), minute);
    }

    /// A minute with operations of which so many were good, so many bad, and so many of these refused. What is expected
    /// counts the good ones since one was refused, and the hour that runs holds the bad ones since one was good; which came
    /// first within a minute is not known.
    pub fn used(&mut self, minute: Minute, good: f64, bad: f64, refused: f64) {
        self.seen = minute;
        self.expected = if refused > 0.0 { 0.0 } else { (self.expected + good).min(1e6) };
        if good > 0.0 {
            self.last_event = Some(minute);
            self.running = (minute.0, 0.0, 0);
        } else if bad > 0.0 {
            let first = if self.running.1 > 0.0 { self.running.0 } else { minute.0 };
            self.running = (first, (self.running.1 + bad).min(1e6), 0);
        }
    }

    /// Of a thing that is used: the first minute of failures without a good operation since, and how many they are.
    pub fn failing_since(&self) -> Option<(Minute, f64)> {
        (self.running.1 > 0.0).then_some((Minute(self.running.0), self.running.1))
    }

    /// A minute with this level.
    pub fn level(&mut self, minute: Minute, value: f64, excluded: bool) {
        self.seen = minute;
        if !excluded {
            self.add(minute, value);
            self.peak(minute, value);
        }
    }

    /// A minute of something that piles up, `had` at its end, and from which something `left`; what was not said is
    /// none. Minutes that go on without anything leaving are `expected`. Where nobody counts what leaves, it left
    /// when there is less than before.
    pub fn stall(
        &mut self,
        minute: Minute,
        left: Option<f64>,
        had: Option<f64>,
        before: Option<f64>,
        excluded: bool,
    ) {
        self.seen = minute;
        if left.is_some_and(|left| left > 0.0) {
            self.last_event = Some(minute);
        }
        let fell =
            !self.counts_departures(minute) && had.zip(before).is_some_and(|(had, before)| had < before);
        if self.last_event == Some(minute) || fell || had == Some(0.0) {
            if self.expected > 0.0 && !excluded {
                self.peak(minute, self.expected);
            }
            self.expected = 0.0;
        } else if had.is_some() {
            self.expected += 1.0;
        }
    }

    /// Whether what leaves is counted, as of two weeks.
    pub fn counts_departures(&self, minute: Minute) -> bool {
        self.last_event.is_some_and(|at| minute.0 - at.0 < 14 * 24 * 60)
    }

    /// A minute in which `counted` were given up, and after which there are `depth`. How many are there beyond what was
    /// there before is `expected`, until they are gone or none came for a day.
    pub fn given_up(&mut self, minute: Minute, counted: f64, depth: Option<f64>) {
        self.seen = minute;
        let floor = depth.map(|depth| self.floor.map_or(depth, |floor| floor.min(depth)));
        let beyond = depth.zip(floor).map(|(depth, floor)| depth - floor);
        if counted > 0.0 || beyond.is_some_and(|beyond| beyond > self.expected) {
            self.last_event = Some(minute);
        }
        let quiet = self.last_event.map_or(i64::MAX, |at| minute.0 - at.0);
        self.expected = match beyond {
            // A counter may be a minute ahead of the level.
            Some(beyond) if beyond > 0.0 || quiet >= 2 => beyond.max(counted),
            Some(_) => self.expected.max(counted),
            None => self.expected + counted,
        };
        self.floor = floor.or(self.floor);
        if quiet >= 24 * 60 {
            (self.expected, self.floor) = (0.0, depth.or(self.floor));
        }
    }

    /// A value of a whole hour.
    pub fn hourly(&mut self, hour: i64, value: f64) {
        self.hours.put(hour, value as f32, HOURS);
        self.seen = Minute(hour * 60 + 59);
    }

    /// The largest of a day so far.
    pub fn peak(&mut self, minute: Minute, value: f64) {
        let day = day_of(minute);
        let value = self.days.get(day).map_or(value, |kept| kept.max(value));
        self.days.put(day, value as f32, DAYS);
    }

    fn add(&mut self, minute: Minute, value: f64) {
        let hour = hour_of(minute);
        if self.running.0 != hour {
            self.running = (hour, 0.0, 0);
        }
        self.running.1 += value;
        self.running.2 += 1;
    }

    /// Closes the hour that ran as a sum of events; minutes that nobody watched are taken to be like the others.
    pub fn close_sum(&mut self, hour: i64) {
        if let (at, sum, minutes @ 1..) = self.running
            && at == hour
        {
            self.hours.put(hour, (sum * 60.0 / f64::from(minutes)) as f32, HOURS);
        }
    }

    /// Closes the hour that ran as a mean of levels.
    pub fn close_mean(&mut self, hour: i64) {
        if let (at, sum, minutes @ 1..) = self.running
            && at == hour
        {
            self.hours.put(hour, (sum / f64::from(minutes)) as f32, HOURS);
        }
    }

    /// Events a minute that are usual at this hour of the week, by the clock on the wall or by UTC, whichever are
    /// fewer: a change of the clock moves some of the work and not all. None before three of the last four weeks are
    /// known.
    pub fn baseline(&self, minute: Minute, calendar: &Calendar) -> Option<f64> {
        let by_utc = self.same_hour(minute)?;
        if calendar.ahead(minute) == calendar.ahead(Minute(minute.0 - 4 * WEEK * 60)) {
            return Some(by_utc / 60.0);
        }
        let by_wall = self.same_hours((1..=4).map(|weeks| hour_of(calendar.weeks_ago(minute, weeks))))?;
        Some(by_wall.min(by_utc) / 60.0)
    }

    /// The median of this hour of the week in the last four weeks.
    pub fn same_hour(&self, minute: Minute) -> Option<f64> {
        let hour = hour_of(minute);
        self.same_hours((1..=4).map(|weeks| hour - weeks * WEEK))
    }

    fn same_hours(&self, hours: impl Iterator<Item = i64>) -> Option<f64> {
        // Of every waiting thing each minute, so without an allocation.
        let mut known = [f64::INFINITY; 4];
        let mut count = 0;
        for (place, value) in known.iter_mut().zip(hours.filter_map(|hour| self.hours.get(hour))) {
            *place = value;
            count += 1;
        }
        known.sort_by(f64::total_cmp);
        match (count, known) {
            (4, [_, lower, upper, _]) => Some((lower + upper) / 2.0),
            (WEEKS_KNOWN, [_, middle, ..]) => Some(middle),
            _ => None,
        }
    }

    /// The median of the hours of the last `hours` before this one, where any is known.
    pub fn median_of(&self, minute: Minute, hours: i64) -> Option<f64> {
        let now = hour_of(minute);
        median(self.hours.since(now - hours).filter(|(at, _)| *at < now).map(|(_, value)| value).collect())
    }

    /// The value under which the share `quantile` of the last `hours` lies, where any is known.
    pub fn quantile_of(&self, minute: Minute, hours: i64, quantile: f64) -> Option<f64> {
        let now = hour_of(minute);
        let mut known: Vec<f64> =
            self.hours.since(now - hours).filter(|(at, _)| *at < now).map(|(_, value)| value).collect();
        known.sort_by(f64::total_cmp);
        let place = (known.len() as f64 * quantile).ceil() as usize;
        known.get(place.max(1) - 1).copied()
    }

    /// *usual(x, span)*: the largest value of the last `days` days, today left out; none before three days are known.
    pub fn usual(&self, minute: Minute, days: i64) -> Option<f64> {
        if minute.0 - self.since.0 < PEAKS_KNOWN * 24 * 60 {
            return None;
        }
        let today = day_of(minute);
        let before = self.days.since(today - days).filter(|(day, _)| *day < today).map(|(_, value)| value);
        before.reduce(f64::max)
    }

    /// Compact bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        for value in [self.since.0, self.seen.0, self.running.0] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&self.running.1.to_le_bytes());
        out.extend_from_slice(&self.running.2.to_le_bytes());
        out.extend_from_slice(&self.waited.to_le_bytes());
        for minute in [self.last_event, self.expects_since] {
            out.extend_from_slice(&minute.map_or(i64::MIN, |minute| minute.0).to_le_bytes());
        }
        for value in [self.expected, self.floor.unwrap_or(f64::NAN)] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        self.hours.encode(&mut out);
        self.days.encode(&mut out);
        out
    }

    /// Reads what [`Track::encode`] wrote; none when it is damaged.
    pub fn decode(mut from: &[u8]) -> Option<Track> {
        let from = &mut from;
        let (version, rest) = from.split_first()?;
        *from = rest;
        if *version != VERSION {
            return None;
        }
        let (since, seen, hour) = (Minute(int(from)?), Minute(int(from)?), int(from)?);
        let sum = f64::from_bits(int(from)? as u64);
        let (minutes, rest) = from.split_first_chunk::<4>()?;
        let (waited, rest) = rest.split_first_chunk::<4>()?;
        *from = rest;
        let waited = u32::from_le_bytes(*waited);
        let minute = |value: i64| (value != i64::MIN).then_some(Minute(value));
        let (last_event, expects_since) = (minute(int(from)?), minute(int(from)?));
        let mut float = || Some(f64::from_bits(int(from)? as u64));
        let (expected, floor) = (float()?, float()?);
        let floor = Some(floor).filter(|floor| !floor.is_nan());
        let (hours, days) = (Ring::decode(from)?, Ring::decode(from)?);
        let running = (hour, sum, u32::from_le_bytes(*minutes));
        Some(Track { since, seen, hours, days, running, last_event, expected, waited, expects_since, floor })
    }
}

const VERSION: u8 = 2;

fn int(from: &mut &[u8]) -> Option<i64> {
    let (bytes, rest) = from.split_first_chunk::<8>()?;
    *from = rest;
    Some(i64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour of the week with 60 events, all others with none.
    fn weekly(weeks: i64) -> Track {
        let mut track = Track::new(Minute(0));
        for minute in (0..weeks * 7 * 1440).map(Minute) {
            let count = if hour_of(minute) % 168 == 9 { 1.0 } else { 0.0 };
            track.events(minute, count, true, false, &Calendar::default());
            if minute.0 % 60 == 59 {
                track.close_sum(hour_of(minute));
            }
        }
        track
    }

    #[test]
    fn an_hour_of_the_week_is_expected_after_three_weeks() {
        let at = |week: i64| Minute((week * 168 + 9) * 60 + 5);
        assert_eq!(weekly(2).baseline(at(2), &Calendar::default()), None);
        assert_eq!(weekly(3).baseline(at(3), &Calendar::default()), Some(1.0));
        assert_eq!(weekly(4).baseline(Minute(at(4).0 + 60), &Calendar::default()), Some(0.0));
    }

    #[test]
    fn a_wait_counts_what_is_usual_and_ends_with_an_event() {
        let mut track = weekly(4);
        let start = Minute((4 * 168 + 9) * 60);
        for minute in (start.0..start.0 + 30).map(Minute) {
            track.events(minute, 0.0, true, false, &Calendar::default());
        }
        assert_eq!(track.expected, 30.0);
        track.events(Minute(start.0 + 30), 0.0, false, false, &Calendar::default());
        assert_eq!(track.expected, 30.0, "nobody watched");
        track.events(Minute(start.0 + 31), 1.0, true, false, &Calendar::default());
        assert_eq!((track.expected, track.last_event), (0.0, Some(Minute(start.0 + 31))));
        assert_eq!(track.days.get(day_of(start)), Some(30.0));
    }

    #[test]
    fn usual_needs_three_days_and_leaves_today_out() {
        let mut track = Track::new(Minute(0));
        for day in 0..4 {
            track.level(Minute(day * 1440 + 5), [5.0, 9.0, 2.0, 50.0][day as usize], day == 1);
        }
        assert_eq!(track.usual(Minute(2 * 1440), 14), None);
        assert_eq!(track.usual(Minute(3 * 1440 + 6), 14), Some(5.0), "the second day was an incident's");
        assert_eq!(track.usual(Minute(4 * 1440), 14), Some(50.0));
    }

    #[test]
    fn bytes_come_back() {
        let track = weekly(3);
        let bytes = track.encode();
        assert_eq!(Track::decode(&bytes), Some(track));
        for end in 0..bytes.len() {
            assert_eq!(Track::decode(bytes.get(..end).unwrap()), None, "{end}");
        }
    }
}
