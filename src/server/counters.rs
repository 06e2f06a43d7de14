//! What the System page, the API and `/metrics` count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::clock::Clock;
use crate::decode::redact::Redactor;
use crate::inbox::Inbox;
use crate::pipeline::gauges::Gauges;
use crate::receive::intake::{Intake, Taken};
use crate::receive::keys::Keys;
use crate::store::Store;
use crate::web;

/// All counters of the server, by name.
pub fn all(
    intake: &Intake,
    redactor: &'static Redactor,
    keys: Arc<Keys>,
    inbox: Inbox<Taken>,
    gauges: Arc<Gauges>,
    store: Store,
    clock: Clock,
) -> web::Counters {
    let (intake, budget) = (intake.counters(), intake.budget().clone());
    Arc::new(move || {
        let mut counters: BTreeMap<String, u64> = intake.snapshot().into_iter().collect();
        counters.extend(keys.snapshot());
        counters.insert("in_flight_bytes".into(), budget.used() as u64);
        counters.extend(redactor.taken().map(|(kind, count)| (format!("redacted_{}", kind.name()), count)));
        for (name, gauge) in [
            ("duplicates", &gauges.duplicates),
            ("claims", &gauges.claims),
            ("claims_forgotten", &gauges.claims_forgotten),
            ("late", &gauges.late),
            ("lag_ms", &gauges.lag_ms),
            ("folded", &gauges.folded),
            ("errors_folded", &gauges.errors_folded),
            ("changes_left_out", &gauges.changes_left_out),
            ("streams", &gauges.streams),
            ("told_by_the_hour", &gauges.coarsened),
            ("hot_bytes", &gauges.hot_bytes),
            ("flush_failures", &gauges.flush_failures),
            ("set_aside", &gauges.set_aside),
            ("defects", &gauges.defects),
        ] {
            counters.insert(name.into(), gauge.load(Ordering::Relaxed));
        }
        counters.insert("pins_left_out".into(), store.pins_left_out());
        let judged = gauges.judged_until.load(Ordering::Relaxed);
        if judged > 0 {
            let lag = (clock() / 1_000_000 - judged as i64 * 1000).max(0) as u64;
            counters.insert("judged_ago_ms".into(), lag);
        }
        let stats = inbox.stats();
        counters.insert("inbox_bytes".into(), stats.bytes);
        counters.insert("inbox_files".into(), stats.files);
        counters.insert("inbox_failures".into(), stats.failures);
        if let Ok(clocks) = gauges.clocks.lock() {
            counters.insert("clock_corrected".into(), gauges.clock_corrected.load(Ordering::Relaxed));
            counters.extend(clocks.iter().map(|(whose, by)| {
                let way = if *by > 0 { "behind" } else { "ahead" };
                let name = format!("clock of {} ({}) is {way} by_ms", whose.name, whose.environment);
                (name, by.unsigned_abs() / 1_000_000)
            }));
        }
        if let Ok(notices) = gauges.notices.lock() {
            counters.extend(notices.iter().map(|(name, count)| (format!("notice: {name}"), *count)));
        }
        counters.into_iter().collect()
    })
}
