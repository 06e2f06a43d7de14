//! Connections: what the calls for each customer's account came to, those that fail first (semantics section 3).

use std::collections::BTreeMap;

use crate::rollup::series::{Merge, Tally};
use crate::rollup::window::{Minute, Part};
use crate::signals::call::{Class, Judged, finals, judge};
use crate::signals::observation::{Direction, Facet, IntegrationKey};

/// Failures of which none succeeded that make a connection one that fails.
const LEAST: f64 = 3.0;

/// One connection over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// `integration.connection.id`.
    pub id: String,
    /// Its operations.
    pub judged: Judged,
    /// The class that most failures have.
    pub fails: Option<Class>,
    /// The latest minute with a call.
    pub last: Minute,
}

impl Connection {
    /// Whether everything failed.
    pub fn is_failing(&self) -> bool {
        self.judged.good == 0.0 && self.judged.bad >= LEAST
    }
}

/// All connections of an integration that called in a window: those that fail, then by success rate, then by name.
pub fn connections(window: &Part, integration: &IntegrationKey) -> Vec<Connection> {
    let mut by_id: BTreeMap<&str, (Tally, Minute)> = BTreeMap::new();
    for ((minute, key), tally) in &window.facets {
        let is_it = key.facet == Facet::Connection
            && key.direction == Direction::Outbound
            && key.integration == *integration;
        if is_it {
            let (sum, last) = by_id.entry(&key.id).or_insert((Tally::default(), *minute));
            sum.merge(tally);
            *last = (*last).max(*minute);
        }
    }
    let mut all: Vec<Connection> = by_id
        .into_iter()
        .map(|(id, (tally, last))| {
            let counts = tally.counts();
            Connection {
                id: id.to_owned(),
                judged: judge(&counts, false),
                fails: worst(&finals(&counts)),
                last,
            }
        })
        .collect();
    let rate = |one: &Connection| one.judged.success_rate().unwrap_or(1.0);
    all.sort_by(|a, b| {
        let failing = b.is_failing().cmp(&a.is_failing());
        failing
            .then(rate(a).total_cmp(&rate(b)))
            .then(b.judged.bad.total_cmp(&a.judged.bad))
            .then(a.id.cmp(&b.id))
    });
    all
}

fn worst(finals: &[f64; Class::COUNT]) -> Option<Class> {
    let of = |class: Class| finals.get(class as usize).copied().unwrap_or(0.0);
    let bad = Class::ALL.into_iter().filter(|class| class.is_bad() && of(*class) > 0.0);
    bad.max_by(|a, b| of(*a).total_cmp(&of(*b)))
}
