//! `docs/conformance.md` and the tests say the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where a clause's test may stand.
const FOLDERS: [&str; 2] = ["tests/it/conformance", "src/receive/tests"];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Names of all tests in the folders.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(root(folder)).expect("a folder of tests") {
            let text = std::fs::read_to_string(entry.expect("a file").path()).expect("a file of text");
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            for pair in lines.windows(2).filter(|pair| pair[0] == "#[test]" || pair[0] == "#[tokio::test]") {
                let name = pair[1].split("fn ").nth(1).and_then(|rest| rest.split('(').next());
                names.insert(name.expect("a function below the attribute").to_owned());
            }
        }
    }
    names
}

/// Rows of the table: (clause, names of tests).
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let rows = text.lines().filter(|line| line.starts_with("| ")).map(cells);
    rows.filter(|row| row.len() == 3 && row[0] != "clause")
        .map(|row| (row[0].split(' ').next().unwrap_or("").to_lowercase(), names(&row[2])))
        .collect()
}

/// Whether a test's name starts with a clause: a letter, a number, an underscore.
fn clause(name: &str) -> Option<&str> {
    let (clause, _) = name.split_once('_')?;
    let (letter, number) = (clause.get(..1)?, clause.get(1..)?);
    (letter.bytes().all(|byte| byte.is_ascii_lowercase()) && number.parse::<u8>().is_ok()).then_some(clause)
}

/// What is wrong, in sentences.
fn problems(text: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let rows = rows(text);
    let mut problems = Vec::new();
    for (clause, names) in &rows {
        if names.is_empty() {
            problems.push(format!("{clause} has no test."));
        }
        for name in names.iter().filter(|name| !tests.contains(*name)) {
            problems.push(format!("{clause} names {name}, which is no test."));
        }
        for name in names.iter().filter(|name| !name.starts_with(&format!("{clause}_"))) {
            problems.push(format!("{clause} names {name}, which is named for another clause."));
        }
    }
    let named: BTreeSet<&String> = rows.iter().flat_map(|(_, names)| names).collect();
    for test in tests.iter().filter(|test| clause(test).is_some() && !named.contains(test)) {
        problems.push(format!("{test} is in no row of the table."));
    }
    problems
}

#[test]
fn each_clause_of_the_table_has_its_test_and_each_test_its_row() {
    let text = std::fs::read_to_string(root("docs/conformance.md")).expect("docs/conformance.md");
    assert!(rows(&text).len() >= 40, "the table is not read");
    let problems = problems(&text, &tests());
    assert!(problems.is_empty(), "docs/conformance.md:\n{}", problems.join("\n"));
}

#[test]
fn a_table_that_differs_from_the_tests_is_seen() {
    let tests: BTreeSet<String> = ["l1_a", "l2_b", "l3_c", "helper"].map(str::to_owned).into();
    let row = |clause: &str, names: &str| format!("| {clause} | it does | {names} |\n");
    let good = [row("L1 size", "`l1_a`"), row("L2", "`l2_b`"), row("L3", "`l3_c`")].concat();
    assert_eq!(problems(&good, &tests), Vec::<String>::new());
    for (from, to, says) in [
        ("`l1_a`", "none", "l1 has no test."),
        ("`l1_a`", "`l1_x`", "l1 names l1_x, which is no test."),
        ("`l2_b`", "`l1_a`", "l2 names l1_a, which is named for another clause."),
        ("`l3_c`", "", "l3_c is in no row of the table."),
    ] {
        let problems = problems(&good.replace(from, to), &tests);
        assert!(problems.iter().any(|problem| problem == says), "{problems:?}");
    }
}
