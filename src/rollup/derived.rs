//! What counts where an integration's own telemetry and what was derived from its spans tell of the same thing.

use std::collections::HashSet;
use std::sync::Arc;

use super::measure::CounterRow;
use super::window::{Minute, Part};
use crate::signals::fact::{Count, Fact, Said, VIOLATIONS, Violation};
use crate::signals::measure::CounterKey;
use crate::signals::observation::{Gauge, IntegrationKey, Observations};
use crate::signals::vocabulary::{Attr, Metric};
use crate::signals::{refresh, webhook};

use super::series::Merge;
use super::state::Timed;
use super::state::row::{Announced, State, StateKey, StateKind, for_endpoint, of_run};
use super::state::shapes::{Shapes, word};
use crate::signals::telemetry::Nanos;

/// A minute of a counter.
pub type Counted<'p> = (Minute, &'p CounterKey, &'p CounterRow);

impl Part {
    /// Deliveries of webhooks: an integration's own counts where it sent any in what this part holds, else those of
    /// its server spans. Never both.
    pub fn deliveries(&self) -> impl Iterator<Item = Counted<'_>> {
        self.preferred(Metric::WebhookDeliveries.name(), webhook::DERIVED)
    }

    /// Refreshes of credentials, in the same way: own counts, else those of calls to token endpoints.
    pub fn refreshes(&self) -> impl Iterator<Item = Counted<'_>> {
        self.preferred(Metric::CredentialRefreshes.name(), refresh::DERIVED)
    }

    fn preferred<'p>(&'p self, own: &'p str, derived: &'p str) -> impl Iterator<Item = Counted<'p>> {
        let whole = self.counters.iter().map(|((minute, key), row)| (*minute, &**key, row));
        let is_own = |(_, key, row): &Counted<'_>| &*key.series.metric == own && row.sum > 0.0;
        let senders: HashSet<&IntegrationKey> =
            whole.clone().filter(is_own).map(|(_, key, _)| &key.series.integration).collect();
        whole.filter(move |(_, key, _)| {
            let metric = &*key.series.metric;
            metric == own || (metric == derived && !senders.contains(&key.series.integration))
        })
    }

    /// When a reconciliation runs next is told once a run, and counts until it has run.
    pub(super) fn absorb_schedule(&mut self, gauge: &Gauge) {
        if &*gauge.key.metric != Metric::ReconciliationNextRunAt.name() {
            return;
        }
        let Some(name) = gauge.key.attribute(Attr::ReconciliationName.name()) else { return };
        let (integration, kind) = (gauge.key.integration.clone(), StateKind::NextRun);
        let key = StateKey { integration, kind, name: name.into() };
        let next = State::NextRun(Timed(Some((gauge.time, gauge.value as i64))));
        self.states.entry(key).or_default().merge(&next);
    }

    /// Takes in the facts that are states.
    pub(super) fn absorb_facts(&mut self, seen: &Observations, received_at: Nanos) {
        for info in seen.integrations.iter().filter(|info| !info.version.is_empty()) {
            let (integration, kind) = (info.key.clone(), StateKind::Versions);
            let versions = State::Versions([(info.version.clone(), received_at)].into());
            let key = StateKey { integration, kind, name: "".into() };
            self.states.entry(key).or_default().merge(&versions);
        }
        for fact in &seen.facts {
            let (kind, name, state) = match &fact.said {
                Said::ConnectionClosed { connection } => {
                    (StateKind::ConnectionClosed, connection.clone(), State::ConnectionClosed(fact.time))
                }
                Said::Missing(missing) => {
                    let name = of_run(&missing.name, &missing.entity, &missing.run_id);
                    let mut keys = State::MissingKeys(Vec::new());
                    keys.merge(&State::MissingKeys(missing.keys.clone()));
                    (StateKind::MissingKeys, name, keys)
                }
                Said::Shape(shape) => {
                    let name = for_endpoint(word(shape.message), &shape.endpoint);
                    (StateKind::Shapes, name, State::Shapes(Shapes::of(shape, fact.time)))
                }
                Said::Violation(violation) => {
                    let count = violation_count(fact, violation);
                    let key = (Minute::of(count.time), Arc::new(count.key));
                    self.counters.entry(key).or_default().sum += count.count;
                    continue;
                }
                Said::Announced { peer, endpoint, effective_at, text } => {
                    let (at, effective_at) = (fact.time, *effective_at);
                    let (peer, endpoint, text) = (peer.to_string(), endpoint.to_string(), text.clone());
                    let name = for_endpoint(&peer, &endpoint);
                    let announced = Announced { at, effective_at, peer, endpoint, text };
                    (StateKind::Announced, name, State::Announced(announced))
                }
                // Families of signals take theirs where they keep them.
                _ => continue,
            };
            let key = StateKey { integration: fact.integration.clone(), kind, name };
            self.states.entry(key).or_default().merge(&state);
        }
    }
}

fn violation_count(fact: &Fact, violation: &Violation) -> Count {
    let attributes = [
        (Attr::Endpoint, &*violation.endpoint),
        (Attr::ContractPath, &*violation.path),
        (Attr::ContractKind, &*violation.kind),
        (Attr::ContractDirection, word(violation.message)),
    ];
    Count::of(fact.integration.clone(), VIOLATIONS, "{violation}", &attributes, (fact.time, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::measure::Deltas;

    fn of(name: &str) -> IntegrationKey {
        IntegrationKey { environment: "default".into(), name: name.into() }
    }

    fn part(counts: &[(&str, &str, f64)]) -> Part {
        let counters = counts.iter().map(|(name, metric, count)| {
            let attributes = [(Attr::WebhookResult, "accepted")];
            let one = Count::of(of(name), metric, "", &attributes, (0, *count));
            (Minute(0), one.key, one.count)
        });
        let mut part = Part::default();
        part.absorb_deltas(&Deltas { counters: counters.collect(), ..Deltas::default() });
        part
    }

    #[test]
    fn own_counts_stand_alone_and_derived_ones_where_there_are_none() {
        let own = Metric::WebhookDeliveries.name();
        let part = part(&[
            ("both", own, 10.0),
            ("both", webhook::DERIVED, 11.0),
            ("plain", webhook::DERIVED, 5.0),
            ("quiet", own, 0.0),
            ("quiet", webhook::DERIVED, 2.0),
            ("plain", "integration.webhook.other", 9.0),
        ]);
        let mut said: Vec<(&str, f64)> = part
            .deliveries()
            .filter(|(_, _, row)| row.sum > 0.0)
            .map(|(_, key, row)| (&*key.series.integration.name, row.sum))
            .collect();
        said.sort_by(|a, b| a.0.cmp(b.0));
        assert_eq!(said, [("both", 10.0), ("plain", 5.0), ("quiet", 2.0)]);
        assert_eq!(part.refreshes().count(), 0);
    }

    #[test]
    fn a_connection_closed_on_purpose_is_a_state_with_the_latest_time() {
        let closed = |time| Fact {
            integration: of("crm"),
            time,
            said: Said::ConnectionClosed { connection: "acme".into() },
        };
        let mut part = Part::default();
        let facts = vec![closed(7), closed(3)];
        part.absorb(&Observations { facts, ..Observations::default() }, 9);
        let key = StateKey { integration: of("crm"), kind: StateKind::ConnectionClosed, name: "acme".into() };
        assert_eq!(part.states.get(&key), Some(&State::ConnectionClosed(7)));
    }
}
