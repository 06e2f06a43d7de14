//! `/runbooks` and `/runbooks/{name}`: what to do, rendered from Markdown.
//!
//! Runbooks are read with the rules and looked up by key in memory: a name from outside never becomes a path.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::response::Response;

use super::asked::Named;
use super::gate::who::Who;
use super::page::{self, Error, Frame};
use super::view::incident::{self, IncidentRow};
use super::{RulesView, State, load};
use crate::alert::incident::Incident;
use crate::signals::telemetry::Nanos;

/// The list.
#[derive(Template)]
#[template(path = "runbooks.html")]
pub struct List {
    frame: Frame,
    rows: Vec<Row>,
}

/// One rule and its runbook.
struct Row {
    rule: String,
    title: String,
    severity: &'static str,
    signal: String,
    key: String,
    written: bool,
}

/// One runbook.
#[derive(Template)]
#[template(path = "runbook.html")]
pub struct Page {
    frame: Frame,
    heading: String,
    html: String,
    with_integration: bool,
    caption: &'static str,
    incidents: Vec<IncidentRow>,
}

/// Lists the rules with their runbooks.
pub async fn list(Extract(state): Extract<State>, Extension(who): Extension<Who>) -> Result<Response, Error> {
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let frame = Frame::new(&state, &who, &open, "runbook", "Runbooks");
    let rules = state.rules.borrow().clone();
    Ok(page::render(&listed(frame, &rules)))
}

/// The list from plain values.
pub fn listed(frame: Frame, rules: &RulesView) -> List {
    let row = |rule: &super::RuleView| {
        let key = incident::runbook_key(&rule.runbook).to_owned();
        Row {
            rule: rule.id.clone(),
            title: rule.title.clone(),
            severity: rule.severity.name(),
            signal: rule.signal.clone(),
            written: rules.runbooks.contains_key(&key),
            key,
        }
    };
    List { frame, rows: rules.rules.iter().map(row).collect() }
}

/// Shows one.
pub async fn show(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Named(name): Named,
) -> Result<Response, Error> {
    let rules = state.rules.borrow().clone();
    let key = incident::runbook_key(&name);
    let missing =
        || Error::NotFound(format!("No runbook is named {name}. The runbooks page lists them all."));
    let markdown = rules.runbooks.get(key).filter(|_| is_key(key)).ok_or_else(missing)?;
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let frame = Frame::new(&state, &who, &open, "runbook", format!("Runbook {key}"));
    Ok(page::render(&shown(frame, key, markdown, &open, (state.clock)())))
}

/// A runbook from plain values, with the open incidents that name it.
pub fn shown(frame: Frame, key: &str, markdown: &str, open: &[Incident], now: Nanos) -> Page {
    let of_it = open
        .iter()
        .filter(|one| one.resolved_at.is_none() && incident::runbook_key(&one.runbook) == key)
        .map(|one| incident::row(one, now))
        .collect();
    let (heading, rest) = titled(markdown);
    Page {
        frame,
        heading: if heading.is_empty() { key.to_owned() } else { heading.to_owned() },
        html: html(rest),
        with_integration: true,
        caption: "Open now",
        incidents: of_it,
    }
}

/// A runbook's title and what stands under it.
fn titled(markdown: &str) -> (&str, &str) {
    let text = markdown.trim_start();
    match text.strip_prefix("# ").map(|text| text.split_once('\n').unwrap_or((text, ""))) {
        Some((title, rest)) => (title.trim(), rest),
        None => ("", text),
    }
}

/// Whether a text can be a runbook's key: `[a-z0-9-]+`.
fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Markdown to HTML. Raw HTML and dangerous links in it are left out.
fn html(markdown: &str) -> String {
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    comrak::markdown_to_html(markdown, &options)
}

/// The section whose heading starts with `First`, as HTML: what an incident's page shows of its runbook.
pub fn first_steps(markdown: &str) -> Option<String> {
    let mut lines = markdown.lines().skip_while(|line| !line.starts_with("## First"));
    lines.next()?;
    let section: Vec<&str> =
        lines.take_while(|line| !line.starts_with("## ") && !line.starts_with("# ")).collect();
    let section = section.join("\n");
    (!section.trim().is_empty()).then(|| html(&section))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_html_and_scripts_never_reach_the_page() {
        let html = html("# A\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) <img src=x onerror=y>");
        assert!(html.contains("<h1>A</h1>"), "{html}");
        assert!(
            !html.contains("<script") && !html.contains("javascript:") && !html.contains("onerror"),
            "{html}"
        );
    }

    #[test]
    fn first_steps_end_at_the_next_heading() {
        let html = first_steps("# T\n\n## First look (2 minutes)\n\n1. Look.\n\n## Fix\n\nMend.").unwrap();
        assert!(html.contains("Look.") && !html.contains("Mend"), "{html}");
        assert_eq!(first_steps("## First look\n\n## Fix\n\nMend."), None);
    }

    #[test]
    fn a_key_is_no_path() {
        assert!(is_key("success-rate-low"));
        for bad in ["", "../etc/passwd", "A", "a.md", "a b"] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
