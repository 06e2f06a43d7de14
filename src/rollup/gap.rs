//! Gaps that reconciliations find, and which of them are still open (semantics section 8).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::state::row::{State, StateKey, StateKind, of_run};
use super::window::Map;
use crate::signals::observation::ReconciliationRun;
use crate::signals::telemetry::Nanos;

/// Settled records that do not agree, of one run: missing + mismatched + unexpected.
///
/// Amounts that differ while counts agree and nothing is pending count as one mismatched.
pub fn gap(run: &ReconciliationRun) -> u64 {
    let records = disagreeing(run);
    if only_amounts_differ(run) { 1 } else { records }
}

fn disagreeing(run: &ReconciliationRun) -> u64 {
    missing(run).saturating_add(run.mismatched).saturating_add(run.unexpected)
}

/// Whether amounts differ and nothing else explains it. Where records are missing, so is what they are worth.
fn only_amounts_differ(run: &ReconciliationRun) -> bool {
    disagreeing(run) == 0 && run.pending == 0 && amounts_differ(run)
}

/// Records that are not there, as the run says or as its counts leave it.
fn missing(run: &ReconciliationRun) -> u64 {
    run.missing.unwrap_or_else(|| {
        run.expected.saturating_sub(run.matched.saturating_add(run.mismatched).saturating_add(run.pending))
    })
}

/// Whether both amounts are known and differ by more than half a cent.
pub fn amounts_differ(run: &ReconciliationRun) -> bool {
    matches!((run.amount_expected, run.amount_matched), (Some(a), Some(b)) if (a - b).abs() > 0.005)
}

/// The windows of one (name, entity) that are still open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenGap {
    /// Records that do not agree, over all open windows.
    pub records: u64,
    /// Records expected in the open windows.
    pub expected: u64,
    /// Of those that do not agree: not there.
    pub missing: u64,
    /// There though they should not be.
    pub unexpected: u64,
    /// There, but different.
    pub mismatched: u64,
    /// Runs completed since the oldest open window's run, that one left out.
    pub runs_since: u64,
    /// Whether amounts differ in an open window though its counts agree.
    pub amount_differs: bool,
    /// When the oldest open window's run completed.
    pub since: Option<Nanos>,
    /// The runs whose windows are open, the oldest first.
    pub open: Vec<Arc<str>>,
    /// Keys of missing records, as far as runs told them; each once, however many windows it is missing in.
    pub keys: Vec<String>,
}

/// What is known of runs beside their figures, by run id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside<'a> {
    /// Runs whose gap a person wrote off.
    pub written_off: BTreeSet<&'a str>,
    /// Keys of records that runs did not find.
    pub keys: BTreeMap<&'a str, &'a [String]>,
}

impl<'a> Beside<'a> {
    /// What states say of these runs.
    pub fn of(states: &'a Map<StateKey, State>, runs: &'a [ReconciliationRun]) -> Beside<'a> {
        let mut beside = Beside::default();
        for run in runs {
            let name = of_run(&run.name, &run.entity, &run.run_id);
            let state = |kind| {
                let key = StateKey { integration: run.integration.clone(), kind, name: name.clone() };
                states.get(&key)
            };
            // A word of before the run is of another run of that id.
            if let Some(State::WrittenOff(word)) = state(StateKind::WrittenOff)
                && word.at >= run.time
            {
                beside.written_off.insert(&run.run_id);
            }
            if let Some(State::MissingKeys(keys)) = state(StateKind::MissingKeys) {
                beside.keys.insert(&run.run_id, keys);
            }
        }
        beside
    }
}

