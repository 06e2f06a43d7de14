//! What a span, a point or a log record means for an integration. Pure: values in, values out.
//!
//! `vocabulary` has the names, `telemetry` the records as they arrive; `observation`, `measure` and `fact` what they
//! come to. `observe` reads one request's records in order with one file for each thing judged. `stream` says which
//! stream a data point belongs to.

pub mod vocabulary;
pub mod telemetry;
pub mod stream;
pub mod observation;
pub mod measure;
pub mod fact;
pub mod mark;
pub mod lookup;
pub mod headers;
pub mod observe;
pub mod integration;
pub mod endpoint;
pub mod provider;
pub mod classify;
pub mod classified;
pub mod call;
pub mod retry;
pub mod webhook;
pub mod rate_limit;
pub mod refresh;
pub mod sampling;
pub mod sequence;
pub mod scope;
pub mod metric;
pub mod mapping;
pub mod queue;
pub mod credential;
pub mod reconciliation;
pub mod ledger;
pub mod contract;
pub mod announce;
pub mod heartbeat;
pub mod normal;
pub mod failure;
pub mod change;
pub mod signal;
