//! What an integration's trouble is: one name, with the evidence. A decision table, read from top to bottom; the first
//! row that holds names it. docs/signals.md has the same table.

use super::value::Value;
use crate::signals::call::Class;
use crate::signals::signal::Signal;
use crate::signals::telemetry::Nanos;

/// The eight names that trouble has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Nobody can see how it is: its telemetry does not come, or not all of it.
    Blind,
    /// A vendor fails for several integrations at once.
    VendorOutage,
    /// The peer does not accept who we are.
    Auth,
    /// The peer says that we ask too much.
    RateLimit,
    /// What is sent or answered has another shape than agreed.
    Contract,
    /// Events of the vendor do not come in, or are lost inside.
    Webhook,
    /// The way to the peer is broken.
    Network,
    /// The integration itself: its jobs, its queues, its latest version.
    Ours,
}

impl Kind {
    /// All, in the order of the table.
    pub const ALL: [Kind; 8] = [
        Kind::Blind,
        Kind::VendorOutage,
        Kind::Auth,
        Kind::RateLimit,
        Kind::Contract,
        Kind::Webhook,
        Kind::Network,
        Kind::Ours,
    ];

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Blind => "blind",
            Kind::VendorOutage => "vendor_outage",
            Kind::Auth => "auth",
            Kind::RateLimit => "rate_limit",
            Kind::Contract => "contract",
            Kind::Webhook => "webhook",
            Kind::Network => "network",
            Kind::Ours => "ours",
        }
    }

    /// As pages and mails say it.
    pub const fn title(self) -> &'static str {
        match self {
            Kind::Blind => "Blind",
            Kind::VendorOutage => "Vendor outage",
            Kind::Auth => "Auth",
            Kind::RateLimit => "Rate limit",
            Kind::Contract => "Contract",
            Kind::Webhook => "Webhook",
            Kind::Network => "Network",
            Kind::Ours => "Ours",
        }
    }
}

/// What trouble is, and what says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// Its name.
    pub kind: Kind,
    /// `invalid_grant since 02:04, 31 calls (credential crm-oauth)`.
    pub evidence: String,
}

/// What the table is asked with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'e> {
    /// What the signals of the integration say, and of what it shares with others.
    pub values: &'e [&'e Value],
    /// Failed operations of the stretch that is looked at, by class.
    pub failures: &'e [(Class, f64)],
    /// Operations of that stretch that were good.
    pub good: f64,
    /// When its version changed last.
    pub version_changed: Option<Nanos>,
    /// The present.
    pub now: Nanos,
}

/// A signal that says trouble: which, beyond what, and its name.
struct Row {
    kind: Kind,
    signal: Signal,
    /// The value from which on it says so; in base units.
    limit: f64,
}

const fn row(kind: Kind, signal: Signal, limit: f64) -> Row {
    Row { kind, signal, limit }
}

/// The signals in the order in which they are asked; limits are those of the rules that ship.
const TABLE: &[Row] = &[
    row(Kind::Blind, Signal::TelemetrySilence, 600.0),
    row(Kind::Blind, Signal::TelemetryLostShare, 0.01),
    row(Kind::VendorOutage, Signal::PeerFailingIntegrations, 2.0),
    row(Kind::Auth, Signal::CredentialRefreshRefused, 1.0),
    row(Kind::Auth, Signal::CredentialExpiresIn, 0.0),
    row(Kind::Auth, Signal::CredentialAuthShare, 0.9),
    row(Kind::Auth, Signal::CredentialRefreshFailing, 0.25),
    row(Kind::RateLimit, Signal::RetryExhausted, 1.0),
    row(Kind::Contract, Signal::ContractRequestRejected, 0.2),
    row(Kind::Contract, Signal::ContractDrift, 1.0),
    row(Kind::Contract, Signal::ContractPageCap, 1.0),
    row(Kind::Webhook, Signal::ProbeFailures, 3.0),
    row(Kind::Webhook, Signal::WebhookRejectRate, 0.02),
    row(Kind::Webhook, Signal::WebhookWritesRatio, 0.9),
    row(Kind::Webhook, Signal::WebhookMissed, 14.0),
    row(Kind::Webhook, Signal::WebhookDuplicateJump, 5.0),
];

/// What stands below the classes of calls: it says that something of ours stands still, whatever the peers answer.
const OURS: &[Row] = &[
    row(Kind::Ours, Signal::RunFailed, 1.0),
    row(Kind::Ours, Signal::QueueStalled, 900.0),
    row(Kind::Ours, Signal::WorkMissed, 14.0),
    row(Kind::Ours, Signal::RunOverdue, 600.0),
];

