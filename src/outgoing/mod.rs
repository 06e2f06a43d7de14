//! Edge out: the one client for everything that calls out over HTTP.
//!
//! A server inside a company's network that can be made to call an address of somebody's choice is a way into that
//! network. So nothing else in this program opens an HTTP connection: here the address is resolved, held against
//! [`guard`], and connected to itself, so that a second answer of DNS cannot move it. It follows no redirect, asks no
//! proxy, keeps no connection, and what was answered stands in no error.

pub mod client;
pub mod guard;
#[cfg(test)]
mod tests;
