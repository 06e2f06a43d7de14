//! Mails as lists show them.

use super::badge::Badge;
use crate::alert::incident::Change;
use crate::signals::telemetry::Nanos;
use crate::store::mail::{Kind, Mail, MailState, Own};
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
    /// Whether it went into a file and to nobody.
    pub written: bool,
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
        id: mail.mail.id.clone(),
        badge: Badge(state(mail)),
        subject: mail.mail.subject.clone(),
        recipient: mail.mail.recipient.clone(),
        change: kind(mail.mail.kind),
        created: When::new(mail.mail.created_at, now),
        sent: mail.sent_at.map(|at| When::new(at, now)),
        written: is_file(mail),
        note: if mail.state == MailState::Sent { mail.detail.clone() } else { mail.error.clone() },
        next: (waits && mail.attempts > 0).then(|| When::new(mail.next_try_at, now)),
        attempts: mail.attempts,
    }
}

/// A file is no recipient: what the file mailer answers is the path of what it wrote.
fn is_file(mail: &Mail) -> bool {
    mail.state == MailState::Sent && mail.detail.ends_with(".eml")
}

/// `queued`, `sending`, `sent`, `written`, `deferred`, `rejected` or `held back`.
fn state(mail: &Mail) -> &'static str {
    match mail.state {
        MailState::Sent if is_file(mail) => "written",
        MailState::Queued => "queued",
        MailState::Leased => "sending",
        MailState::Sent => "sent",
        MailState::Deferred => "deferred",
        MailState::Rejected => "rejected",
        MailState::Held => "held back",
    }
}

/// What the mail tells.
const fn kind(kind: Kind) -> &'static str {
    let change = match kind {
        Kind::Own(Own::Summary) => return "summary",
        Kind::Own(Own::Digest) => return "digest",
        Kind::Own(Own::Acknowledged) => return "acknowledged",
        Kind::Own(Own::Test) => return "test",
        Kind::Alert(change) => change,
    };
    match change {
        Change::Fired => "fired",
        Change::Reopened => "reopened",
        Change::Escalated => "escalated",
        Change::Eased => "eased",
        Change::Resolved => "resolved",
        Change::RuleRemoved => "rule removed",
        Change::Flapping => "flapping",
        Change::Settled => "settled",
        Change::Reminder => "reminder",
        Change::Unacknowledged => "unacknowledged",
        Change::Joined => "more began",
    }
}
