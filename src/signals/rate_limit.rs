//! Rate limits as captured headers of answers tell of them (vocabulary section 6): the vendor's own names, the IETF's
//! drafts, `x-ratelimit-*` and `retry-after`.

use super::headers::Headers;
use super::provider::Provider;
use super::telemetry::Nanos;

/// A reset up to this is seconds from now.
const FROM_NOW: f64 = 1e9;
/// A reset above this is unix milliseconds.
const MILLISECONDS: f64 = 1e12;
/// The last second of the year 9999.
const LATEST: f64 = 253_402_300_799.0;
/// Limits that one answer may tell of; the rest is left out.
const MOST: usize = 8;

/// What an answer says of one limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Which of the limits; empty where the answer names none.
    pub name: String,
    /// Requests allowed.
    pub limit: Option<f64>,
    /// Requests left.
    pub remaining: Option<f64>,
    /// Unix seconds.
    pub resets_at: Option<f64>,
}

impl Told {
    fn says(&self) -> bool {
        self.limit.is_some() || self.remaining.is_some() || self.resets_at.is_some()
    }
}

/// All limits that an answer tells of; `throttled` is whether it was refused for one.
pub fn read(headers: &Headers<'_>, provider: Option<&Provider>, at: Nanos, throttled: bool) -> Vec<Told> {
    let now = (at / 1_000_000_000) as f64;
    let mut told: Vec<Told> =
        provider.into_iter().flat_map(|vendor| by_vendor(headers, vendor, now)).collect();
    if told.is_empty() {
        told = by_draft(headers, now);
    }
    if told.is_empty() {
        told.extend(by_three(headers, "x-ratelimit-", now).or_else(|| by_three(headers, "ratelimit-", now)));
    }
    if let Some(resource) = headers.get("x-ratelimit-resource").filter(|_| told.len() == 1)
        && let Some(only) = told.first_mut()
    {
        only.name = resource.into_owned();
    }
    if throttled && told.iter().all(|one| one.resets_at.is_none()) {
        let wait = headers.get("retry-after").and_then(|text| wait(&text, now));
        match (told.first_mut(), wait) {
            (Some(first), Some(resets_at)) => first.resets_at = Some(resets_at),
            (None, Some(resets_at)) => told.push(Told { resets_at: Some(resets_at), ..Told::default() }),
            (_, None) => {}
        }
    }
    told.truncate(MOST);
    told
}

/// The headers that a vendor's documentation names.
fn by_vendor(headers: &Headers<'_>, vendor: &Provider, now: f64) -> Vec<Told> {
    let of = |limit: &super::provider::RateLimit| {
        let mut told = Told { name: limit.name.clone(), ..Told::default() };
        for (what, header) in &limit.headers {
            let Some(text) = headers.get(header) else { continue };
            match *what {
                "limit" => told.limit = count(&text),
                "remaining" => told.remaining = count(&text),
                "used of limit" => {
                    let (used, of) = text.rsplit('=').next().and_then(|pair| pair.split_once('/'))?;
                    let (used, of) = (count(used)?, count(of)?);
                    (told.limit, told.remaining) = (Some(of), Some((of - used).max(0.0)));
                }
                "resets" => told.resets_at = number(&text).and_then(|at| stated(at, limit.reset_is, now)),
                _ => {}
            }
        }
        told.says().then_some(told)
    };
    vendor.rate_limits.iter().filter_map(of).collect()
}

/// `ratelimit` and `ratelimit-policy`: lists of names with parameters (`"day";r=5;t=60`), or in older drafts
/// `limit=100, remaining=50, reset=30`.
fn by_draft(headers: &Headers<'_>, now: f64) -> Vec<Told> {
    let Some(left) = headers.get("ratelimit") else { return Vec::new() };
    let policies = headers.get("ratelimit-policy").unwrap_or_default();
    if left.contains("remaining=") || left.contains("limit=") {
        let pairs: Vec<(&str, f64)> = left.split([',', ';']).filter_map(pair).collect();
        let get = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let resets_at = get("reset").and_then(|at| reset(at, now));
        let told = Told { limit: get("limit"), remaining: get("remaining"), resets_at, ..Told::default() };
        return Some(told).filter(Told::says).into_iter().collect();
    }
    let policies: Vec<(String, Vec<(&str, f64)>)> = items(&policies).map(item).collect();
    let of = |text| {
        let (name, parameters) = item(text);
        let get = |wanted: &str| parameters.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
        let policy = policies.iter().find(|(other, _)| *other == name);
        let quota = policy.and_then(|(_, all)| all.iter().find(|(key, _)| *key == "q"));
        let told = Told {
            name,
            limit: quota.map(|(_, value)| *value),
            remaining: get("r"),
            resets_at: get("t").and_then(|wait| reset(wait, now)),
        };
        told.says().then_some(told)
    };
    items(&left).filter_map(of).take(MOST).collect()
}

