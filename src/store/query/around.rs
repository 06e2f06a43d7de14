//! The spans and log records of some traces: what is looked at around a failing call.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;

use super::newest::{Listing, Matcher, unreadable_rows};
use super::spans::records;
use crate::signals::telemetry::Nanos;
use crate::store::catalog::Signal;
use crate::store::hot::Rows;
use crate::store::segments::columns;
use crate::store::segments::values::{ids, ints, smalls};
use crate::store::{Error, LogQuery, LogRecord, SpanRecord, Store};

/// From this severity on a log record warns.
const WARNS: u8 = 13;

/// Some traces within a stretch of time.
#[derive(Clone, Debug, Default)]
pub struct Traces {
    /// Their ids.
    pub ids: BTreeSet<[u8; 16]>,
    /// Ended, or logged, at or after.
    pub from: Nanos,
    /// And before.
    pub to: Nanos,
    /// At most so many.
    pub limit: usize,
}

/// The log records of some traces, and those of one integration that warn.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The traces.
    pub traces: Traces,
    /// Whose warnings: (environment, integration).
    pub of: Option<(String, String)>,
}

impl Store {
    /// The spans of some traces, the one that ended last first.
    pub async fn spans_of(&self, traces: Traces) -> Result<Vec<SpanRecord>, Error> {
        self.newest(traces).await
    }

    /// The log records of some traces, and what warned meanwhile; the newest first.
    pub async fn logs_around(&self, around: Around) -> Result<Vec<LogRecord>, Error> {
        self.newest(around).await
    }
}

impl Listing for Traces {
    const SIGNAL: Signal = Signal::Spans;
    const COLUMNS: &'static [&'static str] = &["trace_id", "end_unix_nano"];
    type Record = SpanRecord;

    fn in_memory(&self, rows: &Rows) -> Result<Vec<RecordBatch>, Error> {
        let Rows::Spans(all) = rows else { return Ok(Vec::new()) };
        let mut batches = Vec::new();
        for spans in all {
            let is_one = |row: &usize| spans.trace_id.get(*row).is_some_and(|id| self.ids.contains(id));
            let picked: Vec<usize> = (0..spans.len()).filter(is_one).collect();
            if !picked.is_empty() {
                batches.push(columns::spans(spans, &picked).map_err(unreadable_rows)?);
            }
        }
        Ok(batches)
    }

    fn matcher<'a>(&'a self, batch: &'a RecordBatch) -> Result<Matcher<'a>, Error> {
        let (trace_ids, ends) = (ids(batch, "trace_id")?, ints(batch, "end_unix_nano")?);
        Ok(Box::new(move |row| {
            let end = ends.value(row);
            let matches = (self.from..self.to).contains(&end) && self.ids.contains(trace_ids.value(row));
            matches.then_some(end)
        }))
    }

    fn records(batch: &RecordBatch) -> Result<Vec<SpanRecord>, Error> {
        records(batch)
    }

    fn span(&self) -> (Nanos, Nanos) {
        (self.from, self.to)
    }

    fn scope(&self) -> (Option<&str>, Option<&str>) {
        (None, None)
    }

    fn limit(&self) -> usize {
        self.limit
    }
}

impl Around {
    fn concerns(&self, trace: &[u8], severity: u8, environment: &str, integration: &str) -> bool {
        let of = self.of.as_ref();
        self.traces.ids.contains(trace)
            || (severity >= WARNS
                && of.is_some_and(|(where_, name)| where_ == environment && name == integration))
    }
}

impl Listing for Around {
    const SIGNAL: Signal = Signal::Logs;
    const COLUMNS: &'static [&'static str] =
        &["time_unix_nano", "trace_id", "severity", "environment", "integration"];
    type Record = LogRecord;

    fn in_memory(&self, rows: &Rows) -> Result<Vec<RecordBatch>, Error> {
        let Rows::Logs(all) = rows else { return Ok(Vec::new()) };
        let mut batches = Vec::new();
        for logs in all {
            let in_time = |row: &usize| {
                logs.time.get(*row).is_some_and(|at| (self.traces.from..self.traces.to).contains(at))
            };
            let picked: Vec<usize> = (0..logs.len()).filter(in_time).collect();
            if !picked.is_empty() {
                batches.push(columns::logs(logs, &picked).map_err(unreadable_rows)?);
            }
        }
        Ok(batches)
    }

    fn matcher<'a>(&'a self, batch: &'a RecordBatch) -> Result<Matcher<'a>, Error> {
        let (times, trace_ids) = (ints(batch, "time_unix_nano")?, ids(batch, "trace_id")?);
        let severities = smalls(batch, "severity")?;
        let strings = crate::store::segments::values::strings;
        let (environments, integrations) = (strings(batch, "environment")?, strings(batch, "integration")?);
        Ok(Box::new(move |row| {
            let time = times.value(row);
            let concerned = || {
                let whose = (environments.value(row), integrations.value(row));
                self.concerns(trace_ids.value(row), severities.value(row), whose.0, whose.1)
            };
            ((self.traces.from..self.traces.to).contains(&time) && concerned()).then_some(time)
        }))
    }

    fn records(batch: &RecordBatch) -> Result<Vec<LogRecord>, Error> {
        LogQuery::records(batch)
    }

    fn span(&self) -> (Nanos, Nanos) {
        (self.traces.from, self.traces.to)
    }

    fn scope(&self) -> (Option<&str>, Option<&str>) {
        (None, None)
    }

    fn limit(&self) -> usize {
        self.traces.limit
    }
}
