//! Links that are signed: what one is for, to what, and until when. Nothing of them is kept.
//!
//! A link says in the clear what it opens, so that the page behind it can say so, and nobody can change a letter of
//! it. That it opens once is up to its `edition`: the version of what it is for, which using it raises.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::signals::telemetry::Nanos;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Choosing a password; the object is a user's number.
    Password,
}

impl Scope {
    const fn letter(self) -> char {
        match self {
            Scope::Password => 'p',
        }
    }
}

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is for.
    pub scope: Scope,
    /// To what.
    pub object: i64,
    /// The object's version when it was made; another by now, and it opens nothing.
    pub edition: i64,
    /// Until when, unix nanoseconds.
    pub expires_at: Nanos,
}

/// Signs links, and the tokens of forms.
#[derive(Clone)]
pub struct Signer(hmac::Key);

impl std::fmt::Debug for Signer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Signer(***)")
    }
}

impl Signer {
    /// With a secret of at least 32 random bytes.
    pub fn new(secret: &[u8]) -> Signer {
        Signer(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The last part of a link's address.
    pub fn link(&self, link: &Link) -> String {
        let Link { scope, object, edition, expires_at } = link;
        let said = format!("{}.{object}.{edition}.{expires_at}", scope.letter());
        let signed = self.sign("link", &said);
        format!("{said}.{signed}")
    }

    /// What a link says, where we signed it and it has not expired.
    pub fn read(&self, text: &str, now: Nanos) -> Option<Link> {
        let (said, signed) = text.rsplit_once('.')?;
        if !self.is_signed("link", said, signed) {
            return None;
        }
        let mut parts = said.split('.');
        let scope = match parts.next()? {
            "p" => Scope::Password,
            _ => return None,
        };
        let mut number = || parts.next()?.parse::<i64>().ok();
        let link = Link { scope, object: number()?, edition: number()?, expires_at: number()? };
        (now < link.expires_at).then_some(link)
    }

    /// What a form of a session carries, so that no other site can send it.
    pub fn form_token(&self, of: &str) -> String {
        self.sign("form", of)
    }

    /// Whether a form's token is this session's.
    pub fn is_form_token(&self, of: &str, token: &str) -> bool {
        self.is_signed("form", of, token)
    }

    pub(super) fn sign(&self, what: &str, said: &str) -> String {
        // What it is for goes under the signature too: a form's token is no link.
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, format!("{what}\0{said}").as_bytes()))
    }

    pub(super) fn is_signed(&self, what: &str, said: &str, signed: &str) -> bool {
        let signed = URL_SAFE_NO_PAD.decode(signed);
        signed.is_ok_and(|tag| hmac::verify(&self.0, format!("{what}\0{said}").as_bytes(), &tag).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link = Link { scope: Scope::Password, object: 7, edition: 3, expires_at: 1000 };

    #[test]
    fn a_link_says_what_was_signed_until_it_expires() {
        let signer = Signer::new(&[7; 32]);
        let text = signer.link(&LINK);
        assert_eq!(signer.read(&text, 999), Some(LINK));
        assert_eq!(signer.read(&text, 1000), None);
        assert_eq!(Signer::new(&[8; 32]).read(&text, 0), None, "another server's");
    }

    #[test]
    fn no_letter_of_it_can_be_changed() {
        let signer = Signer::new(&[7; 32]);
        let text = signer.link(&LINK);
        for at in 0..text.len() {
            for letter in [b'0', b'1', b'9', b'.', b'A', b'z'] {
                let mut other = text.clone().into_bytes();
                if other[at] == letter {
                    continue;
                }
                other[at] = letter;
                assert_eq!(signer.read(std::str::from_utf8(&other).unwrap(), 0), None, "letter {at}");
            }
        }
        for other in ["", ".", "p.7.3.1000", "p.7.3.1000.", "....", "x"] {
            assert_eq!(signer.read(other, 0), None, "{other}");
        }
    }

    #[test]
    fn a_form_token_is_of_one_session_and_no_link() {
        let signer = Signer::new(&[7; 32]);
        let token = signer.form_token("p.7.3.1000");
        assert!(signer.is_form_token("p.7.3.1000", &token) && !signer.is_form_token("other", &token));
        assert!(!signer.is_form_token("p.7.3.1000", ""));
        assert_eq!(signer.read(&format!("p.7.3.1000.{token}"), 0), None);
    }
}