/// `…limit`, `…remaining` and `…reset` behind a common beginning.
fn by_three(headers: &Headers<'_>, before: &str, now: f64) -> Option<Told> {
    let get = |name: &str| headers.get(&format!("{before}{name}"));
    let told = Told {
        name: String::new(),
        limit: get("limit").and_then(|text| count(&text)),
        remaining: get("remaining").and_then(|text| count(&text)),
        resets_at: get("reset").and_then(|text| reset(number(&text)?, now)),
    };
    told.says().then_some(told)
}

/// The items of a structured list: commas inside quotation marks part nothing.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

/// An item's name and its numeric parameters.
fn item(text: &str) -> (String, Vec<(&str, f64)>) {
    let mut quoted = false;
    let mut parts = text.split(move |c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    });
    let name = parts.next().unwrap_or("").trim().trim_matches('"');
    (super::endpoint::cut(name).to_owned(), parts.filter_map(pair).collect())
}

fn pair(text: &str) -> Option<(&str, f64)> {
    let (key, value) = text.split_once('=')?;
    Some((key.trim(), count(value)?))
}

/// A number of 0 or more at the start of a text: `100, 100;w=60` is 100.
fn count(text: &str) -> Option<f64> {
    number(text).filter(|number| *number < 1e15)
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim().trim_start_matches('"');
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

/// When a reset is, in unix seconds, by its size.
fn reset(said: f64, now: f64) -> Option<f64> {
    let at = match said {
        said if said <= FROM_NOW => now + said,
        said if said > MILLISECONDS => said / 1000.0,
        said => said,
    };
    (0.0..=LATEST).contains(&at).then_some(at)
}

/// The same where the vendor says how it is told.
fn stated(said: f64, how: &str, now: f64) -> Option<f64> {
    let at = match how {
        "seconds from now" => now + said,
        "unix milliseconds" => said / 1000.0,
        "unix seconds" => said,
        _ => return reset(said, now),
    };
    (0.0..=LATEST).contains(&at).then_some(at)
}

/// `retry-after`: seconds, or a date.
fn wait(text: &str, now: f64) -> Option<f64> {
    if text.bytes().next()?.is_ascii_digit() {
        return reset(number(text)?, now);
    }
    let at = chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp() as f64;
    (0.0..=LATEST).contains(&at).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::headers::Side;
    use crate::signals::provider::RateLimit;
    use crate::signals::telemetry::{Attributes, Value};

    const NOW: Nanos = 1_800_000_000 * 1_000_000_000;

    fn told(pairs: &[(&str, &str)], vendor: Option<&Provider>, throttled: bool) -> Vec<Told> {
        let mut list = Attributes::default();
        for (name, value) in pairs {
            let value = serde_json::to_string(&[value]).unwrap();
            list.push(format!("http.response.header.{name}").into(), Value::Json(value.into()));
        }
        read(&Headers::of(&list, Side::Response).unwrap(), vendor, NOW, throttled)
    }

    fn one(name: &str, limit: f64, remaining: f64, resets_at: f64) -> Told {
        let (limit, remaining, resets_at) = (Some(limit), Some(remaining), Some(resets_at));
        Told { name: name.into(), limit, remaining, resets_at }
    }

    #[test]
    fn a_reset_is_seconds_from_now_unix_seconds_or_milliseconds_by_its_size() {
        let of = |reset: &str| {
            let pairs =
                [("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", reset)];
            told(&pairs, None, false)
        };
        assert_eq!(of("30"), [one("", 60.0, 7.0, 1_800_000_030.0)]);
        assert_eq!(of("1000000000"), [one("", 60.0, 7.0, 2_800_000_000.0)]);
        assert_eq!(of("1800000099"), [one("", 60.0, 7.0, 1_800_000_099.0)]);
        assert_eq!(of("1800000099500"), [one("", 60.0, 7.0, 1_800_000_099.5)]);
        assert_eq!(of("9e99")[0].resets_at, Some(1_800_000_009.0), "what follows a number is not read");
        assert_eq!(of("99999999999999999999")[0].resets_at, None, "beyond the year 9999");
        assert_eq!(of("soon")[0].resets_at, None);
    }

    #[test]
    fn the_drafts_of_the_ietf_are_read() {
        let now = [
            ("ratelimit", "\"burst\";r=4;t=10, \"day, all\";r=900;t=3600"),
            ("ratelimit-policy", "\"burst\";q=5;w=10,\"day, all\";q=1000;w=86400"),
        ];
        let wanted =
            [one("burst", 5.0, 4.0, 1_800_000_010.0), one("day, all", 1000.0, 900.0, 1_800_003_600.0)];
        assert_eq!(told(&now, None, false), wanted);
        let before = [("ratelimit", "limit=100, remaining=50, reset=30")];
        assert_eq!(told(&before, None, false), [one("", 100.0, 50.0, 1_800_000_030.0)]);
        let first =
            [("ratelimit-limit", "100, 100;w=60"), ("ratelimit-remaining", "50"), ("ratelimit-reset", "5")];
        assert_eq!(told(&first, None, false), [one("", 100.0, 50.0, 1_800_000_005.0)]);
        assert!(told(&[("ratelimit", "nonsense")], None, false).is_empty());
    }

    #[test]
    fn a_vendors_own_headers_come_first_and_several_limits_are_told_apart() {
        let limit = |name: &str, headers: &[(&'static str, &str)], reset_is| RateLimit {
            name: name.into(),
            headers: headers.iter().map(|(what, header)| (*what, (*header).to_owned())).collect(),
            reset_is,
            ..RateLimit::default()
        };
        let rate_limits = vec![
            limit("day", &[("remaining", "x-day-left")], ""),
            limit("api", &[("used of limit", "x-usage")], ""),
            limit("minute", &[("remaining", "x-left"), ("resets", "x-reset")], "unix milliseconds"),
        ];
        let vendor = Provider { rate_limits, ..Provider::default() };
        let pairs = [
            ("x-day-left", "12"),
            ("x-usage", "api-usage=18/5000"),
            ("x-left", "3"),
            ("x-reset", "1800000001000"),
            ("x-ratelimit-limit", "1"),
        ];
        let found = told(&pairs, Some(&vendor), false);
        let said: Vec<_> =
            found.iter().map(|one| (&*one.name, one.limit, one.remaining, one.resets_at)).collect();
        let wanted = [
            ("day", None, Some(12.0), None),
            ("api", Some(5000.0), Some(4982.0), None),
            ("minute", None, Some(3.0), Some(1_800_000_001.0)),
        ];
        assert_eq!(said, wanted);
    }

    #[test]
    fn a_wait_counts_only_on_a_refusal_and_may_be_a_date() {
        let after = |text| told(&[("retry-after", text)], None, true)[0].resets_at;
        assert_eq!(after("120"), Some(1_800_000_120.0));
        assert_eq!(after("Fri, 15 Jan 2027 08:00:30 GMT"), Some(1_800_000_030.0));
        assert!(told(&[("retry-after", "120")], None, false).is_empty(), "a busy server is no quota");
        assert!(told(&[("retry-after", "whenever")], None, true).is_empty());
        let both = [("x-ratelimit-remaining", "0"), ("retry-after", "9"), ("x-ratelimit-resource", "search")];
        let found = told(&both, None, true);
        assert_eq!((found.len(), &*found[0].name, found[0].resets_at), (1, "search", Some(1_800_000_009.0)));
    }

    #[test]
    fn figures_that_are_none_are_left_out() {
        for bad in ["-1", "NaN", "inf", "", "99999999999999999999"] {
            let pairs = [("x-ratelimit-limit", bad), ("x-ratelimit-remaining", bad)];
            assert!(told(&pairs, None, false).is_empty(), "{bad}");
        }
    }
}
