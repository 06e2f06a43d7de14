//! An alert is a row before it is a mail: outbox rows come in with the transition, mails go out.
//!
//! Every row is sent at least once, with the Message-ID it was given when it was written, so that a copy after a
//! crash can be told. A refused recipient is shown and never retried; everything else is tried again.

pub mod outbox;
pub mod message;
pub mod channel;
pub mod payload;
pub mod mailer;
pub mod smtp;
pub mod pause;
pub mod hold;
pub mod digest;
pub mod instead;
pub mod header;
pub mod prose;
