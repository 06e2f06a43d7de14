//! Every integration's last hour and day: what the pages that show all of them are made from.

use std::sync::Arc;

use super::{TRIES, outrun};
use crate::rollup::series::Merge;
use crate::rollup::window::{Minute, Part};
use crate::store::recent::{Kept, Read, with_slack};
use crate::store::{Detail, Error, Store};

/// The last hour and day in pieces; a row may be in several, to be merged.
#[derive(Clone, Debug, Default)]
pub struct Lately {
    /// Calls and gauges by minute.
    pub minutes: Vec<Arc<Part>>,
    /// Counts of calls, and gauges, by half hour; the minute of a row is its half hour's first.
    pub half_hours: Vec<Arc<Part>>,
    /// Slots, reconciliations, registrations, outcomes, and one run of each job.
    pub states: Arc<Part>,
}

impl Store {
    /// Minutes of [hour, to), half hours of [day, to), the last of them whole, and states. From memory once it was
    /// asked for.
    pub async fn lately(&self, hour: Minute, day: Minute, to: Minute) -> Result<Lately, Error> {
        let (hour, day) = (hour.min(to), day.min(to));
        for _ in 0..TRIES {
            let kept = match self.inner.recent.kept(hour, day) {
                Some(kept) => Some(kept),
                None => self.fill(hour, day).await?,
            };
            let Some((watermark, kept)) = kept else { continue };
            let taken = |part: &Part| {
                let mut taken = Kept::from(hour, day);
                taken.add(part);
                taken
            };
            let Some((frozen, current)) = self.inner.hot.above(watermark, |current| taken(&current.part))
            else {
                continue;
            };
            let mut lately = Lately::default();
            let hot = frozen.iter().map(|generation| taken(&generation.part)).chain([current]);
            for kept in std::iter::once(kept).chain(hot) {
                lately.minutes.extend(kept.minutes.range(hour..to).map(|(_, part)| part.clone()));
                lately.half_hours.extend(kept.half_hours.range(day..to).map(|(_, part)| part.clone()));
                if lately.states.is_empty() {
                    lately.states = kept.states;
                } else if !kept.states.is_empty() {
                    Arc::make_mut(&mut lately.states).merge(&kept.states);
                }
            }
            return Ok(lately);
        }
        Err(outrun())
    }

    /// Reads the catalog once, whoever asks at the same time; none where flushes outran the read.
    async fn fill(&self, hour: Minute, day: Minute) -> Result<Option<(u64, Kept)>, Error> {
        let inner = &self.inner;
        let _alone = inner.recent.filling.lock().await;
        if let Some(kept) = inner.recent.kept(hour, day) {
            return Ok(Some(kept));
        }
        let ((hour, day), end) = (with_slack(hour, day), Minute(i64::MAX));
        let read = Read {
            half_hours: inner.catalog.window(day, end, None, Detail::HalfHours).await?,
            states: inner.catalog.states().await?,
            minutes: inner.catalog.window(hour, end, None, Detail::Full).await?,
        };
        Ok(inner.recent.fill(read, hour, day, |watermark| inner.hot.frozen_above(watermark)))
    }
}
