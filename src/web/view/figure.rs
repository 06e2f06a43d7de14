//! Figures with their colour: red and amber only where an incident or a date says so, faint where little is known.

use super::calls::Summary;
use super::credential::{Expiry, Nearness, nearness};
use super::health::Health;
use super::queue;
use crate::alert::incident::Severity;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::web::format;

/// A figure in a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// `68.9 %`.
    pub text: String,
    /// `bad`, `warn`, `faint` or nothing.
    pub class: &'static str,
    /// A second line: `of 10,240`.
    pub sub: String,
    /// Shown on hover: on how much it rests.
    pub hint: String,
}

impl Figure {
    /// A figure that needs no colour.
    pub fn plain(text: impl Into<String>) -> Figure {
        Figure { text: text.into(), ..Figure::default() }
    }

    /// The mark for what is not known, faint.
    pub fn none() -> Figure {
        Figure { text: format::NONE.into(), class: "faint", ..Figure::default() }
    }
}

/// The colour of the worst open incident on a signal of these families.
pub fn colour(one: &Health<'_>, signals: &[&str]) -> &'static str {
    let on_it = |signal: &str| signals.iter().any(|family| signal.starts_with(family));
    let worst = one
        .incidents
        .iter()
        .filter(|incident| on_it(&incident.signal))
        .map(|incident| incident.severity)
        .max();
    match worst {
        Some(Severity::Critical) => "bad",
        Some(Severity::Warning) => "warn",
        _ => "",
    }
}

/// Success rate of the calls to peers.
pub fn success(one: &Health<'_>) -> Figure {
    let colour = colour(one, &["call.success_rate", "attempt.", "slo."]);
    let mut figure = rate(&one.outbound);
    if !colour.is_empty() {
        figure.class = colour;
    }
    figure
}

/// A success rate, faint where it rests on little.
pub fn rate(summary: &Summary) -> Figure {
    let Some(rate) = summary.judged.success_rate() else { return Figure::none() };
    let judged = summary.judged.good + summary.judged.bad;
    Figure {
        text: format::percent(Some(rate)),
        class: if summary.is_thin() { "faint" } else { "" },
        hint: format!("{} of {} calls failed", format::count(summary.judged.bad), format::count(judged)),
        ..Figure::default()
    }
}

/// A percentile of the calls to peers.
pub fn percentile(one: &Health<'_>, quantile: f64) -> Figure {
    let mut figure = quantile_of(&one.outbound, quantile);
    let colour = colour(one, &["call.latency"]);
    if !colour.is_empty() && quantile > 0.9 && figure.text != format::NONE {
        figure.class = colour;
    }
    figure
}

/// A percentile, faint where it rests on too few.
pub fn quantile_of(summary: &Summary, quantile: f64) -> Figure {
    let Some(us) = summary.quantile_us(quantile) else { return Figure::none() };
    Figure {
        text: format::micros(Some(us)),
        class: if summary.is_thin_at(quantile) { "faint" } else { "" },
        hint: format!("of {} successful calls", format::count(summary.good.count() as f64)),
        ..Figure::default()
    }
}

/// Ready items over all queues.
pub fn queue(one: &Health<'_>) -> Figure {
    let Some(ready) = queue::ready(&one.queues) else { return Figure::none() };
    let age = queue::oldest_age(&one.queues).filter(|age| *age >= 1.0);
    Figure {
        text: format::count(ready),
        class: colour(one, &["queue."]),
        sub: age.map_or_else(String::new, |age| format!("{} old", format::seconds(age))),
        hint: String::new(),
    }
}

/// The next expiry that somebody must see to.
pub fn expiry(one: &Health<'_>, now: Nanos) -> Figure {
    let mut figure = instant(&one.expiry, now);
    if let Expiry::At(_, slot) = &one.expiry {
        figure.sub.clone_from(slot);
    }
    figure.class = worse(figure.class, colour(one, &["credential."]));
    figure
}

/// The worse of two classes: a warning that is open does not make a date that is due look better.
fn worse(a: &'static str, b: &'static str) -> &'static str {
    let rank = |class: &str| ["faint", "", "warn", "bad"].iter().position(|one| *one == class);
    if rank(b) > rank(a) { b } else { a }
}

/// An expiry in words.
pub fn instant(expiry: &Expiry, now: Nanos) -> Figure {
    match expiry {
        Expiry::None => Figure::none(),
        Expiry::Unknown => Figure { class: "faint", ..Figure::plain("unknown") },
        Expiry::Never => Figure::plain("never"),
        Expiry::Renews => Figure::plain("renews itself"),
        Expiry::At(at, _) => {
            let left = at.saturating_mul(1_000_000_000).saturating_sub(now);
            let class = match nearness(*at, now) {
                Nearness::Due => "bad",
                Nearness::Near => "warn",
                Nearness::Far => "",
            };
            let text = if left <= 0 { "expired".into() } else { format::between(0, left) };
            Figure { text, class, ..Figure::default() }
        }
    }
}

/// Matched of expected records.
pub fn reconciled(one: &Health<'_>) -> Figure {
    let Some((expected, matched, open)) = one.reconciled else { return Figure::none() };
    let colour = colour(one, &["reconciliation.", "ledger."]);
    Figure {
        text: format::count(matched as f64),
        class: if colour.is_empty() && open > 0 { "warn" } else { colour },
        sub: format!("of {}", format::count(expected as f64)),
        hint: match open {
            0 => String::new(),
            1 => "1 record still differs".into(),
            open => format!("{} records still differ", format::count(open as f64)),
        },
    }
}

/// A name as part of a URL.
pub fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The page of an integration in its environment.
pub fn integration_href(key: &IntegrationKey) -> String {
    format!("/integrations/{}?environment={}", encoded(&key.name), encoded(&key.environment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_unknown_and_an_instant_are_three_things() {
        let now = 1_000_000_000_000_000_000;
        let text = |expiry: Expiry| instant(&expiry, now);
        assert_eq!(text(Expiry::Never).text, "never");
        assert_eq!(text(Expiry::Unknown).text, "unknown");
        assert_eq!(text(Expiry::At(1_000_000_000 + 41 * 86_400, "a".into())).text, "41\u{202f}d");
        assert_eq!(text(Expiry::At(1_000_000_000, "a".into())).text, "expired");
        assert_eq!(text(Expiry::At(1_000_000_000 + 3_600, "a".into())).class, "bad");
        assert_eq!(text(Expiry::At(1_000_000_000 + 3 * 86_400, "a".into())).class, "warn");
        assert_eq!(text(Expiry::None).text, "–");
    }

    #[test]
    fn the_worse_of_two_classes_stands() {
        assert_eq!([worse("bad", "warn"), worse("", "warn"), worse("faint", "")], ["bad", "warn", ""]);
    }

    #[test]
    fn a_name_is_one_segment_of_a_url() {
        assert_eq!(encoded("a/b c?é"), "a%2Fb%20c%3F%C3%A9");
    }
}
