//! What vendors announce to end: by an event with a date, or by `Deprecation` and `Sunset` headers of their answers.

use std::sync::Arc;

use chrono::DateTime;

use super::endpoint::cut;
use super::fact::Said;
use super::headers::Headers;
use super::lookup::Lookup;
use super::telemetry::Log;
use super::vocabulary::Attr;

/// Reads `integration.change`; none where nothing of it is still to come.
pub fn told(look: &Lookup<'_, '_>, log: &Log<'_>, peer: &str) -> Option<Said> {
    let effective_at = look.i64(Attr::ChangeEffectiveAt).filter(|at| is_date(*at))?;
    let said = log.body.text();
    let text =
        if said.trim().is_empty() { look.str(Attr::ChangeKind).unwrap_or("a change").into() } else { said };
    let endpoint = Arc::from(cut(look.str(Attr::Endpoint).unwrap_or("")));
    let text = text.trim().chars().take(300).collect();
    Some(Said::Announced { peer: Arc::from(cut(peer)), endpoint, effective_at, text })
}

/// Reads the headers of an answer: when it ends, else when it is deprecated.
pub fn of_headers(headers: &Headers<'_>, peer: &str, endpoint: &str) -> Option<Said> {
    let sunset = headers.get("sunset").and_then(|text| date(&text));
    let deprecated = || headers.get("deprecation").and_then(|text| date(&text));
    let (effective_at, text) = match sunset {
        Some(at) => (at, "its answers carry a Sunset header"),
        None => (deprecated()?, "its answers carry a Deprecation header"),
    };
    let (peer, endpoint) = (Arc::from(cut(peer)), Arc::from(cut(endpoint)));
    Some(Said::Announced { peer, endpoint, effective_at, text: text.into() })
}

/// `Sat, 31 Dec 2026 23:59:59 GMT`, or `@1798761599` (RFC 9745).
fn date(text: &str) -> Option<i64> {
    let text = text.trim();
    let at = match text.strip_prefix('@') {
        Some(seconds) => seconds.parse().ok()?,
        None => DateTime::parse_from_rfc2822(text).ok()?.timestamp(),
    };
    is_date(at).then_some(at)
}

/// Between 2001 and the year 9999: what is none of these is no date that anybody meant.
fn is_date(seconds: i64) -> bool {
    (1_000_000_000..253_402_300_800).contains(&seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::headers::Side;
    use crate::signals::telemetry::{Attributes, Value};

    fn of(pairs: &[(&'static str, &'static str)]) -> Option<(i64, String)> {
        let mut list = Attributes::default();
        for (name, value) in pairs {
            list.push((*name).into(), Value::Str((*value).into()));
        }
        let headers = Headers::of(&list, Side::Response)?;
        match of_headers(&headers, "api.example.com", "GET /v1")? {
            Said::Announced { effective_at, text, .. } => Some((effective_at, text)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn headers_say_when_an_endpoint_ends() {
        let sunset = ("http.response.header.sunset", "Thu, 31 Dec 2026 23:59:59 GMT");
        let deprecated = ("http.response.header.deprecation", "@1788169599");
        assert_eq!(of(&[sunset, deprecated]).unwrap().0, 1_798_761_599);
        assert_eq!(
            of(&[deprecated]).unwrap(),
            (1_788_169_599, "its answers carry a Deprecation header".into())
        );
        assert_eq!(of(&[("http.response.header.deprecation", "true")]), None, "without a date");
        assert_eq!(of(&[("http.response.header.sunset", "soon")]), None);
    }

    #[test]
    fn a_change_with_a_date_is_announced() {
        let read = |at: Option<i64>| {
            let mut log = Log { body: Value::Str("API 2019 ends".into()), ..Log::default() };
            if let Some(at) = at {
                log.attributes.push("integration.change.effective_at".into(), Value::Int(at));
            }
            let none = Attributes::default();
            told(&Lookup { own: &log.attributes, scope: &none, resource: &none }, &log, "api.example.com")
        };
        let Some(Said::Announced { effective_at, text, peer, .. }) = read(Some(1_800_000_000)) else {
            panic!("nothing announced")
        };
        assert_eq!((effective_at, &*text, &*peer), (1_800_000_000, "API 2019 ends", "api.example.com"));
        assert_eq!(read(None), None);
        assert_eq!(read(Some(7)), None);
    }
}
