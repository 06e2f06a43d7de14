//! Rows that stand for a thing rather than for a minute: credential slots, reconciliations, integrations.

pub mod probe;
pub mod refreshes;
pub mod row;
pub mod runs;
pub mod shapes;

use serde::{Deserialize, Serialize};

use super::series::Merge;
use crate::signals::credential::SlotUpdate;
use crate::signals::observation::IntegrationInfo;
use crate::signals::telemetry::Nanos;

/// A value with the time it was observed; the later wins, ties go to the greater value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timed<T>(pub Option<(Nanos, T)>);

impl<T: Clone + PartialOrd> Timed<T> {
    /// Takes the later of both.
    pub fn take(&mut self, other: &Timed<T>) {
        if let Some(theirs) = &other.0
            && self.0.as_ref().is_none_or(|ours| theirs > ours)
        {
            self.0 = Some(theirs.clone());
        }
    }

    /// The value.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }
}

/// One credential slot as last reported. A new generation supersedes the old one whole (semantics section 4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// Latest observation.
    pub seen_at: Nanos,
    /// `.kind`.
    pub kind: Timed<String>,
    /// `.renewal`.
    pub renewal: Timed<String>,
    /// `.expiry`.
    pub expiry: Timed<String>,
    /// `.owner.type`.
    pub owner_type: Timed<String>,
    /// `.owner.name`.
    pub owner_name: Timed<String>,
    /// `.provider.name`.
    pub provider: Timed<String>,
    /// `.fingerprint`.
    pub fingerprint: Timed<String>,
    /// `integration.connection.id`.
    pub connection: Timed<String>,
    /// Unix seconds.
    pub last_used_at: Timed<i64>,
    /// Unix seconds.
    pub rotation_due_at: Timed<i64>,
    /// Seconds.
    pub idle_limit: Timed<i64>,
    /// Retired on purpose at this time; a later report revives the slot.
    pub retired: Timed<bool>,
    /// The instants of the generation that stands.
    pub generation: Generation,
    /// The latest generations whose both ends are known: (issued or refreshed, expires), ascending, one of each start.
    #[serde(default)]
    pub lives: Vec<(i64, i64)>,
    /// The two latest expiries that were ever told, ascending, and when each was told first.
    #[serde(default)]
    pub expiries: Vec<(i64, Nanos)>,
}

/// So many generations are kept: five refreshes and one more lie between six of them.
const LIVES: usize = 7;

/// The instants that belong together: issued or refreshed then, valid until then. Unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// When it stops being valid.
    pub expires_at: Timed<i64>,
    /// When it was issued.
    pub issued_at: Timed<i64>,
    /// When it was last refreshed.
    pub last_refreshed_at: Timed<i64>,
}

impl Generation {
    /// What orders generations: the latest last_refreshed_at, else issued_at, else expires_at.
    fn order(&self) -> Option<(u8, i64)> {
        let started = |at: &Timed<i64>| at.get().map(|at| (1, *at));
        started(&self.last_refreshed_at)
            .or(started(&self.issued_at))
            .or(self.expires_at.get().map(|at| (0, *at)))
    }
}

impl Merge for Generation {
    fn merge(&mut self, other: &Self) {
        match self.order().cmp(&other.order()) {
            std::cmp::Ordering::Less => *self = other.clone(),
            std::cmp::Ordering::Equal => {
                self.expires_at.take(&other.expires_at);
                self.issued_at.take(&other.issued_at);
                self.last_refreshed_at.take(&other.last_refreshed_at);
            }
            std::cmp::Ordering::Greater => {}
        }
    }
}

impl Merge for Slot {
    fn merge(&mut self, other: &Self) {
        self.seen_at = self.seen_at.max(other.seen_at);
        self.kind.take(&other.kind);
        self.renewal.take(&other.renewal);
        self.expiry.take(&other.expiry);
        self.owner_type.take(&other.owner_type);
        self.owner_name.take(&other.owner_name);
        self.provider.take(&other.provider);
        self.fingerprint.take(&other.fingerprint);
        self.connection.take(&other.connection);
        self.last_used_at.take(&other.last_used_at);
        self.rotation_due_at.take(&other.rotation_due_at);
        self.idle_limit.take(&other.idle_limit);
        self.retired.take(&other.retired);
        self.generation.merge(&other.generation);
        latest(&mut self.lives, &other.lives, LIVES, i64::max);
        latest(&mut self.expiries, &other.expiries, 2, i64::min);
    }
}

/// Takes pairs in and keeps those with the `most` greatest first members; of two with the same `choose` has the other.
fn latest(ours: &mut Vec<(i64, i64)>, theirs: &[(i64, i64)], most: usize, choose: fn(i64, i64) -> i64) {
    for (key, value) in theirs {
        match ours.binary_search_by_key(key, |(key, _)| *key) {
            Ok(at) => {
                if let Some((_, kept)) = ours.get_mut(at) {
                    *kept = choose(*kept, *value);
                }
            }
            Err(at) => ours.insert(at, (*key, *value)),
        }
    }
    let past = ours.len().saturating_sub(most);
    ours.drain(..past);
}

