use super::Place;
use super::fixtures::NOON;
use crate::access::audit::{Entry, START, verify};

fn entry(actor: &str, action: &str) -> Entry {
    Entry {
        at: NOON,
        actor: actor.into(),
        action: action.into(),
        object: "billing-sync".into(),
        detail: "50 % \"off\"".into(),
        address: "192.0.2.7".into(),
    }
}

pub async fn entries_hang_together<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    for number in 0..5 {
        store.audit(&entry(&format!("ada{number}"), "key.made")).await.unwrap();
    }
    store.close().await;
    // The chain goes on where it was, and many writers at once make no fork.
    let store = place.open().await.unwrap();
    let writes = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.audit(&entry("Grace", "login.ok")).await.unwrap() })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    let links = store.audit_after(0, 100).await.unwrap();
    assert_eq!(links.len(), 13);
    assert_eq!(verify(START, 0, &links), Ok(links[12].hash));
    assert_eq!(store.audit_after(11, 1).await.unwrap(), links[11..12]);
    store.close().await;
}

pub async fn entries_are_found_by_any_of_their_texts<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    for (actor, action) in [("ada", "key.made"), ("grace", "login.ok"), ("ada", "key.revoked")] {
        store.audit(&entry(actor, action)).await.unwrap();
    }
    let found = async |text: &str| {
        let links = store.audit_latest(text, 10).await.unwrap();
        links.iter().map(|link| link.number).collect::<Vec<_>>()
    };
    assert_eq!(found("").await, [3, 2, 1]);
    assert_eq!(found("ADA").await, [3, 1]);
    assert_eq!(found("login").await, [2]);
    assert_eq!(found("% \"off").await.len(), 3);
    assert_eq!(found("%").await.len(), 3);
    assert_eq!(found("nobody").await, [] as [i64; 0]);
    assert_eq!(store.audit_latest("", 2).await.unwrap().len(), 2);
    store.close().await;
}
