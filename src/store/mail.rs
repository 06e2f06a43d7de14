//! A mail in the outbox.

use crate::alert::incident::Change;
use crate::signals::telemetry::Nanos;

/// A mail to be.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct NewMail {
    pub id: String,
    pub incident_id: String,
    pub change: Change,
    pub recipient: String,
    pub from_name: String,
    pub subject: String,
    pub message_id: String,
    pub in_reply_to: Option<String>,
    pub text: String,
    pub html: String,
    pub created_at: Nanos,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum MailState {
    Queued,
    Leased,
    Sent,
    Deferred,
    Rejected,
}

/// A mail in the outbox.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Mail {
    pub new: NewMail,
    pub state: MailState,
    pub attempts: u32,
    pub next_try_at: Nanos,
    pub error: String,
    pub sent_at: Option<Nanos>,
    pub detail: String,
}
