//! Named moments between two steps towards durability. A test is called there and may end the process; nobody else
//! is, and then passing one is a look at an empty option.

use std::sync::Arc;

/// A moment at which a crash would be most instructive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A group's bytes are in the inbox and not synced.
    BeforeSync,
    /// They are synced; no sender has been answered.
    BeforeAck,
    /// The senders were answered; nothing has been delivered.
    AfterAck,
    /// A body's hash was claimed; it is not counted yet.
    AfterClaim,
    /// A segment is durable; the catalog does not name it.
    AfterSegment,
    /// The watermark has moved inside a transaction that is not filled.
    InTransaction,
    /// A flush is committed; nobody has been told.
    AfterCommit,
    /// An inbox file was passed by the watermark and is about to go.
    BeforeRemove,
    /// It is gone; its folder is not synced.
    AfterRemove,
    /// A tick's transitions and their mails are inside a transaction that is not committed.
    InTick,
    /// They are committed; the outbox has not been woken.
    AfterTick,
    /// Mails are leased; none has been sent.
    MailClaimed,
    /// A mail was sent; the outbox does not say so.
    MailSent,
    /// The outbox says so.
    MailMarked,
}

impl Point {
    /// All of them with their names.
    pub const ALL: [(Point, &'static str); 14] = [
        (Point::BeforeSync, "before-sync"),
        (Point::BeforeAck, "before-ack"),
        (Point::AfterAck, "after-ack"),
        (Point::AfterClaim, "after-claim"),
        (Point::AfterSegment, "after-segment"),
        (Point::InTransaction, "in-transaction"),
        (Point::AfterCommit, "after-commit"),
        (Point::BeforeRemove, "before-remove"),
        (Point::AfterRemove, "after-remove"),
        (Point::InTick, "in-tick"),
        (Point::AfterTick, "after-tick"),
        (Point::MailClaimed, "mail-claimed"),
        (Point::MailSent, "mail-sent"),
        (Point::MailMarked, "mail-marked"),
    ];
}

/// Who is told when a point is passed: nobody, unless a test says otherwise.
#[derive(Clone, Default)]
pub struct Points(Option<Arc<dyn Fn(Point) + Send + Sync>>);

impl Points {
    /// Calls `told` at each point, on the thread that passes it.
    pub fn told(told: impl Fn(Point) + Send + Sync + 'static) -> Points {
        Points(Some(Arc::new(told)))
    }

    /// Passes a point.
    pub fn pass(&self, point: Point) {
        if let Some(told) = &self.0 {
            told(point);
        }
    }
}

impl std::fmt::Debug for Points {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Points").field(&self.0.is_some()).finish()
    }
}
