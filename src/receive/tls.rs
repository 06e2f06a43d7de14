//! TLS of a port: a certificate, its key and whose clients are known, read again when the files change.
//!
//! A set of files that does not work changes nothing: what is in force stays, and [`Tls::troubles`] says so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::DateTime;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::Certificate;
use crate::signals::telemetry::Nanos;

/// How long before a certificate's end people are told.
const NOTICE: Nanos = 14 * DAY;
const DAY: Nanos = 86_400 * 1_000_000_000;
/// Looks that find the same fault before it is told: the first may have come between two files of a renewal.
const CERTAIN: u32 = 2;

/// HTTP/2 in ALPN's words.
pub(super) const H2: &[u8] = b"h2";

/// Where a port's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// PEM: the server's certificate, then those between it and the root.
    pub certificate: PathBuf,
    /// PEM: its key.
    pub key: PathBuf,
    /// Who has to vouch for clients.
    pub clients: Option<Clients>,
}

/// Whose clients are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// PEM: the authorities of their certificates.
    pub ca: PathBuf,
    /// Whether a client without a certificate is refused.
    pub required: bool,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting that names the file: `certificate`, `key` or `client_ca`.
    pub key: &'static str,
    /// A sentence.
    pub sentence: String,
}

/// What came of a look at files that have changed, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// They are in force.
    Changed(String),
    /// They do not work.
    Refused(String),
}

/// TLS of one port, or of several that are alike.
pub struct Tls {
    files: Files,
    state: Mutex<State>,
}

struct State {
    contents: Contents,
    config: Arc<ServerConfig>,
    not_after: Nanos,
    failing: Option<Failing>,
}

/// Files that were changed and do not work.
struct Failing {
    since: Nanos,
    looks: u32,
    problem: Problem,
}

/// The files' bytes. They are small, and comparing them misses nothing, unlike times.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    ca: Option<Vec<u8>>,
}

impl Tls {
    /// Reads the files for the first time.
    pub fn load(files: Files) -> Result<Tls, Problem> {
        let contents = read(&files)?;
        let (config, not_after) = build(&files, &contents)?;
        let state = State { contents, config: Arc::new(config), not_after, failing: None };
        Ok(Tls { files, state: Mutex::new(state) })
    }

    /// Which files.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Looks at the files, and takes up what they hold if it is new and works. Says so once.
    pub fn look(&self, now: Nanos) -> Option<Looked> {
        let read = read(&self.files);
        let mut state = self.lock();
        if read.as_ref().is_ok_and(|contents| *contents == state.contents) {
            state.failing = None;
            return None;
        }
        match read.and_then(|contents| Ok((build(&self.files, &contents)?, contents))) {
            Ok(((config, not_after), contents)) => {
                *state = State { contents, config: Arc::new(config), not_after, failing: None };
                let (file, until) = (self.files.certificate.display(), day(not_after));
                tracing::info!(%file, %until, "Another certificate is in force.");
                Some(Looked::Changed(format!("Another one is in force, until {until}.")))
            }
            Err(problem) => {
                let (since, looks) =
                    state.failing.as_ref().map_or((now, 0), |before| (before.since, before.looks));
                let looks = looks.saturating_add(1);
                if looks == CERTAIN {
                    tracing::error!(
                        problem = problem.sentence,
                        "The certificate was not changed: the new files have a problem."
                    );
                }
                let told = format!("The one before stays: {}", problem.sentence);
                state.failing = Some(Failing { since, looks, problem });
                (looks == CERTAIN).then_some(Looked::Refused(told))
            }
        }
    }

    /// What people should know: new files that do not work, a certificate near its end. Each since when.
    pub fn troubles(&self, now: Nanos) -> Vec<(Nanos, String)> {
        let state = self.lock();
        let mut troubles = Vec::new();
        if let Some(Failing { since, problem, .. }) = state.failing.as_ref().filter(|it| it.looks >= CERTAIN)
        {
            let sentence = format!(
                "The certificate was not changed, the one before stays in force: {}",
                problem.sentence
            );
            troubles.push((*since, sentence));
        }
        let left = state.not_after.saturating_sub(now);
        if left <= NOTICE {
            let (file, end) = (self.files.certificate.display(), day(state.not_after));
            let sentence = match left / DAY {
                _ if left <= 0 => format!(
                    "The certificate {file} expired on {end}: clients refuse to connect. Renew it; the new one is \
                     taken up by itself."
                ),
                days => format!(
                    "The certificate {file} expires on {end}, {}; after that clients refuse to connect. Renew it; \
                     the new one is taken up by itself.",
                    match days {
                        0 => "within a day".to_owned(),
                        1 => "in one day".to_owned(),
                        days => format!("in {days} days"),
                    }
                ),
            };
            troubles.push((state.not_after.saturating_sub(NOTICE), sentence));
        }
        troubles
    }

