//! The targets as a library, so that each fuzz target is one line.

pub mod targets;
