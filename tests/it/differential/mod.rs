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
use seamwatch::decode::texts::Texts;
use seamwatch::decode::{self, Batch, Decoded, Encoding, Limits, Malformed, Signal};

pub const NOW: u64 = 1_800_000_000_000_000_000;

pub const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

pub fn read(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Decoded, Malformed> {
    decode::request(signal, encoding, body, NOW as i64, &Arc::default(), &Limits::default())
}

pub fn protobuf(signal: Signal, body: &[u8]) -> Result<Decoded, Malformed> {
    read(signal, Encoding::Protobuf, body)
}

/// All that a request came to, but for its size and its hash. As text, because NaN does not equal itself; texts
/// stand out, because they may be numbered in another order.
pub fn meaning(decoded: &Decoded) -> String {
    let Batch { observations, spans: s, logs: l, records, received_at, .. } = &decoded.batch;
    let mut said = format!("{observations:#?} {records} {received_at}");
    let told =
        |texts: &Texts, numbers: &[u32]| numbers.iter().map(|n| texts.get(*n).to_owned()).collect::<Vec<_>>();
    for at in 0..s.len() {
        let numbers = [
            s.status_message[at],
            s.name[at],
            s.environment[at],
            s.integration[at],
            s.peer[at],
            s.endpoint[at],
            s.scope[at],
            s.events[at],
            s.links[at],
        ];
        let ids = (s.trace_id[at], s.span_id[at], s.parent_span_id[at]);
        let plain = (s.start[at], s.end[at], s.received[at], s.kind[at], s.status[at], s.class[at]);
        let maps: (Vec<_>, Vec<_>) = (s.attributes(at).collect(), s.resource(at).collect());
        said += &format!("\n{ids:?} {plain:?} {:?} {maps:?}", told(&s.texts, &numbers));
    }
    for at in 0..l.len() {
        let numbers = [
            l.severity_text[at],
            l.event_name[at],
            l.body[at],
            l.environment[at],
            l.integration[at],
            l.scope[at],
        ];
        let plain = (l.trace_id[at], l.span_id[at], l.time[at], l.received[at], l.severity[at]);
        let maps: (Vec<_>, Vec<_>) = (l.attributes(at).collect(), l.resource(at).collect());
        said += &format!("\n{plain:?} {:?} {maps:?}", told(&l.texts, &numbers));
    }
    said
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
