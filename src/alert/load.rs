//! All rules with their runbooks, or all that is wrong with them: a bad set is refused whole.

use std::collections::{BTreeMap, BTreeSet};

use super::document::nearest;
use super::explain;
use super::parse::parse;
use super::rule::{Problem, Rule, RuleSet};
use super::runbook;

/// Reads a set of rules: (file name, TOML) and (file name, Markdown), names as problems shall say them.
pub fn load(files: &[(String, String)], runbooks: &[(String, String)]) -> Result<RuleSet, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut rules: Vec<Rule> = Vec::new();
    // A rule that does not parse still claims its runbook, so that one mistake is not told twice.
    let mut claimed: BTreeSet<String> = BTreeSet::new();
    let known: BTreeMap<&str, &(String, String)> =
        runbooks.iter().map(|entry| (base(&entry.0), entry)).collect();
    let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
    for (file, text) in files {
        let stem = base(file).trim_end_matches(".toml");
        if let Some(other) = ids.insert(stem, file) {
            let message = format!("id: \"{stem}\" is the id of {other} too");
            problems.push(Problem { file: file.clone(), line: 1, column: 1, message });
        }
        claimed.insert(format!("{stem}.md"));
        match parse(file, text) {
            Err(found) => problems.extend(found),
            Ok(rule) => {
                claimed.insert(rule.runbook.clone());
                if !known.contains_key(rule.runbook.as_str()) {
                    let (line, column) = place_of_key(text, "runbook");
                    let message = format!("runbook: there is no runbooks/{}", rule.runbook);
                    problems.push(Problem { file: file.clone(), line, column, message });
                }
                rules.push(rule);
            }
        }
    }
    explanations(files, &rules, &ids, &mut problems);
    for (name, markdown) in runbooks {
        problems.extend(runbook::check(name, markdown));
        // `stripe-xero--success-rate-low.md` is for one integration or one vendor.
        let general = base(name).rsplit_once("--").map_or(base(name), |(_, general)| general);
        let named = rules.iter().any(|rule| rule.runbook == general || rule.runbook == base(name));
        if !named && !claimed.contains(base(name)) {
            let message = "no rule names this runbook".to_owned();
            problems.push(Problem { file: name.clone(), line: 1, column: 1, message });
        }
    }
    if !problems.is_empty() {
        problems.sort();
        return Err(problems);
    }
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    let runbooks = runbooks.iter().map(|(name, text)| (base(name).to_owned(), text.clone())).collect();
    Ok(RuleSet { rules, runbooks, maintenance: Vec::new(), overrides: Vec::new() })
}

/// What explains a rule is there, and nothing explains itself.
fn explanations(
    files: &[(String, String)],
    rules: &[Rule],
    ids: &BTreeMap<&str, &str>,
    problems: &mut Vec<Problem>,
) {
    let mut tell = |id: &str, message: String| {
        let found = files.iter().find(|(file, _)| base(file).trim_end_matches(".toml") == id);
        if let Some((file, text)) = found {
            let (line, column) = place_of_key(text, "explained_by");
            problems.push(Problem { file: file.clone(), line, column, message });
        }
    };
    for rule in rules {
        for root in rule.explained_by.iter().filter(|root| !ids.contains_key(root.as_str())) {
            // A set need not hold every rule that ships; a slip of the pen is another matter.
            let names: Vec<&str> = ids.keys().copied().collect();
            let near = nearest(root, &names).filter(|near| near.len().abs_diff(root.len()) <= 1);
            if let Some(near) = near {
                tell(&rule.id, format!("explained_by: there is no rule {root}; did you mean {near}?"));
            }
        }
    }
    let circle = explain::circle(rules);
    if let Some(first) = circle.first() {
        tell(first, format!("explained_by: {} explain one another in a circle", circle.join(", ")));
    }
}

/// The last part of a path.
fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Line and column of a top-level key's value, else the beginning.
fn place_of_key(text: &str, key: &str) -> (usize, usize) {
    for (at, line) in text.lines().enumerate() {
        if let Some((name, _)) = line.split_once('=')
            && name.trim() == key
        {
            let column = line.chars().take_while(|letter| !matches!(letter, '"' | '\'')).count() + 1;
            return (at + 1, column);
        }
    }
    (1, 1)
}

#[cfg(test)]
mod tests;
