use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::alert::incident::Change;
use crate::outgoing::{client, guard};
use crate::rollup::window::Minute;

fn incident() -> Incident {
    Incident {
        id: "00112233445566778899aabbccddeeff".into(),
        code: "K7Q2".into(),
        rule: Arc::from("success-rate-low"),
        labels: [("integration", "hubspot-crm"), ("endpoint", "POST /contacts")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        title: "POST contacts success rate".into(),
        severity: Severity::Warning,
        level: String::new(),
        runbook: "success-rate-low.md".into(),
        signal: "call.success_rate".into(),
        since: 0,
        opened_at: 0,
        resolved_at: None,
        value: "68.9 %".into(),
        worst: "61.0 %".into(),
        worst_raw: 0.61,
        threshold: "under 95 %".into(),
        sentence: "12 of 40 calls <!channel> failed since 1970-01-01T00:00:00Z.".into(),
        evidence: vec![("Failed".into(), "12 of 40".into())],
        cause: "auth".into(),
        first_cause: "auth".into(),
        changed: String::new(),
        ending: String::new(),
        at_worst: None,
        withheld: None,
        also: vec![("acct_1".into(), "31 %".into())],
        to: Vec::new(),
    }
}

fn transition(change: Change) -> Transition {
    let mut incident = incident();
    if change == Change::Resolved {
        incident.resolved_at = Some(60_000_000_000);
        incident.severity = Severity::Info;
    }
    Transition { at: Minute(0), change, incident, notify: true }
}

fn channels(form: Form, url: &str, least: Severity) -> Channels {
    let policy = guard::Policy::new(&["127.0.0.1".into()], &["127.0.0.1".into()], &[1]).unwrap();
    channels_under(policy, form, url, least)
}

fn channels_under(policy: guard::Policy, form: Form, url: &str, least: Severity) -> Channels {
    let client = client::Client::new(policy, client::system(), client::trust(None).unwrap());
    let channel = Channel {
        name: "ops".into(),
        form,
        url: url.into(),
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
        least,
        integrations: vec!["hubspot-crm".into()],
    };
    Channels { client, all: vec![channel] }
}

fn context() -> Context {
    Context { base_url: "https://watch.example.com".into(), ..Context::default() }
}

fn body(form: Form, change: Change) -> Value {
    let all = channels(form, "http://127.0.0.1:1/x", Severity::Warning);
    let mails = all.compose(&transition(change), &context(), &["ops".into()]);
    assert_eq!((mails.len(), &*mails[0].channel, &*mails[0].recipient), (1, "ops", "ops"));
    serde_json::from_str(&mails[0].text).unwrap()
}

#[test]
fn a_signature_is_that_of_standard_webhooks() {
    // The example of the specification's reference implementations.
    let signed = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        "{\"test\": 2432232314}",
    );
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn a_channel_is_told_of_what_it_asked_for_and_of_its_end() {
    let of = |least, told: &[String], change| {
        channels(Form::Slack, "http://127.0.0.1:1/x", least)
            .compose(&transition(change), &context(), told)
            .len()
    };
    assert_eq!(of(Severity::Critical, &[], Change::Fired), 0);
    assert_eq!(of(Severity::Warning, &[], Change::Fired), 1);
    assert_eq!(of(Severity::Warning, &[], Change::Resolved), 0, "mild by now, and never told");
    assert_eq!(of(Severity::Warning, &["ops".into()], Change::Resolved), 1);
    let mut other = transition(Change::Fired);
    other.incident.labels.insert("integration".into(), "shop".into());
    let all = channels(Form::Slack, "http://127.0.0.1:1/x", Severity::Info);
    assert_eq!(all.compose(&other, &context(), &[]).len(), 0, "another integration");
}

#[test]
fn a_webhook_says_all_of_it_with_times_in_utc() {
    let told = body(Form::Webhook, Change::Fired);
    assert_eq!(told["type"], "incident.fired");
    let data = &told["data"];
    assert_eq!((&data["code"], &data["state"]), (&json!("K7Q2"), &json!("firing")));
    assert_eq!(data["since"], "1970-01-01T00:00:00Z");
    assert_eq!(data["also"], json!([{ "place": "acct_1", "value": "31 %" }]));
    assert_eq!(data["links"]["incident"], "https://watch.example.com/incidents/K7Q2");
    assert_eq!(body(Form::Webhook, Change::Resolved)["data"]["state"], "resolved");
}

#[test]
fn a_chat_gets_one_text_in_which_nothing_from_outside_is_a_mention() {
    let text = body(Form::Slack, Change::Fired)["text"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("▲ *hubspot-crm degraded* · K7Q2\n12 of 40 calls &lt;!channel&gt; failed since"),
        "{text}"
    );
    assert!(text.contains("One other of the same.") && text.contains("/incidents/K7Q2|Incident>"), "{text}");
}

#[test]
fn pagerduty_opens_acknowledges_and_closes_one_alert_and_its_key_is_kept_nowhere() {
    for (change, action) in
        [(Change::Fired, "trigger"), (Change::Reminder, "trigger"), (Change::Resolved, "resolve")]
    {
        let event = body(Form::PagerDuty, change);
        assert_eq!(event["event_action"], action);
        assert_eq!(event["dedup_key"], "00112233445566778899aabbccddeeff");
        assert!(event.get("routing_key").is_none());
    }
    let all = channels(Form::PagerDuty, "http://127.0.0.1:1/x", Severity::Warning);
    assert_eq!(all.acknowledged(&incident(), "ana", &[], 5).len(), 0, "it was never told");
    let mail = all.acknowledged(&incident(), "ana", &["ops".into()], 5).remove(0);
    assert!(mail.text.contains("\"acknowledge\""), "{}", mail.text);
    let (_, sent) = request(&all.all[0], &mail, 5);
    assert!(sent.contains("\"routing_key\":\"whsec_"), "{sent}");
}

/// A server that answers once, and what it was asked.
async fn answering(status: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = String::new();
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            seen += std::str::from_utf8(&buffer[..read]).unwrap();
            let complete = seen.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                let length = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                length.is_some_and(|length| body.len() >= length.parse().unwrap())
            });
            if complete || read == 0 {
                break;
            }
        }
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        seen
    });
    (port, asked)
}

