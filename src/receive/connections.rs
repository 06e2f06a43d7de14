//! Who is connected to one port, and who gives way when there are too many.
//!
//! A connection works from the moment that a request is whole until it is answered. All others can be closed without
//! harm: an idle client connects again, and what is slow to say what it wants was not acknowledged. So when the places
//! are taken, the one that has been waiting longest goes, and honest senders get in whatever else is connected.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Extensions;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::certificate::Certificate;
use crate::signals::observation::Observations;

/// Who sends, as far as it is known before a body is read: the integration that was last heard of on the connection,
/// else the subject of its certificate. Connections that have not said yet whose they are count as one sender together,
/// so that nobody gains by making a new one for each request.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// The same for all requests of a sender; 0 for one that is not known.
    pub(super) number: u64,
    said: Arc<AtomicU64>,
}

impl Sender {
    /// Whose request it is.
    pub fn of(extensions: &Extensions) -> Sender {
        let said: Arc<AtomicU64> = extensions.get().cloned().unwrap_or_default();
        let number = match (said.load(Ordering::Relaxed), Certificate::of_client(extensions)) {
            (0, Some(certificate)) => number(&certificate.subject),
            (said, _) => said,
        };
        Sender { number, said }
    }

    /// The same where a key says who sends before anything else was heard of the connection.
    pub fn with_key(mut self, id: Option<u64>) -> Sender {
        if let (0, Some(id)) = (self.number, id) {
            let mut hasher = DefaultHasher::new();
            ("key", id).hash(&mut hasher);
            self.number = hasher.finish().max(1);
        }
        self
    }

    /// What a request turned out to bring.
    pub(super) fn learn(&self, seen: &Observations) {
        if let Some(info) = seen.integrations.first() {
            self.said.store(number(&info.key), Ordering::Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn numbered(number: u64) -> Sender {
        Sender { number, said: Arc::default() }
    }
}

/// Never 0, which stands for nobody.
fn number(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish().max(1)
}

/// The connections of one port.
pub(super) struct Connections {
    most: usize,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    /// Told when one has left, or has no more to do.
    changed: Arc<Notify>,
}

/// One connection, for as long as its task lives.
pub(super) struct Connection {
    id: u64,
    /// The number of its sender, once a request said whose it is.
    pub(super) said: Arc<AtomicU64>,
    /// Told when it has to go.
    pub(super) close: CancellationToken,
    doing: Mutex<Doing>,
    http2: AtomicBool,
    changed: Arc<Notify>,
}

struct Doing {
    /// Requests whose head has come and whose answer has not gone.
    requests: usize,
    /// Of these, requests that are whole.
    whole: usize,
    /// A head is due: a part of it has come, or nothing at all since the connection was made.
    in_head: bool,
    since: Instant,
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Connections> {
        Arc::new(Connections { most: most.max(1), open: Mutex::default(), changed: Arc::default() })
    }

    /// A place, as soon as there is one. `crowded_out` is told of each connection that has to make room.
    pub(super) async fn enter(self: &Arc<Self>, crowded_out: impl Fn()) -> Place {
        loop {
            let changed = self.changed.notified();
            {
                let mut open = lock(&self.open);
                if open.len() < self.most {
                    let connection = Arc::new(Connection::new(self.changed.clone()));
                    open.insert(connection.id, connection.clone());
                    return Place { connections: self.clone(), connection };
                }
                let waiting = open.values().filter(|one| !one.close.is_cancelled());
                let longest =
                    waiting.filter_map(|one| Some((one.waits_since()?, one))).min_by_key(|(at, _)| *at);
                // One that was told before is on its way out, and its place is as good.
                if let Some((_, longest)) = longest
                    && !open.values().any(|one| one.close.is_cancelled())
                {
                    longest.close.cancel();
                    crowded_out();
                }
            }
            changed.await;
        }
    }

    /// Closes what has been at a head, or idle, for too long; says how many were at a head.
    pub(super) fn sweep(&self, head: Duration, idle: Duration) -> u64 {
        let mut slow = 0;
        for one in lock(&self.open).values().filter(|one| !one.close.is_cancelled()) {
            let doing = lock(&one.doing);
            let waited = doing.since.elapsed();
            let idle = idle.saturating_add(if one.http2.load(Ordering::Relaxed) {
                Duration::MAX
            } else {
                Duration::ZERO
            });
            if doing.requests == 0 && waited > (if doing.in_head { head } else { idle }) {
                one.close.cancel();
                slow += u64::from(doing.in_head);
            }
        }
        slow
    }
}

/// A connection's place; dropping it lets the next one in.
pub(super) struct Place {
    connections: Arc<Connections>,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.connections.open).remove(&self.connection.id);
        self.connections.changed.notify_one();
    }
}

impl Connection {
    fn new(changed: Arc<Notify>) -> Connection {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let doing = Doing { requests: 0, whole: 0, in_head: true, since: Instant::now() };
        Connection {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            said: Arc::default(),
            close: CancellationToken::new(),
            doing: Mutex::new(doing),
            http2: AtomicBool::new(false),
            changed,
        }
    }

