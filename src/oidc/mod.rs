//! Logging in at a provider of identities: OpenID Connect, Authorization Code with PKCE, for one fixed issuer.
//!
//! `provider` is what pages call: where to send the browser, and who it was that came back. `token` holds a word of the
//! provider against its `keys`; what the word says is judged in [`crate::access::oidc`]. `waiting` remembers logins that
//! have begun, each for one return.

pub mod keys;
pub mod provider;
pub mod token;
pub mod waiting;
#[cfg(test)]
mod tests;
