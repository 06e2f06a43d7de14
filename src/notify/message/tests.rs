use std::sync::Arc;

use super::*;
use crate::rollup::window::Minute;

const MINUTE: Nanos = 60_000_000_000;

fn transition(change: Change) -> Transition {
    let labels = [
        ("integration", "hubspot-crm"),
        ("environment", "default"),
        ("endpoint", "PATCH /crm/v3/objects/contacts/{id}"),
    ];
    let over = change == Change::Resolved;
    Transition {
        at: Minute(100),
        change,
        notify: true,
        incident: Incident {
            id: "00112233445566778899aabbccddeeff".into(),
            code: "K7Q2".into(),
            rule: Arc::from("success-rate-low"),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            title: "PATCH contacts success rate".into(),
            severity: Severity::Critical,
            level: String::new(),
            runbook: "success-rate-low.md".into(),
            signal: "call.success_rate".into(),
            since: 90 * MINUTE,
            opened_at: 95 * MINUTE,
            resolved_at: over.then_some(112 * MINUTE),
            value: "68.9 %".into(),
            worst: "61.0 %".into(),
            worst_raw: 0.61,
            threshold: "< 95 %".into(),
            sentence: "12 of 40 calls failed in 5 min <script>, mostly server (11).".into(),
            evidence: vec![("Failed".into(), "12 of 40".into())],
            cause: "server".into(),
        },
    }
}

fn context() -> Context {
    Context {
        base_url: "http://127.0.0.1:4380".into(),
        runbook: "# x\n\n## First look (2 minutes)\n\n1. Open the **integration**.\n2. Read [what\n   fails](/x).\n\n## Fix\n\nno".into(),
        trend: vec![(1.0, false), (0.5, true)],
        trend_of: "success rate, five minutes a bar".into(),
        endpoints: vec![("PATCH /contacts/{id}".into(), 12, 40)],
        now: 100 * MINUTE,
        ..Context::default()
    }
}

fn to(thread: Option<&str>) -> [Recipient; 1] {
    [Recipient { address: "ana@example.com".into(), thread: thread.map(str::to_owned) }]
}

#[test]
fn a_firing_mail_says_what_since_when_and_what_to_do_in_both_parts() {
    let mail = compose(&transition(Change::Fired), &context(), &to(None)).remove(0);
    assert!(
        mail.subject.starts_with("SERVER · hubspot-crm · PATCH /crm/v3") && mail.subject.ends_with("· K7Q2"),
        "{}",
        mail.subject
    );
    assert!(mail.subject.chars().count() <= 70);
    assert_eq!(mail.from_name, "hubspot-crm failing");
    for part in [&mail.text, &mail.html] {
        for needed in [
            "68.9 %",
            "12 of 40",
            "01:30 UTC",
            "10 min",
            "1. Open the integration.",
            "/runbooks/success-rate-low",
            "/incidents/K7Q2",
        ] {
            assert!(part.contains(needed), "{needed} is missing in\n{part}");
        }
    }
    assert!(mail.text.contains("< 95 %") && mail.html.contains("&#60; 95 %"));
    assert!(!mail.html.contains("<script>"));
    assert!(mail.html.len() < 60_000);
    let prose = mail.text.lines().filter(|line| !line.contains("http"));
    assert!(prose.clone().all(|line| line.chars().count() <= 72), "{}", mail.text);
}

#[test]
fn later_mails_stay_in_the_thread_with_the_subject_unchanged() {
    let first = compose(&transition(Change::Fired), &context(), &to(None)).remove(0);
    let last = compose(&transition(Change::Resolved), &context(), &to(Some(&first.message_id))).remove(0);
    assert_eq!(last.subject, format!("Re: {}", first.subject));
    assert_eq!(last.in_reply_to.as_deref(), Some(&*first.message_id));
    assert_ne!(last.message_id, first.message_id);
    assert!(last.text.contains("after 22 min") && last.text.contains("61.0 %"), "{}", last.text);
    let again = compose(&transition(Change::Fired), &context(), &to(None)).remove(0);
    assert_eq!(again.message_id, first.message_id, "a transition that is composed again is the same mail");
}

#[test]
fn steps_come_from_the_first_look_alone() {
    assert_eq!(first_steps(&context().runbook), ["1. Open the integration.", "2. Read [what fails](/x)."]);
    assert!(first_steps("").is_empty());
    assert_eq!(without_links("see [the page](/x) now"), "see the page now");
}
