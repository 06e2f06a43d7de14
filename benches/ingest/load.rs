//! Senders: as little work as possible between two requests, so that the server has the machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use crate::body::{Body, SPANS};

/// What is sent, and how.
#[derive(Clone)]
pub struct Load {
    pub bodies: Vec<Body>,
    pub connections: usize,
    pub duration: Duration,
    /// Spans a second over all connections; as fast as it goes when none.
    pub rate: Option<f64>,
    pub gzip: bool,
    /// What each request shows, over HTTP.
    pub key: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    pub requests: u64,
    pub seconds: f64,
    /// Requests that were told to come again, and came again.
    pub refused: u64,
    /// Microseconds from the first byte to the answer, sorted.
    pub latencies: Vec<u32>,
}

impl Sent {
    pub fn spans(&self) -> u64 {
        self.requests * SPANS as u64
    }

    pub fn spans_per_second(&self) -> f64 {
        self.spans() as f64 / self.seconds
    }

    /// In milliseconds.
    pub fn latency(&self, quantile: f64) -> f64 {
        let at =
            ((self.latencies.len() as f64 * quantile) as usize).min(self.latencies.len().saturating_sub(1));
        f64::from(self.latencies.get(at).copied().unwrap_or(0)) / 1000.0
    }

    fn join(parts: Vec<Sent>, seconds: f64) -> Sent {
        let mut all = Sent { seconds, ..Sent::default() };
        for part in parts {
            all.requests += part.requests;
            all.refused += part.refused;
            all.latencies.extend(part.latencies);
        }
        all.latencies.sort_unstable();
        all
    }
}

/// Numbers requests over all connections and runs: no two are alike.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// When the next request is due.
struct Pace {
    every: Option<Duration>,
    next: Instant,
    end: Instant,
}

impl Pace {
    fn new(load: &Load, sender: usize) -> Pace {
        let now = Instant::now();
        let every =
            load.rate.map(|rate| Duration::from_secs_f64(SPANS as f64 * load.connections as f64 / rate));
        let offset = every.unwrap_or_default().mul_f64(sender as f64 / load.connections as f64);
        Pace { every, next: now + offset, end: now + load.duration }
    }

    /// How long to wait; none when the time is over.
    fn wait(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let due = self.next;
        match self.every {
            Some(every) => self.next += every,
            None => self.next = now,
        }
        (now < self.end).then(|| due.saturating_duration_since(now))
    }
}

fn stamped(body: &mut Body, gzip: bool) -> Vec<u8> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_nanos()
        as u64;
    body.stamp(NEXT.fetch_add(1, Ordering::Relaxed), now);
    if !gzip {
        return Vec::new();
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    packed.write_all(&body.bytes).expect("memory takes it");
    packed.finish().expect("memory takes it")
}

/// OTLP over HTTP/1.1, a thread for each connection.
pub fn http(address: &str, load: &Load) -> Sent {
    let from = Instant::now();
    let senders: Vec<_> = (0..load.connections)
        .map(|sender| {
            let (address, load) = (address.to_owned(), load.clone());
            std::thread::spawn(move || http_sender(&address, load, sender))
        })
        .collect();
    let parts = senders.into_iter().map(|sender| sender.join().expect("a sender ends")).collect();
    Sent::join(parts, from.elapsed().as_secs_f64())
}

fn http_sender(address: &str, mut load: Load, sender: usize) -> Sent {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("a TCP option");
    let mut sent = Sent::default();
    let mut pace = Pace::new(&load, sender);
    let mut answer = vec![0; 16 << 10];
    let mut at = sender;
    while let Some(wait) = pace.wait() {
        std::thread::sleep(wait);
        at = (at + load.connections) % load.bodies.len();
        let packed = stamped(&mut load.bodies[at], load.gzip);
        let (encoding, bytes) = match load.gzip {
            true => ("content-encoding: gzip\r\n", &packed),
            false => ("", &load.bodies[at].bytes),
        };
        let key = load.key.as_ref().map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\n{key}{encoding}content-length: {}\r\n\r\n",
            bytes.len()
        );
        loop {
            let from = Instant::now();
            stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(bytes))
                .expect("the server reads");
            let text = read_answer(&mut stream, &mut answer);
            if text.starts_with("HTTP/1.1 200") {
                sent.requests += 1;
                sent.latencies.push(from.elapsed().as_micros() as u32);
                break;
            }
            assert!(text.starts_with("HTTP/1.1 503") || text.starts_with("HTTP/1.1 429"), "{text}");
            sent.refused += 1;
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    sent
}

