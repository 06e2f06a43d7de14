//! What a track is of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::signals::observation::IntegrationKey;

macro_rules! figures {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Which figure of a thing is tracked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Figure { $($(#[$doc])* $variant,)* }

        impl Figure {
            /// All.
            pub const ALL: &[Figure] = &[$(Figure::$variant,)*];

            /// Its name where it is kept.
            pub const fn name(self) -> &'static str {
                match self { $(Figure::$variant => $name,)* }
            }

            /// The figure of that name.
            pub fn from_name(name: &str) -> Option<Figure> {
                Figure::ALL.iter().copied().find(|figure| figure.name() == name)
            }
        }
    };
}

figures! {
    /// Outbound operations, deliveries and runs of an integration, as events.
    Work = "work",
    /// Minutes in which an integration's telemetry was received, as events, and the longest gap by day.
    Telemetry = "telemetry",
    /// Minutes between two runs of a job, the most by day; the name is the job's.
    RunGap = "run_gap",
    /// Deliveries of a webhook event type, as events; the name is `provider/event_type`.
    Delivery = "delivery",
    /// 95th percentile of good attempts of an endpoint in milliseconds, by hour; the name is `direction peer endpoint`.
    Latency = "latency",
    /// Age of the oldest ready item in seconds, its largest by day.
    QueueAge = "queue_age",
    /// Ready items, the mean by hour.
    QueueReady = "queue_ready",
    /// Minutes with a backlog and no departure, the longest by day.
    QueueStall = "queue_stall",
    /// Items of a queue that were given up and are still there.
    GivenUp = "given_up",
    /// Successful outbound writes of an integration, by hour.
    Writes = "writes",
    /// Accepted deliveries of an integration, by hour.
    Accepted = "accepted",
    /// Deliveries that were given up, by hour; the name is `provider/event_type`.
    DeadLetters = "dead_letters",
    /// Duplicates over received deliveries, by hour; the name is the provider.
    Duplicates = "duplicates",
    /// Good outbound operations of an integration, by hour.
    Good = "good",
    /// Bad ones.
    Bad = "bad",
    /// Share of an endpoint's operations that were answered "not found", by hour, where any ever was; the name is that of
    /// [`Figure::Latency`].
    NotFound = "not_found",
    /// Largest page of an endpoint, by day.
    Page = "page",
    /// Share of requests of an endpoint that were rejected as invalid, by hour.
    Validation = "validation",
    /// Outbound operations with a credential, for a connection or at a peer: when one was good, and how many since one
    /// was refused; the name is that of [`super::uses`].
    GoodUse = "good_use",
}

/// A thing whose past is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UsualKey {
    /// Whose.
    pub integration: IntegrationKey,
    /// Which figure, by its name.
    #[serde(with = "figure_by_name")]
    pub figure: Figure,
    /// Which thing of the integration; empty for itself.
    pub name: Arc<str>,
}

mod figure_by_name {
    use super::Figure;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(figure: &Figure, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(figure.name())
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Figure, D::Error> {
        let name = String::deserialize(from)?;
        Figure::from_name(&name).ok_or_else(|| serde::de::Error::custom("there is no such figure"))
    }
}

impl UsualKey {
    /// A thing of an integration.
    pub fn new(integration: &IntegrationKey, figure: Figure, name: &str) -> UsualKey {
        UsualKey { integration: integration.clone(), figure, name: Arc::from(name) }
    }
}
