//! `/audit`: who did what when, whether the entries hang together, and the same as a file.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::asked::Asked;
use super::format::{self, When};
use super::gate::posted::Posted;
use super::gate::who::Who;
use super::page::{self, Error, Frame};
use super::{State, load};
use crate::access::audit::{Link, START, verify};
use crate::store;

/// Entries on the page.
const SHOWN: u32 = 200;
/// Entries in a file at most.
const EXPORTED: u32 = 100_000;
/// Entries that are read at once to verify them.
const PIECE: u32 = 5_000;

/// The page.
#[derive(Template)]
#[template(path = "audit.html")]
pub struct Page {
    frame: Frame,
    holding: String,
    rows: Vec<Row>,
    chain: Chain,
    more: bool,
}

struct Row {
    number: i64,
    at: When,
    actor: String,
    action: String,
    object: String,
    detail: String,
    address: String,
}

/// Whether all entries hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chain {
    Whole(i64),
    Broken(i64),
}

/// What may be asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Which {
    q: Option<String>,
}

/// What is to be exported.
#[derive(Debug, Deserialize)]
pub struct Export {
    #[serde(default)]
    q: String,
    format: String,
}

/// Shows it.
pub async fn show(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Asked(which): Asked<Which>,
) -> Result<Response, Error> {
    let now = (state.clock)();
    let incidents = state.store.incidents(true, load::INCIDENTS).await?;
    let holding = which.q.unwrap_or_default();
    let links = state.store.audit_latest(holding.trim(), SHOWN).await?;
    let row = |Link { number, entry, .. }: Link| Row {
        number,
        at: When::new(entry.at, now),
        actor: entry.actor,
        action: entry.action,
        object: entry.object,
        detail: entry.detail,
        address: entry.address,
    };
    let more = links.len() == SHOWN as usize;
    let frame = Frame::new(&state, &who, &incidents, "audit", "Audit log");
    let rows = links.into_iter().map(row).collect();
    Ok(page::render(&Page { frame, holding, rows, chain: chain(&state).await?, more }))
}

/// The entries as a file. That they were taken out is an entry too, the last one in it.
pub async fn export(
    Extract(state): Extract<State>,
    Extension(who): Extension<Who>,
    Posted(asked): Posted<Export>,
) -> Result<Response, Error> {
    let (kind, write): (_, fn(&[Link]) -> String) = match asked.format.as_str() {
        "csv" => ("text/csv; charset=utf-8", csv),
        "json" => ("application/json", lines),
        _ => return Err(Error::BadParameter("The log is exported as csv or as json.".into())),
    };
    let holding = asked.q.trim();
    let detail =
        if holding.is_empty() { "All of it.".to_owned() } else { format!("What holds \"{holding}\".") };
    state.store.audit(&who.did((state.clock)(), "audit.exported", &asked.format, detail)).await?;
    let mut links = state.store.audit_latest(holding, EXPORTED).await?;
    links.reverse();
    let mut response = write(&links).into_response();
    let name = format!("attachment; filename=\"seamwatch-audit.{}\"", asked.format);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment")),
    );
    Ok(response)
}

async fn chain(state: &State) -> Result<Chain, store::Error> {
    let (mut before, mut number) = (START, 0);
    loop {
        let links = state.store.audit_after(number, PIECE).await?;
        let Some(last) = links.last().map(|link| link.number) else { return Ok(Chain::Whole(number)) };
        match verify(before, number, &links) {
            Ok(hash) => (before, number) = (hash, last),
            Err(at) => return Ok(Chain::Broken(at)),
        }
    }
}

/// Comma-separated, RFC 4180. A cell that a spreadsheet would take for a formula begins with an apostrophe.
fn csv(links: &[Link]) -> String {
    let cell = |text: &str| {
        let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text != "-";
        format!("\"{}{}\"", if is_formula { "'" } else { "" }, text.replace('"', "\"\""))
    };
    let head = "number,at,actor,action,object,detail,address,hash\r\n".to_owned();
    links.iter().fold(head, |text, Link { number, entry, hash }| {
        let cells = [&entry.actor, &entry.action, &entry.object, &entry.detail, &entry.address]
            .map(|text| cell(text));
        text + &format!("{number},{},{},{}\r\n", format::rfc3339(entry.at), cells.join(","), hex(hash))
    })
}

/// One JSON object with all of them, as they are kept: the chain can be verified elsewhere.
fn lines(links: &[Link]) -> String {
    let item = |Link { number, entry, hash }: &Link| {
        json!({
            "number": number, "at": format::rfc3339(entry.at), "at_unix_nano": entry.at.to_string(), "actor": entry.actor,
            "action": entry.action, "object": entry.object, "detail": entry.detail, "address": entry.address,
            "hash": hex(hash),
        })
    };
    json!({ "items": links.iter().map(item).collect::<Vec<_>>() }).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::audit::{Entry, chain};

    #[test]
    fn a_spreadsheet_runs_nothing_of_it() {
        let entry = Entry {
            at: 0,
            actor: "=cmd()".into(),
            action: "login.ok".into(),
            object: "say \"hi\", you".into(),
            detail: "+1".into(),
            address: "-".into(),
        };
        let text = csv(&[Link { number: 1, hash: chain(&START, 1, &entry), entry }]);
        let line = text.lines().nth(1).unwrap();
        assert!(line.contains(",\"'=cmd()\",\"login.ok\",\"say \"\"hi\"\", you\",\"'+1\",\"-\","), "{line}");
    }
}
