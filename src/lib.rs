//! Seamwatch: the monitoring server for the layer between business systems.

pub mod signals;
