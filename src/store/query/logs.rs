//! Lists of log records.

use arrow_array::RecordBatch;

use super::newest::{Listing, Matcher, unreadable_rows};
use crate::signals::telemetry::Nanos;
use crate::store::catalog::Signal;
use crate::store::hot::Rows;
use crate::store::segments::columns;
use crate::store::segments::values::{given, id, ids, ints, map, maps, smalls, strings};
use crate::store::{Error, LogQuery, LogRecord, Store};

impl Store {
    /// The newest log records that match, newest first.
    pub async fn logs(&self, query: LogQuery) -> Result<Vec<LogRecord>, Error> {
        self.newest(query).await
    }
}

impl Listing for LogQuery {
    const SIGNAL: Signal = Signal::Logs;
    const COLUMNS: &'static [&'static str] =
        &["time_unix_nano", "event_name", "body", "environment", "integration"];
    type Record = LogRecord;

    fn in_memory(&self, rows: &Rows) -> Result<Vec<RecordBatch>, Error> {
        let Rows::Logs(all) = rows else { return Ok(Vec::new()) };
        let mut batches = Vec::new();
        for logs in all {
            let in_time =
                |row: &usize| logs.time.get(*row).is_some_and(|at| (self.from..self.to).contains(at));
            let picked: Vec<usize> = (0..logs.len()).filter(in_time).collect();
            if !picked.is_empty() {
                batches.push(columns::logs(logs, &picked).map_err(unreadable_rows)?);
            }
        }
        Ok(batches)
    }

    fn matcher<'a>(&'a self, batch: &'a RecordBatch) -> Result<Matcher<'a>, Error> {
        let times = ints(batch, "time_unix_nano")?;
        let (bodies, events) = (strings(batch, "body")?, strings(batch, "event_name")?);
        let environments = strings(batch, "environment")?;
        let integrations = strings(batch, "integration")?;
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        Ok(Box::new(move |row| {
            let time = times.value(row);
            let matches = (self.from..self.to).contains(&time)
                && is(&self.integration, integrations.value(row))
                && is(&self.environment, environments.value(row))
                && self.text.as_ref().is_none_or(|text| {
                    contains(bodies.value(row), text) || contains(events.value(row), text)
                });
            matches.then_some(time)
        }))
    }

    fn records(batch: &RecordBatch) -> Result<Vec<LogRecord>, Error> {
        let times = ints(batch, "time_unix_nano")?;
        let (trace_ids, span_ids) = (ids(batch, "trace_id")?, ids(batch, "span_id")?);
        let (severities, texts) = (smalls(batch, "severity")?, strings(batch, "severity_text")?);
        let (events, bodies) = (strings(batch, "event_name")?, strings(batch, "body")?);
        let environments = strings(batch, "environment")?;
        let integrations = strings(batch, "integration")?;
        let scopes = strings(batch, "scope")?;
        let (attributes, resources) = (maps(batch, "attributes")?, maps(batch, "resource")?);
        let record = |row| LogRecord {
            time: times.value(row),
            trace_id: id(trace_ids.value(row)),
            span_id: id(span_ids.value(row)),
            severity: Some(severities.value(row)).filter(|severity| *severity > 0),
            severity_text: texts.value(row).to_owned(),
            event_name: given(events.value(row)),
            body: bodies.value(row).to_owned(),
            environment: environments.value(row).to_owned(),
            integration: integrations.value(row).to_owned(),
            scope: scopes.value(row).to_owned(),
            attributes: map(attributes, row),
            resource: map(resources, row),
        };
        Ok((0..batch.num_rows()).map(record).collect())
    }

    fn span(&self) -> (Nanos, Nanos) {
        (self.from, self.to)
    }

    fn scope(&self) -> (Option<&str>, Option<&str>) {
        (self.environment.as_deref(), self.integration.as_deref())
    }

    fn limit(&self) -> usize {
        self.limit
    }
}

/// Whether a text contains another, whatever the case of ASCII letters.
fn contains(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    let Some(first) = wanted.first() else { return true };
    text.windows(wanted.len())
        .any(|piece| piece[0].eq_ignore_ascii_case(first) && piece.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn text_is_found_whatever_its_case() {
        assert!(contains("Sync of Größe failed", "größe FAILED"));
        assert!(contains("abc", ""));
        assert!(!contains("ab", "abc"));
        assert!(!contains("abd", "abc"));
    }
}
