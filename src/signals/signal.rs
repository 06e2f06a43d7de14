//! The signals that rules may name: semantics section 15, closed. Each has one unit and the labels it offers.

use std::fmt;

/// What a signal's values are. Base units: fraction of 1, seconds, times, plain count, per minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share, written in per cent; kept as a fraction of 1.
    Share,
    /// A duration; kept in seconds.
    Duration,
    /// A multiple, written `3 x`.
    Times,
    /// A plain count; the noun is what may stand behind the number (`record`, `run`).
    Count(&'static str),
    /// A count per minute, written `10 per min`.
    PerMinute,
    /// Yes or no: stands without a threshold, in `or`, `and` and `only_if`.
    Flag,
}

impl fmt::Display for Unit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unit::Share => out.write_str("a share in %"),
            Unit::Duration => out.write_str("a duration"),
            Unit::Times => out.write_str("a multiple in x"),
            Unit::Count(noun) => write!(out, "a count of {noun}s"),
            Unit::PerMinute => out.write_str("a count per min"),
            Unit::Flag => out.write_str("yes or no"),
        }
    }
}

/// Where a signal's values come from; all signals of one rule share it, because they share an instance. Calls,
/// credentials, queues and reconciliations have figures that `alert` takes itself; the values of all others, and further
/// ones of these, come from `health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Family {
    Calls,
    Credential,
    Queue,
    Reconciliation,
    Connection,
    Peer,
    Objective,
    RateLimit,
    Webhook,
    Probe,
    Run,
    Work,
    Contract,
    Vendor,
    Server,
    /// Not computed by this version.
    Other,
}

macro_rules! labels {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// What an instance is told apart by, and what `where` may name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum Label { $($variant),* }

        impl Label {
            /// All.
            pub const ALL: &'static [Label] = &[$(Label::$variant),*];

            /// Its name in rules, incidents and pages.
            pub const fn name(self) -> &'static str {
                match self { $(Label::$variant => $name),* }
            }

            /// The label of that name.
            pub fn from_name(name: &str) -> Option<Label> {
                Label::ALL.iter().copied().find(|label| label.name() == name)
            }
        }
    };
}

labels! {
    Integration = "integration", Environment = "environment", Direction = "direction", Peer = "peer",
    Endpoint = "endpoint", Connection = "connection", Credential = "credential", Tier = "tier",
    Kind = "kind", Renewal = "renewal", Provider = "provider", Account = "account", Limit = "limit",
    WebhookProvider = "webhook_provider", EventType = "event_type", Reason = "reason", Probe = "probe",
    Queue = "queue", State = "state", Run = "run", Reconciliation = "reconciliation", Entity = "entity",
    Path = "path",
}

macro_rules! signals {
    ($($variant:ident = $name:literal, $unit:expr, $labels:ident, $family:ident;)*) => {
        /// A signal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Signal { $($variant),* }

        impl Signal {
            /// All, computed or not.
            pub const ALL: &'static [Signal] = &[$(Signal::$variant),*];

            /// Its name in rules and on pages.
            pub const fn name(self) -> &'static str {
                match self { $(Signal::$variant => $name),* }
            }

            /// What its values are.
            pub const fn unit(self) -> Unit {
                match self { $(Signal::$variant => $unit),* }
            }

            /// The labels it offers to `by` and `where`; `tier` may stand in every `where` besides.
            pub const fn labels(self) -> &'static [Label] {
                match self { $(Signal::$variant => $labels),* }
            }

            /// Where its values come from.
            pub const fn family(self) -> Family {
                match self { $(Signal::$variant => Family::$family),* }
            }
        }
    };
}

use Label as L;
const CALLS: &[Label] = &[
    L::Integration,
    L::Environment,
    L::Peer,
    L::Endpoint,
    L::Connection,
    L::Credential,
    L::Tier,
    L::Direction,
];
const LATENCY: &[Label] = &[L::Integration, L::Environment, L::Peer, L::Endpoint, L::Tier, L::Direction];
const INTEGRATION: &[Label] = &[L::Integration, L::Environment];
const PEER: &[Label] = &[L::Environment, L::Peer, L::Provider];
const CREDENTIAL: &[Label] =
    &[L::Integration, L::Environment, L::Credential, L::Kind, L::Renewal, L::Provider];
