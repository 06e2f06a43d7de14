//! The rules that ship, each with its runbook of the same name, for a start without a folder.

macro_rules! ship {
    ($($id:literal,)*) => {
        /// (file, text) of the rules.
        pub const RULES: &[(&str, &str)] =
            &[$((concat!($id, ".toml"), include_str!(concat!("../../alerts/", $id, ".toml"))),)*];

        /// (file, text) of their runbooks.
        pub const RUNBOOKS: &[(&str, &str)] =
            &[$((concat!($id, ".md"), include_str!(concat!("../../alerts/runbooks/", $id, ".md"))),)*];
    };
}

ship! {
    "connection-failing",
    "contract-drift",
    "credential-expiry",
    "credential-idle",
    "credential-refresh-failed",
    "credential-rotation",
    "dead-letters",
    "latency-p95-high",
    "latency-shift",
    "page-cap",
    "probe-down",
    "queue-behind",
    "queue-stalled",
    "quota-foreign",
    "rate-limit-exhaustion",
    "reconciliation-gap",
    "reconciliation-overdue",
    "request-contract",
    "run-failed",
    "run-overdue",
    "run-partial",
    "self-disk-free",
    "self-folded",
    "self-key-expires",
    "self-lag",
    "self-mail-stuck",
    "self-refused",
    "self-rule-errors",
    "slo-burn",
    "success-rate-low",
    "telemetry-lost",
    "throttled",
    "vendor-outage",
    "vendor-sunset",
    "webhook-dead-letters",
    "webhook-duplicates",
    "webhook-rejects",
    "webhook-silent",
    "webhook-slow",
    "work-silent",
    "writes-ratio",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_ships() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/alerts");
        let names = |folder: &str, ending: &str| -> Vec<String> {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<String> = entries.filter_map(|name| name.into_string().ok()).collect();
            names.retain(|name| name.ends_with(ending));
            names.sort();
            names
        };
        let shipped = |files: &[(&str, &str)]| -> Vec<String> {
            files.iter().map(|(name, _)| (*name).to_owned()).collect()
        };
        assert_eq!(shipped(RULES), names(folder, ".toml"));
        assert_eq!(shipped(RUNBOOKS), names(&format!("{folder}/runbooks"), ".md"));
    }

    #[test]
    fn the_documentation_knows_every_key() {
        use crate::alert::{overrides, parse};
        let text = include_str!("../../docs/alerts.md");
        let keys =
            parse::RULE_KEYS.iter().chain(parse::LEVEL_KEYS).chain(parse::BRANCH_KEYS).chain(overrides::KEYS);
        for key in keys.filter(|key| !["level", "any"].contains(key)) {
            assert!(text.contains(&format!("`{key}`")), "docs/alerts.md says nothing of {key}");
        }
        assert!(text.contains("`[[level]]`") && text.contains("`[[any]]`"));
    }
}
