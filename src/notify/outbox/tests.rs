//! The outbox on a clock of the tests' own, with a relay that takes or refuses as they say.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::alert::incident::Change;
use crate::outgoing::{client, guard};
use crate::rollup::window::Minute;
use crate::store::catalog::Tick;
use crate::store::mail::{Kind, NewMail, Own};

const START: Nanos = 1_800_000_000_000_000_000;
const SECOND: Nanos = 1_000_000_000;
const HOUR: Nanos = 3_600 * SECOND;

type Answer = Box<dyn Fn(&NewMail, Nanos) -> Result<String, SendError> + Send + Sync>;

struct Scene {
    outbox: Outbox,
    now: Arc<AtomicI64>,
    taken: Arc<Mutex<Vec<NewMail>>>,
    _folder: tempfile::TempDir,
}

fn refuses(blame: Blame, message: &str) -> Result<String, SendError> {
    Err(SendError { blame, message: message.into() })
}

impl Scene {
    async fn new(hourly: u32, answer: Answer) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(START));
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (ticks, of, into) = (now.clone(), now.clone(), taken.clone());
        let world = World { clock: Arc::new(move || ticks.load(Ordering::SeqCst)), ..World::real() };
        let store = Store::open(crate::store::Settings::new(folder.path()), &world).await.unwrap();
        let policy = guard::Policy::new(&[], &[], &guard::PORTS).unwrap();
        let client = client::Client::new(policy, client::system(), client::trust(None).unwrap());
        let mailer = Mailer::Test(Box::new(move |mail| {
            let answered = answer(mail, of.load(Ordering::SeqCst));
            if answered.is_ok() {
                into.lock().unwrap().push(mail.clone());
            }
            answered
        }));
        let settings = Settings {
            from: "seamwatch@example.com".into(),
            hourly,
            stand_ins: vec!["on-call@example.com".into(), "lead@example.com".into()],
            readdress: Arc::new(|body, to| body.replace("/a/ana", &format!("/a/{to}"))),
        };
        let outbox = Outbox {
            store,
            mailer: Arc::new(mailer),
            channels: Arc::new(Channels { client, all: Vec::new() }),
            pauses: Pauses::default(),
            settings,
            world,
        };
        Scene { outbox, now, taken, _folder: folder }
    }

    async fn write(&self, mails: &[NewMail]) {
        let tick = Tick { at: Minute(1), mails, ..Tick::default() };
        self.outbox.store.record_tick(&tick).await.unwrap();
    }

    /// Lets the clock go on, a few seconds at a time as the loop looks.
    async fn pass(&self, nanos: Nanos) {
        let until = self.now.load(Ordering::SeqCst) + nanos;
        loop {
            while self.outbox.step().await.unwrap() {}
            let now = self.now.load(Ordering::SeqCst);
            if now >= until {
                return;
            }
            self.now.store((now + 15 * SECOND).min(until), Ordering::SeqCst);
        }
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|mail| mail.id.clone()).collect()
    }

    async fn state(&self, id: &str) -> MailState {
        self.outbox.store.mail(id).await.unwrap().unwrap().state
    }
}

fn mail(id: &str, incident: &str, recipient: &str) -> NewMail {
    NewMail {
        id: id.into(),
        incident_id: incident.into(),
        kind: Kind::Alert(Change::Fired),
        channel: String::new(),
        recipient: recipient.into(),
        from_name: "shop failing".into(),
        subject: format!("AUTH · shop · {incident}"),
        message_id: format!("<{id}.fired@seamwatch>"),
        in_reply_to: None,
        headers: Vec::new(),
        text: "31 % of the calls fail.\n\nAcknowledge http://x/a/ana".into(),
        html: "<body><!-- note --><a href=\"http://x/a/ana\">Acknowledge</a></body>".into(),
        created_at: START,
    }
}

#[tokio::test]
async fn an_hour_and_six_hours_without_a_relay_lose_nothing_and_keep_the_order() {
    for hours in [1, 6] {
        let down = START + hours * HOUR;
        let answer: Answer = Box::new(move |mail, now| match now < down {
            true => refuses(Blame::Relay, "relay:25 cannot be reached: connection refused."),
            false => Ok(mail.id.clone()),
        });
        let scene = Scene::new(1000, answer).await;
        let mails: Vec<NewMail> = (0..40)
            .map(|at| mail(&format!("m{at:02}"), &format!("i{}", at % 20), "ana@example.com"))
            .collect();
        scene.write(&mails).await;
        scene.pass(down - START - SECOND).await;
        assert_eq!(scene.taken(), [""; 0]);
        let troubles = scene.outbox.pauses.troubles(down);
        assert!(troubles[0].1.starts_with("No mail leaves: relay:25 cannot be reached"), "{troubles:?}");
        // The longest pause is ten minutes and a quarter more.
        scene.pass(30 * 60 * SECOND).await;
        let mut taken = scene.taken();
        for (first, second) in (0..20).map(|at| (format!("m{at:02}"), format!("m{:02}", at + 20))) {
            let place = |id: &String| taken.iter().position(|one| one == id).unwrap();
            assert!(place(&first) < place(&second), "{first} before {second} of the same thread: {taken:?}");
        }
        taken.sort();
        assert_eq!(taken, mails.iter().map(|mail| mail.id.clone()).collect::<Vec<_>>());
        assert_eq!(scene.outbox.pauses.troubles(i64::MAX), []);
    }
}

