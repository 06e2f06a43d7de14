//! Quiet and failing queues of the catalogues (semantics section 17).

use super::*;
use crate::health::feed::Feed;
use crate::health::feed::MONDAY;

const QUEUE: &str = "integration.queue.name";
const STATE: &str = "integration.queue.state";
const DAY: i64 = 1440;
const WEEK: i64 = 7 * DAY;

/// A queue that reports so many ready items for each minute since Monday, and what left where that is counted.
fn run(feed: &mut Feed, minutes: i64, mut at: impl FnMut(i64) -> (f64, Option<f64>)) {
    for _ in 0..minutes {
        let (ready, left) = at(feed.minute());
        feed.level("integration.queue.depth", &[(QUEUE, "orders"), (STATE, "ready")], ready);
        if let Some(left) = left {
            feed.count("integration.queue.dequeued", &[(QUEUE, "orders")], left);
        }
        feed.close();
    }
}

/// The minutes after now, of the next `minutes`, in which a rule of `> limit` breaches.
fn breaches(
    feed: &mut Feed,
    signal: Signal,
    limit: f64,
    minutes: i64,
    mut at: impl FnMut(i64) -> (f64, Option<f64>),
) -> Vec<i64> {
    let start = feed.minute();
    let mut out = Vec::new();
    for _ in 0..minutes {
        run(feed, 1, &mut at);
        let value = feed.value(signal);
        if value.is_some_and(|value| value.value > limit && !value.is_usual()) {
            out.push(feed.minute() - start);
        }
    }
    out
}

/// Noise without chance: 0 to 1.
fn noise(minute: i64) -> f64 {
    (minute.wrapping_mul(2_654_435_761).rem_euclid(1000)) as f64 / 1000.0
}

#[test]
fn a_queue_that_grows_by_one_a_minute_is_behind_within_two_hours_and_well_once_it_drained() {
    let mut feed = Feed::new();
    run(&mut feed, WEEK, |_| (10.0, Some(5.0)));
    let found =
        breaches(&mut feed, Signal::QueueGrowth, 3.0, 6 * 60, |at| ((10 + at - WEEK) as f64, Some(5.0)));
    assert!(found.first().is_some_and(|first| (30..=60).contains(first)), "{:?}", found.first());
    assert_eq!(found.last(), Some(&360), "as long as it grows");
    let why = feed.value(Signal::QueueGrowth).unwrap().why;
    assert_eq!(why, "369 ready, 10 are a high of the week, growing by 1 a minute");
    feed.excluded = true;
    let full = |_| (370.0, Some(5.0));
    assert!(breaches(&mut feed, Signal::QueueGrowth, 3.0, 60, full).iter().all(|at| *at < 20));
    assert_eq!(feed.value(Signal::QueueGrowth).unwrap().value, 3.0, "it stays, so what fires stays");
    run(&mut feed, 20, |_| (10.0, Some(40.0)));
    assert!(feed.value(Signal::QueueGrowth).unwrap().value <= 1.5);
}

#[test]
fn deep_but_busy_and_bursts_that_drain_are_quiet() {
    let mut feed = Feed::new();
    let busy = |at: i64| (600.0 + 50.0 * noise(at), Some(10_000.0));
    run(&mut feed, WEEK, busy);
    assert_eq!(breaches(&mut feed, Signal::QueueGrowth, 3.0, 120, busy), [] as [i64; 0]);
    assert_eq!(breaches(&mut feed, Signal::QueueStalled, 900.0, 60, busy), [] as [i64; 0]);
    let mut feed = Feed::new();
    // Once a day 5,000 at once, drained in 12 minutes; now and then an item otherwise.
    let bulk = |at: i64| match at % DAY {
        start @ 600..612 => ((5_000 - (start - 599) * 416) as f64, Some(416.0)),
        _ => (noise(at).round(), Some(1.0)),
    };
    run(&mut feed, WEEK + 590, bulk);
    assert_eq!(breaches(&mut feed, Signal::QueueGrowth, 3.0, 60, bulk), [] as [i64; 0]);
    run(&mut feed, DAY - 60, bulk);
    assert_eq!(breaches(&mut feed, Signal::QueueStalled, 900.0, 60, bulk), [] as [i64; 0]);
}

#[test]
fn growth_is_not_judged_before_three_days_are_known() {
    let mut feed = Feed::new();
    run(&mut feed, 2 * DAY, |at| (at as f64, None));
    assert_eq!(feed.value(Signal::QueueGrowth), None);
}

#[test]
fn a_dead_consumer_is_found_by_depth_alone_past_three_times_what_is_usual() {
    let mut feed = Feed::new();
    let alive = |at: i64| (if at % 3 == 0 { 4.0 } else { 8.0 }, None);
    run(&mut feed, WEEK, alive);
    assert_eq!(breaches(&mut feed, Signal::QueueStalled, 900.0, 120, alive), [] as [i64; 0]);
    let dead = WEEK + 120;
    let past = (3.0
        * feed.usual.tracks[&UsualKey::new(&crate::health::feed::shop(), Figure::QueueReady, "orders")]
            .quantile_of(feed.now, 168, 0.95)
            .unwrap()) as i64;
    let found = breaches(&mut feed, Signal::QueueStalled, 900.0, 120, |at| ((8 + at - dead) as f64, None));
    let first = found.first().copied().unwrap();
    assert!(first <= (past - 8) + 20, "{first}, past three times at {}", past - 8);
    assert!(feed.value(Signal::QueueStalled).unwrap().why.contains("not one fewer for"));
    run(&mut feed, 3, |_| (5.0, None));
    assert_eq!(feed.value(Signal::QueueStalled).unwrap().value, 0.0);
}

