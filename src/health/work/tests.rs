//! Silence by expected events, simulated on seven kinds of traffic for eight weeks (semantics section 5); telemetry
//! that is silent.

use super::*;
use crate::health::feed::{Feed, MONDAY};
use crate::usual::calendar::Calendar;
use crate::usual::learn::Down;
use crate::usual::track::hour_of;

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// Numbers by chance that are the same each time.
struct Chance(u64);

impl Chance {
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// How many of events that come by chance, `mean` on average.
    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 30.0 {
            let normal = (0..12).map(|_| self.share()).sum::<f64>() - 6.0;
            return (mean + normal * mean.sqrt()).round().max(0.0);
        }
        let (least, mut product, mut count) = ((-mean).exp(), self.share(), 0.0);
        while mean > 0.0 && product >= least {
            product *= self.share();
            count += 1.0;
        }
        count
    }
}

/// Events by minute from a Monday on.
fn traffic(kind: &str, weeks: i64, seed: u64) -> Vec<f64> {
    let mut chance = Chance(seed * 7_919 + 12_345);
    let mut out: Vec<f64> = (0..weeks * WEEK)
        .map(|minute| {
            let (hour, day, of_hour) = (minute / HOUR % 24, minute / DAY % 7, minute % HOUR);
            chance.poisson(match kind {
                "office" if (8..18).contains(&hour) && day < 5 => 4.0,
                "office" => 0.01,
                "busy" => 50.0,
                "rare" => 3.0 / 60.0,
                "nightly" if hour == 2 && (5..10).contains(&of_hour) => 100.0,
                "hourly" if of_hour < 2 => 60.0,
                _ => 0.0,
            })
        })
        .collect();
    let mut add = |at: i64, count: f64| {
        if let Some(place) = out.get_mut(at as usize) {
            *place += count;
        }
    };
    for day in 0..weeks * 7 {
        match kind {
            "nightly_jit" => {
                let start = day * DAY + 120 + (chance.share() * 40.0) as i64;
                (0..5).for_each(|minute| add(start + minute, 100.0));
            }
            "bursty" => {
                for _ in 0..chance.poisson(6.0) as i64 {
                    add(day * DAY + (chance.share() * DAY as f64) as i64, 200.0);
                }
            }
            _ => {}
        }
    }
    out
}

/// When it is found silent, in minutes since Monday; an incident ends with the next event.
fn found(events: &[f64], calendar: &Calendar) -> Vec<i64> {
    let (mut track, mut open, mut out) = (Track::new(MONDAY), false, Vec::new());
    for (at, count) in (0..).zip(events) {
        let minute = Minute(MONDAY.0 + at);
        track.events(minute, *count, !calendar.is_holiday(minute), open, calendar);
        if minute.0 % 60 == 59 {
            track.close_sum(hour_of(minute));
        }
        let is_missed = missed(&track, Minute(minute.0 + 1)).is_some_and(|missed| missed > 0.0);
        if is_missed && !open {
            out.push(at);
        }
        open = is_missed;
    }
    out
}

const KINDS: [&str; 7] = ["office", "busy", "rare", "nightly", "nightly_jit", "hourly", "bursty"];

#[test]
fn no_false_alarm_in_three_weeks_after_five_of_any_traffic() {
    for kind in KINDS {
        for seed in 1..=2 {
            let found = found(&traffic(kind, 8, seed), &Calendar::default());
            let late: Vec<_> = found.iter().filter(|at| **at >= 5 * WEEK).collect();
            assert!(late.is_empty(), "{kind} {seed}: {late:?}");
        }
    }
}

#[test]
fn a_deploy_a_day_is_no_silence() {
    for kind in ["office", "busy", "rare", "nightly", "nightly_jit", "bursty"] {
        let mut events = traffic(kind, 8, 3);
        for day in 0..20 {
            let start = (5 * WEEK + day * DAY + 600) as usize;
            events[start..start + 2].fill(0.0);
        }
        let found = found(&events, &Calendar::default());
        assert!(found.iter().all(|at| *at < 5 * WEEK), "{kind}: {found:?}");
    }
}

#[test]
fn silence_is_found_in_the_time_that_is_stated() {
    let outage = 6 * WEEK + 9 * HOUR;
    let after = |kind: &str| {
        let mut events = traffic(kind, 8, 4);
        events[outage as usize..].fill(0.0);
        let found = found(&events, &Calendar::default());
        found.iter().find(|at| **at >= outage).map(|at| at - outage + 1)
    };
    assert_eq!(after("busy"), Some(10), "fifty a minute");
    assert!(after("office").is_some_and(|minutes| minutes <= 12), "four a minute: {:?}", after("office"));
    let rare = after("rare").unwrap();
    assert!((4 * HOUR..=8 * HOUR).contains(&rare), "three an hour: {rare}");
    for kind in ["nightly", "nightly_jit"] {
        // The first night that is missing is 17 hours away, the second 41.
        let nightly = after(kind).unwrap();
        assert!((17 * HOUR..=42 * HOUR).contains(&nightly), "{kind}: {nightly}");
    }
    assert!(after("hourly").is_some_and(|minutes| minutes <= 3 * HOUR), "{:?}", after("hourly"));
    assert!(after("bursty").is_some_and(|minutes| minutes <= 3 * DAY), "{:?}", after("bursty"));
}