#[tokio::test]
async fn a_refused_recipient_is_shown_and_the_next_gets_it_with_a_line_that_says_why() {
    let answer: Answer = Box::new(|mail, _| match mail.recipient.as_str() {
        "ana@example.com" => refuses(Blame::Recipient, "relay:25 refuses the recipient: 550 no such user."),
        _ => Ok("ok".into()),
    });
    let scene = Scene::new(30, answer).await;
    let three = ["ana@example.com", "bo@example.com", "cy@example.com"];
    scene.write(&three.map(|to| mail(&to[..2], "i1", to))).await;
    scene.pass(60 * SECOND).await;
    assert_eq!(scene.state("an").await, MailState::Rejected);
    let taken = scene.taken.lock().unwrap().clone();
    let to: Vec<&str> = taken.iter().map(|mail| &*mail.recipient).collect();
    assert_eq!(to, ["bo@example.com", "cy@example.com", "on-call@example.com"], "one refusal stops no other");
    let instead = &taken[2];
    assert!(instead.text.starts_with("You get this because the mail to ana@example.com was refused."));
    let one_line = instead.text.replace('\n', " ");
    assert!(one_line.contains("550 no such user") && one_line.contains("31 % of the calls fail."));
    assert!(instead.html.contains("was refused. relay:25 refuses the recipient: 550 no such user."));
    for part in [&instead.text, &instead.html] {
        assert!(part.contains("/a/on-call@example.com") && !part.contains("/a/ana"), "{part}");
    }
    assert_ne!(instead.message_id, mail("an", "i1", "x").message_id);
}

#[tokio::test]
async fn who_stands_in_is_never_one_who_has_it_or_was_refused() {
    let answer: Answer = Box::new(|mail, _| match mail.recipient.as_str() {
        "lead@example.com" => Ok("ok".into()),
        _ => refuses(Blame::Recipient, "550"),
    });
    let scene = Scene::new(30, answer).await;
    scene.write(&[mail("m1", "i1", "on-call@example.com")]).await;
    scene.pass(60 * SECOND).await;
    let to: Vec<String> = scene.taken.lock().unwrap().iter().map(|mail| mail.recipient.clone()).collect();
    assert_eq!(to, ["lead@example.com"]);
    let nobody = Scene::new(30, Box::new(|_, _| refuses(Blame::Recipient, "550"))).await;
    nobody.write(&[mail("m1", "i1", "ana@example.com")]).await;
    nobody.pass(60 * SECOND).await;
    let all = nobody.outbox.store.mails_of("i1").await.unwrap();
    assert_eq!(all.len(), 3, "each was asked once");
    assert!(all.iter().all(|mail| mail.state == MailState::Rejected));
}

#[tokio::test]
async fn our_own_mistake_pauses_the_relay_and_drops_nothing() {
    let mended = START + 20 * 60 * SECOND;
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let answer: Answer = Box::new(move |_, now| {
        *count.lock().unwrap() += 1;
        match now < mended {
            true => refuses(Blame::Ours, "relay:587 refuses the login: 535. Check smtp.username."),
            false => Ok("ok".into()),
        }
    });
    let scene = Scene::new(30, answer).await;
    let mails: Vec<NewMail> =
        (0..10).map(|at| mail(&format!("m{at}"), &format!("i{at}"), "ana@example.com")).collect();
    scene.write(&mails).await;
    scene.pass(SECOND).await;
    let troubles = scene.outbox.pauses.troubles(START + SECOND);
    assert!(troubles[0].1.contains("refuses the login") && troubles[0].1.contains("every five minutes"));
    scene.pass(19 * 60 * SECOND).await;
    assert!(*asked.lock().unwrap() <= 5, "asked once in five minutes, not {} times", asked.lock().unwrap());
    scene.pass(10 * 60 * SECOND).await;
    assert_eq!(scene.taken().len(), 10);
    assert_eq!(scene.outbox.pauses.troubles(i64::MAX), []);
}

