//! Observations become windows. Pure; every merge is associative, commutative and has an identity.
//!
//! A [`window::Part`] holds what a stretch of the corridor said, by minute and series. Parts are only ever
//! merged: on read, when a window is judged, and by compaction. [`stream`] turns cumulative metric points into what
//! they add, [`convert`] their histograms into ours.

pub mod latency;
pub mod series;
pub mod state;
pub mod window;
pub mod queue;
pub mod sequence;
pub mod gap;
pub mod stream;
pub mod convert;
pub mod deliveries;
pub mod refreshed;
pub mod measure;
pub mod sources;
pub mod derived;
pub mod errors;
