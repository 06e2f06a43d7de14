//! Sends one mail: by SMTP, as a file, or into memory. Chosen once, at start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as LettreTls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::header::safe;
use crate::store::mail::NewMail;
use crate::world::files::Files;

/// A whole send, connection included, may take this long: lettre's own timeout covers only the connect.
const SEND_WITHIN: Duration = Duration::from_secs(90);

/// Why a mail was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// Trying again cannot help: this recipient is refused.
    pub permanent: bool,
    /// A sentence: what failed and what the other side said.
    pub message: String,
}

/// How a connection to the relay is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// STARTTLS, required.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None.
    None,
}

/// The relay.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is secured.
    pub tls: Tls,
    /// PEM of a certificate authority to trust besides the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// User name and password.
    pub login: Option<(String, String)>,
}

/// Where mails go.
pub enum Mailer {
    /// To a relay.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>, String),
    /// Into a folder, as .eml files.
    File(PathBuf),
    /// Into memory: for tests.
    Memory(Mutex<Vec<NewMail>>),
}

impl Mailer {
    /// A mailer to a relay. Fails when the certificate authority cannot be read.
    pub fn smtp(relay: &Relay) -> Result<Mailer, String> {
        let tls = || -> Result<TlsParameters, String> {
            let mut parameters = TlsParameters::builder(relay.host.clone());
            if let Some(pem) = &relay.ca_pem {
                let authority = Certificate::from_pem(pem)
                    .map_err(|error| format!("smtp.ca_file holds no certificate in PEM: {error}."))?;
                parameters = parameters.add_root_certificate(authority);
            }
            parameters.build_rustls().map_err(|error| format!("TLS cannot be set up: {error}."))
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&relay.host)
            .port(relay.port)
            .timeout(Some(Duration::from_secs(10)))
            .tls(match relay.tls {
                Tls::Starttls => LettreTls::Required(tls()?),
                Tls::Implicit => LettreTls::Wrapper(tls()?),
                Tls::None => LettreTls::None,
            });
        if let Some((user, password)) = &relay.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Mailer::Smtp(Box::new(builder.build()), format!("{}:{}", relay.host, relay.port)))
    }

    /// Sends one mail and says where it went. A mail that is a file is durable then.
    pub async fn send(
        &self,
        mail: &NewMail,
        from: &str,
        files: &Arc<dyn Files>,
    ) -> Result<String, SendError> {
        let message = message(mail, from)?;
        match self {
            Mailer::Smtp(transport, relay) => {
                let sent = tokio::time::timeout(SEND_WITHIN, transport.send(message)).await;
                match sent {
                    Ok(Ok(answer)) => Ok(format!(
                        "{relay} answered {} {}",
                        answer.code(),
                        answer.message().collect::<Vec<_>>().join(" ")
                    )),
                    Ok(Err(error)) => Err(explained(&error, relay)),
                    Err(_) => Err(SendError {
                        permanent: false,
                        message: format!("{relay} did not answer within {} s.", SEND_WITHIN.as_secs()),
                    }),
                }
            }
            Mailer::File(folder) => {
                let path = folder.join(file_name(mail));
                let failed = |error: std::io::Error| SendError {
                    permanent: false,
                    message: format!("{} cannot be written: {error}.", path.display()),
                };
                let (files, folder, into) = (files.clone(), folder.clone(), path.clone());
                let written =
                    tokio::task::spawn_blocking(move || put(&*files, &folder, &into, &message.formatted()))
                        .await;
                written.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(failed)?;
                Ok(path.display().to_string())
            }
            Mailer::Memory(sent) => {
                if let Ok(mut sent) = sent.lock() {
                    sent.push(mail.clone());
                }
                Ok("memory".into())
            }
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
    let code = mail.subject.rsplit('·').next().map(word).unwrap_or_default();
    let unique: String = word(&mail.id).chars().rev().take(6).collect();
    format!("{time}-{code}-{}-{unique}.eml", word(&format!("{:?}", mail.change)).to_lowercase())
}

/// The mail as it goes over the wire.
fn message(mail: &NewMail, from: &str) -> Result<Message, SendError> {
    let refused =
        |what: &str, error: String| SendError { permanent: true, message: format!("{what}: {error}.") };
    let to = mail
        .recipient
        .parse()
        .map_err(|error| refused(&format!("\"{}\" is not an address", mail.recipient), format!("{error}")))?;
    let from = from
        .parse()
        .map_err(|error| refused(&format!("\"{from}\" is not an address"), format!("{error}")))?;
    let raw =
        |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), safe(value));
    let mut builder = Message::builder()
        .from(Mailbox::new(Some(safe(&mail.from_name)), from))
        .to(Mailbox::new(None, to))
        .subject(safe(&mail.subject))
        .message_id(Some(mail.message_id.clone()))
        .raw_header(raw("Auto-Submitted", "auto-generated"))
        .raw_header(raw("X-Auto-Response-Suppress", "All"))
        .raw_header(raw("List-Id", "<alerts.seamwatch>"));
    if let Some(first) = &mail.in_reply_to {
        builder = builder.in_reply_to(first.clone()).references(first.clone());
    }
    let body = MultiPart::alternative()
        .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(mail.text.clone()))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(mail.html.clone()));
    builder.multipart(body).map_err(|error| refused("The mail cannot be built", error.to_string()))
}

fn explained(error: &lettre::transport::smtp::Error, relay: &str) -> SendError {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    // 530, 534, 535 and 538 are refusals of our login, 554 of our connection or sender: ours to mend, then sent.
    let ours = ["530", "534", "535", "538", "554"].contains(&code.as_str());
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let advice = if ours { " Check smtp.username, smtp.password_file and mail.from." } else { "" };
    SendError {
        permanent: error.is_permanent() && !ours,
        message: format!("{relay}: {error}{cause}.{advice}"),
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;
    use crate::alert::incident::Change;

    fn disk() -> Arc<dyn Files> {
        Arc::new(crate::world::files::Disk)
    }

    fn mail(subject: &str) -> NewMail {
        NewMail {
            id: "0190a".into(),
            incident_id: "i".into(),
            change: Change::Fired,
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
        assert!(!error.permanent && error.message.starts_with("127.0.0.1:1: "), "{error:?}");
    }
}
