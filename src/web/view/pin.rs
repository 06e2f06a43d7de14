//! What was kept whole of a failure, as pages and the API show it.

use serde_json::Value;

use crate::store::pins::{Kind, Pin};
use crate::web::format::{self, When};
use crate::web::view::figure;

/// What a pin says, by field; empty where it does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told<'p> {
    /// The endpoint, else the span's name or the event's.
    pub endpoint: &'p str,
    /// Host of the other side.
    pub peer: &'p str,
    /// How the call ended.
    pub class: &'p str,
    /// What it was answered with.
    pub status: &'p str,
    /// What it said.
    pub message: &'p str,
    /// 32 hex digits.
    pub trace_id: &'p str,
    /// 16 hex digits.
    pub span_id: &'p str,
}

impl<'p> Told<'p> {
    /// Reads a pin.
    pub fn of(pin: &'p Pin) -> Told<'p> {
        let field = |name: &str| pin.content.field(name).unwrap_or("");
        let record = pin.content.span.as_ref().or(pin.content.log.as_ref());
        let attribute = |name: &str| text(record.and_then(|record| record.get("attributes")?.get(name)));
        let events = record.and_then(|record| record.get("events")?.as_array());
        let raised = events.into_iter().flatten().rev();
        let raised =
            raised.map(|event| text(event.get("attributes").and_then(|all| all.get("exception.message"))));
        let said =
            [attribute("exception.message"), field("status_message"), field("body"), &pin.content.text];
        let first = |texts: &[&'p str]| texts.iter().copied().find(|text| !text.is_empty()).unwrap_or("");
        Told {
            endpoint: first(&[
                field("endpoint"),
                attribute("integration.endpoint"),
                field("event_name"),
                field("name"),
            ]),
            peer: first(&[field("peer"), attribute("server.address")]),
            class: field("class"),
            status: first(&[
                attribute("http.response.status_code"),
                attribute("http.status_code"),
                attribute("rpc.status_code"),
                attribute("rpc.grpc.status_code"),
            ]),
            message: first(&[&raised.collect::<Vec<_>>(), &said[..]].concat()),
            trace_id: field("trace_id"),
            span_id: field("span_id"),
        }
    }
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or("")
}

/// One pin on a page.
pub struct PinRow {
    /// When it happened.
    pub at: When,
    /// `POST /v1/invoices/{id}`.
    pub what: String,
    /// `api.stripe.com · 503 · server`.
    pub place: String,
    /// What it said.
    pub message: String,
    /// The body that came with it.
    pub payload: String,
    /// 32 hex digits.
    pub trace: String,
    /// Where its error group is shown; empty where that is this page, or not known.
    pub group: String,
    /// Attributes of the record.
    pub attributes: Vec<(String, String)>,
    /// Other spans of its trace: what, how it ended, how long it took.
    pub beside: Vec<(String, String, String)>,
    /// Others that say the same: when, and their trace.
    pub same: Vec<(When, String)>,
}

impl PinRow {
    fn says_what(&self, other: &PinRow) -> bool {
        (&self.what, &self.place, &self.message, &self.payload, &self.group)
            == (&other.what, &other.place, &other.message, &other.payload, &other.group)
    }
}

/// Rows of the pins of a kind; those that say the same as one before stand with it.
pub fn rows(pins: &[Pin], kind: Kind, now: i64) -> Vec<PinRow> {
    let mut rows: Vec<PinRow> = Vec::new();
    for row in pins.iter().filter(|pin| pin.kind == kind).map(|pin| row(pin, now)) {
        match rows.iter_mut().find(|before| before.says_what(&row)) {
            Some(before) => before.same.push((row.at, row.trace)),
            None => rows.push(row),
        }
    }
    rows
}

fn row(pin: &Pin, now: i64) -> PinRow {
    let told = Told::of(pin);
    let place = [told.peer, told.status, told.class].into_iter().filter(|text| !text.is_empty());
    let record = pin.content.span.as_ref().or(pin.content.log.as_ref());
    let attributes = record.and_then(|record| record.get("attributes")?.as_object());
    let attributes = attributes.into_iter().flatten();
    let group = if pin.fingerprint.is_empty() { String::new() } else { href(&pin.fingerprint) };
    PinRow {
        at: When::new(pin.at, now),
        what: if told.endpoint.is_empty() { "A failure".into() } else { told.endpoint.to_owned() },
        place: place.map(format::words).collect::<Vec<_>>().join(" · "),
        message: told.message.to_owned(),
        payload: pin.payload.clone(),
        trace: told.trace_id.to_owned(),
        group,
        attributes: attributes.map(|(name, value)| (name.clone(), text(Some(value)).to_owned())).collect(),
        beside: pin.content.trace.iter().map(beside).collect(),
        same: Vec::new(),
    }
}

fn beside(span: &Value) -> (String, String, String) {
    let field = |name: &str| text(span.get(name));
    let name = [field("endpoint"), field("name")].into_iter().find(|name| !name.is_empty()).unwrap_or("span");
    let ended = [field("class"), field("status")].into_iter().find(|ended| !ended.is_empty()).unwrap_or("");
    let took =
        span.get("duration_ms").and_then(Value::as_f64).map(|ms| format::micros(Some((1e3 * ms) as u64)));
    (name.to_owned(), format::words(ended), took.unwrap_or_default())
}

/// Where an error group is shown.
pub fn href(fingerprint: &str) -> String {
    format!("/errors/{}", figure::encoded(fingerprint))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::pins::Content;

    fn pin(content: Content) -> Pin {
        let (fingerprint, payload) = (String::new(), String::new());
        Pin { kind: Kind::Failure, fingerprint, at: 1, received_at: 1, payload, content }
    }

    #[test]
    fn a_span_says_what_failed_and_the_last_exception_what_it_said() {
        let event = |said: &str| json!({"name": "exception", "attributes": {"exception.message": said}});
        let span = json!({
            "endpoint": "GET /x", "name": "GET", "peer": "api.example", "class": "server",
            "status_message": "failed", "trace_id": "0f", "attributes": {"http.response.status_code": "503"},
            "events": [event("first"), event("last")],
        });
        let one = pin(Content { span: Some(span), ..Content::default() });
        let told = Told::of(&one);
        assert_eq!(
            (told.endpoint, told.peer, told.status, told.class),
            ("GET /x", "api.example", "503", "server")
        );
        assert_eq!((told.message, told.trace_id), ("last", "0f"));
    }

    #[test]
    fn what_says_the_same_stands_together() {
        let span = |said: &str, trace: &str| {
            let span = json!({"endpoint": "GET /x", "status_message": said, "trace_id": trace});
            pin(Content { span: Some(span), ..Content::default() })
        };
        let rows = rows(&[span("a", "01"), span("b", "02"), span("a", "03")], Kind::Failure, 2);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].same.iter().map(|(_, trace)| &**trace).collect::<Vec<_>>(), ["03"]);
        assert!(rows[1].same.is_empty());
    }

    #[test]
    fn a_log_record_and_a_report_say_what_they_have() {
        let log = json!({"event_name": "exception", "body": "no luck", "attributes": {}, "trace_id": null});
        let one = pin(Content { log: Some(log), ..Content::default() });
        assert_eq!((Told::of(&one).endpoint, Told::of(&one).message), ("exception", "no luck"));
        let report = pin(Content { text: "no luck".into(), ..Content::default() });
        assert_eq!(Told::of(&report), Told { message: "no luck", ..Told::default() });
        assert_eq!(row(&report, 2).what, "A failure");
    }
}
