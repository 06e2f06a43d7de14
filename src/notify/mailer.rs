//! Sends one mail: by SMTP or as a file. Chosen once, at start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};

use super::header::safe;
use super::smtp::{Blame, Relay, SendError, Smtp};
use crate::store::mail::{Kind, NewMail};
use crate::world::files::Files;

/// Lines of a mail that is sent again as plain text alone, since what it said was refused.
const SHORT: usize = 12;

/// What a test answers to a mail.
#[cfg(test)]
pub type Scripted = Box<dyn Fn(&NewMail) -> Result<String, SendError> + Send + Sync>;

/// Where mails go.
pub enum Mailer {
    /// To a relay.
    Smtp(Box<Smtp>),
    /// Into a folder, as .eml files.
    File(PathBuf),
    /// As a test says.
    #[cfg(test)]
    Test(Scripted),
}

impl Mailer {
    /// A mailer to a relay. Fails when the certificate authority cannot be read.
    pub fn smtp(relay: &Relay) -> Result<Mailer, String> {
        Smtp::new(relay).map(|smtp| Mailer::Smtp(Box::new(smtp)))
    }

    /// Sends one mail and says where it went. A mail that is a file is durable then.
    pub async fn send(
        &self,
        mail: &NewMail,
        from: &str,
        files: &Arc<dyn Files>,
    ) -> Result<String, SendError> {
        let message = message(mail, from, false)?;
        match self {
            Mailer::Smtp(smtp) => {
                let envelope = message.envelope();
                let (Some(from_address), Some(to)) = (envelope.from(), envelope.to().first()) else {
                    return Err(SendError {
                        blame: Blame::Recipient,
                        message: "The mail has no sender or no recipient.".into(),
                    });
                };
                match smtp.send(from_address, to, &message.formatted()).await {
                    // A filter that does not like how it is written may like it plain.
                    Err(error) if error.blame == Blame::Content => {
                        let short = self::message(mail, from, true)?;
                        let sent = smtp.send(from_address, to, &short.formatted()).await;
                        sent.map(|answer| format!("{answer}, as plain text: {}", error.message))
                    }
                    sent => sent,
                }
            }
            Mailer::File(folder) => {
                let path = folder.join(file_name(mail));
                let failed = |error: std::io::Error| SendError {
                    blame: Blame::Relay,
                    message: format!("{} cannot be written: {error}.", path.display()),
                };
                let (files, folder, into) = (files.clone(), folder.clone(), path.clone());
                let written =
                    tokio::task::spawn_blocking(move || put(&*files, &folder, &into, &message.formatted()))
                        .await;
                written.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(failed)?;
                Ok(path.display().to_string())
            }
            #[cfg(test)]
            Mailer::Test(sent) => sent(mail),
        }
    }
}

/// Written aside, synced and renamed: a reader never sees half a mail, and one that counts as sent is there.
fn put(files: &dyn Files, folder: &Path, path: &Path, mail: &[u8]) -> io::Result<()> {
    files.make_folder(folder)?;
    let aside = path.with_extension("part");
    match files.remove(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = files.create(&aside)?;
    file.append(mail)?;
    file.sync()?;
    files.rename(&aside, path)?;
    files.sync_folder(folder)
}

/// `20261124T060102Z-K7Q2-fired-1f3a.eml`: sorts by time, says what it is.
fn file_name(mail: &NewMail) -> String {
    let time = chrono::DateTime::from_timestamp_nanos(mail.created_at).format("%Y%m%dT%H%M%SZ");
    let word = |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect() };
    let code: String = mail.subject.rsplit('·').next().map(word).unwrap_or_default();
    // The subject of what is of no incident ends in no code.
    let code: String = code.chars().take(12).collect();
    let unique: String = word(&mail.id).chars().rev().take(6).collect();
    format!("{time}-{code}-{}-{unique}.eml", kind_word(mail))
}

/// `fired`, `digest`.
fn kind_word(mail: &NewMail) -> String {
    let word = match mail.kind {
        Kind::Alert(change) => format!("{change:?}"),
        Kind::Own(own) => format!("{own:?}"),
    };
    word.to_lowercase()
}

