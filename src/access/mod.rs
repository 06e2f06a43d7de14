//! Who may do what: roles, secrets and their hashes, and what the audit log says. Values in, values out, but for
//! the random numbers of new secrets and the threads that passwords are hashed on: the store keeps them, `receive` and `web` ask.
//!
//! No secret is kept: of a key, a token or a session only its hash is, and of what was done only who did it.

pub mod audit;
pub mod door;
pub mod key;
pub mod link;
pub mod mail_link;
pub mod password;
pub mod person;
pub mod oidc;
pub mod role;
pub mod secret;
pub mod session;
pub mod throttle;
