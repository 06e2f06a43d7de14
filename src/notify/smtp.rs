//! One mail to a relay, step by step: each step under a deadline of ours, and each failure laid to who can mend it.
//!
//! The library's own sending tells neither which step was refused nor keeps to a deadline after connecting.

use std::future::Future;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};

/// Connecting, with TLS from the first byte and the greeting.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// A command and its answer.
const COMMAND_WITHIN: Duration = Duration::from_secs(30);
/// The answer to the whole mail: relays look for viruses then.
const TAKE_WITHIN: Duration = Duration::from_secs(90);

/// Who can mend what failed, and so what becomes of the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The relay, or the way to it: it is tried again later, and so is every other mail.
    Relay,
    /// This configuration: nothing goes out until it is mended, and nothing is dropped.
    Ours,
    /// The recipient, for now.
    Busy,
    /// The recipient, for good.
    Recipient,
    /// What the mail says, for good.
    Content,
}

/// Why a mail was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// Who can mend it.
    pub blame: Blame,
    /// A sentence: what failed, what the other side said, and what to look at.
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

/// Sends to one relay.
pub struct Smtp {
    host: String,
    port: u16,
    secured: Tls,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    within: [Duration; 3],
}

/// What was being done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Connect,
    Starttls,
    Login,
    Sender,
    Recipient,
    Begin,
    Content,
}

type Failure = lettre::transport::smtp::Error;

impl Smtp {
    /// For a relay. Fails when the certificate authority cannot be read.
    pub fn new(relay: &Relay) -> Result<Smtp, String> {
        let tls = || -> Result<TlsParameters, String> {
            let mut parameters = TlsParameters::builder(relay.host.clone());
            if let Some(pem) = &relay.ca_pem {
                let authority = Certificate::from_pem(pem)
                    .map_err(|error| format!("smtp.ca_file holds no certificate in PEM: {error}."))?;
                parameters = parameters.add_root_certificate(authority);
            }
            parameters.build_rustls().map_err(|error| format!("TLS cannot be set up: {error}."))
        };
        Ok(Smtp {
            host: relay.host.clone(),
            port: relay.port,
            secured: relay.tls,
            tls: if relay.tls == Tls::None { None } else { Some(tls()?) },
            login: relay.login.clone().map(|(user, password)| Credentials::new(user, password)),
            within: [CONNECT_WITHIN, COMMAND_WITHIN, TAKE_WITHIN],
        })
    }

    /// `host:port`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// With one deadline for each step: tests do not wait for minutes.
    #[cfg(test)]
    pub fn with_deadline(self, within: Duration) -> Smtp {
        Smtp { within: [within; 3], ..self }
    }

