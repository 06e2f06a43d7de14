//! The last hour by minute and the last day by half hour, in memory as the catalog has them.
//!
//! Pages that show every integration read these at each view, and reading a day of minute rows takes seconds. Rows
//! are only ever added, and only by a flush, so what is kept here is the catalog's content at a watermark: a flush
//! adds what it committed, a late call to its own minute like any other, and nothing is ever out of date. A read
//! adds what is in memory above that watermark, as every read does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::hot::Generation;
use crate::rollup::series::Merge;
use crate::rollup::window::{Minute, Part};
use crate::signals::observation::IntegrationKey;

/// Minutes of a half hour.
pub const HALF_HOUR: i64 = 30;
/// So many rows are kept at most, a few hundred bytes each; where there are more, every read asks the catalog.
const MOST_ROWS: usize = 200_000;
/// Minutes that stay for readers whose present is a little older.
const SLACK: i64 = 5;

/// The half hour that a minute lies in, by its first minute.
pub fn half_hour(minute: Minute) -> Minute {
    Minute(minute.0.div_euclid(HALF_HOUR).saturating_mul(HALF_HOUR))
}

/// From when rows are kept, for readers that ask for these.
pub fn with_slack(hour: Minute, day: Minute) -> (Minute, Minute) {
    (Minute(hour.0.saturating_sub(SLACK)), half_hour(Minute(day.0.saturating_sub(SLACK))))
}

/// Rows by minute, by half hour, and states.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The first minute that is kept.
    pub hour: Minute,
    /// The first half hour that is kept.
    pub day: Minute,
    /// Calls and gauges by minute.
    pub minutes: BTreeMap<Minute, Arc<Part>>,
    /// Counts of calls, and gauges, by half hour; the minute of a row is its half hour's first.
    pub half_hours: BTreeMap<Minute, Arc<Part>>,
    /// Slots, reconciliations, registrations, outcomes, and one run of each job.
    pub states: Arc<Part>,
    jobs: BTreeSet<(IntegrationKey, Arc<str>)>,
}

impl Kept {
    /// Nothing, of what happens from these on.
    pub fn from(hour: Minute, day: Minute) -> Kept {
        Kept {
            hour,
            day: half_hour(day),
            minutes: BTreeMap::new(),
            half_hours: BTreeMap::new(),
            states: Arc::default(),
            jobs: BTreeSet::new(),
        }
    }

    /// Adds all of a part.
    pub fn add(&mut self, part: &Part) {
        self.add_minutes(part);
        self.add_half_hours(part);
        self.add_states(part);
    }

    fn add_minutes(&mut self, part: &Part) {
        for ((minute, key), row) in part.calls.iter().filter(|((minute, _), _)| *minute >= self.hour) {
            let kept = Arc::make_mut(self.minutes.entry(*minute).or_default());
            kept.calls.entry((*minute, key.clone())).or_default().merge(row);
        }
        for ((minute, key), row) in part.gauges.iter().filter(|((minute, _), _)| *minute >= self.hour) {
            let kept = Arc::make_mut(self.minutes.entry(*minute).or_default());
            kept.gauges.entry((*minute, key.clone())).or_default().merge(row);
        }
    }

    fn add_half_hours(&mut self, part: &Part) {
        for ((minute, key), row) in part.calls.iter().filter(|((minute, _), _)| *minute >= self.day) {
            let at = half_hour(*minute);
            let kept = Arc::make_mut(self.half_hours.entry(at).or_default());
            kept.calls.entry((at, key.clone())).or_default().tally.merge(&row.tally);
        }
        for ((minute, key), row) in part.gauges.iter().filter(|((minute, _), _)| *minute >= self.day) {
            let at = half_hour(*minute);
            let kept = Arc::make_mut(self.half_hours.entry(at).or_default());
            kept.gauges.entry((at, key.clone())).or_default().merge(row);
        }
    }

    fn add_states(&mut self, part: &Part) {
        let states = Part {
            outcomes: part.outcomes.clone(),
            slots: part.slots.clone(),
            reconciliations: part.reconciliations.clone(),
            integrations: part.integrations.clone(),
            states: part.states.clone(),
            ..Part::default()
        };
        let new: Vec<_> = part
            .runs
            .iter()
            .filter(|run| self.jobs.insert((run.integration.clone(), run.name.clone())))
            .cloned()
            .collect();
        if !states.is_empty() || !new.is_empty() {
            let kept = Arc::make_mut(&mut self.states);
            kept.merge(&states);
            kept.runs.extend(new);
        }
    }

