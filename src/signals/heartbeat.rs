//! Job runs, heartbeats and the minimal report (vocabulary sections 5 and 7).

use std::sync::Arc;

use super::lookup::Lookup;
use super::observation::{IntegrationKey, JobRun};
use super::telemetry::{Log, Nanos, Refusal};
use super::vocabulary::Attr;

/// The name of a heartbeat that gives none.
pub const UNNAMED: &str = "heartbeat";

/// What `POST /report/{integration}` may say; any subset, nothing is a heartbeat.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Report {
    pub status: Option<String>,
    pub message: Option<String>,
    pub endpoint: Option<String>,
    pub duration_ms: Option<f64>,
    pub records: Option<u64>,
    pub records_failed: Option<u64>,
    pub expected: Option<u64>,
    pub reconciled: Option<u64>,
    pub queue_depth: Option<f64>,
    /// Unix seconds.
    pub token_expires_at: Option<i64>,
    /// Unix seconds.
    pub next_at: Option<i64>,
    pub connection: Option<String>,
    pub environment: Option<String>,
}

/// Reads `integration.run.completed`.
pub fn run(
    integration: IntegrationKey,
    look: &Lookup<'_, '_>,
    log: &Log<'_>,
    time: Nanos,
) -> Result<JobRun, Refusal> {
    let name = look.str(Attr::RunName).ok_or(Refusal::Borrowed("no integration.run.name"))?;
    let outcome = look.str(Attr::Outcome).ok_or(Refusal::Borrowed("no integration.outcome"))?;
    let count = |attr| look.i64(attr).and_then(|n| u64::try_from(n).ok());
    Ok(JobRun {
        integration,
        name: Arc::from(super::endpoint::cut(name)),
        time,
        outcome: super::endpoint::cut(outcome).to_owned(),
        read: count(Attr::RecordsRead),
        written: count(Attr::RecordsWritten),
        failed: count(Attr::RecordsFailed),
        watermark: look.i64(Attr::RunWatermark),
        next_at: look.i64(Attr::RunNextAt),
        message: log.body.text().chars().take(500).collect(),
    })
}

/// What a beat says where its point adds to `integration.heartbeat`.
pub fn beat(integration: IntegrationKey, look: &Lookup<'_, '_>, time: Nanos) -> JobRun {
    let name = look.str(Attr::HeartbeatName).unwrap_or(UNNAMED);
    JobRun {
        integration,
        name: Arc::from(super::endpoint::cut(name)),
        time,
        outcome: "beat".into(),
        read: None,
        written: None,
        failed: None,
        watermark: None,
        next_at: look.i64(Attr::HeartbeatNextAt),
        message: String::new(),
    }
}

/// What a report says of the run behind it.
pub fn reported(integration: IntegrationKey, report: &Report, time: Nanos) -> JobRun {
    JobRun {
        integration,
        name: Arc::from("report"),
        time,
        outcome: report.status.clone().unwrap_or_else(|| "beat".into()),
        read: None,
        written: report.records,
        failed: report.records_failed,
        watermark: None,
        next_at: report.next_at,
        message: report.message.clone().unwrap_or_default(),
    }
}