const LIMIT: &[Label] = &[L::Provider, L::Account, L::Limit];
const WEBHOOK: &[Label] = &[L::Integration, L::Environment, L::WebhookProvider, L::EventType, L::Reason];
const PROBE: &[Label] = &[L::Probe, L::Integration, L::Environment];
const QUEUE: &[Label] = &[L::Integration, L::Environment, L::Queue, L::State];
const RUN: &[Label] = &[L::Integration, L::Environment, L::Run];
const RECONCILIATION: &[Label] = &[L::Integration, L::Environment, L::Reconciliation, L::Entity];
const CONTRACT: &[Label] = &[L::Integration, L::Environment, L::Peer, L::Endpoint, L::Direction, L::Path];
const VENDOR: &[Label] = &[L::Provider, L::Peer, L::Endpoint];
const NONE: &[Label] = &[];

signals! {
    CallSuccessRate = "call.success_rate", Unit::Share, CALLS, Calls;
    AttemptSuccessRate = "attempt.success_rate", Unit::Share, CALLS, Calls;
    RecordSuccessRate = "record.success_rate", Unit::Share, CALLS, Calls;
    CallThrottledShare = "call.throttled_share", Unit::Share, CALLS, Calls;
    CallRate = "call.rate", Unit::PerMinute, CALLS, Calls;
    CallRetryAmplification = "call.retry_amplification", Unit::Times, CALLS, Calls;
    RetryExhausted = "retry.exhausted", Unit::Count("operation"), CALLS, Calls;
    LatencyP50 = "call.latency.p50", Unit::Duration, LATENCY, Calls;
    LatencyP90 = "call.latency.p90", Unit::Duration, LATENCY, Calls;
    LatencyP95 = "call.latency.p95", Unit::Duration, LATENCY, Calls;
    LatencyP99 = "call.latency.p99", Unit::Duration, LATENCY, Calls;
    LatencyP999 = "call.latency.p99_9", Unit::Duration, LATENCY, Calls;
    LatencyShift = "call.latency.shift", Unit::Times, LATENCY, Calls;
    SloBurnRate = "slo.burn_rate", Unit::Times, INTEGRATION, Objective;
    PeerFailingIntegrations = "peer.failing_integrations", Unit::Count("integration"), PEER, Peer;
    ConnectionFailing = "connection.failing", Unit::Count("connection"), INTEGRATION, Connection;
    CredentialExpiresIn = "credential.expires_in", Unit::Duration, CREDENTIAL, Credential;
    CredentialRefreshRefused = "credential.refresh_refused", Unit::Count("refresh"), CREDENTIAL, Credential;
    CredentialRefreshFailing = "credential.refresh_failing", Unit::Share, CREDENTIAL, Credential;
    CredentialRefreshOverdue = "credential.refresh_overdue", Unit::Times, CREDENTIAL, Credential;
    CredentialAuthShare = "credential.auth_share", Unit::Share, CREDENTIAL, Credential;
    CredentialIdle = "credential.idle", Unit::Share, CREDENTIAL, Credential;
    CredentialRotationOverdue = "credential.rotation_overdue", Unit::Duration, CREDENTIAL, Credential;
    RateLimitHeadroom = "rate_limit.headroom", Unit::Share, LIMIT, RateLimit;
    RateLimitExhaustsIn = "rate_limit.exhausts_in", Unit::Duration, LIMIT, RateLimit;
    RateLimitForeignShare = "rate_limit.foreign_share", Unit::Share, LIMIT, RateLimit;
    WebhookRejectRate = "webhook.reject_rate", Unit::Share, WEBHOOK, Webhook;
    WebhookDuplicateJump = "webhook.duplicate_jump", Unit::Times, WEBHOOK, Webhook;
    WebhookP95OfTimeout = "webhook.p95_of_timeout", Unit::Share, WEBHOOK, Webhook;
    WebhookMissed = "webhook.missed", Unit::Count("event"), WEBHOOK, Webhook;
    WebhookDeadLettered = "webhook.dead_lettered", Unit::Count("delivery"), WEBHOOK, Webhook;
    WebhookWritesRatio = "webhook.writes_ratio", Unit::Share, WEBHOOK, Webhook;
    ProbeFailures = "probe.failures", Unit::Count("failure"), PROBE, Probe;
    QueueDepth = "queue.depth", Unit::Count("item"), QUEUE, Queue;
    QueueOldestAge = "queue.oldest_age", Unit::Duration, QUEUE, Queue;
    QueueGrowth = "queue.growth", Unit::Times, QUEUE, Queue;
    QueueStalled = "queue.stalled", Unit::Duration, QUEUE, Queue;
    QueueDeadLetters = "queue.dead_letters", Unit::Count("item"), QUEUE, Queue;
    RunFailed = "run.failed", Unit::Count("run"), RUN, Run;
    RunOverdue = "run.overdue", Unit::Duration, RUN, Run;
    RunPartial = "run.partial", Unit::Count("run"), RUN, Run;
    RunFreshness = "run.freshness", Unit::Duration, RUN, Run;
    WorkMissed = "work.missed", Unit::Count("event"), INTEGRATION, Work;
    TelemetrySilence = "telemetry.silence", Unit::Duration, INTEGRATION, Work;
    TelemetryLostShare = "telemetry.lost_share", Unit::Share, INTEGRATION, Work;
    ReconciliationGap = "reconciliation.gap", Unit::Count("record"), RECONCILIATION, Reconciliation;
    ReconciliationGapShare = "reconciliation.gap_share", Unit::Share, RECONCILIATION, Reconciliation;
    ReconciliationOpenRuns = "reconciliation.open_runs", Unit::Count("run"), RECONCILIATION, Reconciliation;
    ReconciliationAmountDiffers = "reconciliation.amount_differs", Unit::Flag, RECONCILIATION, Reconciliation;
    ReconciliationOverdue = "reconciliation.overdue", Unit::Duration, RECONCILIATION, Reconciliation;
    LedgerUnconfirmed = "ledger.unconfirmed", Unit::Count("record"), RECONCILIATION, Other;
    ContractDrift = "contract.drift", Unit::Count("difference"), CONTRACT, Contract;
    ContractViolations = "contract.violations", Unit::Count("violation"), CONTRACT, Contract;
    ContractPageCap = "contract.page_cap", Unit::Count("record"), CONTRACT, Contract;
    ContractRequestRejected = "contract.request_rejected", Unit::Share, CONTRACT, Contract;
    VendorSunsetIn = "vendor.sunset_in", Unit::Duration, VENDOR, Vendor;
    SelfLag = "self.lag", Unit::Duration, NONE, Server;
    SelfMailStuck = "self.mail_stuck", Unit::Duration, NONE, Server;
    SelfDiskFree = "self.disk_free", Unit::Share, NONE, Server;
    SelfRefused = "self.refused", Unit::PerMinute, NONE, Server;
    SelfRuleErrors = "self.rule_errors", Unit::Count("problem"), NONE, Server;
    SelfKeyExpiresIn = "self.key_expires_in", Unit::Duration, NONE, Server;
    SelfFolded = "self.folded", Unit::Count("series"), NONE, Server;
}