/// The mail as it goes over the wire; `short` is plain text alone, and little of it.
fn message(mail: &NewMail, from: &str, short: bool) -> Result<Message, SendError> {
    let refused =
        |blame: Blame, what: &str, error: String| SendError { blame, message: format!("{what}: {error}.") };
    let to = mail.recipient.parse().map_err(|error| {
        refused(Blame::Recipient, &format!("\"{}\" is not an address", mail.recipient), format!("{error}"))
    })?;
    let from = from.parse().map_err(|error| {
        refused(Blame::Ours, &format!("\"{from}\" is not an address"), format!("{error}"))
    })?;
    let raw = |name: HeaderName, value: &str| HeaderValue::new(name, safe(value));
    let fixed = |name: &'static str, value: &str| raw(HeaderName::new_from_ascii_str(name), value);
    let mut builder = Message::builder()
        .from(Mailbox::new(Some(safe(&mail.from_name)), from))
        .to(Mailbox::new(None, to))
        .subject(safe(&mail.subject))
        .message_id(Some(mail.message_id.clone()))
        .raw_header(fixed("Auto-Submitted", "auto-generated"))
        .raw_header(fixed("X-Auto-Response-Suppress", "All"));
    if !mail.headers.iter().any(|(name, _)| name == "List-Id") {
        builder = builder.raw_header(fixed("List-Id", "<alerts.seamwatch>"));
    }
    for (name, value) in &mail.headers {
        // A name that is none is left out: it is ours, and the mail matters more.
        if let Ok(name) = HeaderName::new_from_ascii(name.clone()) {
            builder = builder.raw_header(raw(name, value));
        }
    }
    if let Some(first) = &mail.in_reply_to {
        builder = builder.in_reply_to(first.clone()).references(first.clone());
    }
    let plain = |text: String| SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text);
    let built = if short {
        let text = mail.text.lines().take(SHORT).collect::<Vec<_>>().join("\n");
        builder.singlepart(plain(text))
    } else {
        let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(mail.html.clone());
        builder.multipart(MultiPart::alternative().singlepart(plain(mail.text.clone())).singlepart(html))
    };
    built.map_err(|error| refused(Blame::Content, "The mail cannot be built", error.to_string()))
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;
    use crate::alert::incident::Change;
    use crate::notify::smtp::Tls;

    fn disk() -> Arc<dyn Files> {
        Arc::new(crate::world::files::Disk)
    }

    fn mail(subject: &str) -> NewMail {
        NewMail {
            id: "0190a".into(),
            incident_id: "i".into(),
            kind: Kind::Alert(Change::Fired),
            channel: String::new(),
            headers: vec![("X-Seamwatch-Rule".into(), "x\r\nBcc: eve@example.com".into())],
            recipient: "ana@example.com".into(),
            from_name: "shop failing".into(),
            subject: subject.into(),
            message_id: "<i.1.abc@localhost>".into(),
            in_reply_to: Some("<i.0.abc@localhost>".into()),
            text: "täxt".into(),
            html: "<p>täxt</p>".into(),
            created_at: 1_800_000_000_000_000_000,
        }
    }

    #[tokio::test]
    async fn a_file_holds_a_mail_that_parses_with_only_our_headers() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = Mailer::File(folder.path().join("mail"));
        let hostile = mail("AUTH · shop\r\nBcc: eve@example.com · K7Q2");
        let path = mailer.send(&hostile, "seamwatch@localhost", &disk()).await.unwrap();
        assert!(path.ends_with(".eml") && path.contains("-K7Q2-fired-"), "{path}");
        let raw = std::fs::read(path).unwrap();
        let parsed = MessageParser::default().parse(&raw).unwrap();
        assert_eq!(parsed.subject(), Some("AUTH · shop Bcc: eve@example.com · K7Q2"));
        assert!(parsed.bcc().is_none());
        assert_eq!(parsed.message_id(), Some("i.1.abc@localhost"));
        assert_eq!(parsed.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
        assert_eq!(parsed.body_text(0).as_deref(), Some("täxt"));
        assert_eq!(parsed.body_html(0).as_deref(), Some("<p>täxt</p>"));
    }

    #[tokio::test]
    async fn a_relay_that_is_not_there_is_a_sentence_and_worth_another_try() {
        let relay = Relay { host: "127.0.0.1".into(), port: 1, tls: Tls::None, ca_pem: None, login: None };
        let error =
            Mailer::smtp(&relay).unwrap().send(&mail("x"), "seamwatch@localhost", &disk()).await.unwrap_err();
        assert!(
            error.blame == Blame::Relay && error.message.starts_with("127.0.0.1:1 cannot be reached"),
            "{error:?}"
        );
    }
}
