//! Quiet and failing jobs of the catalogues (semantics section 17).

use super::*;
use crate::health::feed::{Feed, shop};
use crate::signals::observation::{JobRun, Observations};

const DAY: i64 = 1440;
const WEEK: i64 = 7 * DAY;

fn ran(feed: &mut Feed, outcome: &str, next_in: Option<i64>) -> JobRun {
    let run = JobRun {
        integration: shop(),
        name: "nightly".into(),
        time: feed.now.start() + 1,
        outcome: outcome.into(),
        read: None,
        written: None,
        failed: None,
        watermark: None,
        next_at: next_in.map(|minutes| (feed.now.0 + minutes) * 60),
        message: String::new(),
    };
    feed.take(&Observations { runs: vec![run.clone()], ..Observations::default() });
    run
}

/// Closes minutes, with a run at those that `at` names, and gives the most that it was overdue in seconds.
fn go(feed: &mut Feed, minutes: i64, at: impl Fn(i64) -> bool) -> f64 {
    let mut most = 0.0f64;
    for _ in 0..minutes {
        if at(feed.minute()) {
            ran(feed, "success", None);
        }
        feed.close();
        most = most.max(feed.value(Signal::RunOverdue).map_or(0.0, |value| value.value));
    }
    most
}

#[test]
fn failures_are_counted_in_a_row_and_a_success_ends_them() {
    let mut feed = Feed::new();
    let failed = |feed: &mut Feed, outcome: &str| {
        ran(feed, outcome, None);
        feed.close();
        feed.value(Signal::RunFailed).unwrap().value
    };
    assert_eq!(failed(&mut feed, "success"), 0.0);
    assert_eq!(failed(&mut feed, "failure"), 1.0, "a nightly login that fails once is told at once");
    assert_eq!(failed(&mut feed, "failure"), 2.0);
    assert_eq!(failed(&mut feed, "ignored"), 2.0);
    assert_eq!(failed(&mut feed, "partial"), 0.0);
    assert_eq!(feed.value(Signal::RunPartial).unwrap().value, 1.0);
    assert_eq!(feed.value(Signal::RunPartial).unwrap().why, "only a part was done at 00:04");
    ran(&mut feed, "success", None);
    feed.close();
    assert_eq!(feed.value(Signal::RunPartial).unwrap().value, 0.0);
}

#[test]
fn a_run_with_records_that_failed_is_partial_and_its_message_is_told() {
    let mut feed = Feed::new();
    let mut run = ran(&mut feed, "success", None);
    run.time += 1;
    (run.failed, run.message) = (Some(3), "3 rows had no e-mail.".into());
    run.watermark = Some(feed.now.0 * 60 - 3600);
    feed.take(&Observations { runs: vec![run], ..Observations::default() });
    feed.close();
    let partial = feed.value(Signal::RunPartial).unwrap();
    assert_eq!(
        (partial.value, &*partial.why),
        (1.0, "3 of its records failed at 00:00: 3 rows had no e-mail")
    );
    let freshness = feed.value(Signal::RunFreshness).unwrap();
    assert_eq!((freshness.value, &*freshness.why), (3660.0, "data is complete up to 23:00"));
}

#[test]
fn a_job_is_overdue_by_what_it_said_of_its_next_run() {
    let mut feed = Feed::new();
    ran(&mut feed, "success", Some(60));
    assert_eq!(go(&mut feed, 60, |_| false), 0.0);
    assert_eq!(go(&mut feed, 11, |_| false), 660.0, "over ten minutes within twelve");
    let why = feed.value(Signal::RunOverdue).unwrap().why;
    assert_eq!(why, "it ran at 00:00, and said that it would at 01:00");
    ran(&mut feed, "success", Some(60));
    feed.close();
    assert_eq!(feed.value(Signal::RunOverdue).unwrap().value, 0.0);
}

#[test]
fn a_job_on_working_hours_is_quiet_on_its_first_weekend_and_its_second_and_found_when_it_stops() {
    let mut feed = Feed::new();
    let office = |at: i64| at % 60 == 5 && (8..18).contains(&(at / 60 % 24)) && at / DAY % 7 < 5;
    assert_eq!(go(&mut feed, 3 * WEEK, office), 0.0);
    // 62 hours from Friday 17:05 to Monday 08:05, and half as much again.
    let late = go(&mut feed, 2 * DAY, |_| false);
    assert!(late > 600.0 && late < 86_400.0, "{late}");
    assert!(feed.value(Signal::RunOverdue).unwrap().why.contains("never further apart than 3780 min"));
}

#[test]
fn a_nightly_job_of_which_two_nights_are_missing_is_overdue_and_gone_after_four_weeks() {
    let mut feed = Feed::new();
    go(&mut feed, 9 * DAY, |at| at % DAY == 120);
    assert_eq!(go(&mut feed, 14 * 60, |_| false), 0.0, "a night that is missing is not known to be");
    assert!(go(&mut feed, 12 * 60, |_| false) > 600.0);
    for _ in 0..29 * DAY {
        feed.close();
    }
    assert_eq!(feed.value(Signal::RunOverdue), None);
}
