//! Edge in: sockets become accepted requests.
//!
//! A request is bounded while it arrives (body, decompressed body, time, memory of all requests together), decoded,
//! and made durable in the inbox; only then is its sender told so. What cannot be taken now is answered as
//! retryable, with a time to wait; what can never be taken, as final. Nothing is dropped without an answer and a
//! counter.
//!
//! `auth` asks for the key before anything of a body is read; `keys` holds those that are known.
//! `intake` is the way both transports go, `refusal` the reasons to refuse, `answer` the bytes of answers. `http`
//! and `report` are the doors of the OTLP/HTTP port, `grpc` that of the other; each maps refusals to its protocol
//! in one table. `listen` is the accept loop, which the web port uses too, and `connections` says who gives way when
//! there are too many. `tls` secures a port, with what `certificate` reads. `limits` and `turns` share out memory and processors, so that one sender does not keep the
//! others from theirs. Every bound and its counter: docs/reliability.md.

use std::time::Duration;

pub mod answer;
pub mod auth;
pub mod body;
pub mod buffers;
pub mod certificate;
pub mod connections;
pub mod counters;
pub mod grpc;
pub mod http;
pub mod intake;
pub mod keys;
pub mod limits;
pub mod listen;
pub mod rate;
pub mod refusal;
pub mod report;
pub mod stream;
pub mod tls;
pub mod turns;
#[cfg(test)]
mod tests;

/// Bounds of the doors.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of one body, as it arrives and decompressed.
    pub max_body: usize,
    /// How long a connection may take for the head of a request, once it has begun it or has just been made.
    pub header_timeout: Duration,
    /// How long an HTTP/1 connection may be idle between requests. Longer than the interval at which clients export
    /// (60 s for metrics), or they meet a closed connection each time.
    pub idle_timeout: Duration,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Connections of one port. Beyond it the one that has waited longest makes room; while all of them work, more
    /// wait to be accepted.
    pub max_connections: usize,
    /// Bytes of all requests from the first byte of a body until they are counted; beyond it, requests are told to
    /// come again.
    pub in_flight_bytes: usize,
    /// Web origins whose pages may send, such as `https://app.example`; `*` for any.
    pub cors_origins: Vec<String>,
    /// Headers that such pages may send besides OTLP's own.
    pub cors_headers: Vec<String>,
    /// How long open requests have to end after the stop.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_body: 64 << 20,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            max_connections: 1024,
            in_flight_bytes: 256 << 20,
            cors_origins: Vec::new(),
            cors_headers: Vec::new(),
            drain: Duration::from_secs(5),
        }
    }
}
