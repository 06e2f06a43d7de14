use std::collections::BTreeMap;

use super::*;
use crate::alert::judge::Standing;
use crate::alert::load::load;
use crate::alert::rule::{Extra, RuleSet};
use crate::alert::sample::CallSample;
use crate::alert::threshold::Threshold;
use crate::signals::call::Judged;

const TICK: Minute = Minute(29_000_000);

fn rules() -> RuleSet {
    // All of them: a rule names those that explain it.
    let read = |folder: &str, ending: &str| -> Vec<(String, String)> {
        let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|found| found == ending));
        let of = |path: std::path::PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        };
        files.map(of).collect()
    };
    load(&read("alerts", "toml"), &read("alerts/runbooks", "md")).unwrap()
}

fn key(rule: &str, labels: &[(&str, &str)]) -> InstanceKey {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
    InstanceKey { rule: rule.into(), labels }
}

fn standing(signal: Signal, fire: &str, value: f64, severity: Severity) -> Option<Standing> {
    let fire = Threshold::parse(fire, signal).unwrap();
    Some(Standing { at: 0, name: fire.text.clone(), severity, signal, fire, extra: None, value: Some(value) })
}

fn calls(verdict: Verdict, good: u32, bad: u32, cause: Class) -> Reading {
    let (good, bad) = (f64::from(good), f64::from(bad));
    let judged = Judged { good, bad, operations: good + bad, attempts: good + bad };
    let failures = if bad > 0.0 { vec![(cause, bad as u64)] } else { Vec::new() };
    let mut sample = CallSample::default();
    (sample.minutes, sample.has_calls, sample.failures) = (5, true, failures);
    (sample.judged, sample.counted) = (judged, judged);
    let value = good / (good + bad);
    let standing = standing(Signal::CallSuccessRate, "< 95 %", value, Severity::Critical);
    Reading { verdict, standing, figures: Figures::Calls(Box::new(sample)) }
}

fn expiry(verdict: Verdict, left: i64, fire: &str, severity: Severity) -> Reading {
    let now = TICK.start() / 1_000_000_000;
    let standing = standing(Signal::CredentialExpiresIn, fire, left as f64, severity);
    Reading { verdict, standing, figures: Figures::Credential { expires_at: now + left, now } }
}

fn opened(rule: &str, labels: &[(&str, &str)], reading: &Reading) -> Incident {
    let rules = rules();
    open(rules.rule(rule).unwrap(), &key(rule, labels), reading, TICK, TICK)
}

const CONTACTS: [(&str, &str); 3] =
    [("integration", "hubspot-crm"), ("peer", "api.hubapi.com"), ("endpoint", "PATCH /contacts/{id}")];

#[test]
fn a_sentence_names_its_subject_the_counts_and_the_value_against_the_threshold() {
    let one = opened("success-rate-low", &CONTACTS, &calls(Verdict::Breach, 28, 12, Class::Server));
    assert_eq!(
        one.sentence,
        "12 of 40 calls to PATCH /contacts/{id} at api.hubapi.com failed in 5 min, all of them server errors \
         (5xx): 70 % succeeded, the rule asks for at least 95 %."
    );
    assert_eq!((&*one.threshold, &*one.value, &*one.cause), ("under 95 %", "70 %", "server"));

    let key = opened(
        "credential-expiry",
        &[("credential", "svc-etl")],
        &expiry(Verdict::Breach, 420, "< 10 m", Severity::Warning),
    );
    assert_eq!(
        key.sentence,
        "The credential svc-etl expires in 7 min, at 2025-02-20T21:27:00Z, and nothing renews it by itself; the \
         rule warns under 10 min."
            .replace("2025-02-20T21:27:00Z", &written_seconds(TICK.start() / 1_000_000_000 + 420))
    );
    assert_eq!((&*key.title, &*key.threshold), ("Credential svc-etl expires", "under 10 min left"));

    let queue = Reading {
        verdict: Verdict::Breach,
        standing: standing(Signal::QueueOldestAge, "> 1 m", 540.0, Severity::Critical),
        figures: Figures::Queue { depth: Some(180.0), oldest_age: Some(540.0), at: TICK.start() },
    };
    let queue = opened("queue-behind", &[("queue", "push")], &queue);
    let at = crate::alert::instant::written(TICK.start());
    assert_eq!(
        queue.sentence,
        format!("The oldest item ready in push had waited 9 min at {at}; the rule allows 1 min.")
    );
    assert!(!queue.sentence.contains("180"), "a count that moves on stands in the evidence");

    let gap = OpenGap { records: 214, expected: 1_071, missing: 213, mismatched: 1, ..OpenGap::default() };
    let gap = Reading {
        verdict: Verdict::Breach,
        standing: standing(Signal::ReconciliationGap, ">= 1 record", 214.0, Severity::Critical),
        figures: Figures::Reconciliation(gap),
    };
    let gap = opened("reconciliation-gap", &[("reconciliation", "orders"), ("entity", "order")], &gap);
    assert_eq!(
        gap.sentence,
        "orders: 214 of 1,071 expected order records do not agree (213 missing, 1 differing); the rule allows none."
    );
    assert!(
        gap.evidence.contains(&("Of these".into(), "213 missing, 1 differing".into())),
        "{:?}",
        gap.evidence
    );
}

