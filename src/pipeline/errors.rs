//! How many error groups there may be, and how many changes: past the limit a failure counts in its integration's
//! `(other)`, and the System page says so.
//!
//! A group that did not fail for a day gives its place back, so that the errors of last month keep none of today's away.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::gauges::Gauges;
use crate::rollup::window::Map;
use crate::signals::change::What;
use crate::signals::failure::{ErrorKey, Fingerprint};
use crate::signals::observation::{IntegrationKey, Observations};
use crate::signals::telemetry::Nanos;

/// For so long a group keeps its place.
pub const REMEMBERED: Nanos = DAY;
const DAY: Nanos = 24 * 3_600_000_000_000;
/// Groups an integration that fail within a day.
const GROUPS: usize = 200;
/// Versions and told changes an integration and day.
const CHANGES: usize = 50;

/// The groups and changes known so far.
#[derive(Debug, Default)]
pub struct Errors {
    known: Map<IntegrationKey, Map<Fingerprint, Nanos>>,
    changes: Map<IntegrationKey, (i64, Map<What, Nanos>)>,
    /// Failures counted in `(other)`.
    folded: u64,
    /// Changes left out.
    left_out: u64,
}

impl Errors {
    /// Bounds that already know what the catalog has.
    pub fn new(known: Vec<(IntegrationKey, Fingerprint, Nanos)>) -> Errors {
        let mut errors = Errors::default();
        for (key, fingerprint, at) in known {
            errors.known.entry(key).or_default().insert(fingerprint, at);
        }
        errors
    }

    /// Folds what is past the limits. The integrations have their names by now.
    pub fn apply(&mut self, seen: &mut Observations, at: Nanos, gauges: &Gauges) {
        let Observations { errors, changes, integrations, .. } = seen;
        errors.retain_mut(|group| {
            let Some(info) = integrations.get(group.integration as usize) else { return false };
            if info.key != group.key.integration {
                group.key = Arc::new(group.key.of_other(info.key.clone()));
            }
            if !self.admits(&group.key, at) {
                self.folded += group.failures.len() as u64;
                group.key = Arc::new(ErrorKey::other(info.key.clone()));
            }
            true
        });
        changes.retain(|change| {
            let Some(info) = integrations.get(change.integration as usize) else { return false };
            self.is_news(&info.key, &change.what, change.at, at.div_euclid(DAY))
        });
        gauges.errors_folded.store(self.folded, Ordering::Relaxed);
        gauges.changes_left_out.store(self.left_out, Ordering::Relaxed);
    }

    /// Gives back the places of what did not fail for a day.
    pub fn forget(&mut self, now: Nanos) {
        let oldest = now.saturating_sub(REMEMBERED);
        for groups in self.known.values_mut() {
            groups.retain(|_, seen| *seen >= oldest);
        }
        self.known.retain(|_, groups| !groups.is_empty());
        self.changes.retain(|_, (day, _)| *day >= now.div_euclid(DAY) - 1);
    }

    fn admits(&mut self, key: &ErrorKey, at: Nanos) -> bool {
        let groups = match self.known.get_mut(&key.integration) {
            Some(groups) => groups,
            None => self.known.entry(key.integration.clone()).or_default(),
        };
        if let Some(seen) = groups.get_mut(&key.fingerprint) {
            *seen = at.max(*seen);
            return true;
        }
        let room = groups.len() < GROUPS;
        if room {
            groups.insert(key.fingerprint, at);
        }
        room
    }