impl Slot {
    /// A slot of one update.
    pub fn of(update: &SlotUpdate) -> Slot {
        fn at<T: Clone>(time: Nanos, value: &Option<T>) -> Timed<T> {
            Timed(value.clone().map(|value| (time, value)))
        }
        let time = update.time;
        Slot {
            seen_at: time,
            kind: at(time, &update.kind),
            renewal: at(time, &update.renewal),
            expiry: at(time, &update.expiry),
            owner_type: at(time, &update.owner_type),
            owner_name: at(time, &update.owner_name),
            provider: at(time, &update.provider),
            fingerprint: at(time, &update.fingerprint),
            connection: at(time, &update.connection),
            last_used_at: at(time, &update.last_used_at),
            rotation_due_at: at(time, &update.rotation_due_at),
            idle_limit: at(time, &update.idle_limit),
            retired: Timed(Some((time, update.retired))),
            generation: Generation {
                expires_at: at(time, &update.expires_at),
                issued_at: at(time, &update.issued_at),
                last_refreshed_at: at(time, &update.last_refreshed_at),
            },
            lives: update.last_refreshed_at.or(update.issued_at).zip(update.expires_at).into_iter().collect(),
            expiries: update.expires_at.map(|expires| (expires, time)).into_iter().collect(),
        }
    }

    /// When it was renewed last, as far as that is known: by its own word, or when a later expiry was first told.
    pub fn renewed_at(&self) -> Option<Nanos> {
        let generation = &self.generation;
        let started = generation.last_refreshed_at.get().or(generation.issued_at.get());
        let started = started.map(|seconds| seconds.saturating_mul(1_000_000_000));
        // An expiry that creeps is none that was renewed, and neither is the first that is told.
        let moved = match self.expiries.as_slice() {
            [(before, _), (now, told)] if now - before >= 60 => Some(*told),
            _ => None,
        };
        started.max(moved)
    }

    /// Seconds of life that were left at the latest refreshes, five at most, the latest last; below 0 where it had
    /// expired before.
    pub fn left_at_refreshes(&self) -> Vec<i64> {
        let pairs = self.lives.iter().zip(self.lives.iter().skip(1));
        let all: Vec<i64> = pairs.map(|((_, ends), (refreshed, _))| ends - refreshed).collect();
        all.get(all.len().saturating_sub(5)..).unwrap_or_default().to_vec()
    }

    /// Unix seconds of expiry; none when it never expires or does not say.
    pub fn expires_at(&self) -> Option<i64> {
        match self.expiry.get().map(String::as_str) {
            Some("never") => None,
            _ => self.generation.expires_at.get().copied(),
        }
    }

    /// Whether it said that it never expires.
    pub fn never_expires(&self) -> bool {
        self.expiry.get().is_some_and(|expiry| expiry == "never")
    }

    /// Whether nothing renews it: what counts for "next token expiry" and the expiry ladder.
    pub fn renewed_by_hand(&self) -> bool {
        match self.renewal.get().map(String::as_str) {
            Some("manual") => true,
            Some("automatic") => false,
            _ => self.kind.get().map(String::as_str) != Some("access_token"),
        }
    }

    /// Whether it has left the horizon: retired, or silent for 14 d after its own expiry.
    pub fn is_gone(&self, now: Nanos) -> bool {
        const GRACE: i64 = 14 * 86_400;
        let expired_long_ago = self.expires_at().is_some_and(|at| {
            now / 1_000_000_000 - at > GRACE && now.saturating_sub(self.seen_at) / 1_000_000_000 > GRACE
        });
        self.retired.get() == Some(&true) || expired_long_ago
    }

    /// Length of life in seconds, where it is known.
    pub fn lifetime(&self) -> Option<i64> {
        let generation = &self.generation;
        let from = generation.last_refreshed_at.get().or(generation.issued_at.get())?;
        Some(generation.expires_at.get()? - from)
    }
}

/// What an integration's telemetry says of itself, and when it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// When telemetry was first received.
    pub first_seen: Nanos,
    /// When telemetry was last received.
    pub last_seen: Nanos,
    /// Latest non-empty value.
    pub source: Timed<String>,
    /// Latest non-empty value.
    pub destination: Timed<String>,
    /// Latest non-empty value.
    pub owner: Timed<String>,
    /// Latest non-empty value.
    pub tier: Timed<String>,
    /// Latest non-empty value.
    pub version: Timed<String>,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            first_seen: Nanos::MAX,
            last_seen: Nanos::MIN,
            source: Timed(None),
            destination: Timed(None),
            owner: Timed(None),
            tier: Timed(None),
            version: Timed(None),
        }
    }
}

impl Merge for Registration {
    fn merge(&mut self, other: &Self) {
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.source.take(&other.source);
        self.destination.take(&other.destination);
        self.owner.take(&other.owner);
        self.tier.take(&other.tier);
        self.version.take(&other.version);
    }
}

impl Registration {
    /// A registration of one request.
    pub fn of(info: &IntegrationInfo, received_at: Nanos) -> Registration {
        let said = |text: &String| Timed((!text.is_empty()).then(|| (received_at, text.clone())));
        Registration {
            first_seen: received_at,
            last_seen: received_at,
            source: said(&info.source),
            destination: said(&info.destination),
            owner: said(&info.owner),
            tier: said(&info.tier),
            version: said(&info.version),
        }
    }
}

#[cfg(test)]
mod tests;
