//! The tables of connections, rate limits and webhooks.

use crate::alert::sentence;
use crate::health::value::Value;
use crate::rollup::window::Part;
use crate::signals::provider::Providers;
use crate::signals::telemetry::Nanos;
use crate::web::format::{self, When};
use crate::web::load::Loaded;
use crate::web::view::figure::Figure;
use crate::web::view::health::Health;
use crate::web::view::{connection, delivery, limit};

/// So many connections are shown: those that fail are among the first.
const SHOWN: usize = 12;

/// What the calls for a connection came to.
pub struct ConnectionRow {
    /// Its id.
    pub id: String,
    /// Operations.
    pub calls: String,
    /// Success rate.
    pub success: Figure,
    /// What most failures were.
    pub fails: String,
    /// The latest call.
    pub last: When,
}

/// The worst connections, and how many more there are.
pub fn connections(one: &Health<'_>, window: &Part, now: Nanos) -> (Vec<ConnectionRow>, usize) {
    let all = connection::connections(window, &one.key);
    let more = all.len().saturating_sub(SHOWN);
    let row = |found: &connection::Connection| ConnectionRow {
        id: found.id.clone(),
        calls: format::count(found.judged.operations),
        success: Figure {
            text: format::percent(found.judged.success_rate()),
            class: if found.is_failing() { "bad" } else { "" },
            hint: format!("{} failed", format::count(found.judged.bad)),
            ..Figure::default()
        },
        fails: found.fails.map_or_else(String::new, |class| sentence::class(class).to_owned()),
        last: When::new(found.last.start(), now),
    };
    (all.iter().take(SHOWN).map(row).collect(), more)
}

/// What is left of a limit.
pub struct LimitRow {
    /// `GitHub search`, and whose.
    pub name: String,
    /// Whose quota.
    pub account: String,
    /// `412 of 5,000`.
    pub left: String,
    /// The share that is left.
    pub headroom: Figure,
    /// When it is reset.
    pub reset: Option<When>,
    /// When nothing is left, where that comes first; and what others use.
    pub note: String,
}

/// Limits by name.
pub fn limits(one: &Health<'_>, loaded: &Loaded, providers: &Providers, now: Nanos) -> Vec<LimitRow> {
    let row = |found: limit::Limit| {
        let mut notes = Vec::new();
        if let Some(seconds) = found.exhausts_in {
            notes.push(match seconds {
                0.0 => "nothing is left".to_owned(),
                seconds => format!("runs out in {}, before the reset", format::seconds(seconds)),
            });
        }
        if let Some(share) = found.foreign.filter(|share| *share > 0.0) {
            notes.push(format!("{} of it used by others", format::percent(Some(share))));
        }
        let count =
            |told: Option<(Nanos, f64)>| told.map_or(format::NONE.into(), |(_, value)| format::count(value));
        let class = match (found.exhausts_in, found.headroom) {
            (Some(0.0), _) => "bad",
            (Some(_), Some(headroom)) if headroom < 0.5 => "warn",
            _ => "",
        };
        LimitRow {
            name: [&*found.provider, &*found.limit].join(" ").trim().to_owned(),
            account: if found.account == found.provider { String::new() } else { found.account },
            left: format!("{} of {}", count(found.remaining), count(found.of)),
            headroom: Figure { class, ..Figure::plain(format::percent(found.headroom)) },
            reset: found.resets_at.map(|(_, at)| When::new((at as i64).saturating_mul(1_000_000_000), now)),
            note: notes.join("; "),
        }
    };
    limit::limits(&loaded.window, &loaded.values, providers, &one.key).into_iter().map(row).collect()
}

/// Deliveries of an event type.
pub struct WebhookRow {
    /// Which event.
    pub event_type: String,
    /// Whose.
    pub provider: String,
    /// By result, as the columns stand.
    pub counts: Vec<(&'static str, Figure)>,
    /// Why they were turned away.
    pub reasons: String,
    /// The latest.
    pub last: Option<When>,
    /// What should have come since.
    pub missed: Figure,
}

/// Webhooks by event type.
pub fn webhooks(one: &Health<'_>, deliveries: &Part, values: &[Value], now: Nanos) -> Vec<WebhookRow> {
    const COLUMNS: [(&str, &str, &str); 5] = [
        ("Accepted", "accepted", ""),
        ("Rejected", "rejected", "warn"),
        ("Duplicate", "duplicate", ""),
        ("Out of order", "out_of_order", ""),
        ("Given up", "dead_lettered", "bad"),
    ];
    let row = |found: delivery::Deliveries| {
        let counts = COLUMNS.map(|(label, result, class)| {
            let count = found.of(result);
            let class = if count > 0.0 { class } else { "" };
            (label, Figure { class, ..Figure::plain(format::count(count)) })
        });
        let reasons = found
            .reasons
            .iter()
            .map(|(reason, count)| format!("{} {}", format::count(*count), format::words(reason)));
        WebhookRow {
            counts: counts.into(),
            reasons: reasons.collect::<Vec<_>>().join(", "),
            last: found.last.map(|last| When::new(last.start(), now)),
            missed: match found.missed {
                None => Figure::none(),
                Some(missed) => {
                    let class = if missed > 0.0 { "warn" } else { "" };
                    Figure { class, ..Figure::plain(format::count(missed)) }
                }
            },
            event_type: found.event_type,
            provider: found.provider,
        }
    };
    delivery::deliveries(deliveries, values, &one.key).into_iter().map(row).collect()
}
