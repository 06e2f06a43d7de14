use super::fixtures::NOON;
use super::{Error, Place};
use crate::access::audit::{Actor, START, verify};
use crate::access::key::{NewKey, Verdict};
use crate::access::secret::{Kind, Secret};

fn ada() -> Actor {
    Actor { name: "ada".into(), address: "192.0.2.7".into() }
}

fn new(name: &str) -> NewKey {
    NewKey {
        name: name.into(),
        integration: "shop".parse().unwrap(),
        environment: "prod*".parse().unwrap(),
        expires_at: Some(NOON + 100),
        rate: Some(50),
        byte_rate: None,
    }
}

pub async fn a_key_is_kept_as_its_hash_and_audited<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let before = store.access().await.unwrap();
    assert!(!before.keys);
    let (key, secret) = store.make_key(&new("shop-1"), &ada(), NOON).await.unwrap();
    assert_eq!(Secret::read(secret.reveal()), Some((Kind::IngestKey, secret.clone())));
    assert_eq!((key.id, key.hash, &*key.made_by), (1, secret.hash(), "ada"));
    store.close().await;
    let store = place.open().await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [key]);
    let after = store.access().await.unwrap();
    assert!(after.keys && after.version > before.version);
    let links = store.audit_after(0, 10).await.unwrap();
    assert!(verify(START, 0, &links).is_ok());
    let entry = &links[0].entry;
    assert_eq!((&*entry.actor, &*entry.action, &*entry.object), ("ada", "key.made", "shop-1 (key 1)"));
    assert!(
        entry.detail.starts_with("For integration shop in environment prod*; ends 2"),
        "{}",
        entry.detail
    );
    store.close().await;
}

pub async fn a_third_valid_key_is_refused_and_leaves_no_trace<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    for name in ["a", "b"] {
        store.make_key(&new(name), &ada(), NOON).await.unwrap();
    }
    let version = store.access().await.unwrap().version;
    let said = store.make_key(&new("c"), &ada(), NOON).await.unwrap_err();
    assert!(matches!(&said, Error::Unfit(text) if text.contains("2 keys are valid")), "{said}");
    assert_eq!(store.keys().await.unwrap().len(), 2);
    assert_eq!(store.audit_after(0, 10).await.unwrap().len(), 2);
    assert_eq!(store.access().await.unwrap().version, version);
    store.revoke_key(1, None, &ada(), NOON).await.unwrap();
    store.make_key(&new("c"), &ada(), NOON).await.unwrap();
    store.close().await;
}

pub async fn keys_made_at_once_are_two_at_most<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let make = |n: usize| {
        let store = store.clone();
        tokio::spawn(async move { store.make_key(&new(&format!("k{n}")), &ada(), NOON).await.is_ok() })
    };
    let made = futures_util::future::join_all((0..8).map(make)).await;
    assert_eq!(made.into_iter().filter(|made| *made.as_ref().unwrap()).count(), 2);
    store.close().await;
}

pub async fn revoking_may_leave_a_grace_and_end_it<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.make_key(&new("a"), &ada(), NOON).await.unwrap();
    let verdict = async || store.keys().await.unwrap()[0].verdict(NOON + 10);
    store.revoke_key(1, Some(NOON + 50), &ada(), NOON + 5).await.unwrap();
    assert_eq!(verdict().await, Verdict::Flagged(NOON + 50));
    store.revoke_key(1, None, &ada(), NOON + 6).await.unwrap();
    assert_eq!(verdict().await, Verdict::Revoked(NOON + 5), "since it was first revoked");
    let again = store.revoke_key(1, None, &ada(), NOON + 7).await.unwrap_err();
    assert!(matches!(&again, Error::Unfit(text) if text.contains("already")), "{again}");
    store.revoke_key(1, Some(NOON + 60), &ada(), NOON + 8).await.unwrap();
    assert_eq!(verdict().await, Verdict::Flagged(NOON + 60), "revoked by mistake");
    assert!(matches!(store.revoke_key(9, None, &ada(), NOON).await, Err(Error::Unfit(_))));
    let actions: Vec<_> =
        store.audit_after(1, 10).await.unwrap().into_iter().map(|link| link.entry.action).collect();
    assert_eq!(actions, ["key.revoked"; 3]);
    store.close().await;
}

pub async fn the_last_use_only_moves_forward<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    store.make_key(&new("a"), &ada(), NOON).await.unwrap();
    let version = store.access().await.unwrap().version;
    for at in [NOON + 9, NOON + 4] {
        store.note_use(&[(1, at), (77, at)], &[ada().did(at, "x", "".into(), "".into())]).await.unwrap();
    }
    assert_eq!(store.keys().await.unwrap()[0].last_used_at, Some(NOON + 9));
    assert_eq!(store.audit_after(1, 10).await.unwrap().len(), 2);
    assert_eq!(store.access().await.unwrap().version, version, "doors need not read keys again for that");
    store.close().await;
}
