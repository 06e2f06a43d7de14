//! The accept loop: bounded, and it ends.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Settings;
use super::certificate::Certificate;
use super::connections::{Connection, Connections, Tracked};
use super::counters::Counters;
use super::stream::{Heard, Stream};
use super::tls::{self, Tls};

/// How often an HTTP/2 connection is asked whether it lives, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
/// Requests at a time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 200;
/// Bytes of a request's head on HTTP/1.
const MAX_HEAD: usize = 64 << 10;
/// Pause after an accept failed, which is nearly always for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often connections are looked over for those that take too long.
const SWEEP: Duration = Duration::from_millis(500);
/// How long a connection that has to go may take to write what it has to say: the answer that it was about to give.
const GOODBYE: Duration = Duration::from_secs(1);
/// What an HTTP/2 client says first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A bound port.
pub struct Port {
    /// Where connections come from.
    pub listener: TcpListener,
    /// How they are secured; none for a port in the clear.
    pub tls: Option<Arc<Tls>>,
}

impl From<TcpListener> for Port {
    fn from(listener: TcpListener) -> Port {
        Port { listener, tls: None }
    }
}

/// Serves `router` on HTTP/1 and HTTP/2 until `stop`. Then no connection is accepted, open requests have
/// `settings.drain` to end, and what is still open is dropped.
pub async fn listen(
    port: impl Into<Port>,
    router: Router,
    settings: Settings,
    counters: Arc<Counters>,
    stop: CancellationToken,
) {
    let Port { listener, tls } = port.into();
    let builder = builder(&settings);
    let all = Connections::new(settings.max_connections);
    let mut tasks = JoinSet::new();
    let mut sweep = tokio::time::interval(SWEEP);
    'serving: loop {
        let accepting = async {
            let (stream, _) = listener.accept().await?;
            // Accepted first, so that only someone who comes makes another go; beyond that they wait in the kernel.
            Ok::<_, io::Error>((stream, all.enter(|| counters.crowded_out()).await))
        };
        let mut accepting = pin!(accepting);
        let accepted = loop {
            tokio::select! {
                () = stop.cancelled() => break 'serving,
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                _ = sweep.tick() => counters.slow_heads(all.sweep(settings.header_timeout, settings.idle_timeout)),
                accepted = &mut accepting => break accepted,
            }
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (builder, router, stop) = (builder.clone(), router.clone(), stop.clone());
        let (tls, counters) = (tls.clone(), counters.clone());
        let open = counters.connected();
        tasks.spawn(async move {
            let about = &place.connection;
            let begun = tokio::select! {
                () = stop.cancelled() => None,
                // The sweep, when a handshake or a first byte is too long in coming.
                () = about.close.cancelled() => None,
                begun = begin(stream, tls.as_deref(), &counters) => begun,
            };
            if let Some(begun) = begun {
                serve(begun, about, &builder, router, &stop).await;
            }
            drop((place, open));
        });
    }
    drop(listener);
    let drained = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(settings.drain, drained).await.is_err() {
        tracing::warn!(
            drain_seconds = settings.drain.as_secs(),
            "dropped connections that did not end in time"
        );
    }
    tasks.shutdown().await;
}

/// A connection of which it is known what it speaks.
struct Begun {
    stream: Stream,
    /// From where.
    peer: Option<SocketAddr>,
    http2: bool,
    /// Who the client is, where it showed a certificate.
    client: Option<Arc<Certificate>>,
}

/// Shakes hands, or waits for the first bytes of what is in the clear; none when that fails.
async fn begin(stream: TcpStream, tls: Option<&Tls>, counters: &Counters) -> Option<Begun> {
    // Answers are small and whole; waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let peer = stream.peer_addr().ok();
    let Some(tls) = tls else {
        let http2 = speaks_http2(&stream).await?;
        return Some(Begun { stream: Stream::Clear(stream), peer, http2, client: None });
    };
    match tls.accept(stream).await {
        Ok(stream) => {
            // Over TLS, HTTP/2 is agreed on in the handshake or not spoken (RFC 9113, 3.2).
            let http2 = stream.get_ref().1.alpn_protocol() == Some(tls::H2);
            let client = tls::client(&stream);
            Some(Begun { stream: Stream::Tls(Box::new(stream)), peer, http2, client })
        }
        Err(error) => {
            counters.handshake_failed();
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
    }
}

/// Serves one connection to its end: its own, the server's, or because it has to make room.
async fn serve(
    Begun { stream, peer, http2, client }: Begun,
    about: &Arc<Connection>,
    builder: &Builder<TokioExecutor>,
    router: Router,
    stop: &CancellationToken,
) {
    if http2 {
        about.is_http2();
    }
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let open = about.begin(hyper::body::Body::is_end_stream(request.body()));
        let mut request = request.map(|body| Body::new(Tracked { body, request: open.clone() }));
        request.extensions_mut().insert(about.said.clone());
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        if let Some(client) = &client {
            request.extensions_mut().insert(client.clone());
        }
        let answer = router.clone().oneshot(request);
        async move {
            let answer = answer.await;
            drop(open);
            answer
        }
    });
    let heard = Heard { stream, about: about.clone() };
    let builder = builder.clone();
    let builder = if http2 { builder.http2_only() } else { builder.http1_only() };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(heard), service));
    let (mut stopping, mut closing) = (false, false);
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = about.close.cancelled(), if !closing => {
                closing = true;
                if about.is_amid_request() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(GOODBYE), if closing => return,
        }
    };
    if let Err(error) = ended {
        // The client's doing: a reset, a timeout, a head that is no HTTP.
        tracing::debug!(error = %error, "a connection ended with an error");
    }
}

fn builder(settings: &Settings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Runs while a connection is idle too; the time that a head may take once it has begun is the sweep's.
        .header_read_timeout(settings.idle_timeout)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(MAX_STREAMS);
    builder
}

/// Waits until the client has sent enough to tell HTTP/1 from HTTP/2, and says whether it is the latter; none when it
/// has gone.
async fn speaks_http2(stream: &TcpStream) -> Option<bool> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut seen).await.ok().filter(|length| *length > 0)?;
        let (seen, preface) = (seen.get(..length), PREFACE.get(..length));
        if length == PREFACE.len() || seen != preface {
            return Some(seen == preface);
        }
        // Part of a preface. Peeking returns at once while it lies there.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
