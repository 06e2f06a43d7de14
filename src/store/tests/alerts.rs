use crate::store::catalog::Tick;
use std::collections::BTreeMap;

use super::Place;
use super::fixtures::NOON;
use super::outbox::mail;
use crate::alert::incident::{Heard, Incident, Instance, InstanceKey, Phase, Severity};
use crate::rollup::window::Minute;

pub fn incident(id: &str, code: &str, opened_at: i64) -> Incident {
    Incident {
        id: id.into(),
        code: code.into(),
        rule: "success-rate-low".into(),
        labels: BTreeMap::from([("integration".into(), "stripe".into())]),
        title: "Stripe fails".into(),
        severity: Severity::Critical,
        level: "page".into(),
        runbook: "success-rate-low.md".into(),
        signal: "call.success_rate".into(),
        since: opened_at - 5,
        opened_at,
        resolved_at: None,
        value: "68.9 %".into(),
        worst: "60 %".into(),
        worst_raw: 0.6,
        threshold: "< 95 %".into(),
        sentence: "31 of 100 failed.".into(),
        evidence: vec![("failed".into(), "31".into())],
        cause: "server".into(),
        first_cause: String::new(),
        changed: String::new(),
        ending: String::new(),
        at_worst: None,
        withheld: None,
        also: Vec::new(),
        to: Vec::new(),
    }
}

pub fn instance(integration: &str, phase: Phase) -> Instance {
    Instance {
        key: InstanceKey {
            rule: "success-rate-low".into(),
            labels: BTreeMap::from([("integration".into(), integration.into())]),
        },
        phase,
        since: Some(Minute(5)),
        clear_since: None,
        unknown_since: None,
        last_tick: Minute(7),
        incident: Some(incident("a1", "K7Q2", NOON)),
        closed_at: None,
        flips: vec![Minute(6)],
        flapping_since: None,
        heard: Heard::Firing,
        told_at: None,
        told_since: None,
        escalated: false,
        worse_at: None,
        explained_at: None,
        explained_worst: None,
    }
}

pub async fn a_tick_is_kept_whole_and_can_be_repeated<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    assert_eq!(store.instances().await.unwrap(), (vec![], None));
    let (firing, pending) = (instance("stripe", Phase::Firing), instance("hubspot", Phase::Pending));
    let opened = incident("a1", "K7Q2", NOON);
    for _ in 0..2 {
        let both = [firing.clone(), pending.clone()];
        let mails = [mail("m1", "a1", "ops@example.com")];
        store
            .record_tick(&Tick {
                at: Minute(7),
                instances: &both,
                incidents: std::slice::from_ref(&opened),
                mails: &mails,
                ..Tick::default()
            })
            .await
            .unwrap();
    }
    assert_eq!(store.mails(9).await.unwrap().len(), 1);
    store.close().await;

    let store = place.open().await.unwrap();
    let (kept, tick) = store.instances().await.unwrap();
    assert_eq!((kept, tick), (vec![pending.clone(), firing.clone()], Some(Minute(7))));
    let mut closed = opened.clone();
    closed.resolved_at = Some(NOON + 9);
    closed.worst_raw = f64::INFINITY;
    let changed = Instance { phase: Phase::Recovering, ..firing.clone() };
    let tick = Minute(8);
    store
        .record_tick(&Tick {
            at: tick,
            instances: std::slice::from_ref(&changed),
            gone: &[pending.key],
            incidents: &[closed],
            ..Tick::default()
        })
        .await
        .unwrap();
    assert_eq!(store.instances().await.unwrap(), (vec![changed], Some(tick)));
    let incidents = store.incidents(false, 9).await.unwrap();
    assert_eq!((incidents[0].resolved_at, incidents[0].worst_raw), (Some(NOON + 9), f64::MAX));
    assert_eq!(store.incidents(true, 9).await.unwrap(), vec![]);
    store.close().await;
}

pub async fn incidents_are_found<P: Place>() {
    let place = P::new();
    let store = place.open().await.unwrap();
    let mut all: Vec<_> = (0..4).map(|n| incident(&format!("a{n}"), "K7Q2", NOON + n)).collect();
    all[2].code = "B3B3".into();
    all[3].resolved_at = Some(NOON + 9);
    store.record_tick(&Tick { at: Minute(1), incidents: &all, ..Tick::default() }).await.unwrap();
    let ids = |found: Vec<Incident>| found.into_iter().map(|incident| incident.id).collect::<Vec<_>>();
    assert_eq!(ids(store.incidents(false, 3).await.unwrap()), ["a3", "a2", "a1"]);
    assert_eq!(ids(store.incidents(true, 9).await.unwrap()), ["a2", "a1", "a0"]);
    let one = async |name: &str| store.incident(name).await.unwrap().map(|incident| incident.id);
    assert_eq!(one("a1").await.as_deref(), Some("a1"));
    assert_eq!(one("k7q2").await.as_deref(), Some("a3"), "the latest of a code");
    assert_eq!(one("B3B3").await.as_deref(), Some("a2"));
    assert_eq!(one("nothing").await, None);
    assert_eq!(store.incident("a0").await.unwrap().as_ref(), all.first());
    store.close().await;
}
