//! Input made to hurt: what it costs is bounded, what is good beside it is kept, and the server goes on.
//!
//! Memory is read from the system. Time is a deadline so generous that only a cost which grows with the square of the
//! input misses it.

mod bodies;
mod decoder;
mod floods;
mod growth;
mod requests;
mod xss;

use std::time::{Duration, Instant};

use prost::Message;

use crate::support::otlp::{self, Attempt};
use crate::support::server::Server;

pub const JSON: (&str, &str) = ("content-type", "application/json");
pub const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

/// A field of a protobuf message: its tag byte, its length, its bytes.
pub fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(bytes);
    field
}

/// An ExportTraceServiceRequest of spans that are given as bytes.
pub fn request_of(spans: &[u8]) -> Vec<u8> {
    field(1, &field(2, spans))
}

/// Ids that no other span has.
pub fn ids(n: u64) -> Vec<u8> {
    let id = (n + 1).to_be_bytes();
    [field(1, &[id, id].concat()), field(2, &id)].concat()
}

/// Runs the work, which must end before the deadline.
pub fn soon<T>(what: &str, work: impl FnOnce() -> T) -> T {
    const DEADLINE: Duration = Duration::from_secs(300);
    let start = Instant::now();
    let result = work();
    assert!(
        start.elapsed() < DEADLINE,
        "{what} took {:?}: its cost grows faster than its size",
        start.elapsed()
    );
    result
}

/// Runs the work and fails when the server's memory rose by more than so many MiB at any moment of it.
pub fn within<T>(server: &Server, mib: u64, what: &str, work: impl FnOnce() -> T) -> T {
    let (before, _) = server.memory();
    let result = work();
    let (_, most) = server.memory();
    let grown = most.saturating_sub(before) >> 10;
    assert!(grown <= mib, "{what}: memory rose by {grown} MiB, {mib} are allowed");
    result
}

/// The server takes a good request.
pub fn goes_on(server: &Server) {
    let attempt = Attempt {
        peer: "api.example.com",
        method: "GET",
        template: "/v1/after",
        status: 200,
        end: otlp::now(),
        duration: 1_000_000,
    };
    let body = otlp::traces("steady", &[], vec![attempt.span()]).encode_to_vec();
    assert_eq!(server.post("/v1/traces", &[PROTOBUF], body).status, 200);
}