    /// Shakes hands, with what is in force now. How long that may take is the caller's affair.
    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let config = self.lock().config.clone();
        TlsAcceptor::from(config).accept(stream).await
    }

    // What a panic left is as good as any other state: it is replaced whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who the client of a connection is, where it said so and an authority of `client_ca` vouches for it.
pub(super) fn client(stream: &TlsStream<TcpStream>) -> Option<Arc<Certificate>> {
    let chain = stream.get_ref().1.peer_certificates()?;
    Some(Arc::new(Certificate::read(chain.first()?)?))
}

fn read(files: &Files) -> Result<Contents, Problem> {
    let read = |key, path: &Path| {
        fs::read(path).map_err(|error| Problem {
            key,
            sentence: format!("{} cannot be read: {error}.", path.display()),
        })
    };
    let mode = fs::metadata(&files.key).map_or(0, |about| about.permissions().mode());
    if mode & 0o006 != 0 {
        let path = files.key.display();
        let sentence = format!(
            "the key {path} can be read or changed by every user of this machine (mode {:03o}); run chmod 600 {path}.",
            mode & 0o777
        );
        return Err(Problem { key: "key", sentence });
    }
    Ok(Contents {
        certificate: read("certificate", &files.certificate)?,
        key: read("key", &files.key)?,
        ca: files.clients.as_ref().map(|clients| read("client_ca", &clients.ca)).transpose()?,
    })
}

fn build(files: &Files, contents: &Contents) -> Result<(ServerConfig, Nanos), Problem> {
    let chain = certificates("certificate", &files.certificate, &contents.certificate)?;
    let about = chain.first().and_then(|first| Certificate::read(first));
    let not_after = about.map(|about| about.not_after).ok_or_else(|| Problem {
        key: "certificate",
        sentence: format!("{} holds something else than an X.509 certificate.", files.certificate.display()),
    })?;
    let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| Problem {
        key: "key",
        sentence: format!(
            "{} holds no private key; it must be in PEM, PKCS #8, PKCS #1 or SEC1, without a passphrase.",
            files.key.display()
        ),
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12]);
    let unfit = |error: rustls::Error| {
        let (key, path) = (files.key.display(), files.certificate.display());
        let sentence = match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                format!("the key {key} does not belong to the certificate {path}.")
            }
            error => format!("the key {key} cannot be used with the certificate {path}: {error}."),
        };
        Problem { key: "key", sentence }
    };
    let builder = builder.map_err(unfit)?;
    let builder = match files.clients.as_ref().zip(contents.ca.as_ref()) {
        None => builder.with_no_client_auth(),
        Some((clients, pem)) => builder.with_client_cert_verifier(verifier(clients, pem)?),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(unfit)?;
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Ok((config, not_after))
}

fn verifier(
    clients: &Clients,
    pem: &[u8],
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, Problem> {
    let unfit = |error: &dyn std::fmt::Display| Problem {
        key: "client_ca",
        sentence: format!("{} holds no usable certificate authority: {error}.", clients.ca.display()),
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates("client_ca", &clients.ca, pem)? {
        roots.add(authority).map_err(|error| unfit(&error))?;
    }
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if clients.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| unfit(&error))
}

fn certificates(key: &'static str, path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let path = path.display();
    let problem = |sentence| Problem { key, sentence };
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| problem(format!("{path} is damaged: {error}.")))?;
    if chain.is_empty() {
        return Err(problem(format!("{path} holds no certificate in PEM (-----BEGIN CERTIFICATE-----).")));
    }
    Ok(chain)
}

fn day(at: Nanos) -> String {
    DateTime::from_timestamp_nanos(at).format("%Y-%m-%d").to_string()
}
