//! Windows and rules in, transitions with reasons out. Pure: the tick is an argument, nothing is sent from here.

pub mod incident;
pub mod signal;
pub mod figure;