#[test]
fn a_further_condition_that_fires_is_the_threshold_that_is_named() {
    let extra = Extra {
        signal: Signal::ReconciliationGapShare,
        threshold: Some(Threshold::parse("> 0.1 %", Signal::ReconciliationGapShare).unwrap()),
        text: "reconciliation.gap_share > 0.1 %".into(),
    };
    let mut standing = standing(Signal::ReconciliationGap, ">= 10 records", 4.0, Severity::Critical);
    if let Some(standing) = &mut standing {
        standing.extra = Some(extra);
    }
    let gap = OpenGap { records: 4, expected: 200, missing: 4, ..OpenGap::default() };
    let reading = Reading { verdict: Verdict::Breach, standing, figures: Figures::Reconciliation(gap) };
    let one = opened("reconciliation-gap", &[("reconciliation", "orders")], &reading);
    assert_eq!(one.threshold, "over 0.1 % of the records");
    assert!(one.sentence.ends_with("the rule fires over 0.1 % of the records."), "{}", one.sentence);
}

#[test]
fn resolving_keeps_the_worst_and_says_apart_how_it_is_now() {
    let rules = rules();
    let rule = rules.rule("success-rate-low").unwrap();
    let mut one = opened("success-rate-low", &CONTACTS, &calls(Verdict::Breach, 28, 12, Class::Server));
    update(&mut one, rule, &calls(Verdict::Breach, 20, 20, Class::Server));
    update(&mut one, rule, &calls(Verdict::Breach, 36, 4, Class::Timeout));
    assert!(
        one.sentence.starts_with("4 of 40") && one.ending.is_empty(),
        "open, it tells of now: {}",
        one.sentence
    );
    update(&mut one, rule, &calls(Verdict::Clear, 160, 0, Class::Server));
    assert!(one.sentence.starts_with("4 of 40") && one.ending.starts_with("All 160 calls"), "{one:?}");
    close(&mut one, rule, &calls(Verdict::Clear, 167, 0, Class::Server), TICK);
    assert!(one.sentence.starts_with("20 of 40 calls"), "{}", one.sentence);
    assert!(one.evidence.contains(&("Failed".into(), "20".into())), "{:?}", one.evidence);
    assert_eq!(one.ending, "All 167 calls to PATCH /contacts/{id} at api.hubapi.com succeeded in 5 min.");
    assert_eq!((&*one.worst, &*one.value, &*one.threshold), ("50 %", "100 %", "under 95 %"));
    assert_eq!((&*one.first_cause, &*one.cause), ("server", "timeout"), "mails stay under the first cause");
}

#[test]
fn a_renewed_credential_does_not_claim_a_level_that_it_was_not_at() {
    let rules = rules();
    let rule = rules.rule("credential-expiry").unwrap();
    let labels = [("credential", "svc-etl")];
    let mut one =
        opened("credential-expiry", &labels, &expiry(Verdict::Breach, 120, "< 3 m", Severity::Critical));
    close(&mut one, rule, &expiry(Verdict::Clear, 90 * 86_400, "< 10 m", Severity::Warning), TICK);
    assert_eq!(one.threshold, "under 3 min left");
    assert_eq!(one.severity, Severity::Critical);
    assert!(
        one.ending.starts_with("The credential svc-etl was renewed: it now expires in 90 d, at "),
        "{}",
        one.ending
    );
    assert!(one.sentence.contains("expires in 2 min"), "{}", one.sentence);
}

#[test]
fn a_removed_rule_leaves_no_word_of_being_well() {
    let mut one = opened("success-rate-low", &CONTACTS, &calls(Verdict::Breach, 28, 12, Class::Server));
    orphan(&mut one, TICK);
    assert_eq!(one.resolved_at, Some(TICK.start()));
    assert!(one.ending.contains("nothing says that this is well"), "{}", one.ending);
    assert!(one.sentence.starts_with("12 of 40"));
}

#[test]
fn a_change_of_levels_names_both() {
    let rung = |severity, threshold: &str| Rung { severity, threshold: threshold.into() };
    let (warning, critical) =
        (rung(Severity::Warning, "under 10 min left"), rung(Severity::Critical, "under 3 min left"));
    assert_eq!(
        warning.to(&critical),
        "Now critical: under 3 min left. Before: a warning, under 10 min left."
    );
    assert_eq!(
        critical.to(&rung(Severity::Critical, "at expiry")),
        "Now at expiry. Before: under 3 min left."
    );
}

#[test]
fn every_sentence_is_one_with_a_full_stop() {
    for verdict in [Verdict::Breach, Verdict::Hold, Verdict::Clear, Verdict::Unknown] {
        for (good, bad) in [(40, 0), (28, 12), (39, 1), (0, 5)] {
            let reading = calls(verdict, good, bad, Class::Auth);
            let rules = rules();
            let standing = reading.standing.clone().unwrap();
            let said = sentence::of(
                rules.rule("success-rate-low").unwrap(),
                &key("success-rate-low", &CONTACTS).labels,
                &standing,
                &reading,
            );
            assert!(said.ends_with('.') && !said.contains(".."), "{said}");
        }
    }
}
