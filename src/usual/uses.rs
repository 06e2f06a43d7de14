//! Outbound operations by what they are allowed by: a credential, a customer's connection, or the peer as a whole.

use std::collections::BTreeMap;

use crate::rollup::series::{Merge, Tally};
use crate::rollup::sources::Sources;
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

/// Outbound calls of `[from, to)` by integration and name, from the source that counts. Calls to a token endpoint are no use
/// of a token, and of a peer whose spans are samples only the peer as a whole is known.
pub fn uses<'p>(
    part: &'p Part,
    sources: &Sources<'_>,
    from: Minute,
    to: Minute,
) -> BTreeMap<(&'p IntegrationKey, String), Tally> {
    let within = |minute: &Minute| *minute >= from && *minute < to;
    let mut out: BTreeMap<(&'p IntegrationKey, String), Tally> = BTreeMap::new();
    for ((_, key), tally) in part.facets.iter().filter(|((minute, _), _)| within(minute)) {
        let sampled = sources.is_sampled(&key.integration, key.direction, &key.peer);
        if key.direction == Direction::Outbound && !sampled {
            let name = match key.facet {
                Facet::Credential => credential(&key.id),
                Facet::Connection => connection(&key.id),
            };
            out.entry((&key.integration, name)).or_default().merge(tally);
        }
    }
    let rows = part.calls.iter().chain(&part.measured);
    for ((_, key), row) in rows.filter(|((minute, _), _)| within(minute)) {
        let is_use = key.direction == Direction::Outbound
            && key.source != Source::Report
            && sources.counts(key)
            && !refresh::is_endpoint(&key.endpoint);
        if is_use {
            out.entry((&key.integration, peer(&key.peer))).or_default().merge(&row.tally);
        }
    }
    out
}
