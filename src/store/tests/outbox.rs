use crate::store::catalog::Tick;
use std::time::Duration;

use super::Place;
use super::fixtures::NOON;
use crate::alert::incident::Change;
use crate::rollup::window::Minute;
use crate::store::Store;
use crate::store::mail::{Kind, Mail, MailState, NewMail, Own};

const LEASE: Duration = Duration::from_secs(60);
const SECOND: i64 = 1_000_000_000;

pub fn mail(id: &str, incident: &str, recipient: &str) -> NewMail {
    NewMail {
        id: id.into(),
        incident_id: incident.into(),
        kind: Kind::Alert(Change::RuleRemoved),
        channel: String::new(),
        headers: Vec::new(),
        recipient: recipient.into(),
        from_name: "Seamwatch".into(),
        subject: "Größe: \"fails\"".into(),
        message_id: format!("<{id}@example.com>"),
        in_reply_to: (id > "m1").then(|| "<m1@example.com>".into()),
        text: "line\r\nline".into(),
        html: "<p>&amp;</p>".into(),
        created_at: NOON,
    }
}

async fn filled<P: Place>(place: &P, mails: &[NewMail]) -> Store {
    let store = place.open().await.unwrap();
    store.record_tick(&Tick { at: Minute(1), mails, ..Tick::default() }).await.unwrap();
    store
}

async fn claim(store: &Store, now: i64) -> Vec<String> {
    let mails = store.claim_mails(now, LEASE, 10, &[]).await.unwrap();
    mails.into_iter().map(|mail| mail.mail.id).collect()
}

pub async fn mails_wait_for_the_earlier_of_their_thread<P: Place>() {
    let place = P::new();
    // Ids that do not sort as they were written: order is that of writing.
    let store =
        filled(&place, &[mail("z", "a1", "ops"), mail("b", "a1", "ops"), mail("c", "a1", "dev")]).await;
    store
        .record_tick(&Tick {
            at: Minute(2),
            mails: &[mail("a", "a1", "ops"), mail("d", "a2", "ops")],
            ..Tick::default()
        })
        .await
        .unwrap();
    assert_eq!(claim(&store, NOON - 1).await, [""; 0], "not before they were composed");
    assert_eq!(claim(&store, NOON).await, ["z", "c", "d"]);
    assert_eq!(claim(&store, NOON).await, [""; 0], "all are leased or wait");
    store.mail_sent("z", NOON + 3, "250 ok").await.unwrap();
    assert_eq!(claim(&store, NOON).await, ["b"]);
    store.mail_refused("b", "550 no such user", &[]).await.unwrap();
    assert_eq!(claim(&store, NOON).await, ["a"], "a refusal holds up nothing");
    let first = store.first_message_id("a1", "ops").await.unwrap();
    assert_eq!(first.as_deref(), Some("<z@example.com>"));
    assert_eq!(store.first_message_id("a9", "ops").await.unwrap(), None);
    let refused = store.mail("b").await.unwrap().unwrap();
    assert_eq!((refused.state, refused.error.as_str()), (MailState::Rejected, "550 no such user"));
    store.close().await;
}

pub async fn leases_end<P: Place>() {
    let place = P::new();
    let store = filled(&place, &[mail("m1", "a1", "ops"), mail("m2", "a1", "ops")]).await;
    assert_eq!(claim(&store, NOON).await, ["m1"]);
    store.close().await;
    let store = place.open().await.unwrap();
    assert_eq!(claim(&store, NOON + 59 * SECOND).await, [""; 0]);
    let again = store.claim_mails(NOON + 60 * SECOND, LEASE, 10, &[]).await.unwrap();
    let expected = Mail {
        mail: mail("m1", "a1", "ops"),
        state: MailState::Leased,
        attempts: 2,
        next_try_at: NOON + 120 * SECOND,
        error: String::new(),
        sent_at: None,
        detail: String::new(),
    };
    assert_eq!(again, [expected]);
    store.close().await;
}

pub async fn deferred_mails_come_back<P: Place>() {
    let place = P::new();
    let store = filled(&place, &[mail("m1", "a1", "ops"), mail("m2", "a1", "ops")]).await;
    claim(&store, NOON).await;
    store.mail_deferred("m1", NOON + 5 * SECOND, "connection refused").await.unwrap();
    let kept = store.mail("m1").await.unwrap().unwrap();
    assert_eq!(
        (kept.state, kept.error.as_str(), kept.attempts),
        (MailState::Deferred, "connection refused", 1)
    );
    assert_eq!(claim(&store, NOON + 4 * SECOND).await, [""; 0], "and the next of its thread waits too");
    assert_eq!(claim(&store, NOON + 5 * SECOND).await, ["m1"]);
    store.close().await;
}

