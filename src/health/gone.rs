//! Endpoints that answer "not found": whether that is what they mostly do, or something new (semantics section 1).

use crate::rollup::window::Minute;
use crate::signals::observation::CallKey;
use crate::usual::Usual;
use crate::usual::key::{Figure, UsualKey};
use crate::usual::learn::endpoint;
use crate::usual::track::hour_of;

/// Hours that are looked back on.
const WEEK: i64 = 168;
/// Answered so to less than this share of its operations, an endpoint seldom says so.
const SELDOM: f64 = 0.5;

/// Whether an endpoint was seldom answered "not found" in the 7 days before, incidents left out; none where it was not
/// called often enough to know.
pub fn seldom(usual: &Usual, key: &CallKey, tick: Minute) -> Option<bool> {
    let hour = hour_of(tick);
    let name = endpoint(key);
    let hours = |figure| -> Vec<f64> {
        let track = usual.of_key(&UsualKey::new(&key.integration, figure, &name));
        let known = track.into_iter().flat_map(|track| track.hours.since(hour - WEEK));
        known.filter(|(at, _)| *at < hour).map(|(_, value)| value).collect()
    };
    let shares = hours(Figure::NotFound);
    if !shares.is_empty() {
        return Some(shares.iter().sum::<f64>() / (shares.len() as f64) < SELDOM);
    }
    // It has good answers enough for a percentile, and never one of these.
    (!hours(Figure::Latency).is_empty()).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::trial::{Trial, outbound, whose};
    use crate::signals::call::Class;

    fn hours(trial: &mut Trial, hours: i64, ok: u64, gone: u64) {
        for _ in 0..hours * 60 {
            trial.minute(&[whose("crm")], |now, said| {
                let key = outbound("crm", "api.crm.example", "GET /contacts/{id}");
                said.calls(now, &key, Class::Ok, ok);
                said.calls(now, &key, Class::AmbiguousRead, gone);
            });
        }
    }

    fn says(trial: &Trial) -> Option<bool> {
        seldom(&trial.usual, &outbound("crm", "api.crm.example", "GET /contacts/{id}"), trial.now)
    }

    #[test]
    fn what_was_there_last_night_is_known_tonight_and_lookups_that_mostly_miss_are_what_they_are() {
        let mut nightly = Trial::new();
        hours(&mut nightly, 2, 4, 0);
        hours(&mut nightly, 22, 0, 0);
        assert_eq!(says(&nightly), Some(true), "nothing of last night is at hand but what was learned");
        let mut lookups = Trial::new();
        hours(&mut lookups, 2, 1, 4);
        hours(&mut lookups, 22, 0, 0);
        assert_eq!(says(&lookups), Some(false));
        assert_eq!(says(&Trial::new()), None);
    }

    #[test]
    fn what_happens_during_an_incident_is_left_out() {
        let mut trial = Trial::new();
        hours(&mut trial, 3, 4, 0);
        trial.excluded = true;
        hours(&mut trial, 30, 0, 4);
        assert_eq!(says(&trial), Some(true));
    }
}
