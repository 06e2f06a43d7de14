//! The demo's own alert rules: the shipped ones with windows short enough that a fault is mailed within five minutes.

/// File name and TOML of each.
pub const RULES: &[(&str, &str)] = &[
    ("credential-expiry.toml", include_str!("alerts/credential-expiry.toml")),
    ("latency-p95-high.toml", include_str!("alerts/latency-p95-high.toml")),
    ("queue-behind.toml", include_str!("alerts/queue-behind.toml")),
    ("reconciliation-gap.toml", include_str!("alerts/reconciliation-gap.toml")),
    ("success-rate-low.toml", include_str!("alerts/success-rate-low.toml")),
];

/// Why the demo's thresholds are what they are, where they differ from those that ship.
const WHY: &[(&str, &str)] = &[
    (
        "credential-expiry",
        "In the demo: ten minutes, three minutes and the end itself, so that a story of a quarter of an hour has room \
         for a warning, an escalation and a renewal. The rule that ships warns 30 days, 7 days and one day before.",
    ),
    (
        "latency-p95-high",
        "In the demo the p95 of two minutes is judged, on 60 calls at least. The rule that ships takes ten minutes.",
    ),
    (
        "queue-behind",
        "In the demo one minute of waiting is too much, and it ends at 30 seconds. The rule that ships allows 15 \
         minutes, for five minutes: longer than a restart or a burst that drains by itself.",
    ),
    (
        "success-rate-low",
        "In the demo two minutes with 20 calls and four failures are enough, without waiting. The rule that ships \
         looks at five minutes, and for five minutes; the percentages are the same.",
    ),
];

/// The runbooks of these rules: those that ship, with the demo's own word on its thresholds.
pub fn runbooks(shipped: &[(&str, &str)]) -> Vec<(String, String)> {
    const HEADING: &str = "## Why this threshold\n";
    let rule_of = |file: &str| file.trim_end_matches(".md").to_owned();
    let has_rule = |file: &str| RULES.iter().any(|(rule, _)| rule.trim_end_matches(".toml") == rule_of(file));
    let worded = |(file, text): &(&str, &str)| {
        let why = WHY.iter().find(|(rule, _)| *rule == rule_of(file)).map(|(_, why)| *why);
        let text = match (why, text.split_once(HEADING)) {
            (Some(why), Some((before, _))) => format!("{before}{HEADING}\n{why}\n"),
            _ => (*text).to_owned(),
        };
        ((*file).to_owned(), text)
    };
    shipped.iter().filter(|(file, _)| has_rule(file)).map(worded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::shipped;

    #[test]
    fn the_demos_runbooks_speak_of_the_demos_thresholds() {
        let runbooks = runbooks(shipped::RUNBOOKS);
        assert_eq!(runbooks.len(), RULES.len());
        let text = |name: &str| &runbooks.iter().find(|(file, _)| file == name).unwrap().1;
        assert!(text("queue-behind.md").contains("In the demo one minute"));
        assert!(!text("queue-behind.md").contains("Fifteen minutes is longer"));
        assert!(text("reconciliation-gap.md").contains("Critical tier fires at one record"), "as shipped");
    }
}
