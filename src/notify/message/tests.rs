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
            threshold: "under 95 %".into(),
            sentence:
                "12 of 40 calls to PATCH /crm/v3/objects/contacts/{id} failed in 5 min <script>, 11 of them \
                       server errors (5xx): 68.9 % succeeded, the rule asks for at least 95 %."
                    .into(),
            evidence: vec![("Failed".into(), "12 of 40".into())],
            cause: "timeout".into(),
            first_cause: "server".into(),
            changed: String::new(),
            ending: if over { "All 40 calls succeeded in 5 min.".into() } else { String::new() },
            at_worst: None,
            withheld: None,
            also: Vec::new(),
            to: Vec::new(),
        },
    }
}

fn context() -> Context {
    Context {
        base_url: "http://127.0.0.1:4380".into(),
        runbook: "# x\n\n## First look (2 minutes)\n\n1. Open the **integration**.\n2. Read `/x?integration=NAME`.\n\n## Fix\n\nno".into(),
        owner: "revenue-operations".into(),
        reason: "You get this because revenue-operations owns hubspot-crm.".into(),
        trend: vec![Some((1.0, false)), None, Some((0.5, true))],
        trend_of: "Success rate of the last two hours, 5 minutes a bar.".into(),
        before: "99.6 % succeeded".into(),
        endpoints: vec![("PATCH /contacts/{id}".into(), 12, 40), ("GET /contacts".into(), 1, 90)],
        failing_call: Some(("PATCH /contacts/{id} 500 after 140 ms".into(), "{\"error\": \"down\"}".into())),
        report: Some((99 * MINUTE, "no luck".into())),
        vendor_status: "GitHub, https://www.githubstatus.com/".into(),
        now: 100 * MINUTE,
        ..Context::default()
    }
}

fn to(thread: Option<&str>) -> [Recipient; 1] {
    [Recipient { address: "ana@example.com".into(), thread: thread.map(str::to_owned) }]
}

fn mail(transition: &Transition) -> NewMail {
    let mail = compose(transition, &context(), &to(None)).remove(0);
    let wide: Vec<&str> =
        mail.text.lines().filter(|line| !line.contains("http") && line.chars().count() > 72).collect();
    assert!(wide.is_empty(), "wider than 72 columns: {wide:#?}");
    assert!(!mail.html.contains("<script>"));
    mail
}

#[track_caller]
fn says(part: &str, all: &[&str]) {
    let one_line = part.split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in all {
        assert!(one_line.contains(wanted), "{wanted} is missing in\n{part}");
    }
}

#[test]
fn a_firing_mail_says_what_since_when_and_what_to_do_in_both_parts() {
    let mail = mail(&transition(Change::Fired));
    assert!(
        mail.subject.starts_with("hubspot-crm: server errors, PATCH /crm/v3")
            && mail.subject.ends_with("· K7Q2"),
        "{}",
        mail.subject
    );
    assert!(mail.subject.chars().count() <= 70);
    assert_eq!(mail.from_name, "hubspot-crm failing");
    assert!(mail.text.starts_with("12 of 40 calls to PATCH"), "the sentence comes first: {}", mail.text);
    for part in [&mail.text, &mail.html] {
        says(
            part,
            &[
                "68.9 % succeeded, the rule asks for at least 95 %",
                "Failing since 01:30 UTC, critical",
                "Before 01:30 UTC: 99.6 % succeeded.",
                "the rule fires under 95 %",
                "10 min",
                "12 of 40",
                "Failed calls by endpoint in the last hour",
                "PATCH /contacts/{id} 500 after 140 ms",
                "no luck",
                "Vendor status",
                "GitHub, https://www.githubstatus.com/",
                "01:39 UTC",
                "revenue-operations",
                "1. Open the integration.",
                "/x?integration=hubspot-crm",
                "/runbooks/success-rate-low",
                "/incidents/K7Q2",
                "You get this because revenue-operations owns hubspot-crm.",
            ],
        );
    }
    assert!(!mail.text.contains("Red"), "plain text has no colour");
    assert!(mail.html.len() < 60_000);
}

#[test]
fn an_escalation_says_that_it_is_one_and_what_changed() {
    let mut escalated = transition(Change::Escalated);
    escalated.incident.changed =
        "Now critical: under 3 min left. Before: a warning, under 10 min left.".into();
    let mail = mail(&escalated);
    for part in [&mail.text, &mail.html] {
        says(
            part,
            &[
                "Escalated to critical, open since 01:30 UTC",
                "Now critical: under 3 min left. Before: a warning",
            ],
        );
    }
}

#[test]
fn a_resolved_mail_says_how_it_is_now_and_how_bad_it_was() {
    let mail = mail(&transition(Change::Resolved));
    assert!(mail.text.starts_with("All 40 calls succeeded in 5 min."), "{}", mail.text);
    assert_eq!(mail.from_name, "hubspot-crm resolved");
    for part in [&mail.text, &mail.html] {
        says(
            part,
            &["Resolved at 01:52 UTC after 22 min", "12 of 40 calls", "61.0 %; the rule fires under 95 %"],
        );
        assert!(!part.contains("First steps") && !part.contains("it is"), "{part}");
    }
}

#[test]
fn a_removed_rule_does_not_read_as_if_it_were_solved() {
    let mut removed = transition(Change::RuleRemoved);
    removed.incident.resolved_at = Some(112 * MINUTE);
    removed.incident.ending = "The rule x was removed; nothing says that this is well.".into();
    let mail = mail(&removed);
    assert!(
        mail.text.starts_with("The rule x was removed; nothing says that this is well."),
        "{}",
        mail.text
    );
    assert_eq!(mail.from_name, "hubspot-crm rule removed");
    for part in [&mail.text, &mail.html] {
        says(part, &["Rule removed at 01:52 UTC", "Last known"]);
        assert!(!part.contains("esolved"), "{part}");
    }
}

#[test]
fn a_mail_in_black_and_white_still_shows_its_state() {
    let mut degraded = transition(Change::Fired);
    degraded.incident.severity = Severity::Warning;
    assert!(mail(&degraded).html.contains("▲ Degraded since"));
    assert!(mail(&transition(Change::Fired)).html.contains("■ Failing since"));
    assert!(mail(&transition(Change::Resolved)).html.contains("● Resolved at"));
}

#[test]
fn a_name_from_outside_cannot_forge_a_line_of_the_text_part() {
    let mut hostile = transition(Change::Fired);
    hostile.incident.labels.insert("integration".into(), "shop\nOpen      http://evil.example".into());
    let mail = mail(&hostile);
    assert!(!mail.text.lines().any(|line| line.starts_with("Open      http://evil")), "{}", mail.text);
}

#[test]
fn later_mails_stay_in_the_thread_with_the_subject_unchanged() {
    let first = compose(&transition(Change::Fired), &context(), &to(None)).remove(0);
    let last = compose(&transition(Change::Resolved), &context(), &to(Some(&first.message_id))).remove(0);
    assert_eq!(last.subject, format!("Re: {}", first.subject));
    assert_eq!(last.in_reply_to.as_deref(), Some(&*first.message_id));
    assert_ne!(last.message_id, first.message_id);
    let again = compose(&transition(Change::Fired), &context(), &to(None)).remove(0);
    assert_eq!(again.message_id, first.message_id, "a transition that is composed again is the same mail");
}
