//! A mail in the outbox: what is to be sent, and how far that has come.

use serde::{Deserialize, Serialize};

use crate::alert::incident::Change;
use crate::signals::telemetry::Nanos;

/// What a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Kind {
    /// A change of an incident.
    Alert(Change),
    /// Something that is of no one incident.
    Own(Own),
}

/// What is told of no one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Own {
    /// What was held back from a recipient who got too many.
    Summary,
    /// How everything stands, once a day or a week.
    Digest,
    /// That somebody looks at an incident.
    Acknowledged,
    /// That mail arrives.
    Test,
}

/// A mail as composed, written in the transaction of the transition it tells of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewMail {
    /// UUIDv7.
    pub id: String,
    /// The incident it tells of; with the recipient, its thread. Empty where it tells of no one incident.
    pub incident_id: String,
    /// What happened.
    pub kind: Kind,
    /// The channel it goes by; empty for e-mail.
    #[serde(default)]
    pub channel: String,
    /// Address it goes to; of another channel its name.
    pub recipient: String,
    /// Display name of the sender.
    pub from_name: String,
    /// Subject line.
    pub subject: String,
    /// Message-ID, the same for every attempt to send it.
    pub message_id: String,
    /// Message-ID of the thread's first mail.
    pub in_reply_to: Option<String>,
    /// Headers that readers filter by: (name, value).
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Plain text body; for another channel, what is sent.
    pub text: String,
    /// HTML body.
    pub html: String,
    /// When it was composed.
    pub created_at: Nanos,
}

/// A mail and how far its sending has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    /// What is sent.
    pub mail: NewMail,
    /// Where it stands.
    pub state: MailState,
    /// Attempts begun.
    pub attempts: u32,
    /// Not tried before this; while leased, the lease's end.
    pub next_try_at: Nanos,
    /// Why the last attempt failed, empty when none did.
    pub error: String,
    /// When the server took it.
    pub sent_at: Option<Nanos>,
    /// What the server answered, or the file it was written to.
    pub detail: String,
}

/// Where a mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// Not tried yet.
    Queued,
    /// Being sent.
    Leased,
    /// Taken by the server.
    Sent,
    /// Failed for now; tried again at `next_try_at`.
    Deferred,
    /// Refused for good.
    Rejected,
    /// Held back: its recipient got too many within the hour. A summary tells of it.
    Held,
}
