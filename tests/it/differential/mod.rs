//! Our decoders against each other and against the reference implementation of protobuf.
//!
//! - `values`: what prost reads of a message is what stands in the columns, field by field.
//! - `mutated`: a message written in any other way that protobuf allows, and bytes that were damaged.
//! - `json`: the same message as OTLP/JSON says the same.

mod generate;
mod json;
mod json_writer;
pub mod mutated;
mod prune;
mod values;
mod wire;

use std::sync::Arc;

use prost::Message;
use seamwatch::decode::{self, Decoded, Encoding, Limits, Malformed, Signal};

pub const NOW: u64 = 1_800_000_000_000_000_000;

pub const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

pub fn read(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Decoded, Malformed> {
    decode::request(signal, encoding, body, NOW as i64, &Arc::default(), &Limits::default())
}

pub fn protobuf(signal: Signal, body: &[u8]) -> Result<Decoded, Malformed> {
    read(signal, Encoding::Protobuf, body)
}

/// All that a request came to, but for its size and its hash. As text, because NaN does not equal itself.
pub fn meaning(decoded: &Decoded) -> String {
    let mut batch = decoded.batch.clone();
    (batch.bytes, batch.hash) = (0, None);
    format!("{batch:#?}")
}

/// The bytes as prost writes them again, if it can read them.
pub fn rewritten(signal: Signal, body: &[u8]) -> Option<Vec<u8>> {
    use opentelemetry_proto::tonic::collector::{logs, metrics, trace};
    match signal {
        Signal::Traces => trace::v1::ExportTraceServiceRequest::decode(body).ok().map(|m| m.encode_to_vec()),
        Signal::Metrics => {
            metrics::v1::ExportMetricsServiceRequest::decode(body).ok().map(|m| m.encode_to_vec())
        }
        Signal::Logs => logs::v1::ExportLogsServiceRequest::decode(body).ok().map(|m| m.encode_to_vec()),
    }
}
