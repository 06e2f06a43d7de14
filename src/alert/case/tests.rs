use std::path::Path;

use super::*;
use crate::alert::load::load;

/// (name, text) of the files of a shipped folder that end so.
pub fn shipped(folder: &str, end: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<(String, String)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == end))
        .map(|path| {
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn rules() -> RuleSet {
    load(&shipped("alerts", "toml"), &shipped("alerts/runbooks", "md")).unwrap()
}

#[test]
fn the_shipped_rules_pass_their_own_cases() {
    let rules = rules();
    let mut ran = 0;
    for (file, text) in shipped("alerts/tests", "toml") {
        for result in run_cases(&rules, &file, &text).unwrap() {
            assert!(result.failures.is_empty(), "{file}: {}: {:#?}", result.name, result.failures);
            ran += 1;
        }
    }
    assert!(ran >= 8, "{ran} cases ran");
}

const CASE: &str = r#"
schema = 1
rule = "success-rate-low"
start = "2026-01-12T08:00:00Z"
interval = "1m"
[[case]]
name = "down"
series = [{ labels = { integration = "a", peer = "p", endpoint = "GET /" }, bad = "10x30" }]
expect = [{ at = "20m", state = "inactive", mails = 0, subject_has = ["b"], threaded_to_first = true }]
"#;

#[test]
fn a_case_that_is_not_as_expected_says_so() {
    let results = run_cases(&rules(), "t.toml", CASE).unwrap();
    assert_eq!(
        results[0].failures,
        [
            "at 20m the state is firing, not inactive",
            "at 20m 1 mails were written, not 0",
            "at 20m not every subject has \"b\": a · p · GET / p GET / success rate",
            "at 20m the last mail is not in the thread of the first",
        ]
    );
}

#[test]
fn what_a_case_file_gets_wrong_is_named_with_its_place() {
    let wrong = |from: &str, to: &str| {
        let problems = run_cases(&rules(), "t.toml", &CASE.replace(from, to)).unwrap_err();
        problems.first().unwrap().to_string()
    };
    assert!(wrong("success-rate-low", "success-rate").starts_with("t.toml:3:8 rule: there is no rule"));
    assert!(wrong("10x30", "10*30").contains("VALUExMINUTES"));
    assert!(wrong("10x30", "10x99999").contains("too much"));
    assert!(wrong("\"20m\"", "\"0m\"").contains("from 1 to"));
    assert!(wrong("mails = 0", "mail = 0").contains("did you mean \"mails\"?"));
    assert!(wrong("mails = 0", "explained_by = \"x\"").contains("does not act on it"));
}
