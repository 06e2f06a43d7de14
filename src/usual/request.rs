//! What is usual of requests to an endpoint: how large its pages are, how many it rejects as invalid.

use std::collections::BTreeMap;

use super::Usual;
use super::key::{Figure, UsualKey};
use super::learn::{Scene, endpoint};
use crate::rollup::series::{Merge, Tally};
use crate::rollup::window::Minute;
use crate::signals::call::{Class, finals};
use crate::signals::observation::{CallKey, Direction};

impl Usual {
    /// Takes an hour that closes in.
    pub(super) fn learn_requests(&mut self, scene: &Scene<'_>, hour: i64) {
        let (from, to) = (Minute(hour * 60), Minute(hour * 60 + 60));
        let mut tallies: BTreeMap<&CallKey, Tally> = BTreeMap::new();
        for ((_, key), row) in scene.part.calls.iter().filter(|((at, _), _)| *at >= from && *at < to) {
            if key.direction == Direction::Outbound {
                tallies.entry(key).or_default().merge(&row.tally);
            }
        }
        tallies.retain(|key, _| !(scene.excluded)(&key.integration));
        for (key, tally) in tallies {
            let name = endpoint(key);
            let (largest, _) = tally.page_max;
            if largest > 0
                && let Some(track) = self.track(&UsualKey::new(&key.integration, Figure::Page, &name), from)
            {
                track.seen = from;
                track.peak(from, largest as f64);
            }
            let finals = finals(&tally.counts());
            let operations: f64 = finals.iter().sum();
            if operations > 0.0
                && let Some(track) =
                    self.track(&UsualKey::new(&key.integration, Figure::Validation, &name), from)
            {
                track.hourly(hour, finals[Class::Validation as usize] / operations);
            }
        }
    }
}
