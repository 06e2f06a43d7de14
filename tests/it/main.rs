//! The one integration binary: the walls of the code, and the real server driven from outside.
//!
//! Tests that need Python, Node or a browser take them from `.test-env/`, which `scripts/test` fills.

mod support;

mod bad_input;
mod bad_values;
mod conformance;
mod corpus;
mod cves;
mod differential;
mod digest;
mod disk;
mod encryption;
mod errors;
mod face;
mod heartbeat;
mod hostile;
mod journey;
mod keys;
mod kill;
mod low_code;
mod mail;
mod metrics;
mod oidc;
mod once;
mod openapi;
mod observations;
mod overload;
mod pages;
mod points;
mod power;
mod providers;
mod records;
mod secrets;
mod supply;
mod tidy;
mod tls;
mod web;
