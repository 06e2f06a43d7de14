//! `credential.auth_share`: revoked though unexpired. It worked, and now it is refused.

use std::collections::{BTreeMap, BTreeSet};

use crate::health::say::{counted, when};
use crate::health::sight::Sight;
use crate::health::value::Value;
use crate::rollup::series::{Merge, Tally};
use crate::rollup::sources::Sources;
use crate::rollup::window::Minute;
use crate::signals::call::{Class, finals, judge};
use crate::signals::observation::{Direction, Facet, IntegrationKey};
use crate::signals::signal::{Label, Signal};
use crate::usual::key::Figure;
use crate::usual::uses;

/// Minutes that are looked at, and how far they are widened.
const WINDOW: i64 = 5;
const WIDEN_TO: i64 = 15;
/// Operations that carry a verdict.
const LEAST: f64 = 5.0;
/// It must have worked within so many minutes before.
const WORKED: i64 = 7 * 24 * 60;

/// By credential where calls name theirs, else by connection, else by peer.
pub fn values(sight: &Sight<'_>, sources: &Sources<'_>, out: &mut Vec<Value>) {
    let named = Named::of(sight, sources);
    let mut windows: Vec<BTreeMap<(&IntegrationKey, String), Tally>> = Vec::new();
    for back in 1..=WIDEN_TO {
        let minute = Minute(sight.tick.0 - back);
        windows.push(uses::uses(sight.part, sources, minute, Minute(minute.0 + 1)));
    }
    for (key, track) in &sight.usual.tracks {
        if key.figure != Figure::GoodUse || !named.judges(&key.integration, &key.name) {
            continue;
        }
        let of = |value, at: Minute| {
            let value = Value::of(Signal::CredentialAuthShare, &key.integration, value, at.start());
            value.with(Label::Credential, &key.name)
        };
        let place = (&key.integration, key.name.to_string());
        let mut tally = Tally::default();
        let mut minutes = 0;
        let operations = |tally: &Tally| judge(&tally.counts(), false).operations;
        for window in &windows {
            if minutes >= WINDOW && operations(&tally) >= LEAST {
                break;
            }
            if let Some(minute) = window.get(&place) {
                tally.merge(minute);
            }
            minutes += 1;
        }
        let refused = finals(&tally.counts())[Class::Auth as usize];
        let all = operations(&tally);
        let worked = track.last_event.filter(|last| sight.tick.0 - last.0 <= WORKED + minutes);
        if all >= LEAST && worked.is_some() {
            let last = worked
                .map_or_else(String::new, |last| format!("; the last good one at {}", when(last.start())));
            let calls = counted(all, "call");
            let why =
                format!("{} of {calls} in {minutes} min were refused (401, 403){last}", refused.round());
            out.push(of(refused / all, sight.tick).because(why));
        } else if track.expected >= LEAST
            && let Some(last) = track.last_event
        {
            let good = counted(track.expected.min(LEAST), "call");
            out.push(of(0.0, last).because(format!("the latest {good} were accepted")));
        }
    }
}

/// What calls say of what they are allowed by.
struct Named<'s> {
    /// Integrations and peers whose calls name their credential.
    by_credential: BTreeSet<(&'s IntegrationKey, &'s str)>,
    /// The same for connections.
    by_connection: BTreeSet<(&'s IntegrationKey, &'s str)>,
    /// Where each connection calls.
    peers: BTreeMap<(&'s IntegrationKey, String), BTreeSet<&'s str>>,
}

impl<'s> Named<'s> {
    fn of(sight: &Sight<'s>, sources: &Sources<'_>) -> Named<'s> {
        let mut named =
            Named { by_credential: BTreeSet::new(), by_connection: BTreeSet::new(), peers: BTreeMap::new() };
        for (minute, key) in sight.part.facets.keys() {
            let sampled = sources.is_sampled(&key.integration, key.direction, &key.peer);
            if *minute >= sight.tick || key.direction != Direction::Outbound || sampled {
                continue;
            }
            let place = (&key.integration, &*key.peer);
            match key.facet {
                Facet::Credential => named.by_credential.insert(place),
                Facet::Connection => {
                    let name = (&key.integration, uses::connection(&key.id));
                    named.peers.entry(name).or_default().insert(&key.peer);
                    named.by_connection.insert(place)
                }
            };
        }
        named
    }

    /// Whether calls of this name are told of by nothing closer.
    fn judges(&self, integration: &IntegrationKey, name: &str) -> bool {
        if let Some(host) = name.strip_prefix("peer:") {
            let place = &(integration, host);
            return !self.by_credential.contains(place) && !self.by_connection.contains(place);
        }
        if name.starts_with("connection:") {
            let peers = self.peers.get(&(integration, name.to_owned()));
            return peers.is_none_or(|peers| {
                peers.iter().any(|peer| !self.by_credential.contains(&(integration, *peer)))
            });
        }
        true
    }
}