impl Signal {
    /// Its name as the beginning of a sentence: `Credential refresh refused`.
    pub fn title(self) -> String {
        let mut words = self.name().replace(['.', '_'], " ");
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        words
    }

    /// The signal of that name.
    pub fn from_name(name: &str) -> Option<Signal> {
        Signal::ALL.iter().copied().find(|signal| signal.name() == name)
    }

    /// Whether this version computes it.
    pub fn is_computed(self) -> bool {
        self.family() != Family::Other
    }

    /// Whether the lower of two values is the worse.
    pub fn low_is_bad(self) -> bool {
        use Signal as S;
        matches!(
            self,
            S::CallSuccessRate
                | S::AttemptSuccessRate
                | S::RecordSuccessRate
                | S::CredentialExpiresIn
                | S::CredentialRefreshFailing
                | S::CredentialRefreshOverdue
                | S::RateLimitHeadroom
                | S::RateLimitExhaustsIn
                | S::WebhookWritesRatio
                | S::VendorSunsetIn
                | S::SelfDiskFree
                | S::SelfKeyExpiresIn
        )
    }

    /// Whether `alert` takes it from calls over a window of the rule's own.
    pub fn is_of_calls(self) -> bool {
        self.family() == Family::Calls && !matches!(self, Signal::LatencyShift)
    }

