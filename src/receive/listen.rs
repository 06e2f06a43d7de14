//! The accept loop: bounded, and it ends.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Settings;

/// How often an HTTP/2 connection is asked whether it lives, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
/// Requests at a time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 200;
/// Bytes of a request's head on HTTP/1.
const MAX_HEAD: usize = 64 << 10;
/// Pause after an accept failed, which is nearly always for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What an HTTP/2 client says first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves `router` on HTTP/1 and HTTP/2 until `stop`. Then no connection is accepted, open requests have
/// `settings.drain` to end, and what is still open is dropped.
pub async fn listen(listener: TcpListener, router: Router, settings: Settings, stop: CancellationToken) {
    let builder = builder(&settings);
    let places = Arc::new(Semaphore::new(settings.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            // The place comes first: beyond the limit, connections wait in the kernel's queue.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let (stream, place) = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accepted => match accepted {
                Some((Ok((stream, _)), place)) => (stream, place),
                Some((Err(error), _)) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
                None => break,
            },
        };
        let service = TowerToHyperService::new(
            router.clone().map_request(|request: hyper::Request<Incoming>| request.map(Body::new)),
        );
        let (builder, watcher, stop) = (builder.clone(), graceful.watcher(), stop.clone());
        let header_timeout = settings.header_timeout;
        connections.spawn(async move {
            let _place = place;
            let spoke = tokio::select! {
                () = stop.cancelled() => false,
                spoke = tokio::time::timeout(header_timeout, said_which(&stream)) => spoke.unwrap_or(false),
            };
            if !spoke {
                return;
            }
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            if let Err(error) = watcher.watch(connection).await {
                // The client's doing: a reset, a timeout, a head that is no HTTP.
                tracing::debug!(error = %error, "a connection ended with an error");
            }
        });
    }
    drop(listener);
    let drained = async {
        graceful.shutdown().await;
        while connections.join_next().await.is_some() {}
    };
    if tokio::time::timeout(settings.drain, drained).await.is_err() {
        tracing::warn!(
            drain_seconds = settings.drain.as_secs(),
            "dropped connections that did not end in time"
        );
    }
    connections.shutdown().await;
}

fn builder(settings: &Settings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(MAX_STREAMS);
    builder
}

/// Returns true when the client has sent enough to tell HTTP/1 from HTTP/2. The builder waits for that without a
/// limit in time, so it is waited for here, under one.
async fn said_which(stream: &TcpStream) -> bool {
    // Answers are small and whole; waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let mut seen = [0; PREFACE.len()];
    loop {
        let Ok(length) = stream.peek(&mut seen).await else {
            return false;
        };
        let (seen, preface) = (seen.get(..length), PREFACE.get(..length));
        if length == 0 {
            return false;
        }
        if length == PREFACE.len() || seen != preface {
            return true;
        }
        // Part of a preface. Peeking returns at once while it lies there.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
