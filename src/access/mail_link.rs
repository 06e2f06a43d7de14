//! Links in mails: what one does, to which incident, to whom it was sent, and until when. Signed like the others; it
//! gives nobody a session, and what it does is done once however often it is sent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::link::Signer;
use crate::signals::telemetry::Nanos;

/// Where they lead, before what they say.
pub const PATH: &str = "/a/mail/";
/// How long a link in a mail opens.
pub const LASTS: Nanos = 7 * 24 * 3_600_000_000_000;

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Says that somebody looks at the incident.
    Acknowledge,
    /// Silences it for a time.
    Silence,
}

/// What a link in a mail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailLink {
    /// What it does.
    pub act: Act,
    /// The incident's id: 32 hex digits.
    pub incident: String,
    /// To whom the mail went.
    pub recipient: String,
    /// Until when, unix nanoseconds.
    pub expires_at: Nanos,
}

impl Signer {
    /// The last part of the link's address.
    pub fn mail_link(&self, link: &MailLink) -> String {
        let letter = match link.act {
            Act::Acknowledge => 'k',
            Act::Silence => 's',
        };
        let recipient = URL_SAFE_NO_PAD.encode(&link.recipient);
        let said = format!("{letter}.{}.{recipient}.{}", link.incident, link.expires_at);
        let signed = self.sign("mail", &said);
        format!("{said}.{signed}")
    }

    /// What a link says, where we signed it and it has not expired.
    pub fn read_mail_link(&self, text: &str, now: Nanos) -> Option<MailLink> {
        let (said, signed) = text.rsplit_once('.')?;
        if !self.is_signed("mail", said, signed) {
            return None;
        }
        let mut parts = said.split('.');
        let act = match parts.next()? {
            "k" => Act::Acknowledge,
            "s" => Act::Silence,
            _ => return None,
        };
        let incident = parts.next()?.to_owned();
        let recipient = String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        let expires_at = parts.next()?.parse().ok()?;
        (now < expires_at).then_some(MailLink { act, incident, recipient, expires_at })
    }

    /// A body whose links do the same for another recipient: the audit log names whom the mail went to.
    pub fn readdressed(&self, body: &str, to: &str) -> String {
        let mut out = String::with_capacity(body.len());
        let mut rest = body;
        while let Some((before, after)) = rest.split_once(PATH) {
            let ends = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
            let (token, tail) = after.split_at(after.find(ends).unwrap_or(after.len()));
            out.push_str(before);
            out.push_str(PATH);
            match self.read_mail_link(token, Nanos::MIN) {
                Some(link) => out += &self.mail_link(&MailLink { recipient: to.to_owned(), ..link }),
                None => out.push_str(token),
            }
            rest = tail;
        }
        out + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(act: Act) -> MailLink {
        let incident = "00112233445566778899aabbccddeeff".into();
        MailLink { act, incident, recipient: "ana@example.com".into(), expires_at: 1000 }
    }

    #[test]
    fn a_link_says_what_was_signed_until_it_expires() {
        let signer = Signer::new(&[7; 32]);
        for act in [Act::Acknowledge, Act::Silence] {
            let text = signer.mail_link(&link(act));
            assert_eq!(signer.read_mail_link(&text, 999), Some(link(act)));
            assert_eq!(signer.read_mail_link(&text, 1000), None);
            assert_eq!(Signer::new(&[8; 32]).read_mail_link(&text, 0), None, "another server's");
            assert_eq!(signer.read(&text, 0), None, "it chooses no password");
        }
    }

    #[test]
    fn no_letter_of_it_can_be_changed() {
        let signer = Signer::new(&[7; 32]);
        let text = signer.mail_link(&link(Act::Acknowledge));
        for at in 0..text.len() {
            for letter in *b"0s.Az9" {
                let mut other = text.clone().into_bytes();
                if other[at] == letter {
                    continue;
                }
                other[at] = letter;
                assert_eq!(signer.read_mail_link(std::str::from_utf8(&other).unwrap(), 0), None, "{at}");
            }
        }
    }

    #[test]
    fn a_body_is_readdressed_and_stays_the_same_otherwise() {
        let signer = Signer::new(&[7; 32]);
        let (one, two) = (signer.mail_link(&link(Act::Acknowledge)), signer.mail_link(&link(Act::Silence)));
        let body = format!(
            "see https://x/a/mail/{one} or <a href=\"https://x/a/mail/{two}\">it</a>, not /a/p.1.2.3.x"
        );
        let other = signer.readdressed(&body, "bo@example.com");
        for (token, act) in [(&one, Act::Acknowledge), (&two, Act::Silence)] {
            assert!(!other.contains(token.as_str()));
            let theirs = signer.mail_link(&MailLink { recipient: "bo@example.com".into(), ..link(act) });
            assert!(other.contains(&theirs), "{other}");
        }
        assert!(
            other.ends_with("\">it</a>, not /a/p.1.2.3.x") && other.starts_with("see https://x/a/mail/k.")
        );
    }
}
