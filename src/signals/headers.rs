//! Headers of requests and answers that instrumentation captured: `http.response.header.<name>`, a list of texts.
//!
//! Some instrumentation writes the name with underscores (Python's does), so `-` and `_` are one here.

use std::borrow::Cow;

use super::telemetry::{Attributes, Value};

/// Whose headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What was asked.
    Request,
    /// What was answered.
    Response,
}

impl Side {
    const fn prefix(self) -> &'static str {
        match self {
            Side::Request => "http.request.header.",
            Side::Response => "http.response.header.",
        }
    }
}

/// The captured headers of one side.
#[derive(Debug)]
pub struct Headers<'l> {
    list: Vec<(&'l str, &'l Value<'l>)>,
}

impl<'l> Headers<'l> {
    /// Those of a span; none when nothing was captured, which costs one comparison.
    pub fn of(attributes: &'l Attributes<'_>, side: Side) -> Option<Headers<'l>> {
        if !attributes.has_headers() {
            return None;
        }
        let named =
            |(name, value): (&'l str, &'l Value<'_>)| Some((name.strip_prefix(side.prefix())?, value));
        let list: Vec<_> = attributes.iter().filter_map(named).collect();
        (!list.is_empty()).then_some(Headers { list })
    }

    /// Whether a header is there, whatever it says.
    pub fn has(&self, name: &str) -> bool {
        self.list.iter().any(|(known, _)| is(known, name))
    }

    /// A header's text, several values joined as HTTP joins them; none when it is empty.
    pub fn get(&self, name: &str) -> Option<Cow<'l, str>> {
        let (_, value) = self.list.iter().find(|(known, _)| is(known, name))?;
        Some(text(value)).filter(|text| !text.is_empty())
    }
}

/// Whether a name as captured is that of a header, which is given in lower case.
fn is(known: &str, name: &str) -> bool {
    let same = |(a, b): (u8, u8)| a.eq_ignore_ascii_case(&b) || (a == b'_' && b == b'-');
    known.len() == name.len() && known.bytes().zip(name.bytes()).all(same)
}

fn text<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Json(list) => match serde_json::from_str::<Vec<String>>(list) {
            Ok(values) => Cow::Owned(values.join(", ").trim().to_owned()),
            Err(_) => Cow::Borrowed(""),
        },
        Value::Str(text) => Cow::Borrowed(text.trim()),
        other => other.text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_however_their_name_and_value_are_written() {
        let mut list = Attributes::default();
        list.push("http.response.header.x-ratelimit-limit".into(), Value::Json(r#"["60"]"#.into()));
        list.push("http.response.header.retry_after".into(), Value::Str("7".into()));
        list.push(
            "http.response.header.ratelimit".into(),
            Value::Json(r#"["\"a\";r=1","\"b\";r=2"]"#.into()),
        );
        list.push("http.request.header.ce-id".into(), Value::Json("[\"9\"]".into()));
        list.push("http.response.header.empty".into(), Value::Json("[]".into()));
        let headers = Headers::of(&list, Side::Response).expect("some are there");
        assert_eq!(headers.get("x-ratelimit-limit").as_deref(), Some("60"));
        assert_eq!(headers.get("retry-after").as_deref(), Some("7"));
        assert_eq!(headers.get("ratelimit").as_deref(), Some("\"a\";r=1, \"b\";r=2"));
        assert_eq!(headers.get("ce-id"), None, "it was asked, not answered");
        assert_eq!((headers.get("empty"), headers.has("empty")), (None, true));
    }

    #[test]
    fn a_span_without_captured_headers_has_none() {
        let mut list = Attributes::default();
        list.push("http.request.method".into(), Value::Str("GET".into()));
        list.push("http.request.resend_count".into(), Value::Int(1));
        assert!(!list.has_headers() && Headers::of(&list, Side::Request).is_none());
        list.push("http.request.header.ce-id".into(), Value::Str("9".into()));
        assert!(list.has_headers() && Headers::of(&list, Side::Response).is_none());
        list.clear();
        assert!(!list.has_headers());
    }
}
