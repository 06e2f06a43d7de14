//! The loop that empties the outbox: claim, send, mark.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::channel::Channels;
use super::hold;
use super::instead::{self, Readdress};
use super::mailer::Mailer;
use super::pause::{Pauses, backoff};
use super::smtp::{Blame, SendError};
use crate::signals::telemetry::Nanos;
use crate::store::mail::{Mail, MailState};
use crate::store::{Error, Store};
use crate::world::World;
use crate::world::points::Point;

/// A claim stands this long; a mail that was claimed before a crash is sent again after it.
const LEASE: Duration = Duration::from_secs(300);
/// Rows are looked for this often even when nobody says that there are some.
const IDLE: Duration = Duration::from_secs(5);
/// How long after a pause the mail is tried at which it began.
const BEHIND: Nanos = 30_000_000_000;
/// A recipient that is busy for so long is given up.
const GIVEN_UP: Nanos = 2 * 24 * 3_600_000_000_000;

/// Where mails go from, and to whom besides.
pub struct Settings {
    /// The sender's address.
    pub from: String,
    /// As many as a recipient gets within an hour; of what is critical twice as many.
    pub hourly: u32,
    /// Who stands in for a recipient that is refused, in this order.
    pub stand_ins: Vec<String>,
    /// Makes the links of a mail another recipient's.
    pub readdress: Readdress,
}

/// The outbox.
pub struct Outbox {
    /// Where the mails are.
    pub store: Store,
    /// How they leave.
    pub mailer: Arc<Mailer>,
    /// How other messages leave.
    pub channels: Arc<Channels>,
    /// What is paused.
    pub pauses: Pauses,
    /// Addresses and limits.
    pub settings: Settings,
    /// The machine.
    pub world: World,
}

impl Outbox {
    /// Sends what is due until `stop`.
    pub async fn run(self, wake: Arc<Notify>, stop: CancellationToken) {
        // Another configuration, or another day: what failed before this start is tried at once.
        if let Err(error) = self.store.mails_due((self.world.clock)()).await {
            tracing::warn!(%error, "Mails that wait are tried when they are due.");
        }
        while !stop.is_cancelled() {
            match self.step().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "The outbox cannot be read; it is tried again."),
            }
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(IDLE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Sends one message that is due, or writes one summary; whether there was any.
    pub async fn step(&self) -> Result<bool, Error> {
        let now = (self.world.clock)();
        // One at a time: what is not claimed needs no giving back when the relay fails.
        let due = self.store.claim_mails(now, LEASE, 1, &self.pauses.paused(now)).await?;
        let Some(mail) = due.into_iter().next() else {
            return hold::summarise(&self.store, self.settings.hourly, now).await;
        };
        self.world.points.pass(Point::MailClaimed);
        let id = mail.mail.id.clone();
        if let Err(error) = self.deliver(mail, now).await {
            // The lease runs out and the mail goes out again with the same Message-ID: twice is better than never.
            tracing::error!(mail_id = %id, %error, "What became of a mail could not be written.");
        }
        self.world.points.pass(Point::MailMarked);
        Ok(true)
    }

    async fn deliver(&self, mail: Mail, now: Nanos) -> Result<(), Error> {
        let new = &mail.mail;
        if new.channel.is_empty()
            && let Some(why) = hold::too_many(&self.store, new, self.settings.hourly, now).await?
        {
            return self.store.mail_held(&new.id, &why).await;
        }
        let sent = if new.channel.is_empty() {
            self.mailer.send(new, &self.settings.from, &self.world.files).await
        } else {
            self.channels.send(new, now).await
        };
        self.world.points.pass(Point::MailSent);
        let now = (self.world.clock)();
        match sent {
            Ok(detail) => {
                self.pauses.end(&new.channel);
                self.store.mail_sent(&new.id, now, &detail).await
            }
            Err(error) => self.failed(&mail, error, now).await,
        }
    }

    async fn failed(&self, mail: &Mail, error: SendError, now: Nanos) -> Result<(), Error> {
        let (id, channel) = (&*mail.mail.id, &*mail.mail.channel);
        let seed = crate::signals::observe::hash(&id);
        let SendError { blame, message } = error;
        let stale = blame == Blame::Busy && now - mail.mail.created_at > GIVEN_UP;
        if matches!(blame, Blame::Recipient | Blame::Content) || stale {
            tracing::error!(mail_id = id, error = message, "A mail was refused and is not tried again.");
            let instead = match blame {
                // What is refused for what it says is refused whoever it goes to.
                Blame::Content => None,
                _ => self.stand_in(mail, &message).await?,
            };
            return self.store.mail_refused(id, &message, instead.as_slice()).await;
        }
        let until = match blame {
            Blame::Busy => now + backoff(mail.attempts, seed).as_nanos() as Nanos,
            // Behind the others once the pause is over: it may be this one that the relay cannot take.
            _ => self.pauses.begin(channel, blame == Blame::Ours, &message, seed, now) + BEHIND,
        };
        tracing::warn!(
            mail_id = id,
            error = message,
            wait_s = (until - now) / 1_000_000_000,
            "A mail was not sent yet."
        );
        self.store.mail_deferred(id, until, &message).await
    }

    /// The mail to the first who stands in and was not told already; none where all were.
    async fn stand_in(&self, mail: &Mail, why: &str) -> Result<Option<crate::store::mail::NewMail>, Error> {
        let new = &mail.mail;
        if !new.channel.is_empty() || new.incident_id.is_empty() {
            return Ok(None);
        }
        let of_incident = self.store.mails_of(&new.incident_id).await?;
        let told = |address: &str| {
            of_incident.iter().any(|other| {
                let same = other.mail.kind == new.kind && other.mail.created_at == new.created_at;
                other.mail.recipient == address && (same || other.state == MailState::Rejected)
            })
        };
        let Some(to) = self.settings.stand_ins.iter().find(|address| !told(address)) else { return Ok(None) };
        let thread = self.store.first_message_id(&new.incident_id, to).await?;
        Ok(Some(instead::mail(new, to, thread, why, &self.settings.readdress)))
    }
}

#[cfg(test)]
mod tests;