    fn rows(&self) -> usize {
        let parts = self.minutes.values().chain(self.half_hours.values()).chain([&self.states]);
        let rows = |part: &Arc<Part>| {
            part.calls.len()
                + part.gauges.len()
                + part.outcomes.len()
                + part.slots.len()
                + part.reconciliations.len()
        };
        parts.map(rows).sum()
    }

    /// Lets go of what lies before what is asked for now.
    fn slide(&mut self, hour: Minute, day: Minute) {
        let (hour, day) = with_slack(hour, day);
        if hour > self.hour {
            self.minutes = self.minutes.split_off(&hour);
            self.hour = hour;
        }
        if day > self.day {
            self.half_hours = self.half_hours.split_off(&day);
            self.day = day;
        }
    }
}

/// What the catalog gave for a stretch, each as of a watermark of its own.
pub struct Read {
    /// Minutes.
    pub minutes: (u64, Part),
    /// Half hours.
    pub half_hours: (u64, Part),
    /// States.
    pub states: (u64, Part),
}

impl Read {
    /// The least of the watermarks: what came after is needed from memory.
    pub fn least(&self) -> u64 {
        self.minutes.0.min(self.half_hours.0).min(self.states.0)
    }

    /// All three as of one watermark, the latest that any of them has seen or that is committed: `above` is what is
    /// in memory above the least, oldest first, with whether it is committed.
    fn level(self, hour: Minute, day: Minute, above: &[(Arc<Generation>, bool)]) -> (u64, Kept) {
        let seen = self.minutes.0.max(self.half_hours.0).max(self.states.0);
        let committed = above.iter().filter(|(_, committed)| *committed).map(|(one, _)| one.upto);
        let watermark = committed.max().unwrap_or(0).max(seen);
        let mut kept = Kept::from(hour, day);
        let missing = |has: u64| {
            above.iter().map(|(one, _)| one).filter(move |one| one.upto > has && one.upto <= watermark)
        };
        kept.add_minutes(&self.minutes.1);
        missing(self.minutes.0).for_each(|one| kept.add_minutes(&one.part));
        kept.add_half_hours(&self.half_hours.1);
        missing(self.half_hours.0).for_each(|one| kept.add_half_hours(&one.part));
        kept.add_states(&self.states.1);
        missing(self.states.0).for_each(|one| kept.add_states(&one.part));
        (watermark, kept)
    }
}

/// The catalog's last hour and day, once somebody has asked for them.
#[derive(Debug, Default)]
pub struct Recent {
    /// The watermark and what is kept as of it. A std lock: it is held for a merge, never across an await.
    kept: Mutex<Option<(u64, Kept)>>,
    /// Held by the one reader that fills it.
    pub filling: tokio::sync::Mutex<()>,
}

impl Recent {
    /// What is kept, where it goes back far enough.
    pub fn kept(&self, hour: Minute, day: Minute) -> Option<(u64, Kept)> {
        let mut state = self.lock();
        let (watermark, kept) = state.as_mut().filter(|(_, kept)| kept.hour <= hour && kept.day <= day)?;
        kept.slide(hour, day);
        Some((*watermark, kept.clone()))
    }

    /// Takes up what the catalog gave. `above` is called under the lock, so that no flush passes between.
    pub fn fill(
        &self,
        read: Read,
        hour: Minute,
        day: Minute,
        above: impl FnOnce(u64) -> Option<Vec<(Arc<Generation>, bool)>>,
    ) -> Option<(u64, Kept)> {
        let mut state = self.lock();
        let above = above(read.least())?;
        let (watermark, kept) = read.level(hour, day, &above);
        *state = (kept.rows() <= MOST_ROWS).then(|| (watermark, kept.clone()));
        Some((watermark, kept))
    }

    /// Adds what a flush has committed. Called after the generation counts as committed in memory: see [`fill`].
    ///
    /// [`fill`]: Recent::fill
    pub fn committed(&self, generation: &Generation) {
        let mut state = self.lock();
        let Some((watermark, kept)) = state.as_mut().filter(|(watermark, _)| *watermark < generation.upto)
        else {
            return;
        };
        if *watermark == generation.from {
            kept.add(&generation.part);
            *watermark = generation.upto;
            if kept.rows() <= MOST_ROWS {
                return;
            }
        }
        // Too much to keep, or something was passed over: the next reader starts anew.
        *state = None;
    }

    // A panic under the lock could leave a half-added part: start anew.
    fn lock(&self) -> MutexGuard<'_, Option<(u64, Kept)>> {
        self.kept.lock().unwrap_or_else(|poisoned: PoisonError<_>| {
            let mut state = poisoned.into_inner();
            *state = None;
            self.kept.clear_poison();
            state
        })
    }
}