/// A class of failures is a cause from so many failed operations on …
const LEAST_FAILURES: f64 = 3.0;
/// … when they are this share of all, and it is this share of them.
const LEAST_SHARE: f64 = 0.05;
const MAJORITY: f64 = 0.5;
/// What began within so long of a new version is laid to that.
const AFTER_DEPLOY: Nanos = 3_600_000_000_000;

/// Names the trouble of an integration; none where nothing says that there is any.
pub fn cause(evidence: &Evidence<'_>) -> Option<Cause> {
    by_signals(TABLE, evidence).or_else(|| by_class(evidence)).or_else(|| by_signals(OURS, evidence))
}

fn by_signals(table: &[Row], evidence: &Evidence<'_>) -> Option<Cause> {
    table.iter().find_map(|row| {
        let says = |value: &&&Value| {
            value.signal == row.signal
                && if row.signal.low_is_bad() { value.value <= row.limit } else { value.value >= row.limit }
        };
        let value = evidence.values.iter().find(says)?;
        Some(Cause { kind: row.kind, evidence: told(value) })
    })
}

fn told(value: &Value) -> String {
    use crate::signals::signal::Label;
    let of: Vec<&str> = value
        .labels
        .iter()
        .filter(|(label, _)| !matches!(label, Label::Integration | Label::Environment))
        .map(|(_, text)| &**text)
        .collect();
    let what = if value.why.is_empty() { value.signal.title() } else { value.why.clone() };
    if of.is_empty() { what } else { format!("{what} ({})", of.join(" · ")) }
}

