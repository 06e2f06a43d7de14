//! What an integration embeds to be monitored: OpenTelemetry traces, metrics and events over OTLP/HTTP, in the
//! vocabulary for integrations (`integration.*`), so that any OTLP backend can read them.
//!
//! ```no_run
//! use std::time::Duration;
//! use seamwatch_exporter::exporter::{Exporter, Tier};
//!
//! # fn main() -> Result<(), seamwatch_exporter::error::Error> {
//! let accounting = Exporter::builder("stripe-accounting")
//!     .endpoint("http://127.0.0.1:4318")
//!     .environment("production")
//!     .source("Stripe")
//!     .destination("Xero")
//!     .tier(Tier::Critical)
//!     .interval(Duration::from_secs(15))
//!     .build()?;
//!
//! let call = accounting.call("GET", "api.stripe.com", "/v1/charges/{id}").connection("acme").start();
//! // ... the request ...
//! call.answered(200).end();
//!
//! accounting.queue("invoices").set(12, Some(Duration::from_secs(4)));
//! accounting.shutdown()
//! # }
//! ```
//!
//! [`exporter::Builder::build`] sets nothing process-wide: several integrations can live in one process. Flushing and
//! shutting down block the calling thread until the server has answered, so in async code they belong into
//! `tokio::task::spawn_blocking` (or its like), never on an async worker.

pub mod exporter;
pub mod error;
pub mod integration;
pub mod call;
pub mod queue;
pub mod credential;
pub mod event;
mod names;
mod numbered;
mod readings;
