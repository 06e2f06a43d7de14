//! What is usual: what the last four weeks of each thing were like, learned from one closed minute after another. Pure.
//!
//! Rules that compare ("larger than the last two weeks saw", "as many as on the last four Mondays at this hour") read
//! it. [`Usual::learn`] folds minutes in order, each once; the corridor calls it before it judges, and keeps what
//! changed when an hour closes. What came after its minute was judged is not learned.

pub mod calendar;
pub mod hourly;
pub mod key;
pub mod learn;
pub mod queue;
pub mod request;
pub mod ring;
pub mod track;
pub mod uses;

use std::collections::{BTreeMap, BTreeSet};

use crate::rollup::window::Minute;
use key::UsualKey;
use track::Track;

/// Tracks of all things, and the minute up to which they have learned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usual {
    /// Every minute before this one is in; none before the first.
    pub until: Option<Minute>,
    /// What is known of each thing.
    pub tracks: BTreeMap<UsualKey, Track>,
    /// Changed since they were kept last.
    changed: BTreeSet<UsualKey>,
}

/// So many things are tracked; what comes after them has no past.
const TRACKS: usize = 20_000;

impl Usual {
    /// What was kept.
    pub fn of(until: Option<Minute>, tracks: BTreeMap<UsualKey, Track>) -> Usual {
        Usual { until, tracks, changed: BTreeSet::new() }
    }

    /// What is known of a thing.
    pub fn of_key(&self, key: &UsualKey) -> Option<&Track> {
        self.tracks.get(key)
    }

    /// The track of a thing, made where there is none; none past the limit.
    fn track(&mut self, key: &UsualKey, minute: Minute) -> Option<&mut Track> {
        if !self.tracks.contains_key(key) {
            if self.tracks.len() >= TRACKS {
                return None;
            }
            self.tracks.insert(key.clone(), Track::new(minute));
        }
        if !self.changed.contains(key) {
            self.changed.insert(key.clone());
        }
        self.tracks.get_mut(key)
    }

    /// Tracks that changed since they were taken last; then they count as kept.
    pub fn take_changed(&mut self) -> Vec<(UsualKey, Track)> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .filter_map(|key| {
                let track = self.tracks.get(&key)?.clone();
                Some((key, track))
            })
            .collect()
    }

    /// They could not be kept after all.
    pub fn put_back(&mut self, keys: impl Iterator<Item = UsualKey>) {
        self.changed.extend(keys);
    }

    /// Drops what nothing was learned of for four weeks.
    pub fn forget(&mut self, now: Minute) -> Vec<UsualKey> {
        let old = Minute(now.0 - i64::from(track::MINUTES_OF_FOUR_WEEKS));
        let gone: Vec<UsualKey> =
            self.tracks.iter().filter(|(_, track)| track.seen < old).map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.tracks.remove(key);
            self.changed.remove(key);
        }
        gone
    }
}
