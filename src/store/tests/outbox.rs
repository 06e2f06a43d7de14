use crate::store::catalog::Tick;
use std::time::Duration;

use super::Place;
use super::fixtures::NOON;
use crate::alert::incident::Change;
use crate::rollup::window::Minute;
use crate::store::Store;
use crate::store::mail::{Mail, MailState, NewMail};

const LEASE: Duration = Duration::from_secs(60);
const SECOND: i64 = 1_000_000_000;

pub fn mail(id: &str, incident: &str, recipient: &str) -> NewMail {
    NewMail {
        id: id.into(),
        incident_id: incident.into(),
        change: Change::RuleRemoved,
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
    let mails = store.claim_mails(now, LEASE, 10).await.unwrap();
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
    store.mail_rejected("b", "550 no such user").await.unwrap();
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
    let again = store.claim_mails(NOON + 60 * SECOND, LEASE, 10).await.unwrap();
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
    store.mail_rejected("m1", "late news").await.unwrap();
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
    assert_eq!(store.claim_mails(NOON, LEASE, 2).await.unwrap().len(), 2, "the limit is kept");
    store.close().await;
}
