//! The minimal report: a form, JSON, or nothing, for senders that cannot speak OTLP (vocabulary section 7).

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::redact::Redactor;
use super::{Batch, Decoded, Encoding, Malformed, Rejected, name};
use crate::signals::heartbeat::Report;
use crate::signals::observe::{Observer, Rules};
use crate::signals::telemetry::Nanos;

/// Longest name of an integration in the path, in bytes.
pub const NAME_BYTES: usize = 120;

/// Reads a report on an integration. Copies count again: a heartbeat is the same every time.
pub fn decode(
    integration: &str,
    content_type: &str,
    body: &[u8],
    received_at: Nanos,
    rules: &Arc<Rules>,
    redactor: &Redactor,
) -> Result<Decoded, Malformed> {
    let integration = &*name::clean(redactor.text(Cow::Borrowed(integration)));
    if integration.is_empty() || integration.len() > NAME_BYTES || integration.contains('/') {
        return Err(Malformed(format!(
            "name the integration in the path: /report/NAME, a visible name of at most {NAME_BYTES} bytes"
        )));
    }
    let text = std::str::from_utf8(body).map_err(|_| Malformed("the report is not UTF-8".into()))?;
    let json = Encoding::from_content_type(content_type) == Some(Encoding::Json)
        || text.trim_start().starts_with('{');
    let fields = match (text.trim().is_empty(), json) {
        (true, _) => Vec::new(),
        (false, true) => json_fields(text)?,
        (false, false) => form_fields(text)?,
    };
    let report = read(&fields, redactor)?;
    let mut observer = Observer::new(rules.clone(), received_at);
    let bytes = body.len() as u64;
    if observer.report(integration, &report).is_err() {
        let said = rules.scope.as_ref().map(|scope| scope.refusal(1, observer.denied()));
        let rejected = Rejected { count: 1, outside: 1, message: said.unwrap_or_default() };
        return Ok(Decoded { batch: Batch { received_at, bytes, ..Batch::default() }, rejected });
    }
    let observations = observer.finish();
    let batch = Batch { received_at, observations, records: 1, bytes, ..Batch::default() };
    Ok(Decoded { batch, rejected: Rejected::default() })
}

fn json_fields(text: &str) -> Result<Vec<(String, String)>, Malformed> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| Malformed(format!("the report is not JSON: {error}")))?;
    let Value::Object(members) = value else {
        return Err(Malformed("the report is not a JSON object".into()));
    };
    let field = |(key, value): (String, Value)| match value {
        Value::Null => None,
        Value::String(text) => Some((key, text)),
        other => Some((key, other.to_string())),
    };
    Ok(members.into_iter().filter_map(field).collect())
}

fn form_fields(text: &str) -> Result<Vec<(String, String)>, Malformed> {
    let decoded = |part: &str| {
        percent_decoded(part)
            .ok_or_else(|| Malformed(format!("\"{part}\" in the report is not a form's text")))
    };
    text.trim()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(key)?, decoded(value)?))
        })
        .collect()
}

/// A form's text: `+` is a space, `%41` a byte.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn read(fields: &[(String, String)], redactor: &Redactor) -> Result<Report, Malformed> {
    let text = |value: &String| redactor.text(Cow::Borrowed(value)).into_owned();
    let named = |value: &String| name::clean(Cow::Owned(text(value))).into_owned();
    let mut report = Report::default();
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        match key.as_str() {
            "status" if ["success", "failure"].contains(&value.as_str()) => {
                report.status = Some(value.clone())
            }
            "status" => return Err(wrong(key, value, "success or failure")),
            "message" => report.message = Some(text(value).chars().take(500).collect()),
            "endpoint" => report.endpoint = Some(named(value)),
            "duration_ms" => report.duration_ms = Some(number(key, value)?),
            "records" => report.records = Some(count(key, value)?),
            "records_failed" => report.records_failed = Some(count(key, value)?),
            "expected" => report.expected = Some(count(key, value)?),
            "reconciled" => report.reconciled = Some(count(key, value)?),
            "queue_depth" => report.queue_depth = Some(number(key, value)?),
            "token_expires_at" => report.token_expires_at = Some(instant(key, value)?),
            "next_at" => report.next_at = Some(instant(key, value)?),
            "connection" => report.connection = Some(named(value)),
            "environment" => report.environment = Some(named(value)),
            _ => return Err(Malformed(format!("\"{key}\" is not a field of a report; {FIELDS}"))),
        }
    }
    Ok(report)
}

