//! "I ran": job runs from events, and the minimal report of vocabulary section 7.

use super::call::Class;
use super::endpoint;
use super::instant;
use super::observation::{IntegrationKey, JobRun};
use super::required;
use super::telemetry::{Log, Nanos, Origin, Refusal};
use super::vocabulary::Attr;

/// The name of the job, queue-less call and reconciliation that reports speak of.
pub const REPORT: &str = "report";
/// The name of the queue and of the credential slot that reports speak of.
pub const DEFAULT: &str = "default";
/// The outcome of a heartbeat.
pub const BEAT: &str = "beat";
/// Bytes of what a sender says about a run.
const MESSAGE_BYTES: usize = 500;

/// `POST /report/{integration}`: any subset of these; all absent is a heartbeat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// `success` or `failure`.
    pub status: Option<String>,
    /// What the sender says, redacted.
    pub message: Option<String>,
    /// What was called.
    pub endpoint: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// Records carried.
    pub records: Option<u64>,
    /// Of these, failed.
    pub records_failed: Option<u64>,
    /// Records expected at the destination.
    pub expected: Option<u64>,
    /// Of these, found there.
    pub reconciled: Option<u64>,
    /// Items that wait.
    pub queue_depth: Option<f64>,
    /// Unix seconds.
    pub token_expires_at: Option<i64>,
    /// Unix seconds of the next run.
    pub next_at: Option<i64>,
    /// Customer's account or tenant.
    pub connection: Option<String>,
    /// Environment, `default` when not given.
    pub environment: Option<String>,
}

impl Report {
    /// The outcome in the vocabulary's words: `success`, `failure`, or as sent.
    pub fn outcome(&self) -> Option<&str> {
        let status = self.status.as_deref().map(str::trim).filter(|status| !status.is_empty())?;
        let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(status));
        if is(&["success", "ok"]) {
            return Some("success");
        }
        Some(if is(&["failure", "failed", "error"]) { "failure" } else { endpoint::cap(status) })
    }

    /// How the call it speaks of ended.
    pub fn class(&self) -> Class {
        match self.outcome() {
            Some("failure") => Class::Failed,
            _ if self.records_failed.unwrap_or(0) > 0 => Class::Partial,
            _ => Class::Ok,
        }
    }

    /// Whether it speaks of a call.
    pub fn is_call(&self) -> bool {
        self.duration_ms.is_some() || self.endpoint.as_deref().is_some_and(|name| !name.trim().is_empty())
    }

    /// The run or the heartbeat that it is; none when it only gives levels.
    pub fn run(&self, integration: &IntegrationKey, time: Nanos) -> Option<JobRun> {
        let only_beats = *self
            == Report {
                message: self.message.clone(),
                next_at: self.next_at,
                connection: self.connection.clone(),
                environment: self.environment.clone(),
                ..Report::default()
            };
        let outcome = match self.outcome() {
            Some(outcome) => outcome,
            None if only_beats => BEAT,
            None => return None,
        };
        Some(JobRun {
            integration: integration.clone(),
            name: REPORT.into(),
            time,
            outcome: outcome.to_owned(),
            read: None,
            written: self.records.map(|all| all.saturating_sub(self.records_failed.unwrap_or(0))),
            failed: self.records_failed,
            watermark: None,
            next_at: self.next_at,
            message: message(self.message.as_deref().unwrap_or("")),
        })
    }
}

/// Reads `integration.run.completed`; its required attributes have been checked.
pub fn completed(
    origin: &Origin<'_, '_>,
    log: &Log<'_>,
    integration: &IntegrationKey,
    time: Nanos,
) -> Result<JobRun, Refusal> {
    let text = |attr| {
        let value = required::lookup(origin, &log.attributes, attr).map(|value| value.text());
        endpoint::cap(&value.unwrap_or_default()).to_owned()
    };
    let count = |attr| log.attributes.get(attr).and_then(|n| u64::try_from(n.as_i64()?).ok());
    let seconds = |attr: Attr| instant::optional_seconds(attr.name(), log.attributes.get(attr));
    Ok(JobRun {
        integration: integration.clone(),
        name: text(Attr::RunName).into(),
        time,
        outcome: text(Attr::Outcome),
        read: count(Attr::RecordsRead),
        written: count(Attr::RecordsWritten),
        failed: count(Attr::RecordsFailed),
        watermark: seconds(Attr::RunWatermark)?,
        next_at: seconds(Attr::RunNextAt)?,
        message: message(&log.body.text()),
    })
}

fn message(text: &str) -> String {
    text[..text.floor_char_boundary(MESSAGE_BYTES)].to_owned()
}
