//! What a closed hour adds to what is usual, of figures that are no events and no levels.

use std::collections::BTreeMap;

use super::key::{Figure, UsualKey};
use super::learn::{delivery, endpoint};
use crate::rollup::deliveries;
use crate::rollup::series::{Merge, Tally};
use crate::rollup::sources::Sources;
use crate::rollup::window::{Minute, Part};
use crate::signals::call::{Class, finals, judge};
use crate::signals::observation::{CallKey, Direction, IntegrationKey};

/// Deliveries in an hour of which a share says something.
const SAMPLES: f64 = 20.0;

/// The values of an hour by thing.
pub fn of(part: &Part, hour: i64) -> BTreeMap<UsualKey, f64> {
    let (from, to) = (Minute(hour * 60), Minute(hour * 60 + 60));
    let mut values = BTreeMap::new();
    operations(part, from, to, &mut values);
    webhooks(part, from, to, &mut values);
    values
}

/// Whether what happens during an incident is left out. An allowance for failures knows no exceptions, and a letter that is
/// dead stays so.
pub fn leaves_out(figure: Figure) -> bool {
    matches!(figure, Figure::Writes | Figure::Accepted | Figure::Duplicates | Figure::NotFound)
}

/// Outbound operations, good and bad, and successful writes.
fn operations(part: &Part, from: Minute, to: Minute, values: &mut BTreeMap<UsualKey, f64>) {
    let sources = Sources::of(part, to);
    let mut tallies: BTreeMap<&CallKey, Tally> = BTreeMap::new();
    let rows = part.calls.iter().chain(&part.measured);
    for ((_, key), row) in rows.filter(|((at, _), _)| *at >= from && *at < to) {
        if key.direction == Direction::Outbound && sources.counts(key) {
            tallies.entry(key).or_default().merge(&row.tally);
        }
    }
    for (key, tally) in tallies {
        let judged = judge(&tally.counts(), false);
        let writes = successful_writes(&key.endpoint, &tally);
        let gone = finals(&tally.counts())[Class::AmbiguousRead as usize];
        let share = if judged.operations > 0.0 { gone / judged.operations } else { 0.0 };
        values.insert(UsualKey::new(&key.integration, Figure::NotFound, &endpoint(key)), share);
        let counts = [(Figure::Good, judged.good), (Figure::Bad, judged.bad), (Figure::Writes, writes)];
        for (figure, count) in counts {
            *values.entry(UsualKey::new(&key.integration, figure, "")).or_insert(0.0) += count;
        }
    }
}

fn webhooks(part: &Part, from: Minute, to: Minute, values: &mut BTreeMap<UsualKey, f64>) {
    let mut duplicates: BTreeMap<(&IntegrationKey, &str), (f64, f64)> = BTreeMap::new();
    for one in deliveries::before(part, to).into_iter().filter(|one| one.minute >= from) {
        let (twice, all) = duplicates.entry((one.integration, one.provider)).or_default();
        *all += one.count;
        let mut add = |figure, name: &str| {
            *values.entry(UsualKey::new(one.integration, figure, name)).or_insert(0.0) += one.count;
        };
        match one.result {
            "accepted" => add(Figure::Accepted, ""),
            "duplicate" => *twice += one.count,
            "dead_lettered" => add(Figure::DeadLetters, &delivery(one.provider, one.event_type)),
            _ => {}
        }
        // Where nothing was written the ratio is 0, not unknown.
        values.entry(UsualKey::new(one.integration, Figure::Writes, "")).or_insert(0.0);
    }
    for ((integration, provider), (twice, all)) in duplicates {
        if all >= SAMPLES {
            values.insert(UsualKey::new(integration, Figure::Duplicates, provider), twice / all);
        }
    }
}

/// Good operations of an endpoint that wrote something: as many of them as attempts were writes.
pub fn successful_writes(endpoint: &str, tally: &Tally) -> f64 {
    let good = judge(&tally.counts(), false).good;
    let attempts: u64 = tally.unweighted.iter().sum();
    let method = endpoint.split_once(' ').map(|(method, _)| method);
    match method {
        Some("POST" | "PUT" | "PATCH" | "DELETE") => good,
        Some("GET" | "HEAD" | "OPTIONS") => 0.0,
        // An endpoint of a name of its own: its spans said what they did.
        _ if attempts > 0 => good * tally.writes as f64 / attempts as f64,
        _ => 0.0,
    }
}
