//! Error groups, their exemplars, the evidence of incidents, and changes: the catalog alone has them, so they are as far
//! behind as the last flush.

use std::sync::atomic::Ordering;

use crate::signals::failure::Fingerprint;
use crate::signals::observation::IntegrationKey;
use crate::signals::telemetry::Nanos;
use crate::store::pins::{NewPin, Pin};
use crate::store::{Error, Store};

/// Which error groups; every condition given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorQuery {
    /// This one, whether it failed in the hours or not.
    pub fingerprint: Option<String>,
    /// Integration by name.
    pub integration: Option<String>,
    /// Environment by name.
    pub environment: Option<String>,
    /// In the type, the message, the endpoint or a payload that is kept, whatever the case of ASCII letters.
    pub text: Option<String>,
    /// Failures are counted from this hour since the epoch.
    pub from_hour: i64,
    /// Until before this one.
    pub to_hour: i64,
    /// At most so many.
    pub limit: u32,
}

/// An error group.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorRecord {
    /// 32 hex digits.
    pub fingerprint: String,
    /// Environment.
    pub environment: String,
    /// Integration.
    pub integration: String,
    /// `outbound`, `inbound` or `dependency`; empty for what is no call.
    pub direction: String,
    /// Host of the other side; empty when unknown.
    pub peer: String,
    /// Endpoint, or what else failed.
    pub endpoint: String,
    /// The type of the error.
    pub kind: String,
    /// The message with placeholders.
    pub message: String,
    /// The earliest failure.
    pub first_seen: Nanos,
    /// `service.version` of the earliest failure; empty when not given.
    pub first_version: String,
    /// The latest failure.
    pub last_seen: Nanos,
    /// What the latest failure said.
    pub said: String,
    /// Failures in the hours asked for.
    pub failures: u64,
    /// Failures that are kept whole.
    pub exemplars: u64,
}

/// What changed about an integration.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRecord {
    /// Environment.
    pub environment: String,
    /// `version`, or what the event said.
    pub kind: String,
    /// The version, or the event's text.
    pub text: String,
    /// When: of a version the first time that it was there.
    pub at: Nanos,
    /// Unix seconds from which on it holds, where an event says so.
    pub effective_at: Option<i64>,
}

impl Store {
    /// Error groups that match, those that failed most first.
    pub async fn errors(&self, query: &ErrorQuery) -> Result<Vec<ErrorRecord>, Error> {
        self.inner.catalog.errors(query).await
    }

    /// How often a group failed in each hour of [from, to), hours in which it did not left out.
    pub async fn error_hours(&self, fingerprint: &str, from: i64, to: i64) -> Result<Vec<(i64, u64)>, Error> {
        self.inner.catalog.error_hours(fingerprint, from, to).await
    }

    /// The groups that failed since, with when they were last received.
    pub async fn recent_groups(
        &self,
        since: Nanos,
    ) -> Result<Vec<(IntegrationKey, Fingerprint, Nanos)>, Error> {
        self.inner.catalog.recent_groups(since).await
    }

    /// What is kept whole for an error group (its fingerprint) or an incident (its id), the latest first.
    pub async fn pins(&self, owner: &str, limit: u32) -> Result<Vec<Pin>, Error> {
        self.inner.catalog.pins(owner, limit).await
    }

    /// Keeps pins of an incident; safe to repeat.
    pub async fn pin(&self, pins: &[NewPin]) -> Result<(), Error> {
        if pins.is_empty() { Ok(()) } else { self.inner.catalog.pin(pins).await }
    }

    /// What changed about an integration in [from, to), the latest first.
    pub async fn changes(
        &self,
        integration: &str,
        environment: Option<&str>,
        period: (Nanos, Nanos),
        limit: u32,
    ) -> Result<Vec<ChangeRecord>, Error> {
        self.inner.catalog.changes((integration, environment), period, limit.into()).await
    }

    /// Forgets evidence that was received before; how many pins that were.
    pub async fn forget_evidence(&self, before: Nanos) -> Result<u64, Error> {
        self.inner.catalog.forget_evidence(before).await
    }

    /// Failing calls that were not kept whole because the day's room for them was full, since the start.
    pub fn pins_left_out(&self) -> u64 {
        self.inner.pins_left_out.load(Ordering::Relaxed)
    }
}