/// Reads the runs of one (name, entity) in any order and says what is still open (semantics section 8).
///
/// A window closes when later clean runs together cover it, or when it is written off. A run without a window replaces
/// the earlier one without a window. A later run of the same window replaces the earlier. A run with records that are
/// still pending is clean: those are younger than anything that an earlier run called missing.
pub fn open_gap(runs: &[ReconciliationRun], beside: &Beside<'_>) -> OpenGap {
    let mut by_id: BTreeMap<&str, &ReconciliationRun> = BTreeMap::new();
    for run in runs {
        let kept = by_id.entry(&run.run_id).or_insert(run);
        if run.time > kept.time {
            *kept = run;
        }
    }
    let mut ordered: Vec<_> = by_id.into_values().collect();
    ordered.sort_by_key(|run| run.time);
    let mut open: Vec<(&ReconciliationRun, Vec<(i64, i64)>)> = Vec::new();
    for run in &ordered {
        match run.window {
            None => open.retain(|(earlier, _)| earlier.window.is_some()),
            Some(window) => {
                open.retain(|(earlier, _)| earlier.window != Some(window));
                if gap(run) == 0 {
                    for (_, left) in &mut open {
                        *left = left.iter().flat_map(|piece| without(*piece, window)).collect();
                    }
                    open.retain(|(earlier, left)| earlier.window.is_none() || !left.is_empty());
                }
            }
        }
        if gap(run) > 0 && !beside.written_off.contains(&*run.run_id) {
            open.push((run, run.window.into_iter().collect()));
        }
    }
    let since = open.first().map(|(run, _)| run.time);
    let sum = |count: fn(&ReconciliationRun) -> u64| {
        open.iter().map(|(run, _)| count(run)).fold(0, u64::saturating_add)
    };
    let told =
        || open.iter().filter_map(|(run, _)| beside.keys.get(&*run.run_id)).flat_map(|keys| keys.iter());
    let keys: BTreeSet<&String> = told().collect();
    // The same record missing on Monday and on Tuesday is one record.
    let again = (told().count() - keys.len()) as u64;
    OpenGap {
        records: sum(gap).saturating_sub(again),
        expected: sum(|run| run.expected),
        missing: sum(missing).saturating_sub(again),
        unexpected: sum(|run| run.unexpected),
        mismatched: sum(|run| run.mismatched),
        runs_since: since.map_or(0, |since| ordered.iter().filter(|run| run.time > since).count() as u64),
        amount_differs: open.iter().any(|(run, _)| only_amounts_differ(run)),
        since,
        open: open.iter().map(|(run, _)| run.run_id.clone()).collect(),
        keys: keys.into_iter().cloned().collect(),
    }
}

