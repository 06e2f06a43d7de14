//! Credential slots and the expiry that somebody must see to (semantics section 4).

use crate::rollup::state::Slot;
use crate::rollup::window::{Part, SlotKey};
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;

/// What is known of the expiry of one slot, or of an integration's next one. Never, unknown and an instant are
/// three different things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// No credential is reported.
    #[default]
    None,
    /// One is, but not when it expires.
    Unknown,
    /// It said that it never expires.
    Never,
    /// Something renews it without a person.
    Renews,
    /// Unix seconds, and the slot that it is of.
    At(i64, String),
}

impl Expiry {
    /// The instant, in unix seconds.
    pub fn at(&self) -> Option<i64> {
        match self {
            Expiry::At(at, _) => Some(*at),
            _ => None,
        }
    }
}

/// One slot of an integration.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential<'p> {
    /// `integration.credential.id`.
    pub id: &'p str,
    /// What is known of it.
    pub slot: &'p Slot,
}

impl Credential<'_> {
    /// When it expires, whoever renews it.
    pub fn expiry(&self) -> Expiry {
        if self.slot.never_expires() {
            return Expiry::Never;
        }
        self.slot.expires_at().map_or(Expiry::Unknown, |at| Expiry::At(at, self.id.into()))
    }

    fn order(&self) -> (i64, &str) {
        (self.slot.expires_at().unwrap_or(i64::MAX), self.id)
    }
}

/// The slots of an integration that are still on the horizon, the next to expire first.
pub fn credentials<'p>(states: &'p Part, integration: &IntegrationKey, now: Nanos) -> Vec<Credential<'p>> {
    ordered(states.slots.iter().filter(|(key, _)| key.integration == *integration), now)
}

/// The same of the slots of one integration.
pub fn ordered<'p>(slots: impl Iterator<Item = (&'p SlotKey, &'p Slot)>, now: Nanos) -> Vec<Credential<'p>> {
    let mut all: Vec<Credential<'p>> = slots
        .filter(|(_, slot)| !slot.is_gone(now))
        .map(|(key, slot)| Credential { id: &key.credential, slot })
        .collect();
    all.sort_by(|a, b| a.order().cmp(&b.order()));
    all
}

/// The earliest expiry that nothing renews automatically; where there is none, what is known instead.
pub fn next_expiry(credentials: &[Credential<'_>]) -> Expiry {
    let by_hand = || credentials.iter().filter(|credential| credential.slot.renewed_by_hand());
    let earliest = by_hand().filter_map(|one| Some((one.slot.expires_at()?, one.id))).min();
    if let Some((at, id)) = earliest {
        return Expiry::At(at, id.into());
    }
    match (credentials.is_empty(), by_hand().count()) {
        (true, _) => Expiry::None,
        (false, 0) => Expiry::Renews,
        (false, _) if by_hand().all(|one| one.slot.never_expires()) => Expiry::Never,
        (false, _) => Expiry::Unknown,
    }
}

/// How near an expiry is: the lower two levels of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearness {
    /// More than a week.
    Far,
    /// A week or less.
    Near,
    /// A day or less, or past.
    Due,
}

/// How near an instant in unix seconds is.
pub fn nearness(at: i64, now: Nanos) -> Nearness {
    match at.saturating_sub(now / 1_000_000_000) {
        left if left <= 86_400 => Nearness::Due,
        left if left <= 7 * 86_400 => Nearness::Near,
        _ => Nearness::Far,
    }
}
