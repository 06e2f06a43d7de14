//! The demo's own alert rules: the shipped ones with windows short enough that a fault is mailed within five minutes.

/// File name and TOML of each.
pub const RULES: &[(&str, &str)] = &[
    ("credential-expiry.toml", include_str!("alerts/credential-expiry.toml")),
    ("latency-p95-high.toml", include_str!("alerts/latency-p95-high.toml")),
    ("queue-behind.toml", include_str!("alerts/queue-behind.toml")),
    ("reconciliation-gap.toml", include_str!("alerts/reconciliation-gap.toml")),
    ("success-rate-low.toml", include_str!("alerts/success-rate-low.toml")),
];