#[test]
fn nothing_leaves_though_items_wait() {
    let mut feed = Feed::new();
    run(&mut feed, WEEK, |_| (3.0, Some(4.0)));
    let found = breaches(&mut feed, Signal::QueueStalled, 900.0, 30, |_| (5.0, None));
    assert_eq!(found.first(), Some(&16));
    assert!(feed.value(Signal::QueueStalled).unwrap().why.contains("none has left for 30 min"));
    run(&mut feed, 1, |_| (5.0, Some(1.0)));
    assert_eq!(feed.value(Signal::QueueStalled).unwrap().value, 0.0);
}

#[test]
fn a_consumer_that_comes_each_night_is_usual_after_three_nights() {
    let mut feed = Feed::new();
    let nightly = |at: i64| match at % DAY {
        minute @ 120..130 => ((130 - minute) as f64 * 10.0, Some(10.0)),
        minute => (minute as f64 / 14.0 + 1.0, None),
    };
    run(&mut feed, 4 * DAY, nightly);
    assert_eq!(breaches(&mut feed, Signal::QueueStalled, 900.0, 3 * DAY, nightly), [] as [i64; 0]);
    let found = breaches(&mut feed, Signal::QueueStalled, 900.0, 2 * DAY, |at| (at as f64, None));
    assert!(found.first().is_some_and(|first| *first < 36 * 60), "{:?}", found.first());
}

fn age(feed: &mut Feed, minutes: i64, at: impl Fn(i64) -> f64) {
    for _ in 0..minutes {
        let age = at(feed.minute());
        feed.level("integration.queue.oldest_age", &[(QUEUE, "orders")], age);
        feed.close();
    }
}

#[test]
fn an_age_that_each_night_has_is_usual_and_half_as_much_again_is_not() {
    let mut feed = Feed::new();
    let nightly = |at: i64| if at % DAY < 60 { (at % DAY * 60) as f64 } else { 30.0 };
    age(&mut feed, 4 * DAY + 60, nightly);
    let value = feed.value(Signal::QueueOldestAge).unwrap();
    assert!(value.value > 3_500.0 && value.is_usual(), "{value:?}");
    assert_eq!(value.why, "in two weeks none waited longer than 59 min");
    age(&mut feed, 1, |_| 5_400.0);
    assert!(!feed.value(Signal::QueueOldestAge).unwrap().is_usual());
}

fn dead(feed: &mut Feed, depth: f64, counted: f64) -> f64 {
    feed.level("integration.queue.depth", &[(QUEUE, "orders"), (STATE, "dead_letter")], depth);
    if counted > 0.0 {
        feed.count("integration.queue.dead_lettered", &[(QUEUE, "orders")], counted);
    }
    feed.close();
    feed.value(Signal::QueueDeadLetters).unwrap().value
}

#[test]
fn dead_letters_are_those_beyond_what_was_there_until_they_are_gone_or_a_day_is_quiet() {
    let mut feed = Feed::new();
    assert_eq!(dead(&mut feed, 500.0, 0.0), 0.0, "what was there at first is nothing new");
    assert_eq!(dead(&mut feed, 500.0, 3.0), 3.0, "counted before the level shows it");
    assert_eq!(dead(&mut feed, 503.0, 0.0), 3.0);
    assert_eq!(dead(&mut feed, 502.0, 0.0), 2.0);
    assert_eq!(dead(&mut feed, 500.0, 0.0), 0.0, "dealt with");
    assert_eq!(dead(&mut feed, 501.0, 0.0), 1.0);
    assert!(feed.value(Signal::QueueDeadLetters).unwrap().why.contains("given up, the last at"));
    for _ in 0..DAY - 2 {
        assert_eq!(dead(&mut feed, 501.0, 0.0), 1.0);
    }
    for _ in 0..2 {
        dead(&mut feed, 501.0, 0.0);
    }
    assert_eq!(dead(&mut feed, 501.0, 0.0), 0.0, "nobody will deal with it");
    assert_eq!(dead(&mut feed, 502.0, 0.0), 1.0);
}

#[test]
fn dead_letters_that_are_only_counted_end_after_a_quiet_day() {
    let mut feed = Feed::new();
    feed.count("integration.queue.dead_lettered", &[(QUEUE, "orders")], 2.0);
    feed.close();
    assert_eq!(feed.value(Signal::QueueDeadLetters).unwrap().value, 2.0);
    for _ in 0..DAY {
        feed.close();
    }
    assert_eq!(feed.value(Signal::QueueDeadLetters).unwrap().value, 0.0);
}

#[test]
fn the_slope_of_noise_is_none_and_one_wild_value_moves_nothing() {
    assert_eq!(slope(&[1.0, 2.0, 3.0, 400.0, 5.0]), Some(1.0));
    assert_eq!(slope(&[5.0, 5.0, 5.0]), Some(0.0));
    assert_eq!(slope(&[5.0]), None);
    assert_eq!(clock(Minute(MONDAY.0 + 124)), "02:04");
}
