//! What events and counts say of refreshes: a state, since what was refused stays so however long nobody tries again.

use std::sync::Arc;

use super::series::Merge;
use super::state::refreshes::{Failure, Refreshes, Teller};
use super::state::row::{State, StateKey, StateKind};
use super::window::{MINUTE, Minute, Part};
use crate::signals::fact::Said;
use crate::signals::measure::CounterKey;
use crate::signals::observation::{IntegrationKey, Observations};
use crate::signals::refresh;
use crate::signals::vocabulary::{Attr, Metric};

impl Part {
    /// Takes in the refreshes that events say failed.
    pub(super) fn absorb_failures(&mut self, seen: &Observations) {
        for fact in &seen.facts {
            if let Said::RefreshFailed(failed) = &fact.said {
                let (time, error) = (fact.time, failed.error.clone());
                let failure = Failure { time, teller: Teller::Event, error, count: 1 };
                self.refreshed(&fact.integration, &failed.credential, Refreshes::failure(failure));
            }
        }
    }

    /// Takes in what a count says of a credential's refreshes; nothing where it counts something else.
    pub(super) fn absorb_refreshes(&mut self, minute: Minute, key: &CounterKey, count: f64) {
        let series = &key.series;
        let teller = match &*series.metric {
            metric if metric == Metric::CredentialRefreshes.name() => Teller::Counter,
            refresh::DERIVED => Teller::Span,
            _ => return,
        };
        let label = |attr: Attr| {
            let found = series.attributes.iter().find(|(name, _)| &**name == attr.name());
            found.map_or("", |(_, value)| &**value)
        };
        if count <= 0.0 {
            return;
        }
        let change = match label(Attr::Outcome) {
            // In a minute with both it worked in the end: what fails is tried again.
            "success" => Refreshes::success(minute.start() + MINUTE - 1),
            "failure" => Refreshes::failure(Failure {
                time: minute.start(),
                teller,
                error: label(Attr::ErrorType).to_owned(),
                count: count.round().max(1.0) as u64,
            }),
            _ => return,
        };
        let credential: Arc<str> = Arc::from(label(Attr::CredentialId));
        self.refreshed(&series.integration, &credential, change);
    }

    fn refreshed(&mut self, integration: &IntegrationKey, credential: &Arc<str>, change: Refreshes) {
        let key = StateKey {
            integration: integration.clone(),
            kind: StateKind::Refreshes,
            name: credential.clone(),
        };
        self.states.entry(key).or_default().merge(&State::Refreshes(change));
    }
}
