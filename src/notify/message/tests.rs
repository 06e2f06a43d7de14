use std::sync::Arc;

use super::*;
use crate::alert::incident::{Change, Severity};
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
        at: Minute(95),
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
        changes: vec![(88 * MINUTE, "Credential crm-oauth was refreshed".into())],
        samples: vec![Sample {
            line: "PATCH /contacts/{id} 500 after 140 ms".into(),
            detail: "{\"error\": \"down\"}".into(),
            link: "http://127.0.0.1:4380/api/v1/traces/4bf92f35".into(),
        }],
        others: vec!["on-call@example.com".into()],
        next: "The next reminder comes at 05:30 UTC unless somebody acknowledges it.".into(),
        report: Some((99 * MINUTE, "no luck".into())),
        vendor_status: "GitHub, https://www.githubstatus.com/".into(),
        now: 100 * MINUTE,
        ..Context::default()
    }
}

fn to(thread: Option<&str>) -> [Recipient; 1] {
    let act = ("http://127.0.0.1:4380/a/k.1".to_owned(), "http://127.0.0.1:4380/a/s.1".to_owned());
    [Recipient { address: "ana@example.com".into(), thread: thread.map(str::to_owned), act: Some(act) }]
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
        mail.subject.starts_with("SERVER · hubspot-crm · PATCH /crm/v3") && mail.subject.ends_with(" · K7Q2"),
        "{}",
        mail.subject
    );
    assert!(mail.subject.chars().count() <= 66, "{}", mail.subject);
    assert_eq!(mail.from_name, "hubspot-crm failing");
    assert!(mail.text.starts_with("12 of 40 calls to PATCH"), "the sentence comes first: {}", mail.text);
    for part in [&mail.text, &mail.html] {
        says(
            part,
            &[
                "68.9 % succeeded, the rule asks for at least 95 %",
                "Failing since 01:30 UTC, critical",
                "99.6 % succeeded, until 01:30 UTC",
                "Credential crm-oauth was refreshed at 01:28 UTC",
                "Also told: on-call@example.com. The next reminder comes at 05:30 UTC",
                "/api/v1/traces/4bf92f35",
                "/a/k.1",
                "/a/s.1",
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
    assert!(mail.text.starts_with("It is over. All 40 calls succeeded in 5 min."), "{}", mail.text);
    assert_eq!(mail.from_name, "hubspot-crm resolved");
    for part in [&mail.text, &mail.html] {
        says(
            part,
            &["Resolved at 01:52 UTC after 22 min", "12 of 40 calls", "61.0 %; the rule fires under 95 %"],
        );
        assert!(!part.contains("First steps") && !part.contains("Failing call"), "{part}");
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

/// The words that a reader sees, in no order: without markup, without addresses, without the bars.
fn words(part: &str) -> Vec<String> {
    let mut text = String::new();
    let mut inside = false;
    let body = part.split_once("</style>").map_or(part, |(_, body)| body);
    // The preheader says the headline again.
    let body = match body.split_once("overflow:hidden\">") {
        Some((_, rest)) => rest.split_once("</div>").map_or(rest, |(_, rest)| rest),
        None => body,
    };
    let is_html = part.contains("</");
    for c in body.chars() {
        match c {
            '<' if is_html => inside = true,
            '>' if inside => {
                inside = false;
                text.push(' ');
            }
            _ if inside => {}
            c => text.push(c),
        }
    }
    let text = text.replace("&lt;script&gt;", "<script>").replace("&#60;script&#62;", "<script>");
    let text =
        text.replace("&quot;", "\"").replace("&#34;", "\"").replace("&#39;", "'").replace("&middot;", ",");
    let is_mark = |word: &&str| {
        !word.is_empty()
            && !word.starts_with("http://127")
            && !word.chars().all(|c| "■▲●○◌▁▂▃▄▅▆▇█·-,".contains(c))
    };
    let trimmed = text.split_whitespace().map(|word| word.trim_end_matches([':', ','])).filter(is_mark);
    let mut words: Vec<String> = trimmed.map(str::to_owned).collect();
    words.sort();
    words
}

/// Every kind of mail there is.
fn kinds() -> Vec<Transition> {
    let mut late = transition(Change::Fired);
    late.at = Minute(99);
    let mut joined = transition(Change::Joined);
    joined.incident.also =
        (0..40).map(|at| (format!("customer acct_{at}"), format!("{} % failed", at + 40))).collect();
    let mut settled = transition(Change::Settled);
    settled.incident.resolved_at = Some(112 * MINUTE);
    let mut removed = transition(Change::RuleRemoved);
    removed.incident.resolved_at = Some(112 * MINUTE);
    removed.incident.ending = "The rule x was removed; nothing says that this is well.".into();
    let mut escalated = transition(Change::Escalated);
    escalated.incident.changed = "Now critical: under 3 min left.".into();
    let others = [Change::Fired, Change::Reopened, Change::Resolved, Change::Flapping, Change::Settled];
    let again = [Change::Reminder, Change::Unacknowledged].map(transition);
    others
        .map(transition)
        .into_iter()
        .chain(again)
        .chain([late, joined, settled, removed, escalated])
        .collect()
}

#[test]
fn both_parts_of_every_kind_say_the_same() {
    for transition in kinds() {
        let mail = mail(&transition);
        assert_eq!(words(&mail.text), words(&mail.html), "{:?}", transition.change);
    }
}

#[test]
fn each_kind_says_what_it_is_in_its_first_sentence_its_state_and_its_sender() {
    for (at, (change, first, status, sender)) in [
        (Change::Reopened, "It is back.", "Failing again since", "failing again"),
        (
            Change::Escalated,
            "It got worse and is critical now.",
            "Escalated to critical",
            "failing, got worse",
        ),
        (Change::Reminder, "Still open after 10 min, and nobody", "Reminder: open since", "still failing"),
        (
            Change::Unacknowledged,
            "Open for 10 min, and nobody has said that they look at it: you are the second",
            "Unacknowledged since",
            "failing, unacknowledged",
        ),
        (
            Change::Joined,
            "More of the same began: 3 others",
            "More began; the first since",
            "failing, more began",
        ),
        (Change::Flapping, "It begins and ends too often", "Unsteady since", "unsteady"),
        (
            Change::Settled,
            "It has held still for half an hour, and it stands.",
            "Failing, steady again",
            "steady",
        ),
        (Change::Resolved, "It is over.", "Resolved at", "resolved"),
        (
            Change::Fired,
            "This began at 01:30 UTC and is told only now.",
            "Failing, told late since",
            "told late",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut one = transition(change);
        one.at = Minute(99);
        one.incident.also = (0..3).map(|at| (format!("acct_{at}"), "31 %".to_owned())).collect();
        let mail = mail(&one);
        let text = mail.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.starts_with(first), "{at} {change:?}: {text}");
        says(&mail.text, &[status]);
        says(&mail.html, &[first, status]);
        assert!(mail.from_name.contains(sender), "{change:?}: {}", mail.from_name);
        assert_eq!(mail.subject, super::subject::of(&one.incident), "{change:?}");
    }
}

#[test]
fn others_of_a_group_are_listed_with_their_values_and_bounded() {
    let joined = kinds().into_iter().find(|one| one.change == Change::Joined).unwrap();
    let mail = mail(&joined);
    for part in [&mail.text, &mail.html] {
        says(part, &["customer acct_0", "40 % failed", "customer acct_9", "And 30 more; the incident"]);
        assert!(!part.contains("acct_10"), "{part}");
    }
}

#[test]
fn a_mail_of_the_longest_texts_is_under_60_kb() {
    let mut long = transition(Change::Joined);
    let text = "ü<".repeat(150);
    let incident = &mut long.incident;
    incident.labels.insert("endpoint".into(), text.clone());
    incident.sentence = text.repeat(3);
    incident.also = (0..50).map(|_| (text.clone(), text.clone())).collect();
    incident.evidence = (0..12).map(|_| ("Failed".to_owned(), text.clone())).collect();
    let sample = Sample { line: text.clone(), detail: text.clone(), link: "http://127.0.0.1/x".into() };
    let context = Context {
        runbook: format!("## First look\n{}", "1. do <this> now\n".repeat(400)),
        endpoints: vec![(text.clone(), 1, 2); 40],
        samples: vec![sample; 40],
        changes: vec![(88 * MINUTE, text.clone()); 4],
        trend: vec![Some((0.5, true)); 24],
        others: vec!["somebody.with.a.long.name@example.com".into(); 20],
        report: Some((99 * MINUTE, text.clone())),
        ..context()
    };
    let mail = compose(&long, &context, &to(None)).remove(0);
    let size = mail.text.len() + mail.html.len();
    assert!(size < 60_000, "{size} bytes");
    assert!(size > 10_000, "the texts are in it");
}

#[test]
fn what_readers_filter_by_stands_in_the_head() {
    let mail = mail(&transition(Change::Fired));
    let head: Vec<(&str, &str)> =
        mail.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("List-Id", "<hubspot-crm.alerts.seamwatch>"),
        ("X-Seamwatch-Rule", "success-rate-low"),
        ("X-Seamwatch-Severity", "critical"),
        ("X-Seamwatch-State", "firing"),
        ("X-Seamwatch-Incident", "K7Q2"),
    ];
    assert_eq!(head, expected);
}

#[test]
fn a_subject_names_cause_place_and_code_and_no_value() {
    let of = |cause: &str, labels: &[(&str, &str)]| {
        let mut incident = transition(Change::Fired).incident;
        incident.first_cause = cause.into();
        incident.labels = labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        subject::of(&incident)
    };
    assert_eq!(
        of("auth", &[("integration", "hubspot-crm"), ("endpoint", "POST /contacts")]),
        "AUTH · hubspot-crm · POST /contacts · K7Q2"
    );
    assert_eq!(
        of("", &[("integration", "shop"), ("queue", "orders")]),
        "SUCCESS RATE LOW · shop · orders · K7Q2"
    );
    assert_eq!(of("", &[("peer", "api.example.com")]), "SUCCESS RATE LOW · api.example.com · K7Q2");
    let long = of(&"x".repeat(80), &[("integration", &"y".repeat(80)), ("endpoint", &"z".repeat(80))]);
    assert!(long.chars().count() <= 66 && long.ends_with(" · K7Q2"), "{long}");
}
