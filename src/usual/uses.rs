//! Outbound operations by what they are allowed by: a credential, a customer's connection, or the peer as a whole.

use std::collections::BTreeMap;

use crate::rollup::series::{Merge, Tally};
use crate::rollup::window::{Minute, Part};
use crate::signals::observation::{Direction, Facet, IntegrationKey, Source};
use crate::signals::refresh;

/// The name of calls with a credential: its id, as it stands.
pub fn credential(id: &str) -> String {
    id.to_owned()
}

/// The name of calls for a connection.
pub fn connection(id: &str) -> String {
    format!("connection:{id}")
}

/// The name of all calls at a peer.
pub fn peer(host: &str) -> String {
    format!("peer:{host}")
}

/// Outbound calls of `[from, to)` by integration and name. Calls to a token endpoint are no use of a token.
pub fn uses(part: &Part, from: Minute, to: Minute) -> BTreeMap<(&IntegrationKey, String), Tally> {
    let within = |minute: &Minute| *minute >= from && *minute < to;
    let mut out: BTreeMap<(&IntegrationKey, String), Tally> = BTreeMap::new();
    for ((_, key), tally) in part.facets.iter().filter(|((minute, _), _)| within(minute)) {
        if key.direction == Direction::Outbound {
            let name = match key.facet {
                Facet::Credential => credential(&key.id),
                Facet::Connection => connection(&key.id),
            };
            out.entry((&key.integration, name)).or_default().merge(tally);
        }
    }
    for ((_, key), row) in part.calls.iter().filter(|((minute, _), _)| within(minute)) {
        let is_use = key.direction == Direction::Outbound
            && key.source == Source::Span
            && !refresh::is_endpoint(&key.endpoint);
        if is_use {
            out.entry((&key.integration, peer(&key.peer))).or_default().merge(&row.tally);
        }
    }
    out
}