    /// Hands one mail over and says what the relay answered.
    pub async fn send(&self, from: &Address, to: &Address, mail: &[u8]) -> Result<String, SendError> {
        let mut connection = self.connect().await?;
        let sent = self.hand_over(&mut connection, from, to, mail).await;
        // Whatever comes of saying goodbye: the mail is taken or not.
        let _ = tokio::time::timeout(Duration::from_secs(2), connection.abort()).await;
        sent
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let [connect, command, _] = self.within;
        let lookup = tokio::time::timeout(connect, tokio::net::lookup_host((&*self.host, self.port))).await;
        let addresses: Vec<_> = match lookup {
            Ok(Ok(found)) => found.collect(),
            _ => Vec::new(),
        };
        if addresses.is_empty() {
            let message =
                format!("{} has no address: its name cannot be resolved. Check smtp.host.", self.host);
            return Err(SendError { blame: Blame::Relay, message });
        }
        let hello = ClientId::default();
        let implicit = self.tls.clone().filter(|_| self.secured == Tls::Implicit);
        let opened = AsyncSmtpConnection::connect_tokio1(&*addresses, Some(connect), &hello, implicit, None);
        let mut connection = self.step(Step::Connect, connect, opened).await?;
        if let (Tls::Starttls, Some(tls)) = (self.secured, &self.tls) {
            self.step(Step::Starttls, command, connection.starttls(tls.clone(), &hello)).await?;
        }
        if let Some(login) = &self.login {
            let asked = connection.auth(&[Mechanism::Plain, Mechanism::Login], login);
            self.step(Step::Login, command, asked).await?;
        }
        Ok(connection)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        from: &Address,
        to: &Address,
        mail: &[u8],
    ) -> Result<String, SendError> {
        let [_, command, take] = self.within;
        let mut options = Vec::new();
        if !(from.as_ref() as &str).is_ascii() || !(to.as_ref() as &str).is_ascii() {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let message =
                    format!("{} takes no addresses beyond ASCII, and {to} or {from} is one.", self.name());
                return Err(SendError { blame: Blame::Recipient, message });
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        let sender = connection.command(Mail::new(Some(from.clone()), options));
        self.step(Step::Sender, command, sender).await?;
        self.step(Step::Recipient, command, connection.command(Rcpt::new(to.clone(), vec![]))).await?;
        self.step(Step::Begin, command, connection.command(Data)).await?;
        let answer = self.step(Step::Content, take, connection.message(mail)).await?;
        let said = answer.message().collect::<Vec<_>>().join(" ");
        Ok(format!("{} answered {} {said}", self.name(), answer.code()))
    }

    async fn step<T>(
        &self,
        step: Step,
        within: Duration,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, SendError> {
        match tokio::time::timeout(within, work).await {
            Ok(done) => done.map_err(|error| self.explained(step, &error)),
            Err(_) => {
                let what = match step {
                    Step::Connect => "did not let us connect, or did not greet us,",
                    Step::Starttls => "did not begin TLS",
                    Step::Login => "did not answer to the login",
                    Step::Content => "did not say whether it took the mail",
                    _ => "did not answer",
                };
                let again = if step == Step::Content {
                    " It is sent again with the same Message-ID, so that a copy can be told."
                } else {
                    ""
                };
                let message = format!("{} {what} within {} s.{again}", self.name(), within.as_secs());
                Err(SendError { blame: Blame::Relay, message })
            }
        }
    }

    fn explained(&self, step: Step, error: &Failure) -> SendError {
        let code = error.status().map(|code| code.to_string()).unwrap_or_default();
        let cause = std::error::Error::source(error).map(|cause| cause.to_string()).unwrap_or_default();
        let said = if cause.is_empty() { error.to_string() } else { format!("{error}: {cause}") };
        let blame = blame(step, &code, &said);
        let name = self.name();
        let message = match (step, blame) {
            (Step::Connect, Blame::Ours) => {
                format!(
                    "{name} does not want to hear from this machine: {said}. Ask who runs it, or name another in smtp.host."
                )
            }
            (Step::Connect, _) => {
                let refused = said.to_lowercase().contains("refused");
                let advice = if refused {
                    " Nothing listens there: check smtp.host and smtp.port."
                } else if is_about_certificates(&said) {
                    " Its certificate is vouched for by nobody we trust, or names another host: check smtp.host, or name its authority in smtp.ca_file."
                } else if self.secured == Tls::Implicit {
                    " smtp.tls = \"implicit\" is for ports that speak TLS from the first byte (465)."
                } else {
                    ""
                };
                format!("{name} cannot be reached: {said}.{advice}")
            }
            (Step::Starttls, _) => {
                let advice = if is_about_certificates(&said) {
                    "Its certificate is vouched for by nobody we trust, or names another host: check smtp.host, or name its authority in smtp.ca_file."
                } else {
                    "Nothing is sent without TLS: where the port speaks it from the first byte (465), set smtp.tls = \"implicit\"."
                };
                format!("{name} begins no TLS that we trust: {said}. {advice}")
            }
            (Step::Login, Blame::Ours) => {
                format!("{name} refuses the login: {said}. Check smtp.username and smtp.password_file.")
            }
            (Step::Sender, Blame::Ours) => {
                format!(
                    "{name} takes no mail from this sender: {said}. Check mail.from, smtp.username and smtp.password_file."
                )
            }
            (_, Blame::Ours) => {
                format!("{name}: {said}. Check smtp.username, smtp.password_file and mail.from.")
            }
            (Step::Recipient, Blame::Recipient) => format!("{name} refuses the recipient: {said}."),
            (Step::Content, Blame::Content) => format!("{name} refuses what the mail says: {said}."),
            _ => format!("{name}: {said}."),
        };
        SendError { blame, message }
    }
}

fn is_about_certificates(said: &str) -> bool {
    let said = said.to_lowercase();
    said.contains("certificate") || said.contains("unknownissuer") || said.contains("notvalidforname")
}

/// 530, 534, 535 and 538 refuse our login wherever they come; another refusal for good is of whoever the step is about.
fn blame(step: Step, code: &str, said: &str) -> Blame {
    let ours = ["530", "534", "535", "538"].contains(&code);
    match (step, code.as_bytes().first()) {
        _ if ours => Blame::Ours,
        (_, _) if code == "421" => Blame::Relay,
        // No mechanism in common comes without a code.
        (Step::Login, None) => Blame::Ours,
        (Step::Connect | Step::Login | Step::Sender | Step::Begin, Some(b'5')) => Blame::Ours,
        (Step::Recipient, Some(b'5')) if code == "554" && said.to_lowercase().contains("relay") => {
            Blame::Ours
        }
        (Step::Recipient, Some(b'5')) => Blame::Recipient,
        (Step::Recipient, Some(b'4')) => Blame::Busy,
        (Step::Content, Some(b'5')) => Blame::Content,
        (Step::Content, Some(b'4')) => Blame::Busy,
        _ => Blame::Relay,
    }
}

#[cfg(test)]
mod tests;
