use std::sync::Arc;

use super::*;
use crate::alert::incident::Severity;

fn incident(rule: &str, place: &str, minutes: i64) -> Incident {
    let since = 1_800_000_000 * 1_000_000_000;
    Incident {
        id: format!("{rule}{place}"),
        code: "K7Q2".into(),
        rule: Arc::from(rule),
        labels: [("integration".to_owned(), place.to_owned())].into(),
        title: format!("{place} of {rule}"),
        severity: Severity::Warning,
        level: String::new(),
        runbook: "x.md".into(),
        signal: "call.success_rate".into(),
        since,
        opened_at: since,
        resolved_at: Some(since + minutes * 60_000_000_000),
        value: String::new(),
        worst: String::new(),
        worst_raw: 0.0,
        threshold: String::new(),
        sentence: "It fails.".into(),
        evidence: Vec::new(),
        cause: String::new(),
        first_cause: String::new(),
        changed: String::new(),
        ending: String::new(),
        at_worst: None,
        withheld: None,
        also: Vec::new(),
        to: Vec::new(),
    }
}

#[test]
fn noisy_rules_come_with_a_suggestion_and_quiet_ones_not_at_all() {
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(incident("short", "a", 5));
    }
    for at in 0..6 {
        all.push(incident("wide", &format!("p{at}"), 90));
    }
    for _ in 0..5 {
        all.push(incident("same", "a", 90));
    }
    for _ in 0..4 {
        all.push(incident("quiet", "a", 5));
    }
    let rows = noisy(&all.iter().collect::<Vec<_>>());
    let names: Vec<&str> = rows.iter().map(|(rule, _)| rule.as_str()).collect();
    assert_eq!(names, ["short", "wide", "same"], "most first, and none of a handful");
    assert!(rows[0].1.starts_with("8 incidents; most ended within a quarter"), "{rows:?}");
    assert!(rows[1].1.contains("`group_by`"), "{rows:?}");
    assert!(rows[2].1.contains("thresholds do not fit"), "{rows:?}");
}

#[test]
fn a_notice_is_told_here_and_what_was_mailed_is_not_a_notice() {
    let speaker = Speaker { zone: chrono::Offset::fix(&chrono::Utc), now: 0 };
    let notice = Incident { withheld: Some(Withheld::Digest), ..incident("drift", "a", 5) };
    let mailed = incident("slow", "a", 5);
    let rows = notices(&[&notice, &mailed], &speaker);
    assert_eq!(rows, [("a of drift".to_owned(), "It fails.".to_owned())]);
    let standing = [Incident { resolved_at: None, ..notice }, Incident { resolved_at: None, ..mailed }];
    let rows = open(&standing, &speaker);
    assert_eq!(rows.len(), 1, "a notice is not an open incident twice");
    assert!(rows[0].0.starts_with("K7Q2 a of slow"), "{rows:?}");
}

#[test]
fn nothing_open_is_said_to_be_quiet() {
    assert_eq!(
        headline(&[], &[], false),
        "No integration has sent anything yet, and no incident opened in the last day."
    );
    let one = incident("slow", "a", 5);
    assert!(headline(&[], &[&one], true).ends_with("one incident opened in the last week."));
}