    /// HTTP/2 asks by itself whether its peer lives, and its bytes need not belong to a request.
    pub(super) fn is_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
        let mut doing = lock(&self.doing);
        (doing.in_head, doing.since) = (false, Instant::now());
    }

    /// Whether a request has begun and none is whole: there is no answer to wait for.
    pub(super) fn is_amid_request(&self) -> bool {
        let doing = lock(&self.doing);
        doing.in_head || (doing.requests > 0 && doing.whole == 0)
    }

    /// Bytes have come.
    pub(super) fn heard(&self) {
        if self.http2.load(Ordering::Relaxed) {
            return;
        }
        let mut doing = lock(&self.doing);
        if doing.requests == 0 && !doing.in_head {
            (doing.in_head, doing.since) = (true, Instant::now());
        }
    }

    /// A request's head has come.
    pub(super) fn begin(self: &Arc<Self>, without_body: bool) -> Arc<OpenRequest> {
        {
            let mut doing = lock(&self.doing);
            doing.requests += 1;
            (doing.in_head, doing.since) = (false, Instant::now());
        }
        let request = OpenRequest { connection: self.clone(), whole: AtomicBool::new(false) };
        if without_body {
            request.is_whole();
        }
        Arc::new(request)
    }

    /// Since when it has kept its place without having said what it wants; none while it works.
    fn waits_since(&self) -> Option<Instant> {
        let doing = lock(&self.doing);
        (doing.whole == 0).then_some(doing.since)
    }
}

/// A request, until it is answered.
pub(super) struct OpenRequest {
    connection: Arc<Connection>,
    whole: AtomicBool,
}

impl OpenRequest {
    fn is_whole(&self) {
        if !self.whole.swap(true, Ordering::Relaxed) {
            lock(&self.connection.doing).whole += 1;
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let mut doing = lock(&self.connection.doing);
        doing.requests -= 1;
        doing.whole -= usize::from(self.whole.load(Ordering::Relaxed));
        doing.since = Instant::now();
        drop(doing);
        self.connection.changed.notify_one();
    }
}

/// A body that tells when it is whole.
pub(super) struct Tracked {
    pub(super) body: Incoming,
    pub(super) request: Arc<OpenRequest>,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) {
            self.request.is_whole();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// What a panic left is as good as any other state: these are counts.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::observation::{IntegrationInfo, IntegrationKey};

    fn seen(name: &str) -> Observations {
        let key = IntegrationKey { environment: "default".into(), name: name.into() };
        let text = String::new;
        let (source, destination, owner, tier, version) = (text(), text(), text(), text(), text());
        let info = IntegrationInfo { key, source, destination, owner, tier, version };
        Observations { integrations: vec![info], ..Observations::default() }
    }

    #[test]
    fn a_sender_is_the_integration_last_heard_of_whatever_the_connection() {
        let connection = || {
            let mut extensions = Extensions::new();
            extensions.insert(Arc::new(AtomicU64::new(0)));
            extensions
        };
        let (first, second) = (connection(), connection());
        assert_eq!((Sender::of(&first).number, Sender::of(&second).number), (0, 0), "not known yet");
        Sender::of(&first).learn(&seen("shop"));
        Sender::of(&second).learn(&seen("shop"));
        let shop = Sender::of(&first).number;
        assert!(shop != 0 && Sender::of(&second).number == shop);
        Sender::of(&second).learn(&Observations::default());
        assert_eq!(Sender::of(&second).number, shop, "a request that says nothing changes nothing");
        Sender::of(&second).learn(&seen("crm"));
        assert_ne!(Sender::of(&second).number, shop);
    }
}
