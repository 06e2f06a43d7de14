//! Error groups and changes as rows.

use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::store::query::errors::{ChangeRecord, ErrorRecord};
use crate::web::chart::{self, Bar};
use crate::web::format::{self, When};
use crate::web::view::{figure, pin};

/// One error group.
pub struct ErrorRow {
    /// Where it is shown.
    pub href: String,
    /// The type of the error.
    pub kind: String,
    /// The message with placeholders.
    pub message: String,
    /// `POST /v1/invoices/{id} · api.stripe.com`.
    pub place: String,
    /// Whose.
    pub integration: String,
    /// Where; empty for the one environment that needs no name.
    pub environment: String,
    /// Where that is shown.
    pub integration_href: String,
    /// How often it failed.
    pub failures: String,
    /// The same, compared with the worst of the list.
    pub bar: Bar,
    /// The first failure of all.
    pub first: When,
    /// The version that it came with.
    pub version: String,
    /// The latest failure.
    pub last: When,
}

/// Rows in the order given.
pub fn rows(groups: &[ErrorRecord], now: Nanos) -> Vec<ErrorRow> {
    let most = groups.iter().map(|group| group.failures).max().unwrap_or(1).max(1) as f64;
    let row = |group: &ErrorRecord| ErrorRow {
        href: pin::href(&group.fingerprint),
        kind: group.kind.clone(),
        message: group.message.clone(),
        place: place(group),
        integration: group.integration.clone(),
        environment: if group.environment == "default" { String::new() } else { group.environment.clone() },
        integration_href: figure::integration_href(&IntegrationKey {
            environment: group.environment.as_str().into(),
            name: group.integration.as_str().into(),
        }),
        failures: format::count(group.failures as f64),
        bar: chart::bar("bad", group.failures as f64 / most),
        first: When::new(group.first_seen, now),
        version: group.first_version.clone(),
        last: When::new(group.last_seen, now),
    };
    groups.iter().map(row).collect()
}

/// What failed, and towards whom.
pub fn place(group: &ErrorRecord) -> String {
    let parts = [&group.endpoint, &group.peer].into_iter().filter(|part| !part.is_empty());
    let of: Vec<&str> = parts.map(String::as_str).collect();
    match &*group.direction {
        "inbound" => format!("{} · from a peer", of.join(" · ")),
        _ => of.join(" · "),
    }
}

/// One change.
pub struct ChangeRow {
    /// `Version 2.14.0 is there`, or what an event said.
    pub what: String,
    /// `version`, or the event's kind.
    pub kind: String,
    /// When.
    pub at: When,
    /// From when on it holds, where an event says so.
    pub effective: Option<When>,
}

/// Rows in the order given.
pub fn changes(changes: &[ChangeRecord], now: Nanos) -> Vec<ChangeRow> {
    let row = |change: &ChangeRecord| ChangeRow {
        what: match (&*change.kind, change.text.is_empty()) {
            ("version", _) => format!("Version {} was first seen", change.text),
            (_, true) => format::capital(&format::words(&change.kind)),
            (_, false) => change.text.clone(),
        },
        kind: format::words(&change.kind),
        at: When::new(change.at, now),
        effective: change.effective_at.map(|at| When::new(at.saturating_mul(1_000_000_000), now)),
    };
    changes.iter().map(row).collect()
}

/// What stands beside a change's mark on a chart.
pub fn label(change: &ChangeRecord) -> String {
    let text = if change.kind == "version" { &change.text } else { &change.kind };
    crate::signals::normal::cut(text, 24).to_owned()
}
