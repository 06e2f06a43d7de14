//! Credentials, queues, reconciliations and runs on the integration's page.

use crate::rollup::gap::gap;
use crate::signals::observation::ReconciliationRun;
use crate::signals::telemetry::Nanos;
use crate::web::chart::{self, Columns, Plot};
use crate::web::format::{self, When};
use crate::web::view::badge::Badge;
use crate::web::view::course;
use crate::web::view::credential::{self, Expiry};
use crate::web::view::figure::{self, Figure};
use crate::web::view::health::{Health, Sources};
use crate::web::view::reconciliation;

/// The horizon of the credentials panel.
const HORIZON: f64 = 90.0 * 86_400.0;
/// The least of the bar that a credential with any time left fills.
const SLIVER: f64 = 0.02;

/// One credential slot on the horizon.
pub struct CredentialRow {
    /// `integration.credential.id`.
    pub id: String,
    /// `refresh token`.
    pub kind: String,
    /// Width of the bar in per cent of 90 days.
    pub width: String,
    /// Whether it reaches beyond the horizon or never ends.
    pub full: bool,
    /// `41 d`.
    pub expiry: Figure,
    /// When that is.
    pub at: Option<When>,
    /// When it was last refreshed.
    pub refreshed: Option<When>,
    /// `renewed by hand · belongs to a person`.
    pub note: String,
}

/// Slots, the next to expire first.
pub fn credentials(one: &Health<'_>, sources: &Sources<'_>) -> Vec<CredentialRow> {
    let now = sources.now;
    let row = |credential: credential::Credential<'_>| {
        let expiry = credential.expiry();
        let slot = credential.slot;
        let by_hand = slot.renewed_by_hand();
        let left = expiry.at().map(|at| at as f64 - now as f64 / 1e9);
        let share = left.map_or(0.0, |left| (left / HORIZON).clamp(0.0, 1.0));
        let share = match (&expiry, left) {
            (Expiry::Never, _) => 1.0,
            // What is over fills the bar; minutes that are left are still to be seen.
            (_, Some(left)) if left <= 0.0 => 1.0,
            (_, Some(_)) => share.max(SLIVER),
            _ => 0.0,
        };
        let mut shown = figure::instant(&expiry, now);
        if !by_hand && left.is_some_and(|left| left > 0.0) {
            // What renews itself is not a date for a person.
            shown.class = "";
        }
        let mut notes = vec![match slot.renewal.get().map(String::as_str) {
            Some("automatic") => "renews itself".to_owned(),
            Some("manual") => "renewed by hand".to_owned(),
            _ => String::new(),
        }];
        match (slot.owner_type.get().map(String::as_str), slot.owner_name.get()) {
            (Some("person"), name) => {
                notes.push(format!("belongs to {}, a person", name.map_or("somebody", String::as_str)));
            }
            (_, Some(name)) => notes.push(format!("belongs to {name}")),
            _ => {}
        }
        if let Some(provider) = slot.provider.get() {
            notes.push(format!("issued by {provider}"));
        }
        if let Some(due) = slot.rotation_due_at.get() {
            notes.push(format!("rotate by {}", format::stamp(due.saturating_mul(1_000_000_000), "%-d %b")));
        }
        notes.retain(|note| !note.is_empty());
        CredentialRow {
            id: credential.id.to_owned(),
            kind: slot.kind.get().map_or_else(String::new, |kind| format::words(kind)),
            width: chart::percent(100.0 * share),
            full: share > 0.6,
            refreshed: slot
                .generation
                .last_refreshed_at
                .get()
                .map(|at| When::new(at.saturating_mul(1_000_000_000), now)),
            at: expiry.at().map(|at| When::new(at.saturating_mul(1_000_000_000), now)),
            expiry: shown,
            note: notes.join(" · "),
        }
    };
    credential::credentials(sources.states, &one.key, now).into_iter().map(row).collect()
}