#[tokio::test]
async fn one_mail_that_the_relay_hangs_up_on_holds_up_no_other_for_long() {
    let answer: Answer = Box::new(|mail, _| match mail.id.as_str() {
        "m0" => refuses(Blame::Relay, "relay:25: the connection was closed."),
        _ => Ok("ok".into()),
    });
    let scene = Scene::new(30, answer).await;
    scene.write(&[mail("m0", "i0", "ana@example.com"), mail("m1", "i1", "bo@example.com")]).await;
    scene.pass(60 * SECOND).await;
    assert_eq!(scene.taken(), ["m1"]);
    assert_eq!(scene.state("m0").await, MailState::Deferred);
    scene.outbox.store.mails_due(scene.now.load(Ordering::SeqCst)).await.unwrap();
    let waits = scene.outbox.store.mail("m0").await.unwrap().unwrap();
    assert!(waits.next_try_at <= scene.now.load(Ordering::SeqCst), "a start tries it at once");
}

#[tokio::test]
async fn a_busy_recipient_holds_up_nobody_else_and_is_given_up_after_two_days() {
    let answer: Answer = Box::new(|mail, _| match mail.recipient.as_str() {
        "ana@example.com" => refuses(Blame::Busy, "450 mailbox busy"),
        _ => Ok("ok".into()),
    });
    let scene = Scene::new(30, answer).await;
    scene.write(&[mail("m1", "i1", "ana@example.com"), mail("m2", "i1", "bo@example.com")]).await;
    scene.pass(SECOND).await;
    assert_eq!(scene.taken(), ["m2"]);
    assert_eq!(scene.state("m1").await, MailState::Deferred);
    scene.now.store(START + GIVEN_UP + HOUR, Ordering::SeqCst);
    scene.pass(60 * SECOND).await;
    assert_eq!(scene.state("m1").await, MailState::Rejected);
    assert_eq!(scene.taken.lock().unwrap()[1].recipient, "on-call@example.com");
}

#[tokio::test]
async fn what_is_too_much_within_an_hour_is_told_in_one_summary() {
    let scene = Scene::new(3, Box::new(|_, _| Ok("ok".into()))).await;
    let mut mails: Vec<NewMail> =
        (0..8).map(|at| mail(&format!("m{at}"), &format!("i{at}"), "ana@example.com")).collect();
    mails.push(mail("m9", "i9", "bo@example.com"));
    let critical = vec![("X-Seamwatch-Severity".to_owned(), "critical".to_owned())];
    mails.push(NewMail { headers: critical, ..mail("mc", "ic", "ana@example.com") });
    scene.write(&mails).await;
    scene.pass(HOUR - 60 * SECOND).await;
    assert_eq!(
        scene.taken(),
        ["m0", "m1", "m2", "m9", "mc"],
        "another's count is another's; critical goes on"
    );
    assert_eq!(scene.state("m5").await, MailState::Held);
    scene.pass(10 * 60 * SECOND).await;
    let taken = scene.taken.lock().unwrap().clone();
    assert_eq!(taken.len(), 6, "one summary");
    let summary = &taken[5];
    assert_eq!((summary.kind, &*summary.recipient), (Kind::Own(Own::Summary), "ana@example.com"));
    assert_eq!(summary.subject, "5 mails were held back");
    for at in 3..8 {
        let subject = format!("AUTH · shop · i{at}");
        assert!(summary.text.contains(&subject) && summary.html.contains(&subject), "{}", summary.text);
    }
    scene.pass(3 * HOUR).await;
    assert_eq!(scene.taken().len(), 6, "and nothing after it");
}

#[tokio::test]
async fn what_cannot_be_said_to_anybody_goes_to_nobody_else() {
    let scene = Scene::new(30, Box::new(|_, _| refuses(Blame::Content, "554 spam"))).await;
    scene.write(&[mail("m1", "i1", "ana@example.com")]).await;
    scene.pass(60 * SECOND).await;
    assert_eq!(scene.state("m1").await, MailState::Rejected);
    assert_eq!(scene.outbox.store.mails_of("i1").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_of_a_channel_that_is_gone_is_refused_and_stops_nothing() {
    let scene = Scene::new(30, Box::new(|_, _| Ok("ok".into()))).await;
    let gone = NewMail { channel: "chat".into(), ..mail("m1", "i1", "chat") };
    scene.write(&[gone, mail("m2", "i1", "ana@example.com")]).await;
    scene.pass(60 * SECOND).await;
    assert_eq!(scene.state("m1").await, MailState::Rejected);
    assert_eq!(scene.taken(), ["m2"]);
}