async fn sent(form: Form, status: &'static str) -> (Result<String, SendError>, String) {
    let (port, asked) = answering(status).await;
    let policy = guard::Policy::new(&["127.0.0.1".into()], &["127.0.0.1".into()], &[port]).unwrap();
    let all = channels_under(policy, form, &format!("http://127.0.0.1:{port}/hook"), Severity::Warning);
    let mail = all.compose(&transition(Change::Fired), &context(), &[]).remove(0);
    (all.send(&mail, 1_700_000_000_000_000_000).await, asked.await.unwrap())
}

#[tokio::test]
async fn a_webhook_is_posted_with_its_signature() {
    let (answer, asked) = sent(Form::Webhook, "204 No Content").await;
    assert_eq!(answer, Ok("ops answered 204".into()));
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook HTTP/1.1"), "{head}");
    let named = |name: &str| {
        head.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned()).unwrap()
    };
    let (id, time) = (named("webhook-id:"), named("webhook-timestamp:"));
    assert_eq!(time, "1700000000");
    let signed = signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &id, 1_700_000_000, body);
    assert_eq!(named("webhook-signature:"), signed);
}

#[tokio::test]
async fn what_is_answered_says_whether_to_try_again() {
    for (status, blame) in [
        ("503 Busy", Blame::Relay),
        ("429 Slow down", Blame::Relay),
        ("401 Unauthorized", Blame::Ours),
        ("404 Not Found", Blame::Ours),
        ("302 Found", Blame::Ours),
        ("400 Bad Request", Blame::Content),
    ] {
        let (answer, _) = sent(Form::Slack, status).await;
        assert_eq!(answer.map_err(|error| error.blame), Err(blame), "{status}");
    }
    let inside = channels_under(
        guard::Policy::new(&[], &[], &guard::PORTS).unwrap(),
        Form::Slack,
        "https://127.0.0.1/hook",
        Severity::Warning,
    );
    let mail = inside.compose(&transition(Change::Fired), &context(), &[]).remove(0);
    let error = inside.send(&mail, 0).await.unwrap_err();
    assert_eq!(error.blame, Blame::Ours, "{error:?}");
}
