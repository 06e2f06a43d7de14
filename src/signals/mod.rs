//! What a span, a point or a log record means for an integration. Pure: values in, values out.

pub mod telemetry;
pub mod vocabulary;
