//! Events: one atomic record for a run of a job or of a reconciliation.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, Severity};

use crate::integration::Integration;
use crate::names;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Success,
    /// It did not.
    Failure,
}

impl Outcome {
    /// The value on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
        }
    }
}

/// A run of a job.
#[derive(Clone, Debug)]
pub struct Run {
    /// The job's name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Records read.
    pub read: Option<u64>,
    /// Records written.
    pub written: Option<u64>,
    /// Records that failed.
    pub failed: Option<u64>,
    /// Data is complete up to here.
    pub watermark: Option<SystemTime>,
    /// When it runs next.
    pub next_at: Option<SystemTime>,
}

/// A run of a reconciliation over one window.
#[derive(Clone, Debug)]
pub struct Reconciliation {
    /// The reconciliation's name.
    pub name: String,
    /// Tells runs apart.
    pub run_id: String,
    /// What is compared, as in `order`.
    pub entity: Option<String>,
    /// Which records are compared: from (inclusive) to (exclusive).
    pub window: (SystemTime, SystemTime),
    /// Records the source has.
    pub expected: u64,
    /// Records the destination has as well.
    pub matched: u64,
    /// Records the destination lacks.
    pub missing: Option<u64>,
    /// Records only the destination has.
    pub unexpected: Option<u64>,
    /// Records that differ.
    pub mismatched: Option<u64>,
    /// Records too young to judge.
    pub pending: Option<u64>,
}

impl Integration {
    /// A run of a job is over; at the given time, or now.
    pub fn run_completed(&self, run: &Run, at: Option<SystemTime>) {
        let optional = [
            (names::RECORDS_READ, run.read.map(count)),
            (names::RECORDS_WRITTEN, run.written.map(count)),
            (names::RECORDS_FAILED, run.failed.map(count)),
            (names::RUN_WATERMARK, run.watermark.map(seconds)),
            (names::RUN_NEXT_AT, run.next_at.map(seconds)),
        ];
        let mut attributes: Vec<(&'static str, AnyValue)> =
            vec![(names::RUN_NAME, run.name.clone().into()), (names::OUTCOME, run.outcome.name().into())];
        attributes.extend(optional.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))));
        self.event(names::RUN_COMPLETED, attributes, at);
    }

    /// A reconciliation has compared a window; at the given time, or now.
    pub fn reconciliation_completed(&self, run: &Reconciliation, at: Option<SystemTime>) {
        let optional = [
            (names::ENTITY, run.entity.clone().map(AnyValue::from)),
            (names::RECONCILIATION_MISSING, run.missing.map(count)),
            (names::RECONCILIATION_UNEXPECTED, run.unexpected.map(count)),
            (names::RECONCILIATION_MISMATCHED, run.mismatched.map(count)),
            (names::RECONCILIATION_PENDING, run.pending.map(count)),
        ];
        let mut attributes: Vec<(&'static str, AnyValue)> = vec![
            (names::RECONCILIATION_NAME, run.name.clone().into()),
            (names::RECONCILIATION_RUN_ID, run.run_id.clone().into()),
            (names::RECONCILIATION_WINDOW_START, seconds(run.window.0)),
            (names::RECONCILIATION_WINDOW_END, seconds(run.window.1)),
            (names::RECONCILIATION_EXPECTED, count(run.expected)),
            (names::RECONCILIATION_MATCHED, count(run.matched)),
        ];
        attributes.extend(optional.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))));
        self.event(names::RECONCILIATION_COMPLETED, attributes, at);
    }

    /// A credential is gone on purpose: nothing to alert.
    pub fn credential_retired(&self, id: impl Into<String>, at: Option<SystemTime>) {
        let id: String = id.into();
        self.event(names::CREDENTIAL_RETIRED, vec![(names::CREDENTIAL_ID, id.into())], at);
    }

    /// Any other event of the vocabulary; at the given time, or now.
    pub fn event(
        &self,
        name: &'static str,
        attributes: Vec<(&'static str, AnyValue)>,
        at: Option<SystemTime>,
    ) {
        let mut record = self.logger().create_log_record();
        record.set_event_name(name);
        record.set_timestamp(at.unwrap_or_else(SystemTime::now));
        record.set_severity_number(Severity::Info);
        record.add_attributes(attributes);
        self.logger().emit(record);
    }
}

fn count(value: u64) -> AnyValue {
    AnyValue::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn seconds(at: SystemTime) -> AnyValue {
    AnyValue::Int(unix_seconds(at))
}

/// Unix seconds; 0 for an instant before 1970.
pub(crate) fn unix_seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