/// The piece of a window that another does not cover: none, one or two pieces.
fn without((start, end): (i64, i64), (from, to): (i64, i64)) -> impl Iterator<Item = (i64, i64)> {
    let (before, after) = ((start, end.min(from)), (start.max(to), end));
    [before, after].into_iter().filter(|(a, b)| a < b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::state::row::Word;
    use crate::signals::observation::IntegrationKey;

    fn key() -> IntegrationKey {
        IntegrationKey { environment: Arc::from("default"), name: Arc::from("shop") }
    }

    fn run(
        id: &str,
        time: Nanos,
        window: Option<(i64, i64)>,
        expected: u64,
        matched: u64,
    ) -> ReconciliationRun {
        ReconciliationRun {
            integration: key(),
            name: Arc::from("orders"),
            entity: Arc::from("order"),
            run_id: Arc::from(id),
            time,
            window,
            expected,
            matched,
            missing: None,
            unexpected: 0,
            mismatched: 0,
            pending: 0,
            amount_expected: None,
            amount_matched: None,
            currency: String::new(),
            net_only: false,
        }
    }

    #[test]
    fn tuesdays_clean_run_does_not_heal_mondays_gap() {
        let monday = run("mon", 1, Some((0, 86_400)), 200, 196);
        let tuesday = run("tue", 2, Some((86_400, 172_800)), 180, 180);
        let open = open_gap(&[monday.clone(), tuesday.clone()], &Beside::default());
        assert_eq!((open.records, open.runs_since), (4, 1));
        let again = run("mon-2", 3, Some((0, 86_400)), 200, 200);
        assert_eq!(open_gap(&[monday, tuesday, again], &Beside::default()).records, 0);
    }

    #[test]
    fn clean_runs_that_together_cover_a_window_close_it() {
        let gap = run("a", 1, Some((0, 100)), 10, 9);
        let first = run("b", 2, Some((0, 60)), 5, 5);
        let second = run("c", 3, Some((60, 100)), 5, 5);
        assert_eq!(open_gap(&[gap.clone(), first.clone()], &Beside::default()).records, 1);
        assert_eq!(open_gap(&[second, gap, first], &Beside::default()).records, 0, "in any order of arrival");
    }

    #[test]
    fn a_gauge_run_replaces_the_one_before() {
        let short = run("a", 1, None, 10, 9);
        assert_eq!(open_gap(std::slice::from_ref(&short), &Beside::default()).records, 1);
        assert_eq!(open_gap(&[short, run("b", 2, None, 10, 10)], &Beside::default()).records, 0);
    }

    #[test]
    fn amounts_that_differ_count_as_one_record() {
        let mut differs = run("a", 1, None, 10, 10);
        differs.amount_expected = Some(100.0);
        differs.amount_matched = Some(99.0);
        assert_eq!(gap(&differs), 1);
        differs.pending = 1;
        assert_eq!(gap(&differs), 0, "while records are pending the amounts may still settle");
    }

    fn states(all: Vec<(StateKind, &str, State)>) -> Map<StateKey, State> {
        let keyed = all.into_iter().map(|(kind, run_id, state)| {
            let name = of_run("orders", "order", run_id);
            (StateKey { integration: key(), kind, name }, state)
        });
        keyed.collect()
    }

    #[test]
    fn a_record_that_is_missing_in_several_windows_counts_once() {
        let runs = [run("mon", 1, Some((0, 86_400)), 200, 197), run("tue", 2, Some((0, 172_800)), 400, 398)];
        let keys = |keys: &[&str]| State::MissingKeys(keys.iter().map(|key| (*key).into()).collect());
        let told = states(vec![
            (StateKind::MissingKeys, "mon", keys(&["a", "b", "c"])),
            (StateKind::MissingKeys, "tue", keys(&["b", "c"])),
        ]);
        let open = open_gap(&runs, &Beside::of(&told, &runs));
        assert_eq!((open.records, open.missing, open.keys.len()), (3, 3, 3));
        assert_eq!(open_gap(&runs, &Beside::default()).records, 5, "nobody said which");
    }

    #[test]
    fn a_window_that_is_written_off_is_closed_and_the_next_run_opens_its_own() {
        let word = Word { at: 9, by: "ada".into(), reason: "test orders".into() };
        let told = states(vec![(StateKind::WrittenOff, "mon", State::WrittenOff(word))]);
        let monday = run("mon", 1, Some((0, 86_400)), 200, 196);
        let tuesday = run("tue", 10, Some((86_400, 172_800)), 100, 99);
        let runs = [monday.clone()];
        assert_eq!(open_gap(&runs, &Beside::of(&told, &runs)).records, 0);
        let runs = [monday, tuesday];
        let open = open_gap(&runs, &Beside::of(&told, &runs));
        assert_eq!((open.records, open.open.as_slice()), (1, [Arc::from("tue")].as_slice()));
        let again = [run("mon", 20, Some((0, 86_400)), 200, 190)];
        assert_eq!(
            open_gap(&again, &Beside::of(&told, &again)).records,
            10,
            "what came later was not written off"
        );
    }

    #[test]
    fn records_that_are_pending_do_not_keep_an_older_window_open() {
        let monday = run("mon", 1, Some((0, 86_400)), 200, 196);
        let mut sliding = run("tue", 2, Some((0, 90_000)), 210, 207);
        (sliding.missing, sliding.pending) = (Some(0), 3);
        assert_eq!(open_gap(&[monday, sliding], &Beside::default()).records, 0);
    }

    #[test]
    fn amounts_differ_only_where_counts_agree() {
        let mut short = run("a", 1, None, 10_000, 9_997);
        (short.amount_expected, short.amount_matched) = (Some(100.0), Some(97.0));
        let open = open_gap(std::slice::from_ref(&short), &Beside::default());
        assert_eq!(
            (open.records, open.amount_differs),
            (3, false),
            "three missing records are missing money"
        );
        short.matched = 10_000;
        let open = open_gap(std::slice::from_ref(&short), &Beside::default());
        assert_eq!((open.records, open.amount_differs), (1, true));
    }
}
