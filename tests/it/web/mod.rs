//! One file a page, of the page's name: what a person reads there, and what it answers to a name that is not there.

mod account;
mod audit;
mod errors;
mod incidents;
mod integration;
mod keys;
mod link;
mod login;
mod mail;
mod overview;
mod password;
mod people;
mod readiness;
mod runbook;
mod setup;
mod silences;
mod system;

use crate::support::server::Server;

/// The page as a person reads it: tags out, entities in, spaces plain.
fn read(server: &Server, path: &str) -> String {
    let answer = server.get(path);
    assert_eq!(answer.status, 200, "GET {path}: {}", answer.text());
    assert!(answer.header("content-type").starts_with("text/html"), "{}", answer.header("content-type"));
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("'unsafe-inline'"), "{path}: {policy}");
    text(&answer.text())
}

fn text(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                out.push(' ');
            }
            '\u{202f}' | '\u{a0}' | '\u{2009}' => out.push(' '),
            _ if !inside => out.push(letter),
            _ => {}
        }
    }
    let out = out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    let out = out.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#38;", "&");
    out.replace("&amp;", "&").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A page that is not there says so as a page.
fn not_found(server: &Server, path: &str) {
    let answer = server.get(path);
    assert_eq!(answer.status, 404, "GET {path}");
    assert!(answer.header("content-type").starts_with("text/html"), "{}", answer.header("content-type"));
    assert!(answer.text().contains("<h1"), "an error page has a heading");
}

#[test]
fn text_is_what_a_person_reads() {
    assert_eq!(text("<p class=\"x\">a&lt;b&amp;c</p>\n<b>1\u{202f}%</b>"), "a<b&c 1 %");
}
