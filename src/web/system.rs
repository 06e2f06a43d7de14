//! `/system`: what came in, what was refused and why, how far behind it is, and whether the rules are sound.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::response::Response;

use super::format::{self, When};
use super::gate::who::Who;
use super::page::{self, Error, Frame};
use super::{RulesView, State, load};
use crate::signals::telemetry::Nanos;

/// The page.
#[derive(Template)]
#[template(path = "system.html")]
pub struct Page {
    frame: Frame,
    lede: String,
    groups: Vec<Group>,
    problems: Vec<String>,
    rules: String,
    rules_of: When,
    encrypted_with: Option<String>,
}

/// Figures that belong together.
struct Group {
    title: &'static str,
    note: &'static str,
    figures: Vec<(String, String)>,
}

/// Shows it.
pub async fn show(Extract(state): Extract<State>, Extension(who): Extension<Who>) -> Result<Response, Error> {
    let open = state.store.incidents(true, load::INCIDENTS).await?;
    let watermark = state.store.watermark().await?;
    let frame = Frame::new(&state, &who, &open, "system", "System");
    let rules = state.rules.borrow().clone();
    let page = build(frame, &(state.counters)(), watermark, &rules, (state.clock)());
    Ok(page::render(&Page { encrypted_with: state.settings.encrypted_with.clone(), ..page }))
}

/// The page from plain values.
pub fn build(
    frame: Frame,
    counters: &[(String, u64)],
    watermark: u64,
    rules: &RulesView,
    now: Nanos,
) -> Page {
    let accepted: u64 = with_prefix(counters, "accepted_").map(|(_, count)| count).sum();
    let refused: u64 = ["refused_", "rejected_"]
        .into_iter()
        .flat_map(|prefix| with_prefix(counters, prefix))
        .map(|(_, count)| count)
        .sum();
    let lede = match (accepted, refused) {
        (0, 0) => "Nothing has arrived since the start.".to_owned(),
        (accepted, 0) => {
            format!("{} records taken since the start, none refused.", format::count(accepted as f64))
        }
        (accepted, refused) => format!(
            "{} records taken since the start, {} refused.",
            format::count(accepted as f64),
            format::count(refused as f64)
        ),
    };
    let group = |title, note, prefix: &str| Group {
        title,
        note,
        figures: with_prefix(counters, prefix)
            // What never happened would bury what did.
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (spoken_kind(prefix, name), format::count(count as f64)))
            .collect(),
    };
    let groups = vec![
        group("Accepted", "Records that were acknowledged, and are on disk.", "accepted_"),
        group(
            "Rejected records",
            "Named in the answer to the sender; the rest of the request was taken.",
            "rejected_",
        ),
        group("Refused requests", "By reason. Those that may be sent again were told so.", "refused_"),
        group(
            "Redacted",
            "Secrets taken out of what was read, by kind; what they were is not kept.",
            "redacted_",
        ),
        rest(counters, watermark),
    ];
    let count = rules.rules.len();
    Page {
        lede,
        groups,
        problems: rules.problems.clone(),
        rules: format::capital(&format!(
            "{} {} in force",
            format::spelled(count),
            if count == 1 { "rule" } else { "rules" }
        )),
        rules_of: When::new(rules.loaded_at, now),
        encrypted_with: None,
        frame,
    }
}

fn rest(counters: &[(String, u64)], watermark: u64) -> Group {
    let grouped = |name: &str| {
        ["accepted_", "rejected_", "refused_", "redacted_"].iter().any(|prefix| name.starts_with(prefix))
    };
    let mut figures: Vec<(String, String)> = counters
        .iter()
        .filter(|(name, _)| !grouped(name) && name != "watermark")
        .map(|(name, value)| {
            let figure = match name.ends_with("_ms") {
                true => format::seconds(*value as f64 / 1e3),
                false => format::count(*value as f64),
            };
            (spoken(name), figure)
        })
        .collect();
    figures.push(("Requests in the catalog".into(), format::count(watermark as f64)));
    Group { title: "On the way", note: "From receipt to the dashboard and to the rules.", figures }
}

/// A counter's name as a sentence's beginning; one that nobody worded yet is shown as it is called.
fn spoken(name: &str) -> String {
    let words = match name {
        "bytes" => "Bytes received",
        "requests" => "Requests received",
        "duplicates" => "Requests that came twice, counted once",
        "late" => "Records of minutes that were judged already, shown but not judged again",
        "lag_ms" => "From receipt to the dashboard",
        "judged_ago_ms" => "Since the last minute that the rules judged",
        "folded" => "Series past a limit: endpoints counted as (other), others left out",
        "errors_folded" => "Failures counted as (other): their integration has too many kinds of errors",
        "changes_left_out" => "Versions and changes left out: their integration has too many in a day",
        "pins_left_out" => "Failing calls not kept whole: the day's room for them is full",
        "flush_failures" => "Writes to the catalog that failed and were tried again",
        "inbox_bytes" => "Bytes on disk that the catalog does not hold yet",
        "inbox_files" => "Files that hold them",
        "inbox_failures" => "Writes to these files that failed",
        "defects" => "Times that judging or writing a mail failed by a defect of the server",
        "set_aside" => "Requests that could not be counted and are kept aside",
        "claims" => "Requests whose copies are known",
        "hot_bytes" => "Bytes in memory that the catalog does not hold yet",
        "in_flight_bytes" => "Bytes received that are not counted yet",
        "connections" => "Open connections",
        "connections_handshake_failed" => "Connections whose TLS handshake failed",
        "clock_corrected" => "Records whose sender's clock is off, moved to where they belong",
        name if name.starts_with("clock of ") => return format::capital(name.trim_end_matches("_ms")),
        name => return format::capital(&format::words(name.strip_suffix("_ms").unwrap_or(name))),
    };
    words.into()
}

/// A counter's name within its group.
fn spoken_kind(prefix: &str, name: &str) -> String {
    let words = match (prefix, name) {
        ("redacted_", "key") => "Values under a secret's name",
        ("redacted_", "scheme") => "Behind Bearer or Basic",
        ("redacted_", "maker") => "Tokens known by their maker",
        ("redacted_", "jwt") => "JSON web tokens",
        ("redacted_", "pem") => "Private keys and other PEM blocks",
        ("redacted_", "url") => "Secrets in addresses",
        ("redacted_", "card") => "Card numbers",
        ("redacted_", "iban") => "Bank accounts (IBAN)",
        ("redacted_", "email") => "E-mail addresses",
        ("redacted_", "phone") => "Telephone numbers",
        ("redacted_", "pattern") => "Matches of configured patterns",
        (_, name) => return format::capital(&format::words(name)),
    };
    words.into()
}

/// Counters under a prefix, without it.
pub fn with_prefix<'c>(counters: &'c [(String, u64)], prefix: &str) -> impl Iterator<Item = (&'c str, u64)> {
    counters.iter().filter_map(move |(name, count)| Some((name.strip_prefix(prefix)?, *count)))
}
