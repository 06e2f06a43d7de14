//! The accept loop: its bounds and its end.

use std::time::Instant;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::super::counters::Counters;
use super::super::listen::listen;
use super::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// A server that answers after `delay`.
struct Slow {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// Told when a request has begun.
    begun: Arc<Notify>,
    counters: Arc<Counters>,
}

impl Slow {
    fn count(&self, name: &str) -> u64 {
        self.counters.snapshot().into_iter().find(|(counter, _)| counter == name).unwrap().1
    }
}

async fn slow(settings: Settings, delay: Duration) -> Slow {
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let router = Router::new().route(
        "/",
        get(move || async move {
            begins.notify_one();
            tokio::time::sleep(delay).await;
            "done"
        })
        .post(|_: Bytes| async { "whole" }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let counters = Arc::new(Counters::default());
    let task = tokio::spawn(listen(listener, router, settings, counters.clone(), stop.clone()));
    Slow { address, stop, task, begun, counters }
}

async fn ended(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    // A reset is an end too.
    let _ = read.expect("the server kept the connection open");
    rest
}

#[tokio::test]
async fn s2_clients_that_do_not_finish_a_head_are_let_go() {
    let short = Duration::from_millis(100);
    let settings = Settings { header_timeout: short, idle_timeout: short, ..Settings::default() };
    let Slow { address, .. } = slow(settings, Duration::ZERO).await;
    for start in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"GET / HTTP/1.1\r\nhost:"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(start).await.unwrap();
        let _ = ended(&mut stream).await;
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    assert!(ended(&mut stream).await.ends_with(b"done"));
}

#[tokio::test]
async fn s2_a_head_that_does_not_end_is_cut_off_on_a_connection_that_served_before() {
    let settings = Settings { header_timeout: Duration::from_millis(300), ..Settings::default() };
    let Slow { address, .. } = slow(settings, Duration::ZERO).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    // Bytes that trickle in do not buy more time.
    let (mut read, mut write) = stream.split();
    let trickle = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if write.write_all(b"x").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut said = Vec::new();
    tokio::select! {
        () = trickle => {}
        // A reset is an end too.
        end = tokio::time::timeout(Duration::from_secs(10), read.read_to_end(&mut said)) => {
            let _ = end.expect("the server kept the connection open");
        }
    }
    assert_eq!(String::from_utf8_lossy(&said).matches("HTTP/1.1 200").count(), 1);
}

#[tokio::test]
async fn t7_an_idle_connection_outlives_the_interval_of_an_exporter() {
    // SDKs send metrics each 60 s, on the connection of the last time.
    assert!(Settings::default().idle_timeout > Duration::from_secs(60));
    let settings = Settings { idle_timeout: Duration::from_secs(3), ..Settings::default() };
    let Slow { address, .. } = slow(settings, Duration::ZERO).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..8 {
        stream.write_all(GET).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"done") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "cut while idle");
        }
        // Longer than the timeout in all: each request starts it anew.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(ended(&mut stream).await, b"", "and idle for longer than that, it is let go");
}

#[tokio::test]
async fn beyond_the_limit_connections_wait_while_all_others_work() {
    let settings = Settings { max_connections: 1, ..Settings::default() };
    let Slow { address, begun, .. } = slow(settings, Duration::from_millis(300)).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(GET).await.unwrap();
    begun.notified().await;
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(GET).await.unwrap();
    let mut byte = [0];
    assert!(tokio::time::timeout(Duration::from_millis(100), second.read(&mut byte)).await.is_err());
    // The first is answered, is idle then, and makes room.
    assert!(ended(&mut first).await.ends_with(b"done"));
    let read = tokio::time::timeout(Duration::from_secs(10), second.read(&mut byte));
    assert_eq!(read.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn idle_and_slow_connections_make_room_the_longest_waiting_first() {
    let settings = Settings { max_connections: 4, ..Settings::default() };
    let server = slow(settings, Duration::ZERO).await;
    let mut waiting = Vec::new();
    // Nothing said; half a head; half a body; idle after an answer.
    for start in [
        &b""[..],
        b"GET / HTTP/1.1\r\nhost:",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{",
        GET,
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        if start == GET {
            server.begun.notified().await;
        }
        waiting.push(stream);
        // In this order, for certain.
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    for (n, mut oldest) in waiting.into_iter().enumerate() {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(GET).await.unwrap();
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut byte));
        assert_eq!(read.await.expect("it got a place").unwrap(), 1);
        let _ = ended(&mut oldest).await;
        assert_eq!(server.count("connections_crowded_out"), n as u64 + 1);
        // It stays, and is younger than all that were there before.
        tokio::spawn(async move {
            let _stream = stream;
            std::future::pending::<()>().await
        });
    }
    assert!(server.count("connections") <= 4);
}

#[tokio::test]
async fn a_thousand_idle_connections_starve_nobody() {
    let settings = Settings { max_connections: 64, ..Settings::default() };
    let server = slow(settings, Duration::ZERO).await;
    let mut idle = Vec::new();
    for n in 0..1000 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        if n % 2 == 0 {
            // It may be gone before it has said anything.
            let _ = stream.write_all(b"GET / HT").await;
        }
        idle.push(stream);
        if n % 100 == 99 {
            let mut honest = TcpStream::connect(server.address).await.unwrap();
            honest.write_all(GET).await.unwrap();
            let mut answer = [0; 15];
            let read = tokio::time::timeout(Duration::from_secs(10), honest.read_exact(&mut answer));
            read.await.expect("an honest client was starved").unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200 OK");
        }
    }
    assert!(server.count("connections") <= 64);
    assert!(server.count("connections_crowded_out") >= 900);
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off_on_a_connection_that_was_good_before() {
    let settings = Settings { header_timeout: Duration::from_millis(100), ..Settings::default() };
    let server = slow(settings, Duration::ZERO).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    server.begun.notified().await;
    // Idle for longer than a head may take, and not cut off.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    stream.write_all(GET).await.unwrap();
    server.begun.notified().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    assert!(ended(&mut stream).await.ends_with(b"done"));
    assert_eq!(server.count("connections_slow"), 1);
}

#[tokio::test]
async fn the_stop_lets_open_requests_end_and_takes_no_more() {
    let Slow { address, stop, task, begun, .. } = slow(Settings::default(), Duration::from_millis(200)).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(GET).await.unwrap();
    begun.notified().await;
    let started = Instant::now();
    stop.cancel();
    assert!(ended(&mut busy).await.ends_with(b"done"));
    assert_eq!(ended(&mut silent).await, b"");
    task.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(4), "nothing had to be dropped");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_in_time_is_dropped() {
    let settings = Settings { drain: Duration::from_millis(100), ..Settings::default() };
    let Slow { address, stop, task, begun, .. } = slow(settings, Duration::from_secs(600)).await;
    let mut stuck = TcpStream::connect(address).await.unwrap();
    stuck.write_all(GET).await.unwrap();
    begun.notified().await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), task).await.unwrap().unwrap();
    assert_eq!(ended(&mut stuck).await, b"");
}
