//! What changed about an integration: another `service.version`, or an `integration.change` event. Marks to see
//! failures against.

use super::failure::visible;
use super::lookup::Lookup;
use super::telemetry::{Log, Nanos};
use super::vocabulary::Attr;

/// Changes of one request; the rest is left out, and counted.
pub const CHANGES: usize = 200;
/// Longest kind or version, in bytes.
const NAME: usize = 120;
/// Longest text, in bytes.
const TEXT: usize = 1024;

/// One change, as one request tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Index into [`super::observation::Observations::integrations`].
    pub integration: u32,
    /// When: for a version the request's receipt, for an event its own time.
    pub at: Nanos,
    /// What.
    pub what: What,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// A `service.version` is there. The first time that it is counts: while a deploy rolls, replicas take turns.
    Version(String),
    /// An event said so.
    Told {
        /// `integration.change.kind`, `change` when not given.
        kind: String,
        /// The body.
        text: String,
        /// Unix seconds, where it takes effect at another time than it is told.
        effective_at: Option<i64>,
        /// The event's time: the same words may be said again.
        time: Nanos,
    },
}

/// Reads `integration.change`.
pub fn told(look: &Lookup<'_, '_>, log: &Log<'_>, time: Nanos) -> What {
    let kind = visible(look.str(Attr::ChangeKind).unwrap_or("change"), NAME);
    let text = visible(&log.body.text(), TEXT);
    What::Told { kind, text, effective_at: look.i64(Attr::ChangeEffectiveAt), time }
}