    /// Whether it is a share of calls, which means nothing without a number of calls.
    pub fn is_ratio_of_calls(self) -> bool {
        self.family() == Family::Calls && self.unit() == Unit::Share
    }

    /// The share under which the percentile lies; none for other signals.
    pub fn quantile(self) -> Option<f64> {
        Some(match self {
            Signal::LatencyP50 => 0.5,
            Signal::LatencyP90 => 0.9,
            Signal::LatencyP95 => 0.95,
            Signal::LatencyP99 => 0.99,
            Signal::LatencyP999 => 0.999,
            _ => return None,
        })
    }

    /// The fewest samples that carry the percentile: 3 / (1 − q).
    pub fn least_samples(self) -> Option<u64> {
        self.quantile().map(|quantile| (3.0 / (1.0 - quantile)).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_found() {
        for signal in Signal::ALL {
            assert_eq!(Signal::from_name(signal.name()), Some(*signal));
        }
        for label in Label::ALL {
            assert_eq!(Label::from_name(label.name()), Some(*label));
        }
        assert_eq!(Signal::from_name("call.success"), None);
    }

    #[test]
    fn the_computed_signals_are_these() {
        let computed: Vec<_> =
            Signal::ALL.iter().filter(|signal| signal.is_computed()).map(|signal| signal.name()).collect();
        assert_eq!(
            computed,
            [
                "call.success_rate",
                "attempt.success_rate",
                "record.success_rate",
                "call.throttled_share",
                "call.rate",
                "call.retry_amplification",
                "retry.exhausted",
                "call.latency.p50",
                "call.latency.p90",
                "call.latency.p95",
                "call.latency.p99",
                "call.latency.p99_9",
                "call.latency.shift",
                "slo.burn_rate",
                "peer.failing_integrations",
                "connection.failing",
                "credential.expires_in",
                "credential.refresh_refused",
                "credential.refresh_failing",
                "credential.refresh_overdue",
                "credential.auth_share",
                "credential.idle",
                "credential.rotation_overdue",
                "rate_limit.headroom",
                "rate_limit.exhausts_in",
                "rate_limit.foreign_share",
                "webhook.reject_rate",
                "webhook.duplicate_jump",
                "webhook.p95_of_timeout",
                "webhook.missed",
                "webhook.dead_lettered",
                "webhook.writes_ratio",
                "probe.failures",
                "queue.depth",
                "queue.oldest_age",
                "queue.growth",
                "queue.stalled",
                "queue.dead_letters",
                "run.failed",
                "run.overdue",
                "run.partial",
                "run.freshness",
                "work.missed",
                "telemetry.silence",
                "telemetry.lost_share",
                "reconciliation.gap",
                "reconciliation.gap_share",
                "reconciliation.open_runs",
                "reconciliation.amount_differs",
                "reconciliation.overdue",
                "contract.drift",
                "contract.violations",
                "contract.page_cap",
                "contract.request_rejected",
                "vendor.sunset_in",
                "self.lag",
                "self.mail_stuck",
                "self.disk_free",
                "self.refused",
                "self.rule_errors",
                "self.key_expires_in",
                "self.folded",
            ]
        );
    }

    #[test]
    fn a_percentile_needs_three_over_one_minus_q_samples() {
        let samples = |name| Signal::from_name(name).and_then(Signal::least_samples);
        assert_eq!(samples("call.latency.p95"), Some(60));
        assert_eq!(samples("call.latency.p99"), Some(300));
        assert_eq!(samples("call.latency.p99_9"), Some(3000));
        assert_eq!(samples("call.rate"), None);
    }
}