/// Office hours by the clock on the wall, which goes back an hour at the start of a week.
fn berlin(weeks: i64, change: i64) -> (Vec<f64>, Calendar) {
    let mut chance = Chance(99);
    let ahead = |minute: i64| if minute < change { 2 * HOUR } else { HOUR };
    let events = (0..weeks * WEEK).map(|minute| {
        let wall = minute + ahead(minute);
        let at_work = (8..18).contains(&(wall / HOUR % 24)) && wall / DAY % 7 < 5;
        chance.poisson(if at_work { 4.0 } else { 0.0 })
    });
    let shifts = vec![(MONDAY, 2 * HOUR), (Minute(MONDAY.0 + change), HOUR)];
    (events.collect(), Calendar { shifts, ..Calendar::default() })
}

#[test]
fn a_change_of_the_clock_is_quiet_with_the_zone_and_would_not_be_without() {
    let change = 6 * WEEK - 23 * HOUR;
    let (events, calendar) = berlin(9, change);
    assert_eq!(found(&events, &calendar), [] as [i64; 0]);
    assert!(!found(&events, &Calendar::default()).is_empty(), "an hour that is missing on Monday morning");
    let mut broken = events.clone();
    let outage = 7 * WEEK + 10 * HOUR;
    broken[outage as usize..].fill(0.0);
    let found = found(&broken, &calendar);
    assert!(found.first().is_some_and(|at| (outage..outage + 15).contains(at)), "{found:?}");
}

#[test]
fn a_declared_holiday_is_in_no_gap() {
    let thanksgiving = 6 * WEEK + 3 * DAY;
    let mut events = traffic("office", 8, 5);
    events[thanksgiving as usize..(thanksgiving + DAY) as usize].fill(0.0);
    let day = (MONDAY.0 + thanksgiving).div_euclid(DAY);
    let declared = Calendar { holidays: [day].into(), ..Calendar::default() };
    assert_eq!(found(&events, &declared), [] as [i64; 0]);
    assert!(!found(&events, &Calendar::default()).is_empty());
}

#[test]
fn only_minutes_in_which_telemetry_came_are_waiting() {
    let mut track = Track::new(MONDAY);
    let utc = Calendar::default();
    for at in 0..5 * WEEK {
        let minute = Minute(MONDAY.0 + at);
        track.events(minute, 50.0, true, false, &utc);
        if minute.0 % 60 == 59 {
            track.close_sum(hour_of(minute));
        }
    }
    let wait = |track: &mut Track, minutes: i64, heard: bool| {
        let start = track.last_event.unwrap().0 + 1;
        for minute in start..start + minutes {
            track.events(Minute(minute), 0.0, heard, false, &utc);
        }
        missed(track, Minute(start + minutes)).unwrap()
    };
    // A week of waiting is needed before anything is missed, and this one never waited.
    track.expects_since = Some(MONDAY);
    assert_eq!(wait(&mut track, 120, false), 0.0, "unobserved is not silent");
    assert_eq!(wait(&mut track, 9, true), 0.0);
    assert_eq!(wait(&mut track, 1, true), 500.0);
}

/// Telemetry in each minute that `at` names.
fn heard(feed: &mut Feed, minutes: i64, at: impl Fn(i64) -> bool) {
    for _ in 0..minutes {
        if at(feed.minute()) {
            feed.heard();
        }
        feed.close();
    }
}

#[test]
fn telemetry_is_silent_beyond_the_gaps_it_has() {
    let mut feed = Feed::new();
    heard(&mut feed, 7 * DAY, |at| at % 30 == 0);
    assert_eq!(feed.value(Signal::TelemetrySilence), None, "a week and a day make it known");
    heard(&mut feed, 2 * DAY, |at| at % 30 == 0);
    let last = feed.minute();
    heard(&mut feed, 44, |at| at == last);
    let silent = feed.value(Signal::TelemetrySilence).unwrap();
    assert!(silent.is_usual(), "{silent:?}");
    assert_eq!((silent.value, &*silent.why), (43.0 * 60.0, "telemetry last came at 00:00"));
    heard(&mut feed, 5, |_| false);
    assert!(!feed.value(Signal::TelemetrySilence).unwrap().is_usual());
}

#[test]
fn our_own_downtime_and_the_ten_minutes_after_are_in_no_gap() {
    let mut feed = Feed::new();
    heard(&mut feed, 9 * DAY, |_| true);
    let start = feed.now;
    feed.context.down = Some(Down::new(start, Minute(start.0 + 40)));
    heard(&mut feed, 50, |_| false);
    assert_eq!(feed.value(Signal::TelemetrySilence).unwrap().value, 0.0);
    heard(&mut feed, 12, |_| false);
    assert_eq!(feed.value(Signal::TelemetrySilence).unwrap().value, 12.0 * 60.0);
    heard(&mut feed, 2, |_| true);
    let gap = feed.usual.tracks.values().filter_map(|track| track.days.largest_since(0)).reduce(f64::max);
    assert_eq!(gap, Some(13.0), "and none that is learned");
}
