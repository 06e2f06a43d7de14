//! The bytes of answers: OTLP's Export…ServiceResponse and google.rpc.Status, in protobuf and in JSON.

use std::time::Duration;

use serde_json::json;

use crate::decode::Rejected;

use super::intake::Door;

/// Codes of google.rpc.Code that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// The request can never be read.
    InvalidArgument = 3,
    /// No such path.
    NotFound = 5,
    /// Not allowed.
    PermissionDenied = 7,
    /// Too large; final when nothing says when to retry.
    ResourceExhausted = 8,
    /// Not something this server does.
    Unimplemented = 12,
    /// Try again.
    Unavailable = 14,
    /// Without a key that is good.
    Unauthenticated = 16,
}

/// A google.rpc.Status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What kind of error.
    pub code: Code,
    /// A sentence.
    pub message: String,
    /// When to try again; none = never.
    pub retry_after: Option<Duration>,
}

impl Status {
    /// As protobuf. Bad data carries a BadRequest, a retryable error a RetryInfo.
    pub fn protobuf(&self) -> Vec<u8> {
        let mut status = Vec::with_capacity(self.message.len() + 64);
        put_number(&mut status, 1, self.code as u64);
        put_bytes(&mut status, 2, self.message.as_bytes());
        if let Some(delay) = self.retry_after {
            put_any(&mut status, "google.rpc.RetryInfo", &retry_info(delay));
        } else if self.code == Code::InvalidArgument {
            let mut violation = Vec::new();
            put_bytes(&mut violation, 2, self.message.as_bytes());
            let mut bad_request = Vec::new();
            put_bytes(&mut bad_request, 1, &violation);
            put_any(&mut status, "google.rpc.BadRequest", &bad_request);
        }
        status
    }

    /// As JSON, with the same details.
    pub fn json(&self) -> Vec<u8> {
        let mut status = json!({"code": self.code as u8, "message": self.message});
        if let Some(delay) = self.retry_after {
            status["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{}s", delay.as_secs()),
            }]);
        } else if self.code == Code::InvalidArgument {
            status["details"] = json!([{
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"description": self.message}],
            }]);
        }
        status.to_string().into_bytes()
    }
}

/// A google.rpc.RetryInfo as protobuf.
pub fn retry_info(delay: Duration) -> Vec<u8> {
    let mut duration = Vec::new();
    put_number(&mut duration, 1, delay.as_secs());
    let mut info = Vec::new();
    put_bytes(&mut info, 1, &duration);
    info
}

/// An Export…ServiceResponse as protobuf: no bytes at all when everything was taken.
pub fn exported_protobuf(rejected: &Rejected) -> Vec<u8> {
    let mut response = Vec::new();
    if is_partial(rejected) {
        let mut partial = Vec::new();
        if rejected.count > 0 {
            put_number(&mut partial, 1, rejected.count);
        }
        put_bytes(&mut partial, 2, rejected.message.as_bytes());
        put_bytes(&mut response, 1, &partial);
    }
    response
}

/// An Export…ServiceResponse as JSON: `{}` when everything was taken. The count is a string, as protobuf's JSON has
/// it for 64-bit integers.
pub fn exported_json(door: &Door, rejected: &Rejected) -> Vec<u8> {
    if !is_partial(rejected) {
        return b"{}".to_vec();
    }
    let mut partial = json!({"errorMessage": rejected.message});
    if rejected.count > 0 {
        partial[door.rejected_field()] = json!(rejected.count.to_string());
    }
    json!({"partialSuccess": partial}).to_string().into_bytes()
}

/// A message without a count is a warning, which OTLP carries in the same field.
fn is_partial(rejected: &Rejected) -> bool {
    rejected.count > 0 || !rejected.message.is_empty()
}

fn put_any(status: &mut Vec<u8>, name: &str, value: &[u8]) {
    let mut any = Vec::new();
    put_bytes(&mut any, 1, format!("type.googleapis.com/{name}").as_bytes());
    put_bytes(&mut any, 2, value);
    put_bytes(status, 3, &any);
}

fn put_number(message: &mut Vec<u8>, field: u8, value: u64) {
    message.push(field << 3);
    put_varint(message, value);
}

fn put_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}