/// What most failures of calls are.
fn by_class(evidence: &Evidence<'_>) -> Option<Cause> {
    let failed: f64 = evidence.failures.iter().map(|(_, count)| count).sum();
    let all = failed + evidence.good;
    if failed < LEAST_FAILURES || failed < LEAST_SHARE * all {
        return None;
    }
    let of = |classes: &[Class]| -> f64 {
        evidence.failures.iter().filter(|(class, _)| classes.contains(class)).map(|(_, count)| count).sum()
    };
    let deployed =
        evidence.version_changed.is_some_and(|at| at <= evidence.now && evidence.now - at < AFTER_DEPLOY);
    let rows: [(Kind, &[Class], &str); 6] = [
        (Kind::Auth, &[Class::Auth], "refused credentials (401, 403)"),
        (Kind::RateLimit, &[Class::Throttled], "given up after being throttled"),
        (Kind::Contract, &[Class::Contract], "answers of another shape than expected"),
        (Kind::Network, &[Class::Network, Class::Timeout], "no connection or no answer in time"),
        (Kind::VendorOutage, &[Class::Server], "server errors (5xx) of the peer"),
        (Kind::Contract, &[Class::Validation, Class::AmbiguousRead], "requests that the peer rejects (4xx)"),
    ];
    let (kind, count, what) = rows
        .iter()
        .map(|(kind, classes, what)| (*kind, of(classes), *what))
        .find(|(_, count, _)| *count >= MAJORITY * failed)
        .unwrap_or((Kind::Ours, of(&[Class::Failed]), "reported as failed by the integration"));
    // Requests that were fine before our own release are ours to mend.
    let ours = deployed && matches!(kind, Kind::Contract | Kind::Ours);
    let since = if ours { ", since its new version" } else { "" };
    let evidence = format!("{count:.0} of {failed:.0} failed calls: {what}{since}");
    Some(Cause { kind: if ours { Kind::Ours } else { kind }, evidence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::observation::IntegrationKey;
    use crate::signals::signal::Label;

    const NOW: Nanos = 100 * AFTER_DEPLOY;

    fn value(signal: Signal, value: f64) -> Value {
        let key = IntegrationKey { environment: "production".into(), name: "crm".into() };
        Value::of(signal, &key, value, NOW)
    }

    fn kind(
        values: &[Value],
        failures: &[(Class, f64)],
        good: f64,
        version_changed: Option<Nanos>,
    ) -> Option<Kind> {
        let values: Vec<&Value> = values.iter().collect();
        cause(&Evidence { values: &values, failures, good, version_changed, now: NOW })
            .map(|cause| cause.kind)
    }

    /// Each row of the table, case by case.
    #[test]
    fn the_table() {
        use Signal as S;
        let alone = [
            (S::TelemetrySilence, 599.0, None),
            (S::TelemetrySilence, 600.0, Some(Kind::Blind)),
            (S::TelemetryLostShare, 0.02, Some(Kind::Blind)),
            (S::PeerFailingIntegrations, 1.0, None),
            (S::PeerFailingIntegrations, 3.0, Some(Kind::VendorOutage)),
            (S::CredentialRefreshRefused, 0.0, None),
            (S::CredentialRefreshRefused, 1.0, Some(Kind::Auth)),
            (S::CredentialExpiresIn, 86_400.0, None),
            (S::CredentialExpiresIn, -5.0, Some(Kind::Auth)),
            (S::CredentialAuthShare, 0.95, Some(Kind::Auth)),
            (S::CredentialRefreshFailing, 0.6, None),
            (S::CredentialRefreshFailing, 0.2, Some(Kind::Auth)),
            (S::RetryExhausted, 2.0, Some(Kind::RateLimit)),
            (S::ContractRequestRejected, 0.3, Some(Kind::Contract)),
            (S::ContractDrift, 1.0, Some(Kind::Contract)),
            (S::ContractPageCap, 100.0, Some(Kind::Contract)),
            (S::ProbeFailures, 3.0, Some(Kind::Webhook)),
            (S::WebhookRejectRate, 0.5, Some(Kind::Webhook)),
            (S::WebhookWritesRatio, 0.99, None),
            (S::WebhookWritesRatio, 0.8, Some(Kind::Webhook)),
            (S::WebhookMissed, 20.0, Some(Kind::Webhook)),
            (S::WebhookDuplicateJump, 6.0, Some(Kind::Webhook)),
            (S::RunFailed, 1.0, Some(Kind::Ours)),
            (S::QueueStalled, 1_000.0, Some(Kind::Ours)),
            (S::WorkMissed, 30.0, Some(Kind::Ours)),
            (S::RunOverdue, 700.0, Some(Kind::Ours)),
            (S::QueueDepth, 1e6, None),
        ];
        for (signal, at, wanted) in alone {
            assert_eq!(kind(&[value(signal, at)], &[], 0.0, None), wanted, "{} {at}", signal.name());
        }
    }

    #[test]
    fn failures_of_calls_name_it_where_no_signal_does() {
        type Case<'c> = (&'c [(Class, f64)], f64, Option<Kind>);
        let cases: [Case<'_>; 9] = [
            (&[(Class::Auth, 30.0)], 70.0, Some(Kind::Auth)),
            (&[(Class::Auth, 2.0)], 0.0, None),
            (&[(Class::Auth, 30.0)], 10_000.0, None),
            (&[(Class::Throttled, 5.0)], 5.0, Some(Kind::RateLimit)),
            (&[(Class::Server, 20.0), (Class::Timeout, 10.0)], 10.0, Some(Kind::VendorOutage)),
            (&[(Class::Network, 6.0), (Class::Timeout, 6.0), (Class::Server, 5.0)], 0.0, Some(Kind::Network)),
            (&[(Class::Validation, 9.0)], 9.0, Some(Kind::Contract)),
            (&[(Class::Contract, 9.0)], 9.0, Some(Kind::Contract)),
            (&[(Class::Failed, 9.0), (Class::Server, 4.0)], 9.0, Some(Kind::Ours)),
        ];
        for (failures, good, wanted) in cases {
            assert_eq!(kind(&[], failures, good, None), wanted, "{failures:?}");
        }
    }

    #[test]
    fn what_is_rejected_since_our_own_release_is_ours() {
        let rejected = [(Class::Validation, 9.0)];
        assert_eq!(kind(&[], &rejected, 9.0, Some(NOW - AFTER_DEPLOY / 2)), Some(Kind::Ours));
        assert_eq!(kind(&[], &rejected, 9.0, Some(NOW - 2 * AFTER_DEPLOY)), Some(Kind::Contract));
        let down = [(Class::Server, 9.0)];
        assert_eq!(
            kind(&[], &down, 9.0, Some(NOW - 1)),
            Some(Kind::VendorOutage),
            "a release breaks no vendor"
        );
    }

    #[test]
    fn the_first_row_that_holds_names_it_and_says_why() {
        let refused = value(Signal::CredentialRefreshRefused, 1.0)
            .with(Label::Credential, "crm-oauth")
            .because("invalid_grant since 02:04, 31 calls".into());
        let values = [value(Signal::WorkMissed, 90.0), refused];
        let refs: Vec<&Value> = values.iter().collect();
        let found = cause(&Evidence { values: &refs, now: NOW, ..Evidence::default() }).unwrap();
        assert_eq!(found.kind, Kind::Auth);
        assert_eq!(found.evidence, "invalid_grant since 02:04, 31 calls (crm-oauth)");
    }

    #[test]
    fn every_kind_has_a_name_and_a_place() {
        for kind in Kind::ALL {
            assert!(!kind.name().is_empty() && !kind.title().is_empty());
        }
    }
}
