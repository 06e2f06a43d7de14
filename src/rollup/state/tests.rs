use std::sync::Arc;

use super::*;
use crate::signals::observation::IntegrationKey;

fn key() -> IntegrationKey {
    IntegrationKey { environment: Arc::from("default"), name: Arc::from("shop") }
}

fn run(id: &str, time: Nanos, window: Option<(i64, i64)>, expected: u64, matched: u64) -> ReconciliationRun {
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
    let open = open_gap(&[monday.clone(), tuesday.clone()]);
    assert_eq!((open.records, open.runs_since), (4, 1));
    let again = run("mon-2", 3, Some((0, 86_400)), 200, 200);
    assert_eq!(open_gap(&[monday, tuesday, again]).records, 0);
}

#[test]
fn clean_runs_that_together_cover_a_window_close_it() {
    let gap = run("a", 1, Some((0, 100)), 10, 9);
    let first = run("b", 2, Some((0, 60)), 5, 5);
    let second = run("c", 3, Some((60, 100)), 5, 5);
    assert_eq!(open_gap(&[gap.clone(), first.clone()]).records, 1);
    assert_eq!(open_gap(&[second, gap, first]).records, 0, "in any order of arrival");
}

#[test]
fn a_gauge_run_replaces_the_one_before() {
    let short = run("a", 1, None, 10, 9);
    assert_eq!(open_gap(std::slice::from_ref(&short)).records, 1);
    assert_eq!(open_gap(&[short, run("b", 2, None, 10, 10)]).records, 0);
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

fn update(time: Nanos, expires_at: i64, refreshed: Option<i64>) -> SlotUpdate {
    SlotUpdate {
        integration: key(),
        credential: Arc::from("oauth"),
        time,
        kind: None,
        renewal: Some("manual".into()),
        expiry: None,
        owner_type: None,
        owner_name: None,
        provider: None,
        fingerprint: None,
        connection: None,
        expires_at: Some(expires_at),
        issued_at: None,
        last_refreshed_at: refreshed,
        last_used_at: None,
        rotation_due_at: None,
        idle_limit: None,
        retired: false,
    }
}

#[test]
fn a_new_generation_supersedes_the_old_one_whole_and_in_any_order() {
    let old = Slot::of(&update(5, 900, Some(100)));
    let new = Slot::of(&update(4, 500, Some(200)));
    for (mut a, b) in [(old.clone(), new.clone()), (new, old)] {
        a.merge(&b);
        assert_eq!(a.expires_at(), Some(500));
        assert_eq!(a.lifetime(), Some(300));
    }
}

#[test]
fn a_retired_slot_is_gone_and_a_later_report_revives_it() {
    let mut slot = Slot::of(&update(1, 900, None));
    let mut gone = update(2, 900, None);
    gone.retired = true;
    slot.merge(&Slot::of(&gone));
    assert!(slot.is_gone(3));
    slot.merge(&Slot::of(&update(3, 900, None)));
    assert!(!slot.is_gone(4));
}
