//! What each signal says at a tick, with its labels and why: from minutes, states and what is usual. Pure.
//!
//! Signals of calls by endpoint (`call.*`, `attempt.*`) are not here: a rule takes them over a window of its own
//! (`alert::sample`). All others are values that stand on their own, one file a family; rules, the API and pages read
//! the same ones.

pub mod blind;
pub mod cause;
pub mod connection;
pub mod contract;
pub mod credential;
pub mod day;
pub mod gone;
pub mod latency;
pub mod lines;
pub mod objective;
pub mod peer;
pub mod probe;
pub mod queue;
pub mod rate_limit;
pub mod readiness;
pub mod reconciliation;
pub mod run;
pub mod say;
pub mod shape;
pub mod sight;
pub mod value;
pub mod vendor;
pub mod webhook;
pub mod work;
pub mod writes;
#[cfg(test)]
pub mod trial;

#[cfg(test)]
mod feed;

use sight::Sight;
use value::Value;

/// All values at the sight's tick, in the order of signals, then labels.
pub fn values(sight: &Sight<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    work::values(sight, &mut out);
    queue::values(sight, &mut out);
    run::values(sight, &mut out);
    reconciliation::values(sight, &mut out);
    contract::values(sight, &mut out);
    vendor::values(sight, &mut out);
    let lines = lines::Lines::of(sight);
    credential::values(sight, &lines.sources, &mut out);
    connection::values(sight, &lines, &mut out);
    peer::values(sight, &lines, &mut out);
    latency::values(sight, &lines, &mut out);
    objective::values(sight, &lines, &mut out);
    rate_limit::values(sight, &lines, &mut out);
    let delivered = webhook::delivered(sight);
    webhook::values(sight, &delivered, &mut out);
    writes::values(sight, &lines, &delivered, &mut out);
    out.sort_by(|a, b| (a.signal as usize, &a.labels).cmp(&(b.signal as usize, &b.labels)));
    out
}
