//! `peer.failing_integrations`: a vendor's outage is one incident, not one of each integration (semantics section 11).

use std::collections::BTreeMap;

use super::lines::Lines;
use super::sight::Sight;
use super::value::Value;
use crate::rollup::series::{Merge, Tally};
use crate::rollup::window::Minute;
use crate::signals::call::{Class, finals, judge};
use crate::signals::observation::IntegrationKey;
use crate::signals::signal::{Label, Signal};

/// Minutes that are looked at, and those in which a call makes an integration one that uses the peer.
const WINDOW: i64 = 5;
const USES: i64 = 60;
/// What an integration must see to count, as a share of its operations and in number.
const SHARE: f64 = 0.2;
const LEAST: f64 = 3.0;
/// So many integrations together, or all that use the peer if these are so many at least.
const TOGETHER: usize = 3;
const ALL: usize = 2;

/// Who uses a peer: what they saw in the window, and since when they count as users.
type Users<'s> = BTreeMap<&'s IntegrationKey, (Tally, Tally)>;

/// One value a peer that two integrations or more use in production.
pub fn values(sight: &Sight<'_>, lines: &Lines<'_>, out: &mut Vec<Value>) {
    let mut peers: BTreeMap<(&str, &str), Users<'_>> = BTreeMap::new();
    let (window, uses) = (Minute(sight.tick.0 - WINDOW), Minute(sight.tick.0 - USES));
    for line in &lines.all {
        let key = line.key;
        let environment = &*key.integration.environment;
        if key.peer.is_empty() || sight.context.non_production.iter().any(|one| one == environment) {
            continue;
        }
        let peer = peers.entry((environment, &key.peer)).or_default();
        let (now, used) = peer.entry(&key.integration).or_default();
        now.merge(&line.tally(window, sight.tick));
        used.merge(&line.tally(uses, sight.tick));
    }
    for ((environment, host), integrations) in peers {
        let using: Vec<(&IntegrationKey, &Tally)> = integrations
            .iter()
            .filter(|(_, (_, used))| judge(&used.counts(), false).operations > 0.0)
            .map(|(key, (now, _))| (*key, now))
            .collect();
        if using.len() < ALL {
            continue;
        }
        let failing: Vec<&str> =
            using.iter().filter(|(_, now)| is_failing(now)).map(|(key, _)| &*key.name).collect();
        let together = failing.len() >= TOGETHER || (failing.len() >= ALL && failing.len() == using.len());
        let value = if together { failing.len() as f64 } else { 0.0 };
        let named = if failing.is_empty() { String::new() } else { format!(": {}", some(&failing)) };
        let why = format!("{} of {} that call it{named}", failing.len(), using.len());
        let provider = sight.context.providers.of(host).map_or("", |vendor| &*vendor.id);
        let value = Value::shared(Signal::PeerFailingIntegrations, value, sight.now());
        let value = value.with(Label::Environment, environment).with(Label::Peer, host);
        out.push(value.with(Label::Provider, provider).because(why));
    }
}

fn is_failing(tally: &Tally) -> bool {
    let finals = finals(&tally.counts());
    let theirs: f64 =
        [Class::Server, Class::Timeout, Class::Network].iter().map(|class| finals[*class as usize]).sum();
    theirs >= LEAST && theirs >= SHARE * judge(&tally.counts(), false).operations
}

/// The first few names.
fn some(names: &[&str]) -> String {
    let shown = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 5 { format!("{shown} and {} more", names.len() - 5) } else { shown }
}

#[cfg(test)]
mod tests;
