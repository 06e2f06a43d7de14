//! Mails as lists show them.

use super::badge::Badge;
use crate::alert::incident::Change;
use crate::signals::telemetry::Nanos;
use crate::store::mail::{Mail, MailState};
use crate::web::format::When;

/// One mail, worded.
pub struct MailRow {
    /// Its id.
    pub id: String,
    /// Whether it is out.
    pub badge: Badge,
    /// Subject.
    pub subject: String,
    /// To whom.
    pub recipient: String,
    /// `fired`, `resolved` …
    pub change: &'static str,
    /// When it was written.
    pub created: When,
    /// When it left.
    pub sent: Option<When>,
    /// What the server said, where the file is, or why it waits.
    pub note: String,
    /// When it is tried next, while it waits.
    pub next: Option<When>,
    /// How often it was tried.
    pub attempts: u32,
}

/// The words for a mail as of `now`.
pub fn row(mail: &Mail, now: Nanos) -> MailRow {
    let waits = matches!(mail.state, MailState::Queued | MailState::Deferred);
    MailRow {
        id: mail.new.id.clone(),
        badge: Badge(state(mail.state)),
        subject: mail.new.subject.clone(),
        recipient: mail.new.recipient.clone(),
        change: change(mail.new.change),
        created: When::new(mail.new.created_at, now),
        sent: mail.sent_at.map(|at| When::new(at, now)),
        note: if mail.state == MailState::Sent { mail.detail.clone() } else { mail.error.clone() },
        next: (waits && mail.attempts > 0).then(|| When::new(mail.next_try_at, now)),
        attempts: mail.attempts,
    }
}

/// `queued`, `sending`, `sent`, `deferred` or `rejected`.
const fn state(state: MailState) -> &'static str {
    match state {
        MailState::Queued => "queued",
        MailState::Leased => "sending",
        MailState::Sent => "sent",
        MailState::Deferred => "deferred",
        MailState::Rejected => "rejected",
    }
}

/// What the mail tells.
const fn change(change: Change) -> &'static str {
    match change {
        Change::Fired => "fired",
        Change::Reopened => "reopened",
        Change::Escalated => "escalated",
        Change::Eased => "eased",
        Change::Resolved => "resolved",
        Change::RuleRemoved => "rule removed",
        Change::Flapping => "flapping",
        Change::Settled => "settled",
    }
}
