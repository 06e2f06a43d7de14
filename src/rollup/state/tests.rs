use std::sync::Arc;

use super::*;
use crate::signals::observation::IntegrationKey;

fn key() -> IntegrationKey {
    IntegrationKey { environment: Arc::from("default"), name: Arc::from("shop") }
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
