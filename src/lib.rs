//! Seamwatch: the monitoring server for the layer between business systems.
//!
//! Integrations send OpenTelemetry; Seamwatch computes the health of each, shows it and mails alerts. Modules in
//! reading order; data flows through them one way, and `tests/it/tidy.rs` holds who may import whom.
//!
//! - [`signals`], [`decode`], [`rollup`], [`usual`], [`health`], [`alert`]: pure. Values in, values out; no clock, no I/O.
//! - [`access`]: who may do what, with secrets kept as hashes, and the audit log.
//! - [`receive`] and [`inbox`]: the edge where requests come in and are acknowledged once they are on disk.
//! - [`pipeline`]: the corridor, one loop that absorbs, flushes, evaluates and records.
//! - [`store`]: the one room that knows SQL and Parquet. [`notify`], [`outgoing`] and [`web`]: the edges where things go out.
//! - [`oidc`]: logging in at a provider of identities, through [`outgoing`].
//! - [`clock`] and [`world`]: the machine as an argument, so that tests own it.
//! - [`config`], [`rules`], [`providers`], [`mappings`], [`scheduler`], [`server`], [`cli`]: what is wired from what.

pub mod clock;
pub mod world;
pub mod signals;
pub mod access;
pub mod decode;
pub mod inbox;
pub mod receive;
pub mod rollup;
pub mod usual;
pub mod health;
pub mod alert;
pub mod store;
pub mod pipeline;
pub mod notify;
pub mod outgoing;
pub mod oidc;
pub mod config;
pub mod rules;
pub mod providers;
pub mod mappings;
pub mod web;
pub mod scheduler;
pub mod telemetry;
pub mod server;
pub mod cli;
