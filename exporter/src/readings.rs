//! What gauges read at each export: the latest word on each queue and credential, and nothing that was superseded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use crate::credential::CredentialState;
use crate::event::unix_seconds;
use crate::names;

/// Depth and age of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueReading {
    pub depth: u64,
    pub oldest_age: Option<Duration>,
}

/// The latest word on everything.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    pub queues: BTreeMap<String, QueueReading>,
    pub credentials: BTreeMap<String, CredentialState>,
}

/// A reading is replaced whole, so what a panicked writer left behind is still good.
pub(crate) fn lock(readings: &Mutex<Readings>) -> MutexGuard<'_, Readings> {
    readings.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the gauges. They live as long as the meter provider.
pub(crate) fn observe(meter: &Meter, readings: &Arc<Mutex<Readings>>) {
    let queue = |name: &str| [KeyValue::new(names::QUEUE_NAME, name.to_owned())];
    let from = readings.clone();
    let _ = meter
        .u64_observable_gauge(names::QUEUE_DEPTH)
        .with_unit("{message}")
        .with_callback(move |gauge| {
            for (name, reading) in &lock(&from).queues {
                gauge.observe(reading.depth, &queue(name));
            }
        })
        .build();
    let from = readings.clone();
    let _ = meter
        .f64_observable_gauge(names::QUEUE_OLDEST_AGE)
        .with_unit("s")
        .with_callback(move |gauge| {
            for (name, reading) in &lock(&from).queues {
                if let Some(age) = reading.oldest_age {
                    gauge.observe(age.as_secs_f64(), &queue(name));
                }
            }
        })
        .build();
    let from = readings.clone();
    let _ = meter
        .u64_observable_gauge(names::CREDENTIAL_INFO)
        .with_callback(move |gauge| {
            for (id, state) in &lock(&from).credentials {
                gauge.observe(1, &state.info(id));
            }
        })
        .build();
    instant(meter, readings, names::CREDENTIAL_EXPIRES_AT, |state| state.expires_at.map(unix_seconds));
    instant(meter, readings, names::CREDENTIAL_ISSUED_AT, |state| state.issued_at.map(unix_seconds));
}

fn instant(
    meter: &Meter,
    readings: &Arc<Mutex<Readings>>,
    name: &'static str,
    read: impl Fn(&CredentialState) -> Option<i64> + Send + Sync + 'static,
) {
    let from = readings.clone();
    let _ = meter
        .i64_observable_gauge(name)
        .with_unit("s")
        .with_callback(move |gauge| {
            for (id, state) in &lock(&from).credentials {
                if let Some(at) = read(state) {
                    gauge.observe(at, &[KeyValue::new(names::CREDENTIAL_ID, id.clone())]);
                }
            }
        })
        .build();
}
