//! What each signal says at a tick, with its labels and why: from minutes, states and what is usual. Pure.
//!
//! Signals of calls by endpoint (`call.*`, `attempt.*`) are not here: a rule takes them over a window of its own
//! (`alert::sample`). All others are values that stand on their own, one file a family; rules, the API and pages read
//! the same ones.

pub mod cause;
pub mod sight;
pub mod value;
pub mod work;

use sight::Sight;
use value::Value;

/// All values at the sight's tick, in the order of signals, then labels.
pub fn values(sight: &Sight<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    work::values(sight, &mut out);
    out.sort_by(|a, b| (a.signal as usize, &a.labels).cmp(&(b.signal as usize, &b.labels)));
    out
}