/// The last second of the year 9999.
const LATEST: f64 = 253_402_300_799.0;

const FIELDS: &str = "its fields are status, message, endpoint, duration_ms, records, records_failed, expected, \
                      reconciled, queue_depth, token_expires_at, next_at, connection, environment";

fn number(key: &str, value: &str) -> Result<f64, Malformed> {
    let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| wrong(key, value, "a number of 0 or more"))
}

fn count(key: &str, value: &str) -> Result<u64, Malformed> {
    let number = number(key, value)?;
    if number < 9.0e15 { Ok(number as u64) } else { Err(wrong(key, value, "a smaller number")) }
}

/// Unix seconds up to the year 9999, or a date with its time as RFC 3339 writes it.
fn instant(key: &str, value: &str) -> Result<i64, Malformed> {
    let value = value.trim();
    if let Ok(date) = chrono::DateTime::parse_from_rfc3339(value) {
        return Ok(date.timestamp());
    }
    let seconds = value.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    match seconds {
        Some(seconds) if seconds <= LATEST => Ok(seconds as i64),
        Some(_) => Err(wrong(key, value, "unix seconds; these seem to be milliseconds")),
        None => Err(wrong(key, value, "unix seconds, or a time like 2027-01-31T00:00:00Z")),
    }
}

fn wrong(key: &str, value: &str, wanted: &str) -> Malformed {
    let value: String = value.chars().take(60).collect();
    Malformed(format!("{key} is \"{value}\"; it must be {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(content_type: &str, body: &str) -> Result<Decoded, Malformed> {
        decode(
            "zap",
            content_type,
            body.as_bytes(),
            1_800_000_000_000_000_000,
            &Arc::default(),
            Redactor::usual(),
        )
    }

    #[test]
    fn a_form_json_and_nothing_are_read() {
        let form = "application/x-www-form-urlencoded";
        let decoded = read_back(form, "status=failure&message=no+luck%21&queue_depth=3").unwrap();
        assert_eq!(decoded.batch.observations.runs[0].message, "no luck!");
        assert_eq!(decoded.batch.observations.gauges[0].value, 3.0);
        let json =
            read_back("application/json", r#"{"status":"success","duration_ms":120.5,"expected":null}"#)
                .unwrap();
        assert_eq!(json.batch.observations.calls[0].duration_us, 120_500);
        let beat = read_back("", "").unwrap();
        assert_eq!(beat.batch.observations.runs[0].outcome, "beat");
        assert_eq!(beat.batch.hash, None, "the same heartbeat counts each time");
    }

    #[test]
    fn a_name_is_one_visible_line() {
        let of = |name: &str| decode(name, "", b"", 1, &Arc::default(), Redactor::usual());
        let decoded = of("night\r\nly\u{202e}").unwrap();
        assert_eq!(&*decoded.batch.observations.integrations[0].key.name, "night ly");
        for bad in ["\u{200b}", " ", "a/b", &"a".repeat(NAME_BYTES + 1)] {
            assert!(of(bad).is_err_and(|said| said.0.contains("at most 120 bytes")), "{bad:?}");
        }
        assert!(of(&"a".repeat(NAME_BYTES)).is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |body| read_back("application/json", body).unwrap_err().0;
        assert!(problem(r#"{"status":"meh"}"#).starts_with("status is \"meh\""));
        assert!(problem(r#"{"depth":1}"#).starts_with("\"depth\" is not a field"));
        assert!(problem(r#"{"records":-1}"#).contains("0 or more"));
        assert!(problem(r#"{"next_at":"soon"}"#).contains("2027-01-31T00:00:00Z"));
        assert!(problem(r#"{"next_at":1900000000000}"#).contains("milliseconds"));
        assert!(problem("[1]").contains("object"));
        assert!(problem("{").contains("not JSON"));
    }
}
