//! What the members do by the clock: hourly reconciliations and exports, the nightly run. The same for history and
//! for real time, called once for each minute.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Local, Timelike};
use seamwatch_exporter::event::{Outcome, Reconciliation, Run};
use seamwatch_exporter::integration::Integration;

use super::fleet::Member;
use super::traffic::Faults;

const HOUR: Duration = Duration::from_secs(3_600);

/// The name of the reconciliation that comes up short in the story.
pub const ORDERS: &str = "orders-to-warehouse";

/// Minutes since local midnight.
pub fn minute_of_day(at: SystemTime) -> u32 {
    let local = DateTime::<Local>::from(at);
    local.hour() * 60 + local.minute()
}

/// Sends what is due in the minute that begins at `minute`.
pub fn due(integration: &Integration, member: &Member, faults: Faults, minute: SystemTime) {
    let of_day = minute_of_day(minute);
    let of_hour = of_day % 60;
    match member.name {
        "stripe-accounting" if of_hour == 5 => {
            hourly(integration, member, "charges-to-invoices", "charge", minute)
        }
        // While orders get lost, the story tells its own run.
        "shopify-orders" if of_hour == 5 && !faults.orders_lost => {
            hourly(integration, member, ORDERS, "order", minute)
        }
        "sheets-export" if of_hour == 0 => {
            let next = minute + HOUR;
            completed(integration, "hourly-export", 240, minute, next, minute);
        }
        "salesforce-nightly" if of_day == 145 && !faults.token_expired => {
            let watermark = minute.checked_sub(Duration::from_secs(25 * 60)).unwrap_or(minute);
            completed(integration, "nightly-sync", 182_400, watermark, minute + 24 * HOUR, minute);
        }
        _ => {}
    }
}

/// A clean comparison of the hour before.
fn hourly(integration: &Integration, member: &Member, name: &str, entity: &str, at: SystemTime) {
    let end = at.checked_sub(Duration::from_secs(300)).unwrap_or(at);
    let start = end.checked_sub(HOUR).unwrap_or(end);
    // The day's mean weight is 0.6.
    let records = (member.per_day / 24.0 * member.shape.weight(minute_of_day(start)) / 0.6) as u64;
    compared(integration, name, entity, (start, end), (records, records), at);
}

/// A comparison of a window: (expected, matched).
pub fn compared(
    integration: &Integration,
    name: &str,
    entity: &str,
    window: (SystemTime, SystemTime),
    (expected, matched): (u64, u64),
    at: SystemTime,
) {
    let run = Reconciliation {
        name: name.into(),
        run_id: format!("{name}-{}", DateTime::<Local>::from(at).timestamp()),
        entity: Some(entity.into()),
        window,
        expected,
        matched,
        missing: Some(expected.saturating_sub(matched)),
        unexpected: Some(0),
        mismatched: Some(0),
        pending: Some(0),
    };
    integration.reconciliation_completed(&run, Some(at));
}

fn completed(
    integration: &Integration,
    name: &str,
    records: u64,
    watermark: SystemTime,
    next: SystemTime,
    at: SystemTime,
) {
    let run = Run {
        name: name.into(),
        outcome: Outcome::Success,
        read: Some(records),
        written: Some(records),
        failed: Some(0),
        watermark: Some(watermark),
        next_at: Some(next),
    };
    integration.run_completed(&run, Some(at));
}
