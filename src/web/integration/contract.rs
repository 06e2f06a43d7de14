//! Shapes of messages on the integration's page: what is required, what differs, and before and after of it.

use crate::health::contract::{all_shapes, of_endpoint_learned};
use crate::health::shape::{Difference, Kind, LEARNS_FOR, Learned, MATURE};
use crate::rollup::state::row::of_endpoint;
use crate::rollup::window::Minute;
use crate::signals::observation::IntegrationKey;
use crate::web::format::{self, When};
use crate::web::view::health::Sources;

/// Differences that a page shows of one endpoint.
const DIFFERENCES: usize = 30;

/// One endpoint's messages.
pub struct ContractRow {
    /// `GET /orders`.
    pub endpoint: String,
    /// `request`, `response` or `event`.
    pub message: String,
    /// The environment, for the form that accepts it.
    pub environment: String,
    /// `42 fields required`, or how far learning is.
    pub state: String,
    /// What differs, what breaks first.
    pub differences: Vec<Changed>,
    /// Whether any of it breaks something, so that accepting it means something.
    pub breaks: bool,
}

/// One path that differs.
pub struct Changed {
    /// JSON path.
    pub path: String,
    /// `missing`, `other type` or `new`.
    pub kind: &'static str,
    /// `bad`, or empty for what breaks nothing.
    pub class: &'static str,
    /// Its types before.
    pub before: String,
    /// Its types now.
    pub now: String,
    /// Since when.
    pub since: When,
}

/// Endpoints with shapes, those that changed first.
pub fn contracts(integration: &IntegrationKey, sources: &Sources<'_>) -> Vec<ContractRow> {
    let tick = Minute::of(sources.now);
    let states = &sources.states.states;
    let own = all_shapes(states).filter(|(key, _)| key.integration == *integration);
    let row = |(key, shapes)| {
        let learned = of_endpoint_learned(states, key, shapes, tick);
        let (message, endpoint) = of_endpoint(&key.name);
        let mut differences: Vec<&Difference> = learned.differences.iter().collect();
        differences.sort_by_key(|one| !one.is_breaking());
        ContractRow {
            endpoint: endpoint.to_owned(),
            message: message.to_owned(),
            environment: integration.environment.to_string(),
            state: state(&learned),
            breaks: differences.iter().any(|one| one.is_breaking()),
            differences: differences
                .into_iter()
                .take(DIFFERENCES)
                .map(|one| changed(one, sources.now))
                .collect(),
        }
    };
    let mut rows: Vec<ContractRow> = own.map(row).collect();
    rows.sort_by(|a, b| (!a.breaks, &a.endpoint, &a.message).cmp(&(!b.breaks, &b.endpoint, &b.message)));
    rows
}

fn state(learned: &Learned) -> String {
    if learned.is_learning() {
        let (seen, days) = (format::count(learned.seen.min(MATURE) as f64), learned.minutes / (24 * 60));
        let wanted = LEARNS_FOR / (24 * 60);
        return format!("learning: {seen} of {MATURE} messages, {} of {wanted} days", days.min(wanted));
    }
    match learned.required.len() {
        1 => "1 field required".into(),
        many => format!("{} fields required", format::count(many as f64)),
    }
}

fn changed(one: &Difference, now: i64) -> Changed {
    let (kind, class) = match one.kind {
        Kind::Missing => ("missing", "bad"),
        Kind::Type => ("other type", "bad"),
        Kind::Added => ("new", ""),
    };
    let or_none = |text: &String| if text.is_empty() { "–".to_owned() } else { text.clone() };
    let (before, after) = (or_none(&one.before), or_none(&one.now));
    Changed {
        path: one.path.clone(),
        kind,
        class,
        before,
        now: after,
        since: When::new(one.since.start(), now),
    }
}
