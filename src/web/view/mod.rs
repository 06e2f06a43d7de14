//! What the pages show, read from parts and incidents: plain values in, plain values out, no store and no clock.
//!
//! [`calls`] sums calls by endpoint and judges them; [`queue`], [`credential`] and [`reconciliation`] read the other
//! signals; [`health`] puts them together for each integration, the one answer of overview, page and API.

pub mod calls;
pub mod queue;
pub mod connection;
pub mod credential;
pub mod delivery;
pub mod limit;
pub mod reconciliation;
pub mod health;
pub mod incident;
pub mod pin;
pub mod failures;
pub mod course;
pub mod figure;
pub mod badge;
pub mod outbox;
pub mod vendor;
pub mod signal;