/// One queue.
pub struct QueuePanel {
    /// Its name.
    pub name: String,
    /// Ready, oldest age and the other states, each with its label.
    pub figures: Vec<(&'static str, String)>,
    /// Ready items over time.
    pub plot: Plot,
    /// Age of the oldest of them over time, where it is reported.
    pub ages: Option<Plot>,
}

/// Queues by name.
pub fn queues(one: &Health<'_>, columns: Columns) -> Vec<QueuePanel> {
    let panel = |queue: &crate::web::view::queue::Queue| {
        let name = if queue.name.is_empty() { "queue".to_owned() } else { queue.name.clone() };
        let counted = |label, value: Option<f64>| value.map(|value| (label, format::count(value)));
        let figures = [
            counted("ready", queue.ready),
            queue.oldest_age.map(|age| ("oldest", format::seconds(age))),
            counted("delayed", queue.delayed),
            counted("in flight", queue.in_flight),
            counted("dead letters", queue.dead_letter),
        ];
        let depths = course::latest(&queue.history, columns);
        let ages = course::latest(&queue.ages, columns);
        let says = format!("Ready items in {name}");
        let class = match figure::colour(one, &["queue."]) {
            "" => "calm",
            colour => colour,
        };
        QueuePanel {
            plot: chart::amounts(says, columns, vec![(class, name.clone(), depths)], format::count),
            ages: ages.iter().any(Option::is_some).then(|| {
                let says = format!("Age of the oldest ready item in {name}");
                chart::amounts(says, columns, vec![(class, name.clone(), ages)], format::seconds)
            }),
            figures: figures.into_iter().flatten().collect(),
            name,
        }
    };
    one.queues.iter().map(panel).collect()
}

/// The latest run of one reconciliation.
pub struct ReconciliationRow {
    /// `orders`, with its entity.
    pub name: String,
    /// When it ran.
    pub ran: When,
    /// The window it compared, where it has one.
    pub window: Option<(When, When)>,
    /// Expected, matched, missing, unexpected, mismatched, pending.
    pub figures: Vec<(&'static str, Figure)>,
    /// What is open, or what to bear in mind.
    pub note: String,
    /// Runs whose windows are open, the oldest first.
    pub open: Vec<OpenWindow>,
    /// Keys of missing records, as far as they were told.
    pub keys: Vec<String>,
    /// For the form that writes a window off: environment, name, entity.
    pub of: [String; 3],
}

/// A run whose window is open.
pub struct OpenWindow {
    /// Its id.
    pub run: String,
    /// When it ran.
    pub ran: When,
    /// The window it compared, where it has one.
    pub window: Option<(When, When)>,
    /// Records that do not agree, of how many.
    pub records: String,
}

/// Keys that a page shows of one reconciliation.
const KEYS: usize = 20;

/// Reconciliations by name.
pub fn reconciliations(one: &Health<'_>, sources: &Sources<'_>) -> Vec<ReconciliationRow> {
    let now = sources.now;
    let row = |found: reconciliation::Reconciliation| {
        let run = &found.latest;
        let at = |seconds: i64| When::new(seconds.saturating_mul(1_000_000_000), now);
        ReconciliationRow {
            name: if run.entity.is_empty() {
                run.name.to_string()
            } else {
                format!("{} · {}", run.name, run.entity)
            },
            ran: When::new(run.time, now),
            window: run.window.map(|(from, to)| (at(from), at(to))),
            figures: figures(run),
            note: note(&found, now),
            open: open_windows(&found, now),
            keys: found.open.keys.iter().take(KEYS).cloned().collect(),
            of: [&run.integration.environment, &run.name, &run.entity].map(ToString::to_string),
        }
    };
    reconciliation::reconciliations(sources.states, &one.key).into_iter().map(row).collect()
}

fn open_windows(found: &reconciliation::Reconciliation, now: Nanos) -> Vec<OpenWindow> {
    let at = |seconds: i64| When::new(seconds.saturating_mul(1_000_000_000), now);
    let run_of = |id: &std::sync::Arc<str>| found.runs.iter().find(|run| run.run_id == *id);
    let window = |run: &ReconciliationRun| OpenWindow {
        run: run.run_id.to_string(),
        ran: When::new(run.time, now),
        window: run.window.map(|(from, to)| (at(from), at(to))),
        records: format!("{} of {}", format::count(gap(run) as f64), format::count(run.expected as f64)),
    };
    found.open.open.iter().filter_map(run_of).map(window).collect()
}

fn figures(run: &ReconciliationRun) -> Vec<(&'static str, Figure)> {
    let known = |count: u64, class| Figure {
        class: if count > 0 { class } else { "" },
        ..Figure::plain(format::count(count as f64))
    };
    let missing = run.missing.unwrap_or_else(|| {
        run.expected.saturating_sub(run.matched.saturating_add(run.mismatched).saturating_add(run.pending))
    });
    vec![
        ("Expected", known(run.expected, "")),
        ("Matched", known(run.matched, "")),
        ("Missing", known(missing, "bad")),
        ("Unexpected", known(run.unexpected, "bad")),
        ("Differing", known(run.mismatched, "bad")),
        ("Pending", known(run.pending, "")),
    ]
}

fn note(found: &reconciliation::Reconciliation, now: Nanos) -> String {
    let mut notes = Vec::new();
    if let Some(since) = found.open.since.filter(|_| found.open.records > 0) {
        let records = format::count(found.open.records as f64);
        let noun = if found.open.records == 1 { "record is" } else { "records are" };
        notes.push(format!("{records} {noun} open, the oldest for {}.", format::between(since, now)));
    }
    if found.open.open.len() > 1 {
        let (windows, expected) = (found.open.open.len(), format::count(found.open.expected as f64));
        let windows = format::count(windows as f64);
        notes.push(format!("{windows} windows are open, with {expected} records expected in all of them."));
    }
    if found.open.amount_differs {
        notes.push("Amounts differ.".into());
    }
    if let (Some(expected), Some(matched)) = (found.latest.amount_expected, found.latest.amount_matched) {
        let currency = &found.latest.currency;
        notes.push(format!("{matched:.2} of {expected:.2} {currency}").trim_end().to_owned() + ".");
    }
    if found.latest.net_only {
        notes.push("Only net figures: duplicates can hide here.".into());
    }
    notes.join(" ")
}

/// One run of a job.
pub struct RunRow {
    /// Its name.
    pub name: String,
    /// When it completed.
    pub at: When,
    /// `success` and the like.
    pub badge: Badge,
    /// `120 read, 118 written, 2 failed`.
    pub records: String,
    /// What the sender said.
    pub message: String,
    /// When the next is due.
    pub next: Option<When>,
}

/// The latest ten runs.
pub fn runs(one: &Health<'_>, sources: &Sources<'_>) -> Vec<RunRow> {
    let now = sources.now;
    let mut own: Vec<_> = sources.states.runs.iter().filter(|run| run.integration == one.key).collect();
    own.sort_by_key(|run| std::cmp::Reverse(run.time));
    let row = |run: &crate::signals::observation::JobRun| {
        let counted = |what: &str, count: Option<u64>| {
            count.map(|count| format!("{} {what}", format::count(count as f64)))
        };
        let records =
            [counted("read", run.read), counted("written", run.written), counted("failed", run.failed)];
        RunRow {
            name: if run.name.is_empty() { "run".into() } else { run.name.to_string() },
            at: When::new(run.time, now),
            badge: Badge(match run.outcome.as_str() {
                "failure" | "failed" | "error" => "failing",
                "partial" => "degraded",
                _ => "ok",
            }),
            records: records.into_iter().flatten().collect::<Vec<_>>().join(", "),
            message: run.message.clone(),
            next: run.next_at.map(|at| When::new(at.saturating_mul(1_000_000_000), now)),
        }
    };
    own.into_iter().take(10).map(row).collect()
}
