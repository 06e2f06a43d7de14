//! People as they are kept: users, their sessions and their API tokens.

use super::role::Role;
use super::secret::Hash;
use crate::signals::telemetry::Nanos;

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Never given to another.
    pub id: i64,
    /// What they sign in with.
    pub name: String,
    /// How they are called.
    pub display: String,
    /// What they may do.
    pub role: Role,
    /// argon2id; none where no password opens.
    pub password: Option<String>,
    /// (issuer, subject) of the one who vouches for them.
    pub vouched: Option<(String, String)>,
    /// Goes up with every change of what they may do or know.
    pub version: i64,
    /// When they were made.
    pub made_at: Nanos,
    /// By whom.
    pub made_by: String,
    /// Since when they may not come in.
    pub disabled_at: Option<Nanos>,
}

/// A change of what a user may do or know. Each ends all their sessions and API tokens.
#[derive(Clone, Debug)]
pub enum Change {
    /// Another role.
    Role(Role),
    /// Another password, hashed.
    Password(String),
    /// The same, chosen by whoever had the link for it.
    PasswordByLink(String),
    /// May not come in any more.
    Disabled,
    /// May come in again.
    Enabled,
}

/// A user to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What they sign in with.
    pub name: String,
    /// How they are called.
    pub display: String,
    /// What they may do.
    pub role: Role,
    /// argon2id; none where they are yet to choose one.
    pub password: Option<String>,
    /// (issuer, subject) of the one who vouches for them.
    pub vouched: Option<(String, String)>,
}

/// A browser that somebody signed in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Of the secret in the cookie.
    pub hash: Hash,
    /// Whose it is.
    pub user: i64,
    /// When they signed in.
    pub made_at: Nanos,
    /// When it was last used, to the minute.
    pub seen_at: Nanos,
    /// Over then, however busy.
    pub ends_at: Nanos,
    /// From where they signed in.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
}

/// An API token. Its secret is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Never given to another.
    pub id: i64,
    /// Whose it is.
    pub user: i64,
    /// What it is for.
    pub name: String,
    /// Its last letters.
    pub tail: String,
    /// At most this, and never more than what its owner may.
    pub role: Role,
    /// When it was made.
    pub made_at: Nanos,
    /// Refused from then on.
    pub expires_at: Option<Nanos>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Nanos>,
    /// Refused since then.
    pub revoked_at: Option<Nanos>,
}

impl Token {
    /// Whether it opens anything at a moment.
    pub fn is_good(&self, now: Nanos) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// Whether the audit log means somebody else by a name than a user of it.
pub fn is_reserved(name: &str) -> bool {
    let name = name.to_lowercase();
    ["-", "console", "server", "everyone"].contains(&&*name)
        || ["console:", "key:"].iter().any(|of_others| name.starts_with(of_others))
}

/// Whether a text can be a login name: letters, digits and `. _ - @ +`, up to 64, so that it is one word everywhere.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |letter: char| letter.is_alphanumeric() || ".-_@+".contains(letter);
    match name.chars().count() {
        1..=64 if is_reserved(name) => {
            Err(format!("{name} is not a name for a user: the audit log means others by it."))
        }
        1..=64 if name.chars().all(plain) => Ok(()),
        _ => Err("A name is 1 to 64 letters, digits and . _ - @ +, without spaces.".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word() {
        for good in ["ada", "Ada.L", "ada@example.com", "Zoë", "x"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "a b", "-", "Console", "server", "key:1", "a\nb", "<b>", &long] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
