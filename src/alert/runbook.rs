//! Runbooks: Markdown with five headings, each with something under it.

use super::rule::Problem;

/// The headings every runbook has, in order.
pub const HEADINGS: [&str; 5] =
    ["What it means", "First look (2 minutes)", "Fix", "If that fails", "Why this threshold"];

/// What stands under a `##` heading, trimmed; none when the heading is not there.
pub fn section<'m>(markdown: &'m str, heading: &str) -> Option<&'m str> {
    let mut start = None;
    let mut at = 0;
    for line in markdown.split_inclusive('\n') {
        let begins = heading_of(line);
        match start {
            None if begins == Some(heading) => start = Some(at + line.len()),
            Some(start) if begins.is_some() => return markdown.get(start..at).map(str::trim),
            _ => {}
        }
        at += line.len();
    }
    start.and_then(|start| markdown.get(start..)).map(str::trim)
}

/// What is wrong with a runbook.
pub fn check(file: &str, markdown: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut note = |line: usize, message: String| {
        problems.push(Problem { file: file.to_owned(), line, column: 1, message });
    };
    if markdown.trim().is_empty() {
        note(1, "this runbook is empty".into());
        return problems;
    }
    for heading in HEADINGS {
        let line = markdown.lines().position(|line| heading_of(line) == Some(heading)).map_or(1, |at| at + 1);
        match section(markdown, heading) {
            None => note(line, format!("the heading \"## {heading}\" is missing")),
            Some("") => note(line, format!("nothing stands under \"## {heading}\"")),
            Some(_) => {}
        }
    }
    // Whatever heading a runbook has besides: an empty one promises what is not there at 2 am.
    for (at, line) in markdown.lines().enumerate() {
        let Some(heading) = heading_of(line).filter(|heading| !HEADINGS.contains(heading)) else { continue };
        let mut under = markdown.lines().skip(at + 1).take_while(|line| heading_of(line).is_none());
        if under.all(|line| line.trim().is_empty()) {
            note(at + 1, format!("nothing stands under \"## {heading}\""));
        }
    }
    problems
}

/// The text of a second-level heading.
fn heading_of(line: &str) -> Option<&str> {
    line.strip_prefix("## ").map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "# x\n\n## What it means\nA.\n\n## First look (2 minutes)\n1. B.\n\n## Fix\n### Auth\nC.\n\n## If that fails\nD.\n\n## Why this threshold\nE.\n";

    #[test]
    fn sections_are_found_with_their_subheadings() {
        assert_eq!(section(WHOLE, "Fix"), Some("### Auth\nC."));
        assert_eq!(section(WHOLE, "Why this threshold"), Some("E."));
        assert_eq!(section(WHOLE, "Nothing"), None);
        assert!(check("x.md", WHOLE).is_empty());
    }

    #[test]
    fn a_missing_heading_and_an_empty_section_are_named_with_their_line() {
        let text = WHOLE.replace("## Fix\n### Auth\nC.\n", "## Fix\n").replace("## If that fails\nD.\n", "");
        let said: Vec<String> = check("x.md", &text).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "x.md:9:1 nothing stands under \"## Fix\"",
                "x.md:1:1 the heading \"## If that fails\" is missing"
            ]
        );
        let further = format!("{WHOLE}\n## Contacts\n\n## History\nF.\n");
        let said: Vec<String> = check("x.md", &further).iter().map(ToString::to_string).collect();
        assert_eq!(said, ["x.md:19:1 nothing stands under \"## Contacts\""]);
        assert_eq!(check("x.md", " \n")[0].message, "this runbook is empty");
    }
}