/// One answer, which is short: its head and as many bytes as it says.
fn read_answer<'a>(stream: &mut TcpStream, into: &'a mut [u8]) -> &'a str {
    let mut length = 0;
    loop {
        let read = stream.read(&mut into[length..]).expect("the server answers");
        assert!(read > 0, "the server closed the connection");
        length += read;
        let text = std::str::from_utf8(&into[..length]).unwrap_or("");
        if let Some(head) = text.find("\r\n\r\n") {
            let body = text[..head]
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse().ok())
                })
                .flatten()
                .unwrap_or(0);
            if length >= head + 4 + body {
                break;
            }
        }
    }
    std::str::from_utf8(&into[..length]).unwrap_or("")
}

/// OTLP over gRPC: a thread and an HTTP/2 connection for each sender.
pub fn grpc(address: &str, load: &Load) -> Sent {
    let from = Instant::now();
    let senders: Vec<_> = (0..load.connections)
        .map(|sender| {
            let (address, load) = (address.to_owned(), load.clone());
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(grpc_sender(&address, load, sender))
            })
        })
        .collect();
    let parts = senders.into_iter().map(|sender| sender.join().expect("a sender ends")).collect();
    Sent::join(parts, from.elapsed().as_secs_f64())
}

async fn grpc_sender(address: &str, mut load: Load, sender: usize) -> Sent {
    let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a TCP option");
    let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut client = client.ready().await.expect("HTTP/2");
    let mut sent = Sent::default();
    let mut pace = Pace::new(&load, sender);
    let mut at = sender;
    let uri = format!("http://{address}/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    while let Some(wait) = pace.wait() {
        tokio::time::sleep(wait).await;
        at = (at + load.connections) % load.bodies.len();
        stamped(&mut load.bodies[at], false);
        let body = &load.bodies[at].bytes;
        let mut framed = Vec::with_capacity(body.len() + 5);
        framed.push(0);
        framed.extend_from_slice(&(body.len() as u32).to_be_bytes());
        framed.extend_from_slice(body);
        let framed = Bytes::from(framed);
        loop {
            let from = Instant::now();
            let request = http::Request::post(&uri)
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(())
                .expect("a request");
            client = client.ready().await.expect("HTTP/2");
            let (response, mut stream) = client.send_request(request, false).expect("a request");
            send_all(&mut stream, framed.clone()).await;
            let mut body = response.await.expect("an answer").into_body();
            while let Some(chunk) = body.data().await {
                let length = chunk.expect("an answer").len();
                body.flow_control().release_capacity(length).expect("flow control");
            }
            let trailers = body.trailers().await.expect("trailers");
            let status = trailers
                .as_ref()
                .and_then(|trailers| trailers.get("grpc-status"))
                .map(|s| s.as_bytes().to_vec());
            if status.as_deref().is_none_or(|status| status == b"0") {
                sent.requests += 1;
                sent.latencies.push(from.elapsed().as_micros() as u32);
                break;
            }
            sent.refused += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    sent
}

async fn send_all(stream: &mut h2::SendStream<Bytes>, mut left: Bytes) {
    while !left.is_empty() {
        stream.reserve_capacity(left.len());
        let room =
            std::future::poll_fn(|context| stream.poll_capacity(context)).await.expect("open").expect("open");
        let part = left.split_to(room.min(left.len()));
        stream.send_data(part, left.is_empty()).expect("open");
    }
}
