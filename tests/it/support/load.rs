//! Senders that do not wait for each other, and what became of every request.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;

use super::otlp::{self, Attempt};

/// A body that is different each time it is taken, for the price of a copy.
pub struct Template {
    body: Vec<u8>,
    at: usize,
    pub spans: u64,
}

impl Template {
    /// Calls of one integration to one endpoint, all in the minute of `end`.
    pub fn new(integration: &str, template: &str, status: i64, spans: u64, end: u64) -> Template {
        let attempt = |n: u64| Attempt {
            peer: "api.example.com",
            method: "POST",
            template,
            status,
            end: end + n * 1000,
            duration: 20_000_000,
        };
        let all: Vec<_> = (0..spans).map(|n| attempt(n).span()).collect();
        let id = all.first().map(|span| span.trace_id.clone()).unwrap_or_default();
        let body = otlp::traces(integration, &[], all).encode_to_vec();
        let at = body.windows(16).position(|window| window == id).expect("the id is in the body");
        Template { body, at, spans }
    }

    /// A body that no other is the same as.
    pub fn fresh(&self) -> Bytes {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut body = self.body.clone();
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        body[self.at..self.at + 8].copy_from_slice(&id.to_be_bytes());
        body.into()
    }
}

/// How one request ended.
pub enum End {
    Taken,
    Refused,
    /// No answer: it may be there or not. The body, to be sent again.
    Unknown(Bytes),
}

/// A client without a limit on connections.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(60)).build().expect("a client can be made")
}

/// Sends one body. Whatever is neither taken whole nor refused for now is a failure of the test.
pub async fn send(client: &reqwest::Client, address: &str, body: Bytes) -> (End, Duration) {
    let begun = Instant::now();
    let request = client
        .post(format!("http://{address}/v1/traces"))
        .header("content-type", "application/x-protobuf")
        .body(body.clone());
    let Ok(answer) = request.send().await else { return (End::Unknown(body), begun.elapsed()) };
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let Ok(said) = answer.bytes().await else { return (End::Unknown(body), begun.elapsed()) };
    let took = begun.elapsed();
    match status {
        200 => {
            assert!(said.is_empty(), "a partial success under load: {said:?}");
            (End::Taken, took)
        }
        429 | 503 => {
            let delay = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            assert!(delay.is_some_and(|delay| (1..=30).contains(&delay)), "{status} without a time to wait");
            (End::Refused, took)
        }
        other => panic!("{other} under load: {}", String::from_utf8_lossy(&said)),
    }
}

/// Figures for the test's output: p50, p99 and the longest.
pub fn spread(what: &str, times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at =
        |share: f64| times.get(((times.len() as f64 - 1.0) * share) as usize).copied().unwrap_or_default();
    format!(
        "{what}: {} requests, p50 {} ms, p99 {} ms, longest {} ms",
        times.len(),
        at(0.5).as_millis(),
        at(0.99).as_millis(),
        at(1.0).as_millis()
    )
}

/// Connections that are idle after a request, or say half a head, or one byte of a body each second. One that was closed is made again.
pub struct Idlers {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Idlers {
    pub fn connect(address: &str, count: usize) -> Idlers {
        let (address, end) = (address.to_owned(), Arc::new(AtomicBool::new(false)));
        let ended = end.clone();
        let thread = std::thread::spawn(move || {
            let mut open: BTreeMap<usize, TcpStream> = BTreeMap::new();
            let mut made = 0;
            while !ended.load(Ordering::Relaxed) {
                for n in 0..count {
                    let alive = open.get_mut(&n).is_some_and(|stream| is_alive(stream, n % 3 == 2));
                    if !alive && let Ok(stream) = idler(&address, n % 3) {
                        open.insert(n, stream);
                        made += 1;
                    }
                    if ended.load(Ordering::Relaxed) {
                        break;
                    }
                }
                std::thread::sleep(Duration::from_millis(500));
            }
            made
        });
        Idlers { end, thread: Some(thread) }
    }

    /// Closes all and says how many were made in the whole.
    pub fn close(mut self) -> u64 {
        self.end.store(true, Ordering::Relaxed);
        self.thread.take().map_or(0, |thread| thread.join().expect("idlers do not panic"))
    }
}

fn idler(address: &str, kind: usize) -> std::io::Result<TcpStream> {
    let address = address.parse().expect("an address");
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_nonblocking(true)?;
    let start: &[u8] = match kind {
        0 => b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n",
        1 => b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-ty",
        _ => b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9000\r\n\r\n",
    };
    stream.write_all(start)?;
    Ok(stream)
}

fn is_alive(stream: &mut TcpStream, drips: bool) -> bool {
    let open = loop {
        match stream.read(&mut [0; 1024]) {
            Ok(0) => break false,
            Ok(_) => {}
            Err(error) => break error.kind() == std::io::ErrorKind::WouldBlock,
        }
    };
    open && (!drips || stream.write_all(b"\n").is_ok())
}

/// Lets this process have as many files open as the system allows.
pub fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to the hard limit");
}
