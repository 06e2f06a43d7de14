//! A latency that shifts.

use crate::health::trial::{Trial, outbound, whose};
use crate::signals::call::Class;
use crate::signals::signal::Signal;

fn hours(trial: &mut Trial, hours: i64, ms: impl Fn(i64) -> u64) {
    for minute in 0..hours * 60 {
        let us = ms(minute / 60) * 1_000;
        trial.minute(&[whose("crm")], |now, said| {
            for at in said.calls(now, &outbound("crm", "api.crm.example", "GET /contacts"), Class::Ok, 2) {
                said.seen.calls[at].duration_us = us;
            }
        });
    }
}

#[test]
fn a_latency_that_doubles_over_the_day_shows_and_its_own_rhythm_does_not() {
    let shift = Signal::LatencyShift;
    let mut trial = Trial::new();
    hours(&mut trial, 2, |_| 100);
    assert_eq!(trial.only(shift), None, "two hours are no past");
    hours(&mut trial, 30, |_| 100);
    let usual = trial.only(shift).unwrap();
    assert!((0.9..1.1).contains(&usual), "{usual}");
    hours(&mut trial, 3, |_| 250);
    let slow = trial.only(shift).unwrap();
    assert!(slow > 2.0, "{slow}");
    assert!(trial.why(shift).contains("usual 100 ms"), "{}", trial.why(shift));
}

#[test]
fn a_batch_that_is_slow_every_night_is_held_against_its_nights() {
    let mut trial = Trial::new();
    // Slow from 02:00 to 04:00, for more than two weeks, and now it is 03:00.
    hours(&mut trial, 16 * 24 + 3, |hour| if (2..4).contains(&hour.rem_euclid(24)) { 900 } else { 100 });
    let night = trial.only(Signal::LatencyShift).unwrap();
    assert!((0.9..1.1).contains(&night), "{night}");
}
