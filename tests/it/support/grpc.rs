//! gRPC's unary calls, raw: frames and statuses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message;

use super::h2::{Connection, run};
use super::server::Answer;

pub const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
pub const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
/// What every call carries.
pub const HEAD: [(&str, &str); 2] = [("content-type", "application/grpc"), ("te", "trailers")];

/// A message behind its flag and its length.
pub fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &u32::try_from(message.len()).expect("a short message").to_be_bytes(), message].concat()
}

/// A call with these bytes on a connection of its own.
pub fn call(address: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    run(async {
        let connection = Connection::open(address).await;
        connection.post(path, &[&HEAD, headers].concat(), &[body]).await
    })
}

/// The code that a client sees.
pub fn code(answer: &Answer) -> u32 {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/grpc");
    answer.header("grpc-status").parse().expect("a grpc-status")
}

/// The one message of a good answer.
pub fn message(answer: &Answer) -> &[u8] {
    assert_eq!(code(answer), 0, "{}", answer.header("grpc-message"));
    let (head, message) = answer.body.split_at(5);
    assert_eq!(head, &frame(0, message)[..5]);
    message
}

/// The status of an answer that is an error, the same in its header and its details.
pub fn status(answer: &Answer) -> Status {
    assert!(answer.body.is_empty());
    let status: Status = Status::decode(&*bytes(answer, "grpc-status-details-bin")).expect("a Status");
    assert_eq!(code(answer), status.code as u32);
    assert!(answer.header("grpc-message").is_ascii() && status.message.len() > 10, "{status:?}");
    status
}

/// A `-bin` header.
pub fn bytes(answer: &Answer, name: &str) -> Vec<u8> {
    STANDARD_NO_PAD.decode(answer.header(name)).expect("base64")
}

/// google.rpc.Status, by its definition.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// google.rpc.RetryInfo.
#[derive(Clone, PartialEq, Message)]
pub struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub delay: Option<Delay>,
}

/// google.protobuf.Duration.
#[derive(Clone, PartialEq, Message)]
pub struct Delay {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// google.rpc.BadRequest.
#[derive(Clone, PartialEq, Message)]
pub struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    pub violations: Vec<Violation>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Violation {
    #[prost(string, tag = "1")]
    pub field: String,
    #[prost(string, tag = "2")]
    pub description: String,
}
