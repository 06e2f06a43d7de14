//! The loop that empties the outbox: claim, send, mark.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::mailer::Mailer;
use crate::signals::telemetry::Nanos;
use crate::store::Store;
use crate::store::mail::Mail;
use crate::world::World;
use crate::world::points::Point;

/// A claim stands this long; a mail that was claimed before a crash is sent again after it.
const LEASE: Duration = Duration::from_secs(180);
/// Rows are looked for this often even when nobody says that there are some.
const IDLE: Duration = Duration::from_secs(5);

/// Sends what is due until `stop`.
pub async fn run(
    store: Store,
    mailer: Arc<Mailer>,
    from: String,
    world: World,
    wake: Arc<Notify>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        match store.claim_mails((world.clock)(), LEASE, 8).await {
            Ok(mails) if !mails.is_empty() => {
                world.points.pass(Point::MailClaimed);
                for mail in mails {
                    deliver(&store, &mailer, &from, &world, mail).await;
                }
                continue;
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "The outbox cannot be read; it is tried again."),
        }
        tokio::select! {
            () = wake.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn deliver(store: &Store, mailer: &Mailer, from: &str, world: &World, mail: Mail) {
    let id = &mail.mail.id;
    let now = || (world.clock)();
    let sent = mailer.send(&mail.mail, from, &world.files).await;
    world.points.pass(Point::MailSent);
    let marked = match sent {
        Ok(detail) => store.mail_sent(id, now(), &detail).await,
        Err(error) if error.permanent => {
            tracing::error!(mail_id = %id, error = error.message, "A mail was refused and is not tried again.");
            store.mail_rejected(id, &error.message).await
        }
        Err(error) => {
            let wait = backoff(mail.attempts, seed(id));
            tracing::warn!(mail_id = %id, error = error.message, wait_s = wait.as_secs(), "A mail was not sent yet.");
            store.mail_deferred(id, now() + wait.as_nanos() as Nanos, &error.message).await
        }
    };
    world.points.pass(Point::MailMarked);
    if let Err(error) = marked {
        // The lease runs out and the mail goes out again with the same Message-ID: twice is better than never.
        tracing::error!(mail_id = %id, %error, "What became of a mail could not be written.");
    }
}

/// 5 s, 15 s, 45 s, 2 min, 5 min, then 10 min, each a quarter more or less.
fn backoff(attempts: u32, seed: u64) -> Duration {
    let steps = [5_000u64, 15_000, 45_000, 120_000, 300_000, 600_000];
    let step = steps[(attempts.saturating_sub(1) as usize).min(steps.len() - 1)];
    Duration::from_millis(step * 3 / 4 + seed.wrapping_add(u64::from(attempts)) % (step / 2))
}

fn seed(id: &str) -> u64 {
    crate::signals::observe::hash(&id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_ten_minutes_within_a_quarter() {
        for (attempts, step) in [(1, 5), (2, 15), (3, 45), (4, 120), (5, 300), (6, 600), (60, 600)] {
            for seed in 0..50 {
                let wait = backoff(attempts, seed * 1013).as_millis() as u64;
                assert!(wait >= step * 750 && wait <= step * 1250, "{attempts}: {wait}");
            }
        }
    }
}
