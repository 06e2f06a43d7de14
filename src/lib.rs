//! Seamwatch: the monitoring server for the layer between business systems.
//!
//! Modules in reading order; data flows through them one way, and `tests/it/tidy.rs` holds who may import whom.

pub mod clock;
pub mod signals;
pub mod decode;
pub mod rollup;
pub mod alert;
pub mod cli;