    /// Whether it is not known of this day yet, or was seen earlier than known: most requests repeat their version.
    fn is_news(&mut self, key: &IntegrationKey, what: &What, seen: Nanos, day: i64) -> bool {
        let (of, known) = match self.changes.get_mut(key) {
            Some(known) => known,
            None => self.changes.entry(key.clone()).or_default(),
        };
        if *of != day {
            (*of, *known) = (day, Map::default());
        }
        if let Some(earliest) = known.get_mut(what) {
            let earlier = seen < *earliest;
            *earliest = seen.min(*earliest);
            return earlier;
        }
        let room = known.len() < CHANGES;
        if room {
            known.insert(what.clone(), seen);
        }
        self.left_out += u64::from(!room);
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::change::Change;
    use crate::signals::failure::{ErrorGroup, Failing, Row};
    use crate::signals::observation::IntegrationInfo;

    fn whose(name: &str) -> IntegrationKey {
        IntegrationKey { environment: "default".into(), name: name.into() }
    }

    fn request(name: &str, kinds: &[String]) -> Observations {
        let text = String::new;
        let info = IntegrationInfo {
            key: whose(name),
            source: text(),
            destination: text(),
            owner: text(),
            tier: text(),
            version: text(),
        };
        let group = |kind: &String| {
            let mut group = ErrorGroup::new(0, ErrorKey::new(whose("shop"), None, ("", "x"), kind, ""));
            group.add(Failing { time: 1, row: Row::Told }, "", "");
            group
        };
        let errors = kinds.iter().map(group).collect();
        Observations { integrations: vec![info], errors, ..Observations::default() }
    }

    fn others(seen: &Observations) -> usize {
        seen.errors.iter().filter(|group| &*group.key.kind == "(other)").count()
    }

    #[test]
    fn past_the_limit_failures_are_of_one_group_and_each_is_counted() {
        let mut errors = Errors::default();
        let kinds: Vec<String> = (0..GROUPS + 30).map(|n| format!("E{n}")).collect();
        let mut seen = request("shop", &kinds);
        errors.apply(&mut seen, 5, &Gauges::default());
        assert_eq!((others(&seen), errors.folded, seen.errors.len()), (30, 30, GROUPS + 30));
        let mut known = request("shop", &kinds[..10]);
        errors.apply(&mut known, DAY, &Gauges::default());
        assert_eq!(others(&known), 0, "what is known stays");
        errors.forget(DAY + 6);
        let mut new = request("shop", &kinds[GROUPS..]);
        errors.apply(&mut new, DAY + 6, &Gauges::default());
        assert_eq!(others(&new), 0, "yesterday's gave their places back");
        let known: Vec<_> =
            kinds[..GROUPS].iter().map(|kind| request("shop", std::slice::from_ref(kind))).collect();
        let known = known.iter().map(|seen| (whose("shop"), seen.errors[0].key.fingerprint, DAY));
        let mut restarted = Errors::new(known.collect());
        let mut seen = request("shop", &kinds[GROUPS - 1..GROUPS + 1]);
        restarted.apply(&mut seen, DAY, &Gauges::default());
        assert_eq!(others(&seen), 1, "a restart forgets none");
    }

    #[test]
    fn a_group_has_the_name_that_its_integration_is_given() {
        let mut seen = request("(other)", &["E".into()]);
        Errors::default().apply(&mut seen, 5, &Gauges::default());
        assert_eq!(seen.errors[0].key.integration, whose("(other)"));
        assert_eq!(*seen.errors[0].key, ErrorKey::new(whose("(other)"), None, ("", "x"), "E", ""));
    }

    #[test]
    fn a_version_passes_once_a_day_and_a_flood_of_them_is_bounded() {
        let version = |n: usize, at| {
            let change = Change { integration: 0, at, what: What::Version(n.to_string()) };
            Observations { changes: vec![change], ..request("shop", &[]) }
        };
        let mut errors = Errors::default();
        let mut passes = |n, at| {
            let mut seen = version(n, at);
            errors.apply(&mut seen, at, &Gauges::default());
            seen.changes.len()
        };
        assert_eq!([passes(1, 5), passes(1, 6), passes(1, 4), passes(1, DAY)], [1, 0, 1, 1]);
        let passed: usize = (0..100_000).map(|n| passes(n, DAY)).sum();
        assert_eq!(passed, CHANGES - 1);
        assert_eq!(errors.left_out, 100_000 - CHANGES as u64);
    }
}
