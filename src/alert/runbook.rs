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
        if section(markdown, heading).is_none() {
            note(1, format!("the heading \"## {heading}\" is missing"));
        }
    }
    for (line, heading) in empty_headings(markdown) {
        note(line, format!("nothing stands under \"{heading}\""));
    }
    problems.sort();
    problems
}

/// Headings with neither text nor a heading of a lower level under them: (line, as written).
fn empty_headings(markdown: &str) -> Vec<(usize, &str)> {
    let mut empty = Vec::new();
    // The latest heading, while nothing has come under it: (line, level, as written).
    let mut open: Option<(usize, usize, &str)> = None;
    let mut fenced = false;
    for (at, line) in markdown.lines().enumerate() {
        let text = line.trim();
        let level = if fenced { None } else { level_of(line) };
        if let (Some((line, above, heading)), Some(level)) = (open, level)
            && level <= above
        {
            empty.push((line, heading));
        }
        if text.starts_with("```") {
            fenced = !fenced;
        }
        match level {
            Some(level) => open = Some((at + 1, level, text)),
            None if !text.is_empty() => open = None,
            None => {}
        }
    }
    empty.extend(open.map(|(line, _, heading)| (line, heading)));
    empty
}

/// How deep a heading is: `###` is 3.
fn level_of(line: &str) -> Option<usize> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let after = line.get(level..)?;
    ((1..=6).contains(&level) && (after.is_empty() || after.starts_with([' ', '\t']))).then_some(level)
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
                "x.md:1:1 the heading \"## If that fails\" is missing",
                "x.md:9:1 nothing stands under \"## Fix\""
            ]
        );
        assert_eq!(check("x.md", " \n")[0].message, "this runbook is empty");
    }

    #[test]
    fn any_heading_with_nothing_under_it_is_named() {
        let said = |text: &str| check("x.md", text).iter().map(ToString::to_string).collect::<Vec<_>>();
        let extra = WHOLE.replace("## Fix", "## Whom to call\n\n### By night\n## Fix");
        assert_eq!(said(&extra), ["x.md:11:1 nothing stands under \"### By night\""]);
        assert_eq!(said(&format!("{WHOLE}\n## Notes\n")), ["x.md:19:1 nothing stands under \"## Notes\""]);
        assert!(said(&WHOLE.replace("A.", "A.\n```sh\n# a comment\n# another\n```")).is_empty());
    }
}
