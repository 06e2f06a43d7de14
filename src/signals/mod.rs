//! What a span, a point or a log record means for an integration. Pure: values in, values out.
//!
//! `vocabulary` has the names, `telemetry` the records as they arrive, `observation` what they come to; between
//! them stands one file for each thing judged. `observe` reads one request's records in order.

pub mod call;
pub mod observe;
pub mod observation;
pub mod telemetry;
pub mod vocabulary;
