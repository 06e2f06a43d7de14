//! What is usual of queues: how many wait, how long, how long nothing leaves, and what was given up.

use super::Usual;
use super::key::{Figure, UsualKey};
use super::learn::Scene;
use crate::rollup::queue::queues;
use crate::rollup::window::Minute;

/// Minutes that a level of a minute may come from.
const BACK: i64 = 6;

impl Usual {
    pub(super) fn learn_queues(&mut self, scene: &Scene<'_>, minute: Minute) {
        let before = Minute(minute.0 - 1);
        for ((integration, name), queue) in queues(scene.part, Minute(minute.0 - BACK), minute) {
            let excluded = (scene.excluded)(integration);
            let ready = queue.ready.at(minute);
            let (left, dead) = (queue.dequeued.at(minute), queue.dead.at(minute));
            for (figure, level) in [(Figure::QueueReady, ready), (Figure::QueueAge, queue.age.at(minute))] {
                let track = level.and_then(|_| self.track(&UsualKey::new(integration, figure, name), minute));
                if let Some((track, level)) = track.zip(level) {
                    track.level(minute, level, excluded);
                }
            }
            if (ready.is_some() || left.is_some())
                && let Some(track) = self.track(&UsualKey::new(integration, Figure::QueueStall, name), minute)
            {
                track.stall(minute, left, ready, queue.ready.at(before), excluded);
            }
            let given_up = queue.dead_lettered.at(minute);
            if (dead.is_some() || given_up.is_some())
                && let Some(track) = self.track(&UsualKey::new(integration, Figure::GivenUp, name), minute)
            {
                track.given_up(minute, given_up.unwrap_or(0.0), dead);
            }
        }
        self.calm_dead_letters(minute);
    }

    /// A day without a new one ends it where nobody says anything of the queue any more.
    fn calm_dead_letters(&mut self, minute: Minute) {
        let unheard = self.tracks.iter().filter(|(key, track)| {
            key.figure == Figure::GivenUp && track.expected > 0.0 && track.seen < minute
        });
        let unheard: Vec<UsualKey> = unheard.map(|(key, _)| key.clone()).collect();
        for key in unheard {
            if let Some(track) = self.track(&key, minute) {
                let seen = track.seen;
                track.given_up(minute, 0.0, None);
                track.seen = seen;
            }
        }
    }
}