pub async fn a_sent_mail_stays_sent<P: Place>() {
    let place = P::new();
    let store = filled(&place, &[mail("m1", "a1", "ops")]).await;
    claim(&store, NOON).await;
    store.mail_sent("m1", NOON + 3, "250 queued as 7").await.unwrap();
    store.mail_deferred("m1", NOON, "late news").await.unwrap();
    store.mail_refused("m1", "late news", &[]).await.unwrap();
    let kept = store.mail("m1").await.unwrap().unwrap();
    assert_eq!((kept.state, kept.sent_at), (MailState::Sent, Some(NOON + 3)));
    assert_eq!((kept.detail.as_str(), kept.error.as_str()), ("250 queued as 7", ""));
    assert_eq!(claim(&store, i64::MAX).await, [""; 0]);
    store.close().await;
}

pub async fn mails_are_listed<P: Place>() {
    let place = P::new();
    let new = [mail("m1", "a1", "ops"), mail("m2", "a2", "ops"), mail("m3", "a1", "dev")];
    let store = filled(&place, &new).await;
    let mails = |found: Vec<Mail>| found.into_iter().map(|found| found.mail).collect::<Vec<_>>();
    assert_eq!(mails(store.mails(2).await.unwrap()), [new[2].clone(), new[1].clone()]);
    assert_eq!(mails(store.mails_of("a1").await.unwrap()), [new[0].clone(), new[2].clone()]);
    assert_eq!(store.mail("m9").await.unwrap(), None);
    assert_eq!(store.claim_mails(NOON, LEASE, 2, &[]).await.unwrap().len(), 2, "the limit is kept");
    store.close().await;
}

pub async fn a_refused_mail_and_who_stands_in_are_one_step<P: Place>() {
    let place = P::new();
    let store = filled(&place, &[mail("m1", "a1", "ops"), mail("m2", "a1", "dev")]).await;
    claim(&store, NOON).await;
    store.mail_refused("m1", "550 no such user", &[mail("m3", "a1", "boss")]).await.unwrap();
    store.mail_refused("m1", "550 no such user", &[mail("m3", "a1", "boss")]).await.unwrap();
    let states = store.mails_of("a1").await.unwrap();
    let states: Vec<_> = states.iter().map(|mail| (&*mail.mail.id, mail.state)).collect();
    let expected = [("m1", MailState::Rejected), ("m2", MailState::Leased), ("m3", MailState::Queued)];
    assert_eq!(states, expected, "asked twice is once");
    store.close().await;
}

pub async fn what_is_held_back_is_told_once<P: Place>() {
    let place = P::new();
    let mails = [mail("m1", "a1", "ops"), mail("m2", "a2", "ops"), mail("m3", "a3", "ops")];
    let store = filled(&place, &mails).await;
    claim(&store, NOON).await;
    store.mail_sent("m1", NOON + 3, "ok").await.unwrap();
    assert_eq!(store.sent_to("ops", NOON).await.unwrap(), 1);
    assert_eq!(store.sent_to("ops", NOON + 3).await.unwrap(), 0, "since is exclusive");
    for id in ["m2", "m3"] {
        store.mail_held(id, "too many").await.unwrap();
    }
    let held = store.held_mails().await.unwrap();
    assert_eq!(held.iter().map(|mail| &*mail.mail.id).collect::<Vec<_>>(), ["m2", "m3"]);
    let summary = NewMail { kind: Kind::Own(Own::Summary), ..mail("s1", "", "ops") };
    store.summarise(&summary, &["m2".into(), "m3".into()]).await.unwrap();
    assert_eq!(store.held_mails().await.unwrap(), []);
    assert_eq!(claim(&store, NOON).await, ["s1"]);
    assert_eq!(store.mail("s1").await.unwrap().unwrap().mail, summary);
    store.close().await;
}

pub async fn a_paused_channel_holds_up_no_other<P: Place>() {
    let place = P::new();
    let hook = NewMail { channel: "chat".into(), ..mail("m2", "a1", "chat") };
    let store = filled(&place, &[mail("m1", "a1", "ops"), hook]).await;
    let none = store.claim_mails(NOON, LEASE, 10, &[String::new(), "chat".into()]).await.unwrap();
    assert_eq!(none, []);
    let hooks = store.claim_mails(NOON, LEASE, 10, &[String::new()]).await.unwrap();
    assert_eq!(hooks.len(), 1);
    assert_eq!(hooks[0].mail.channel, "chat");
    assert_eq!(claim(&store, NOON).await, ["m1"]);
    store.close().await;
}
