//! A provider's word about somebody: an ID token, which is a JWS in its compact form.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys::{Algorithm, Keys};
use crate::access::oidc::Claims;

/// Letters of a token.
const MAX_TOKEN: usize = 64 << 10;

/// A token whose signature is not verified yet: nothing it says may be used but the name of its key.
pub struct Unverified<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    key: Option<String>,
    claims: &'t str,
}

impl<'t> Unverified<'t> {
    /// Takes a token apart; else the reason, as the end of a sentence.
    pub fn read(token: &'t str) -> Result<Unverified<'t>, &'static str> {
        let not = "it is no signed token";
        let (signed, signature) = token.rsplit_once('.').filter(|_| token.len() <= MAX_TOKEN).ok_or(not)?;
        let (head, claims) = signed.split_once('.').filter(|(_, claims)| !claims.contains('.')).ok_or(not)?;
        let head = object(head).ok_or(not)?;
        let name = head.get("alg").and_then(Value::as_str).ok_or(not)?;
        let algorithm = Algorithm::from_name(name).ok_or("it is signed in a way that is not taken")?;
        // Extensions that must be understood, and of which we understand none.
        if head.contains_key("crit") {
            return Err("it asks for extensions that are not known here");
        }
        let key = match head.get("kid") {
            None => None,
            Some(Value::String(key)) => Some(key.clone()),
            Some(_) => return Err(not),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| not)?;
        Ok(Unverified { signed, signature, algorithm, key, claims })
    }

    /// The key that it says it is signed with.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What it says, if one of `keys` signed it.
    pub fn verify(&self, keys: &Keys) -> Result<Claims, &'static str> {
        if !keys.verify(self.key(), self.algorithm, self.signed.as_bytes(), &self.signature) {
            return Err("no key of the provider signed it");
        }
        object(self.claims).ok_or("it says nothing")
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
