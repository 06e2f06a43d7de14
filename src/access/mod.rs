//! Who may do what: roles, secrets and their hashes, and what the audit log says. Values in, values out, but for
//! the random numbers of new secrets: the store keeps them, `receive` and `web` ask.
//!
//! No secret is kept: of a key, a token or a session only its hash is, and of what was done only who did it.

pub mod audit;
pub mod door;
pub mod key;
pub mod oidc;
pub mod role;
pub mod secret;
