//! What does not work now, in sentences for the dashboard; gone once it does: the disk, certificates, keys,
//! and mail.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::certificates::Certificates;
use super::encryption;
use super::keys::told;
use crate::clock::Clock;
use crate::inbox::{Failing, Inbox, Refused};
use crate::notify::pause::Pauses;
use crate::pipeline::gauges::Gauges;
use crate::receive::intake::Taken;
use crate::receive::keys::Keys;
use crate::signals::telemetry::Nanos;
use crate::store::Store;
use crate::web::{Trouble, Troubles};

/// Reads the sentences from where faults are noticed.
pub fn of(
    inbox: Inbox<Taken>,
    gauges: Arc<Gauges>,
    certificates: Certificates,
    keys: Arc<Keys>,
    pauses: Pauses,
    store: &Store,
    clock: Clock,
) -> Troubles {
    let since = clock();
    let closed = encryption::sentences(store).into_iter();
    let closed: Vec<_> = closed.map(|sentence| Trouble { since, refuses: false, sentence }).collect();
    Arc::new(move || {
        let store = gauges.failing.lock().map_or(None, |failing| failing.clone());
        let mut troubles = sentences(inbox.stats().failing, store, gauges.stalled.load(Ordering::Relaxed));
        troubles.extend(certificates.troubles(clock()));
        troubles.extend(told::troubles(&keys, clock()));
        let of_mail = pauses.troubles(clock()).into_iter();
        troubles.extend(of_mail.map(|(since, sentence)| Trouble { since, refuses: false, sentence }));
        troubles.extend(closed.iter().cloned());
        troubles
    })
}

/// Makes open pages show a trouble when it begins and when it has passed.
pub async fn announce(troubles: Troubles, live: watch::Sender<u64>, stop: CancellationToken) {
    let mut shown = Vec::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => return,
        }
        let now = troubles();
        if now != shown {
            live.send_modify(|version| *version += 1);
            shown = now;
        }
    }
}

fn sentences(inbox: Option<Failing>, store: Option<(Nanos, String)>, stalled: bool) -> Vec<Trouble> {
    let inbox_works = inbox.is_none();
    let inbox = inbox.map(|Failing { since, why }| {
        let reason = match why {
            Refused::Disk(text) => format!("the disk does not take the inbox's writes ({text})"),
            Refused::Full => "the inbox has reached its limit, because the catalog does not keep up".to_owned(),
            Refused::Stopping => "the server is stopping".to_owned(),
        };
        let sentence = format!(
            "Nothing new is taken in: {reason}. Senders are told to try again, and nothing that was acknowledged is \
             lost. It goes on by itself once this has passed."
        );
        Trouble { since, refuses: true, sentence }
    });
    let store = store.map(|(since, error)| {
        let meanwhile = match (inbox_works, stalled) {
            (true, false) => "Requests are still acknowledged, and kept in the inbox. ",
            (true, true) => "Memory is full of what is in the inbox only, so senders are told to try again. ",
            (false, _) => "",
        };
        let sentence = format!(
            "{error} {meanwhile}Rules are not judged until it has passed; then those minutes are judged too."
        );
        Trouble { since, refuses: stalled, sentence }
    });
    inbox.into_iter().chain(store).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_says_what_still_works() {
        assert_eq!(sentences(None, None, false), []);
        let full = || Failing { since: 5, why: Refused::Disk("no space left on device".into()) };
        let catalog = || (7, "The catalog could not commit a flush.".to_owned());
        let stalled = sentences(None, Some(catalog()), true);
        assert!(stalled[0].refuses && stalled[0].sentence.contains("told to try again"), "{stalled:?}");
        let only_store = sentences(None, Some(catalog()), false);
        assert!(!only_store[0].refuses);
        assert!(only_store[0].sentence.contains("still acknowledged"), "{only_store:?}");
        let both = sentences(Some(full()), Some(catalog()), false);
        assert_eq!(both.iter().map(|trouble| trouble.since).collect::<Vec<_>>(), [5, 7]);
        assert!(both[0].refuses);
        assert!(both[0].sentence.contains("no space left on device"), "{both:?}");
        assert!(!both[1].sentence.contains("still acknowledged"), "{both:?}");
    }
}
